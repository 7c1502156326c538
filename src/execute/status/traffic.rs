//! The machine of the traffic.

use schemars::JsonSchema;
use serde::Serialize;

use crate::execute::journal::{Gate, TrafficRecord};
use crate::release::{Purpose, Ramp, RampStep, Share};
use crate::traffic::{Handle, TrafficTarget};

/// What the traffic does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum TrafficState {
    /// It is blue's, or moves to green.
    Moving,
    /// Nothing moves for a time.
    Holding {
        /// When it is over, by the server's clock: milliseconds since 1970.
        until_ms: i64,
    },
    /// Waiting for `promote`.
    AwaitingApproval {
        /// What for.
        gate: Gate,
    },
    /// Green has all of it; blue is being drained.
    Draining,
    /// Blue serves nobody any more.
    Drained,
    /// It moves back to blue.
    RollingBack,
    /// It is back on blue.
    RolledBack,
}

/// Where the traffic is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TrafficStatus {
    /// The backend's name.
    pub backend: String,
    /// What it moves, if it said so when the release was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TrafficTarget>,
    /// How it is to move.
    pub ramp: Ramp,
    /// How many steps of the ramp are over.
    pub ramp_done: usize,
    /// Green's share.
    pub share: Share,
    /// Whether somebody answered for the drain.
    pub promoted: bool,
    /// The deployment of the platform that moves it, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentStatus>,
    /// How many deployments were asked for.
    #[serde(skip)]
    pub deployments: u32,
    /// What it does.
    #[serde(flatten)]
    pub state: TrafficState,
}

/// A deployment of the platform's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeploymentStatus {
    /// What the platform calls it, once it has begun.
    pub handle: Option<Handle>,
    /// The gate that somebody approved last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<String>,
    /// The gates that are passed.
    pub passed: Vec<String>,
}

impl TrafficStatus {
    pub(super) fn new(backend: String, target: Option<TrafficTarget>, ramp: Ramp) -> Self {
        let (share, state) = (Share::NONE, TrafficState::Moving);
        Self { backend, target, ramp, ramp_done: 0, share, promoted: false, deployment: None, deployments: 0, state }
    }

    /// The step of the ramp that is not over yet.
    pub fn ramp_step(&self) -> Option<&RampStep> {
        self.ramp.steps().get(self.ramp_done)
    }

    /// Takes one more record; `false` if it cannot follow.
    pub(super) fn then(&mut self, record: &TrafficRecord) -> bool {
        use TrafficState::{AwaitingApproval, Drained, Draining, Holding, Moving, RolledBack, RollingBack};
        self.state = match (&self.state, record) {
            (Moving, TrafficRecord::ShiftStarted { .. }) => Moving,
            (Moving, TrafficRecord::Shifted { share, .. }) => {
                self.has(*share);
                Moving
            }
            (Moving, TrafficRecord::DeploymentAsked) => {
                self.deployments += 1;
                self.deployment = Some(DeploymentStatus::default());
                Moving
            }
            (state @ (Moving | RollingBack), TrafficRecord::DeploymentStarted { handle }) => {
                self.deployment.get_or_insert_default().handle = Some(handle.clone());
                state.clone()
            }
            (state @ (Moving | Draining), TrafficRecord::GatePassed { gate }) => {
                let deployment = self.deployment.get_or_insert_default();
                deployment.passed.push(gate.clone());
                deployment.approved = None;
                state.clone()
            }
            // Somebody let it pass on the platform.
            (AwaitingApproval { gate: Gate::Deployment(_) }, TrafficRecord::Shifted { share, .. }) => {
                self.has(*share);
                Moving
            }
            (RollingBack, TrafficRecord::BlueGone) => {
                self.has(Share::ALL);
                Moving
            }
            (Moving, TrafficRecord::HoldStarted { until_ms }) => Holding { until_ms: *until_ms },
            (Holding { .. }, TrafficRecord::HoldEnded) => {
                self.ramp_done += 1;
                Moving
            }
            (Moving | Draining | AwaitingApproval { .. }, TrafficRecord::ApprovalAwaited { gate }) => {
                AwaitingApproval { gate: gate.clone() }
            }
            (AwaitingApproval { gate: Gate::Ramp(_) }, TrafficRecord::Promoted { .. }) => {
                self.ramp_done += 1;
                Moving
            }
            (AwaitingApproval { gate: Gate::Deployment(gate) }, TrafficRecord::Promoted { .. }) => {
                self.deployment.get_or_insert_default().approved = Some(gate.clone());
                Moving
            }
            (AwaitingApproval { gate: Gate::Traffic | Gate::Drain }, TrafficRecord::Promoted { .. }) => {
                self.promoted = true;
                self.has(Share::ALL);
                // A bake time may be left.
                if self.ramp_step().is_some() { Moving } else { Draining }
            }
            (Moving, TrafficRecord::Checked { purpose, .. }) => {
                self.ramp_done += usize::from(*purpose == Purpose::Gate);
                Moving
            }
            (Moving | Draining, TrafficRecord::DrainStarted) => Draining,
            (Draining, TrafficRecord::Drained { .. }) => Drained,
            (
                Moving | Holding { .. } | AwaitingApproval { .. } | Draining | Drained | RollingBack,
                TrafficRecord::RollbackStarted { .. },
            ) => RollingBack,
            (RollingBack, TrafficRecord::RolledBack { .. }) => {
                (self.promoted, self.share, self.ramp_done, self.deployment) = (false, Share::NONE, 0, None);
                RolledBack
            }
            (
                _,
                TrafficRecord::ShiftStarted { .. }
                | TrafficRecord::Shifted { .. }
                | TrafficRecord::DeploymentAsked
                | TrafficRecord::DeploymentStarted { .. }
                | TrafficRecord::GatePassed { .. }
                | TrafficRecord::BlueGone
                | TrafficRecord::HoldStarted { .. }
                | TrafficRecord::HoldEnded
                | TrafficRecord::ApprovalAwaited { .. }
                | TrafficRecord::Promoted { .. }
                | TrafficRecord::Checked { .. }
                | TrafficRecord::DrainStarted
                | TrafficRecord::Drained { .. }
                | TrafficRecord::RollbackStarted { .. }
                | TrafficRecord::RolledBack { .. },
            ) => return false,
        };
        true
    }

    /// Green has a share: what comes before it in the ramp is over.
    fn has(&mut self, share: Share) {
        self.share = share;
        self.ramp_done = self.ramp_done.max(self.ramp.reached(share));
    }

    /// A release that went back goes forward again, from the beginning.
    pub(super) fn resume(&mut self) {
        if matches!(self.state, TrafficState::RollingBack | TrafficState::RolledBack) {
            (self.state, self.share, self.ramp_done, self.promoted) = (TrafficState::Moving, Share::NONE, 0, false);
            self.deployment = None;
        }
    }
}
