//! The file that `cutover stats` writes. It holds no values of rows or parameters, no password, and no name of a host.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::QName;

/// Version of the format that this release writes. A reader refuses another major number, and what it does not know.
pub const FORMAT_VERSION: &str = "1.0";

/// What production holds and what it is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// Version of this format, `major.minor`.
    pub format_version: String,
    /// The tool that wrote it, with its version.
    pub tool: String,
    /// The server's version as PostgreSQL counts: 150004 is 15.4.
    pub server_version_num: u32,
    /// When it was measured, by the server's clock (RFC 3339, UTC).
    pub measured_at: String,
    /// Whether the server is a standby: what it is asked is not what the primary is asked.
    pub standby: bool,
    /// How many connections the server takes.
    pub max_connections: u32,
    /// Tables, partitioned tables and materialized views.
    pub tables: Vec<TableStats>,
    /// What is asked, from `pg_stat_statements`; none where that could not be read.
    pub statements: Option<Statements>,
    /// What ran while it was measured; none where that could not be seen.
    pub transactions: Option<Transactions>,
    /// What could not be measured, why, and what to do about it.
    pub missing: Vec<Missing>,
}

/// How a figure was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// On the server.
    Measured,
    /// From what was measured, or as the server itself estimates it.
    Estimated,
    /// Without any measurement of this database, or with one that may not hold any more.
    Assumed,
}

impl Basis {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Estimated => "estimated",
            Self::Assumed => "assumed",
        }
    }
}

/// A table's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableName {
    /// Its schema.
    pub schema: String,
    /// Its name there.
    pub name: String,
}

impl From<&QName> for TableName {
    fn from(name: &QName) -> Self {
        Self { schema: name.schema.to_string(), name: name.name.to_string() }
    }
}

impl From<&TableName> for QName {
    fn from(name: &TableName) -> Self {
        Self::new(name.schema.as_str(), name.name.as_str())
    }
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableStats {
    /// Its name.
    pub table: TableName,
    /// What it is.
    pub kind: TableKind,
    /// The partitioned table that it belongs to, or the table it inherits from.
    pub parent: Option<TableName>,
    /// How large it is. A partitioned table has no rows of its own: its partitions are tables here, too.
    pub bytes: Bytes,
    /// How many rows it has, as far as the server knows; none if it was never looked at.
    pub rows: Option<RowStats>,
    /// Its indexes.
    pub indexes: Vec<IndexStats>,
    /// Its columns, as far as ANALYZE has looked at them and the role may read them.
    pub columns: Vec<ColumnStats>,
    /// What is done with it; none where nothing counts it.
    pub activity: Option<Activity>,
}

/// What a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TableKind {
    /// An ordinary one, or a partition.
    Table,
    /// One whose rows are its partitions'.
    Partitioned,
    /// A materialized view.
    MaterializedView,
}

/// The size of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bytes {
    /// Its rows.
    pub heap: u64,
    /// Its long values, with their index.
    pub toast: u64,
    /// Measured by its files, or estimated by `pg_class.relpages` where a lock was in the way.
    pub basis: Basis,
}

/// The number of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowStats {
    /// How many.
    pub count: u64,
    /// Always estimated.
    pub basis: Basis,
    /// `pg_class.reltuples` (scaled to the table's size, as the planner does it) or `pg_stat_user_tables.n_live_tup`.
    pub source: String,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexStats {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// As for the table.
    pub basis: Basis,
}

/// What ANALYZE saw of a column. Estimated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnStats {
    /// Its name.
    pub name: String,
    /// The share of rows in which it is NULL, from 0 to 1.
    pub null_fraction: f64,
    /// The number of different values; negative: as a share of the rows (-1: all are different).
    pub distinct: f64,
}

/// What is done with a table, a second, on average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// The average is over so many seconds before the measurement.
    pub seconds: f64,
    /// Measured where the start of the counters is known, otherwise estimated from the start of the server.
    pub basis: Basis,
    /// Rows inserted.
    pub inserts: f64,
    /// Rows updated.
    pub updates: f64,
    /// Rows deleted.
    pub deletes: f64,
    /// Reads of the whole table.
    pub sequential_scans: f64,
    /// Reads by an index.
    pub index_scans: f64,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statements {
    /// The rates are averages over so many seconds before the measurement.
    pub seconds: f64,
    /// Measured where the start of the counters is known, otherwise estimated from the start of the server.
    pub basis: Basis,
    /// The statements, the most frequent first. Those of all roles are added up.
    pub list: Vec<StatementStats>,
    /// What other statements there are, by why they are not in the list, in calls a second.
    pub others: BTreeMap<String, f64>,
    /// How often statements were forgotten because there were too many different ones; none where the server does not count it.
    pub forgotten: Option<u64>,
}

/// One statement, normalised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatementStats {
    /// Its text without comments and without any value.
    pub text: String,
    /// How often it runs.
    pub calls_per_second: f64,
    /// How long it runs on average.
    pub mean_ms: f64,
    /// How long it ran at most.
    pub max_ms: f64,
    /// Whether its text could be read. If not, it is taken to write every table that it mentions.
    pub read: bool,
    /// The tables it locks.
    pub touches: Vec<Touch>,
}

/// A table that a statement locks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Touch {
    /// The table.
    pub table: TableName,
    /// How.
    pub way: Way,
}

/// How a statement locks a table, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// It reads it (ACCESS SHARE).
    Read,
    /// It locks rows of it: SELECT … FOR UPDATE, or a foreign key (ROW SHARE).
    LockRows,
    /// It writes it (ROW EXCLUSIVE).
    Write,
}

/// What ran while it was measured. Ages in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transactions {
    /// Sessions that run a statement.
    pub active: u64,
    /// Sessions with an open transaction that run nothing.
    pub idle: u64,
    /// Sessions of other roles that this one may not look at.
    pub hidden: u64,
    /// The age of the transaction in the middle.
    pub median_ms: f64,
    /// The age that one in twenty exceeds.
    pub p95_ms: f64,
    /// The age of the oldest one, prepared transactions included.
    pub oldest_ms: f64,
    /// Tables that autovacuum works on to prevent wraparound: it does not make way for a lock.
    pub wraparound: Vec<TableName>,
}

/// What could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
}

/// Why a file is no statistics.
#[derive(Debug, thiserror::Error)]
pub enum StatisticsError {
    /// Not the format.
    #[error("not statistics of cutover: {0}")]
    Malformed(String),
    /// Another format.
    #[error("the statistics have format version {found}, this cutover reads {FORMAT_VERSION}")]
    FormatVersion {
        /// What the file says.
        found: String,
    },
}

impl Statistics {
    /// The file's text: pretty JSON with a final newline.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists always serialize; a figure that is no number becomes null.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// Reads a file. A newer minor version may have what this one does not know, and that is refused under its version.
    pub fn from_json(text: &str) -> Result<Self, StatisticsError> {
        #[derive(Deserialize)]
        struct Head {
            format_version: String,
        }
        let malformed = |error: &dyn std::fmt::Display| StatisticsError::Malformed(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        let (found, own) = (version(&head.format_version), version(FORMAT_VERSION));
        if found.is_none_or(|found| own.is_none_or(|own| found.0 != own.0)) {
            return Err(StatisticsError::FormatVersion { found: head.format_version });
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        match serde_path_to_error::deserialize(&mut reader) {
            Err(_) if found > own => Err(StatisticsError::FormatVersion { found: head.format_version }),
            read => read.map_err(|error| malformed(&error)),
        }
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
