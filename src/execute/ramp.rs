//! What a ramp asks for beside shares: that it suits the backend, times in which nothing moves, and the way back when green fails.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::error::ExecuteError;
use super::event::Event;
use super::journal::{Gate, TrafficRecord};
use super::release::Outcome;
use super::session::server_time;
use super::shift::{LISTEN, LOOK};
use super::status::TrafficState;
use super::stop::interruptible;
use crate::release::{OnFailure, Share};
use crate::side::Side;
use crate::traffic::{Capabilities, Kind, Verified};

/// Why a share is not one of those that come in steps.
fn off_grid(grid: NonZeroU16, share: Share) -> Option<String> {
    let step = Share::basis_points(grid.get())?;
    (!share.as_basis_points().is_multiple_of(grid.get())).then(|| format!("it moves in steps of {step}"))
}

/// What became of the share that green was given.
enum Still {
    /// It has it, or nobody can tell.
    Right,
    /// It has another one, or not yet this one.
    Other { share: Share, seen: Option<Share> },
}

impl Engine<'_, '_> {
    /// Whether the backend can do what the ramp asks for, and green has no traffic yet.
    pub(super) async fn ramp_fits(&mut self) -> Result<Capabilities, ExecuteError> {
        self.checks_are_there()?;
        self.hooks_are_there()?;
        let ramp = self.status.traffic.ramp.clone();
        let can = self.capabilities().await?;
        let (kind, backend) = (can.kind, self.doors.traffic);
        let refused = |share| backend.refuses(share).or_else(|| off_grid(can.grid?, share));
        if let Some((share, why)) = ramp.shares().find_map(|share| Some((share, refused(share)?))) {
            return Err(ExecuteError::ShareUnfit { backend: self.backend_name(), share, why });
        }
        if matches!(kind, Kind::Manual | Kind::Switch | Kind::Managed) && !ramp.is_one_step() {
            return Err(ExecuteError::RampUnfit { backend: self.backend_name(), kind, ramp });
        }
        if kind == Kind::Managed && !self.limits().after_delay().is_zero() {
            let what = "the steps after the cutover wait for their delay, but blue is gone once the platform's deployment is over".to_owned();
            (self.doors.events)(&Event::Warning { what });
        }
        match self.seen().await? {
            Some(seen) if seen != Share::NONE => {
                Err(ExecuteError::GreenHasTraffic { backend: self.backend_name(), seen })
            }
            _ => Ok(can),
        }
    }

    /// Whether the backend still moves what the release was begun with.
    pub(super) async fn same_target(&mut self) -> Result<(), ExecuteError> {
        if self.status.traffic.target.is_none() {
            return Ok(());
        }
        let can = self.capabilities().await?;
        self.moves_the_same(&can)
    }

    /// The same, by what the backend has said.
    pub(super) fn moves_the_same(&self, can: &Capabilities) -> Result<(), ExecuteError> {
        match (&self.status.traffic.target, &can.target) {
            (Some(begun), Some(now)) if begun != now => {
                let (begun, now) = (begun.clone(), now.clone());
                Err(ExecuteError::OtherTarget { backend: self.backend_name(), begun, now })
            }
            _ => Ok(()),
        }
    }

    /// Green's share, if the backend can see it.
    pub(super) async fn seen(&mut self) -> Result<Option<Share>, ExecuteError> {
        Ok(self.call("observe", |traffic, context| traffic.observe(context)).await?.share)
    }

    /// Whether the traffic is where this release left it, or where it is to go to: an executor that died may have moved it.
    pub(super) async fn nobody_else_moved(&mut self, to: Share) -> Result<(), ExecuteError> {
        let left = self.status.traffic.share;
        match self.seen().await? {
            Some(seen) if seen != left && seen != to => {
                Err(ExecuteError::MovedByOthers { backend: self.backend_name(), left, seen })
            }
            _ => Ok(()),
        }
    }

