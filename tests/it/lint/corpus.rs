//! How much `lint` has to say about real migrations: the last fifth of each history pending, no queries. squawk's figure on the same files
//! stands beside it where a `squawk` is on the path.

use std::collections::BTreeMap;
use std::process::Command;

use cutover::diagnostic::{Diagnostic, Severity};
use cutover::migrations::{Convention, Migration};
use cutover::plan::{Request, plan};

use crate::corpus::{History, histories};

/// More than this, and teams switch a linter off.
const MOST_PER_FILE: f64 = 1.0;

#[test]
fn there_is_at_most_one_finding_per_file() {
    let mut files = 0;
    let mut findings: Vec<(String, Diagnostic, String)> = Vec::new();
    let mut squawk = Some(0);
    let mut table = format!(
        "{:<14} {:>5} {:>8} {:>8} {:>6} {:>8} {:>8}\n",
        "history", "files", "errors", "warnings", "infos", "per file", "squawk"
    );
    for History { project, mut folder } in histories() {
        let fifth = (folder.migrations.len() / 5).max(1);
        let applied = folder.migrations[folder.migrations.len() - fifth - 1].version.to_string();
        let pending = folder.pending_after(Some(&applied)).unwrap();
        // Tools with a convention of their own have one rule more.
        folder.convention = Convention::Refinery;
        let planned = plan(Request::new(&folder, &pending));
        let count = |severity| planned.diagnostics.iter().filter(|d| d.severity == severity).count();
        let other = squawk_findings(&folder.sources, &pending.pending);
        squawk = squawk.zip(other).map(|(sum, n)| sum + n);
        table.push_str(&format!(
            "{project:<14} {:>5} {:>8} {:>8} {:>6} {:>8.2} {:>8}\n",
            pending.pending.len(),
            count(Severity::Error),
            count(Severity::Warning),
            count(Severity::Info),
            per(planned.diagnostics.len(), pending.pending.len()),
            other.map_or("-".to_owned(), |n| format!("{:.2}", per(n, pending.pending.len()))),
        ));
        files += pending.pending.len();
        for diagnostic in planned.diagnostics {
            let place = diagnostic.span().map(|span| planned.sources.place(span)).unwrap_or_default();
            findings.push((project.clone(), diagnostic, place));
        }
    }
    if files == 0 {
        return;
    }
    let mut by_rule: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, diagnostic, _) in &findings {
        *by_rule.entry(diagnostic.code.name).or_default() += 1;
    }
    let ours = per(findings.len(), files);
    table.push_str(&format!("\n{files} files: {ours:.2} findings per file"));
    if let Some(n) = squawk {
        table.push_str(&format!("; squawk {:.2}", per(n, files)));
    }
    eprintln!("{table}\n{by_rule:#?}");
    // `CUTOVER_LINT_LIST=1` prints them all, to be judged by hand.
    if std::env::var_os("CUTOVER_LINT_LIST").is_some() {
        for (project, d, place) in &findings {
            eprintln!("{project}/{place} {} {}: {}", d.severity.name(), d.code.name, d.message);
        }
    }
    assert!(ours <= MOST_PER_FILE, "{ours:.2} findings per file");
}

/// Real histories run. What is said to fail in one of them is a false alarm.
#[test]
fn nothing_is_said_to_fail_that_does_not() {
    const FAILS: [&str; 3] = ["CO408", "CO410", "CO411"];
    let mut wrong = Vec::new();
    for History { project, folder } in histories() {
        let pending = folder.pending_after(None).unwrap();
        let planned = plan(Request::new(&folder, &pending));
        let fails = planned.diagnostics.iter().filter(|d| FAILS.contains(&d.code.id));
        wrong.extend(fails.map(|d| {
            let place = d.span().map(|span| planned.sources.place(span)).unwrap_or_default();
            format!("{project}/{place}: {}", d.message)
        }));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[expect(clippy::cast_precision_loss, reason = "counts of files")]
fn per(findings: usize, files: usize) -> f64 {
    findings as f64 / files as f64
}

/// What squawk finds in the same files; `None` without one.
fn squawk_findings(sources: &cutover::source::Sources, migrations: &[Migration]) -> Option<usize> {
    let directory = tempfile::tempdir().unwrap();
    let path = |i: usize| directory.path().join(format!("{i}.sql"));
    for (i, migration) in migrations.iter().enumerate() {
        std::fs::write(path(i), &*sources.file(migration.file).text).unwrap();
    }
    let mut command = Command::new("squawk");
    let output = command.args(["--reporter", "json"]).args((0..migrations.len()).map(path)).output().ok()?;
    let found: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).ok()?;
    Some(found.len())
}
