//! Asking how green does: before it gets traffic, at steps of the ramp, and again and again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::error::ExecuteError;
use super::event::Event;
use super::journal::TrafficRecord;
use super::shift::LISTEN;
use super::stop::StopLevel;
use crate::checks::{CheckContext, CheckCounts, Checks, Judged, Measured};
use crate::release::{CheckLimits, Purpose, Ramp, Share};

/// The checks that are made again and again: when each is made next, and what it has said so far.
#[derive(Debug, Default)]
pub(super) struct Watches(BTreeMap<String, Watched>);

#[derive(Debug)]
struct Watched {
    next: Instant,
    made: bool,
    counts: CheckCounts,
}

impl Engine<'_, '_> {
    /// Every check that this release makes must be at hand.
    pub(super) fn checks_are_there(&self) -> Result<(), ExecuteError> {
        let mut asked = self.plan.release.checks_beside_ramp().chain(Ramp::checks(&self.status.traffic.ramp));
        match (self.doors.checks, asked.find(|name| self.doors.checks.named(name).is_none())) {
            (Checks::Given(_), Some(name)) => Err(ExecuteError::NoCheck { check: name.to_owned() }),
            _ => Ok(()),
        }
    }

    /// The checks before green gets any traffic. Those are of the database that carries it.
    pub(super) async fn smoke(&mut self) -> Result<(), ExecuteError> {
        if self.status.part.follows() {
            return Ok(());
        }
        for name in &self.plan.release.smoke {
            let said = self.pass(name, Purpose::Smoke).await?;
            self.append(&[TrafficRecord::Checked { check: name.clone(), purpose: Purpose::Smoke, said }.into()])
                .await?;
        }
        Ok(())
    }

    /// A check that is a step of the ramp.
    pub(super) async fn gate(&mut self, name: &str) -> Result<(), ExecuteError> {
        let said = self.pass(name, Purpose::Gate).await?;
        let (check, purpose) = (name.to_owned(), Purpose::Gate);
        self.append(&[TrafficRecord::Checked { check, purpose, said }.into()]).await
    }

    /// Makes a check until it comes out one way or the other.
    async fn pass(&mut self, name: &str, purpose: Purpose) -> Result<String, ExecuteError> {
        let mut counts = CheckCounts::default();
        loop {
            let (measured, limits) = self.measure(name, purpose).await?;
            match counts.add(&measured, &limits) {
                Judged::Passed => return Ok(measured.said),
                Judged::Open => {}
                worse => return Err(bad(name, purpose, measured, &worse)),
            }
            self.sleep_watching(Duration::from_millis(limits.interval_ms)).await?;
        }
    }

    /// Makes those checks whose time has come, while green has traffic and blue can come back.
    pub(super) async fn watch(&mut self) -> Result<(), ExecuteError> {
        self.watch_those_of(|watched| watched.next <= Instant::now()).await
    }

    /// Makes all of them: before a step that cannot be taken back by a share.
    pub(super) async fn watch_all(&mut self) -> Result<(), ExecuteError> {
        self.watch_those_of(|_| true).await
    }

    /// Makes those that were not made yet: each says something of green before blue is given up.
    pub(super) async fn watch_once(&mut self) -> Result<(), ExecuteError> {
        self.watch_those_of(|watched| !watched.made).await
    }

    async fn watch_those_of(&mut self, is_due: impl Fn(&Watched) -> bool) -> Result<(), ExecuteError> {
        let between = self.status.is_in_ramp() || self.may_have_waited();
        if self.status.traffic.share == Share::NONE || !between || self.status.part.follows() {
            return Ok(());
        }
        for name in &self.plan.release.watch {
            let Some(check) = self.doors.checks.named(name) else { continue };
            let interval = Duration::from_millis(check.limits.interval_ms);
            let fresh = || Watched { next: Instant::now() + interval, made: false, counts: CheckCounts::default() };
            if !is_due(self.watches.0.entry(name.clone()).or_insert_with(fresh)) {
                continue;
            }
            let (measured, limits) = self.measure(name, Purpose::Watch).await?;
            let Some(watched) = self.watches.0.get_mut(name) else { continue };
            (watched.next, watched.made) = (Instant::now() + interval, true);
            match watched.counts.add(&measured, &limits) {
                Judged::Passed | Judged::Open => {}
                worse => {
                    // Whoever resumes begins to count anew.
                    self.watches.0.remove(name);
                    return Err(bad(name, Purpose::Watch, measured, &worse));
                }
            }
        }
        Ok(())
    }

    /// Sleeps, and makes the checks whose time comes meanwhile.
    pub(super) async fn sleep_watching(&mut self, time: Duration) -> Result<(), ExecuteError> {
        let mut left = time;
        while !left.is_zero() {
            let pause = left.min(LISTEN);
            self.sleep_listening(pause).await?;
            self.watch().await?;
            left -= pause;
        }
        Ok(())
    }

    /// Makes a check once, and tells what it said.
    pub(super) async fn measure(
        &mut self,
        name: &str,
        purpose: Purpose,
    ) -> Result<(Measured, CheckLimits), ExecuteError> {
        let Some(check) = self.doors.checks.named(name) else {
            let said = "simulated".to_owned();
            return Ok((Measured { verdict: crate::checks::CheckVerdict::Successful, said }, CheckLimits::default()));
        };
        let deadline = Duration::from_millis(check.limits.timeout_ms);
        let context = CheckContext { database: self.client.target().clone(), deadline };
        let measured = tokio::select! {
            measured = check.check.measure(&context) => measured,
            () = self.doors.stop.asked(StopLevel::Graceful) => return Err(ExecuteError::Interrupted),
        };
        // What holds a backfill back is told as such.
        if purpose != Purpose::Backfill {
            let (verdict, said) = (measured.verdict, measured.said.clone());
            (self.doors.events)(&Event::Checked { check: name.to_owned(), purpose, verdict, said });
        }
        Ok((measured, check.limits))
    }
}

fn bad(check: &str, purpose: Purpose, measured: Measured, judged: &Judged) -> ExecuteError {
    let (check, why) = (check.to_owned(), measured.said);
    match judged {
        Judged::Inconclusive => ExecuteError::Inconclusive { check, purpose, why },
        _ => ExecuteError::CheckFailed { check, purpose, why },
    }
}
