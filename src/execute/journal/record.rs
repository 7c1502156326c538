//! What the journal says: one row, one record.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::saved::Phase;
use crate::traffic::{Share, Strategy};

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

/// What a release waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// Somebody moves the traffic and drains blue.
    Traffic,
    /// Green has all traffic; somebody makes sure that blue is drained.
    Drain,
}

/// Short hashes of the columns of the relations that the plan relies on, by name; `absent` where there is none.
pub type Relations = BTreeMap<String, String>;

/// One row of the journal. Append only; [`crate::execute::Status`] is a fold over them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record {
    /// Server, files, history and schema are as the plan says; the release and its before phase begin.
    Started {
        /// Who.
        by: Actor,
        /// The traffic backend's name.
        traffic: String,
        /// The shares green is to get.
        strategy: Strategy,
        /// The schema at that time.
        relations: Relations,
        /// Why nothing confirmed that the database is where the plan begins; the operator took the plan's word for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted: Option<String>,
    },
    /// An executor carries on.
    Resumed {
        /// Who.
        by: Actor,
    },
    /// A step outside a transaction begins; what it does can not be undone by dying.
    StepStarted {
        /// Which.
        step: u32,
    },
    /// A step is done. Written in the step's own transaction where it has one.
    StepSucceeded {
        /// Which.
        step: u32,
        /// How long it took.
        ms: u64,
        /// The schema it left.
        relations: Relations,
    },
    /// A step did not work and left nothing behind.
    StepFailed {
        /// Which.
        step: u32,
        /// Why.
        message: String,
    },
    /// Nobody but the operator can tell whether a step happened.
    StepStuck {
        /// Which.
        step: u32,
        /// What is known.
        message: String,
    },
    /// The operator says that a step is done.
    StepMarkedDone {
        /// Which.
        step: u32,
        /// Who says so.
        by: Actor,
        /// The schema at that time.
        relations: Relations,
    },
    /// The operator says that a step may run again.
    StepRetried {
        /// Which.
        step: u32,
        /// Who says so.
        by: Actor,
    },
    /// The operator says that the live schema is right, although this release did not leave it so.
    DriftAccepted {
        /// Who says so.
        by: Actor,
        /// The schema at that time.
        relations: Relations,
    },
    /// From here on blue can not come back.
    PointOfNoReturn {
        /// The step that made it so.
        step: u32,
    },
    /// A phase is over.
    PhaseFinished {
        /// Which.
        phase: Phase,
    },
    /// The traffic backend is told to give green a share.
    ShiftStarted {
        /// Which share.
        share: Share,
    },
    /// Green has that share.
    ShiftVerified {
        /// Which share.
        share: Share,
        /// Whether the backend confirmed it, or could not tell.
        confirmed: bool,
    },
    /// The release waits for `promote`.
    ApprovalAwaited {
        /// What for.
        gate: Gate,
    },
    /// Somebody answered for it.
    Promoted {
        /// Who.
        by: Actor,
    },
    /// Blue is being drained.
    DrainStarted,
    /// Blue is drained; the after phase begins.
    Drained {
        /// How it is known.
        evidence: String,
    },
    /// The operator stopped the executor.
    Interrupted,
    /// Something other than a step did not work.
    Failed {
        /// What and why.
        message: String,
    },
    /// Traffic goes back to blue.
    RollbackStarted {
        /// Who says so.
        by: Actor,
    },
    /// Traffic is back on blue.
    RolledBack,
    /// Everything is done and every migration is in the team's history.
    Finished,
}

impl Record {
    /// Its name in the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Resumed { .. } => "resumed",
            Self::StepStarted { .. } => "step_started",
            Self::StepSucceeded { .. } => "step_succeeded",
            Self::StepFailed { .. } => "step_failed",
            Self::StepStuck { .. } => "step_stuck",
            Self::StepMarkedDone { .. } => "step_marked_done",
            Self::StepRetried { .. } => "step_retried",
            Self::DriftAccepted { .. } => "drift_accepted",
            Self::PointOfNoReturn { .. } => "point_of_no_return",
            Self::PhaseFinished { .. } => "phase_finished",
            Self::ShiftStarted { .. } => "shift_started",
            Self::ShiftVerified { .. } => "shift_verified",
            Self::ApprovalAwaited { .. } => "approval_awaited",
            Self::Promoted { .. } => "promoted",
            Self::DrainStarted => "drain_started",
            Self::Drained { .. } => "drained",
            Self::Interrupted => "interrupted",
            Self::Failed { .. } => "failed",
            Self::RollbackStarted { .. } => "rollback_started",
            Self::RolledBack => "rolled_back",
            Self::Finished => "finished",
        }
    }

    /// The step it is about.
    pub fn step(&self) -> Option<u32> {
        match self {
            Self::StepStarted { step }
            | Self::StepSucceeded { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepStuck { step, .. }
            | Self::StepMarkedDone { step, .. }
            | Self::StepRetried { step, .. }
            | Self::PointOfNoReturn { step } => Some(*step),
            Self::Started { .. }
            | Self::Resumed { .. }
            | Self::DriftAccepted { .. }
            | Self::PhaseFinished { .. }
            | Self::ShiftStarted { .. }
            | Self::ShiftVerified { .. }
            | Self::ApprovalAwaited { .. }
            | Self::Promoted { .. }
            | Self::DrainStarted
            | Self::Drained { .. }
            | Self::Interrupted
            | Self::Failed { .. }
            | Self::RollbackStarted { .. }
            | Self::RolledBack
            | Self::Finished => None,
        }
    }
}
