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
use crate::traffic::{Answer, Handle, ManagedDeployment, Progress, TrafficBackend, TrafficError};

/// The deployments of a backend that says that it has some.
fn managed<'a>(traffic: &'a dyn TrafficBackend, op: &'static str) -> Result<&'a dyn ManagedDeployment, TrafficError> {
    let why = "it says that it is `managed`, and has no deployments".to_owned();
    traffic.managed().ok_or_else(|| TrafficError::Broken { backend: traffic.name().to_owned(), op, why })
}

/// Asks a deployment's backend; one that has none is broken.
fn ask<'a, T: Send + 'a>(
    traffic: &'a dyn TrafficBackend,
    op: &'static str,
    ask: impl FnOnce(&'a dyn ManagedDeployment) -> Answer<'a, T>,
) -> Answer<'a, T> {
    match managed(traffic, op) {
        Ok(managed) => ask(managed),
        Err(error) => Box::pin(async move { Err(error) }),
    }
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
            let progress = self.progress(&handle).await?;
            let (share, gate) = match &progress {
                Progress::Running { share, .. } => (*share, None),
                Progress::AtGate { gate, share, approval } => (*share, Some((gate.clone(), *approval))),
                Progress::Succeeded => {
                    let what = format!(
                        "deployment {handle} is over: the platform has given up blue, and it cannot come back by it"
                    );
                    (self.doors.events)(&Event::Warning { what });
                    (Some(Share::ALL), None)
                }
                Progress::Failed { why } => return Err(failed(&handle, why, false)),
                Progress::RolledBack { why } => return Err(failed(&handle, why, true)),
            };
            let has_none = share.is_none_or(|share| share == Share::NONE);
            let is_first = self.status.traffic.share == Share::NONE;
            if is_first && !is_tested && (gate.is_some() || !has_none) {
                if !has_none && !self.plan.release.smoke.is_empty() {
                    let what =
                        "the platform gave green traffic without a gate before it: its smoke checks come only now"
                            .to_owned();
                    (self.doors.events)(&Event::Warning { what });
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
            match gate {
                Some((gate, approval)) => {
                    self.watch_once().await?;
                    if !self.pass_gate(&handle, &gate, approval).await? {
                        return Ok(());
                    }
                }
                None => {
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
        }
    }

    /// The deployment that this release follows; begun if there is none yet. A crash between its beginning and the journal's row begins no second one: the
    /// platform is asked for the same release and step.
    async fn deployment(&mut self) -> Result<Handle, ExecuteError> {
        if self.status.traffic.deployment.is_none() {
            self.nobody_else_moved(Share::NONE).await?;
            self.append(&[TrafficRecord::DeploymentAsked.into()]).await?;
        }
        if let Some(handle) = self.status.traffic.deployment.as_ref().and_then(|deployment| deployment.handle.clone()) {
            return Ok(handle);
        }
        let step = format!("deploy-{}", self.status.traffic.deployments);
        let handle =
            self.call(&step, |traffic, context| ask(traffic, "start", |managed| managed.start(context))).await?;
        self.append(&[TrafficRecord::DeploymentStarted { handle: handle.clone() }.into()]).await?;
        Ok(handle)
    }

    async fn progress(&mut self, handle: &Handle) -> Result<Progress, ExecuteError> {
        self.call("poll", |traffic, context| ask(traffic, "poll", |managed| managed.poll(context, handle.clone())))
            .await
    }

    /// Passes a gate; `false` if somebody's word is needed for it, which is journaled.
    async fn pass_gate(&mut self, handle: &Handle, gate: &str, approval: bool) -> Result<bool, ExecuteError> {
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
        let Some(deployment) = &self.status.traffic.deployment else { return Ok(Some(true)) };
        let Some(handle) = deployment.handle.clone() else { return Ok(Some(false)) };
        match self.progress(&handle).await? {
            Progress::Succeeded => Ok(Some(true)),
            Progress::Running { .. } => Ok(Some(false)),
            Progress::AtGate { gate, approval, .. } => {
                // Once it is passed there is no way back to blue.
                self.watch_once().await?;
                self.check_world().await?;
                self.foresee().await?;
                Ok(self.pass_gate(&handle, &gate, approval).await?.then_some(false))
            }
            Progress::Failed { why } => Err(failed(&handle, &why, false)),
            Progress::RolledBack { why } => Err(failed(&handle, &why, true)),
        }
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
            let why = "the platform has not ended its deployment".to_owned();
            let Some(pause) = poll.next(Duration::ZERO) else { return Err(ExecuteError::NotDrained { why }) };
            self.pause("the platform to end its deployment".to_owned(), pause).await?;
        }
    }

    /// Whether the deployment still is where it was seen last: what share it has come to.
    pub(super) async fn deployment_share(&mut self) -> Result<Option<Share>, ExecuteError> {
        let deployment = self.status.traffic.deployment.as_ref();
        let Some(handle) = deployment.and_then(|deployment| deployment.handle.clone()) else { return Ok(None) };
        match self.progress(&handle).await? {
            Progress::Running { share, .. } | Progress::AtGate { share, .. } => Ok(share),
            Progress::Succeeded => Ok(Some(Share::ALL)),
            Progress::Failed { why } => Err(failed(&handle, &why, false)),
            Progress::RolledBack { why } => Err(failed(&handle, &why, true)),
        }
    }

    /// Ends a deployment and sees blue have all traffic again.
    pub(super) async fn take_back_deployment(&mut self) -> Result<(), ExecuteError> {
        if self.status.traffic.deployment.is_none() {
            return Ok(());
        }
        // Whether one was begun nobody knows where its name was not journaled.
        let handle = self.deployment().await?;
        let (mut poll, mut is_told) = (Poll::new(self.limits().verify_timeout()), false);
        loop {
            let progress = self.progress(&handle).await?;
            match &progress {
                Progress::RolledBack { .. } => return Ok(()),
                Progress::Succeeded => return Err(ExecuteError::DeploymentOver { handle }),
                Progress::Failed { .. } if is_told && self.green_has_none().await? => return Ok(()),
                Progress::Running { .. } | Progress::AtGate { .. } | Progress::Failed { .. } => {}
            }
            if !is_told {
                self.call("abort", |traffic, context| {
                    let handle = handle.clone();
                    ask(traffic, "abort", |managed| managed.abort(context, handle))
                })
                .await?;
                is_told = true;
                continue;
            }
            let Some(pause) = poll.next(Duration::ZERO) else {
                let seen = self.deployment_share().await.unwrap_or_default();
                return Err(ExecuteError::NotVerified { backend: self.backend_name(), share: Share::NONE, seen });
            };
            self.pause(format!("blue to have everything again: {}", doing(&handle, &progress)), pause).await?;
        }
    }

    async fn green_has_none(&mut self) -> Result<bool, ExecuteError> {
        Ok(self.call("observe", |traffic, context| traffic.observe(context)).await?.share == Some(Share::NONE))
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

fn failed(handle: &Handle, why: &str, is_back: bool) -> ExecuteError {
    ExecuteError::DeploymentFailed { handle: handle.clone(), why: why.to_owned(), is_back }
}
