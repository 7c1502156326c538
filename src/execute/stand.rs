//! Standing still because somebody wants it so: a pause that is asked for from anywhere, and a stop at a place that the command names.
//!
//! A pause is two rows of the journal: one of whoever asks for it, beside the executor, and one of the executor, once it has come to where it can
//! stop. In between, everything may follow that follows without it: nothing under way is cut.

use std::time::{Duration, Instant};

use super::begun::{Intent, plan_of, status_of};
use super::doors::Doors;
use super::engine::Engine;
use super::error::ExecuteError;
use super::event::Event;
use super::holder::Holder;
use super::journal::{self, Actor, PauseWord, Record, ReleaseRecord};
use super::lease;
use super::options::Options;
use super::release::{Answered, Outcome, answered, enter, guard_change, write_beside};
use super::session::failed;
use super::shift::{LISTEN, Poll};
use super::status::{Stage, Standing, Status, TrafficState};
use super::stop::{StopLevel, interruptible};
use super::{names, preflight};
use crate::postgres::Session;

/// How often it is looked within a second whether somebody has written that is about to.
const TIMES: u32 = 100;

/// How long the lease's row is waited for at a time: a step's transaction has it to its end.
const AT_A_TIME: Duration = Duration::from_secs(1);

/// Whether there is an executor to hear a word.
#[derive(Debug)]
pub(super) enum Stands {
    /// It stands still and listens.
    Listening(Box<Holder>),
    /// It has ended.
    Gone,
}

impl Engine<'_, '_> {
    /// Whether somebody wants the release to stay where it is.
    pub(super) async fn hears_a_pause(&mut self) -> Result<bool, ExecuteError> {
        if !self.status.can_pause() {
            return Ok(false);
        }
        if self.status.pause().is_none() && self.pause_is_asked().await? {
            self.status = status_of(self.client, &self.release).await?;
        }
        Ok(self.status.pause().is_some())
    }

    /// Lets whoever is about to write go first, for a moment: a process that does not get to it must not stop the release.
    async fn pause_is_asked(&self) -> Result<bool, ExecuteError> {
        for _ in 0..TIMES {
            match journal::pause_word(self.client, &self.release, &lease::is_word_coming()).await? {
                PauseWord::Asked => return Ok(true),
                PauseWord::None => return Ok(false),
                PauseWord::Coming => interruptible(&self.doors.stop, self.doors.clock.sleep(LISTEN / TIMES)).await?,
            }
        }
        Ok(false)
    }

    /// Leaves a step where nothing of it is half done, if somebody wants the release to stay where it is.
    pub(super) async fn goes_on(&mut self) -> Result<(), ExecuteError> {
        if self.hears_a_pause().await? { Err(ExecuteError::PauseHeard) } else { Ok(()) }
    }

    /// Sleeps, and leaves what it sleeps for if somebody wants the release to stay where it is.
    pub(super) async fn sleep_listening(&mut self, time: Duration) -> Result<(), ExecuteError> {
        let mut left = time;
        while !left.is_zero() {
            let pause = left.min(LISTEN);
            interruptible(&self.doors.stop, self.doors.clock.sleep(pause)).await?;
            left -= pause;
            self.goes_on().await?;
        }
        Ok(())
    }

    /// Journals that the pause was heard, and ends, or waits until somebody lets the release go on or takes it back.
    pub(super) async fn stand_still(&mut self) -> Result<Option<Outcome>, ExecuteError> {
        let paused = ReleaseRecord::Paused { by: self.actor() }.into();
        let is_asked = |now: &Status| matches!(now.standing, Some(Standing::PauseAsked { .. }));
        if !self.status.is_paused() && !self.append_if(paused, is_asked).await? {
            return Ok(None);
        }
        match paused_at(&self.release, &self.status) {
            Some(outcome) if !self.options.wait => Ok(Some(outcome)),
            Some(_) => {
                self.listen().await?;
                Ok(None)
            }
            // It was taken back in time.
            None => Ok(None),
        }
    }

