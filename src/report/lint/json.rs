//! JSON, with a schema. Additions raise the minor version; readers ignore fields they do not know.

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::diff::diff;
use crate::diagnostic::{Diagnostic, Fix, Safety, Severity};
use crate::lint::LintReport;
use crate::plan::saved::{SavedPlan, ToolVersion};
use crate::report::Format;
use crate::source::Span;

pub(super) const FORMAT: Format<LintReport> = Format {
    name: "json",
    about: "For programs (its schema: `cutover schema lint`)",
    render: |report, _| render(report),
};

/// Version of the format that this release writes. 1.1 has the lines of places.
pub const FORMAT_VERSION: &str = "1.1";

/// What `lint --format json` prints.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct LintDocument {
    /// Version of this format, `major.minor`.
    pub format_version: String,
    /// The tool that wrote it.
    pub tool: ToolVersion,
    /// Counts.
    pub summary: FindingCounts,
    /// What was found, in the order of the files.
    pub findings: Vec<FindingDocument>,
    /// What authors allow.
    pub allowed: Vec<AllowedDocument>,
}

/// Counts.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct FindingCounts {
    /// Findings of severity error.
    pub errors: usize,
    /// Findings of severity warning.
    pub warnings: usize,
    /// Findings of severity info.
    pub infos: usize,
    /// Findings that authors allow.
    pub allowed: usize,
    /// Findings that the baseline has.
    pub baselined: usize,
    /// Migrations that were looked at.
    pub migrations: usize,
    /// Statements in them.
    pub statements: usize,
}

/// One finding.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct FindingDocument {
    /// `CO` and three digits.
    pub code: String,
    /// The rule's name.
    pub name: String,
    /// `error`, `warning` or `info`.
    pub severity: Severity,
    /// What breaks, and for whom.
    pub message: String,
    /// Where; the first one is the main place.
    pub places: Vec<PlaceDocument>,
    /// The way out.
    pub help: Option<String>,
    /// The way out as edits.
    pub fix: Option<FixDocument>,
    /// The same for as long as rule, file and text are.
    pub fingerprint: String,
}

/// A place in a file. Lines and columns start at 1, columns count characters; the end is exclusive.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlaceDocument {
    /// The file.
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
    /// Where it starts.
    pub line: u32,
    /// Where it starts.
    pub column: u32,
    /// Where it ends.
    pub end_line: u32,
    /// Where it ends.
    pub end_column: u32,
    /// What is to be said about it; may be empty.
    pub text: String,
    /// The line it starts in, without its indentation; of a long one, the part around the place.
    #[serde(default)]
    pub source: String,
}

/// A fix.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct FixDocument {
    /// What it does.
    pub title: String,
    /// `safe`: `--fix` applies it; `unsafe`: it is to be looked at.
    pub safety: String,
    /// The edits.
    pub edits: Vec<EditDocument>,
    /// The same as a unified diff.
    pub diff: String,
}

/// A piece of text in place of another.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EditDocument {
    /// What goes.
    pub place: PlaceDocument,
    /// What comes.
    pub replacement: String,
}

/// A finding that its author allows.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AllowedDocument {
    /// `CO` and three digits.
    pub code: String,
    /// The rule's name.
    pub name: String,
    /// What would be told.
    pub message: String,
    /// Where.
    pub places: Vec<PlaceDocument>,
    /// Why it may stay.
    pub reason: String,
}

/// The JSON Schema of the format.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(LintDocument).to_value()
}

/// The document as text.
fn render(report: &LintReport) -> String {
    let document = LintDocument {
        format_version: FORMAT_VERSION.to_owned(),
        tool: SavedPlan::this_tool(),
        summary: FindingCounts {
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
            infos: report.count(Severity::Info),
            allowed: report.allowed.len(),
            baselined: report.baselined,
            migrations: report.migrations.len(),
            statements: report.statements,
        },
        findings: report.findings.iter().map(|(diagnostic, print)| finding(report, diagnostic, print)).collect(),
        allowed: report
            .allowed
            .iter()
            .map(|allowed| AllowedDocument {
                code: allowed.diagnostic.code.id.to_owned(),
                name: allowed.diagnostic.code.name.to_owned(),
                message: allowed.diagnostic.message.clone(),
                places: places(report, &allowed.diagnostic),
                reason: allowed.reason.clone(),
            })
            .collect(),
    };
    // Strings and numbers always serialize.
    serde_json::to_string_pretty(&document).map(|text| text + "\n").unwrap_or_default()
}

fn finding(report: &LintReport, diagnostic: &Diagnostic, fingerprint: &str) -> FindingDocument {
    FindingDocument {
        code: diagnostic.code.id.to_owned(),
        name: diagnostic.code.name.to_owned(),
        severity: diagnostic.severity,
        message: diagnostic.message.clone(),
        places: places(report, diagnostic),
        help: diagnostic.help.clone(),
        fix: diagnostic.fix.as_ref().map(|fix| fix_document(report, fix)),
        fingerprint: fingerprint.to_owned(),
    }
}

fn places(report: &LintReport, diagnostic: &Diagnostic) -> Vec<PlaceDocument> {
    diagnostic.labels.iter().map(|label| place(report, label.span, &label.text)).collect()
}

fn place(report: &LintReport, span: Span, text: &str) -> PlaceDocument {
    let (start, end) = report.region(span);
    PlaceDocument {
        path: report.sources.path(span).to_owned(),
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
        text: text.to_owned(),
        source: report.sources.line(span),
    }
}

fn fix_document(report: &LintReport, fix: &Fix) -> FixDocument {
    let edit = |edit: &crate::diagnostic::Edit| EditDocument {
        place: place(report, edit.span, ""),
        replacement: edit.replacement.clone(),
    };
    FixDocument {
        title: fix.title.clone(),
        safety: match fix.safety {
            Safety::Safe => "safe",
            Safety::Unsafe => "unsafe",
        }
        .to_owned(),
        edits: fix.edits.iter().map(edit).collect(),
        diff: diff(fix, &report.sources).unwrap_or_default(),
    }
}
