//! The commands: begin a release, carry on, approve, go back, look.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::begun::{Intent, leave_to_its_tool, plan_of, status_of};
use super::doors::{Doors, Moment};
use super::engine::Engine;
use super::error::{ExecuteError, Misfit};
use super::event::Event;
use super::holder::Holder;
use super::journal::{
    self, Actor, Entry, Gate, Guard, GuardChange, Record, Release, ReleaseRecord, StepRecord, TimeWait, TrafficRecord,
};
use super::lease::{self, Lease};
use super::options::Options;
use super::part::{not_forgotten, same_part};
use super::session::{Setup, failed};
use super::shift::{LISTEN, Poll, blue_sessions};
use super::stand::{Stands, call_on, make_stand};
use super::status::{Stage, Status, Trouble};
use super::stop::{StopLevel, interruptible};
use super::{files, foreseen, names, preflight, relations, replan};
use crate::plan::saved::{Phase, Role, SavedPlan, Step, Verdict, Work};
use crate::postgres::Session;
use crate::release::{HookMoment, Until};
use crate::side::Side;
use crate::sql::recognise::Alone;
use crate::traffic::{Capabilities, Kind, Manual, TrafficBackend as _};

/// How a command ends well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// Everything is done.
    Done {
        /// The release.
        release: String,
        /// Whether it was done before this command.
        already: bool,
    },
    /// Somebody's word is needed.
    AwaitingApproval {
        /// The release.
        release: String,
        /// What for.
        gate: Gate,
    },
    /// It stands still, because somebody asked for that.
    Paused {
        /// The release.
        release: String,
        /// Who asked for it.
        by: Actor,
        /// Why, if they said it.
        reason: Option<String>,
        /// When the hold is over that the pause came in, which a pause does not move: milliseconds since 1970.
        hold_until_ms: Option<i64>,
    },
    /// What comes next is not to run yet.
    AwaitingTime {
        /// The release.
        release: String,
        /// When it may, by the server's clock: milliseconds since 1970.
        until_ms: i64,
        /// What it waits for.
        why: TimeWait,
        /// Whether blue can come back until then.
        back: bool,
    },
    /// It came to where it was to stop.
    Stopped {
        /// The release.
        release: String,
        /// Where.
        until: Until,
        /// Whether it was there before this command.
        already: bool,
    },
    /// A process that stood still goes on with it.
    HandedOver {
        /// The release.
        release: String,
        /// Who goes on.
        to: Holder,
    },
    /// Traffic is back on blue.
    RolledBack {
        /// The release.
        release: String,
        /// Whether people have to move it.
        by_hand: bool,
        /// What was wrong with green, where nobody asked for it.
        failure: Option<String>,
    },
}

impl Outcome {
    /// That of a release which somebody has taken back.
    pub(crate) fn went_back(release: String, status: &Status) -> Self {
        Self::RolledBack { release, by_hand: status.traffic.backend == Manual.name(), failure: None }
    }
}

/// How `promote` ends well.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Promotion {
    /// This process carried on.
    CarriedOn(Outcome),
    /// A waiting process carries on.
    Handed(Box<Holder>),
    /// The word is written, and the process that should carry on has not answered.
    Unanswered(Box<Holder>),
}

impl From<Outcome> for Promotion {
    fn from(outcome: Outcome) -> Self {
        Self::CarriedOn(outcome)
    }
}

/// What the operator decides when `resume` asks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// The step took effect.
    MarkDone(u32),
    /// The step did not take effect and may run again.
    Retry(u32),
    /// The step is left out: it has not taken effect, and shall not.
    Skip {
        /// Which.
        step: u32,
        /// Why, for the journal.
        reason: String,
    },
    /// The live schema is right as it is, although this release did not leave it so.
    AcceptDrift,
}

