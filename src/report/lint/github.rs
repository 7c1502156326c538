//! Annotations of a GitHub workflow, by workflow commands on standard output. GitHub shows some ten of a kind, so errors come first.

use std::cmp::Reverse;

use crate::diagnostic::{Diagnostic, Severity};
use crate::lint::LintReport;
use crate::report::Format;

pub(super) const FORMAT: Format<LintReport> =
    Format { name: "github", about: "Annotations of a GitHub workflow", render: |report, _| render(report) };

/// One command a line.
fn render(report: &LintReport) -> String {
    let mut findings: Vec<_> = report.findings.iter().map(|(diagnostic, _)| diagnostic).collect();
    findings.sort_by_key(|diagnostic| Reverse(diagnostic.severity));
    findings.into_iter().map(|diagnostic| annotation(report, diagnostic)).collect()
}

fn annotation(report: &LintReport, diagnostic: &Diagnostic) -> String {
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let mut properties = vec![("title", format!("{} {}", diagnostic.code.id, diagnostic.code.name))];
    // No end: one behind the last line breaks the annotation.
    if let Some(span) = diagnostic.span() {
        let (start, _) = report.region(span);
        properties.push(("file", report.path(span).into_string()));
        properties.push(("line", start.line.to_string()));
        properties.push(("col", start.column.to_string()));
    }
    let properties: Vec<_> = properties.iter().map(|(key, value)| format!("{key}={}", property(value))).collect();
    let message = match &diagnostic.help {
        Some(help) => format!("{}\nhelp: {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    format!("::{command} {}::{}\n", properties.join(","), data(&message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
