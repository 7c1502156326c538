//! What depends on the version of PostgreSQL, in one table. Sources: the release notes of each version, and what was measured where the row of
//! `fixtures/statements` says so.

use std::fmt;
use std::str::FromStr;

use crate::schema::Schema;
use crate::sql::Operation;
use crate::sql::operation::{ColumnDefinition, ConstraintKind, DefaultValue, TableChange};

/// A major version of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PgVersion(pub u32);

impl Default for PgVersion {
    /// Where nobody says what production runs.
    fn default() -> Self {
        Self(15)
    }
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL {}", self.0)
    }
}

impl FromStr for PgVersion {
    type Err = String;

    /// `15`, `15.4`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let major = text.split('.').next().and_then(|major| major.parse().ok());
        let known = major.filter(|major| (10..100).contains(major));
        known.map(Self).ok_or_else(|| format!("{text:?} is no version of PostgreSQL; write 15 or 15.4"))
    }
}

/// Something that PostgreSQL can do since some version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// `ADD COLUMN … DEFAULT` of one value for all rows writes nothing.
    FastDefault,
    /// `SET NOT NULL` reads no rows where a valid CHECK proves it.
    NotNullByCheck,
    /// `ALTER TYPE … ADD VALUE` runs in a transaction.
    AddValueInTransaction,
    /// `REINDEX … CONCURRENTLY`
    ReindexConcurrently,
    /// `DETACH PARTITION … CONCURRENTLY`
    DetachConcurrently,
    /// Columns that are computed when read.
    GeneratedVirtual,
    /// A foreign key of a partitioned table can be added `NOT VALID`.
    NotValidOnPartitioned,
    /// `NOT NULL` constraints can be added `NOT VALID`.
    NotNullNotValid,
    /// Constraints that are `NOT ENFORCED`.
    NotEnforced,
}

impl Fact {
    /// What it is, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::FastDefault => "adding a column with a default without writing the table anew",
            Self::NotNullByCheck => "SET NOT NULL without reading the table",
            Self::AddValueInTransaction => "ADD VALUE in a transaction",
            Self::ReindexConcurrently => "REINDEX CONCURRENTLY",
            Self::DetachConcurrently => "DETACH PARTITION CONCURRENTLY",
            Self::GeneratedVirtual => "a virtual generated column",
            Self::NotValidOnPartitioned => "a NOT VALID foreign key of a partitioned table",
            Self::NotNullNotValid => "a NOT VALID NOT NULL constraint",
            Self::NotEnforced => "a constraint that is NOT ENFORCED",
        }
    }

    /// Since when.
    pub const fn since(self) -> PgVersion {
        PgVersion(match self {
            Self::FastDefault => 11,
            Self::NotNullByCheck | Self::AddValueInTransaction | Self::ReindexConcurrently => 12,
            Self::DetachConcurrently => 14,
            Self::GeneratedVirtual | Self::NotValidOnPartitioned | Self::NotNullNotValid | Self::NotEnforced => 18,
        })
    }
}

impl PgVersion {
    /// Whether this version can do it.
    pub fn has(self, fact: Fact) -> bool {
        self >= fact.since()
    }
}

/// What an operation needs that not every version can do.
pub fn needed(operation: &Operation, schema: &Schema) -> Option<Fact> {
    match operation {
        Operation::Reindex { concurrently: true, .. } => Some(Fact::ReindexConcurrently),
        Operation::CreateTable(table) => table.columns.iter().any(is_virtual).then_some(Fact::GeneratedVirtual),
        Operation::AlterTable { table, change, .. } => match change {
            TableChange::AddColumn { column, .. } if is_virtual(column) => Some(Fact::GeneratedVirtual),
            TableChange::DetachPartition { concurrently: true, .. } => Some(Fact::DetachConcurrently),
            TableChange::AddConstraint(definition) => {
                let key = matches!(definition.kind, ConstraintKind::ForeignKey { .. });
                let partitioned = || schema.relation(&schema.resolve(table)).is_some_and(|t| t.partitioned);
                (key && definition.not_valid && partitioned()).then_some(Fact::NotValidOnPartitioned)
            }
            _ => None,
        },
        _ => None,
    }
}

fn is_virtual(column: &ColumnDefinition) -> bool {
    column.default == Some(DefaultValue::GeneratedVirtual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_statement_needs_is_told() {
        let needs = |sql: &str| {
            let mut sources = crate::source::Sources::new();
            let file = sources.add("a.sql", sql);
            let (statements, unread) = crate::sql::read(&sources, file);
            assert!(unread.is_empty(), "{unread:?}");
            needed(&statements[0].pieces[0].operation, &Schema::empty())
        };
        let virtual_column = Some(Fact::GeneratedVirtual);
        assert_eq!(needs("ALTER TABLE t ADD COLUMN v int GENERATED ALWAYS AS (a * 2) VIRTUAL"), virtual_column);
        assert_eq!(needs("CREATE TABLE t (a int, v int GENERATED ALWAYS AS (a * 2) VIRTUAL)"), virtual_column);
        assert_eq!(needs("ALTER TABLE t ADD COLUMN v int GENERATED ALWAYS AS (a * 2) STORED"), None);
        assert_eq!(needs("REINDEX TABLE CONCURRENTLY t"), Some(Fact::ReindexConcurrently));
        assert_eq!(needs("ALTER TABLE p DETACH PARTITION q CONCURRENTLY"), Some(Fact::DetachConcurrently));
    }

    #[test]
    fn versions_are_read_as_people_write_them() {
        assert_eq!("15".parse(), Ok(PgVersion(15)));
        assert_eq!("15.18".parse(), Ok(PgVersion(15)));
        assert!("fifteen".parse::<PgVersion>().is_err());
        assert!("9.6".parse::<PgVersion>().is_err());
        assert!(PgVersion(12).has(Fact::NotNullByCheck) && !PgVersion(17).has(Fact::GeneratedVirtual));
    }
}
