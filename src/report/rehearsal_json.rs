//! A rehearsal as one JSON object, with a schema. Additions raise the minor version; readers ignore fields they do not know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::compat::matrix::{Break, Matrix, Version};
use crate::execute::Difference;
use crate::execute::rehearsal::Rehearsal;
use crate::plan::saved::{Finding, Origin, SavedPlan, Tool, Verdict};

/// Version of the format that this release writes. 1 had no schema, and nothing where the plan was not safe.
pub(super) const FORMAT_VERSION: &str = "2.0";

/// What `rehearse --format json` prints.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RehearsalDocument {
    /// Version of this format, `major.minor`.
    pub format_version: String,
    /// The tool that wrote it.
    pub tool: Tool,
    /// The digest of the plan.
    pub plan: String,
    /// What the plan says of itself. A plan that is not safe is not rehearsed.
    pub verdict: Verdict,
    /// How many steps the plan has.
    pub steps: usize,
    /// Whether it was rehearsed, both versions worked everywhere they must, and the end is that of a fresh installation.
    pub safe: bool,
    /// The server; none where nothing was rehearsed.
    pub server: Option<String>,
    /// Its major version.
    pub pg_version: Option<u32>,
    /// What is to be said about the plan.
    pub findings: Vec<Finding>,
    /// Queries that fail where their version must live, though they work on its own schema.
    pub breaks: Vec<BreakDocument>,
    /// Objects that a fresh installation has otherwise.
    pub fresh_install: Vec<DifferenceDocument>,
    /// What the simulation takes the files to leave behind (`-`) and what they do leave (`+`).
    pub simulation: Vec<String>,
    /// Every query at every state, as the server saw it.
    pub matrix: Option<Matrix>,
}

/// A query that fails where its version must live.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct BreakDocument {
    /// Whose.
    pub version: Version,
    /// Its name.
    pub query: String,
    /// `path:line:column`
    pub place: String,
    /// The step after which it fails; none: before the first one.
    pub after_step: Option<u32>,
    /// What the server said.
    pub message: String,
}

/// An object that is another one in a fresh installation.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct DifferenceDocument {
    /// Which one: `column t.a`, `index t_a_idx`, ….
    pub object: String,
    /// `error` or `warning`.
    pub severity: String,
    /// What it is in a fresh installation; none: it is not there.
    pub files: Option<String>,
    /// What it is where the plan has run; none: it is not there.
    pub plan: Option<String>,
    /// Where to look.
    pub statement: Option<Origin>,
}

/// The JSON Schema of the format.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RehearsalDocument).to_value()
}

/// The document as text; without a rehearsal, that of a plan that was not rehearsed.
pub fn render(plan: &SavedPlan, rehearsal: Option<&Rehearsal>) -> String {
    let document = RehearsalDocument {
        format_version: FORMAT_VERSION.to_owned(),
        tool: SavedPlan::this_tool(),
        plan: plan.digest.clone(),
        verdict: plan.verdict,
        steps: plan.steps.len(),
        safe: rehearsal.is_some_and(Rehearsal::is_safe),
        server: rehearsal.map(|rehearsal| rehearsal.server.clone()),
        pg_version: rehearsal.map(|rehearsal| rehearsal.version.0),
        findings: plan.findings.clone(),
        breaks: rehearsal.iter().flat_map(|r| r.matrix.breaks()).map(broken).collect(),
        fresh_install: rehearsal.iter().flat_map(|r| &r.differences).map(difference).collect(),
        simulation: rehearsal.map(|rehearsal| rehearsal.misjudged.clone()).unwrap_or_default(),
        matrix: rehearsal.map(|rehearsal| rehearsal.matrix.clone()),
    };
    // Strings and numbers always serialize.
    serde_json::to_string_pretty(&document).map(|text| text + "\n").unwrap_or_default()
}

fn broken(found: Break<'_>) -> BreakDocument {
    BreakDocument {
        version: found.row.version,
        query: found.row.query.clone(),
        place: found.row.place.clone(),
        after_step: found.state.after_step,
        message: found.failure.message.clone(),
    }
}

fn difference(found: &Difference) -> DifferenceDocument {
    DifferenceDocument {
        object: found.object.clone(),
        severity: if found.harmless { "warning" } else { "error" }.to_owned(),
        files: found.files.clone(),
        plan: found.plan.clone(),
        statement: found.statement.clone(),
    }
}
