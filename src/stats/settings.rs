//! What a team makes of figures: `[stats]` of `cutover.toml`.
//!
//! | the lock is held for at most | a finding about its cost is |
//! |---|---|
//! | less than `warning-seconds` (1) | info |
//! | that or more | what the rule says: a warning |
//! | `error-seconds` (never, unless given) or more | an error; `execute` refuses the plan |
//! | not known, the file is not to be trusted, or the rows are expected to make the step fail | what the rule says, as without statistics |
//!
//! A finding is never left out: an `allow(…)` or a baseline that names it would be told to be of no use as soon as a table is small.

use super::load::Load;
use super::throughput::Throughputs;
use crate::diagnostic::Severity;

/// Limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// After how many days a file is out of date.
    pub max_age_days: u32,
    /// From how many milliseconds on a lock is worth a warning.
    pub warning_ms: u64,
    /// From how many milliseconds on a plan is refused.
    pub error_ms: Option<u64>,
    /// Assumed speeds.
    pub throughput: Throughputs,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_age_days: 7, warning_ms: 1_000, error_ms: None, throughput: Throughputs::default() }
    }
}

/// How heavy a lock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockWeight {
    /// Nobody will notice.
    Light,
    /// It is as heavy as one has to expect without figures.
    Expected,
    /// More than the team accepts.
    Unbearable,
}

impl Settings {
    /// How heavy a load is.
    pub fn weight(&self, load: &Load) -> LockWeight {
        let limit = |ms: Option<u64>| ms.unwrap_or(u64::MAX);
        match load.held.high_ms {
            Some(high) if high >= limit(self.error_ms) => LockWeight::Unbearable,
            Some(high) if high < self.warning_ms && load.doubts.is_empty() && load.expected.is_empty() => {
                LockWeight::Light
            }
            Some(_) | None => LockWeight::Expected,
        }
    }
}

impl LockWeight {
    /// The severity of a finding about it.
    pub fn severity(self, rule: Severity) -> Severity {
        match self {
            Self::Light => Severity::Info,
            Self::Expected => rule,
            Self::Unbearable => Severity::Error,
        }
    }
}
