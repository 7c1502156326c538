//! The contract between the release engine and whatever moves the traffic.
//!
//! Level-triggered: the engine may make the same call again after a crash, so every call must be idempotent. A backend never decides;
//! it moves, and it tells what it sees. Whether blue may come back is decided by the engine, from the journal.

use std::future::Future;
use std::num::NonZeroU16;
use std::pin::Pin;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{ManagedDeployment, Share};
use crate::side::Side;

/// What a backend's call returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, TrafficError>> + Send + 'a>>;

/// How a backend moves traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// By any share.
    Weighted,
    /// Everything or nothing.
    Switch,
    /// People move it; the engine waits for their word.
    Manual,
    /// A platform moves it by deployments of its own, see [`TrafficBackend::managed`].
    Managed,
}

/// What a backend can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capabilities {
    /// How it moves traffic.
    pub kind: Kind,
    /// Whether [`TrafficBackend::verify`] can say yes.
    pub can_verify: bool,
    /// Whether [`TrafficBackend::drain`] can say drained.
    pub can_prove_drain: bool,
    /// The steps that shares come in, in basis points; none: any share, unless [`TrafficBackend::refuses`] it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<NonZeroU16>,
    /// Whether a change that somebody else makes at the same moment is never overwritten.
    #[serde(default)]
    pub compares_and_swaps: bool,
    /// How long a share takes at least until everybody goes by it, whatever is seen before, in milliseconds: the time to live of a name, for one.
    #[serde(default)]
    pub converges_ms: u64,
    /// What it moves. A release is carried on where it was begun, and nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TrafficTarget>,
}

impl Capabilities {
    /// Of a kind that can do nothing beyond it.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            can_verify: false,
            can_prove_drain: false,
            grid: None,
            compares_and_swaps: false,
            converges_ms: 0,
            target: None,
        }
    }

    /// Of a kind that can see what it set, and perhaps when nobody is left.
    pub fn seeing(kind: Kind, can_prove_drain: bool) -> Self {
        Self { can_verify: true, can_prove_drain, ..Self::of(kind) }
    }

    /// The same, which moves this.
    #[must_use]
    pub fn moving(self, at: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { target: Some(TrafficTarget { at: at.into(), resource: resource.into() }), ..self }
    }
}

/// What a backend moves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct TrafficTarget {
    /// Where it is: an address, an account with its region.
    pub at: String,
    /// What it is there.
    pub resource: String,
}

impl std::fmt::Display for TrafficTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.resource, self.at)
    }
}

/// What a backend sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShareSeen {
    /// Green's share, if it can be read.
    pub share: Option<Share>,
}

/// What a backend did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShareSet {
    /// The share it set, rounded to what it can do.
    pub share: Share,
}

/// Whether the traffic moves as it was told to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verified", rename_all = "kebab-case")]
pub enum Verified {
    /// It does.
    Yes,
    /// Not yet; ask again.
    NotYet {
        /// The share that was seen, if any.
        seen: Option<Share>,
    },
    /// The backend cannot tell.
    Unsupported,
}

/// Whether a version works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "health", rename_all = "kebab-case")]
pub enum Health {
    /// It does.
    Healthy,
    /// It does not.
    Unhealthy {
        /// Why.
        why: String,
    },
    /// The backend cannot tell.
    Unknown,
}

/// Whether a version still serves somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "drain", rename_all = "kebab-case")]
pub enum Drain {
    /// Nobody is left, and this is how it is known.
    Drained {
        /// The evidence, for the journal.
        evidence: String,
    },
    /// Somebody is left.
    Active {
        /// How many, if known.
        count: Option<u64>,
    },
    /// Nothing can be said before that time has passed.
    WaitUntil {
        /// In so many milliseconds.
        ms: u64,
    },
    /// The backend cannot tell. This never opens the gate to the after phase by itself.
    Unknown,
}

/// Who calls, and why. The same call of the same step carries the same ids.
#[derive(Debug, Clone)]
pub struct Context {
    /// The release.
    pub release: String,
    /// What the call is for, for example `shift-1000`.
    pub step: String,
    /// The lease's epoch: a call with a lower one comes from an executor that lost its lease.
    pub fence: i64,
    /// How long the call may take.
    pub deadline: Duration,
    /// Where the backend's own log lines go.
    pub log: Log,
}

/// Where the log lines of a backend go: the engine tells each as an event.
#[derive(Debug, Clone)]
pub struct Log(UnboundedSender<String>);

/// The lines of a [`Log`].
#[derive(Debug)]
pub struct Lines(UnboundedReceiver<String>);

impl Lines {
    /// The next line, once there is one.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.0.recv().await
    }

    /// The next line that is there already.
    pub(crate) fn next_now(&mut self) -> Option<String> {
        self.0.try_recv().ok()
    }
}

impl Log {
    /// A log, and what is added to it.
    pub fn channel() -> (Self, Lines) {
        let (log, lines) = unbounded_channel();
        (Self(log), Lines(lines))
    }

    /// Adds a line.
    pub fn line(&self, text: impl Into<String>) {
        // Nobody listens any more once the call is over.
        let _ = self.0.send(text.into());
    }
}

