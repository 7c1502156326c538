//! Between the phases: move traffic step by step, wait for people, see blue drained.

use std::time::{Duration, Instant};

use super::doors::Moment;
use super::engine::Engine;
use super::error::ExecuteError;
use super::event::Event;
use super::journal::{self, Gate, Guard, Record, ReleaseRecord, TrafficRecord};
use super::session::{WATCHING, failed, get};
use super::status::{Stage, Status};
use super::stop::{StopLevel, interruptible};
use crate::plan::at_start;
use crate::postgres::Session;
use crate::release::BlueSessions;
use crate::side::Side;
use crate::traffic::{Answer, Capabilities, Context, Drain, Health, Kind, Log, Share, TrafficBackend, Verified};

/// How often history and schema are looked at while somebody's word is waited for.
pub(super) const LOOK: Duration = Duration::from_secs(5);

/// How often the word itself is listened for, at least.
pub(super) const LISTEN: Duration = Duration::from_secs(1);

/// From 100 ms to 5 s between two questions, until the time is up: that of the pauses, or, if the answers take longer, that of the clock.
pub(super) struct Poll {
    pause: Duration,
    limit: Duration,
    paused: Duration,
    begun: Instant,
}

impl Poll {
    pub(super) fn new(limit: Duration) -> Self {
        Self { pause: Duration::from_millis(100), limit, paused: Duration::ZERO, begun: Instant::now() }
    }

    /// The next pause, at least `floor`; `None` when the time is up.
    pub(super) fn next(&mut self, floor: Duration) -> Option<Duration> {
        let left = self.limit.saturating_sub(self.paused.max(self.begun.elapsed()));
        let pause = self.pause.max(floor).min(left);
        if pause.is_zero() {
            return None;
        }
        self.paused += pause;
        self.pause = (self.pause * 2).min(Duration::from_secs(5));
        Some(pause)
    }
}

impl Engine<'_, '_> {
    /// Calls the traffic backend, again and again for a time if what stands in the way may pass: a proxy that is being restarted, a limit on calls.
    pub(super) async fn call<T, F>(&mut self, step: &str, ask: F) -> Result<T, ExecuteError>
    where
        F: for<'a> Fn(&'a dyn TrafficBackend, &'a Context) -> Answer<'a, T>,
    {
        let mut poll = Poll::new(self.limits().traffic_timeout());
        loop {
            let error = match self.call_once(step, &ask).await {
                Err(ExecuteError::Traffic(error)) if error.may_pass() => error,
                answered => return answered,
            };
            let Some(pause) = poll.next(Duration::ZERO) else { return Err(error.into()) };
            self.pause(format!("the traffic backend: {error}"), pause).await?;
        }
    }

    /// Calls the traffic backend. A first Ctrl-C lets the call finish, a second one does not.
    pub(super) async fn call_once<T, F>(&mut self, step: &str, ask: F) -> Result<T, ExecuteError>
    where
        F: for<'a> FnOnce(&'a dyn TrafficBackend, &'a Context) -> Answer<'a, T>,
    {
        let (log, mut lines) = Log::channel();
        let context = Context {
            release: self.release.clone(),
            step: step.to_owned(),
            fence: self.lease.epoch,
            deadline: self.limits().traffic_timeout(),
            log,
        };
        let answered = {
            let mut answer = ask(self.doors.traffic, &context);
            loop {
                tokio::select! {
                    biased;
                    Some(line) = lines.next() => (self.doors.events)(&Event::BackendLog { line }),
                    done = &mut answer => break done,
                    () = self.doors.stop.asked(StopLevel::Abort) => return Err(ExecuteError::Aborted),
                }
            }
        };
        while let Some(line) = lines.next_now() {
            (self.doors.events)(&Event::BackendLog { line });
        }
        Ok(answered?)
    }

    /// What the backend can do.
    pub(super) async fn capabilities(&mut self) -> Result<Capabilities, ExecuteError> {
        self.call("capabilities", |traffic, context| traffic.capabilities(context)).await
    }

    /// The backend's name, for errors.
    pub(super) fn backend_name(&self) -> String {
        self.doors.traffic.name().to_owned()
    }

    /// Gives green one more share and sees that it has it.
    pub(super) async fn shift(&mut self, share: Share) -> Result<(), ExecuteError> {
        let can = self.capabilities().await?;
        let kind = can.kind;
        if kind == Kind::Managed {
            return self.deploy().await;
        }
        if self.status.traffic.share == Share::NONE {
            self.smoke().await?;
        }
        if kind == Kind::Manual {
            return self.append(&[TrafficRecord::ApprovalAwaited { gate: Gate::Traffic }.into()]).await;
        }
        // A ramp that it cannot do is refused at first; one that an older version began is not.
        let share = if kind == Kind::Switch { Share::ALL } else { share };
        self.nobody_else_moved(share).await?;
        self.healthy(Side::Green).await?;
        self.append(&[TrafficRecord::ShiftStarted { share }.into()]).await?;
        let confirmed = self.set_and_verify(share, &can).await?;
        self.healthy(Side::Green).await?;
        self.append(&[TrafficRecord::Shifted { share, confirmed }.into()]).await?;
        self.look(Moment::Shifted(share)).await
    }

