//! The loop: fold the journal, do what comes next, append what happened.

use std::time::Instant;

use crate::postgres::Session;

use super::analysis::Watches;
use super::doors::{Doors, Moment};
use super::error::ExecuteError;
use super::event::Event;
use super::journal::{self, Actor, Gate, Record, ReleaseRecord, StepRecord, TrafficRecord};
use super::lease::{Begun, Lease};
use super::options::Options;
use super::release::Outcome;
use super::session::{Setup, failed};
use super::status::{Next, Stage, Status};
use super::stop::StopLevel;
use super::summary::summary;
use super::terminate::Terminator;
use super::{foreseen, names, preflight};
use crate::plan::saved::{Phase, PlannedMigration, SavedPlan, SavedPlanError};
use crate::postgres::history;
use crate::release::{HookMoment, Limits, Share};

/// A release being executed. Exists only while the lease is held.
pub(super) struct Engine<'e, 'd> {
    pub(super) client: &'e Session,
    pub(super) plan: &'e SavedPlan,
    pub(super) options: &'e Options,
    pub(super) doors: &'e mut Doors<'d>,
    pub(super) lease: Lease,
    pub(super) setup: Setup,
    pub(super) release: String,
    pub(super) status: Status,
    pub(super) watches: Watches,
    pub(super) aside: Aside,
}

/// Whether a step may run.
pub(super) enum Due {
    /// It is its time.
    Now,
    /// Somebody said something meanwhile, so that something else may come next.
    Heard,
    /// It is not, and nobody wants to wait here.
    Later(Outcome),
}

/// What this process knows beside the journal.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// Looks whom a step waits for.
    pub(super) terminator: Option<Terminator>,
    /// The phase of which it was written that its steps run at any time.
    pub(super) any_time: Option<Phase>,
    /// When it was looked last whether blue is gone and green is well, before the first step after the cutover.
    pub(super) looked: Option<Instant>,
}

impl<'e, 'd> Engine<'e, 'd> {
    /// Of a release as the journal has it, by whoever holds the lease.
    pub(super) fn new(
        client: &'e Session,
        plan: &'e SavedPlan,
        options: &'e Options,
        doors: &'e mut Doors<'d>,
        (lease, setup): (Lease, &Setup),
        (release, status): (String, Status),
    ) -> Self {
        let (watches, aside) = (Watches::default(), Aside::default());
        Self { client, plan, options, doors, lease, setup: setup.clone(), release, status, watches, aside }
    }
}

impl Engine<'_, '_> {
    /// Does everything that comes next until the release is over, waits for people, or fails. Failures are journaled.
    pub(super) async fn run(&mut self) -> Result<Outcome, ExecuteError> {
        self.checks_are_there()?;
        self.hooks_are_there()?;
        loop {
            let waited = self.waits_for_a_word();
            let error = match self.advance().await {
                // Nothing was under way that is not done again.
                Ok(None) | Err(ExecuteError::PauseHeard) => continue,
                Ok(Some(outcome)) => return Ok(outcome),
                // Nothing was under way that a new session cannot find out.
                Err(error)
                    if error.is_connection_lost()
                        && (waited || self.waits_for_a_word())
                        && self.status.stage != Stage::RollingBack =>
                {
                    return Err(ExecuteError::LostWhileWaiting);
                }
                Err(error) => error,
            };
            // Whoever has said meanwhile that it goes back waits for that. A pause makes no failure undone.
            if self.status.hears()
                && self.doors.stop.level() == StopLevel::Run
                && self.hears_a_word().await.unwrap_or(false)
                && self.status.pause().is_none()
            {
                continue;
            }
            let is_journaled = self.journal_failure(&error).await;
            let ended = match self.goes_back_by_itself(&error) {
                Some(why) => self.go_back_by_itself(why).await,
                None => Err(error),
            };
            let is_failure = |error: &ExecuteError| is_journaled && !matches!(error, ExecuteError::Interrupted);
            if ended.as_ref().is_err_and(is_failure) {
                self.call_hook_afterwards(HookMoment::OnFailure).await;
            }
            return ended;
        }
    }

    /// Whether all that is to be done is to wait for somebody.
    fn waits_for_a_word(&self) -> bool {
        let waits = self.status.is_paused() || self.status.awaits_time();
        self.options.wait && (waits || matches!(self.status.next(self.plan), Next::Wait(_)))
    }

