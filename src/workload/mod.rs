//! What a version of the application asks of the database: its queries, and which capabilities they rely on.

mod folder;

use camino::Utf8PathBuf;

use crate::diagnostic::Diagnostic;
use crate::schema::Schema;
use crate::schema::resolve::{Resolved, resolve};
use crate::source::{Sources, Span};
use crate::sql::query::Command;

pub use folder::load;

/// The queries of one version.
#[derive(Debug, Clone)]
pub struct Workload {
    /// The files they come from.
    pub sources: Sources,
    /// The queries, in the order of the files.
    pub queries: Vec<Query>,
}

/// One query.
#[derive(Debug, Clone)]
pub struct Query {
    /// Its name: `-- name: x`, or the file's.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// What it names; `None` if it could not be read.
    pub command: Option<Command>,
}

impl Workload {
    /// Queries that are already in memory: (path, text), as [`load`] reads them from files. Those that can not be parsed are kept and
    /// reported.
    pub fn from_texts(files: impl IntoIterator<Item = (impl Into<Utf8PathBuf>, String)>) -> (Self, Vec<Diagnostic>) {
        let mut sources = Sources::new();
        for (path, text) in files {
            sources.add(path, text);
        }
        folder::read(sources)
    }

    /// What a query is on a schema; `None` if it could not be read.
    pub fn resolve(&self, query: &Query, schema: &Schema) -> Option<Resolved> {
        query.command.as_ref().map(|command| resolve(command, schema))
    }

    /// The text of a query.
    pub fn text(&self, query: &Query) -> &str {
        self.sources.slice(query.span)
    }
}