    /// Moves nothing for a time, and sees meanwhile that green works and keeps its share. A hold that was begun before this process ends when it was to
    /// end.
    pub(super) async fn hold(&mut self, time: Duration) -> Result<(), ExecuteError> {
        let now = server_time(self.client).await?.as_millisecond();
        let length = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let until_ms = match self.status.traffic.state {
            TrafficState::Holding { until_ms } => until_ms,
            _ => {
                let until_ms = now.saturating_add(length);
                self.append(&[TrafficRecord::HoldStarted { until_ms }.into()]).await?;
                until_ms
            }
        };
        // The server's clock may have been set back since.
        let left = Duration::from_millis(u64::try_from(until_ms.saturating_sub(now).min(length)).unwrap_or(0));
        let (begun, mut paused) = (Instant::now(), Duration::ZERO);
        let (mut look, mut in_doubt) = (Duration::ZERO, None::<Duration>);
        loop {
            let past = paused.max(begun.elapsed());
            if self.hears_a_word().await? {
                return Ok(());
            }
            self.watch().await?;
            if past >= left || past >= look {
                match self.still_right().await? {
                    Still::Right => (look, in_doubt) = (past + LOOK, None),
                    // It may take a while to be seen, but not for ever, and nothing goes on meanwhile.
                    Still::Other { share, seen } => {
                        let since = *in_doubt.get_or_insert(past);
                        if past.saturating_sub(since) >= self.limits().verify_timeout() {
                            let backend = self.backend_name();
                            return Err(ExecuteError::NotVerified { backend, share, seen });
                        }
                    }
                }
                if past >= left && in_doubt.is_none() {
                    self.append_unless_told(TrafficRecord::HoldEnded.into()).await?;
                    return Ok(());
                }
            }
            let pause = if in_doubt.is_some() { LISTEN } else { left.saturating_sub(past).min(LISTEN) };
            interruptible(&self.doors.stop, self.doors.clock.sleep(pause)).await?;
            paused += pause;
        }
    }

    /// Whether green, if it has traffic, works, and whether it has the share that it was given.
    async fn still_right(&mut self) -> Result<Still, ExecuteError> {
        let share = self.status.traffic.share;
        if share == Share::NONE {
            // A deployment may fail before green has any, and somebody may let it pass its gate on the platform.
            if let (Some(seen), TrafficState::AwaitingApproval { gate: Gate::Deployment(_) }) =
                (self.deployment_share().await?, &self.status.traffic.state)
                && seen > share
            {
                self.append(&[TrafficRecord::Shifted { share: seen, confirmed: true }.into()]).await?;
            }
            return Ok(Still::Right);
        }
        self.healthy(Side::Green).await?;
        if self.status.traffic.promoted {
            return Ok(Still::Right);
        }
        if self.status.traffic.deployment.is_some() {
            return Ok(match self.deployment_share().await? {
                Some(seen) if seen < share => Still::Other { share, seen: Some(seen) },
                _ => Still::Right,
            });
        }
        let step = format!("look-{}", share.as_basis_points());
        match self.call(&step, move |traffic, context| traffic.verify(context, share)).await? {
            Verified::Yes | Verified::Unsupported => Ok(Still::Right),
            Verified::NotYet { seen } => Ok(Still::Other { share, seen }),
        }
    }

    /// The same, where the share has been seen before and may not be another one now.
    pub(super) async fn must_be_right(&mut self) -> Result<(), ExecuteError> {
        let backend = self.backend_name();
        match self.still_right().await? {
            Still::Right => Ok(()),
            Still::Other { share: left, seen: Some(seen) } => Err(ExecuteError::MovedByOthers { backend, left, seen }),
            Still::Other { share, seen: None } => Err(ExecuteError::NotVerified { backend, share, seen: None }),
        }
    }

    /// What is wrong with green, if the release is to go back for it and can.
    pub(super) fn goes_back_by_itself(&self, error: &ExecuteError) -> Option<String> {
        let why = match error {
            ExecuteError::Unhealthy { side: Side::Green, why } => why.clone(),
            ExecuteError::CheckFailed { .. } | ExecuteError::DeploymentFailed { .. } => error.to_string(),
            _ => return None,
        };
        let wanted = self.status.on_failure == OnFailure::Rollback;
        let can = self.status.past_no_return.is_none() && (self.status.is_in_ramp() || self.keeps_blue());
        (wanted && can).then_some(why)
    }

    /// Gives blue all traffic again because green fails, if blue works.
    pub(super) async fn go_back_by_itself(&mut self, why: String) -> Result<Outcome, ExecuteError> {
        let back = async {
            self.can_come_back().await?;
            self.check_world().await?;
            self.healthy(Side::Blue).await?;
            let (by, failure) = (self.actor(), Some(why.clone()));
            self.append(&[TrafficRecord::RollbackStarted { by, forced: None, failure, reason: None }.into()]).await?;
            let can = self.capabilities().await?;
            self.move_back(&can, Some(why.clone())).await
        };
        let error = match back.await {
            Ok(outcome) => return Ok(outcome),
            Err(error @ (ExecuteError::Interrupted | ExecuteError::Aborted)) => error,
            Err(error) => ExecuteError::BothFail { green: why, back: Box::new(error) },
        };
        self.journal_failure(&error).await;
        Err(error)
    }
}
