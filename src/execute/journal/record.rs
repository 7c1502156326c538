//! What the journal says: one row, one record.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::saved::{Carried, Phase};
use crate::release::{BlueSessions, DatabasePart, HookMoment, Limits, OnFailure, Purpose, Ramp, Share, Until};
use crate::traffic::{Handle, TrafficTarget};

/// A person or pipeline, as far as the tool can know them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// The database role.
    pub role: String,
}

/// Blue is not drained while it has a session in the database. A release keeps its guard, whoever carries it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guard {
    /// How its sessions are known.
    pub sessions: BlueSessions,
    /// Whether there was one when this was said. A name that is never seen may be misspelt.
    pub seen: bool,
}

/// What becomes of the guard of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "guard", rename_all = "kebab-case")]
pub enum GuardChange {
    /// Another one.
    Watch(Guard),
    /// None any more.
    Lift,
}

/// What a release waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Gate {
    /// Somebody moves the traffic and drains blue.
    Traffic,
    /// Green has all traffic; somebody makes sure that blue is drained.
    Drain,
    /// Somebody approves at a gate of the ramp: its name.
    Ramp(String),
    /// Somebody approves at a gate of the platform's deployment: its name.
    Deployment(String),
}

impl Gate {
    /// As `promote --gate` has it; none where it is about the traffic as a whole.
    pub fn name(&self) -> Option<&String> {
        match self {
            Self::Ramp(name) | Self::Deployment(name) => Some(name),
            Self::Traffic | Self::Drain => None,
        }
    }
}

/// Why what comes next does not run yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TimeWait {
    /// The steps after the cutover wait for so long once blue is drained.
    Delay,
    /// It is not the time of the day or the date at which the steps of the phase may run.
    Window,
}

/// Short hashes of the columns of the relations that the plan relies on, by name; `absent` where there is none. And of what belongs to them, by
/// a name as people read it (`trigger sync_name on users`), with its state: `enabled#3f9a…`.
pub type Relations = BTreeMap<String, String>;

/// One row of the journal. Append only; [`crate::execute::Status`] is a fold over them. Each is about one of three small machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "about", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Record {
    /// The release as a whole.
    Release(ReleaseRecord),
    /// The traffic.
    Traffic(TrafficRecord),
    /// A step of the plan.
    Step {
        /// Which.
        step: u32,
        /// What happened to it.
        #[serde(flatten)]
        what: StepRecord,
    },
}