    /// Stops where the command said, if the release is there. A release that is done has gone all the way.
    pub(super) async fn stop_where_asked(&mut self) -> Result<Option<Outcome>, ExecuteError> {
        let here = |until: &_| self.status.has_come_to(*until) && self.status.stage != Stage::Done;
        let Some(until) = self.options.until.filter(here) else { return Ok(None) };
        self.append(&[ReleaseRecord::Stopped { until }.into()]).await?;
        Ok(Some(Outcome::Stopped { release: self.release.clone(), until, already: false }))
    }
}

/// A paused release, as its command ends.
fn paused_at(release: &str, status: &Status) -> Option<Outcome> {
    let (by, reason) = status.pause().filter(|_| status.is_paused())?;
    let hold_until_ms = match status.traffic.state {
        TrafficState::Holding { until_ms } => Some(until_ms),
        _ => None,
    };
    let (release, by, reason) = (release.to_owned(), by.clone(), reason.map(str::to_owned));
    Some(Outcome::Paused { release, by, reason, hold_until_ms })
}

/// Whether a release may be told to stay where it is.
fn can_pause(release: &str, status: &Status) -> Result<(), ExecuteError> {
    match status.can_pause() {
        true => Ok(()),
        false => Err(ExecuteError::CannotPause { release: release.to_owned(), stage: status.stage.clone() }),
    }
}

/// Whether it is still wanted that a release stays where it is, and nobody has answered.
fn is_asked(release: &str, status: &Status) -> Result<(), ExecuteError> {
    match status.standing {
        Some(Standing::PauseAsked { .. }) => Ok(()),
        _ if status.can_pause() => Err(ExecuteError::PauseTakenBack { release: release.to_owned() }),
        _ => can_pause(release, status),
    }
}

/// Stops the release that was begun last where it is: tells whoever executes it, and waits (`options.patience`) until they have heard it.
pub async fn pause(client: &mut Session, options: &Options, doors: &mut Doors<'_>) -> Result<Outcome, ExecuteError> {
    let (_, by) = enter(client, options, Intent::CarryOn).await?;
    if !journal::is_there(client).await? {
        return Err(ExecuteError::NoRelease);
    }
    let Some(release) = journal::latest_release(client).await? else { return Err(ExecuteError::NoRelease) };
    plan_of(&release)?;
    let begun = Instant::now();
    ask(client, &release.id, &by, options, doors).await?;
    let mut poll = Poll::new(options.patience.saturating_sub(begun.elapsed()));
    loop {
        let status = status_of(client, &release.id).await?;
        if let Some(outcome) = paused_at(&release.id, &status) {
            return Ok(outcome);
        }
        is_asked(&release.id, &status)?;
        let pause = match (lease::holder(client).await?, poll.next(Duration::ZERO)) {
            // Nobody executes it, so nobody else will say that it stands still; unless they said it as their last word.
            (None, pause) => {
                let paused = Record::from(ReleaseRecord::Paused { by: by.clone() });
                if !status_of(client, &release.id).await?.is_paused() {
                    let is_asked = |status: &Status| is_asked(&release.id, status);
                    write_beside(client, &release.id, paused, is_asked, doors).await?;
                }
                pause.unwrap_or_default()
            }
            (Some(_), Some(pause)) => pause,
            (Some(holder), None) => return Err(ExecuteError::PauseUnheard(Box::new(holder))),
        };
        interruptible(&doors.stop, doors.clock.sleep(pause)).await?;
    }
}

/// Writes that the release is to stay where it is, if nobody has done so yet: between two transactions of the executor's.
async fn ask(
    client: &Session,
    release: &str,
    by: &Actor,
    options: &Options,
    doors: &mut Doors<'_>,
) -> Result<(), ExecuteError> {
    lease::word_is_coming(client).await?;
    let asked = write_pause(client, release, by, options, doors).await;
    lease::word_is_given(client).await;
    asked
}

