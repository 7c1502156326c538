//! What happens in a release, a JSON object a line.

use schemars::JsonSchema;
use serde::Serialize;

use crate::execute::{Event, Outcome};
use crate::plan::saved::ToolVersion;

/// A line of `execute --format json`, and of `resume`, `promote`, `pause`, `abort` and `rollback`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum EventLine<'a> {
    /// One of the command's own.
    Command(CommandLine<'a>),
    /// Something that happened in a database that follows the one that leads the release.
    InDatabase(DatabaseEvent<'a>),
    /// Something that happened.
    Event(&'a Event),
}

/// Something that happened in one of many databases.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DatabaseEvent<'a> {
    /// Its name.
    pub in_database: &'a str,
    /// What happened.
    #[serde(flatten)]
    pub event: &'a Event,
}

/// The first line, and the last.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CommandLine<'a> {
    /// The first one.
    Version {
        /// Version of these lines, `major.minor`.
        format_version: &'static str,
        /// The tool that writes them.
        tool: ToolVersion,
        /// The database, without a password.
        database: String,
    },
    /// The last one of a command that ended well.
    Outcome {
        /// How it ended.
        #[serde(flatten)]
        outcome: &'a Outcome,
    },
    /// The last one of a command that did not.
    Error {
        /// The exit code.
        exit: u8,
        /// What went wrong.
        message: &'a str,
        /// What to do next.
        hints: &'a [String],
    },
}

pub(super) fn schema() -> serde_json::Value {
    super::release_json::written::<EventLine<'_>>()
}