/// Begins the release of a plan and runs it.
pub async fn execute(
    client: &mut Session,
    plan: &SavedPlan,
    options: &Options,
    doors: &mut Doors<'_>,
) -> Result<Outcome, ExecuteError> {
    match plan.verdict {
        Verdict::Safe => {}
        Verdict::Unsafe => return Err(ExecuteError::Unsafe),
    }
    if let Some(continues) = &plan.continues {
        return Err(Misfit::CarriesOn { release: continues.release.clone() }.into());
    }
    files::unchanged(plan)?;
    let (setup, by) = enter(client, options, Intent::Begin).await?;
    if !options.wait && !options.at_any_time {
        preflight::its_time(client, plan).await?;
    }
    // A plan that does not fit leaves nothing in the database, not even the journal's schema. It is looked at once more under the lease.
    if !journal::is_there(client).await? {
        let (_, status) = fitting(client, plan, options, &by, doors.traffic.name()).await?;
        names::as_planned(client, plan, &status).await?;
        let foreseen = foreseen::allowed(client, plan, &status, options).await;
        foreseen.map_err(|error| ExecuteError::NotBegun(Box::new(error)))?;
    }
    let lease = Lease::acquire(client, &by, Intent::Begin, options.patience, doors).await?;
    let done = begin(client, plan, options, doors, lease, &setup, by).await;
    let done = match done {
        Err(error) if is_not_begun(client, plan, &error).await => Err(ExecuteError::NotBegun(Box::new(error))),
        done => done,
    };
    leave(client, &setup, lease, doors).await;
    done
}

/// Whether an error came before there was a release. Where nobody can tell any more, there may be one.
async fn is_not_begun(client: &Session, plan: &SavedPlan, error: &ExecuteError) -> bool {
    let silent = client.is_closed() || matches!(error, ExecuteError::Aborted | ExecuteError::Unfinished { .. });
    !silent && matches!(journal::find_release(client, &plan.digest).await, Ok(None))
}

async fn begin(
    client: &Session,
    plan: &SavedPlan,
    options: &Options,
    doors: &mut Doors<'_>,
    lease: Lease,
    setup: &Setup,
    by: Actor,
) -> Result<Outcome, ExecuteError> {
    if let Some(release) = done_already(client, plan, options).await? {
        return Ok(Outcome::Done { release, already: true });
    }
    let (mut started, status) = fitting(client, plan, options, &by, doors.traffic.name()).await?;
    let release = release_id(plan);
    let mut engine = Engine::new(client, plan, options, doors, (lease, setup), (release, status));
    engine.call_once("preflight", |traffic, context| traffic.preflight(context)).await?;
    let can = engine.ramp_fits().await?;
    if let Record::Release(ReleaseRecord::Started { target, .. }) = &mut started {
        target.clone_from(&can.target);
        engine.status.traffic.target = can.target;
    }
    engine.foresee().await?;
    engine.look(Moment::Preflighted).await?;
    engine.create(&by, &started).await?;
    engine.run().await
}

/// Sees that no release stands in the way of a plan's. Gives the plan's own, if all of it has run.
pub(super) async fn done_already(
    client: &Session,
    plan: &SavedPlan,
    options: &Options,
) -> Result<Option<String>, ExecuteError> {
    if let Some(release) = journal::find_release(client, &plan.digest).await? {
        let status = status_of(client, &release.id).await?;
        return match status.stage {
            Stage::Done => Ok(Some(release.id)),
            stage => Err(ExecuteError::Begun { release: release.id, stage }),
        };
    }
    if let Some(release) = journal::latest_release(client).await? {
        let status = status_of(client, &release.id).await?;
        if !status.is_over() {
            return Err(ExecuteError::Unfinished { release: release.id, stage: status.stage });
        }
        replan::ran_before(client, plan).await?;
        not_forgotten(&release.id, &status, options)?;
    }
    Ok(None)
}

/// Sees that the database is where the plan begins; the record that says so, and the status with it.
pub(super) async fn fitting(
    client: &Session,
    plan: &SavedPlan,
    options: &Options,
    by: &Actor,
    traffic: &str,
) -> Result<(Record, Status), ExecuteError> {
    let accepted = preflight::base(client, plan, options.accept_base).await?;
    relations::expected(client, plan).await?;
    let started = ReleaseRecord::Started {
        by: by.clone(),
        traffic: traffic.to_owned(),
        target: None,
        ramp: options.ramp.clone(),
        relations: relations::hashes(client, plan).await?,
        accepted,
        blue: guard(client, options).await?,
        limits: Box::new(options.limits),
        on_failure: options.on_failure,
        part: options.part.clone().unwrap_or_default(),
    }
    .into();
    let Some(status) = Status::of([&started])? else { return Err(ExecuteError::NoRelease) };
    preflight::history(client, plan, &status).await?;
    Ok((started, status))
}

