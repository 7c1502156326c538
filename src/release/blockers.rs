//! Which sessions a release may end that keep a step waiting.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sessions that idle in a transaction, and keep a step waiting by that, are ended. No others are: one that runs a statement is none of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminateBlockers {
    /// How long they must have idled, in milliseconds.
    pub older_than_ms: u64,
    /// The roles whose sessions are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_roles: Vec<String>,
}
