//! Where a release stands: a fold over its journal, and what comes next: a function of that.
//!
//! Three small machines, each in its file: the release, its traffic, and each step. Here is what they make together, and which record may
//! follow at all: a step runs in the phases only, traffic moves between them, and nothing goes back after the point of no return.

mod steps;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::steps::{StepProgress, StepState, StepStatus};
pub use self::traffic::{TrafficState, TrafficStatus};
use super::journal::{
    Actor, Gate, Guard, GuardChange, Record, Relations, ReleaseRecord, StepRecord, TimeWait, TrafficRecord,
};
use crate::plan::saved::{Carried, Phase, SavedPlan, Step};
use crate::release::{DatabasePart, HookMoment, Limits, OnFailure, RampStep, Share, Until};

/// How far a release is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "stage", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Stage {
    /// The before phase.
    Before,
    /// Traffic moves from blue to green.
    Shifting,
    /// Waiting for `promote`.
    AwaitingApproval {
        /// What for.
        gate: Gate,
    },
    /// Green has all traffic; blue is being drained.
    Draining,
    /// The after phase.
    After,
    /// Everything is done.
    Done,
    /// Traffic moves back to blue.
    RollingBack,
    /// Traffic is back on blue. The before phase stays.
    RolledBack,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Before => "before the cutover",
            Self::Shifting => "shifting traffic",
            Self::AwaitingApproval { .. } => "awaiting approval",
            Self::Draining => "draining blue",
            Self::After => "after the cutover",
            Self::Done => "done",
            Self::RollingBack => "rolling back",
            Self::RolledBack => "rolled back",
        })
    }
}

/// Why nobody carries on by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "trouble", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trouble {
    /// Failed; nothing half-done is left.
    Failed {
        /// The step, if it was one.
        step: Option<u32>,
        /// Why.
        message: String,
    },
    /// Only the operator can tell whether the step happened.
    Stuck {
        /// The step.
        step: u32,
        /// What is known.
        message: String,
    },
    /// The operator stopped it.
    Interrupted,
}

/// That a release stays where it is because somebody wants it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "standing", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Standing {
    /// Somebody asked for it, and nobody has heard it yet.
    PauseAsked {
        /// Who.
        by: Actor,
        /// Why, if they said it.
        reason: Option<String>,
    },
    /// It stands still until an executor carries on.
    Paused {
        /// Who asked for it.
        by: Actor,
        /// Why, if they said it.
        reason: Option<String>,
    },
    /// The steps of its phase wait for their time.
    AwaitingTime {
        /// When it comes, by the server's clock: milliseconds since 1970.
        until_ms: i64,
        /// What is waited for.
        why: TimeWait,
    },
    /// It came to where it was to stop.
    Stopped {
        /// Where.
        until: Until,
    },
}

/// Where a release stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Status {
    /// How far it is.
    pub stage: Stage,
    /// Why it stands still, if it does.
    pub trouble: Option<Trouble>,
    /// That it stands still because somebody wants it so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// The steps of which something is known, by id.
    pub steps: BTreeMap<u32, StepStatus>,
    /// Where the traffic is.
    pub traffic: TrafficStatus,
    /// The step after which blue could not come back, if it ran.
    pub past_no_return: Option<u32>,
    /// The schema as the last step left it.
    pub relations: Relations,
    /// Whether the before phase is over.
    pub expanded: bool,
    /// How blue's sessions are known, if blue is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// What the database is in the release, where there are others.
    #[serde(skip_serializing_if = "DatabasePart::is_alone")]
    pub part: DatabasePart,
    /// Its limits, as far as somebody said them.
    #[serde(skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// What becomes of the traffic when green fails.
    pub on_failure: OnFailure,
    /// The hooks that were called, since the release began or went back.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub hooks: BTreeSet<HookMoment>,
    /// Of a release over many databases, in the one that leads: whether the before phase is over in all of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub others_expanded: bool,
    /// Whether a step after the cutover was begun since blue was drained.
    #[serde(skip)]
    pub(super) contracting: bool,
    /// Whether everything is done.
    #[serde(skip)]
    finished: bool,
}

