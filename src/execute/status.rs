//! Where a release stands: a fold over its journal, and what comes next: a function of that.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::journal::{Gate, Record, Relations};
use crate::plan::saved::{Phase, SavedPlan, Step};
use crate::traffic::{Share, Strategy};

/// How far a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "stage", rename_all = "kebab-case")]
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

/// Where a release stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Status {
    /// How far it is.
    pub stage: Stage,
    /// Why it stands still, if it does.
    pub trouble: Option<Trouble>,
    /// The steps that are done.
    pub done: BTreeSet<u32>,
    /// A step outside a transaction that was begun and neither finished nor failed.
    pub in_doubt: Option<u32>,
    /// Green's share.
    pub share: Share,
    /// The step after which blue could not come back, if it ran.
    pub past_no_return: Option<u32>,
    /// Whether somebody answered for the drain.
    pub promoted: bool,
    /// The traffic backend's name.
    pub traffic: String,
    /// The shares green is to get.
    pub strategy: Strategy,
    /// The schema as the last step left it.
    pub relations: Relations,
    /// Whether the before phase is over.
    #[serde(skip)]
    expanded: bool,
    /// Whether blue is drained.
    #[serde(skip)]
    drained: bool,
}

/// A journal that does not make sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the journal is inconsistent: `{record}` can not follow {stage:?}; it was edited, or written by another version of cutover"
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
        let Record::Started { traffic, strategy, relations, .. } = record else {
            return Err(UnknownTransition { record: record.name(), stage: None });
        };
        Ok(Self {
            stage: Stage::Before,
            trouble: None,
            done: BTreeSet::new(),
            in_doubt: None,
            share: Share::NONE,
            past_no_return: None,
            promoted: false,
            traffic: traffic.clone(),
            strategy: strategy.clone(),
            relations: relations.clone(),
            expanded: false,
            drained: false,
        })
    }

    /// The status after one more record.
    pub fn then(mut self, record: &Record) -> Result<Self, UnknownTransition> {
        use Stage::{After, AwaitingApproval, Before, Done, Draining, RolledBack, RollingBack, Shifting};
        let stage = self.stage;
        let unknown = || UnknownTransition { record: record.name(), stage: Some(stage) };
        match (stage, record) {
            (Before | After, Record::StepStarted { step }) => self.in_doubt = Some(*step),
            (
                Before | After,
                Record::StepSucceeded { step, relations, .. } | Record::StepMarkedDone { step, relations, .. },
            ) => {
                self.done.insert(*step);
                self.relations = relations.clone();
                (self.in_doubt, self.trouble) = (None, None);
            }
            (Before | After, Record::StepFailed { step, message }) => {
                self.in_doubt = None;
                self.trouble = Some(Trouble::Failed { step: Some(*step), message: message.clone() });
            }
            (Before | After, Record::StepStuck { step, message }) => {
                self.trouble = Some(Trouble::Stuck { step: *step, message: message.clone() });
            }
            (Before | After, Record::StepRetried { .. }) => (self.in_doubt, self.trouble) = (None, None),
            (Before | After, Record::PointOfNoReturn { step }) => {
                self.past_no_return = self.past_no_return.or(Some(*step));
            }
            (Before, Record::PhaseFinished { phase: Phase::Before }) => {
                self.expanded = true;
                self.stage = Shifting;
            }
            (Shifting, Record::ShiftStarted { .. }) => {}
            (Shifting, Record::ShiftVerified { share, .. }) => self.share = *share,
            (Shifting | Draining, Record::ApprovalAwaited { gate }) => self.stage = AwaitingApproval { gate: *gate },
            (AwaitingApproval { .. }, Record::ApprovalAwaited { gate }) => {
                self.stage = AwaitingApproval { gate: *gate }
            }
            (AwaitingApproval { .. }, Record::Promoted { .. }) => {
                self.promoted = true;
                self.share = Share::ALL;
                self.trouble = None;
                self.stage = Draining;
            }
            (Shifting | Draining, Record::DrainStarted) => self.stage = Draining,
            (Draining, Record::Drained { .. }) => {
                self.drained = true;
                self.stage = After;
            }
            (After, Record::PhaseFinished { phase: Phase::After }) => {}
            (Shifting | After, Record::Finished) => self.stage = Done,
            (Before | Shifting | AwaitingApproval { .. } | Draining | After, Record::RollbackStarted { .. })
                if self.past_no_return.is_none() =>
            {
                self.trouble = None;
                self.stage = RollingBack;
            }
            (RollingBack, Record::RollbackStarted { .. }) => self.trouble = None,
            (RollingBack, Record::RolledBack) => {
                self.share = Share::NONE;
                (self.promoted, self.drained) = (false, false);
                self.stage = RolledBack;
            }
            (RolledBack | RollingBack, Record::Resumed { .. }) => {
                self.trouble = None;
                self.share = Share::NONE;
                self.stage = if self.expanded { Shifting } else { Before };
            }
            (Before | Shifting | AwaitingApproval { .. } | Draining | After, Record::Resumed { .. }) => {
                if !matches!(self.trouble, Some(Trouble::Stuck { .. })) {
                    self.trouble = None;
                }
            }
            (
                Before | Shifting | AwaitingApproval { .. } | Draining | After | RollingBack | RolledBack,
                Record::DriftAccepted { relations, .. },
            ) => {
                self.relations = relations.clone();
            }
            (Done, _) => return Err(unknown()),
            (_, Record::Interrupted) => self.trouble = Some(Trouble::Interrupted),
            (_, Record::Failed { message }) => {
                self.trouble = Some(Trouble::Failed { step: None, message: message.clone() });
            }
            (
                _,
                Record::Started { .. }
                | Record::StepStarted { .. }
                | Record::StepSucceeded { .. }
                | Record::StepFailed { .. }
                | Record::StepStuck { .. }
                | Record::StepMarkedDone { .. }
                | Record::StepRetried { .. }
                | Record::PointOfNoReturn { .. }
                | Record::PhaseFinished { .. }
                | Record::ShiftStarted { .. }
                | Record::ShiftVerified { .. }
                | Record::ApprovalAwaited { .. }
                | Record::Promoted { .. }
                | Record::DrainStarted
                | Record::Drained { .. }
                | Record::RollbackStarted { .. }
                | Record::RolledBack
                | Record::Finished,
            ) => return Err(unknown()),
        }
        Ok(self)
    }

    /// What comes next, if nothing stands in the way.
    pub fn next<'p>(&self, plan: &'p SavedPlan) -> Next<'p> {
        let undone = |phase| plan.phase(phase).find(|step| !self.done.contains(&step.id));
        let has_after = plan.phase(Phase::After).next().is_some();
        match self.stage {
            Stage::Before => undone(Phase::Before).map_or(Next::FinishBefore, Next::Run),
            Stage::Shifting => match self.strategy.next_after(self.share) {
                Some(share) => Next::Shift(share),
                None if has_after => Next::Drain,
                None => Next::Finish,
            },
            Stage::AwaitingApproval { gate } => Next::Wait(gate),
            Stage::Draining => Next::Drain,
            Stage::After => undone(Phase::After).map_or(Next::Finish, Next::Run),
            Stage::Done | Stage::RollingBack | Stage::RolledBack => Next::Nothing,
        }
    }

    /// Whether blue was seen drained, or somebody answered for it.
    pub fn is_drained(&self) -> bool {
        self.drained
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

    fn by() -> Actor {
        Actor { host: "h".into(), pid: 1, role: "r".into() }
    }

    fn started() -> Record {
        Record::Started {
            by: by(),
            traffic: "simulated".into(),
            strategy: Strategy::all_at_once(),
            relations: Relations::new(),
            accepted: None,
        }
    }

    fn done(step: u32) -> Record {
        Record::StepSucceeded { step, ms: 1, relations: Relations::new() }
    }

    fn fold(records: &[Record]) -> Result<Status, UnknownTransition> {
        Status::of(records).map(|status| status.unwrap())
    }

    fn expanded() -> Vec<Record> {
        vec![started(), done(1), Record::PhaseFinished { phase: Phase::Before }]
    }

    fn contracting() -> Vec<Record> {
        let shifted = Record::ShiftVerified { share: Share::ALL, confirmed: true };
        let rest = [shifted, Record::DrainStarted, Record::Drained { evidence: String::new() }];
        expanded().into_iter().chain(rest).collect()
    }

    #[test]
    fn every_beginning_of_a_journal_has_a_status() {
        let mut journal = contracting();
        journal.extend([
            done(2),
            Record::PointOfNoReturn { step: 2 },
            Record::PhaseFinished { phase: Phase::After },
            Record::Finished,
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
        assert!(fold(&[started(), Record::Finished]).is_err());
        assert!(fold(&[started(), Record::Promoted { by: by() }]).is_err());
        let error = fold(&[started(), Record::Drained { evidence: String::new() }]).unwrap_err();
        assert!(error.to_string().contains("`drained` can not follow Some(Before)"), "{error}");
    }

    #[test]
    fn rollback_follows_everything_but_the_point_of_no_return() {
        let back = [Record::RollbackStarted { by: by() }, Record::RolledBack];
        for length in 1..=contracting().len() {
            let mut journal = contracting()[..length].to_vec();
            journal.extend(back.clone());
            assert_eq!(fold(&journal).unwrap().stage, Stage::RolledBack);
            journal.push(Record::Resumed { by: by() });
            let status = fold(&journal).unwrap();
            let forward = if length < 3 { Stage::Before } else { Stage::Shifting };
            assert_eq!((status.stage, status.share), (forward, Share::NONE), "{length}");
        }
        let mut journal = contracting();
        journal.extend([done(2), Record::PointOfNoReturn { step: 2 }, back[0].clone()]);
        assert!(fold(&journal).is_err());
    }

    #[test]
    fn only_a_decision_frees_a_stuck_step() {
        let stuck = [started(), Record::StepStarted { step: 1 }, Record::StepStuck { step: 1, message: String::new() }];
        let then = |record: Record| fold(&stuck).unwrap().then(&record).unwrap();
        assert!(matches!(then(Record::Resumed { by: by() }).trouble, Some(Trouble::Stuck { step: 1, .. })));
        let retried = then(Record::StepRetried { step: 1, by: by() });
        assert_eq!((retried.trouble, retried.in_doubt), (None, None));
        let marked = then(Record::StepMarkedDone { step: 1, by: by(), relations: Relations::new() });
        assert!(marked.trouble.is_none() && marked.done.contains(&1));
    }
}
