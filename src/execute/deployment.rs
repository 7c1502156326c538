//! A platform's own deployment: begin it, follow it from gate to gate, let it give up blue, or end it.
//!
//! The platform moves the traffic; what is right for a release stays with the engine. No gate is passed with green untested: smoke checks come before
//! green has any traffic, watches before each gate, and blue is given up (the gate at which green has everything) only where the after phase may begin.

use std::time::Duration;

use super::engine::Engine;
use super::error::ExecuteError;
use super::event::Event;
use super::journal::{Gate, TrafficRecord};
use super::shift::{LISTEN, Poll};
use crate::release::Share;
use crate::side::Side;
use crate::traffic::{Answer, Handle, ManagedDeployment, Progress, TrafficBackend, TrafficError};

/// Asks the deployments of a backend that says that it has some; one that has none is broken.
fn ask<'a, T: Send + 'a>(
    traffic: &'a dyn TrafficBackend,
    op: &'static str,
    ask: impl FnOnce(&'a dyn ManagedDeployment) -> Answer<'a, T>,
) -> Answer<'a, T> {
    if let Some(managed) = traffic.managed() {
        return ask(managed);
    }
    let why = "it says that it is `managed`, and has no deployments".to_owned();
    let error = TrafficError::Broken { backend: traffic.name().to_owned(), op, why };
    Box::pin(async move { Err(error) })
}

impl Engine<'_, '_> {
    /// Begins a deployment, or goes on with the one that was begun, until green has all traffic or somebody's word is needed.
    pub(super) async fn deploy(&mut self) -> Result<(), ExecuteError> {
        let handle = self.deployment().await?;
        let (mut is_tested, mut poll, mut before) = (false, Poll::new(Duration::MAX), None);
        loop {
            if self.hears_a_word().await? {
                return Ok(());
            }
            self.watch().await?;
            let progress = self.going(&handle).await?;
            let (share, gate) = (progress.share(), progress.gate());
            if progress == Progress::Succeeded {
                let what = format!(
                    "deployment {handle} is over: the platform has given up blue, and it cannot come back by it"
                );
                (self.doors.events)(&Event::Warning { what });
            }
            let has_none = share.is_none_or(|share| share == Share::NONE);
            let is_first = self.status.traffic.share == Share::NONE && self.gates_passed().is_empty();
            if is_first && !is_tested && (gate.is_some() || !has_none) {
                if !has_none && !self.plan.release.smoke.is_empty() {
                    let what =
                        "the platform gave green traffic without a gate before it: its smoke checks come only now";
                    (self.doors.events)(&Event::Warning { what: what.to_owned() });
                }
                self.smoke().await?;
                is_tested = true;
            }
            if let Some(share) = share.filter(|share| *share != self.status.traffic.share) {
                self.append(&[TrafficRecord::Shifted { share, confirmed: true }.into()]).await?;
            }
            if share == Some(Share::ALL) {
                return Ok(());
            }
            if let Some((gate, approval)) = gate
                && !self.pass_gate(&handle, gate, approval).await?
            {
                return Ok(());
            }
            // Often where something happens, seldom where nothing does.
            if before.as_ref() != Some(&progress) {
                poll = Poll::new(Duration::MAX);
            }
            let pause = poll.next(Duration::ZERO).unwrap_or(LISTEN);
            self.tell_waiting(doing(&handle, &progress), pause);
            self.sleep_watching(pause).await?;
            before = Some(progress);
        }
    }

    fn gates_passed(&self) -> &[String] {
        self.status.traffic.deployment.as_ref().map_or(&[], |deployment| &deployment.passed)
    }

    /// What the platform calls the deployment that was begun.
    fn handle(&self) -> Option<Handle> {
        self.status.traffic.deployment.as_ref()?.handle.clone()
    }

    /// The deployment that this release follows; begun if there is none yet. A crash between its beginning and the journal's row begins no second one: the
    /// platform is asked for the same release and step.
    async fn deployment(&mut self) -> Result<Handle, ExecuteError> {
        if self.status.traffic.deployment.is_none() {
            self.nobody_else_moved(Share::NONE).await?;
            self.append(&[TrafficRecord::DeploymentAsked.into()]).await?;
        }
        if let Some(handle) = self.handle() {
            return Ok(handle);
        }
        let step = format!("deploy-{}", self.status.traffic.deployments);
        let handle =
            self.call(&step, |traffic, context| ask(traffic, "start", |managed| managed.start(context))).await?;
        self.append(&[TrafficRecord::DeploymentStarted { handle: handle.clone() }.into()]).await?;
        Ok(handle)
    }

