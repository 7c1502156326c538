//! What happens, for whoever is told: people, a log, a pipe.

use schemars::JsonSchema;
use serde::Serialize;

use super::blockers::Blocker;
use super::holder::Holder;
use super::index_progress::IndexProgress;
use super::journal::Record;
use super::summary::Summary;
use crate::checks::CheckVerdict;
use crate::plan::saved::Direction;
use crate::release::{HookMoment, Purpose};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Another session holds the lease; this one waits until it is gone.
    WaitingForLease {
        /// Who holds it.
        holder: Holder,
    },
    /// A step's transaction runs; what is to be written beside it waits until that has ended.
    WaitingForStep {
        /// Who runs it.
        holder: Holder,
    },
    /// This executor may act.
    LeaseTaken {
        /// Under this epoch.
        epoch: i64,
    },
    /// A row of the journal was committed.
    Journaled {
        /// The release.
        release: String,
        /// The row.
        seq: i64,
        /// What it says.
        record: Box<Record>,
    },
    /// Of a release over many databases: how many of those that follow have come to where all must be.
    DatabasesCame {
        /// Where: `expanded`, `done` or `rolled-back`.
        place: String,
        /// How many are there.
        came: usize,
        /// Of how many.
        of: usize,
    },
    /// The release goes on by another plan.
    Replanning {
        /// What has run, or stays as it was.
        unchanged: usize,
        /// Statements that only the new plan has.
        comes: Vec<String>,
        /// Statements that only the old plan has, and that will not run.
        goes: Vec<String>,
    },
    /// A step is about to run.
    StepRunning {
        /// Which.
        step: u32,
        /// Of how many.
        of: usize,
        /// What it is for the running version.
        direction: Direction,
        /// What it is about.
        object: String,
        /// What it does.
        action: String,
        /// Its statements.
        sql: Vec<String>,
        /// 1, or more after a lock timeout.
        attempt: u32,
    },
    /// A step did not get its locks and will try again.
    LockRetry {
        /// Which.
        step: u32,
        /// The attempt that failed.
        attempt: u32,
        /// How many there are in all.
        of: u32,
        /// What the server said.
        message: String,
        /// How long the pause is.
        pause_ms: u64,
        /// Who holds locks on the same relations.
        blockers: Vec<Blocker>,
    },
    /// What was seen beside the executor while a statement of it waits or works for long.
    Watched {
        /// The sessions that keep it waiting.
        blockers: Vec<Blocker>,
        /// How far the server is with an index.
        index: Option<IndexProgress>,
    },
    /// What an interrupted `CONCURRENTLY` left behind was cleared up.
    Repaired {
        /// The step.
        step: u32,
        /// What was done, as SQL.
        sql: String,
    },
    /// How fast a backfill goes.
    Backfilling {
        /// Which.
        step: u32,
        /// How many rows it has changed so far.
        rows: u64,
        /// How many it changes in a second.
        rows_per_second: u64,
        /// About how long it will take from here, where its keys tell.
        left_ms: Option<u64>,
    },
    /// A backfill has changed so much of its table that the old versions of its rows matter to whoever reads it.
    VacuumAdvised {
        /// The step.
        step: u32,
        /// The table.
        table: String,
        /// How many rows it has changed.
        rows: u64,
        /// Whether autovacuum clears them away by itself.
        autovacuum: bool,
    },
    /// A limit holds a backfill back: it waits, holding nothing.
    HeldBack {
        /// The step.
        step: u32,
        /// The limit's name in `[release.backfill]`.
        limit: String,
        /// What was measured, in words.
        now: String,
        /// What is allowed.
        most: String,
    },
    /// The traffic backend or blue's sessions are asked again later.
    Waiting {
        /// What for.
        what: String,
        /// How long the pause is.
        pause_ms: u64,
    },
    /// A migration file is not what it was when the release began. The release goes on with the plan's text.
    FilesChanged {
        /// Which, and how.
        why: String,
    },
    /// The release stands between its phases, and applications may run their migrations when they start.
    AtStart {
        /// What would become of them.
        what: String,
    },
    /// Something may be wrong; the release goes on.
    Warning {
        /// What.
        what: String,
    },
    /// A check was made.
    Checked {
        /// Its name.
        check: String,
        /// What for.
        purpose: Purpose,
        /// How it came out.
        verdict: CheckVerdict,
        /// What was seen.
        said: String,
    },
    /// A hook is called.
    HookCalled {
        /// Which.
        hook: HookMoment,
    },
    /// The release is done: what it took.
    Summed {
        /// All of it.
        #[serde(flatten)]
        summary: Summary,
    },
    /// The traffic backend's own log.
    BackendLog {
        /// One line.
        line: String,
    },
}
