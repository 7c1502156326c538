//! Deployments that a platform owns: it moves the traffic by its own settings, stops at gates of its own, and says how far it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Context, Share};

/// What the platform calls a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Handle(pub String);

impl std::fmt::Display for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a deployment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "progress", rename_all = "kebab-case")]
pub enum Progress {
    /// It goes on by itself.
    Running {
        /// Green's share, if it can be read.
        #[serde(default)]
        share: Option<Share>,
        /// What it does, for people.
        #[serde(default)]
        stage: Option<String>,
    },
    /// It stands still until [`ManagedDeployment::answer`]. With all traffic on green, the answer gives up blue.
    AtGate {
        /// What the platform calls the gate.
        gate: String,
        /// Green's share, if it can be read.
        #[serde(default)]
        share: Option<Share>,
        /// Whether somebody's word is to be waited for.
        #[serde(default)]
        approval: bool,
    },
    /// Green has all traffic, and blue is gone.
    Succeeded,
    /// It has stopped because something went wrong; who has how much of the traffic is not said with that.
    Failed {
        /// Why.
        why: String,
    },
    /// Blue has all traffic again.
    RolledBack {
        /// Why.
        why: String,
    },
}

impl Progress {
    /// Green's share, as far as this says it.
    pub fn share(&self) -> Option<Share> {
        match self {
            Self::Running { share, .. } | Self::AtGate { share, .. } => *share,
            Self::Succeeded => Some(Share::ALL),
            Self::Failed { .. } | Self::RolledBack { .. } => None,
        }
    }

    /// The gate that it stands at, and whether somebody's word is to be waited for.
    pub fn gate(&self) -> Option<(&str, bool)> {
        match self {
            Self::AtGate { gate, approval, .. } => Some((gate, *approval)),
            _ => None,
        }
    }
}

/// What a platform does that owns its deployments. Every call may be made again, after a crash.
pub trait ManagedDeployment: Send + Sync {
    /// Begins one. Asked again for the same release and step of the context, it gives the one that was begun.
    fn start<'a>(&'a self, context: &'a Context) -> Answer<'a, Handle>;

    /// How far one is. Changes nothing.
    fn poll<'a>(&'a self, context: &'a Context, handle: Handle) -> Answer<'a, Progress>;

    /// Lets it pass a gate. Where it does not stand at that gate any more, nothing happens.
    fn answer<'a>(&'a self, context: &'a Context, handle: Handle, gate: String) -> Answer<'a, ()>;

    /// Ends it and gives blue all traffic again, which may take a while: [`Progress::RolledBack`]. Once it has succeeded, this is an error.
    fn abort<'a>(&'a self, context: &'a Context, handle: Handle) -> Answer<'a, ()>;
}