    /// How far it is. What the platform does not say of green's share, it may still show; at a gate it must be known, because the last one gives up blue.
    async fn progress(&mut self, handle: &Handle) -> Result<Progress, ExecuteError> {
        let mut progress = self.poll(handle).await?;
        if let Progress::Running { share: None, .. } | Progress::AtGate { share: None, .. } = progress {
            let seen = self.seen().await?;
            // It may have been taken back in between, and says so then.
            if seen.is_some_and(|seen| seen < self.status.traffic.share) {
                progress = self.poll(handle).await?;
            }
            if let Progress::Running { share: share @ None, .. } | Progress::AtGate { share: share @ None, .. } =
                &mut progress
            {
                *share = seen;
            }
        }
        match progress {
            Progress::AtGate { gate, share: None, .. } => {
                let why = format!("at its gate {gate} nobody knows green's share");
                Err(TrafficError::Broken { backend: self.backend_name(), op: "poll", why }.into())
            }
            progress => Ok(progress),
        }
    }

    async fn poll(&mut self, handle: &Handle) -> Result<Progress, ExecuteError> {
        self.call("poll", |traffic, context| ask(traffic, "poll", |managed| managed.poll(context, handle.clone())))
            .await
    }

    /// How far it is, where it has neither failed nor gone back.
    async fn going(&mut self, handle: &Handle) -> Result<Progress, ExecuteError> {
        let failed = |why, is_back| Err(ExecuteError::DeploymentFailed { handle: handle.clone(), why, is_back });
        match self.progress(handle).await? {
            Progress::Failed { why } => failed(why, false),
            Progress::RolledBack { why } => failed(why, true),
            progress => Ok(progress),
        }
    }

    /// Passes a gate that is not passed yet, once green is seen to work; `false` if somebody's word is needed for it, which is journaled.
    async fn pass_gate(&mut self, handle: &Handle, gate: &str, approval: bool) -> Result<bool, ExecuteError> {
        if self.gates_passed().iter().any(|passed| passed == gate) {
            return Ok(true);
        }
        if self.status.traffic.share != Share::NONE {
            self.healthy(Side::Green).await?;
            self.watch_all().await?;
        }
        let approved = self.status.traffic.deployment.as_ref().and_then(|deployment| deployment.approved.as_deref());
        if approval && approved != Some(gate) {
            let gate = Gate::Deployment(gate.to_owned());
            self.append(&[TrafficRecord::ApprovalAwaited { gate }.into()]).await?;
            return Ok(false);
        }
        let step = format!("gate-{gate}");
        self.call(&step, |traffic, context| {
            let (handle, gate) = (handle.clone(), gate.to_owned());
            ask(traffic, "answer", |managed| managed.answer(context, handle, gate))
        })
        .await?;
        self.append(&[TrafficRecord::GatePassed { gate: gate.to_owned() }.into()]).await?;
        Ok(true)
    }

    /// Whether the deployment is over, blue with it. Where it waits to give up blue, it may.
    ///
    /// `None`: somebody's word is needed for that, which is journaled.
    pub(super) async fn deployment_is_over(&mut self) -> Result<Option<bool>, ExecuteError> {
        if self.status.traffic.deployment.is_none() {
            return Ok(Some(true));
        }
        let Some(handle) = self.handle() else { return Ok(Some(false)) };
        let progress = self.going(&handle).await?;
        let Some((gate, approval)) = progress.gate() else { return Ok(Some(progress == Progress::Succeeded)) };
        // Once it is passed there is no way back to blue.
        self.check_world().await?;
        self.foresee().await?;
        Ok(self.pass_gate(&handle, gate, approval).await?.then_some(false))
    }