/// What happened to the release as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReleaseRecord {
    /// Server, files, history and schema are as the plan says; the release and its before phase begin.
    Started {
        /// Who.
        by: Actor,
        /// The traffic backend's name.
        traffic: String,
        /// What it moves, if it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<TrafficTarget>,
        /// How the traffic is to move.
        #[serde(rename = "strategy")]
        ramp: Ramp,
        /// The schema at that time.
        relations: Relations,
        /// Why nothing confirmed that the database is where the plan begins; the operator took the plan's word for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted: Option<String>,
        /// How blue's sessions are known, if somebody said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blue: Option<Guard>,
        /// Its limits, as far as somebody said them.
        #[serde(default, skip_serializing_if = "Limits::is_empty")]
        limits: Box<Limits>,
        /// What becomes of the traffic when green fails.
        #[serde(default = "of_older")]
        on_failure: OnFailure,
        /// What the database is in the release, where there are others.
        #[serde(default, skip_serializing_if = "DatabasePart::is_alone")]
        part: DatabasePart,
    },
    /// Of a release over many databases, in the one that leads: the phase before the cutover is over in all of them.
    OthersExpanded,
    /// An executor carries on.
    Resumed {
        /// Who.
        by: Actor,
        /// Another guard of blue from here on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blue: Option<GuardChange>,
        /// Other limits from here on.
        #[serde(default, skip_serializing_if = "Limits::is_empty")]
        limits: Box<Limits>,
    },
    /// The operator says that the live schema is right, although this release did not leave it so.
    DriftAccepted {
        /// Who says so.
        by: Actor,
        /// The schema at that time.
        relations: Relations,
    },
    /// The migrations were corrected: the release goes on by another plan, whose steps have ids of their own.
    Replanned {
        /// Who says so.
        by: Actor,
        /// The digest of that plan. The one before is in `cutover.replaced_plan`.
        plan: String,
        /// Its steps that have run.
        ran: Vec<u32>,
        /// Steps that have changed some of their rows, and go on from there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        carried: Vec<Carried>,
        /// Where blue cannot come back any more: a step of the new plan.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        past_no_return: Option<u32>,
        /// Whether there is something to run before the cutover again.
        reopened: bool,
        /// The schema at that time.
        relations: Relations,
    },
    /// From here on blue cannot come back.
    PointOfNoReturn {
        /// The step that made it so.
        step: u32,
        /// The oldest version of the application that may run from here on: the last migration that it was built with. Since 2.5.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        floor: Option<String>,
    },
    /// A phase is over.
    PhaseFinished {
        /// Which.
        phase: Phase,
    },
    /// Somebody wants the release to stay where it is. Whoever executes it reads this; nothing under way is cut.
    PauseAsked {
        /// Who.
        by: Actor,
        /// Why, if they said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The release stands still, because somebody asked for that: no step and no share until an executor carries on.
    Paused {
        /// Who heard it: the executor, or whoever asked for it where nobody executes the release.
        by: Actor,
    },
    /// The steps of a phase wait for their time.
    TimeAwaited {
        /// When it comes, by the server's clock: milliseconds since 1970.
        until_ms: i64,
        /// What is waited for.
        why: TimeWait,
    },
    /// It came, or the operator does not wait for it.
    TimeCame {
        /// Who does not wait; nobody where it came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// A session was ended that idled in a transaction and kept a step waiting.
    SessionEnded {
        /// The step.
        step: u32,
        /// The server's process.
        backend_pid: i32,
        /// Its role.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// Its application.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        application: Option<String>,
        /// How long it had idled, in milliseconds.
        idle_ms: u64,
        /// What the step waited for, where it was a relation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        relation: Option<String>,
    },
    /// The release came to the place at which it was to stop, and its executor ended there.
    Stopped {
        /// Where.
        until: Until,
    },
    /// The operator stopped the executor.
    Interrupted,
    /// Something other than a step did not work.
    Failed {
        /// What and why.
        message: String,
    },
    /// Everything is done and every migration is in the team's history.
    Finished,
    /// Somebody whom the release calls and waits for was called, and was content.
    HookCalled {
        /// When.
        hook: HookMoment,
    },
}

/// What happened to the traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TrafficRecord {
    /// The traffic backend is told to give green a share.
    ShiftStarted {
        /// Which share.
        share: Share,
    },
    /// Green has a share.
    Shifted {
        /// Which share: as the backend set it, which may be rounded.
        share: Share,
        /// Whether the backend confirmed it, or could not tell.
        confirmed: bool,
    },
    /// The platform is told to begin a deployment of its own, which moves the traffic.
    DeploymentAsked,
    /// It has begun one.
    DeploymentStarted {
        /// What it calls it.
        handle: Handle,
    },
    /// A gate of the deployment is passed.
    GatePassed {
        /// What the platform calls it.
        gate: String,
    },
    /// There is no way back: the platform's deployment is over, and blue with it. The release goes forward again.
    BlueGone,
    /// Nothing moves for a time.
    HoldStarted {
        /// When it is over, by the server's clock: milliseconds since 1970.
        until_ms: i64,
    },
    /// The time is over.
    HoldEnded,
    /// The release waits for `promote`.
    ApprovalAwaited {
        /// What for.
        gate: Gate,
    },
    /// Somebody answered for it.
    Promoted {
        /// Who.
        by: Actor,
        /// Why, if they said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Another guard of blue from here on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blue: Option<GuardChange>,
        /// Other limits from here on.
        #[serde(default, skip_serializing_if = "Limits::is_empty")]
        limits: Box<Limits>,
    },
    /// A check came out well. One that did not is a failure.
    Checked {
        /// Its name.
        check: String,
        /// What for.
        purpose: Purpose,
        /// What was seen.
        said: String,
    },
    /// Blue is being drained.
    DrainStarted,
    /// Blue is drained; the after phase begins.
    Drained {
        /// How it is known.
        evidence: String,
    },
    /// Traffic goes back to blue.
    RollbackStarted {
        /// Who says so.
        by: Actor,
        /// Why blue may not work on this schema; the operator insisted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forced: Option<String>,
        /// What is wrong with green, where the release goes back by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
        /// Why, if whoever says so said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Traffic is back on blue.
    RolledBack {
        /// Steps that run once more for what blue writes, and will have to again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        again: Vec<u32>,
    },
}

/// What happened to a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepRecord {
    /// A step outside a transaction begins; what it does cannot be undone by dying.
    Started {
        /// Whether the catalog said before what it says once the step is done, so that it tells nothing after a crash: an index of that name
        /// was there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        already: bool,
    },
    /// Some of its rows are done. Written in the transaction that did them.
    Progressed {
        /// The key of the last row that is done, as text.
        cursor: String,
        /// How many rows it has changed so far.
        rows: u64,
    },
    /// It is done. Written in the step's own transaction where it has one.
    Succeeded {
        /// How long it took.
        ms: u64,
        /// How often it was tried. Where rows are taken some at a time: one more than the tries that were in vain.
        #[serde(default = "once", skip_serializing_if = "is_once")]
        tries: u32,
        /// The schema it left.
        relations: Relations,
    },
    /// It did not work and left nothing half-done behind.
    Failed {
        /// Why.
        message: String,
    },
    /// Nobody but the operator can tell whether it happened.
    Stuck {
        /// What is known.
        message: String,
    },
    /// The operator says that it is done.
    MarkedDone {
        /// Who says so.
        by: Actor,
        /// The schema at that time.
        relations: Relations,
    },
    /// The operator says that it has not taken effect, and shall not.
    Skipped {
        /// Who says so.
        by: Actor,
        /// Why.
        reason: String,
        /// The schema at that time.
        relations: Relations,
    },
    /// The operator says that it may run again.
    Retried {
        /// Who says so.
        by: Actor,
    },
}

