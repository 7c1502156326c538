//! A text of the settings, or the name of where a secret one is.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::Surroundings;
use crate::postgres::Secret;

/// As settings have it. A secret is named and read when it is needed, so that no plan, journal or log holds it.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a text, { env = \"NAME\" } or { file = \"PATH\" }")]
pub(crate) enum Text {
    /// The text.
    Plain(String),
    /// That of an environment variable.
    Env(InEnvironment),
    /// That of a file, without the end of its last line.
    File(InFile),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InEnvironment {
    env: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InFile {
    file: Utf8PathBuf,
}

impl Text {
    /// Reads it. Paths start at `folder`.
    pub(crate) fn read(&self, folder: &Utf8Path, surroundings: &Surroundings) -> Result<Secret, String> {
        match self {
            Self::Plain(text) => Ok(Secret::new(text.clone())),
            Self::Env(InEnvironment { env }) => {
                let missing = || format!("the environment variable {env} is not set");
                (surroundings.variable)(env).map(Secret::new).ok_or_else(missing)
            }
            Self::File(InFile { file }) => {
                let text = fs_err::read_to_string(folder.join(file)).map_err(|error| error.to_string())?;
                Ok(Secret::new(text.trim_end_matches(['\n', '\r'])))
            }
        }
    }
}

/// Whether a setting is an address of HTTP or HTTPS; an error names the setting.
pub(crate) fn is_url(setting: &str, text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(()),
        _ => Err(format!("`{setting}` is no URL with http: or https: {text:?}")),
    }
}
