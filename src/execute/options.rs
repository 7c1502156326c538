//! What may be set for a run.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::release::{OnFailure, Ramp};

/// What may be set for a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The machine's name, for the journal.
    pub host: String,
    /// The process's id, for the journal.
    pub pid: u32,
    /// How long to wait for another session's lease to become free.
    pub patience: Duration,
    /// The limits of the release, where they are others from here on.
    pub limits: Limits,
    /// Whether the server takes a second connection. The built-in one does not.
    pub second_connection: bool,
    /// Wait for `promote` instead of ending.
    pub wait: bool,
    /// How the traffic moves.
    pub ramp: Ramp,
    /// What becomes of the traffic when green fails, of a release that begins.
    pub on_failure: OnFailure,
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

/// The limits of a release, as far as somebody has said them. They stay with the release, whoever carries it on; what nobody has said is what this version
/// of the tool takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// How long a step waits for a lock before it gives way to the application, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_timeout_ms: Option<u64>,
    /// How long a statement in a transaction may run, in milliseconds; 0: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_timeout_ms: Option<u64>,
    /// How often a step that did not get its locks tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_retries: Option<u32>,
    /// How long the traffic backend may take for one call, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_timeout_ms: Option<u64>,
    /// How long the traffic may take to move by one share, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_timeout_ms: Option<u64>,
    /// How long blue may take to drain, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_timeout_ms: Option<u64>,
}

impl Limits {
    /// What holds where nobody has said anything else.
    const USUAL: Self = Self {
        lock_timeout_ms: Some(1_000),
        statement_timeout_ms: Some(0),
        lock_retries: Some(10),
        traffic_timeout_ms: Some(30_000),
        verify_timeout_ms: Some(300_000),
        drain_timeout_ms: Some(900_000),
    };

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These, where nothing else is said later.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self {
            lock_timeout_ms: later.lock_timeout_ms.or(self.lock_timeout_ms),
            statement_timeout_ms: later.statement_timeout_ms.or(self.statement_timeout_ms),
            lock_retries: later.lock_retries.or(self.lock_retries),
            traffic_timeout_ms: later.traffic_timeout_ms.or(self.traffic_timeout_ms),
            verify_timeout_ms: later.verify_timeout_ms.or(self.verify_timeout_ms),
            drain_timeout_ms: later.drain_timeout_ms.or(self.drain_timeout_ms),
        }
    }

    fn time(self, pick: fn(&Self) -> Option<u64>) -> Duration {
        Duration::from_millis(pick(&self).or(pick(&Self::USUAL)).unwrap_or_default())
    }

    /// How long a step waits for a lock.
    pub(super) fn lock_timeout(self) -> Duration {
        self.time(|limits| limits.lock_timeout_ms)
    }

    /// How long a statement may run; zero: for ever.
    pub(super) fn statement_timeout(self) -> Duration {
        self.time(|limits| limits.statement_timeout_ms)
    }

    /// How often a step tries again.
    pub(super) fn lock_retries(self) -> u32 {
        self.lock_retries.or(Self::USUAL.lock_retries).unwrap_or_default()
    }

    /// How long the traffic backend may take for one call.
    pub(super) fn traffic_timeout(self) -> Duration {
        self.time(|limits| limits.traffic_timeout_ms)
    }

    /// How long the traffic may take to move.
    pub(super) fn verify_timeout(self) -> Duration {
        self.time(|limits| limits.verify_timeout_ms)
    }

    /// How long blue may take to drain.
    pub(super) fn drain_timeout(self) -> Duration {
        self.time(|limits| limits.drain_timeout_ms)
    }
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
            patience: Duration::ZERO,
            limits: Limits::default(),
            second_connection: false,
            wait: false,
            ramp: Ramp::all_at_once(),
            on_failure: OnFailure::default(),
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
