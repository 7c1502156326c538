//! What moves the traffic, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::traffic::conformance::ContractFinding;
use crate::traffic::{Capabilities, Health, Share};

/// Version of the two documents.
pub const FORMAT_VERSION: &str = "1.0";

/// What `traffic show --format json` prints: what a backend can do and sees.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TrafficDocument {
    /// Version of this format, `major.minor`.
    pub format_version: &'static str,
    /// What the release calls it.
    pub name: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Green's share in basis points, if it can be seen.
    pub share: Option<Share>,
    /// How blue does.
    pub blue: Health,
    /// How green does.
    pub green: Health,
}

/// What `traffic test --format json` prints: how each rule of the contract came out.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConformanceDocument<'a> {
    /// Version of this format, `major.minor`.
    pub format_version: &'static str,
    /// What the release calls the backend.
    pub name: &'a str,
    /// Rule by rule.
    pub findings: &'a [ContractFinding],
}

pub(super) fn schema() -> serde_json::Value {
    super::release_json::written::<TrafficDocument>()
}

pub(super) fn conformance_schema() -> serde_json::Value {
    super::release_json::written::<ConformanceDocument<'_>>()
}
