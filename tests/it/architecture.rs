//! The house rules of `src/lib.rs`, held against the source text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Data flows down this list: a module uses those before it and itself.
const ORDER: [&str; 31] = [
    "source",
    "side",
    "release",
    "digest",
    "parallel",
    "shared",
    "few",
    "diagnostic",
    "sql",
    "migrations",
    "schema",
    "effect",
    "workload",
    "compat",
    "stats",
    "rewrite",
    "lint",
    "plan",
    "postgres",
    "outside",
    "traffic",
    "checks",
    "tell",
    "execute",
    "fleet",
    "rehearse",
    "config",
    "project",
    "report",
    "serve",
    "cli",
];

/// A file of `src/`.
struct File {
    path: PathBuf,
    module: String,
    text: String,
}

impl File {
    /// Its lines of code with their numbers: comments are left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(i, line)| (i + 1, line));
        lines.map(|(n, line)| (n, line.split("//").next().unwrap())).filter(|(_, line)| !line.trim().is_empty())
    }

    /// Where one of the words stands in the code.
    fn uses(&self, words: &[&str]) -> Vec<String> {
        let found = self.code().filter(|(_, line)| words.iter().any(|word| has(line, word)));
        found.map(|(n, line)| format!("{}:{n}: {}", self.path.display(), line.trim())).collect()
    }
}

/// Whether a line has the word, not as a part of a longer one.
fn has(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let longer = before.ends_with(part) || (word.ends_with(part) && after.starts_with(part));
        !longer
    })
}

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&root).unwrap().to_owned();
                let module = path.components().next().unwrap().as_os_str().to_str().unwrap().replace(".rs", "");
                files.push(File { path, module, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 50, "found {} files only", files.len());
    files
}

/// The code of the modules that may not, where one of the words stands in it.
fn check(words: &[&str], allowed: impl Fn(&File) -> bool) {
    let found: Vec<_> = files().iter().filter(|f| !allowed(f)).flat_map(|f| f.uses(words)).collect();
    assert!(found.is_empty(), "{words:?}:\n{}", found.join("\n"));
}

