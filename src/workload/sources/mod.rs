//! The sources of queries: one file each, with its module and its line in [`SOURCES`].

mod diesel;
pub(super) mod log;
pub(super) mod plain;
mod prisma;
mod rails;
pub(super) mod saved;
mod sqlc;
mod sqlx;
pub(super) mod stat;

use camino::Utf8Path;

use super::Workload;
use super::detect::Location;
use super::error::WorkloadError;
use crate::diagnostic::Diagnostic;

/// Every source of queries.
pub static SOURCES: &[&Source] = &[
    &sqlx::SOURCE,
    &plain::SOURCE,
    &sqlc::SOURCE,
    &prisma::SOURCE,
    &diesel::SOURCE,
    &rails::SOURCE,
    &saved::SOURCE,
    &log::SOURCE,
    &stat::SOURCE,
];

/// Queries, and what is to be said about them.
type Loaded = Result<(Workload, Vec<Diagnostic>), WorkloadError>;

/// Where queries come from.
#[derive(Debug)]
pub struct Source {
    /// What stands before a path, as in `sqlx:.`
    pub word: &'static str,
    /// Other words for it.
    pub aliases: &'static [&'static str],
    /// What it is, as in "this is one of …".
    pub(super) what: &'static str,
    /// What is read, as Markdown.
    pub reads: &'static str,
    /// What a path of it looks like.
    pub(super) is: fn(&Utf8Path) -> Result<bool, WorkloadError>,
    /// Reads it. A live server is not asked here.
    pub(super) load: fn(&Location) -> Loaded,
}

impl Source {
    /// Whether it is a live server, which this module does not ask.
    pub fn is_live(&self) -> bool {
        std::ptr::eq(self, &stat::SOURCE)
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
    }
}

impl Eq for Source {}

/// The source of a word.
pub(super) fn find(word: &str) -> Option<&'static Source> {
    SOURCES.iter().copied().find(|source| source.word == word || source.aliases.contains(&word))
}
