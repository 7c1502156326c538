//! The plan as a file: JSON, sealed by a digest over its own content. One module a major version holds what is written.
//!
//! The seal is SHA-256 over the document in the canonical form of RFC 8785, without its `digest`: over what stands in the file and not over
//! what this version makes of it, so that a field that a later minor version added is under the seal, too.

pub mod v2;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::saved::SavedPlan;
use crate::digest::sha256_written;

/// Version of the format that this release writes. A reader refuses another major number. 1 was the tool's 0.1, where a step was a list of
/// statements; 2.0 has kinds of work and roles, the texts of pending migrations, and how the plan is to be released; 2.1 may carry on with a release;
/// 2.2 has ramps with holds and gates, the backend, the guard and the limits of a release.
pub const FORMAT_VERSION: &str = "2.5";

/// Why a saved plan is refused. All of these are exit code 6 but the unreadable ones.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SavedPlanError {
    /// Not a plan.
    #[error("not a cutover plan: {0}")]
    Malformed(String),
    /// Another major format.
    #[error("the plan has format version {found}, this cutover reads {FORMAT_VERSION}")]
    FormatVersion {
        /// What the file says.
        found: String,
    },
    /// The seal does not fit.
    #[error("the plan was edited after it was saved (digest is {found}, content has {computed})")]
    Edited {
        /// What the file says.
        found: String,
        /// What its content hashes to.
        computed: String,
    },
    /// Written by another version of the tool.
    #[error("the plan was made by cutover {found}, this is {running}")]
    ToolVersion {
        /// Who made it.
        found: String,
        /// Who reads it.
        running: String,
    },
}

impl SavedPlan {
    /// Sets the digest from the content.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.digest = String::new();
        // Written without a detour where there is nothing to put back: a plan of a long history is large.
        let sealed = match &self.unknown {
            Value::Null => seal(&v2::Plan::from(&self)),
            _ => seal(&self.document()),
        };
        self.digest = sealed.unwrap_or_default();
        self
    }

    /// The file's text: pretty JSON with a final newline.
    pub fn to_json(&self) -> String {
        let written = match &self.unknown {
            Value::Null => serde_json::to_string_pretty(&v2::Plan::from(self)),
            _ => serde_json::to_string_pretty(&self.document()),
        };
        let mut text = written.unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a plan. Looks at the format's version, the tool, the seal and the fields, in this order, so that each error says what is the
    /// matter and not what follows from it.
    pub fn from_json(text: &str) -> Result<Self, SavedPlanError> {
        let document = document(text)?;
        let found = string(&document, &["tool", "version"]);
        let running = Self::this_tool().version;
        if found != running {
            return Err(SavedPlanError::ToolVersion { found, running });
        }
        checked(document)
    }

    /// Reads a plan that a release was begun with. One that another version of the tool made is taken: a release must not be out of reach
    /// because the tool was upgraded in its middle.
    pub fn from_journal(text: &str) -> Result<Self, SavedPlanError> {
        checked(document(text)?)
    }

    fn document(&self) -> Value {
        let known = serde_json::to_value(v2::Plan::from(self)).unwrap_or_default();
        overlaid(known, &self.unknown)
    }
}

/// The document, if it is one of a format that this version reads.
fn document(text: &str) -> Result<Value, SavedPlanError> {
    let malformed = |why: String| SavedPlanError::Malformed(why);
    let document: Value = serde_json::from_str(text).map_err(|e| malformed(e.to_string()))?;
    let Some(found) = document.get("format_version").and_then(Value::as_str) else {
        return Err(malformed("it has no `format_version`".to_owned()));
    };
    let major = |v: &str| v.split('.').next().map(str::to_owned);
    if major(found) != major(FORMAT_VERSION) {
        return Err(SavedPlanError::FormatVersion { found: found.to_owned() });
    }
    Ok(document)
}