#[test]
fn nothing_imports_upwards() {
    let place = |module: &str| ORDER.iter().position(|m| *m == module);
    let mut wrong = Vec::new();
    for file in files().iter().filter(|f| f.module != "lib" && f.module != "main") {
        let own = place(&file.module).unwrap_or_else(|| panic!("{} has no place in ORDER", file.module));
        for (n, line) in file.code() {
            for (at, path) in line.match_indices("crate::") {
                // `$crate` and `pub(in crate::…)` included: they name a module all the same.
                let rest = &line[at + path.len()..];
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if place(&name).is_none_or(|used| used > own) {
                    wrong.push(format!("{}:{n}: {}", file.path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_sql_names_the_parser() {
    check(&["sqlparser"], |f| f.module == "sql");
}

#[test]
fn only_the_command_line_prints_or_ends_the_process() {
    let words =
        ["println!", "print!", "eprintln!", "eprint!", "dbg!", "std::process::exit", "io::stdout", "io::stderr"];
    check(&words, |f| f.module == "cli");
}

#[test]
fn only_the_command_line_reads_the_environment() {
    let words =
        ["env::var", "env::vars", "env::var_os", "env::args", "env::args_os", "env::current_dir", "env::temp_dir"];
    check(&words, |f| f.module == "cli" || f.module == "main");
}

#[test]
fn only_what_talks_to_others_is_async() {
    check(&["async", ".await", "tokio"], |f| {
        ["postgres", "outside", "traffic", "checks", "tell", "execute", "fleet", "rehearse", "serve", "cli"]
            .contains(&&*f.module)
    });
}

#[test]
fn nothing_is_left_for_later() {
    check(&["todo!", "unimplemented!", "FIXME", "XXX"], |_| false);
}

#[test]
fn no_file_has_grown_into_a_second_house() {
    let large: Vec<_> = files().into_iter().filter(|f| f.text.lines().count() >= 1000).map(|f| f.path).collect();
    assert!(large.is_empty(), "{large:?}");
}

/// The wire twins of a plan bear the names of what they carry, and each command has its `Args`.
#[test]
fn a_name_of_a_type_says_one_thing() {
    let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in files().iter().filter(|file| !file.path.starts_with("plan/format")) {
        for (_, line) in file.code() {
            let line = line.trim_start();
            let line = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(crate) "));
            let kinds = ["struct ", "enum ", "trait ", "type "];
            let Some(rest) = line.and_then(|line| kinds.iter().find_map(|kind| line.strip_prefix(kind))) else {
                continue;
            };
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            places.entry(name).or_default().push(file.path.clone());
        }
    }
    assert!(places.len() > 300, "found {} types only", places.len());
    places.retain(|_, places| places.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

/// Files of a room that need each other, directly or by way of others. Those below are knots by design: a registry and its entries, the two halves
/// of a grammar, the engine whose parts are one type.
#[test]
fn a_room_has_no_new_knots() {
    let mut knots = Vec::new();
    let files = files();
    let mut rooms: BTreeMap<&str, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    let unit = |file: &File| {
        let name = file.path.components().nth(1)?.as_os_str().to_str()?.trim_end_matches(".rs").to_owned();
        (name != "mod" && name != "tests").then_some(name)
    };
    for file in &files {
        if let Some(name) = unit(file) {
            rooms.entry(&file.module).or_default().entry(name).or_default();
        }
    }
    for file in &files {
        let Some(name) = unit(file) else { continue };
        let room = rooms.get_mut(&*file.module).unwrap();
        let siblings: Vec<String> = room.keys().filter(|other| **other != name).cloned().collect();
        let above = "super::".repeat(file.path.components().count() - 1);
        let code: String =
            file.code().map(|(_, line)| line.trim_start()).filter(|line| line.starts_with("use ")).collect();
        for sibling in siblings {
            let named = [above.clone(), format!("crate::{}::", file.module)].iter().any(|way| {
                code.contains(&format!("use {way}{sibling}::")) || code.contains(&format!("use {way}{sibling};"))
            });
            if named {
                room.get_mut(&name).unwrap().insert(sibling);
            }
        }
    }
    for (room, uses) in &rooms {
        let reached = |from: &String| {
            let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
            while let Some(one) = next.pop() {
                next.extend(uses[one].iter().filter(|used| reached.insert((*used).clone())));
            }
            reached
        };
        let reach: BTreeMap<&String, BTreeSet<String>> = uses.keys().map(|name| (name, reached(name))).collect();
        let mut seen = BTreeSet::new();
        for name in uses.keys() {
            let knot: Vec<&str> =
                reach[name].iter().filter(|other| reach[*other].contains(name)).map(String::as_str).collect();
            if !knot.is_empty() && seen.insert(knot.clone()) {
                knots.push(format!("{room}: {}", knot.join(", ")));
            }
        }
    }
    insta::assert_snapshot!(knots.join("\n"), @r"
    execute: analysis, engine, release, shift, stand
    execute: journal, objects, relation_hashes
    migrations: convention, detect, error, tools, tree
    postgres: connect, session
    postgres: conninfo, service, settings, target, tls_settings
    schema: refusals, resolve
    sql: forms, gaps, parse
    workload: detect, sources
    ");
}

/// Whole files hold what takes a migration back: what runs is read by `Folder::statements`.
#[test]
fn what_runs_is_never_read_from_whole_files() {
    check(&["sql::read", "sql::read_parts", "sql::read_all"], |f| {
        !["execute", "rehearse", "cli"].contains(&&*f.module)
    });
}

/// A file that nothing declares is compiled by nobody: a tool, a rule or a loader that was written and never registered.
#[test]
fn every_file_is_a_module_of_its_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let declares = |parent: &Path, name: &str| {
        let text = std::fs::read_to_string(parent).unwrap_or_default();
        text.lines().any(|line| line.trim_end().ends_with(&format!("mod {name};")))
    };
    let lost: Vec<_> = files()
        .into_iter()
        .filter(|file| file.module != "lib" && file.module != "main")
        .filter(|file| {
            let folder = file.path.parent().unwrap();
            let (folder, name) = match file.path.file_stem().unwrap().to_str().unwrap() {
                "mod" => (folder.parent().unwrap(), folder.file_name().unwrap().to_str().unwrap()),
                name => (folder, name),
            };
            let parents =
                [root.join(folder).join("mod.rs"), root.join(folder).with_extension("rs"), root.join("lib.rs")];
            let of_root = folder.as_os_str().is_empty();
            !parents.iter().enumerate().any(|(i, parent)| (i < 2 || of_root) && declares(parent, name))
        })
        .map(|file| file.path)
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}
