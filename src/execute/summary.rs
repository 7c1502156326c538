//! What a release took, from its journal.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::journal::{Entry, Record, ReleaseRecord, StepRecord, TrafficRecord};
use crate::plan::saved::{Carried, Phase, SavedPlan};

/// What a release took. Times are the server's, in milliseconds, and have in them what it waited for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// The phase before the cutover.
    pub before_ms: u64,
    /// From its end until blue was drained; where nothing follows, until the release was done.
    pub traffic_ms: u64,
    /// From there to its end.
    pub after_ms: u64,
    /// How many steps have run.
    pub steps: u32,
    /// The one that took longest; of the last plan, if there were several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowest: Option<SlowestStep>,
    /// How many tries of steps were in vain, mostly for want of a lock.
    pub vain_tries: u32,
    /// How many rows were changed some at a time.
    pub rows: u64,
    /// How many sessions were ended that kept a step waiting.
    pub sessions_ended: u32,
    /// How often an executor carried on.
    pub carried_on: u32,
}

/// The step that took longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SlowestStep {
    /// Which.
    pub step: u32,
    /// What it is about.
    pub object: String,
    /// What it does.
    pub action: String,
    /// How long it took.
    pub ms: u64,
}

/// What a release has taken, by all of its journal.
pub(super) fn summary(plan: &SavedPlan, entries: &[Entry]) -> Summary {
    let mut summary = Summary::default();
    let mut rows: BTreeMap<u32, u64> = BTreeMap::new();
    let mut part = Part::Before;
    for pair in entries.windows(2) {
        let [before, entry] = pair else { continue };
        let took = entry.at.duration_since(before.at).as_millis();
        *part.of(&mut summary) += u64::try_from(took).unwrap_or_default();
        match &entry.record {
            Record::Release(ReleaseRecord::PhaseFinished { phase: Phase::Before }) => part = Part::Traffic,
            Record::Traffic(TrafficRecord::Drained { .. }) => part = Part::After,
            Record::Traffic(TrafficRecord::RolledBack { .. }) if part == Part::After => part = Part::Traffic,
            Record::Release(ReleaseRecord::Replanned { reopened, carried, .. }) => {
                if *reopened {
                    part = Part::Before;
                }
                // Steps have other ids from here on.
                let goes_on = carried.iter().filter_map(|Carried { from, to }| Some((*to, rows.remove(from)?)));
                let goes_on: BTreeMap<u32, u64> = goes_on.collect();
                summary.rows += std::mem::replace(&mut rows, goes_on).into_values().sum::<u64>();
                summary.slowest = None;
            }
            Record::Release(ReleaseRecord::Resumed { .. }) => summary.carried_on += 1,
            Record::Release(ReleaseRecord::SessionEnded { .. }) => summary.sessions_ended += 1,
            Record::Step { step, what: StepRecord::Progressed { rows: done, .. } } => {
                rows.insert(*step, *done);
            }
            Record::Step { step, what: StepRecord::Succeeded { ms, tries, .. } } => {
                summary.steps += 1;
                summary.vain_tries += tries.saturating_sub(1);
                if summary.slowest.as_ref().is_none_or(|slowest| slowest.ms < *ms) {
                    summary.slowest = plan.step(*step).map(|planned| SlowestStep {
                        step: *step,
                        object: planned.object.clone(),
                        action: planned.action.clone(),
                        ms: *ms,
                    });
                }
            }
            _ => {}
        }
    }
    summary.rows += rows.into_values().sum::<u64>();
    summary
}

/// Where a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Before,
    Traffic,
    After,
}

impl Part {
    fn of(self, summary: &mut Summary) -> &mut u64 {
        match self {
            Self::Before => &mut summary.before_ms,
            Self::Traffic => &mut summary.traffic_ms,
            Self::After => &mut summary.after_ms,
        }
    }
}
