//! A text of the settings, or the name of where a secret one is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Surroundings;
use super::http::HttpRequest;
use crate::postgres::Secret;
use crate::release::Configured;

/// As settings have it. A secret is named and read when it is needed, so that no plan, journal or log holds it.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) enum ConfiguredText {
    /// The text.
    Plain(String),
    /// That of an environment variable.
    Env(String),
    /// That of a file, without the end of its last line.
    File(Utf8PathBuf),
    /// The first line that a program writes: the program and its arguments.
    Command(Vec<String>),
}

impl TryFrom<Value> for ConfiguredText {
    type Error = &'static str;

    /// A text, or a table with one name of one kind. Nothing else: [`Configured::names_secrets`] looks for these.
    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let other = "expected a text, { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", …] }";
        let table = match value {
            Value::String(text) => return Ok(Self::Plain(text)),
            Value::Object(table) if table.len() == 1 => table,
            _ => return Err(other),
        };
        let (name, value) = table.into_iter().next().ok_or(other)?;
        match (name.as_str(), value) {
            ("env", Value::String(name)) => Ok(Self::Env(name)),
            ("file", Value::String(path)) => Ok(Self::File(path.into())),
            ("command", Value::Array(words)) => {
                let words = words.into_iter().map(|word| word.as_str().map(str::to_owned));
                words.collect::<Option<_>>().map(Self::Command).ok_or(other)
            }
            _ => Err(other),
        }
    }
}

impl JsonSchema for ConfiguredText {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let table = |name: &str, of: Value| json!({ "type": "object", "properties": { name: of }, "required": [name], "additionalProperties": false });
        let text = json!({ "type": "string" });
        json_schema!({
            "anyOf": [
                text,
                table("env", text.clone()),
                table("file", text.clone()),
                table("command", json!({ "type": "array", "items": text, "minItems": 1 })),
            ]
        })
    }
}

/// How a secret is named, for errors.
const WAYS: &str = "{ env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", …] }";

impl ConfiguredText {
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
            Self::Env(name) => {
                let missing = || format!("the environment variable {name} is not set");
                (surroundings.variable)(name).map(Secret::new).ok_or_else(missing)
            }
            Self::File(file) => {
                let text = fs_err::read_to_string(folder.join(file)).map_err(|error| error.to_string())?;
                Ok(Secret::new(text.trim_end_matches(['\n', '\r'])))
            }
            Self::Command(command) => {
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
pub(crate) fn are_headers(headers: &BTreeMap<String, ConfiguredText>) -> Result<(), String> {
    headers.iter().filter(|(name, _)| is_secret(name)).try_for_each(|(name, value)| value.is_named(name))
}

/// A request with the headers of the settings, whose secrets are read for it.
pub(crate) async fn with_headers(
    mut request: HttpRequest,
    headers: &BTreeMap<String, ConfiguredText>,
    folder: &Utf8Path,
    surroundings: &Surroundings,
) -> Result<HttpRequest, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_secret_is_seen_to_name_one() {
        let check = |value: Value, expected: Option<bool>| {
            let configured = Configured {
                settings: [("url".to_owned(), value.clone())].into_iter().collect(),
                ..Configured::named("a")
            };
            let plain =
                ConfiguredText::try_from(value.clone()).ok().map(|text| matches!(text, ConfiguredText::Plain(_)));
            assert_eq!(plain, expected, "{value}");
            if plain == Some(false) {
                assert!(configured.names_secrets(), "{value}");
            }
        };
        check(json!("x"), Some(true));
        check(json!({ "env": "A" }), Some(false));
        check(json!({ "file": "a" }), Some(false));
        check(json!({ "command": ["a", "b"] }), Some(false));
        // Other ways to write the same are none.
        check(json!(["A"]), None);
        check(json!([["/bin/sh", "-c", "true"]]), None);
        check(json!({ "env": "A", "file": "b" }), None);
        check(json!({ "command": "a" }), None);
        check(json!({ "command": [1] }), None);
        check(json!({ "enviroment": "A" }), None);
        check(json!(1), None);
    }
}
