//! How far the server is with an index.

use schemars::JsonSchema;
use serde::Serialize;

/// How far the server is with an index, as `pg_stat_progress_create_index` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IndexProgress {
    /// The phase in the server's words.
    pub phase: String,
    /// Blocks done.
    pub blocks_done: i64,
    /// Blocks in all; zero where the phase does not count them.
    pub blocks_total: i64,
    /// Transactions that it waited for.
    pub lockers_done: i64,
    /// Transactions that it waits for in all.
    pub lockers_total: i64,
}
