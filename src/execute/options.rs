//! What may be set for a run.

use std::time::Duration;

use crate::release::{BlueSessions, DatabasePart, Limits, OnFailure, Ramp, Until};

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
    /// Wait for somebody's word (`promote`; `resume`, where the release is paused) instead of ending.
    pub wait: bool,
    /// Where to stop, before the end of the release.
    pub until: Option<Until>,
    /// Whether a pause stays: a process that lost its connection while the release was paused comes back to it.
    pub keep_pause: bool,
    /// Why, for the journal: of a pause or a way back.
    pub reason: Option<String>,
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
    /// Run steps now, although it is not the time that the release allows for them.
    pub at_any_time: bool,
    /// Go back to blue although it may not work on the schema as it is.
    pub force: bool,
    /// What the database is in its release; without it the only one, unless the release before was of many databases.
    pub part: Option<DatabasePart>,
    /// Whether the plan's word for what is applied is enough, where neither a history nor the schema of the database confirms it.
    pub accept_base: bool,
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
            until: None,
            keep_pause: false,
            reason: None,
            ramp: Ramp::all_at_once(),
            on_failure: OnFailure::default(),
            blue: None,
            lift_guard: false,
            accept_foreseen: false,
            at_any_time: false,
            force: false,
            part: None,
            accept_base: false,
        }
    }
}
