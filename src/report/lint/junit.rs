//! JUnit XML: a suite for each migration, a failed case for each finding, a passed one where there is none.

use camino::Utf8Path;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::diagnostic::{Diagnostic, Severity};
use crate::lint::LintReport;
use crate::report::Format;

pub(super) const FORMAT: Format<LintReport> =
    Format { name: "junit", about: "JUnit XML", render: |report, _| render(report) };

/// The document as text.
fn render(report: &LintReport) -> String {
    let mut document = Report::new("cutover lint");
    let of = |path: Option<&Utf8Path>| {
        let here = |d: &&Diagnostic| d.span().map(|span| report.sources.path(span)) == path;
        report.findings.iter().map(|(diagnostic, _)| diagnostic).filter(here).collect::<Vec<_>>()
    };
    for path in &report.migrations {
        let mut suite = TestSuite::new(path.as_str());
        let found = of(Some(path));
        if found.is_empty() {
            suite.add_test_case(TestCase::new("no findings", TestCaseStatus::success()));
        }
        suite.add_test_cases(found.into_iter().map(|diagnostic| case(report, diagnostic)));
        document.add_test_suite(suite);
    }
    let rest: Vec<_> = report.findings.iter().map(|(d, _)| d).filter(|d| !belongs(report, d)).collect();
    if !rest.is_empty() {
        let mut suite = TestSuite::new("cutover lint");
        suite.add_test_cases(rest.into_iter().map(|diagnostic| case(report, diagnostic)));
        document.add_test_suite(suite);
    }
    document.to_string().unwrap_or_default()
}

/// Whether it points at a migration.
fn belongs(report: &LintReport, diagnostic: &Diagnostic) -> bool {
    diagnostic.span().is_some_and(|span| report.migrations.iter().any(|path| path == report.sources.path(span)))
}

fn case(report: &LintReport, diagnostic: &Diagnostic) -> TestCase {
    // What is worth knowing is no failure.
    let mut status = match diagnostic.severity {
        Severity::Info => TestCaseStatus::skipped(),
        Severity::Warning | Severity::Error => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    let place = diagnostic.span().map(|span| report.sources.place(span)).unwrap_or_default();
    let help = diagnostic.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    status.set_message(diagnostic.message.as_str());
    status.set_type(diagnostic.severity.name());
    status.set_description(format!("{place}\n{}{help}", diagnostic.message).trim_start().to_owned());
    let line = diagnostic.span().map(|span| format!(" (line {})", report.region(span).0.line)).unwrap_or_default();
    let mut case = TestCase::new(format!("{} {}{line}", diagnostic.code.id, diagnostic.code.name), status);
    case.set_classname(diagnostic.span().map_or("cutover", |span| report.sources.path(span).as_str()));
    case
}