impl Engine<'_, '_> {
    async fn create(&mut self, by: &Actor, started: &Record) -> Result<(), ExecuteError> {
        self.doors.passes("before the release");
        self.begin().await?;
        let done = async {
            self.release = journal::create_release(self.client, self.plan, by).await?;
            crate::postgres::history::baseline(self.client, &self.plan.migrations).await?;
            Ok::<_, ExecuteError>(journal::append(self.client, &self.release, self.lease.epoch, started).await?)
        };
        let seq = match done.await {
            Ok(seq) => seq,
            Err(error) => {
                self.roll_back().await;
                return Err(error);
            }
        };
        self.doors.passes("before commit");
        self.client.batch_execute("COMMIT").await.map_err(failed("committing"))?;
        self.doors.passes("after commit");
        (self.doors.events)(&Event::Journaled {
            release: self.release.clone(),
            seq,
            record: Box::new(started.clone()),
        });
        Ok(())
    }
}

/// Carries on with the release that was begun last.
pub async fn resume(
    client: &mut Session,
    decision: Option<Decision>,
    options: &Options,
    doors: &mut Doors<'_>,
) -> Result<Outcome, ExecuteError> {
    let (setup, by) = enter(client, options, Intent::CarryOn).await?;
    if decision.is_none()
        && !options.keep_pause
        && let Some(outcome) = call_on(client, &by, options, doors).await?
    {
        return Ok(outcome);
    }
    let lease = Lease::acquire(client, &by, Intent::CarryOn, options.patience, doors).await?;
    let done = carry_on(client, decision, options, doors, lease, &setup, by).await;
    leave(client, &setup, lease, doors).await;
    done
}

pub(super) async fn carry_on(
    client: &Session,
    decision: Option<Decision>,
    options: &Options,
    doors: &mut Doors<'_>,
    lease: Lease,
    setup: &Setup,
    by: Actor,
) -> Result<Outcome, ExecuteError> {
    let Some(release) = journal::latest_release(client).await? else { return Err(ExecuteError::NoRelease) };
    let status = status_of(client, &release.id).await?;
    if status.stage == Stage::Done {
        return Ok(Outcome::Done { release: release.id, already: true });
    }
    same_part(&release.id, &status, options)?;
    same_traffic(&status, doors)?;
    // Whoever comes back to its wait finds that somebody has taken the release back meanwhile.
    if options.keep_pause && status.stage == Stage::RolledBack {
        return Ok(Outcome::went_back(release.id, &status));
    }
    let plan = plan_of(&release)?;
    for drift in files::drifted(&plan) {
        (doors.events)(&Event::FilesChanged { why: drift.to_string() });
    }
    let mut engine = Engine::new(client, &plan, options, doors, (lease, setup), (release.id, status));
    engine.same_target().await?;
    if let Some(decision) = decision {
        engine.decide(decision, &by).await?;
    }
    if let Some(Trouble::Stuck { step, message }) = engine.status.trouble.clone() {
        return Err(ExecuteError::Stuck { step, message });
    }
    if let Some(until) = options.until.filter(|until| engine.status.has_come_to(*until)) {
        return Ok(Outcome::Stopped { release: engine.release, until, already: true });
    }
    engine.check_world().await?;
    names::as_planned(client, &plan, &engine.status).await?;
    if options.keep_pause && engine.status.pause().is_some() {
        return engine.run().await;
    }
    // A way back that was begun and not ended: nobody knows how far it came, and forward begins from nothing.
    if engine.status.stage == Stage::RollingBack {
        if options.keep_pause {
            return engine.go_back_when_told().await;
        }
        let can = engine.capabilities().await?;
        engine.give_back(&can).await?;
    }
    let blue = guard_change(client, options).await?;
    let resumed = ReleaseRecord::Resumed { by, blue, limits: Box::new(options.limits) };
    if !engine.append_unless_told(resumed.into()).await? {
        return engine.go_back_when_told().await;
    }
    engine.run().await
}

impl Engine<'_, '_> {
    /// Appends a record; `false`, and nothing is appended, if somebody wrote beside this in the meantime that the release goes back.
    pub(super) async fn append_unless_told(&mut self, record: Record) -> Result<bool, ExecuteError> {
        self.append_if(record, |_| true).await
    }

