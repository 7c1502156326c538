//! GitLab's code quality report.

use serde_json::json;

use crate::diagnostic::Severity;
use crate::lint::LintReport;
use crate::report::Format;

pub(super) const FORMAT: Format<LintReport> =
    Format { name: "gitlab", about: "GitLab's code quality report", render: |report, _| render(report) };

/// The document as text.
fn render(report: &LintReport) -> String {
    let issues = report.findings.iter().map(|(diagnostic, fingerprint)| {
        // Every issue has a place; what is said of no file in particular stands at the first one that was looked at.
        let (path, line) = match diagnostic.span() {
            Some(span) => (report.path(span), report.region(span).0.line),
            None => (report.root.join(report.migrations.first().cloned().unwrap_or_else(|| "cutover.toml".into())), 1),
        };
        json!({
            "description": diagnostic.message,
            "check_name": format!("{} {}", diagnostic.code.id, diagnostic.code.name),
            "fingerprint": fingerprint,
            "severity": match diagnostic.severity {
                Severity::Error => "critical",
                Severity::Warning => "major",
                Severity::Info => "info",
            },
            "location": { "path": path, "lines": { "begin": line } },
        })
    });
    format!("{:#}\n", serde_json::Value::Array(issues.collect()))
}
