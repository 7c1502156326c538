//! Markdown for a comment on a pull request and for the summary of a workflow run. The marker lets a bot find its comment again.

use super::diff::diff;
use crate::diagnostic::{Diagnostic, Safety};
use crate::lint::LintReport;
use crate::report::Format;

pub(super) const FORMAT: Format<LintReport> =
    Format { name: "markdown", about: "A comment on a pull request", render: |report, _| render(report) };

/// What a bot looks for.
pub(super) const MARKER: &str = "<!-- cutover:lint -->";

/// GitHub refuses a comment of more than 65536 characters.
const LONGEST: usize = 60_000;

/// The comment. What does not fit is counted.
fn render(report: &LintReport) -> String {
    let mut out = format!("{MARKER}\n\n### cutover lint\n\n{}.\n", escaped(&report.summary()));
    let mut path = None;
    for (i, (diagnostic, _)) in report.findings.iter().enumerate() {
        let text = item(report, diagnostic);
        if out.len() + text.len() > LONGEST {
            out.push_str(&format!("\n… and {} more\n", report.findings.len() - i));
            break;
        }
        let own = diagnostic.span().map(|span| report.path(span));
        if own != path {
            if let Some(own) = &own {
                out.push_str(&format!("\n#### {}\n\n", code(own.as_str())));
            }
            path = own;
        } else if path.is_none() {
            out.push('\n');
        }
        out.push_str(&text);
    }
    out
}

fn item(report: &LintReport, diagnostic: &Diagnostic) -> String {
    let line = diagnostic.span().map(|span| format!(", line {}", report.region(span).0.line)).unwrap_or_default();
    let name = format!("{} {}", diagnostic.code.id, diagnostic.code.name);
    let mut text =
        format!("- **{}**{line}, {}: {}\n", diagnostic.severity.name(), code(&name), escaped(&diagnostic.message));
    if let Some(help) = &diagnostic.help {
        text.push_str(&format!("\n  Way out: {}\n", escaped(help)));
    }
    if let Some(fix) = &diagnostic.fix {
        let how = match fix.safety {
            Safety::Safe => "`--fix` applies it",
            Safety::Unsafe => "to be looked at",
        };
        let diff = diff(fix, &report.sources).unwrap_or_default();
        let fence = "`".repeat(longest_run(&diff).max(2) + 1);
        text.push_str(&format!("\n  <details><summary>{} ({how})</summary>\n\n  {fence}diff\n", escaped(&fix.title)));
        text.extend(diff.lines().map(|line| format!("  {line}\n")));
        text.push_str(&format!("  {fence}\n\n  </details>\n"));
    }
    text
}

/// Text that means itself: punctuation of CommonMark behind a backslash, lines joined.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '~' | '&' | '@' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// A code span, whatever it holds.
fn code(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    if text.starts_with('`') || text.ends_with('`') {
        format!("{fence} {text} {fence}")
    } else {
        format!("{fence}{text}{fence}")
    }
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}