/// A journal that does not make sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the journal is inconsistent: `{record}` cannot follow {stage:?}; it was edited, or written by another version of cutover"
)]
pub struct UnknownTransition {
    /// The record's name.
    pub record: &'static str,
    /// The stage it met.
    pub stage: Option<Stage>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<'p> {
    /// Run a step.
    Run(&'p Step),
    /// The before phase is over.
    FinishBefore,
    /// Give green more traffic.
    Shift(Share),
    /// Move nothing for a time.
    Hold(Duration),
    /// Ask somebody at a gate of the ramp.
    Ask(String),
    /// Make a check that is a step of the ramp.
    Check(String),
    /// Call somebody, and wait for them.
    CallHook(HookMoment),
    /// See blue drained.
    Drain,
    /// Wait for `promote`.
    Wait(Gate),
    /// Record what is left and close the release.
    Finish,
    /// Nothing.
    Nothing,
}

impl Status {
    /// Folds a whole journal. An empty one has no status.
    pub fn of<'r>(records: impl IntoIterator<Item = &'r Record>) -> Result<Option<Self>, UnknownTransition> {
        records.into_iter().try_fold(None, |status, record| match status {
            None => Self::first(record).map(Some),
            Some(status) => Self::then(status, record).map(Some),
        })
    }

    fn first(record: &Record) -> Result<Self, UnknownTransition> {
        let Record::Release(ReleaseRecord::Started {
            traffic,
            target,
            ramp,
            relations,
            blue,
            limits,
            on_failure,
            part,
            ..
        }) = record
        else {
            return Err(UnknownTransition { record: record.name(), stage: None });
        };
        Ok(Self {
            stage: Stage::Before,
            trouble: None,
            standing: None,
            steps: BTreeMap::new(),
            traffic: TrafficStatus::new(traffic.clone(), target.clone(), ramp.clone()),
            past_no_return: None,
            relations: relations.clone(),
            expanded: false,
            guard: blue.clone(),
            part: part.clone(),
            limits: **limits,
            on_failure: *on_failure,
            hooks: BTreeSet::new(),
            others_expanded: false,
            contracting: false,
            finished: false,
        })
    }

    /// The status after one more record.
    pub fn then(mut self, record: &Record) -> Result<Self, UnknownTransition> {
        let stage = self.stage.clone();
        let followed = match record {
            _ if stage == Stage::Done => None,
            Record::Release(record) => self.release(record),
            Record::Traffic(record) => self.move_traffic(record),
            Record::Step { step, what } => self.step(*step, what),
        };
        followed.ok_or(UnknownTransition { record: record.name(), stage: Some(stage) })?;
        self.stage = self.stage_now();
        Ok(self)
    }