fn checked(document: Value) -> Result<SavedPlan, SavedPlanError> {
    let (found, computed) = (string(&document, &["digest"]), seal(&Undigested(&document))?);
    if found != computed {
        return Err(SavedPlanError::Edited { found, computed });
    }
    let read: v2::Plan =
        serde_path_to_error::deserialize(&document).map_err(|e| SavedPlanError::Malformed(e.to_string()))?;
    let mut plan = SavedPlan::from(read);
    plan.unknown = unknown(&document, &plan.document());
    Ok(plan)
}

fn string(document: &Value, path: &[&str]) -> String {
    let found = path.iter().try_fold(document, |value, name| value.get(name));
    found.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A document without its digest.
struct Undigested<'a>(&'a Value);

impl Serialize for Undigested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => serializer.collect_map(fields.iter().filter(|(name, _)| *name != "digest")),
            other => other.serialize(serializer),
        }
    }
}

/// SHA-256 in hex over the canonical form of a document that has no digest.
fn seal(document: &impl Serialize) -> Result<String, SavedPlanError> {
    let written = sha256_written(|hash| serde_json_canonicalizer::to_writer(document, hash));
    written.map_err(|error: serde_json::Error| SavedPlanError::Malformed(error.to_string()))
}

/// What a document has besides what is known of it, or otherwise, in the same shape; null where that is nothing.
fn unknown(document: &Value, known: &Value) -> Value {
    match (document, known) {
        (Value::Object(document), Value::Object(known)) => {
            let beside = |(name, value): (&String, &Value)| {
                let rest = known.get(name).map_or_else(|| value.clone(), |known| unknown(value, known));
                (!rest.is_null()).then(|| (name.clone(), rest))
            };
            let rest: Map<String, Value> = document.iter().filter_map(beside).collect();
            if rest.is_empty() { Value::Null } else { Value::Object(rest) }
        }
        (Value::Array(document), Value::Array(known)) if document.len() == known.len() => {
            let rest: Vec<Value> = document.iter().zip(known).map(|(value, known)| unknown(value, known)).collect();
            if rest.iter().all(Value::is_null) { Value::Null } else { Value::Array(rest) }
        }
        // The version of the format is one that this version does not write.
        (document, known) if document != known => document.clone(),
        _ => Value::Null,
    }
}

/// A document with what is not known of it put back.
fn overlaid(known: Value, unknown: &Value) -> Value {
    match (known, unknown) {
        (Value::Object(mut known), Value::Object(unknown)) => {
            for (name, rest) in unknown {
                let value = match known.remove(name) {
                    Some(value) => overlaid(value, rest),
                    None => rest.clone(),
                };
                known.insert(name.clone(), value);
            }
            Value::Object(known)
        }
        (Value::Array(known), Value::Array(unknown)) if known.len() == unknown.len() => {
            Value::Array(known.into_iter().zip(unknown).map(|(value, rest)| overlaid(value, rest)).collect())
        }
        (known, Value::Null) => known,
        (_, unknown) => unknown.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_is_found_and_put_back() {
        let document = json!({ "a": 1, "new": { "x": null, "y": [1] }, "list": [{ "b": 2 }, { "b": 3, "c": 4 }] });
        let known = json!({ "a": 1, "list": [{ "b": 2 }, { "b": 3 }] });
        let rest = unknown(&document, &known);
        assert_eq!(rest, json!({ "new": { "x": null, "y": [1] }, "list": [null, { "c": 4 }] }));
        assert_eq!(overlaid(known.clone(), &rest), document);
        assert_eq!(unknown(&known, &known), Value::Null);
        assert_eq!(overlaid(known.clone(), &Value::Null), known);
    }

    #[test]
    fn the_seal_is_over_content_and_not_over_layout() {
        let one: Value = serde_json::from_str(r#"{ "b": 1, "a": "é", "digest": "x" }"#).unwrap();
        let two: Value = serde_json::from_str("{\"a\":\"\\u00e9\",\n\"b\":1}").unwrap();
        assert_eq!(seal(&Undigested(&one)).unwrap(), seal(&two).unwrap());
        assert_ne!(seal(&Undigested(&one)).unwrap(), seal(&json!({ "a": "é", "b": 2 })).unwrap());
    }
}