    /// Sets a share. Says whether the backend confirmed it, or could not tell.
    async fn set_and_verify(&mut self, share: Share, can: &Capabilities) -> Result<bool, ExecuteError> {
        let step = format!("shift-{}", share.as_basis_points());
        let applied = self.call(&step, move |traffic, context| traffic.set_share(context, share)).await?;
        if applied.share != share {
            let backend = self.backend_name();
            return Err(ExecuteError::OtherShare { backend, share, applied: applied.share });
        }
        let set = Instant::now();
        let confirmed = self.verify(&step, share).await?;
        let left = Duration::from_millis(can.converges_ms).saturating_sub(set.elapsed());
        if !left.is_zero() {
            self.tell_waiting(format!("everybody to go by the share of {share}"), left);
            interruptible(&self.doors.stop, self.doors.clock.sleep(left)).await?;
        }
        Ok(confirmed)
    }

    /// Gives blue all traffic again.
    pub(super) async fn give_back(&mut self, can: &Capabilities) -> Result<(), ExecuteError> {
        match can.kind {
            Kind::Managed => self.take_back_deployment().await,
            Kind::Weighted | Kind::Switch | Kind::Manual => self.set_and_verify(Share::NONE, can).await.map(|_| ()),
        }
    }

    /// Sees that green has a share. Says whether the backend confirmed it, or could not tell.
    pub(super) async fn verify(&mut self, step: &str, share: Share) -> Result<bool, ExecuteError> {
        let mut poll = Poll::new(self.limits().verify_timeout());
        loop {
            let seen = match self.call(step, move |traffic, context| traffic.verify(context, share)).await? {
                Verified::Yes => return Ok(true),
                Verified::Unsupported => return Ok(false),
                Verified::NotYet { seen } => seen,
            };
            let Some(pause) = poll.next(Duration::ZERO) else {
                return Err(ExecuteError::NotVerified { backend: self.backend_name(), share, seen });
            };
            self.tell_waiting(format!("green's share of {share}"), pause);
            match self.status.can_pause() {
                true => self.sleep_listening(pause).await?,
                // On the way back it does not stop.
                false => interruptible(&self.doors.stop, self.doors.clock.sleep(pause)).await?,
            }
        }
    }

    pub(super) async fn healthy(&mut self, side: Side) -> Result<(), ExecuteError> {
        match self.call("health", move |traffic, context| traffic.health(context, side)).await? {
            Health::Healthy | Health::Unknown => Ok(()),
            Health::Unhealthy { why } => Err(ExecuteError::Unhealthy { side, why }),
        }
    }

    /// Waits for somebody's word (`promote`, `rollback`), if the caller wants to wait, and journals that it was heard: whoever gave it waits for that.
    /// There is one connection, so the journal is polled.
    pub(super) async fn await_word(&mut self) -> Result<bool, ExecuteError> {
        for what in at_start(self.plan) {
            (self.doors.events)(&Event::AtStart { what });
        }
        if !self.options.wait {
            return Ok(false);
        }
        self.listen().await?;
        Ok(true)
    }

