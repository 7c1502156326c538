//! Our own workload file: versioned JSON, each query once. Values of parameters and constants are in it only if they were asked for: they can
//! be personal data.

use std::collections::HashMap;

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Source;
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};
use crate::workload::detect::begins;
use crate::workload::error::WorkloadError;
use crate::workload::fingerprint::{Fingerprint, fingerprint, without_values};
use crate::workload::found::{self, Found};
use crate::workload::placeholder::Style;
use crate::workload::recorded::RecordedTypes;
use crate::workload::text::Text;
use crate::workload::{Workload, file};

pub(super) static SOURCE: Source = Source {
    word: "workload",
    aliases: &[],
    what: "a workload of cutover",
    reads: "what `cutover record` wrote",
    is: is_here,
    load: |location| load(Utf8Path::new(&location.path)),
};

fn is_here(path: &Utf8Path) -> Result<bool, WorkloadError> {
    // Whatever its name: the first words say what it is.
    Ok(path.is_file() && begins(path, |text| text.contains("\"format\"") && text.contains(FORMAT))?)
}

/// What the file says it is.
pub(super) const FORMAT: &str = "cutover-workload";

/// The version that is written here. Version 1, which did not keep transactions that were rolled back, is read as well.
pub(super) const FORMAT_VERSION: u64 = 2;

/// A workload file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedWorkload {
    /// Always `cutover-workload`.
    pub format: String,
    /// The version of this format.
    pub format_version: u64,
    /// The cutover that wrote it.
    pub tool_version: String,
    /// What the version of the application is called.
    pub name: String,
    /// The git commit it was recorded at, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The `application_name` whose statements these are, where only one counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Where the queries come from, for people.
    pub origin: String,
    /// Whether constants and parameter values were kept.
    pub with_values: bool,
    /// The queries, each once.
    pub queries: Vec<SavedQuery>,
    /// What was run, in order and with its values; only if they were kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transactions: Vec<SavedTransaction>,
}

/// One query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedQuery {
    /// Equal for queries that differ in white space, comments and constants only.
    pub fingerprint: Fingerprint,
    /// What it is called.
    pub name: String,
    /// Its text, with numbered parameters.
    pub text: String,
    /// How often it was seen, where that was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// Where it was written, where that is known: `path:line:column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Whether a model of an ORM implies it and nobody wrote it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub implied: bool,
    /// The types its library recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedTypes>,
}

/// Statements that were one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedTransaction {
    /// In order, without `BEGIN` and `COMMIT`.
    pub statements: Vec<SavedStatement>,
    /// Whether its end was seen.
    pub ended: bool,
    /// Whether it was undone at the end, as test suites do that leave nothing behind.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolled_back: bool,
}

/// A statement as it was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SavedStatement {
    /// As it was sent.
    pub text: String,
    /// The values of its parameters, as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Option<String>>,
}

impl SavedWorkload {
    /// The queries of a workload, each once; without their constants unless `with_values`. `placed`: whether their files mean anything to
    /// who reads this later.
    pub fn new(name: &str, origin: &str, workload: &Workload, with_values: bool, placed: bool) -> Self {
        let mut queries: Vec<SavedQuery> = Vec::new();
        let mut known: HashMap<Fingerprint, usize> = HashMap::new();
        for query in &workload.queries {
            let text = workload.text(query);
            // A query that cannot be read is kept as it is told apart: by its text alone.
            let print = fingerprint(text);
            if let Some(at) = known.get(&print) {
                let first = &mut queries[*at].calls;
                *first = first.map(|calls| calls + query.calls.unwrap_or(1));
                continue;
            }
            known.insert(print.clone(), queries.len());
            queries.push(SavedQuery {
                fingerprint: print,
                name: query.name.clone(),
                text: if with_values { text.to_owned() } else { without_values(text) },
                calls: query.calls,
                place: placed.then(|| workload.sources.place(query.span)),
                implied: query.implied,
                recorded: query.recorded.as_deref().cloned(),
            });
        }
        Self {
            format: FORMAT.into(),
            format_version: FORMAT_VERSION,
            tool_version: env!("CARGO_PKG_VERSION").into(),
            name: name.into(),
            commit: None,
            application: None,
            origin: origin.into(),
            with_values,
            queries,
            transactions: Vec::new(),
        }
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists can always be written.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads the file's text.
    pub fn from_json(path: &Utf8Path, text: &str) -> Result<Self, WorkloadError> {
        let malformed = |error: &serde_json::Error| WorkloadError::Malformed {
            path: path.to_owned(),
            line: Some(error.line()),
            reason: format!("this is no workload of cutover: {error}"),
        };
        let head: Head = serde_json::from_str(text).map_err(|e| malformed(&e))?;
        if head.format != FORMAT {
            return Err(WorkloadError::Malformed {
                path: path.to_owned(),
                line: None,
                reason: format!("its format is {:?} and not {FORMAT:?}", head.format),
            });
        }
        if !(1..=FORMAT_VERSION).contains(&head.format_version) {
            let path = path.to_owned();
            return Err(WorkloadError::Version { path, found: head.format_version, known: FORMAT_VERSION });
        }
        serde_json::from_str(text).map_err(|e| malformed(&e))
    }
}

/// What tells the version, whatever else there is.
#[derive(Deserialize)]
struct Head {
    format: String,
    format_version: u64,
}

/// Where the texts stand in the file.
#[derive(Deserialize)]
struct Places<'a> {
    #[serde(borrow)]
    queries: Vec<Place<'a>>,
}

#[derive(Deserialize)]
struct Place<'a> {
    #[serde(borrow)]
    text: &'a RawValue,
}

/// Reads a workload file.
fn load(path: &Utf8Path) -> Result<(Workload, Vec<Diagnostic>), WorkloadError> {
    let text = file::text(path)?;
    let saved = SavedWorkload::from_json(path, &text)?;
    let places: Places<'_> = serde_json::from_str(&text).map_err(|error| WorkloadError::Malformed {
        path: path.to_owned(),
        line: Some(error.line()),
        reason: error.to_string(),
    })?;
    let start = text.as_ptr() as usize;
    let places: Vec<_> =
        places.queries.iter().map(|p| (p.text.get().as_ptr() as usize - start, p.text.get())).collect();
    let mut sources = Sources::new();
    let id = sources.add(path, text.as_str());
    let found = saved.queries.into_iter().zip(places).map(|(query, (at, raw))| Found {
        recorded: query.recorded,
        calls: query.calls,
        implied: query.implied,
        ..Found::with_text(query.name, Span::new(id, at..at + raw.len()), Text::json(raw, at))
    });
    let found = found.collect();
    let (workload, diagnostics) = found::workload(sources, found, Style::Sent);
    Ok((Workload { transactions: saved.transactions, ..workload }, diagnostics))
}