    /// The same, and nothing is appended either if the release, as the journal has it now, is not as it must be (`may`).
    pub(super) async fn append_if(
        &mut self,
        record: Record,
        may: impl Fn(&Status) -> bool,
    ) -> Result<bool, ExecuteError> {
        let mut told = false;
        self.begin().await?;
        let written = async {
            // With the lease's row locked nobody writes beside this.
            let now = status_of(self.client, &self.release).await?;
            told = now.stage == Stage::RollingBack && self.status.stage != Stage::RollingBack;
            let records: &[Record] = if told || !may(&now) { &[] } else { &[record] };
            self.status = now;
            self.write(records).await
        };
        let written = written.await;
        self.end(written).await?;
        if told {
            let (forced, reason) = self.last_word_back().await?;
            let heard = TrafficRecord::RollbackStarted { by: self.actor(), forced, failure: None, reason };
            self.append(&[heard.into()]).await?;
        }
        Ok(!told)
    }
}

/// The guard that the caller wants, and whether blue has such a session now.
async fn guard(client: &Session, options: &Options) -> Result<Option<Guard>, ExecuteError> {
    let Some(sessions) = options.blue.clone() else { return Ok(None) };
    let seen = blue_sessions(client, &sessions, None).await? > 0;
    Ok(Some(Guard { sessions, seen }))
}

/// What the caller wants to become of the release's guard.
pub(super) async fn guard_change(client: &Session, options: &Options) -> Result<Option<GuardChange>, ExecuteError> {
    if options.lift_guard {
        return Ok(Some(GuardChange::Lift));
    }
    Ok(guard(client, options).await?.map(GuardChange::Watch))
}

impl Engine<'_, '_> {
    async fn decide(&mut self, decision: Decision, by: &Actor) -> Result<(), ExecuteError> {
        let by = by.clone();
        let needs = match &self.status.trouble {
            Some(Trouble::Stuck { step, .. }) | Some(Trouble::Failed { step: Some(step), .. }) => Some(*step),
            Some(Trouble::Failed { step: None, .. } | Trouble::Interrupted) | None => self.status.in_doubt(),
        };
        let relations = relations::hashes(self.client, self.plan).await?;
        let (step, record) = match decision {
            Decision::AcceptDrift => {
                return self.append(&[ReleaseRecord::DriftAccepted { by, relations }.into()]).await;
            }
            Decision::MarkDone(step) => (step, StepRecord::MarkedDone { by, relations }),
            Decision::Retry(step) => (step, StepRecord::Retried { by }),
            Decision::Skip { step, ref reason } => {
                (step, StepRecord::Skipped { by, reason: reason.clone(), relations })
            }
        };
        let plan = self.plan;
        if needs != Some(step) {
            let is_owed = needs.is_none() && self.status.stage == Stage::After && !self.status.is_done(step);
            let may_skip = is_owed && plan.phase(Phase::After).any(|owed| owed.id == step);
            if !(may_skip && matches!(decision, Decision::Skip { .. })) {
                return Err(ExecuteError::NoDecision { step, needs });
            }
            let needed =
                |other: &&Step| !self.status.is_done(other.id) && other.needs.iter().any(|need| need.step == step);
            if let Some(by) = plan.steps.iter().find(needed) {
                return Err(ExecuteError::Needed { step, by: by.id });
            }
        }
        let planned = plan.step(step);
        let mut records = vec![Record::Step { step, what: record }];
        let mut completes: &[String] = &[];
        if let (Decision::MarkDone(_) | Decision::Skip { .. }, Some(planned)) = (&decision, planned) {
            completes = &planned.completes;
            // What may have happened to blue counts as if it had. A step that was never begun has taken nothing.
            if needs == Some(step) {
                records.extend(self.no_return(planned));
            }
        }
        if let (Decision::Skip { .. }, Some(planned @ Step { work: Work::Alone { statement }, .. })) =
            (&decision, planned)
        {
            self.clear_up(planned, &Alone::of(&statement.sql)).await;
        }
        self.begin().await?;
        let done = async {
            for version in completes {
                self.record_history(version).await?;
            }
            self.write(&records).await
        };
        let written = done.await;
        self.end(written).await
    }
}

/// What somebody approves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approval {
    /// The gate of the ramp; none: that green has all traffic and blue serves nobody any more.
    pub gate: Option<String>,
    /// Why, for the journal.
    pub reason: Option<String>,
}

