//! What a database is in its release.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a database is in its release. One of many databases carries the traffic, and the others follow it from phase to phase.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "part", rename_all = "kebab-case")]
pub enum DatabasePart {
    /// The only one.
    #[default]
    Alone,
    /// The first of many: the traffic, its checks and its hooks are here.
    Lead {
        /// The names of the others, in order.
        members: Vec<String>,
    },
    /// One of those that follow.
    Member {
        /// Its name.
        name: String,
    },
}

impl DatabasePart {
    /// Whether there are no other databases.
    pub fn is_alone(&self) -> bool {
        *self == Self::Alone
    }

    /// Whether it follows another database, and moves no traffic.
    pub fn follows(&self) -> bool {
        matches!(self, Self::Member { .. })
    }
}
