//! What may be set for a run.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::traffic::Strategy;

/// What may be set for a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The machine's name, for the journal.
    pub host: String,
    /// The process's id, for the journal.
    pub pid: u32,
    /// How long a step waits for a lock before it gives way to the application.
    pub lock_timeout: Duration,
    /// How long a statement in a transaction may run; zero: for ever.
    pub statement_timeout: Duration,
    /// How often a step that did not get its locks tries again.
    pub lock_retries: u32,
    /// How long to wait for another session's lease to become free.
    pub patience: Duration,
    /// How long the traffic backend may take for one call.
    pub call_deadline: Duration,
    /// How long the traffic may take to move by one share.
    pub verify_timeout: Duration,
    /// How long blue may take to drain.
    pub drain_timeout: Duration,
    /// Whether the server takes a second connection. The built-in one does not.
    pub second_connection: bool,
    /// Wait for `promote` instead of ending.
    pub wait: bool,
    /// The shares green gets one after the other.
    pub strategy: Strategy,
    /// How blue's sessions are known in `pg_stat_activity`; without it as the release was begun.
    pub blue: Option<BlueSessions>,
    /// Whether blue is not watched any more, although the release was begun with a name for its sessions.
    pub lift_guard: bool,
    /// Go on although a step that has not run yet seems to fail.
    pub accept_foreseen: bool,
    /// Go back to blue although it may not work on the schema as it is.
    pub force: bool,
    /// Whether the plan's word for what is applied is enough, where neither a history nor the schema of the database confirms it.
    pub accept_base: bool,
}

/// How blue's sessions are known in `pg_stat_activity`. Blue is not drained while there is one, whatever the traffic backend says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlueSessions {
    /// By `application_name`.
    ApplicationName(String),
    /// By role.
    Role(String),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            pid: std::process::id(),
            lock_timeout: Duration::from_secs(1),
            statement_timeout: Duration::ZERO,
            lock_retries: 10,
            patience: Duration::ZERO,
            call_deadline: Duration::from_secs(30),
            verify_timeout: Duration::from_secs(300),
            drain_timeout: Duration::from_secs(900),
            second_connection: false,
            wait: false,
            strategy: Strategy::all_at_once(),
            blue: None,
            lift_guard: false,
            accept_foreseen: false,
            force: false,
            accept_base: false,
        }
    }
}

impl std::fmt::Display for BlueSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ApplicationName(name) => write!(f, "application_name {name:?}"),
            Self::Role(role) => write!(f, "role {role:?}"),
        }
    }
}