/// Approves: writes the promotion beside whoever waits, and carries on if nobody does.
pub async fn promote(
    client: &mut Session,
    approval: &Approval,
    options: &Options,
    doors: &mut Doors<'_>,
) -> Result<Promotion, ExecuteError> {
    let (setup, by) = enter(client, options, Intent::CarryOn).await?;
    if !journal::is_there(client).await? {
        return Err(ExecuteError::NoRelease);
    }
    let Some(release) = journal::latest_release(client).await? else { return Err(ExecuteError::NoRelease) };
    let plan = plan_of(&release)?;
    // What would stop the release must not find it approved.
    let status = status_of(client, &release.id).await?;
    let waits = |status: &Status| waits_for(&release.id, status, approval);
    waits(&status)?;
    same_traffic(&status, doors)?;
    preflight::world(client, &plan, &status).await?;
    foreseen::allowed(client, &plan, &status, options).await?;
    names::as_planned(client, &plan, &status).await?;
    let blue = guard_change(client, options).await?;
    let reason = approval.reason.clone();
    let promoted = TrafficRecord::Promoted { by: by.clone(), reason, blue, limits: Box::new(options.limits) };
    let seq = write_beside(client, &release.id, promoted.into(), waits, doors).await?;
    let lease = match Lease::acquire(client, &by, Intent::CarryOn, Duration::ZERO, doors).await {
        Err(ExecuteError::Held(holder)) => match answered(client, &release.id, seq, doors).await? {
            Answered::Heard => return Ok(Promotion::Handed(holder)),
            Answered::Silent => return Ok(Promotion::Unanswered(holder)),
            Answered::Gone => Lease::acquire(client, &by, Intent::CarryOn, options.patience, doors).await?,
        },
        lease => lease?,
    };
    let done = carry_on(client, None, options, doors, lease, &setup, by).await;
    leave(client, &setup, lease, doors).await;
    done.map(Promotion::CarriedOn)
}

/// How long the process that holds the lease may take to answer what was written beside it. It looks every second.
const ANSWER: Duration = Duration::from_secs(10);

/// What became of a word that was written beside a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// The process has written to the journal since.
    Heard,
    /// It is still there, and has not.
    Silent,
    /// It has ended without having heard it: whoever gave the word may do it.
    Gone,
}

/// What a process that ends writes, whether or not it has heard anything.
fn is_farewell(record: &Record) -> bool {
    matches!(record, Record::Release(ReleaseRecord::Interrupted | ReleaseRecord::Failed { .. }))
}

/// Waits until somebody has written to the journal after a row, or nobody is left who could.
pub(super) async fn answered(
    client: &Session,
    release: &str,
    seq: i64,
    doors: &mut Doors<'_>,
) -> Result<Answered, ExecuteError> {
    let mut poll = Poll::new(ANSWER);
    loop {
        // In this order: what a process writes last, it writes before it goes.
        let holder = lease::holder(client).await?;
        let entries = journal::entries(client, release).await?;
        if entries.iter().any(|entry| entry.seq > seq && !is_farewell(&entry.record)) {
            return Ok(Answered::Heard);
        }
        if holder.is_none() {
            return Ok(Answered::Gone);
        }
        let Some(pause) = poll.next(Duration::ZERO) else { return Ok(Answered::Silent) };
        interruptible(&doors.stop, doors.clock.sleep(pause)).await?;
    }
}

/// Answers a release that waits for that (`may`), without the lease: whoever holds it reads the word in the journal. Gives the row's place.
pub(super) async fn write_beside(
    client: &Session,
    release: &str,
    record: Record,
    may: impl Fn(&Status) -> Result<(), ExecuteError>,
    doors: &mut Doors<'_>,
) -> Result<i64, ExecuteError> {
    client.batch_execute("BEGIN").await.map_err(failed("beginning a transaction"))?;
    let written = async {
        let epoch = lease::beside(client).await?;
        // Once more: somebody else may have answered.
        let status = status_of(client, release).await?;
        may(&status)?;
        status.then(&record)?;
        Ok::<_, ExecuteError>(journal::append(client, release, epoch, &record).await?)
    };
    let written = written.await;
    let end = if written.is_ok() { "COMMIT" } else { "ROLLBACK" };
    doors.passes("before commit");
    let ended = client.batch_execute(end).await.map_err(failed("writing to the journal"));
    let seq = written?;
    ended?;
    doors.passes("after commit");
    (doors.events)(&Event::Journaled { release: release.to_owned(), seq, record: Box::new(record) });
    Ok(seq)
}

