//! What is rehearsed, and on which terms.

use std::time::Duration;

use camino::Utf8Path;

use crate::migrations::{Folder, Migration};
use crate::plan::saved::SavedPlan;
use crate::workload::Workload;

/// What is rehearsed.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    /// The plan; it must be safe.
    pub plan: &'a SavedPlan,
    /// The files behind it.
    pub folder: &'a Folder,
    /// The migrations that production has.
    pub applied: &'a [Migration],
    /// The migrations of the release.
    pub pending: &'a [Migration],
    /// Blue's queries.
    pub blue: Option<&'a Workload>,
    /// Green's queries.
    pub green: Option<&'a Workload>,
}

/// What a trial starts from, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// A dump of production's schema, in the folder's sources. It stands for the migrations that production has.
    pub base: Option<&'a Migration>,
    /// Whether rows behind `COPY … FROM STDIN` are left out.
    pub skip_data: bool,
    /// How long a statement may run.
    pub limit: Duration,
    /// Whether the queries of a version without a recording are run on synthetic rows.
    pub synthetic_rows: bool,
    /// Rows that were there before the release, on which it is run as well.
    pub rows: Option<RowSource<'a>>,
}

/// How long a statement may run if nobody says it.
pub const LIMIT: Duration = Duration::from_secs(600);

impl Default for Terms<'_> {
    fn default() -> Self {
        Self { base: None, skip_data: false, limit: LIMIT, synthetic_rows: true, rows: None }
    }
}

/// Where rows come from.
#[derive(Debug, Clone, Copy)]
pub struct RowSource<'a> {
    /// The database that holds them; `None`: what the migrations of production make.
    pub base: Option<RowBase<'a>>,
    /// Files that fill it, in their order. They are in the folder's sources.
    pub seeds: &'a [Migration],
}

/// A database with rows.
#[derive(Debug, Clone, Copy)]
pub enum RowBase<'a> {
    /// A dump as SQL, in the folder's sources.
    Dump(&'a Migration),
    /// An archive of pg_dump: custom, tar, or a directory.
    Archive {
        /// The file or directory.
        path: &'a Utf8Path,
        /// The `pg_restore` that reads it.
        pg_restore: &'a Utf8Path,
    },
    /// A database of the server, which is copied.
    Template(&'a str),
}

impl RowSource<'_> {
    /// What they are, for people.
    pub fn describe(&self) -> String {
        let base = self.base.map(|base| match base {
            RowBase::Dump(dump) => dump.path.to_string(),
            RowBase::Archive { path, .. } => path.to_string(),
            RowBase::Template(database) => format!("a copy of {database}"),
        });
        let parts: Vec<String> = base.into_iter().chain(self.seeds.iter().map(|seed| seed.path.to_string())).collect();
        parts.join(" and ")
    }
}
