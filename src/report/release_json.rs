//! Where a release stands, and its journal, as JSON with a schema. Additions raise the minor version; readers ignore fields they do not know.

use schemars::JsonSchema;
use serde::Serialize;

use super::databases::DatabaseStatus;
use super::release_text::step_name;
use crate::execute::{Admission, Debt, Entry, Overview, Passage, Readiness};
use crate::plan::saved::SavedPlan;

/// Version of the two formats. 2.1 has who executes a release, what holds it up, and the names of steps; 2.2 the ramp, with holds and gates; 2.3 pauses and stops that were asked
/// for; 2.4 what the traffic backend moves, and deployments of platforms; 2.5 the oldest version that may run behind the point of no return;
/// 2.6 that steps wait for their time, and sessions that were ended; 2.7 what a database is in a release over many.
const FORMAT_VERSION: &str = "2.7";

/// What `status --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusDocument<'a> {
    /// Version of this format, `major.minor`.
    format_version: &'static str,
    /// The release that was begun last; without it, none was begun in this database.
    #[serde(flatten)]
    overview: Option<&'a Overview>,
    /// Of a release over many databases: those that follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    databases: Option<&'a [DatabaseStatus]>,
}

impl<'a> StatusDocument<'a> {
    /// The document about a release.
    pub fn new(overview: Option<&'a Overview>) -> Self {
        Self { format_version: FORMAT_VERSION, overview, databases: None }
    }

    /// The same with the databases that follow.
    #[must_use]
    pub fn with_databases(self, databases: Option<&'a [DatabaseStatus]>) -> Self {
        Self { databases, ..self }
    }
}

/// A line of `log --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogLine<'a> {
    /// The row.
    #[serde(flatten)]
    entry: &'a Entry,
    /// What its step is about and does, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    step_name: Option<String>,
}

impl<'a> LogLine<'a> {
    /// The line of a row.
    pub fn new(entry: &'a Entry, plan: Option<&SavedPlan>) -> Self {
        Self { entry, step_name: step_name(entry, plan) }
    }
}

pub(super) fn status_schema() -> serde_json::Value {
    written::<StatusDocument<'_>>()
}

pub(super) fn log_schema() -> serde_json::Value {
    written::<LogLine<'_>>()
}

/// Version of the format of what is owed.
const DEBT_VERSION: &str = "1.0";

/// What `debt --format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DebtDocument<'a> {
    /// Version of this format, `major.minor`.
    format_version: &'static str,
    /// What is owed; nothing where it is null.
    debt: Option<&'a Debt>,
}

impl<'a> DebtDocument<'a> {
    /// The document about what is owed.
    pub fn new(debt: Option<&'a Debt>) -> Self {
        Self { format_version: DEBT_VERSION, debt }
    }
}

pub(super) fn debt_schema() -> serde_json::Value {
    written::<DebtDocument<'_>>()
}

/// Version of the format of answers to whoever may go on or not.
const ADMISSION_VERSION: &str = "1.0";

/// What `ready --format json` and `gate wait --format json` print.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AdmissionDocument<'a> {
    /// Version of this format, `major.minor`.
    format_version: &'static str,
    /// The answer.
    #[serde(flatten)]
    admission: &'a Admission,
    /// The release that it is about; for a version the one that was begun last, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<&'a str>,
    /// The oldest version of the application that may run, where the answer is for a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<&'a str>,
}

impl<'a> From<&'a Passage> for AdmissionDocument<'a> {
    fn from(passage: &'a Passage) -> Self {
        let Passage { admission, release, .. } = passage;
        Self { format_version: ADMISSION_VERSION, admission, release: release.as_deref(), floor: None }
    }
}

impl<'a> From<&'a Readiness> for AdmissionDocument<'a> {
    fn from(readiness: &'a Readiness) -> Self {
        let Readiness { admission, release, floor } = readiness;
        Self { format_version: ADMISSION_VERSION, admission, release: release.as_deref(), floor: floor.as_deref() }
    }
}

pub(super) fn admission_schema() -> serde_json::Value {
    written::<AdmissionDocument<'_>>()
}

/// The schema of what is written: a field that may be left out is not required.
pub(super) fn written<T: JsonSchema>() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