/// Whether a release waits for this approval and no other.
fn waits_for(release: &str, status: &Status, approval: &Approval) -> Result<(), ExecuteError> {
    let release = release.to_owned();
    if let Some((by, reason)) = status.pause() {
        return Err(ExecuteError::Paused { release, by: by.clone(), reason: reason.map(str::to_owned) });
    }
    match &status.stage {
        Stage::AwaitingApproval { gate } => {
            let asked = gate.name();
            let is_that = asked == approval.gate.as_ref();
            if is_that { Ok(()) } else { Err(ExecuteError::OtherGate { release, asked: asked.cloned() }) }
        }
        stage => Err(ExecuteError::NotWaiting { release, stage: stage.clone() }),
    }
}

/// Whether whoever executes a release listens for the word to go back.
fn hears(release: &str, status: &Status) -> Result<(), ExecuteError> {
    match status.hears() {
        true => Ok(()),
        false => Err(ExecuteError::NotWaiting { release: release.to_owned(), stage: status.stage.clone() }),
    }
}

/// From where a release goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// From wherever blue may come back.
    Anywhere,
    /// While its traffic is on its way to green.
    Ramp,
}

/// Moves traffic back to blue. What the before phase did stays.
pub async fn rollback(client: &mut Session, options: &Options, doors: &mut Doors<'_>) -> Result<Outcome, ExecuteError> {
    back(client, Start::Anywhere, options, doors).await
}

/// Stops the ramp and moves traffic back to blue. Does nothing before the ramp or after it.
pub async fn abort(client: &mut Session, options: &Options, doors: &mut Doors<'_>) -> Result<Outcome, ExecuteError> {
    back(client, Start::Ramp, options, doors).await
}

pub(crate) async fn back(
    client: &mut Session,
    from: Start,
    options: &Options,
    doors: &mut Doors<'_>,
) -> Result<Outcome, ExecuteError> {
    let (setup, by) = enter(client, options, Intent::CarryOn).await?;
    if !journal::is_there(client).await? {
        return Err(ExecuteError::NoRelease);
    }
    let Some(release) = journal::latest_release(client).await? else { return Err(ExecuteError::NoRelease) };
    let (plan, status) = (plan_of(&release)?, status_of(client, &release.id).await?);
    may_go_back(&release.id, &plan, &status, from)?;
    // One that waits goes back with all of its databases; one that runs is not stopped by whoever may not.
    if !status.hears() || lease::holder(client).await?.is_none() {
        same_part(&release.id, &status, options)?;
    }
    // The session of an executor that was killed ends by itself. One that runs hears that it is to stop, and does so where it can.
    let patience = if status.hears() { Duration::ZERO } else { options.patience.min(LISTEN) };
    let lease = match Lease::acquire(client, &by, Intent::CarryOn, patience, doors).await {
        Err(ExecuteError::Held(_)) => {
            same_traffic(&status, doors)?;
            match make_stand(client, &release.id, &by, options, doors).await? {
                // Whoever waits may wait for ever: it is told, and goes back itself.
                Stands::Listening(holder) => {
                    if let Some(outcome) = hand_over_rollback(client, options, doors, by.clone(), holder).await? {
                        return Ok(outcome);
                    }
                }
                Stands::Gone => {}
            }
            Lease::acquire(client, &by, Intent::CarryOn, options.patience, doors).await?
        }
        lease => lease?,
    };
    let done = go_back(client, from, options, doors, lease, &setup, by).await;
    leave(client, &setup, lease, doors).await;
    done
}

/// Writes in the database that leads how the others are: that they have come to the end of the phase before the cutover, or why they have not come to
/// where all must be.
pub(crate) async fn others_are(
    client: &mut Session,
    how: Result<(), String>,
    options: &Options,
    doors: &mut Doors<'_>,
) -> Result<(), ExecuteError> {
    let (setup, by) = enter(client, options, Intent::CarryOn).await?;
    let lease = Lease::acquire(client, &by, Intent::CarryOn, options.patience, doors).await?;
    let done = async {
        let Some(release) = journal::latest_release(client).await? else { return Err(ExecuteError::NoRelease) };
        let status = status_of(client, &release.id).await?;
        same_part(&release.id, &status, options)?;
        let record = match how {
            _ if status.stage == Stage::Done => return Ok(()),
            Ok(()) if status.others_expanded => return Ok(()),
            Ok(()) => ReleaseRecord::OthersExpanded,
            Err(message) => ReleaseRecord::Failed { message },
        };
        let plan = plan_of(&release)?;
        let mut engine = Engine::new(client, &plan, options, doors, (lease, &setup), (release.id, status));
        engine.append(&[record.into()]).await
    };
    let done = done.await;
    leave(client, &setup, lease, doors).await;
    done
}