    /// `None`: the record cannot follow.
    fn release(&mut self, record: &ReleaseRecord) -> Option<()> {
        let in_phase = self.in_phase();
        match record {
            ReleaseRecord::Started { .. } => return None,
            ReleaseRecord::Resumed { blue, limits, .. } => {
                self.change_guard(blue.as_ref());
                self.limits = self.limits.then(**limits);
                if !matches!(self.trouble, Some(Trouble::Stuck { .. })) {
                    self.trouble = None;
                }
                self.standing = None;
                self.traffic.resume();
            }
            ReleaseRecord::DriftAccepted { relations, .. } => self.relations = relations.clone(),
            ReleaseRecord::Replanned { ran, carried, past_no_return, reopened, relations, .. } => {
                if self.stage == Stage::RollingBack || self.in_doubt().is_some() || (*reopened && !self.is_open()) {
                    return None;
                }
                let before = std::mem::take(&mut self.steps);
                self.steps = ran.iter().map(|id| (*id, StepStatus::done())).collect();
                let carried = carried.iter().filter_map(|Carried { from, to }| Some((*to, before.get(from)?.clone())));
                self.steps.extend(carried);
                self.past_no_return = *past_no_return;
                self.expanded &= !reopened;
                self.relations = relations.clone();
                self.trouble = None;
            }
            ReleaseRecord::PointOfNoReturn { step, .. } if in_phase => {
                self.past_no_return = self.past_no_return.or(Some(*step));
            }
            ReleaseRecord::PhaseFinished { phase: Phase::Before } if self.stage == Stage::Before => {
                self.expanded = true
            }
            ReleaseRecord::PhaseFinished { phase: Phase::After } if self.stage == Stage::After => {}
            ReleaseRecord::OthersExpanded if self.expanded && matches!(self.part, DatabasePart::Lead { .. }) => {
                self.others_expanded = true;
            }
            ReleaseRecord::Finished if matches!(self.stage, Stage::Shifting | Stage::After) => {
                (self.finished, self.standing) = (true, None);
            }
            ReleaseRecord::PauseAsked { by, reason } if self.can_pause() => {
                self.standing = Some(Standing::PauseAsked { by: by.clone(), reason: reason.clone() });
            }
            ReleaseRecord::Paused { .. } => match self.standing.take() {
                Some(Standing::PauseAsked { by, reason }) => self.standing = Some(Standing::Paused { by, reason }),
                _ => return None,
            },
            ReleaseRecord::TimeAwaited { until_ms, why } if in_phase && self.pause().is_none() => {
                (self.standing, self.trouble) = (Some(Standing::AwaitingTime { until_ms: *until_ms, why: *why }), None);
            }
            ReleaseRecord::TimeCame { .. } if in_phase && self.pause().is_none() => self.standing = None,
            ReleaseRecord::SessionEnded { .. } if in_phase => {}
            ReleaseRecord::Stopped { until } if self.has_come_to(*until) => {
                self.standing = Some(Standing::Stopped { until: *until });
            }
            ReleaseRecord::HookCalled { hook } => {
                self.hooks.insert(*hook);
                self.trouble = None;
            }
            ReleaseRecord::Interrupted => self.trouble = Some(Trouble::Interrupted),
            ReleaseRecord::Failed { message } => {
                self.trouble = Some(Trouble::Failed { step: None, message: message.clone() });
            }
            ReleaseRecord::PointOfNoReturn { .. }
            | ReleaseRecord::PhaseFinished { .. }
            | ReleaseRecord::OthersExpanded
            | ReleaseRecord::PauseAsked { .. }
            | ReleaseRecord::TimeAwaited { .. }
            | ReleaseRecord::TimeCame { .. }
            | ReleaseRecord::SessionEnded { .. }
            | ReleaseRecord::Stopped { .. }
            | ReleaseRecord::Finished => return None,
        }
        Some(())
    }

    fn move_traffic(&mut self, record: &TrafficRecord) -> Option<()> {
        let goes_back = matches!(record, TrafficRecord::RollbackStarted { .. } | TrafficRecord::RolledBack { .. });
        // Back from everywhere but beyond the point of no return; forward only between the phases.
        let may = if goes_back { self.past_no_return.is_none() } else { self.expanded };
        if !may || !self.traffic.then(record) {
            return None;
        }
        if matches!(record, TrafficRecord::Drained { .. } | TrafficRecord::RollbackStarted { .. }) {
            self.contracting = false;
        }
        if let TrafficRecord::RolledBack { again } = record {
            self.hooks.clear();
            self.steps.retain(|step, _| !again.contains(step));
        }
        if let TrafficRecord::Promoted { blue, limits, .. } = record {
            self.change_guard(blue.as_ref());
            self.limits = self.limits.then(**limits);
        }
        if matches!(record, TrafficRecord::Promoted { .. } | TrafficRecord::RollbackStarted { .. }) {
            self.trouble = None;
        }
        if goes_back {
            self.standing = None;
        }
        Some(())
    }

    fn step(&mut self, step: u32, record: &StepRecord) -> Option<()> {
        if !self.in_phase() {
            return None;
        }
        // What has failed and left nothing half done, or is left out, has begun nothing.
        let is_begun =
            !matches!(record, StepRecord::Failed { .. } | StepRecord::Skipped { .. } | StepRecord::Retried { .. });
        self.contracting |= is_begun && self.stage == Stage::After;
        let before = self.steps.remove(&step).unwrap_or_default();
        self.steps.insert(step, before.then(record)?);
        match record {
            StepRecord::Started { .. } | StepRecord::Progressed { .. } => {}
            StepRecord::Succeeded { relations, .. }
            | StepRecord::MarkedDone { relations, .. }
            | StepRecord::Skipped { relations, .. } => {
                self.relations = relations.clone();
                self.trouble = None;
            }
            StepRecord::Retried { .. } => self.trouble = None,
            StepRecord::Failed { message } => {
                self.trouble = Some(Trouble::Failed { step: Some(step), message: message.clone() });
            }
            StepRecord::Stuck { message } => self.trouble = Some(Trouble::Stuck { step, message: message.clone() }),
        }
        Some(())
    }

