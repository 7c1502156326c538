//! The settings in force, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Setting;

/// Version of the document.
pub const FORMAT_VERSION: &str = "1.0";

/// What `config show --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SettingsDocument<'a> {
    /// Version of this format, `major.minor`.
    pub format_version: &'static str,
    /// One by one.
    pub settings: &'a [Setting],
}

pub(super) fn schema() -> serde_json::Value {
    schemars::schema_for!(SettingsDocument<'_>).to_value()
}
