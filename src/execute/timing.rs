//! Steps that wait for their time: a delay behind the drain, in which blue can come back, and the times at which a phase may run.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::engine::{Due, Engine};
use super::error::ExecuteError;
use super::journal::{self, Actor, Entry, Record, ReleaseRecord, TimeWait, TrafficRecord};
use super::release::Outcome;
use super::session::server_time;
use super::shift::{LISTEN, LOOK, blue_sessions};
use super::status::{Stage, Standing, Status};
use super::stop::interruptible;
use crate::plan::saved::{Phase, SavedPlan};
use crate::release::Limits;

/// Until when nothing of a phase may begin, and what for; `None`: it may now. `drained`: when blue was.
pub(super) fn not_before(
    plan: &SavedPlan,
    status: &Status,
    limits: Limits,
    phase: Phase,
    drained: Option<Timestamp>,
    now: Timestamp,
) -> Option<(Timestamp, TimeWait)> {
    let times = plan.times(phase);
    if phase == Phase::After && !status.contracting {
        let over = drained.unwrap_or(now).checked_add(limits.after_delay()).unwrap_or(Timestamp::MAX);
        if over > now {
            return Some((times.opens(over).unwrap_or(over), TimeWait::Delay));
        }
    }
    times.opens(now).map(|opens| (opens, TimeWait::Window))
}

/// When blue was drained last, by a journal.
pub(super) fn drained(entries: &[Entry]) -> Option<Timestamp> {
    let is_drained = |record: &Record| matches!(record, Record::Traffic(TrafficRecord::Drained { .. }));
    entries.iter().rev().find(|entry| is_drained(&entry.record)).map(|entry| entry.at)
}

impl Engine<'_, '_> {
    /// Sees that it is time for something of a phase, or waits until it is.
    pub(super) async fn its_time(&mut self, phase: Phase) -> Result<Due, ExecuteError> {
        loop {
            let Some((until, why)) = self.not_before(phase).await? else { return self.time_came(phase).await };
            if self.options.at_any_time {
                return self.time_is_passed_over(phase).await;
            }
            let until_ms = until.as_millisecond();
            let standing = Standing::AwaitingTime { until_ms, why };
            if self.status.standing.as_ref() != Some(&standing)
                && !self.append_unless_stopped(ReleaseRecord::TimeAwaited { until_ms, why }).await?
            {
                return Ok(Due::Heard);
            }
            if !self.options.wait {
                let back = self.keeps_blue();
                return Ok(Due::Later(Outcome::AwaitingTime { release: self.release.clone(), until_ms, why, back }));
            }
            if self.waits_until(until).await? {
                return Ok(Due::Heard);
            }
        }
    }

    /// Leaves a step where nothing of it is half done once it is not its time any more.
    pub(super) async fn is_still_its_time(&self, phase: Phase) -> Result<(), ExecuteError> {
        let is_shut = !self.options.at_any_time && self.not_before(phase).await?.is_some();
        if is_shut { Err(ExecuteError::PauseHeard) } else { Ok(()) }
    }

    async fn not_before(&self, phase: Phase) -> Result<Option<(Timestamp, TimeWait)>, ExecuteError> {
        let (limits, is_delayed) = (self.limits(), phase == Phase::After && self.is_delayed());
        if self.plan.times(phase).is_empty() && !is_delayed {
            return Ok(None);
        }
        let drained = match is_delayed {
            true => drained(&journal::entries(self.client, &self.release).await?),
            false => None,
        };
        let now = server_time(self.client).await?;
        Ok(not_before(self.plan, &self.status, limits, phase, drained, now))
    }

    /// Whether the steps after the cutover wait for a delay.
    fn is_delayed(&self) -> bool {
        !self.limits().after_delay().is_zero() && !self.status.contracting
    }

    /// Whether blue is kept for now: it is drained, nothing was taken from it yet, and its delay is not over. What a platform's deployment has replaced is gone.
    pub(super) fn keeps_blue(&self) -> bool {
        matches!(self.status.standing, Some(Standing::AwaitingTime { why: TimeWait::Delay, .. }))
            && self.status.past_no_return.is_none()
            && self.status.traffic.deployment.is_none()
    }

    /// Whether time may have passed since blue was drained, in which nobody looked at green, and nothing was taken from blue.
    pub(super) fn may_have_waited(&self) -> bool {
        let may_wait = self.is_delayed() || !self.plan.release.after.is_empty();
        self.status.stage == Stage::After && may_wait && !self.status.contracting
    }

    /// Waits until a time, and sees meanwhile that green works where blue can still come back. `true`: somebody said something.
    async fn waits_until(&mut self, until: Timestamp) -> Result<bool, ExecuteError> {
        loop {
            if self.hears_a_word().await? {
                return Ok(true);
            }
            self.watch().await?;
            let left = until.duration_since(server_time(self.client).await?);
            let Ok(left) = Duration::try_from(left) else { return Ok(false) };
            if left.is_zero() {
                return Ok(false);
            }
            interruptible(&self.doors.stop, self.doors.clock.sleep(left.min(LISTEN))).await?;
        }
    }

    /// Everything must be as it was left when the waiting began. What is said meanwhile is heard before anything runs.
    async fn time_came(&mut self, phase: Phase) -> Result<Due, ExecuteError> {
        self.look_before_contract(phase).await?;
        if !self.status.awaits_time() {
            return Ok(Due::Now);
        }
        self.check_world().await?;
        self.foresee().await?;
        self.append_unless_stopped(ReleaseRecord::TimeCame { by: None }).await?;
        Ok(Due::Heard)
    }

    /// The operator knows better, and the journal knows who.
    async fn time_is_passed_over(&mut self, phase: Phase) -> Result<Due, ExecuteError> {
        self.look_before_contract(phase).await?;
        if self.aside.any_time == Some(phase) && !self.status.awaits_time() {
            return Ok(Due::Now);
        }
        let by: Option<Actor> = Some(self.actor());
        if self.append_unless_stopped(ReleaseRecord::TimeCame { by }).await? {
            self.aside.any_time = Some(phase);
        }
        Ok(Due::Heard)
    }

    /// Before the first step after the cutover: blue has no session, as when it was drained, and green is well. Both may be long ago.
    async fn look_before_contract(&mut self, phase: Phase) -> Result<(), ExecuteError> {
        let is_fresh = self.aside.looked.is_some_and(|looked: Instant| looked.elapsed() < LOOK);
        if phase == Phase::Before || self.status.contracting || is_fresh {
            return Ok(());
        }
        if let Some(guard) = &self.status.guard {
            let count = blue_sessions(self.client, &guard.sessions, None).await?;
            if count > 0 {
                return Err(ExecuteError::NotDrained { why: format!("{count} came back since") });
            }
        }
        if self.may_have_waited() {
            // From the first step on there is no way back from it.
            self.must_be_right().await?;
            self.watch_all().await?;
        }
        self.aside.looked = Some(Instant::now());
        Ok(())
    }

    /// Appends a record, unless somebody has said meanwhile that the release goes back or stays where it is.
    async fn append_unless_stopped(&mut self, record: ReleaseRecord) -> Result<bool, ExecuteError> {
        let goes_on = self.append_if(record.into(), |now| now.pause().is_none()).await?;
        Ok(goes_on && self.status.pause().is_none())
    }
}