/// Whether a release may go back to blue.
fn may_go_back(release: &str, plan: &SavedPlan, status: &Status, from: Start) -> Result<(), ExecuteError> {
    if let Some(step) = status.past_no_return {
        let object = plan.step(step).map(|planned| planned.object.clone());
        return Err(ExecuteError::NoReturn { step, object: object.unwrap_or_default() });
    }
    match from {
        _ if status.is_over() => Err(ExecuteError::NoRelease),
        Start::Ramp if !status.is_in_ramp() && status.stage != Stage::RollingBack => {
            Err(ExecuteError::NotInRamp { release: release.to_owned(), stage: status.stage.clone() })
        }
        Start::Ramp | Start::Anywhere => Ok(()),
    }
}

/// Writes the rollback beside the process that waits for approval, and sees that it goes back. `None`: it has ended before it was there.
async fn hand_over_rollback(
    client: &Session,
    options: &Options,
    doors: &mut Doors<'_>,
    by: Actor,
    holder: Box<Holder>,
) -> Result<Option<Outcome>, ExecuteError> {
    let Some(release) = journal::latest_release(client).await? else { return Err(ExecuteError::NoRelease) };
    let plan = plan_of(&release)?;
    let status = status_of(client, &release.id).await?;
    hears(&release.id, &status)?;
    same_traffic(&status, doors)?;
    let forced = blue_works(preflight::world(client, &plan, &status).await, options)?;
    let back = TrafficRecord::RollbackStarted { by, forced, failure: None, reason: options.reason.clone() };
    let seq = write_beside(client, &release.id, back.into(), |status| hears(&release.id, status), doors).await?;
    let unanswered = || ExecuteError::Unanswered { word: "goes back", command: "cutover rollback", holder };
    match answered(client, &release.id, seq, doors).await? {
        Answered::Heard => {}
        Answered::Silent => return Err(unanswered()),
        Answered::Gone => return Ok(None),
    }
    // It was heard: what is left takes as long as the traffic does.
    let limits = status.limits.then(options.limits);
    let mut poll = Poll::new(limits.verify_timeout().saturating_add(limits.traffic_timeout().saturating_mul(3)));
    loop {
        let is_there = lease::holder(client).await?.is_some();
        let status = status_of(client, &release.id).await?;
        match (&status.stage, status.trouble.clone()) {
            (Stage::RolledBack, _) => return Ok(Some(Outcome::went_back(release.id, &status))),
            (_, Some(Trouble::Failed { message, .. })) => return Err(ExecuteError::GoingBack { message }),
            (_, Some(Trouble::Interrupted)) => {
                return Err(ExecuteError::GoingBack { message: "it was interrupted".to_owned() });
            }
            _ if !is_there => return Ok(None),
            _ => {}
        }
        let Some(pause) = poll.next(Duration::ZERO) else { return Err(unanswered()) };
        interruptible(&doors.stop, doors.clock.sleep(pause)).await?;
    }
}

/// Blue worked on the schema as this release left it; whether it does on another nobody knows. Why it may not, if the operator insists.
fn blue_works(found: Result<(), ExecuteError>, options: &Options) -> Result<Option<String>, ExecuteError> {
    match found {
        Ok(()) => Ok(None),
        Err(error @ (ExecuteError::Stale(_) | ExecuteError::Unhealthy { .. })) if options.force => {
            Ok(Some(error.to_string()))
        }
        Err(ExecuteError::Stale(why)) => Err(ExecuteError::BlueInDoubt { why }),
        Err(error) => Err(error),
    }
}

async fn go_back(
    client: &Session,
    from: Start,
    options: &Options,
    doors: &mut Doors<'_>,
    lease: Lease,
    setup: &Setup,
    by: Actor,
) -> Result<Outcome, ExecuteError> {
    let Some(release) = journal::latest_release(client).await? else { return Err(ExecuteError::NoRelease) };
    let status = status_of(client, &release.id).await?;
    let plan = plan_of(&release)?;
    may_go_back(&release.id, &plan, &status, from)?;
    same_part(&release.id, &status, options)?;
    same_traffic(&status, doors)?;
    let mut engine = Engine::new(client, &plan, options, doors, (lease, setup), (release.id, status));
    let can = engine.capabilities().await?;
    engine.moves_the_same(&can)?;
    engine.can_come_back().await?;
    let found = match engine.check_world().await {
        Ok(()) => engine.healthy(Side::Blue).await,
        Err(error) => Err(error),
    };
    let forced = blue_works(found, options)?;
    let reason = options.reason.clone();
    engine.append(&[TrafficRecord::RollbackStarted { by, forced, failure: None, reason }.into()]).await?;
    engine.move_back(&can, None).await
}