    async fn advance(&mut self) -> Result<Option<Outcome>, ExecuteError> {
        if self.doors.stop.level() > StopLevel::Run {
            return Err(ExecuteError::Interrupted);
        }
        if self.hears_a_pause().await? {
            return self.stand_still().await;
        }
        if let Some(outcome) = self.stop_where_asked().await? {
            return Ok(Some(outcome));
        }
        let plan = self.plan;
        let next = self.status.next(plan);
        if let Some(phase) = self.begins_in(&next) {
            match self.its_time(phase).await? {
                Due::Now => {}
                Due::Heard => return Ok(None),
                Due::Later(outcome) => return Ok(Some(outcome)),
            }
        }
        match next {
            Next::Run(step) => {
                if self.status.stage == Stage::After {
                    self.nobody_else_moved(Share::ALL).await?;
                }
                self.run_step(step).await?;
                self.look(Moment::AfterStep(step)).await?;
            }
            Next::FinishBefore => {
                self.append(&[ReleaseRecord::PhaseFinished { phase: Phase::Before }.into()]).await?;
                self.look(Moment::AfterPhase(Phase::Before)).await?;
            }
            Next::Shift(share) => self.shift(share).await?,
            Next::Hold(time) => self.hold(time).await?,
            Next::Check(name) => self.gate(&name).await?,
            Next::Ask(gate) => {
                self.append(&[TrafficRecord::ApprovalAwaited { gate: Gate::Ramp(gate) }.into()]).await?;
            }
            Next::Wait(gate) => {
                if !self.await_word().await? {
                    return Ok(Some(Outcome::AwaitingApproval { release: self.release.clone(), gate }));
                }
            }
            Next::CallHook(hook) => self.call_hook(hook).await?,
            Next::Drain => self.drain().await?,
            Next::Finish => {
                self.finish().await?;
                self.look(Moment::AfterPhase(Phase::After)).await?;
            }
            Next::Nothing if self.status.stage == Stage::RollingBack => {
                return Ok(Some(self.go_back_when_told().await?));
            }
            Next::Nothing => return Ok(Some(Outcome::Done { release: self.release.clone(), already: false })),
        }
        Ok(None)
    }

    /// The phase of which something begins, which may have to wait for its time: a step, or who is called before the first one.
    fn begins_in(&self, next: &Next<'_>) -> Option<Phase> {
        let phase = match next {
            Next::Run(step) => return Some(step.phase),
            Next::CallHook(HookMoment::BeforeExpand) => Phase::Before,
            Next::CallHook(HookMoment::BeforeContract) => Phase::After,
            _ => return None,
        };
        self.plan.phase(phase).any(|step| !self.status.is_done(step.id)).then_some(phase)
    }

    /// The world must be as the journal left it: before carrying on, and before the after phase.
    pub(super) async fn check_world(&self) -> Result<(), ExecuteError> {
        preflight::world(self.client, self.plan, &self.status).await
    }

    /// What has not run yet must be able to, unless the operator knows better, and must mean what the plan means.
    pub(super) async fn foresee(&mut self) -> Result<(), ExecuteError> {
        names::as_planned(self.client, self.plan, &self.status).await?;
        for what in foreseen::allowed(self.client, self.plan, &self.status, self.options).await? {
            (self.doors.events)(&Event::Warning { what });
        }
        Ok(())
    }

    /// The limits of the release, with what this command says of them.
    pub(super) fn limits(&self) -> Limits {
        self.status.limits.then(self.options.limits)
    }

    /// Who this is.
    pub(super) fn actor(&self) -> Actor {
        self.setup.actor(self.options)
    }

    /// Records the migrations that no step completed, and closes the release, in one transaction.
    async fn finish(&mut self) -> Result<(), ExecuteError> {
        if self.status.stage != Stage::After && !self.end_deployment().await? {
            return Ok(());
        }
        self.finalize_traffic().await?;
        let plan = self.plan;
        self.begin().await?;
        let done = async {
            let convention = plan.migrations.convention;
            let recorded = history::recorded(self.client, &plan.migrations).await?;
            for migration in &plan.migrations.pending {
                let key = convention.version_key(&migration.version);
                if !recorded.contains(&key) {
                    self.record_history(&migration.version).await?;
                }
            }
            match self.status.stage {
                Stage::After => {
                    let over = ReleaseRecord::PhaseFinished { phase: Phase::After };
                    self.write(&[over.into(), ReleaseRecord::Finished.into()]).await
                }
                _ => self.write(&[ReleaseRecord::Finished.into()]).await,
            }
        };
        let written = done.await;
        self.end(written).await?;
        // Everything is done, whether or not that can be said.
        if let Ok(entries) = journal::entries(self.client, &self.release).await {
            (self.doors.events)(&Event::Summed { summary: summary(plan, &entries) });
        }
        Ok(())
    }

    /// Writes a migration's row into the team's history, in the transaction at hand.
    pub(super) async fn record_history(&self, version: &str) -> Result<(), ExecuteError> {
        if let Some((migration, text)) = self.recordable(version)? {
            history::record_at(self.client, history::place(&self.plan.migrations), migration, text).await?;
        }
        Ok(())
    }

