//! The machine of the traffic.

use schemars::JsonSchema;
use serde::Serialize;

use crate::execute::journal::{Gate, TrafficRecord};
use crate::traffic::{Share, Strategy};

/// What the traffic does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum TrafficState {
    /// It is blue's, or moves to green.
    Moving,
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
    /// The shares that green is to get.
    pub ramp: Strategy,
    /// Green's share.
    pub share: Share,
    /// Whether somebody answered for the drain.
    pub promoted: bool,
    /// What it does.
    #[serde(flatten)]
    pub state: TrafficState,
}

impl TrafficStatus {
    pub(super) fn new(backend: String, ramp: Strategy) -> Self {
        Self { backend, ramp, share: Share::NONE, promoted: false, state: TrafficState::Moving }
    }

    /// Takes one more record; `false` if it cannot follow.
    pub(super) fn then(&mut self, record: &TrafficRecord) -> bool {
        use TrafficState::{AwaitingApproval, Drained, Draining, Moving, RolledBack, RollingBack};
        self.state = match (self.state, record) {
            (Moving, TrafficRecord::ShiftStarted { .. }) => Moving,
            (Moving, TrafficRecord::Shifted { share, .. }) => {
                self.share = *share;
                Moving
            }
            (Moving | Draining | AwaitingApproval { .. }, TrafficRecord::ApprovalAwaited { gate }) => {
                AwaitingApproval { gate: *gate }
            }
            (AwaitingApproval { .. }, TrafficRecord::Promoted { .. }) => {
                (self.promoted, self.share) = (true, Share::ALL);
                Draining
            }
            (Moving | Draining, TrafficRecord::DrainStarted) => Draining,
            (Draining, TrafficRecord::Drained { .. }) => Drained,
            (
                Moving | AwaitingApproval { .. } | Draining | Drained | RollingBack,
                TrafficRecord::RollbackStarted { .. },
            ) => RollingBack,
            (RollingBack, TrafficRecord::RolledBack { .. }) => {
                (self.promoted, self.share) = (false, Share::NONE);
                RolledBack
            }
            (
                _,
                TrafficRecord::ShiftStarted { .. }
                | TrafficRecord::Shifted { .. }
                | TrafficRecord::ApprovalAwaited { .. }
                | TrafficRecord::Promoted { .. }
                | TrafficRecord::DrainStarted
                | TrafficRecord::Drained { .. }
                | TrafficRecord::RollbackStarted { .. }
                | TrafficRecord::RolledBack { .. },
            ) => return false,
        };
        true
    }

    /// A release that went back goes forward again, from the beginning.
    pub(super) fn resume(&mut self) {
        if matches!(self.state, TrafficState::RollingBack | TrafficState::RolledBack) {
            (self.state, self.share, self.promoted) = (TrafficState::Moving, Share::NONE, false);
        }
    }
}
