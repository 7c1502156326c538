//! A text of the settings, or the name of where a secret one is.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Surroundings;
use super::http::Request;
use crate::postgres::Secret;
use crate::release::Configured;

/// As settings have it. A secret is named and read when it is needed, so that no plan, journal or log holds it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a text, { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", …] }")]
pub(crate) enum Text {
    /// The text.
    Plain(String),
    /// That of an environment variable.
    Env(InEnvironment),
    /// That of a file, without the end of its last line.
    File(InFile),
    /// The first line that a program writes.
    Command(OfCommand),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InEnvironment {
    /// The variable that has it.
    env: String,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InFile {
    /// The file that has it.
    #[schemars(with = "String")]
    file: Utf8PathBuf,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfCommand {
    /// A program and its arguments.
    command: Vec<String>,
}

/// How a secret is named, for errors.
const WAYS: &str = "{ env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", …] }";

impl Text {
    /// Refuses what is neither an address of HTTP or HTTPS nor the name of one.
    pub(crate) fn is_url(&self, setting: &str) -> Result<(), String> {
        match self {
            Self::Plain(text) => is_url(setting, text),
            Self::Env(_) | Self::File(_) | Self::Command(_) => Ok(()),
        }
    }

    /// Refuses a secret that stands in the settings themselves: a plan and a journal would hold it.
    pub(crate) fn is_named(&self, setting: &str) -> Result<(), String> {
        match self {
            Self::Plain(_) => {
                Err(format!("`{setting}` is a secret, and a plan would hold it: name where it is, {WAYS}"))
            }
            Self::Env(_) | Self::File(_) | Self::Command(_) => Ok(()),
        }
    }

    /// Reads it. Paths start at `folder`.
    pub(crate) async fn read(&self, folder: &Utf8Path, surroundings: &Surroundings) -> Result<Secret, String> {
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
            Self::Command(OfCommand { command }) => {
                let program = surroundings.program(|path| Configured::path_in(folder, path), "command", command)?;
                program.secret().await
            }
        }
    }
}

/// Words in the names of headers that are secrets.
const SECRET_WORDS: [&str; 8] = ["auth", "cookie", "token", "key", "secret", "password", "credential", "session"];

/// Whether a header's name says that it is a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Refuses headers that are secrets and stand in the settings themselves.
pub(crate) fn are_headers(headers: &BTreeMap<String, Text>) -> Result<(), String> {
    headers.iter().filter(|(name, _)| is_secret(name)).try_for_each(|(name, value)| value.is_named(name))
}

/// A request with the headers of the settings, whose secrets are read for it.
pub(crate) async fn with_headers(
    mut request: Request,
    headers: &BTreeMap<String, Text>,
    folder: &Utf8Path,
    surroundings: &Surroundings,
) -> Result<Request, String> {
    for (name, value) in headers {
        let value = value.read(folder, surroundings).await.map_err(|why| format!("header {name}: {why}"))?;
        request = request.header(name, value.reveal());
    }
    Ok(request)
}

/// Whether a setting is an address of HTTP or HTTPS; an error names the setting.
pub(crate) fn is_url(setting: &str, text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if rest.split('/').next().is_some_and(|authority| authority.contains('@')) => Err(format!(
            "`{setting}` has a name or a password in it, and a plan would hold it: give them as a header, by {WAYS}"
        )),
        Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(()),
        _ => Err(format!("`{setting}` is no URL with http: or https: {text:?}")),
    }
}
