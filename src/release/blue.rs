//! How blue is known in the database.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How blue's sessions are known in `pg_stat_activity`. Blue is not drained while there is one, whatever the traffic backend says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlueSessions {
    /// By `application_name`.
    ApplicationName(String),
    /// By role.
    Role(String),
}

impl std::fmt::Display for BlueSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ApplicationName(name) => write!(f, "application_name {name:?}"),
            Self::Role(role) => write!(f, "role {role:?}"),
        }
    }
}
