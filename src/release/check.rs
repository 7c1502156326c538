//! What is asked how green does, as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Configured;

/// A check with its settings and limits, as `[checks.NAME]` of `cutover.toml` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckDefinition {
    /// Its name, kind and settings.
    #[serde(flatten)]
    pub configured: Configured,
    /// How often it is made, and how much may go wrong.
    #[serde(flatten)]
    pub limits: CheckLimits,
}

/// How often a check is made, and how much of it may go wrong. The model is the analysis of Argo Rollouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckLimits {
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
    /// How long until it is made again, in milliseconds.
    pub interval_ms: u64,
    /// How often it may fail before green has failed.
    pub failure_limit: u32,
    /// How often it may say nothing for sure before the release stands still.
    pub inconclusive_limit: u32,
    /// How often in a row nobody may answer at all before green has failed.
    pub consecutive_error_limit: u32,
}

impl Default for CheckLimits {
    fn default() -> Self {
        Self {
            timeout_ms: 10_000,
            interval_ms: 5_000,
            failure_limit: 0,
            inconclusive_limit: 0,
            consecutive_error_limit: 4,
        }
    }
}

/// What a check is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Before green gets any traffic.
    Smoke,
    /// A step of the ramp.
    Gate,
    /// Again and again while green has traffic.
    Watch,
    /// Between the times of a backfill.
    Backfill,
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Smoke => "smoke",
            Self::Gate => "gate",
            Self::Watch => "watch",
            Self::Backfill => "backfill",
        })
    }
}