async fn write_pause(
    client: &Session,
    release: &str,
    by: &Actor,
    options: &Options,
    doors: &mut Doors<'_>,
) -> Result<(), ExecuteError> {
    let limit = format!("SET lock_timeout = {}", AT_A_TIME.as_millis());
    client.batch_execute(&limit).await.map_err(failed("limiting how long a lock is waited for"))?;
    let (begun, mut told) = (Instant::now(), false);
    loop {
        let status = status_of(client, release).await?;
        can_pause(release, &status)?;
        if status.pause().is_some() {
            return Ok(());
        }
        let asked = ReleaseRecord::PauseAsked { by: by.clone(), reason: options.reason.clone() };
        match write_beside(client, release, asked.into(), |status| can_pause(release, status), doors).await {
            Err(ExecuteError::LeaseBusy) => {}
            written => return written.map(|_| ()),
        }
        let holder = lease::holder(client).await?;
        if begun.elapsed() >= options.patience {
            return Err(holder.map_or(ExecuteError::LeaseBusy, |holder| ExecuteError::PauseUnwritten(holder.into())));
        }
        if let (Some(holder), false) = (holder, std::mem::replace(&mut told, true)) {
            (doors.events)(&Event::WaitingForStep { holder });
        }
        if doors.stop.level() > StopLevel::Run {
            return Err(ExecuteError::Interrupted);
        }
    }
}

/// Makes whoever executes a release stop where it is, for something that only one of both may do.
pub(super) async fn make_stand(
    client: &Session,
    release: &str,
    by: &Actor,
    options: &Options,
    doors: &mut Doors<'_>,
) -> Result<Stands, ExecuteError> {
    let mut poll = Poll::new(options.patience);
    loop {
        let Some(holder) = lease::holder(client).await? else { return Ok(Stands::Gone) };
        let status = status_of(client, release).await?;
        if status.hears() {
            return Ok(Stands::Listening(Box::new(holder)));
        }
        if status.can_pause() {
            ask(client, release, by, options, doors).await?;
        }
        let Some(pause) = poll.next(Duration::ZERO) else { return Err(ExecuteError::PauseUnheard(Box::new(holder))) };
        interruptible(&doors.stop, doors.clock.sleep(pause.min(LISTEN))).await?;
    }
}

/// The same for whoever has done nothing else in the session.
pub(crate) async fn told_to_go_on(
    client: &Session,
    options: &Options,
    doors: &mut Doors<'_>,
) -> Result<Option<Outcome>, ExecuteError> {
    let (_, by) = enter(client, options, Intent::CarryOn).await?;
    call_on(client, &by, options, doors).await
}

/// Lets a process go on that stands still; `None` if there is none. It goes on as it was told when it was started, so it is looked at here
/// whether it can, and a stop of this command's own is none of its.
pub(super) async fn call_on(
    client: &Session,
    by: &Actor,
    options: &Options,
    doors: &mut Doors<'_>,
) -> Result<Option<Outcome>, ExecuteError> {
    if options.until.is_some() || options.at_any_time || !journal::is_there(client).await? {
        return Ok(None);
    }
    let Some(release) = journal::latest_release(client).await? else { return Ok(None) };
    let (status, holder) = (status_of(client, &release.id).await?, lease::holder(client).await?);
    let (Some(_), Some(holder)) = (status.pause(), holder) else { return Ok(None) };
    let plan = plan_of(&release)?;
    preflight::world(client, &plan, &status).await?;
    names::as_planned(client, &plan, &status).await?;
    let blue = guard_change(client, options).await?;
    let resumed = Record::from(ReleaseRecord::Resumed { by: by.clone(), blue, limits: Box::new(options.limits) });
    let is_paused = |status: &Status| match status.pause() {
        Some(_) => Ok(()),
        None => Err(ExecuteError::Held(holder.clone().into())),
    };
    let seq = write_beside(client, &release.id, resumed, is_paused, doors).await?;
    let entries = journal::entries(client, &release.id).await?;
    let before = Status::of(entries.iter().filter(|entry| entry.seq < seq).map(|entry| &entry.record))?;
    let stood = before.is_some_and(|status| status.is_paused());
    // One that has not heard of the pause goes on without a word.
    if stood {
        match answered(client, &release.id, seq, doors).await? {
            Answered::Heard => {}
            // This process carries on.
            Answered::Gone => return Ok(None),
            Answered::Silent => {
                let holder = holder.into();
                return Err(ExecuteError::Unanswered { word: "goes on", command: "cutover resume", holder });
            }
        }
    }
    Ok(Some(Outcome::HandedOver { release: release.id, to: holder }))
}