/// What is wrong, in a word.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrafficErrorCode {
    /// It may not.
    Denied,
    /// What it is to move is not there.
    NotFound,
    /// Somebody else changed it at the same moment.
    Conflict,
    /// Too many calls; a later one may work.
    Throttled,
    /// What it is to move is not set up so that it could.
    Misconfigured,
    /// A share that it cannot set exactly.
    Grid,
    /// Another executor has taken over.
    Fenced,
    /// A program's own word.
    Other(String),
}

/// Their names on the wire.
const CODES: [(&str, TrafficErrorCode); 7] = [
    ("denied", TrafficErrorCode::Denied),
    ("not-found", TrafficErrorCode::NotFound),
    ("conflict", TrafficErrorCode::Conflict),
    ("throttled", TrafficErrorCode::Throttled),
    ("misconfigured", TrafficErrorCode::Misconfigured),
    ("grid", TrafficErrorCode::Grid),
    ("fenced", TrafficErrorCode::Fenced),
];

impl std::fmt::Display for TrafficErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Other(word) => f.write_str(word),
            known => f.write_str(CODES.iter().find(|(_, code)| code == known).map_or("", |(name, _)| name)),
        }
    }
}

impl From<&str> for TrafficErrorCode {
    fn from(word: &str) -> Self {
        let known = CODES.iter().find(|(name, _)| *name == word);
        known.map_or_else(|| Self::Other(word.to_owned()), |(_, code)| code.clone())
    }
}

/// Why a backend did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrafficError {
    /// It answered with an error of its own.
    #[error("traffic backend {backend}: {op} failed: {message} ({code})")]
    Refused {
        /// Its name.
        backend: String,
        /// The call.
        op: &'static str,
        /// What is wrong, in a word.
        code: TrafficErrorCode,
        /// Its message.
        message: String,
        /// Whether the same call may work later.
        retryable: bool,
    },
    /// It cannot be reached, which may pass: it is being restarted, for one.
    #[error("traffic backend {backend}: {op} cannot reach it: {why}")]
    Unavailable {
        /// Its name.
        backend: String,
        /// The call.
        op: &'static str,
        /// What went wrong.
        why: String,
    },
    /// It did not answer in time, and was ended.
    #[error("traffic backend {backend}: {op} gave no answer within {deadline:?}; its process group was killed")]
    Late {
        /// Its name.
        backend: String,
        /// The call.
        op: &'static str,
        /// How long it had.
        deadline: Duration,
    },
    /// It is broken.
    #[error("traffic backend {backend}: {op} gave no answer: {why}")]
    Broken {
        /// Its name.
        backend: String,
        /// The call.
        op: &'static str,
        /// What went wrong.
        why: String,
    },
}

impl TrafficError {
    /// An error of the backend's own. Only what says so may work later.
    pub fn refused(backend: &str, op: &'static str, code: TrafficErrorCode, message: impl Into<String>) -> Self {
        let retryable = code == TrafficErrorCode::Throttled;
        Self::Refused { backend: backend.to_owned(), op, code, message: message.into(), retryable }
    }

    /// The backend cannot be reached.
    pub fn unavailable(backend: &str, op: &'static str, why: impl Into<String>) -> Self {
        Self::Unavailable { backend: backend.to_owned(), op, why: why.into() }
    }

    /// What is wrong, where the backend answered with an error of its own.
    pub fn code(&self) -> Option<&TrafficErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the same call may work a little later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Refused { retryable, .. } => *retryable,
            Self::Unavailable { .. } => true,
            Self::Late { .. } | Self::Broken { .. } => false,
        }
    }
}

/// Moves traffic between blue and green.
pub trait TrafficBackend: Send + Sync {
    /// Its name. A release is carried on with the backend of the same name only.
    fn name(&self) -> &str;

    /// Why it cannot set a share exactly, if it cannot. Asked of every share of a ramp before anything runs.
    fn refuses(&self, _share: Share) -> Option<String> {
        None
    }

    /// What its credentials must be allowed, in the words of the platform that it works on. Nothing, unless it says otherwise.
    fn permissions(&self) -> Option<Value> {
        None
    }

    /// What it can do.
    fn capabilities<'a>(&'a self, context: &'a Context) -> Answer<'a, Capabilities>;

    /// Whether it could work now; an error says what is missing.
    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()>;

    /// What it sees. Changes nothing.
    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen>;

    /// Gives green this share.
    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet>;

    /// Whether green has this share by now. Unless it says otherwise, this is what it sees.
    fn verify<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, Verified> {
        Box::pin(async move {
            Ok(match self.observe(context).await?.share {
                Some(seen) if seen == want => Verified::Yes,
                seen => Verified::NotYet { seen },
            })
        })
    }

    /// Whether a version works. Unless it says otherwise, it cannot tell.
    fn health<'a>(&'a self, _: &'a Context, _: Side) -> Answer<'a, Health> {
        Box::pin(async { Ok(Health::Unknown) })
    }

    /// Whether a version still serves somebody. Unless it says otherwise, it cannot tell.
    fn drain<'a>(&'a self, _: &'a Context, _: Side) -> Answer<'a, Drain> {
        Box::pin(async { Ok(Drain::Unknown) })
    }

    /// Its deployments, if it is a platform that owns them: a backend of [`Kind::Managed`] has them.
    fn managed(&self) -> Option<&dyn ManagedDeployment> {
        None
    }

    /// Blue is drained and will not come back: clear up. Unless it says otherwise, there is nothing to clear up.
    fn finalize<'a>(&'a self, _: &'a Context) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
