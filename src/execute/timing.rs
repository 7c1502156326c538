//! Steps that wait for their time: a delay behind the drain, in which blue can come back, and the times at which a phase may run.

use jiff::Timestamp;

use super::engine::{Due, Engine};
use super::error::ExecuteError;
use super::journal::{self, Record, ReleaseRecord, TimeWait, TrafficRecord};
use super::release::Outcome;
use super::session::server_time;
use super::shift::{LISTEN, blue_sessions};
use super::status::{Stage, Standing, StepState};
use super::stop::interruptible;
use crate::plan::saved::Phase;

impl Engine<'_, '_> {
    /// Sees that it is time for the next step of a phase, or waits until it is.
    pub(super) async fn its_time(&mut self, phase: Phase) -> Result<Due, ExecuteError> {
        loop {
            let Some((until, why)) = self.not_before(phase).await? else { return self.time_came(phase).await };
            if self.options.at_any_time {
                return self.time_is_passed_over(phase).await;
            }
            let until_ms = until.as_millisecond();
            let standing = Standing::AwaitingTime { until_ms, why };
            if self.status.standing.as_ref() != Some(&standing) {
                let awaited = ReleaseRecord::TimeAwaited { until_ms, why };
                if !self.append_unless_told(awaited.into()).await? {
                    return Ok(Due::Heard);
                }
            }
            if !self.options.wait {
                return Ok(Due::Later(Outcome::AwaitingTime { release: self.release.clone(), until_ms, why }));
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

    /// Until when nothing of a phase may begin, by what is said of it.
    async fn not_before(&self, phase: Phase) -> Result<Option<(Timestamp, TimeWait)>, ExecuteError> {
        let (times, delayed) = (self.plan.times(phase), phase == Phase::After && self.is_delayed());
        if times.is_empty() && !delayed {
            return Ok(None);
        }
        let now = server_time(self.client).await?;
        if delayed {
            let over = self.delay_over(now).await?;
            if over > now {
                return Ok(Some((times.opens(over).unwrap_or(over), TimeWait::Delay)));
            }
        }
        Ok(times.opens(now).map(|opens| (opens, TimeWait::Window)))
    }

    /// Whether the steps after the cutover wait for a delay.
    fn is_delayed(&self) -> bool {
        !self.limits().after_delay().is_zero() && self.is_uncontracted()
    }

    /// Whether no step after the cutover has been begun.
    fn is_uncontracted(&self) -> bool {
        let is_begun = |id| self.status.steps.get(&id).is_some_and(|step| step.state != StepState::Skipped);
        !self.plan.phase(Phase::After).any(|step| is_begun(step.id))
    }

    /// When the delay is over that began when blue was drained.
    async fn delay_over(&self, now: Timestamp) -> Result<Timestamp, ExecuteError> {
        let entries = journal::entries(self.client, &self.release).await?;
        let is_drained = |record: &Record| matches!(record, Record::Traffic(TrafficRecord::Drained { .. }));
        let drained = entries.iter().rev().find(|entry| is_drained(&entry.record)).map_or(now, |entry| entry.at);
        Ok(drained.checked_add(self.limits().after_delay()).unwrap_or(Timestamp::MAX))
    }

    /// Whether blue is kept for now: it is drained, nothing was taken from it yet, and its delay is not over.
    pub(super) fn keeps_blue(&self) -> bool {
        matches!(self.status.standing, Some(Standing::AwaitingTime { why: TimeWait::Delay, .. }))
            && self.status.past_no_return.is_none()
    }

    /// Whether time has passed since blue was drained, in which nobody looked at green, and nothing was taken from blue.
    pub(super) fn may_have_waited(&self) -> bool {
        let may_wait = !(self.limits().after_delay().is_zero() && self.plan.release.after.is_empty());
        self.status.stage == Stage::After && may_wait && self.is_uncontracted()
    }

    /// Waits until a time, and sees meanwhile that green works where blue can still come back. `true`: somebody said something.
    async fn waits_until(&mut self, until: Timestamp) -> Result<bool, ExecuteError> {
        loop {
            if self.hears_a_word().await? {
                return Ok(true);
            }
            self.watch().await?;
            let left = until.duration_since(server_time(self.client).await?);
            let Ok(left) = std::time::Duration::try_from(left) else { return Ok(false) };
            if left.is_zero() {
                return Ok(false);
            }
            interruptible(&self.doors.stop, self.doors.clock.sleep(left.min(LISTEN))).await?;
        }
    }

    /// Everything must be as it was left when the waiting began.
    async fn time_came(&mut self, phase: Phase) -> Result<Due, ExecuteError> {
        self.nobody_came_back(phase).await?;
        if phase == Phase::After && self.may_have_waited() {
            // From the first step on there is no way back from it.
            self.must_be_right().await?;
            self.watch_all().await?;
        }
        if !self.status.awaits_time() {
            return Ok(Due::Now);
        }
        self.check_world().await?;
        self.foresee().await?;
        self.go_on(None).await
    }

    /// Blue has no session, as when it was drained: that may be long ago.
    async fn nobody_came_back(&self, phase: Phase) -> Result<(), ExecuteError> {
        let is_first = phase == Phase::After && self.is_uncontracted();
        let Some(guard) = self.status.guard.as_ref().filter(|_| is_first) else { return Ok(()) };
        match blue_sessions(self.client, &guard.sessions, None).await? {
            0 => Ok(()),
            count => Err(ExecuteError::NotDrained { why: format!("{count} came back since") }),
        }
    }

    /// The operator knows better.
    async fn time_is_passed_over(&mut self, phase: Phase) -> Result<Due, ExecuteError> {
        if std::mem::replace(&mut self.aside.any_time, true) {
            return Ok(Due::Now);
        }
        self.nobody_came_back(phase).await?;
        self.go_on(Some(self.actor())).await
    }

    async fn go_on(&mut self, by: Option<journal::Actor>) -> Result<Due, ExecuteError> {
        match self.append_unless_told(ReleaseRecord::TimeCame { by }.into()).await? {
            true => Ok(Due::Now),
            false => Ok(Due::Heard),
        }
    }
}
