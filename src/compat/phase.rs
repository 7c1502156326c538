//! The two phases of a release.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The two phases around the cutover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Expand: before any traffic reaches green.
    Before,
    /// Contract: once blue is drained.
    After,
}