impl Engine<'_, '_> {
    /// Of the last word to go back: why blue may not work, where whoever gave it insisted; and why it was given.
    async fn last_word_back(&self) -> Result<(Option<String>, Option<String>), ExecuteError> {
        let entries = journal::entries(self.client, &self.release).await?;
        let word = entries.into_iter().rev().find_map(|entry| match entry.record {
            Record::Traffic(TrafficRecord::RollbackStarted { forced, reason, .. }) => Some((forced, reason)),
            _ => None,
        });
        Ok(word.unwrap_or_default())
    }

    /// Goes back because somebody wrote that it should. Whoever insisted has said that blue need not be healthy.
    pub(super) async fn go_back_when_told(&mut self) -> Result<Outcome, ExecuteError> {
        let (forced, _) = self.last_word_back().await?;
        let can = self.capabilities().await?;
        if forced.is_none() {
            self.healthy(Side::Blue).await?;
        }
        self.move_back(&can, None).await
    }

    /// Gives blue all traffic, once it is journaled that it goes back.
    pub(super) async fn move_back(
        &mut self,
        can: &Capabilities,
        failure: Option<String>,
    ) -> Result<Outcome, ExecuteError> {
        self.give_back(can).await?;
        let repeats = |step: &&Step| matches!(step.role, Role::Repeat { .. }) && self.status.has_run(step.id);
        let again = self.plan.steps.iter().filter(repeats).map(|step| step.id).collect();
        self.append(&[TrafficRecord::RolledBack { again }.into()]).await?;
        self.call_hook_afterwards(HookMoment::OnRollback).await;
        Ok(Outcome::RolledBack { release: self.release.clone(), by_hand: can.kind == Kind::Manual, failure })
    }
}

/// The id of the release that a plan begins.
pub fn release_id(plan: &SavedPlan) -> String {
    plan.digest.chars().take(12).collect()
}

/// Every release, the latest first.
pub async fn releases(client: &Session) -> Result<Vec<Release>, ExecuteError> {
    if !journal::is_there(client).await? {
        return Ok(Vec::new());
    }
    Ok(journal::list_releases(client).await?)
}

/// A release's journal.
pub async fn history(client: &Session, release: &str) -> Result<Vec<Entry>, ExecuteError> {
    if !journal::is_there(client).await? {
        return Ok(Vec::new());
    }
    Ok(journal::entries(client, release).await?)
}

/// The plans of a release, in the order of their time, each with the first row of its journal that is not about it any more.
pub async fn plans(client: &Session, release: &Release) -> Result<Vec<(i64, SavedPlan)>, ExecuteError> {
    let replaced = journal::replaced_plans(client, &release.id).await?;
    let mut plans = Vec::new();
    for (until, text) in replaced {
        plans.push((until, SavedPlan::from_journal(&text)?));
    }
    plans.extend(release.saved_plan().ok().map(|plan| (i64::MAX, plan)));
    Ok(plans)
}

pub(super) async fn enter(client: &Session, options: &Options, intent: Intent) -> Result<(Setup, Actor), ExecuteError> {
    if options.second_connection {
        preflight::one_session(client).await?;
    }
    preflight::server(client).await?;
    leave_to_its_tool(client, intent).await?;
    let setup = Setup::prepare(client).await?;
    let by = setup.actor(options);
    Ok((setup, by))
}

pub(super) async fn leave(client: &Session, setup: &Setup, lease: Lease, doors: &Doors<'_>) {
    // Behind an abandoned statement this would wait for ever; the server gives the lock up with the session.
    if doors.stop.level() == StopLevel::Abort {
        return;
    }
    let _ = setup.restore(client).await;
    lease.release(client).await;
}

pub(super) fn same_traffic(status: &Status, doors: &Doors<'_>) -> Result<(), ExecuteError> {
    let given = doors.traffic.name();
    if status.traffic.backend == given {
        return Ok(());
    }
    Err(ExecuteError::OtherTraffic { begun: status.traffic.backend.clone(), given: given.to_owned() })
}
