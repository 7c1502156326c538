//! Whom the release calls on its way, and what is news of it.

use super::engine::Engine;
use super::error::ExecuteError;
use super::event::Event;
use super::journal::{Gate, Record, ReleaseRecord, StepRecord, TrafficRecord};
use super::stop::StopLevel;
use crate::plan::saved::Phase;
use crate::release::{HookMoment, News};
use crate::tell::{FORMAT_VERSION, HookSet, Occasion};

impl Engine<'_, '_> {
    /// Every hook that this release calls must be at hand.
    pub(super) fn hooks_are_there(&self) -> Result<(), ExecuteError> {
        if self.status.part.follows() {
            return Ok(());
        }
        let mut hooks = self.plan.release.hooks.iter().map(|hook| hook.moment);
        match (self.doors.hooks, hooks.find(|moment| self.doors.hooks.at(*moment).is_none())) {
            (HookSet::Given(_), Some(hook)) => Err(ExecuteError::NoHook { hook }),
            _ => Ok(()),
        }
    }

    /// Calls one that the release waits for, and journals that it was content. One that was cut short is called again.
    pub(super) async fn call_hook(&mut self, hook: HookMoment) -> Result<(), ExecuteError> {
        self.tell(hook).await?;
        self.append(&[ReleaseRecord::HookCalled { hook }.into()]).await
    }

    /// Calls one that changes nothing any more: what goes wrong is said.
    pub(super) async fn call_hook_afterwards(&mut self, hook: HookMoment) {
        if self.status.part.follows() {
            return;
        }
        let is_missing = matches!(self.doors.hooks, HookSet::Given(_)) && self.doors.hooks.at(hook).is_none();
        let told = match is_missing && self.plan.release.has_hook(hook) {
            true => Err(ExecuteError::NoHook { hook }),
            false => self.tell(hook).await,
        };
        if let Err(error) = told {
            (self.doors.events)(&Event::Warning { what: error.to_string() });
        }
    }

    async fn tell(&mut self, hook: HookMoment) -> Result<(), ExecuteError> {
        let Some((timeout, listener)) = self.doors.hooks.at(hook) else { return Ok(()) };
        let occasion = Occasion {
            format_version: FORMAT_VERSION.to_owned(),
            occasion: hook.name().to_owned(),
            release: self.release.clone(),
            database: self.client.target().display().to_string(),
            text: format!("{hook}: {}", self.status.stage),
        };
        (self.doors.events)(&Event::HookCalled { hook });
        let told = tokio::select! {
            told = listener.tell(&occasion, timeout) => told,
            // It may be half a deployment: the first interrupt lets it finish.
            () = self.doors.stop.asked(StopLevel::Abort) => return Err(ExecuteError::Aborted),
        };
        told.map_err(|why| ExecuteError::HookFailed { hook, why })
    }
}

/// What a row of the journal is as news, in a word and a sentence.
pub fn news(record: &Record) -> Option<(News, String)> {
    Some(match record {
        Record::Release(ReleaseRecord::Started { .. }) => (News::Started, "it has begun".to_owned()),
        Record::Release(ReleaseRecord::PhaseFinished { phase: Phase::Before }) => {
            (News::Expanded, "the phase before the cutover is over; green can start".to_owned())
        }
        Record::Release(ReleaseRecord::OthersExpanded) => {
            (News::Expanded, "the phase before the cutover is over in all databases; green can start".to_owned())
        }
        Record::Traffic(TrafficRecord::Shifted { share, .. }) => {
            (News::Shifted, format!("green has {share} of the traffic"))
        }
        Record::Traffic(TrafficRecord::ApprovalAwaited { gate }) => {
            let what = match gate {
                Gate::Traffic => "until the traffic is moved".to_owned(),
                Gate::Drain => "until somebody says that blue is drained".to_owned(),
                Gate::Ramp(name) | Gate::Deployment(name) => format!("for approval at the gate {name}"),
            };
            (News::Waiting, format!("it waits {what}"))
        }
        Record::Release(ReleaseRecord::TimeAwaited { until_ms, .. }) => {
            let until = jiff::Timestamp::from_millisecond(*until_ms).unwrap_or(jiff::Timestamp::MAX);
            (News::Waiting, format!("it waits until {until}"))
        }
        Record::Release(ReleaseRecord::Paused { .. }) => {
            (News::Paused, "somebody has stopped it where it is".to_owned())
        }
        Record::Traffic(TrafficRecord::RollbackStarted { failure: Some(why), .. }) => {
            (News::GoingBack, format!("green fails, and the traffic goes back to blue: {why}"))
        }
        Record::Traffic(TrafficRecord::RollbackStarted { .. }) => {
            (News::GoingBack, "the traffic goes back to blue".to_owned())
        }
        Record::Traffic(TrafficRecord::RolledBack { .. }) => (News::WentBack, "blue has all traffic again".to_owned()),
        Record::Release(ReleaseRecord::Failed { message }) => (News::Failed, format!("it has stopped: {message}")),
        Record::Release(ReleaseRecord::Interrupted) => (News::Failed, "it was interrupted".to_owned()),
        Record::Step { step, what: StepRecord::Failed { message } } => {
            (News::Failed, format!("step {step} has failed: {message}"))
        }
        Record::Step { step, what: StepRecord::Stuck { message } } => {
            (News::Failed, format!("step {step} is stuck, and somebody must decide: {message}"))
        }
        Record::Release(ReleaseRecord::Finished) => (News::Done, "it is complete".to_owned()),
        _ => return None,
    })
}
