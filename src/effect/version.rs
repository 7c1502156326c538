//! What depends on the version of PostgreSQL, in one table. Sources: the release notes of each version, and what was measured where the row of
//! `fixtures/statements` says so.

use std::fmt;
use std::str::FromStr;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_people_write_them() {
        assert_eq!("15".parse(), Ok(PgVersion(15)));
        assert_eq!("15.18".parse(), Ok(PgVersion(15)));
        assert!("fifteen".parse::<PgVersion>().is_err());
        assert!("9.6".parse::<PgVersion>().is_err());
        assert!(PgVersion(12).has(Fact::NotNullByCheck) && !PgVersion(17).has(Fact::GeneratedVirtual));
    }
}