    fn change_guard(&mut self, change: Option<&GuardChange>) {
        match change {
            None => {}
            Some(GuardChange::Watch(Guard { sessions, seen })) => {
                let before = self.guard.as_ref().is_some_and(|guard| guard.sessions == *sessions && guard.seen);
                self.guard = Some(Guard { sessions: sessions.clone(), seen: *seen || before });
            }
            Some(GuardChange::Lift) => self.guard = None,
        }
    }

    fn in_phase(&self) -> bool {
        matches!(self.stage, Stage::Before | Stage::After)
    }

    fn stage_now(&self) -> Stage {
        match &self.traffic.state {
            _ if self.finished => Stage::Done,
            TrafficState::RollingBack => Stage::RollingBack,
            TrafficState::RolledBack => Stage::RolledBack,
            _ if !self.expanded => Stage::Before,
            TrafficState::Moving | TrafficState::Holding { .. } => Stage::Shifting,
            TrafficState::AwaitingApproval { gate } => Stage::AwaitingApproval { gate: gate.clone() },
            TrafficState::Draining => Stage::Draining,
            TrafficState::Drained => Stage::After,
        }
    }

    /// What comes next, if nothing stands in the way.
    pub fn next<'p>(&self, plan: &'p SavedPlan) -> Next<'p> {
        let undone = |phase| plan.phase(phase).find(|step| !self.is_done(step.id));
        let has_after = plan.phase(Phase::After).next().is_some();
        if let Some(hook) = self.next_hook(plan, has_after, undone(Phase::After).is_none()) {
            return Next::CallHook(hook);
        }
        match &self.stage {
            Stage::Before => undone(Phase::Before).map_or(Next::FinishBefore, Next::Run),
            Stage::Shifting => match self.traffic.ramp_step() {
                Some(RampStep::Share(share)) => Next::Shift(*share),
                Some(RampStep::Hold { hold_ms }) => Next::Hold(Duration::from_millis(*hold_ms)),
                Some(RampStep::Approve { approve }) => Next::Ask(approve.clone()),
                Some(RampStep::Check { check }) => Next::Check(check.clone()),
                None if has_after => Next::Drain,
                None => Next::Finish,
            },
            Stage::AwaitingApproval { gate } => Next::Wait(gate.clone()),
            Stage::Draining => Next::Drain,
            Stage::After => undone(Phase::After).map_or(Next::Finish, Next::Run),
            Stage::Done | Stage::RollingBack | Stage::RolledBack => Next::Nothing,
        }
    }

    /// The hook that is called before anything else. `has_after`: there are steps after the cutover; `nothing_left`: all of them are over.
    fn next_hook(&self, plan: &SavedPlan, has_after: bool, nothing_left: bool) -> Option<HookMoment> {
        if self.part.follows() {
            return None;
        }
        use HookMoment::{AfterContract, AfterExpand, AfterShift, BeforeContract, BeforeExpand, BeforeShift};
        let due: &[HookMoment] = match &self.stage {
            Stage::Before => &[BeforeExpand],
            Stage::Shifting if self.traffic.ramp_done == 0 => &[AfterExpand, BeforeShift],
            Stage::Shifting if self.traffic.ramp_step().is_none() && !has_after => &[AfterShift, AfterContract],
            Stage::Shifting if self.traffic.ramp_step().is_none() => &[AfterShift],
            Stage::Draining => &[AfterShift],
            Stage::After if nothing_left => &[BeforeContract, AfterContract],
            Stage::After => &[BeforeContract],
            _ => &[],
        };
        due.iter().copied().find(|hook| plan.release.has_hook(*hook) && !self.hooks.contains(hook))
    }

    /// Whether there is nothing left to do of a step: it has run, or is left out.
    pub fn is_done(&self, step: u32) -> bool {
        self.steps.get(&step).is_some_and(|step| step.state.is_over())
    }

    /// Whether a step has run.
    pub fn has_run(&self, step: u32) -> bool {
        self.steps.get(&step).is_some_and(|step| step.state == StepState::Done)
    }

    /// Whether both versions work on the schema, in this database and in those that follow it: green may start.
    pub fn is_expanded_everywhere(&self) -> bool {
        self.expanded && (self.others_expanded || !matches!(self.part, DatabasePart::Lead { .. }))
    }

    /// Whether a step may still run before the cutover: green has had no traffic, or has none any more.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Before | Stage::RolledBack)
    }

    /// How many steps are done.
    pub fn done(&self) -> usize {
        self.steps.values().filter(|step| step.state.is_over()).count()
    }

    /// A step outside a transaction that was begun and neither finished nor failed. One that is stuck stays in doubt until somebody decides,
    /// also when the release has gone back in between.
    pub fn in_doubt(&self) -> Option<u32> {
        let in_doubt = |state| matches!(state, StepState::Begun | StepState::Stuck);
        self.steps.iter().find(|(_, step)| in_doubt(step.state)).map(|(id, _)| *id)
    }

    /// Whether the catalog said before a step was begun what it says once it is done.
    pub fn was_already(&self, step: u32) -> bool {
        self.steps.get(&step).is_some_and(|step| step.already)
    }

    /// How far a step has come that goes over its rows some at a time.
    pub fn progress(&self, step: u32) -> Option<&StepProgress> {
        self.steps.get(&step)?.progress.as_ref()
    }

    /// Whether it can be told to stay where it is: it goes forward, and is not done.
    pub fn can_pause(&self) -> bool {
        !self.is_over() && self.stage != Stage::RollingBack
    }

    /// Who wants it to stay where it is, and why, until an executor carries on; whether or not anybody has heard it yet.
    pub fn pause(&self) -> Option<(&Actor, Option<&str>)> {
        match &self.standing {
            Some(Standing::PauseAsked { by, reason } | Standing::Paused { by, reason }) => {
                Some((by, reason.as_deref()))
            }
            Some(Standing::Stopped { .. } | Standing::AwaitingTime { .. }) | None => None,
        }
    }

    /// Whether it stands still because somebody asked for that.
    pub fn is_paused(&self) -> bool {
        matches!(self.standing, Some(Standing::Paused { .. }))
    }

    /// Whether the steps of its phase wait for their time.
    pub fn awaits_time(&self) -> bool {
        matches!(self.standing, Some(Standing::AwaitingTime { .. }))
    }

    /// Whether somebody has taken it back to blue, or green's failure has.
    pub fn goes_back(&self) -> bool {
        matches!(self.stage, Stage::RollingBack | Stage::RolledBack)
    }

    /// Whether it is at a place, or beyond it.
    pub fn has_come_to(&self, until: Until) -> bool {
        match until {
            Until::Expanded => self.expanded,
            Until::Shifted => self.expanded && !self.goes_back() && self.traffic.ramp_step().is_none(),
            Until::Drained => matches!(self.stage, Stage::After | Stage::Done),
        }
    }

    /// The commands that may come next. `executing`: somebody holds the lease.
    pub fn commands(&self, executing: bool) -> Vec<String> {
        let say = |commands: &[&str]| commands.iter().map(|command| (*command).to_owned()).collect();
        if let Some(Trouble::Stuck { step, .. }) = &self.trouble {
            return ["--mark-done STEP", "--retry STEP", "--skip STEP --reason TEXT"]
                .map(|decision| format!("cutover resume {}", decision.replace("STEP", &step.to_string())))
                .into();
        }
        match &self.stage {
            Stage::Done => Vec::new(),
            Stage::RolledBack => say(&["cutover resume"]),
            _ if self.pause().is_some() => match (self.past_no_return, self.is_in_ramp()) {
                (Some(_), _) => say(&["cutover resume"]),
                (None, true) => say(&["cutover resume", "cutover abort"]),
                (None, false) => say(&["cutover resume", "cutover rollback"]),
            },
            Stage::AwaitingApproval { gate: Gate::Ramp(name) | Gate::Deployment(name) } => {
                vec![format!("cutover promote --gate {name}"), "cutover rollback".to_owned()]
            }
            Stage::AwaitingApproval { .. } => say(&["cutover promote", "cutover rollback"]),
            _ if executing && self.hears() && self.past_no_return.is_none() => say(&["cutover rollback"]),
            _ if executing => Vec::new(),
            Stage::RollingBack => say(&["cutover rollback"]),
            Stage::Before | Stage::Shifting | Stage::Draining | Stage::After if self.past_no_return.is_some() => {
                say(&["cutover resume"])
            }
            Stage::Before | Stage::Shifting | Stage::Draining | Stage::After => {
                say(&["cutover resume", "cutover rollback"])
            }
        }
    }

    /// Whether whoever executes it listens for the word to go back.
    pub fn hears(&self) -> bool {
        let waits = matches!(self.traffic.state, TrafficState::AwaitingApproval { .. } | TrafficState::Holding { .. });
        waits || self.is_paused() || self.awaits_time()
    }

    /// Whether the traffic is on its way to green: the before phase is over, and the after phase has not begun.
    pub fn is_in_ramp(&self) -> bool {
        matches!(self.stage, Stage::Shifting | Stage::AwaitingApproval { .. } | Stage::Draining)
    }

    /// Whether another release may begin.
    pub fn is_over(&self) -> bool {
        match self.stage {
            Stage::Done | Stage::RolledBack => true,
            Stage::Before
            | Stage::Shifting
            | Stage::AwaitingApproval { .. }
            | Stage::Draining
            | Stage::After
            | Stage::RollingBack => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execute::journal::Actor;
    use crate::release::Ramp;

    fn by() -> Actor {
        Actor { host: "h".into(), pid: 1, role: "r".into() }
    }

    fn started() -> Record {
        ReleaseRecord::Started {
            by: by(),
            traffic: "simulated".into(),
            target: None,
            ramp: Ramp::all_at_once(),
            relations: Relations::new(),
            accepted: None,
            blue: None,
            limits: Box::default(),
            on_failure: OnFailure::Rollback,
            part: DatabasePart::Alone,
        }
        .into()
    }

    fn about(step: u32, what: StepRecord) -> Record {
        Record::Step { step, what }
    }

    fn done(step: u32) -> Record {
        about(step, StepRecord::Succeeded { ms: 1, tries: 1, relations: Relations::new() })
    }

    fn fold(records: &[Record]) -> Result<Status, UnknownTransition> {
        Status::of(records).map(|status| status.unwrap())
    }

    fn expanded() -> Vec<Record> {
        vec![started(), done(1), ReleaseRecord::PhaseFinished { phase: Phase::Before }.into()]
    }

    fn contracting() -> Vec<Record> {
        let shifted = TrafficRecord::Shifted { share: Share::ALL, confirmed: true };
        let rest = [shifted, TrafficRecord::DrainStarted, TrafficRecord::Drained { evidence: String::new() }];
        expanded().into_iter().chain(rest.map(Record::from)).collect()
    }

    #[test]
    fn every_beginning_of_a_journal_has_a_status() {
        let mut journal = contracting();
        journal.extend([
            done(2),
            ReleaseRecord::PointOfNoReturn { step: 2, floor: None }.into(),
            ReleaseRecord::PhaseFinished { phase: Phase::After }.into(),
            ReleaseRecord::Finished.into(),
        ]);
        for length in 1..=journal.len() {
            fold(&journal[..length]).unwrap();
        }
        assert_eq!(fold(&journal).unwrap().stage, Stage::Done);
        assert_eq!(Status::of(&[]), Ok(None));
    }

    #[test]
    fn what_can_not_follow_is_an_error() {
        assert!(fold(&[done(1)]).is_err(), "nothing comes before `started`");
        assert!(fold(&[started(), started()]).is_err());
        assert!(fold(&[started(), ReleaseRecord::Finished.into()]).is_err());
        assert!(
            fold(&[
                started(),
                TrafficRecord::Promoted { by: by(), reason: None, blue: None, limits: Box::default() }.into()
            ])
            .is_err()
        );
        let error = fold(&[started(), TrafficRecord::Drained { evidence: String::new() }.into()]).unwrap_err();
        assert!(error.to_string().contains("`drained` cannot follow Some(Before)"), "{error}");
    }

    #[test]
    fn rollback_follows_everything_but_the_point_of_no_return() {
        let back = [
            TrafficRecord::RollbackStarted { by: by(), forced: None, failure: None, reason: None },
            TrafficRecord::RolledBack { again: vec![] },
        ]
        .map(Record::from);
        for length in 1..=contracting().len() {
            let mut journal = contracting()[..length].to_vec();
            journal.extend(back.clone());
            assert_eq!(fold(&journal).unwrap().stage, Stage::RolledBack);
            journal.push(ReleaseRecord::Resumed { by: by(), blue: None, limits: Box::default() }.into());
            let status = fold(&journal).unwrap();
            let forward = if length < 3 { Stage::Before } else { Stage::Shifting };
            assert_eq!((status.stage, status.traffic.share), (forward, Share::NONE), "{length}");
        }
        let mut journal = contracting();
        journal.extend([done(2), ReleaseRecord::PointOfNoReturn { step: 2, floor: None }.into(), back[0].clone()]);
        assert!(fold(&journal).is_err());
    }

    #[test]
    fn a_pause_is_asked_for_heard_and_taken_back() {
        let asked = || -> Record { ReleaseRecord::PauseAsked { by: by(), reason: None }.into() };
        let paused = || -> Record { ReleaseRecord::Paused { by: by() }.into() };
        let resumed = || -> Record { ReleaseRecord::Resumed { by: by(), blue: None, limits: Box::default() }.into() };
        for length in 1..=contracting().len() {
            let mut journal = contracting()[..length].to_vec();
            journal.push(asked());
            // What was under way follows all the same.
            journal.extend(contracting().get(length).cloned());
            let status = fold(&journal).unwrap();
            assert!(status.pause().is_some() && !status.is_paused(), "{length}");
            journal.push(paused());
            assert!(fold(&journal).unwrap().is_paused());
            journal.push(resumed());
            assert!(fold(&journal).unwrap().standing.is_none());
            journal.push(paused());
            assert!(fold(&journal).is_err(), "nobody asked");
        }
        let back: Record =
            TrafficRecord::RollbackStarted { by: by(), forced: None, failure: None, reason: None }.into();
        assert!(fold(&[started(), back.clone(), asked()]).is_err(), "it goes back");
        assert!(fold(&[started(), asked(), paused(), back]).unwrap().standing.is_none());
    }

    #[test]
    fn a_release_stops_where_it_has_come_to() {
        let stopped = |until| -> Record { ReleaseRecord::Stopped { until }.into() };
        let check = |length: usize, expected: [bool; 3]| {
            let places = [Until::Expanded, Until::Shifted, Until::Drained];
            let journal = &contracting()[..length];
            let came = places.map(|until| fold(journal).unwrap().has_come_to(until));
            assert_eq!(came, expected, "{length}");
            let stops = places.map(|until| fold(&[journal, &[stopped(until)]].concat()).is_ok());
            assert_eq!(stops, expected, "{length}");
        };
        check(2, [false, false, false]);
        check(3, [true, false, false]);
        check(4, [true, true, false]);
        check(5, [true, true, false]);
        check(6, [true, true, true]);
    }

    #[test]
    fn only_a_decision_frees_a_stuck_step() {
        let stuck = [
            started(),
            about(1, StepRecord::Started { already: false }),
            about(1, StepRecord::Stuck { message: String::new() }),
        ];
        let then = |record: Record| fold(&stuck).unwrap().then(&record).unwrap();
        assert!(matches!(
            then(ReleaseRecord::Resumed { by: by(), blue: None, limits: Box::default() }.into()).trouble,
            Some(Trouble::Stuck { step: 1, .. })
        ));
        let retried = then(about(1, StepRecord::Retried { by: by() }));
        assert_eq!((retried.trouble.clone(), retried.in_doubt()), (None, None));
        let marked = then(about(1, StepRecord::MarkedDone { by: by(), relations: Relations::new() }));
        assert!(marked.trouble.is_none() && marked.is_done(1));
        // Going back and forth is no decision.
        let back = [
            TrafficRecord::RollbackStarted { by: by(), forced: None, failure: None, reason: None },
            TrafficRecord::RolledBack { again: vec![] },
        ]
        .map(Record::from);
        let mut journal = stuck.to_vec();
        journal.extend(back);
        journal.push(ReleaseRecord::Resumed { by: by(), blue: None, limits: Box::default() }.into());
        let again = fold(&journal).unwrap();
        assert_eq!((again.stage.clone(), again.in_doubt()), (Stage::Before, Some(1)));
    }
}
