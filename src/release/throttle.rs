//! How a backfill goes easy on a server that has other work.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a backfill goes, as far as somebody has said it; what nobody has said is what this version of the tool takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Throttle {
    /// How long the rows of one time should take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_ms: Option<u64>,
    /// The most rows at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_rows: Option<u32>,
    /// The pause between two times, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
    /// How far behind a standby or subscriber may be, in milliseconds; 0: however far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_lag_ms: Option<u64>,
    /// How much of the write-ahead log a replication slot may hold back, in bytes; 0: however much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_bytes: Option<u64>,
    /// How much of the write-ahead log the whole server may write in a second, in bytes; 0: however much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_bytes_per_second: Option<u64>,
    /// How old the oldest transaction may be that keeps dead rows from being cleared away, in milliseconds; 0: however
    /// old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_transaction_ms: Option<u64>,
    /// How many sessions may wait for a lock in this database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_waits: Option<u32>,
    /// Whether the checks of backfills are passed over from here on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_checks: bool,
    /// How long it may be held back at a stretch before the release stops, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience_ms: Option<u64>,
}

impl Throttle {
    /// The most rows at a time that can be asked for: their locks are held together.
    pub const MOST_ROWS: u32 = 100_000;

    /// What holds where nobody has said anything else.
    pub(super) const USUAL: Self = Self {
        target_ms: Some(250),
        most_rows: Some(Self::MOST_ROWS),
        pause_ms: Some(0),
        replica_lag_ms: Some(10_000),
        slot_bytes: None,
        wal_bytes_per_second: None,
        oldest_transaction_ms: None,
        lock_waits: None,
        without_checks: false,
        patience_ms: Some(3_600_000),
    };

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This, where nothing else is said later.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self {
            target_ms: later.target_ms.or(self.target_ms),
            most_rows: later.most_rows.or(self.most_rows),
            pause_ms: later.pause_ms.or(self.pause_ms),
            replica_lag_ms: later.replica_lag_ms.or(self.replica_lag_ms),
            slot_bytes: later.slot_bytes.or(self.slot_bytes),
            wal_bytes_per_second: later.wal_bytes_per_second.or(self.wal_bytes_per_second),
            oldest_transaction_ms: later.oldest_transaction_ms.or(self.oldest_transaction_ms),
            lock_waits: later.lock_waits.or(self.lock_waits),
            without_checks: later.without_checks || self.without_checks,
            patience_ms: later.patience_ms.or(self.patience_ms),
        }
    }

    /// The same, with what holds where nobody has said anything.
    #[must_use]
    pub fn in_full(self) -> Self {
        Self::USUAL.then(self)
    }

    /// How long the rows of one time should take.
    pub fn target(self) -> Duration {
        Duration::from_millis(self.in_full().target_ms.unwrap_or_default())
    }

    /// The most rows at a time, at least one.
    pub fn most_rows(self) -> u32 {
        self.in_full().most_rows.unwrap_or_default().clamp(1, Self::MOST_ROWS)
    }

    /// The pause between two times.
    pub fn pause(self) -> Duration {
        Duration::from_millis(self.in_full().pause_ms.unwrap_or_default())
    }

    /// How long a limit may hold it back.
    pub fn patience(self) -> Duration {
        Duration::from_millis(self.in_full().patience_ms.unwrap_or_default())
    }
}
