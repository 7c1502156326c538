//! What has a kind and settings of its own, as data: whatever moves the traffic, and whatever is asked how green does.

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A table such as `[traffic.NAME]` of `cutover.toml`. A kind reads its own settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Configured {
    /// What the release calls it.
    pub name: String,
    /// Which kind of its sort, for example `exec`.
    pub kind: String,
    /// Where paths in the settings start.
    #[schemars(with = "String")]
    pub folder: Utf8PathBuf,
    /// Its settings.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
}

impl Configured {
    /// One that needs nothing but its name.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), kind: name.to_owned(), folder: Utf8PathBuf::new(), settings: Map::new() }
    }

    /// The settings as the kind's own type; an error says what is wrong with them.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, String> {
        T::deserialize(Value::Object(self.settings.clone())).map_err(|error| error.to_string())
    }

    /// Whether its settings name where a secret is: `{ env = "NAME" }`, `{ file = "PATH" }` or `{ command = […] }`. Whoever wrote them decides to whom it is told.
    pub fn names_secrets(&self) -> bool {
        fn names(value: &Value) -> bool {
            match value {
                Value::Object(map) => {
                    (map.len() == 1 && map.keys().any(|key| ["env", "file", "command"].contains(&key.as_str())))
                        || map.values().any(names)
                }
                Value::Array(values) => values.iter().any(names),
                _ => false,
            }
        }
        self.settings.values().any(names)
    }

    /// A path of the settings. A bare name is looked for by the system.
    pub fn path(&self, path: &str) -> Utf8PathBuf {
        Self::path_in(&self.folder, path)
    }

    /// A path of settings that start in a folder. A bare name is looked for by the system.
    pub fn path_in(folder: &Utf8Path, path: &str) -> Utf8PathBuf {
        if path.contains('/') { folder.join(path) } else { Utf8Path::new(path).to_owned() }
    }

    /// A file of the settings.
    pub fn file(&self, file: &str) -> Utf8PathBuf {
        self.folder.join(file)
    }
}