    /// The statements that write it, for the transaction at hand.
    pub(super) async fn history_rows(&self, version: &str) -> Result<Vec<String>, ExecuteError> {
        Ok(match self.recordable(version)? {
            Some((migration, text)) => {
                history::rows_of(self.client, history::place(&self.plan.migrations), migration, text).await?
            }
            None => Vec::new(),
        })
    }

    /// A pending migration with the text that its history keeps.
    fn recordable(&self, version: &str) -> Result<Option<(&PlannedMigration, &str)>, ExecuteError> {
        let migrations = &self.plan.migrations;
        let Some(migration) = migrations.pending.iter().find(|migration| migration.version == version) else {
            return Ok(None);
        };
        match &migration.text {
            Some(text) => Ok(Some((migration, text))),
            None if !migrations.convention.keeps_text() => Ok(Some((migration, ""))),
            None => {
                let why = format!("migration {version} has no text, and {} keeps it", migrations.convention);
                Err(SavedPlanError::Malformed(why).into())
            }
        }
    }

    /// Calls the observer.
    pub(super) async fn look(&mut self, moment: Moment<'_>) -> Result<(), ExecuteError> {
        match &mut self.doors.observer {
            Some(observer) => observer.look(moment, self.client).await.map_err(ExecuteError::Observed),
            None => Ok(()),
        }
    }

    /// Appends records in a transaction of their own.
    pub(super) async fn append(&mut self, records: &[Record]) -> Result<(), ExecuteError> {
        self.begin().await?;
        let written = self.write(records).await;
        self.end(written).await
    }

    /// Begins a transaction in which the lease is ours.
    pub(super) async fn begin(&mut self) -> Result<Begun, ExecuteError> {
        self.begin_with("").await
    }

    /// The same with settings.
    pub(super) async fn begin_with(&mut self, settings: &str) -> Result<Begun, ExecuteError> {
        let begun = self.lease.begin(self.client, settings).await;
        if begun.is_err() {
            self.roll_back().await;
        }
        begun
    }

    /// Inserts records into the journal, in the transaction at hand. What does not follow from the status is never written.
    pub(super) async fn write(&self, records: &[Record]) -> Result<Written, ExecuteError> {
        let mut status = self.status.clone();
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            status = status.then(record)?;
            let seq = journal::append(self.client, &self.release, self.lease.epoch, record).await?;
            rows.push((seq, record.clone()));
        }
        Ok(Written { status, rows })
    }

    /// Commits, or rolls back if there is nothing to commit.
    pub(super) async fn end(&mut self, written: Result<Written, ExecuteError>) -> Result<(), ExecuteError> {
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                self.roll_back().await;
                return Err(error);
            }
        };
        self.doors.passes("before commit");
        // A connection lost in here leaves the outcome open; the journal tells it on resume.
        self.client.batch_execute("COMMIT").await.map_err(failed("committing"))?;
        self.committed(written);
        Ok(())
    }

    /// Takes over what is committed.
    pub(super) fn committed(&mut self, written: Written) {
        self.doors.passes("after commit");
        self.status = written.status;
        for (seq, record) in written.rows {
            (self.doors.events)(&Event::Journaled { release: self.release.clone(), seq, record: Box::new(record) });
        }
    }

    pub(super) async fn roll_back(&mut self) {
        // Anything sent now would wait behind the statement that is being abandoned; the server rolls back with the session.
        if self.doors.stop.level() == StopLevel::Abort {
            return;
        }
        // If this fails the connection is gone, and with it the transaction.
        let _ = self.client.batch_execute("ROLLBACK").await;
        let _ = self.setup.restore(self.client).await;
    }

    /// Says whether it was a failure of the release, and not of this process's part in it.
    pub(super) async fn journal_failure(&mut self, error: &ExecuteError) -> bool {
        let record = match error {
            ExecuteError::Aborted
            | ExecuteError::PauseHeard
            | ExecuteError::LostWhileWaiting
            | ExecuteError::LeaseLost { .. }
            | ExecuteError::Pooled { .. }
            | ExecuteError::Journal(_)
            | ExecuteError::Transition(_) => return false,
            ExecuteError::Interrupted => ReleaseRecord::Interrupted.into(),
            ExecuteError::Step(failure) => {
                Record::Step { step: failure.step, what: StepRecord::Failed { message: failure.message.clone() } }
            }
            ExecuteError::Stuck { step, message } => {
                Record::Step { step: *step, what: StepRecord::Stuck { message: message.clone() } }
            }
            other => ReleaseRecord::Failed { message: other.to_string() }.into(),
        };
        // A late cancel request may hit the first try. Without a connection the journal simply ends here.
        if self.append(std::slice::from_ref(&record)).await.is_err() {
            let _ = self.append(&[record]).await;
        }
        true
    }
}

/// Records that are inserted and not committed.
pub(super) struct Written {
    pub(super) status: Status,
    pub(super) rows: Vec<(i64, Record)>,
}