    /// Sees a deployment end, where nothing of the release waits for blue's end. `false` if somebody's word is needed for it.
    pub(super) async fn end_deployment(&mut self) -> Result<bool, ExecuteError> {
        let mut poll = Poll::new(self.limits().drain_timeout());
        loop {
            match self.deployment_is_over().await? {
                Some(true) => return Ok(true),
                Some(false) => {}
                None => return Ok(false),
            }
            self.must_be_right().await?;
            self.watch().await?;
            let why = "the platform has not ended its deployment".to_owned();
            let Some(pause) = poll.next(Duration::ZERO) else { return Err(ExecuteError::NotDrained { why }) };
            self.tell_waiting("the platform to end its deployment".to_owned(), pause);
            self.sleep_watching(pause).await?;
        }
    }

    /// Whether the deployment still is where it was seen last: what share it has come to.
    pub(super) async fn deployment_share(&mut self) -> Result<Option<Share>, ExecuteError> {
        let Some(handle) = self.handle() else { return Ok(None) };
        Ok(self.going(&handle).await?.share())
    }

    /// Whether blue can come back: not by a deployment that is over. Asked before it is journaled that the release goes back.
    pub(super) async fn can_come_back(&mut self) -> Result<(), ExecuteError> {
        let Some(handle) = self.handle() else { return Ok(()) };
        match self.progress(&handle).await? {
            Progress::Succeeded => Err(ExecuteError::DeploymentOver { handle }),
            _ => Ok(()),
        }
    }

    /// Ends a deployment and sees blue have all traffic again.
    pub(super) async fn take_back_deployment(&mut self) -> Result<(), ExecuteError> {
        let asked = self.status.traffic.deployment.is_some();
        // Whether one was begun nobody knows where its name was not journaled.
        let handle = match if asked { self.deployment().await.map(Some) } else { Ok(None) } {
            Ok(Some(handle)) => handle,
            Ok(None) | Err(ExecuteError::Traffic(TrafficError::Refused { .. })) if self.green_has_none().await? => {
                return Ok(());
            }
            Ok(None) => {
                let (backend, seen) = (self.backend_name(), self.seen().await?);
                return Err(ExecuteError::NotVerified { backend, share: Share::NONE, seen });
            }
            Err(error) => return Err(error),
        };
        let (mut poll, mut is_told) = (Poll::new(self.limits().verify_timeout()), false);
        loop {
            let progress = self.progress(&handle).await?;
            match &progress {
                Progress::RolledBack { .. } => return Ok(()),
                Progress::Succeeded => {
                    self.append(&[TrafficRecord::BlueGone.into()]).await?;
                    return Err(ExecuteError::DeploymentOver { handle });
                }
                // Somebody who insists has looked.
                Progress::Failed { .. } if is_told && (self.options.force || self.green_has_none().await?) => {
                    return Ok(());
                }
                Progress::Running { .. } | Progress::AtGate { .. } | Progress::Failed { .. } => {}
            }
            if !is_told {
                is_told = true;
                let abort = self.call("abort", |traffic, context| {
                    let handle = handle.clone();
                    ask(traffic, "abort", |managed| managed.abort(context, handle))
                });
                match (abort.await, &progress) {
                    // What has failed may not be ended once more.
                    (Ok(()), _)
                    | (Err(ExecuteError::Traffic(TrafficError::Refused { .. })), Progress::Failed { .. }) => continue,
                    // It may have come to its end in between.
                    (Err(error), _) => match self.progress(&handle).await? {
                        Progress::Succeeded | Progress::RolledBack { .. } => continue,
                        _ => return Err(error),
                    },
                }
            }
            let Some(pause) = poll.next(Duration::ZERO) else {
                let seen = self.seen().await?;
                return Err(ExecuteError::NotVerified { backend: self.backend_name(), share: Share::NONE, seen });
            };
            self.pause(format!("blue to have everything again: {}", doing(&handle, &progress)), pause).await?;
        }
    }

    async fn green_has_none(&mut self) -> Result<bool, ExecuteError> {
        Ok(self.seen().await? == Some(Share::NONE))
    }
}

/// What it does, for whoever waits.
fn doing(handle: &Handle, progress: &Progress) -> String {
    match progress {
        Progress::Running { stage: Some(stage), .. } => format!("deployment {handle}: {stage}"),
        Progress::AtGate { gate, .. } => format!("deployment {handle} at its gate {gate}"),
        Progress::Running { stage: None, .. }
        | Progress::Succeeded
        | Progress::Failed { .. }
        | Progress::RolledBack { .. } => format!("deployment {handle}"),
    }
}
