//! Format 1, as the tool's 0.1 wrote it: one list of events. It is read, so that releases of that time can be looked at, and never written.

use serde::Deserialize;

use super::record::{self, Actor, Gate, Relations, ReleaseRecord, StepRecord, TrafficRecord};
use crate::plan::saved::Phase;
use crate::release::{DatabasePart, Ramp, Share};

/// One row of a journal of format 1.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Record {
    Started {
        by: Actor,
        traffic: String,
        #[serde(rename = "strategy")]
        ramp: Ramp,
        relations: Relations,
        #[serde(default)]
        accepted: Option<String>,
    },
    Resumed {
        by: Actor,
    },
    StepStarted {
        step: u32,
    },
    StepSucceeded {
        step: u32,
        ms: u64,
        relations: Relations,
    },
    StepFailed {
        step: u32,
        message: String,
    },
    StepStuck {
        step: u32,
        message: String,
    },
    StepMarkedDone {
        step: u32,
        by: Actor,
        relations: Relations,
    },
    StepRetried {
        step: u32,
        by: Actor,
    },
    DriftAccepted {
        by: Actor,
        relations: Relations,
    },
    PointOfNoReturn {
        step: u32,
    },
    PhaseFinished {
        phase: Phase,
    },
    ShiftStarted {
        share: Share,
    },
    ShiftVerified {
        share: Share,
        confirmed: bool,
    },
    ApprovalAwaited {
        gate: Gate,
    },
    Promoted {
        by: Actor,
    },
    DrainStarted,
    Drained {
        evidence: String,
    },
    Interrupted,
    Failed {
        message: String,
    },
    RollbackStarted {
        by: Actor,
    },
    RolledBack,
    Finished,
}

impl From<Record> for record::Record {
    fn from(record: Record) -> Self {
        use record::Record::{Release, Traffic};
        let step = |step, what| Self::Step { step, what };
        match record {
            Record::Started { by, traffic, ramp, relations, accepted } => Release(ReleaseRecord::Started {
                by,
                traffic,
                target: None,
                ramp,
                relations,
                accepted,
                blue: None,
                limits: Box::default(),
                on_failure: record::of_older(),
                part: DatabasePart::Alone,
            }),
            Record::Resumed { by } => Release(ReleaseRecord::Resumed { by, blue: None, limits: Box::default() }),
            Record::StepStarted { step: id } => step(id, StepRecord::Started { already: false }),
            Record::StepSucceeded { step: id, ms, relations } => {
                step(id, StepRecord::Succeeded { ms, tries: super::record::once(), relations })
            }
            Record::StepFailed { step: id, message } => step(id, StepRecord::Failed { message }),
            Record::StepStuck { step: id, message } => step(id, StepRecord::Stuck { message }),
            Record::StepMarkedDone { step: id, by, relations } => step(id, StepRecord::MarkedDone { by, relations }),
            Record::StepRetried { step: id, by } => step(id, StepRecord::Retried { by }),
            Record::DriftAccepted { by, relations } => Release(ReleaseRecord::DriftAccepted { by, relations }),
            Record::PointOfNoReturn { step } => Release(ReleaseRecord::PointOfNoReturn { step, floor: None }),
            Record::PhaseFinished { phase } => Release(ReleaseRecord::PhaseFinished { phase }),
            Record::ShiftStarted { share } => Traffic(TrafficRecord::ShiftStarted { share }),
            Record::ShiftVerified { share, confirmed } => Traffic(TrafficRecord::Shifted { share, confirmed }),
            Record::ApprovalAwaited { gate } => Traffic(TrafficRecord::ApprovalAwaited { gate }),
            Record::Promoted { by } => {
                Traffic(TrafficRecord::Promoted { by, reason: None, blue: None, limits: Box::default() })
            }
            Record::DrainStarted => Traffic(TrafficRecord::DrainStarted),
            Record::Drained { evidence } => Traffic(TrafficRecord::Drained { evidence }),
            Record::Interrupted => Release(ReleaseRecord::Interrupted),
            Record::Failed { message } => Release(ReleaseRecord::Failed { message }),
            Record::RollbackStarted { by } => {
                Traffic(TrafficRecord::RollbackStarted { by, forced: None, failure: None, reason: None })
            }
            Record::RolledBack => Traffic(TrafficRecord::RolledBack { again: Vec::new() }),
            Record::Finished => Release(ReleaseRecord::Finished),
        }
    }
}
