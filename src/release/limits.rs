//! How long things may take.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::throttle::Throttle;

/// Why a lock is not waited for without limit.
pub(crate) const NO_LOCK_TIMEOUT: &str =
    "a step that waits for ever makes everybody behind it wait; write for example 500ms or 1s";

/// The limits of a release, as far as somebody has said them. They stay with the release, whoever carries it on; what nobody has said is what this version
/// of the tool takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// How long a step waits for a lock before it gives way to the application, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_timeout_ms: Option<u64>,
    /// How long a statement in a transaction may run, in milliseconds; 0: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_timeout_ms: Option<u64>,
    /// How often a step that did not get its locks tries again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_retries: Option<u32>,
    /// How long the traffic backend may take for one call, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_timeout_ms: Option<u64>,
    /// How long the traffic may take to move by one share, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_timeout_ms: Option<u64>,
    /// How long blue may take to drain, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_timeout_ms: Option<u64>,
    /// How long the steps after the cutover wait once blue is drained, in milliseconds: until then it can come back. Since 2.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_delay_ms: Option<u64>,
    /// How a backfill goes easy on the server. Since 2.4.
    #[serde(default, skip_serializing_if = "Throttle::is_empty")]
    pub backfill: Throttle,
}

impl Limits {
    /// What holds where nobody has said anything else.
    const USUAL: Self = Self {
        lock_timeout_ms: Some(1_000),
        statement_timeout_ms: Some(0),
        lock_retries: Some(10),
        traffic_timeout_ms: Some(30_000),
        verify_timeout_ms: Some(300_000),
        drain_timeout_ms: Some(900_000),
        after_delay_ms: Some(0),
        backfill: Throttle::USUAL,
    };

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These, where nothing else is said later.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self {
            lock_timeout_ms: later.lock_timeout_ms.or(self.lock_timeout_ms),
            statement_timeout_ms: later.statement_timeout_ms.or(self.statement_timeout_ms),
            lock_retries: later.lock_retries.or(self.lock_retries),
            traffic_timeout_ms: later.traffic_timeout_ms.or(self.traffic_timeout_ms),
            verify_timeout_ms: later.verify_timeout_ms.or(self.verify_timeout_ms),
            drain_timeout_ms: later.drain_timeout_ms.or(self.drain_timeout_ms),
            after_delay_ms: later.after_delay_ms.or(self.after_delay_ms),
            backfill: self.backfill.then(later.backfill),
        }
    }

    fn time(self, pick: fn(&Self) -> Option<u64>) -> Duration {
        Duration::from_millis(pick(&self).or(pick(&Self::USUAL)).unwrap_or_default())
    }

    /// How long a step waits for a lock.
    pub fn lock_timeout(self) -> Duration {
        self.time(|limits| limits.lock_timeout_ms)
    }

    /// How long a statement may run; zero: for ever.
    pub fn statement_timeout(self) -> Duration {
        self.time(|limits| limits.statement_timeout_ms)
    }

    /// How often a step tries again.
    pub fn lock_retries(self) -> u32 {
        self.lock_retries.or(Self::USUAL.lock_retries).unwrap_or_default()
    }

    /// How long the traffic backend may take for one call.
    pub fn traffic_timeout(self) -> Duration {
        self.time(|limits| limits.traffic_timeout_ms)
    }

    /// How long the traffic may take to move.
    pub fn verify_timeout(self) -> Duration {
        self.time(|limits| limits.verify_timeout_ms)
    }

    /// How long blue may take to drain.
    pub fn drain_timeout(self) -> Duration {
        self.time(|limits| limits.drain_timeout_ms)
    }

    /// How long the steps after the cutover wait once blue is drained.
    pub fn after_delay(self) -> Duration {
        self.time(|limits| limits.after_delay_ms)
    }
}
