//! The pairs as they lie in the directory that CUTOVER_ORACLE names: two versions' queries, the migrations between them, and what
//! PostgreSQL said after each statement.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use camino::Utf8PathBuf;
use cutover::migrations::{Convention, Folder, Pending};
use cutover::workload::Workload;
use serde_json::Value;

use crate::support::Release;

/// One application.
pub(super) struct Project {
    pub(super) name: String,
    root: PathBuf,
    queries: BTreeMap<String, String>,
}

/// One release.
pub(super) struct Pair {
    pub(super) name: String,
    /// The names of the files that production has: pairs that share a beginning share a database.
    pub(super) applied: Vec<String>,
    pub(super) release: Release,
    pub(super) truth: Truth,
}

/// What PostgreSQL said.
pub(super) struct Truth {
    pub(super) green_not_ready_before: BTreeSet<String>,
    pub(super) steps: Vec<TrueStep>,
}

/// What it said after one statement.
pub(super) struct TrueStep {
    pub(super) sql: String,
    pub(super) broken: BTreeSet<String>,
    pub(super) type_changed: BTreeSet<String>,
    /// With the columns that demand a value.
    pub(super) misses_not_null: BTreeMap<String, Vec<String>>,
}

/// The applications; none where no directory is named.
pub(super) fn projects() -> Vec<Project> {
    let Some(root) = std::env::var_os("CUTOVER_ORACLE").map(PathBuf::from) else {
        assert!(std::env::var_os("CI").is_none(), "CI must say where the release pairs are: CUTOVER_ORACLE");
        eprintln!("CUTOVER_ORACLE is not set: no release pairs to read");
        return Vec::new();
    };
    let mut folders: Vec<_> = std::fs::read_dir(&root).unwrap().map(|e| e.unwrap().path()).collect();
    folders.retain(|p| p.join("queries.json").is_file());
    folders.sort();
    assert!(!folders.is_empty(), "no release pairs in {}", root.display());
    let read = |root: PathBuf| {
        let queries = json(&root.join("queries.json"));
        let queries = queries.as_object().unwrap().iter().map(|(id, text)| (id.clone(), string(text)));
        Project { name: root.file_name().unwrap().to_str().unwrap().to_owned(), queries: queries.collect(), root }
    };
    folders.into_iter().map(read).collect()
}

impl Project {
    /// Every n-th of its pairs, those that share a beginning next to each other.
    pub(super) fn pairs(&self, every: usize) -> Vec<Pair> {
        let mut files: Vec<_> =
            std::fs::read_dir(self.root.join("pairs")).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        let mut pairs: Vec<Pair> = files.iter().step_by(every).map(|file| self.pair(file)).collect();
        pairs.sort_by(|a, b| (&a.applied, &a.name).cmp(&(&b.applied, &b.name)));
        pairs
    }

    fn pair(&self, file: &Path) -> Pair {
        let value = json(file);
        let list = |key: &str| -> Vec<(String, String)> {
            let entries = value[key].as_array().unwrap().iter();
            entries.map(|entry| (string(&entry[0]), string(&entry[1]))).collect()
        };
        let (applied, pending) = (list("applied"), list("pending"));
        let text = |sha: &str| std::fs::read_to_string(self.root.join("sql").join(format!("{sha}.sql"))).unwrap();
        let files = applied.iter().chain(&pending).map(|(name, sha)| {
            let stem = name.trim_end_matches(".sql").replace(['/', '.'], "_");
            (Utf8PathBuf::from(format!("{stem}.sql")), text(sha))
        });
        let folder = Folder::from_files(Convention::Plain, files).unwrap();
        let (done, rest) = folder.migrations.split_at(applied.len());
        let pending = Pending { applied: done.to_vec(), pending: rest.to_vec() };
        let workload = |key: &str| {
            let ids = value[key].as_array().unwrap().iter().map(string);
            Workload::from_texts(ids.map(|id| (format!("{id}.sql"), self.queries[&id].clone()))).0
        };
        let truth = truth(&value["truth"]);
        Pair {
            name: format!("{}/{}", self.name, file.file_stem().unwrap().to_str().unwrap()),
            applied: applied.into_iter().map(|(name, sha)| format!("{name} {sha}")).collect(),
            release: Release {
                folder,
                pending,
                blue: workload("blue_queries"),
                green: workload("green_queries"),
                left_out: truth.steps.iter().flat_map(|s| s.misses_not_null.clone()).collect(),
            },
            truth,
        }
    }
}

fn truth(value: &Value) -> Truth {
    let keys = |value: &Value| value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect();
    let lists = |value: &Value| {
        let entries = value.as_object().into_iter().flatten();
        entries.map(|(id, list)| (id.clone(), list.as_array().unwrap().iter().map(string).collect())).collect()
    };
    let steps = value["steps"].as_array().unwrap().iter().map(|step| TrueStep {
        sql: string(&step["sql"]),
        broken: keys(&step["blue_broken"]),
        type_changed: keys(&step["blue_type_changed"]),
        misses_not_null: lists(&step["blue_insert_misses_not_null"]),
    });
    Truth { green_not_ready_before: keys(&value["green_not_ready_before"]), steps: steps.collect() }
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