    /// Waits until somebody has given their word, and looks meanwhile whether everything is still right.
    pub(super) async fn listen(&mut self) -> Result<(), ExecuteError> {
        let mut poll = Poll::new(Duration::MAX);
        let (mut looked, mut told) = (Instant::now(), false);
        loop {
            self.watch().await?;
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                if self.status.is_in_ramp() {
                    let before = self.status.stage.clone();
                    self.must_be_right().await?;
                    if self.status.stage != before {
                        return Ok(());
                    }
                }
                // Green may have run its migrations, although it was not to.
                if let Err(ExecuteError::Stale(why)) = self.check_world().await
                    && !told
                {
                    told = true;
                    let what = format!("{why}; the release cannot go on like this");
                    (self.doors.events)(&Event::Warning { what });
                }
            }
            if self.hears_a_word().await? {
                return Ok(());
            }
            let pause = poll.next(Duration::ZERO).unwrap_or(LISTEN).min(LISTEN);
            interruptible(&self.doors.stop, self.doors.clock.sleep(pause)).await?;
        }
    }

    /// Whether somebody has given their word, which is then journaled as heard.
    pub(super) async fn hears_a_word(&mut self) -> Result<bool, ExecuteError> {
        let entries = journal::entries(self.client, &self.release).await?;
        let status = Status::of(entries.iter().map(|entry| &entry.record))?;
        let is_new = |now: &Status| now.stage != self.status.stage || now.standing != self.status.standing;
        let Some(status) = status.filter(is_new) else { return Ok(false) };
        self.status = status;
        let heard = match entries.last().map(|entry| &entry.record) {
            Some(Record::Traffic(TrafficRecord::RollbackStarted { forced, reason, .. })) => {
                let (forced, reason) = (forced.clone(), reason.clone());
                TrafficRecord::RollbackStarted { by: self.actor(), forced, failure: None, reason }.into()
            }
            // That it was heard is journaled where the release comes to stand still.
            Some(Record::Release(ReleaseRecord::PauseAsked { .. })) => return Ok(true),
            _ => ReleaseRecord::Resumed { by: self.actor(), blue: None, limits: Box::default() }.into(),
        };
        self.append(&[heard]).await?;
        Ok(true)
    }

    /// Sees blue drained, or asks for somebody's word. The after phase begins with it.
    pub(super) async fn drain(&mut self) -> Result<(), ExecuteError> {
        if self.status.stage != Stage::Draining {
            self.append(&[TrafficRecord::DrainStarted.into()]).await?;
        }
        if let Some(Guard { sessions, seen: false }) = &self.status.guard
            && blue_sessions(self.client, sessions, None).await? == 0
        {
            let what =
                format!("no session with {sessions} was ever seen; if the name is misspelt, blue is not watched");
            (self.doors.events)(&Event::Warning { what });
        }
        let mut poll = Poll::new(self.limits().drain_timeout());
        loop {
            // Once blue is drained there is no way back to it for long.
            self.must_be_right().await?;
            self.watch().await?;
            let Some(is_over) = self.deployment_is_over().await? else { return Ok(()) };
            let drained = if is_over { self.drained().await? } else { Drain::Active { count: None } };
            let (why, floor) = match drained {
                Drain::Drained { evidence } => {
                    self.watch_once().await?;
                    self.check_world().await?;
                    self.foresee().await?;
                    return self.append(&[TrafficRecord::Drained { evidence }.into()]).await;
                }
                Drain::Unknown => {
                    return self.append(&[TrafficRecord::ApprovalAwaited { gate: Gate::Drain }.into()]).await;
                }
                Drain::Active { count: Some(count) } => (format!("{count} left"), Duration::ZERO),
                Drain::Active { count: None } if !is_over => {
                    ("the platform has not ended its deployment".into(), Duration::ZERO)
                }
                Drain::Active { count: None } => ("somebody is left".into(), Duration::ZERO),
                Drain::WaitUntil { ms } => ("not before its time".into(), Duration::from_millis(ms)),
            };
            let Some(pause) = poll.next(floor) else { return Err(ExecuteError::NotDrained { why }) };
            self.tell_waiting(format!("blue to drain: {why}"), pause);
            self.sleep_watching(pause).await?;
        }
    }

    /// The backend's word and blue's sessions in the database. Each can say no; only the backend or a person can say yes.
    async fn drained(&mut self) -> Result<Drain, ExecuteError> {
        let mut also = String::new();
        if let Some(Guard { sessions, seen }) = self.status.guard.clone() {
            let count = blue_sessions(self.client, &sessions, None).await?;
            if count > 0 {
                self.status.guard = Some(Guard { sessions, seen: true });
                return Ok(Drain::Active { count: Some(count) });
            }
            also = match seen {
                true => ", and blue has no session in the database".to_owned(),
                false => format!(", and no session with {sessions} was there when the release was told of it"),
            };
            if !seen {
                let what =
                    format!("no session with {sessions} was ever seen; if the name is misspelt, blue is not watched");
                (self.doors.events)(&Event::Warning { what });
            }
        }
        Ok(match self.call("drain", |traffic, context| traffic.drain(context, Side::Blue)).await? {
            Drain::Unknown if self.status.traffic.promoted => {
                Drain::Drained { evidence: format!("promoted by an operator{also}") }
            }
            Drain::Drained { evidence } => Drain::Drained { evidence: format!("{evidence}{also}") },
            other @ (Drain::Unknown | Drain::Active { .. } | Drain::WaitUntil { .. }) => other,
        })
    }

    pub(super) async fn finalize_traffic(&mut self) -> Result<(), ExecuteError> {
        self.call("finalize", |traffic, context| traffic.finalize(context)).await
    }

    pub(super) async fn pause(&mut self, what: String, pause: Duration) -> Result<(), ExecuteError> {
        self.tell_waiting(what, pause);
        interruptible(&self.doors.stop, self.doors.clock.sleep(pause)).await
    }

    pub(super) fn tell_waiting(&mut self, what: String, pause: Duration) {
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        (self.doors.events)(&Event::Waiting { what, pause_ms });
    }
}

/// How many sessions blue has in the database. None of cutover's own is one, whatever its role: not this one, not one that looks on, and not that of the
/// `executor` (its server process).
pub(super) async fn blue_sessions(
    client: &Session,
    sessions: &BlueSessions,
    executor: Option<i32>,
) -> Result<u64, ExecuteError> {
    let (column, value) = match sessions {
        BlueSessions::ApplicationName(name) => ("application_name", name),
        BlueSessions::Role(role) => ("usename", role),
    };
    let query = format!(
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
         WHERE {column}::pg_catalog.text = $1 AND datname = pg_catalog.current_database()
           AND pid <> pg_catalog.pg_backend_pid() AND application_name IS DISTINCT FROM '{WATCHING}'
           AND pid IS DISTINCT FROM $2"
    );
    let row = client.query_one(&query, &[value, &executor]).await.map_err(failed("counting blue's sessions"))?;
    Ok(u64::try_from(get::<i64>(&row, 0)?).unwrap_or(0))
}
