//! What moves the traffic, as data.

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A traffic backend with its settings, as `[traffic.NAME]` of `cutover.toml` has it. A kind reads its own settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Traffic {
    /// What the release calls it: it is carried on with the backend of the same name only.
    pub name: String,
    /// Which backend, for example `exec`.
    pub kind: String,
    /// Where paths in the settings start.
    #[schemars(with = "String")]
    pub folder: Utf8PathBuf,
    /// Its settings.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
}

impl Traffic {
    /// One that needs nothing but its name.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), kind: name.to_owned(), folder: Utf8PathBuf::new(), settings: Map::new() }
    }
}