/// As most steps are tried, and as those of older journals count.
pub(super) fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_once(tries: &u32) -> bool {
    *tries == once()
}

/// What the versions did when green failed that did not write it down.
pub(super) fn of_older() -> OnFailure {
    OnFailure::Pause
}

impl Record {
    /// Its name in the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Release(record) => match record {
                ReleaseRecord::Started { .. } => "started",
                ReleaseRecord::Resumed { .. } => "resumed",
                ReleaseRecord::DriftAccepted { .. } => "drift_accepted",
                ReleaseRecord::Replanned { .. } => "replanned",
                ReleaseRecord::PointOfNoReturn { .. } => "point_of_no_return",
                ReleaseRecord::PhaseFinished { .. } => "phase_finished",
                ReleaseRecord::PauseAsked { .. } => "pause_asked",
                ReleaseRecord::Paused { .. } => "paused",
                ReleaseRecord::TimeAwaited { .. } => "time_awaited",
                ReleaseRecord::TimeCame { .. } => "time_came",
                ReleaseRecord::SessionEnded { .. } => "session_ended",
                ReleaseRecord::Stopped { .. } => "stopped",
                ReleaseRecord::Interrupted => "interrupted",
                ReleaseRecord::Failed { .. } => "failed",
                ReleaseRecord::OthersExpanded => "others_expanded",
                ReleaseRecord::Finished => "finished",
                ReleaseRecord::HookCalled { .. } => "hook_called",
            },
            Self::Traffic(record) => match record {
                TrafficRecord::ShiftStarted { .. } => "shift_started",
                TrafficRecord::Shifted { .. } => "shifted",
                TrafficRecord::DeploymentAsked => "deployment_asked",
                TrafficRecord::DeploymentStarted { .. } => "deployment_started",
                TrafficRecord::GatePassed { .. } => "gate_passed",
                TrafficRecord::BlueGone => "blue_gone",
                TrafficRecord::HoldStarted { .. } => "hold_started",
                TrafficRecord::HoldEnded => "hold_ended",
                TrafficRecord::ApprovalAwaited { .. } => "approval_awaited",
                TrafficRecord::Promoted { .. } => "promoted",
                TrafficRecord::Checked { .. } => "checked",
                TrafficRecord::DrainStarted => "drain_started",
                TrafficRecord::Drained { .. } => "drained",
                TrafficRecord::RollbackStarted { .. } => "rollback_started",
                TrafficRecord::RolledBack { .. } => "rolled_back",
            },
            Self::Step { what, .. } => match what {
                StepRecord::Started { .. } => "step_started",
                StepRecord::Progressed { .. } => "step_progressed",
                StepRecord::Succeeded { .. } => "step_succeeded",
                StepRecord::Failed { .. } => "step_failed",
                StepRecord::Stuck { .. } => "step_stuck",
                StepRecord::MarkedDone { .. } => "step_marked_done",
                StepRecord::Skipped { .. } => "step_skipped",
                StepRecord::Retried { .. } => "step_retried",
            },
        }
    }

    /// The step it is about.
    pub fn step(&self) -> Option<u32> {
        match self {
            Self::Step { step, .. }
            | Self::Release(ReleaseRecord::PointOfNoReturn { step, .. } | ReleaseRecord::SessionEnded { step, .. }) => {
                Some(*step)
            }
            Self::Release(_) | Self::Traffic(_) => None,
        }
    }
}

impl From<ReleaseRecord> for Record {
    fn from(record: ReleaseRecord) -> Self {
        Self::Release(record)
    }
}

impl From<TrafficRecord> for Record {
    fn from(record: TrafficRecord) -> Self {
        Self::Traffic(record)
    }
}
