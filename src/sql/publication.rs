//! What a publication publishes.

use super::name::Name;
use super::operation::Ident;
use super::query::Kept;

/// Tables that a statement gives to a publication, or takes from it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Publishes {
    /// How they are given.
    pub verb: PublishVerb,
    /// `FOR ALL TABLES`
    pub all: bool,
    /// The tables.
    pub tables: Vec<PublishedTable>,
    /// `TABLES IN SCHEMA`
    pub schemas: Vec<Ident>,
    /// Whether changes and deletions of rows are published, if the statement says so.
    pub changes: Option<bool>,
}

/// A table of a publication.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedTable {
    /// The table.
    pub table: Name,
    /// Its columns, if only some are published.
    pub columns: Vec<Ident>,
    /// Columns that its `WHERE` may mention.
    pub filter: Vec<Ident>,
    /// Its `WHERE`.
    pub condition: Kept,
}

/// How tables are given to a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PublishVerb {
    /// `CREATE`, `SET`: it has these and no others. A statement without tables leaves them as they are.
    #[default]
    Set,
    /// `ADD`
    Add,
    /// `DROP`
    Drop,
}
