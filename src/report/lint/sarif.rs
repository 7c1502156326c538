//! SARIF 2.1.0, as code scanning services read it. Columns count Unicode code points.

use serde_json::{Value, json};

use super::page;
use crate::diagnostic::{Diagnostic, Fix, Severity};
use crate::lint::LintReport;
use crate::lint::{RULES, Rule};
use crate::report::Format;
use crate::source::Span;

pub(super) const FORMAT: Format<LintReport> =
    Format { name: "sarif", about: "SARIF 2.1.0, for code scanning", render: |report, _| render(report) };

const SCHEMA: &str = "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json";

/// The document as text.
fn render(report: &LintReport) -> String {
    let found = report.findings.iter().map(|(diagnostic, print)| result(report, diagnostic, Some(print), None));
    let allowed = report.allowed.iter().map(|a| result(report, &a.diagnostic, None, Some(&a.reason)));
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "cutover",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": RULES.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": found.chain(allowed).collect::<Vec<_>>(),
        }],
    });
    format!("{document:#}\n")
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.code.id,
        "name": rule.code.name,
        "shortDescription": { "text": rule.code.summary },
        "fullDescription": { "text": rule.docs.what },
        "help": { "text": page::page(rule), "markdown": page::page(rule) },
        "defaultConfiguration": { "level": level(rule.severity) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn result(report: &LintReport, diagnostic: &Diagnostic, print: Option<&String>, allowed: Option<&str>) -> Value {
    let text = match &diagnostic.help {
        Some(help) => format!("{}\nhelp: {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let mut result = json!({
        "ruleId": diagnostic.code.id,
        "ruleIndex": RULES.iter().position(|rule| rule.code == diagnostic.code),
        "level": level(diagnostic.severity),
        "message": { "text": text },
    });
    let mut labels = diagnostic.labels.iter();
    if let Some(label) = labels.next() {
        result["locations"] = json!([{ "physicalLocation": physical(report, label.span) }]);
    }
    let related: Vec<_> = labels
        .enumerate()
        .map(|(i, label)| {
            json!({
                "id": i + 1,
                "physicalLocation": physical(report, label.span),
                "message": { "text": label.text },
            })
        })
        .collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    if let Some(print) = print {
        result["partialFingerprints"] = json!({ "cutover/v1": print });
    }
    if let Some(reason) = allowed {
        result["suppressions"] = json!([{ "kind": "inSource", "justification": reason }]);
    }
    if let Some(fix) = &diagnostic.fix {
        result["fixes"] = json!([fix_value(report, fix)]);
    }
    result
}

fn artifact(report: &LintReport, span: Span) -> Value {
    json!({ "uri": encoded(report.path(span).as_str()) })
}

fn physical(report: &LintReport, span: Span) -> Value {
    json!({ "artifactLocation": artifact(report, span), "region": region(report, span) })
}

fn region(report: &LintReport, span: Span) -> Value {
    let (start, end) = report.region(span);
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}

fn fix_value(report: &LintReport, fix: &Fix) -> Value {
    let replacements = fix.edits.iter().map(
        |edit| json!({ "deletedRegion": region(report, edit.span), "insertedContent": { "text": edit.replacement } }),
    );
    json!({
        "description": { "text": fix.title },
        "artifactChanges": fix.edits.first().map(|edit| vec![json!({
            "artifactLocation": artifact(report, edit.span),
            "replacements": replacements.collect::<Vec<_>>(),
        })]).unwrap_or_default(),
    })
}

/// A path as a relative URI reference.
fn encoded(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
