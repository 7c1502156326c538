//! A release as data.

use camino::Utf8PathBuf;
use cutover::migrations::{Convention, Folder, Pending};
use cutover::plan::{Planned, Request, plan};
use cutover::workload::Workload;

/// A query of a version, with values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) sql: String,
    /// What `EXECUTE` is given, as SQL writes it: `1, 'x', NULL`.
    pub(super) values: String,
    /// The rows of a `COPY … FROM STDIN`.
    pub(super) rows: Option<String>,
}

impl Query {
    pub(super) fn new(sql: impl Into<String>, values: impl Into<String>) -> Self {
        Self { sql: sql.into(), values: values.into(), rows: None }
    }

    /// What the server is sent: the rows of a `COPY` come from a program, not over the connection.
    pub(super) fn sent(&self) -> String {
        let Some(rows) = &self.rows else { return self.sql.clone() };
        let program = format!("FROM PROGRAM $rows$printf '%s\\n' '{}'$rows$", rows.trim_end_matches('\n'));
        self.sql.replacen("FROM STDIN", &program, 1)
    }

    /// Whether it leaves something behind when it is committed.
    pub(super) fn writes(&self) -> bool {
        let upper = self.sql.to_ascii_uppercase();
        let verb = upper.split_whitespace().next().unwrap_or_default();
        matches!(verb, "INSERT" | "UPDATE" | "DELETE" | "COPY" | "MERGE")
            || verb == "WITH" && ["INSERT ", "UPDATE ", "DELETE "].iter().any(|v| upper.contains(v))
    }
}

/// What is released: a base that the server has, files on top of it, and the queries of both versions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Release {
    pub(super) base: Vec<String>,
    pub(super) files: Vec<Vec<String>>,
    pub(super) blue: Vec<Query>,
    pub(super) green: Vec<Query>,
    /// Whether the planner is shown the queries.
    pub(super) shown: bool,
}

impl Release {
    /// The pending statements in the order of the files.
    pub(super) fn pending(&self) -> impl Iterator<Item = &String> + Clone {
        self.files.iter().flatten()
    }

    /// As the files of a plain folder.
    pub(super) fn folder(&self) -> (Folder, Pending) {
        let text = |statements: &[String]| statements.iter().map(|s| format!("{s};\n\n")).collect::<String>();
        let base = (Utf8PathBuf::from("base.sql"), text(&self.base));
        let files = self.files.iter().enumerate();
        let files = files.map(|(i, statements)| (Utf8PathBuf::from(format!("r{:02}.sql", i + 1)), text(statements)));
        let folder = Folder::from_files(Convention::Plain, std::iter::once(base).chain(files)).unwrap();
        let (applied, rest) = folder.migrations.split_at(1);
        let pending = Pending { applied: applied.to_vec(), pending: rest.to_vec() };
        (folder, pending)
    }

    /// What the tool makes of it.
    pub(super) fn plan(&self) -> Planned {
        let (folder, pending) = self.folder();
        let (blue, green) = (workload(&self.blue, "b"), workload(&self.green, "g"));
        let shown = |workload| if self.shown { Some(workload) } else { None };
        plan(Request { blue: shown(&blue), green: shown(&green), ..Request::new(&folder, &pending) })
    }
}

fn workload(queries: &[Query], letter: &str) -> Workload {
    let named = queries.iter().enumerate().map(|(i, q)| (format!("{letter}{i}.sql"), format!("{}\n", q.sql)));
    Workload::from_texts(named.collect::<Vec<_>>()).0
}
