//! Real migration histories, from the directory that CUTOVER_CORPUS names: each is planned with its last fifth pending, and each is run on a
//! real server to hold the simulated catalog against the real one.

use std::path::PathBuf;

use camino::Utf8PathBuf;
use cutover::migrations::{Convention, Folder};
use cutover::plan::saved::{Direction, Phase};
use cutover::plan::{Request, plan};
use cutover::postgres::introspect;
use cutover::schema::Schema;
use cutover::source::Sources;
use cutover::sql::{self, Operation};

use crate::support;

/// One history, in its own order.
pub(crate) struct History {
    pub(crate) project: String,
    pub(crate) folder: Folder,
}

#[expect(clippy::print_stderr, reason = "a test that has nothing to do says so")]
pub(crate) fn histories() -> Vec<History> {
    let Some(root) = std::env::var_os("CUTOVER_CORPUS").map(PathBuf::from) else {
        assert!(std::env::var_os("CI").is_none(), "CI must say where the corpus is: CUTOVER_CORPUS");
        eprintln!("CUTOVER_CORPUS is not set: no histories to read");
        return Vec::new();
    };
    let mut projects: Vec<_> = std::fs::read_dir(&root).unwrap().map(|e| e.unwrap().path()).collect();
    projects.retain(|p| p.join("MANIFEST.json").is_file());
    projects.sort();
    assert!(!projects.is_empty(), "no histories in {}", root.display());
    let read = |path: PathBuf| {
        let manifest: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path.join("MANIFEST.json")).unwrap()).unwrap();
        let files = manifest["files"].as_array().unwrap().iter().map(|entry| {
            let name = entry["file"].as_str().unwrap();
            (Utf8PathBuf::from(name), std::fs::read_to_string(path.join(name)).unwrap())
        });
        History {
            project: path.file_name().unwrap().to_str().unwrap().to_owned(),
            folder: Folder::from_files(Convention::Plain, files).unwrap(),
        }
    };
    projects.into_iter().map(read).collect()
}

#[test]
fn every_history_is_planned_and_every_refusal_has_a_reason() {
    let mut table = format!(
        "{:<14} {:>6} {:>6} {:>6} {:>6} {:>6} {:>8} {:>8} {:>12} {:>6} {:>6} {:>7}\n",
        "history",
        "files",
        "stmts",
        "typed",
        "opaque",
        "steps",
        "additive",
        "deletive",
        "incompatible",
        "data",
        "split",
        "refused"
    );
    for History { project, folder } in histories() {
        let fifth = (folder.migrations.len() / 5).max(1);
        let last_applied = folder.migrations[folder.migrations.len() - fifth - 1].version.to_string();
        let pending = folder.pending_after(Some(&last_applied)).unwrap();
        let (mut statements, mut typed, mut opaque) = (0, 0, 0);
        for migration in &pending.pending {
            let (found, _) = sql::read_parts(&folder.sources, &migration.parts);
            statements += found.len();
            for piece in found.iter().flat_map(|s| &s.pieces) {
                if matches!(piece.operation, Operation::Opaque { .. }) { opaque += 1 } else { typed += 1 }
            }
        }
        let planned = plan(Request::new(&folder, &pending));
        let steps = &planned.plan.steps;
        let of = |direction: Direction| steps.iter().filter(|s| s.direction == direction).count();
        let versions = |phase: Phase| -> std::collections::BTreeSet<&str> {
            let origins = planned.plan.phase(phase).flat_map(|s| s.statements()).filter_map(|s| s.origin.as_ref());
            origins.map(|o| o.version.as_str()).collect()
        };
        let split = versions(Phase::Before).intersection(&versions(Phase::After)).count();
        let errors: Vec<_> =
            planned.plan.findings.iter().filter(|f| f.severity == cutover::diagnostic::Severity::Error).collect();
        for error in &errors {
            assert!(
                !error.message.is_empty() && !error.places.is_empty() && error.help.is_some(),
                "{project}: {error:?}"
            );
        }
        table.push_str(&format!(
            "{project:<14} {:>6} {statements:>6} {typed:>6} {opaque:>6} {:>6} {:>8} {:>8} {:>12} {:>6} {split:>6} {:>7}\n",
            pending.pending.len(),
            steps.len(),
            of(Direction::Additive),
            of(Direction::Deletive),
            of(Direction::Incompatible),
            of(Direction::Data),
            errors.len(),
        ));
    }
    eprintln!("{table}");
}

#[test]
fn statements_of_the_histories_are_read() {
    let mut unread = Vec::new();
    for History { project, folder } in histories() {
        for migration in &folder.migrations {
            let (_, diagnostics) = sql::read_parts(&folder.sources, &migration.parts);
            unread.extend(diagnostics.iter().map(|d| format!("{project}/{}: {}", migration.path, d.message)));
        }
    }
    assert!(unread.is_empty(), "{}", unread.join("\n"));
}

/// Simulation and PostgreSQL must agree on the catalog at the end of each history. Differences are listed; those that are not explained
/// below fail the test.
#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_catalog_is_postgresql_s() {
    let mut report = String::new();
    let mut unexplained = 0;
    for History { project, folder } in histories() {
        let database = support::database().await;
        let session = database.connect().await;
        let mut schema = Schema::empty();
        let mut failed = 0;
        session
            .batch_execute(
                "CREATE TABLE _sqlx_migrations (version bigint, description text, success boolean, checksum bytea)",
            )
            .await
            .unwrap();
        for migration in &folder.migrations {
            let (statements, _) = sql::read_parts(&folder.sources, &migration.parts);
            for statement in &statements {
                let text = folder.sources.slice(statement.span);
                let skip = |op: &Operation| matches!(op, Operation::Lock { .. } | Operation::Transaction(_));
                if statement.pieces.iter().any(|p| skip(&p.operation)) {
                    continue;
                }
                if let Err(error) = session.batch_execute(text).await {
                    failed += 1;
                    report.push_str(&format!("{project}/{}: {}\n", migration.path, support::message(&error)));
                    continue;
                }
                for piece in &statement.pieces {
                    schema = schema.apply(&piece.operation).schema;
                }
            }
            schema = schema.with_default_search_path();
            session.batch_execute("RESET ALL").await.unwrap();
        }
        let real = introspect(&session).await.unwrap();
        let opaque = has_opaque(&folder);
        let differences = schema.differences(&real);
        report.push_str(&format!(
            "{project}: {} lines, {} differ, {failed} statements failed{}\n",
            real.describe().len(),
            differences.len(),
            if opaque { ", has opaque statements" } else { "" }
        ));
        for difference in &differences {
            report.push_str(&format!("    {difference}\n"));
        }
        if !opaque {
            unexplained += differences.len();
        }
    }
    eprintln!("{report}");
    assert_eq!(unexplained, 0, "the simulation differs from PostgreSQL:\n{report}");
}

fn has_opaque(folder: &Folder) -> bool {
    let sources: &Sources = &folder.sources;
    folder.migrations.iter().any(|migration| {
        let (statements, _) = sql::read_parts(sources, &migration.parts);
        statements.iter().flat_map(|s| &s.pieces).any(|p| matches!(p.operation, Operation::Opaque { .. }))
    })
}
