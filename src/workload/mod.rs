//! What a version of the application asks of the database: its queries, and which capabilities they rely on.
//!
//! Where queries come from is one file a source; [`SOURCES`] lists them, and `detect` finds out which one a path is. Every loader makes
//! `found::Found`s, and one place (`found::workload`) makes queries of them.

mod detect;
mod error;
mod file;
mod fingerprint;
mod found;
mod model;
mod placeholder;
mod playback;
mod recorded;
mod sources;
mod text;

use std::sync::Arc;

use camino::Utf8PathBuf;

use crate::diagnostic::Diagnostic;
use crate::schema::resolve::{Resolved, resolve};
use crate::schema::{NOT_POPULATED, Schema};
use crate::source::{Sources, Span};
use crate::sql::query::Command;
use crate::sql::{Name, called_in};
use text::Text;

pub use detect::{Location, load, load_from};
pub use error::WorkloadError;
pub use fingerprint::{Fingerprint, fingerprint, without_values};
pub use playback::{Act, Play, unplayable};
pub use recorded::{RecordedColumn, RecordedTypes};
pub use sources::log::{Filter, LogFormat, Recording, read as read_log};
pub use sources::saved::{SavedQuery, SavedStatement, SavedTransaction, SavedWorkload};
pub use sources::stat::{StatRow as StatementRow, read as read_statements};
pub use sources::{SOURCES, Source};

/// The queries of one version.
#[derive(Debug, Clone, Default)]
pub struct Workload {
    /// The files they come from.
    pub sources: Sources,
    /// The queries, in the order of the files.
    pub queries: Vec<Query>,
    /// What was recorded with its values, to be played again.
    pub transactions: Vec<SavedTransaction>,
}

/// One query.
#[derive(Debug, Clone)]
pub struct Query {
    /// Its name: `-- name: x`, or the file's.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// What its library recorded of it when it was compiled.
    pub recorded: Option<Arc<RecordedTypes>>,
    /// How often it was seen, where that was counted.
    pub calls: Option<u64>,
    /// Whether nobody wrote it: a model of an ORM implies it.
    pub implied: bool,
    /// Its text, where that is not what stands in the file.
    pub(crate) text: Option<Text>,
    /// What it names; `None` if it could not be read.
    pub command: Option<Command>,
}

impl Workload {
    /// Queries that are already in memory: (path, text), as [`load`] reads them from `.sql` files. Those that cannot be parsed are kept
    /// and reported.
    pub fn from_texts(files: impl IntoIterator<Item = (impl Into<Utf8PathBuf>, String)>) -> (Self, Vec<Diagnostic>) {
        let mut read = Sources::new();
        for (path, text) in files {
            read.add(path, text);
        }
        sources::plain::read(read)
    }

    /// The queries in one text, split and named as in a `.sql` file.
    pub fn from_text(path: impl Into<Utf8PathBuf>, text: &str) -> (Self, Vec<Diagnostic>) {
        Self::from_texts([(path, text.to_owned())])
    }

    /// What a query is on a schema; `None` if it could not be read.
    pub fn resolve(&self, query: &Query, schema: &Schema) -> Option<Resolved> {
        let mut found = resolve(query.command.as_ref()?, schema);
        // What the application fills itself is not without rows for long.
        found.problems.retain(|problem| {
            let refreshed = match &query.command {
                Some(Command::Refresh { view, .. }) if problem.message == NOT_POPULATED => Some(&*view.value.name),
                _ => None,
            };
            !problem.unfilled().or(refreshed).is_some_and(|view| self.fills(view, schema))
        });
        Some(found)
    }

    /// Whether a query refreshes a materialized view, or calls what does.
    fn fills(&self, view: &str, schema: &Schema) -> bool {
        let fills = |command: &Command| matches!(command, Command::Refresh { view: of, empties: false, concurrently: false } if *of.value.name == *view);
        let by_call = |query: &Query| {
            let called = called_in(self.text(query));
            let called = called.into_iter().map(|name| schema.resolve_function(&Name::bare(name))).collect();
            let mut bodies = schema.reached_from(called).flatten().flat_map(|function| &function.source.body().queries);
            bodies.any(|query| fills(&query.command))
        };
        self.queries.iter().any(|query| query.command.as_ref().is_some_and(fills) || by_call(query))
    }

    /// The text of a query as PostgreSQL gets it: with numbered parameters, without the escaping of the file it stands in.
    pub fn text<'a>(&'a self, query: &'a Query) -> &'a str {
        query.text.as_ref().map_or_else(|| self.sources.slice(query.span), Text::as_str)
    }

    /// Where a part of a query's text stands in its file.
    pub fn place(&self, query: &Query, part: std::ops::Range<usize>) -> Span {
        let at = |offset: usize| match &query.text {
            Some(text) => text.place(offset),
            None => query.span.range().start + offset,
        };
        // The last byte tells the end: what comes behind a placeholder may stand far from it.
        let end = if part.is_empty() { at(part.start) } else { at(part.end - 1) + 1 };
        Span::new(query.span.file, at(part.start)..end)
    }
}
