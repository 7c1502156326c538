//! What a step weighs: how long its locks are held, how long they may be waited for, and who waits behind them. Whole numbers, because it is
//! part of the saved plan, whose seal must not depend on how a fraction is printed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::Basis;

/// The load of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// How long the step's locks are held: as long as it runs.
    pub held: Range,
    /// Each table that it locks.
    pub tables: Vec<TableLoad>,
    /// What ANALYZE saw that the step will not like. Estimated.
    pub expected: Vec<String>,
    /// Why the figures are not to be trusted; with any of them, no figure makes a finding matter less.
    pub doubts: Vec<String>,
}

/// A range of times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    /// At least, in milliseconds.
    pub low_ms: u64,
    /// At most, in milliseconds; none: not known.
    pub high_ms: Option<u64>,
    /// How it was come by.
    pub basis: Basis,
    /// From what.
    pub source: String,
}

/// A number with its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// The number.
    pub value: u64,
    /// How it was come by.
    pub basis: Basis,
}

/// A lock on a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableLoad {
    /// The table.
    pub table: String,
    /// The lock, in the words of PostgreSQL's manual.
    pub lock: String,
    /// The bytes of its rows and long values, those of its partitions included; none: the table is not in the statistics.
    pub bytes: Option<Figure>,
    /// The number of its rows.
    pub rows: Option<Figure>,
    /// How long the step may wait for the lock. Who needs a lock that does not go with it waits from then on.
    pub wait: Range,
    /// Who waits; none: nobody has to, whatever runs.
    pub blocked: Option<Blocked>,
}

/// Who waits for a lock to come and go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blocked {
    /// Statements an hour; none: nothing counts them.
    pub calls_per_hour: Option<Figure>,
    /// From what.
    pub source: String,
    /// How many come while the lock is held, if it is held as short as can be and as far as they are counted.
    pub fewest: u64,
    /// How many come while it is waited for and held as long as can be; none: not known.
    pub most: Option<u64>,
    /// Estimated, or assumed if any of its figures is.
    pub basis: Basis,
    /// So many connections the server takes; only where there may be more who wait.
    pub connections: Option<u32>,
    /// The most frequent ones.
    pub statements: Vec<BlockedStatement>,
    /// How many different ones there are beside those.
    pub more: u64,
}

/// A statement that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockedStatement {
    /// Its text, normalised.
    pub text: String,
    /// Calls an hour.
    pub calls_per_hour: Figure,
    /// As for all together.
    pub fewest: u64,
    /// As for all together.
    pub most: Option<u64>,
}
