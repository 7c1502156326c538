//! `migrations-examples/` keeps what it promises: each folder's `plan.txt` is what `cutover plan` prints, the refused ones are refused, and
//! all others are rehearsed on a real server.
//!
//! After a change that is meant to alter the plans: `UPDATE_EXAMPLES=1 cargo test --test it examples`, and read the diff.

use camino::Utf8PathBuf;
use cutover::compat::matrix::{Cell, Mark};
use cutover::execute::Stop;
use cutover::plan::saved::Verdict;
use cutover::plan::{Planned, Request};
use cutover::postgres::throwaway::{Scratch, Throwaway};
use cutover::rehearse::Script;
use cutover::rehearse::rehearsal::rehearse;
use cutover::workload::Workload;
use cutover::{config, migrations, plan, workload};

use crate::support::{self, example_releases, examples};

/// The releases that show what is refused.
const REFUSED: [&str; 4] =
    ["11-conflict", "12-conflict-unique", "17-recorded-by-tests/rename-column", "17-recorded-by-tests/required-column"];

fn root() -> Utf8PathBuf {
    Utf8PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A release as `cutover.toml` describes it.
struct Release {
    folder: migrations::Folder,
    pending: migrations::Pending,
    blue: Workload,
    green: Workload,
}

impl Release {
    fn read(name: &str) -> Self {
        let config = config::find(&root().join("migrations-examples").join(name)).unwrap().unwrap();
        let folder = migrations::load(&config.migrations.unwrap(), config.inputs.convention).unwrap();
        let pending = folder.pending_after(config.inputs.from.as_deref()).unwrap();
        let queries = |location: Option<workload::Location>| {
            let (workload, unread) = workload::load_from(&location.unwrap()).unwrap();
            assert!(unread.is_empty(), "{name}: {unread:?}");
            workload
        };
        Self { pending, blue: queries(config.inputs.blue), green: queries(config.inputs.green), folder }
    }

    fn plan(&self) -> Planned {
        plan::plan(Request {
            blue: Some(&self.blue),
            green: Some(&self.green),
            ..Request::new(&self.folder, &self.pending)
        })
    }
}

#[test]
fn every_plan_is_the_one_beside_it() {
    let update = std::env::var_os("UPDATE_EXAMPLES").is_some();
    let mut stale = Vec::new();
    for name in example_releases() {
        let output = support::cutover(root()).args(["plan", &format!("migrations-examples/{name}")]).output().unwrap();
        let refused = REFUSED.contains(&&*name);
        assert_eq!(support::exit(&output), i32::from(refused), "{name}: {}", support::transcript(&output));
        let path = root().join("migrations-examples").join(&name).join("plan.txt");
        let printed = String::from_utf8(output.stdout).unwrap();
        if update {
            std::fs::write(&path, printed).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != printed {
            stale.push(format!("{path} is not what is printed:\n{printed}"));
        }
    }
    assert!(stale.is_empty(), "{}\nset UPDATE_EXAMPLES=1 to write them anew", stale.join("\n"));
}

#[test]
fn every_example_says_what_it_is() {
    let index = std::fs::read_to_string(root().join("migrations-examples/README.md")).unwrap();
    for name in examples() {
        let text = std::fs::read_to_string(root().join("migrations-examples").join(&name).join("README.md")).unwrap();
        assert!(text.starts_with("# "), "{name}");
        assert!(text.contains("additive") || text.contains("deletive") || name == "14-opaque-do-block", "{name}");
        assert!(index.contains(&format!("`{name}`")), "{name} is not in the list of examples");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accepted_release_is_rehearsed() {
    let server = Throwaway::Scratch(Scratch::start(support::server().await.maintenance()).await.unwrap());
    let mut rehearsed = 0;
    for name in example_releases() {
        let release = Release::read(&name);
        let planned = release.plan();
        if REFUSED.contains(&&*name) {
            assert_eq!(planned.plan.verdict, Verdict::Unsafe, "{name}");
            continue;
        }
        let script = Script {
            plan: &planned.plan,
            folder: &release.folder,
            applied: &release.pending.applied,
            pending: &release.pending.pending,
            blue: Some(&release.blue),
            green: Some(&release.green),
        };
        let (_stopper, stop) = Stop::channel();
        let rehearsal = rehearse(&server, script, &mut |_| {}, stop).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(rehearsal.matrix.rows.len(), release.blue.queries.len() + release.green.queries.len(), "{name}");
        // What was worked out from text is what the server says, query by query and state by state.
        let foreseen = planned.plan.matrix.as_ref().unwrap();
        assert_eq!(foreseen.states, rehearsal.matrix.states, "{name}");
        for (row, text) in rehearsal.matrix.rows.iter().zip(&foreseen.rows) {
            for (i, state) in rehearsal.matrix.states.iter().enumerate() {
                let (cell, mark) = (row.at(i).unwrap(), foreseen.mark(text, i));
                assert!(!state.lives(row.version) || matches!(cell, Cell::Works(_)), "{name}: {row:?} at {state:?}");
                // PREPARE does not look at rows; that is all that the text may show besides.
                let of_rows =
                    |message: &str| message.starts_with("its INSERT leaves out") || message.starts_with("it writes");
                let refused = matches!(text.at(i), Some(Cell::Fails(failure)) if of_rows(&failure.message));
                if refused && !state.lives(row.version) {
                    continue;
                }
                assert_eq!(mark, rehearsal.matrix.mark(row, i), "{name}: {} {} at {state:?}", row.place, row.query);
                assert!(mark < Mark::Breaks, "{name}: {text:?} at {state:?}");
            }
        }
        assert_eq!(rehearsal.differences, [], "{name}");
        assert_eq!(rehearsal.misjudged, [""; 0], "{name}");
        assert!(rehearsal.is_safe(), "{name}");
        rehearsed += 1;
    }
    assert_eq!(rehearsed, example_releases().len() - REFUSED.len());
    server.stop().await.unwrap();
}

/// What the plans of the recorded application say, held against a server that ran each candidate at once: which of its statements fail.
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_application_breaks_where_the_plans_say() {
    let statements = [
        ("register", "INSERT INTO readers (name, email) VALUES ('Ada', 'ada@example.com')"),
        ("correct_name", "UPDATE readers SET name = 'Ada' WHERE id = 1"),
        ("card", "SELECT name, email FROM readers WHERE id = 1"),
        ("call_list", "SELECT name, phone FROM readers WHERE phone IS NOT NULL ORDER BY name"),
    ];
    let candidates: [(&str, &[&str]); 4] = [
        ("add-column", &[]),
        ("rename-column", &["register", "correct_name", "card", "call_list"]),
        ("required-column", &["register"]),
        ("drop-untested-column", &["call_list"]),
    ];
    for (candidate, expected) in candidates {
        let release = Release::read(&format!("17-recorded-by-tests/{candidate}"));
        let session = support::database().await.connect().await;
        for migration in release.pending.applied.iter().chain(&release.pending.pending) {
            session.batch_execute(&release.folder.sources.file(migration.file).text).await.unwrap();
        }
        let mut failed = Vec::new();
        for (name, statement) in statements {
            if session.batch_execute(statement).await.is_err() {
                failed.push(name);
            }
        }
        assert_eq!(failed, expected, "{candidate}");
    }
}

/// All candidates of an application stand on what was recorded.
#[test]
fn the_candidates_have_one_base() {
    let folder = root().join("migrations-examples/17-recorded-by-tests");
    let recorded = std::fs::read_to_string(folder.join("migrations/V1__readers.sql")).unwrap();
    for candidate in ["add-column", "rename-column", "required-column", "drop-untested-column"] {
        let base = folder.join(candidate).join("migrations/V1__readers.sql");
        assert_eq!(std::fs::read_to_string(base).unwrap(), recorded, "{candidate}");
    }
}

/// The same through the command line, on a server of its own, as the manual has it.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_rehearses_on_a_local_server() {
    let binaries = support::server().await.binaries().directory().to_owned();
    let version = support::version(&support::database().await.connect().await);
    let run = |name: &str, more: &[&str]| {
        let mut command = support::cutover(root());
        let name = format!("migrations-examples/{name}");
        command.args(["rehearse", &name, "--server", "local", "--pg-bin"]).arg(&binaries).args(more).output().unwrap()
    };
    let output = run("02-rename-column", &["--pg-version", &version.0.to_string()]);
    let text = support::transcript(&output);
    assert_eq!(support::exit(&output), 0, "{text}");
    assert!(text.contains("Rehearsal passed: 3 blue and 3 green queries work at every state they must"), "{text}");
    assert!(!text.contains("--pg-version"), "{text}");
    let other = run("01-add-column", &["--pg-version", "12", "--format", "json"]);
    let text = support::transcript(&other);
    assert!(text.contains(&format!("warning: rehearsed on {version}, and --pg-version says PostgreSQL 12")), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!((&json["pg_version"], &json["safe"]), (&version.0.into(), &true.into()), "{text}");
    let refused = run("11-conflict", &[]);
    assert_eq!(support::exit(&refused), 1, "{}", support::transcript(&refused));
    // A rehearsal waits for no time of the day: what production waits for is none of its.
    let later = ["BEFORE", "AFTER"].map(|phase| format!("CUTOVER_RELEASE_{phase}_NOT_BEFORE"));
    let mut command = support::cutover(root());
    command.envs(later.iter().map(|name| (name, "2099-01-01T00:00:00Z"))).env("CUTOVER_RELEASE_AFTER_DELAY", "24h");
    command.args(["rehearse", "migrations-examples/02-rename-column", "--server", "local", "--pg-bin"]).arg(&binaries);
    let text = support::transcript(&command.output().unwrap());
    assert!(text.contains("Rehearsal passed: 3 blue and 3 green queries work at every state they must"), "{text}");
}

/// What `PREPARE` cannot show: during the overlap both versions write the same rows, and the triggers keep both forms in step.
#[tokio::test(flavor = "multi_thread")]
async fn triggers_keep_both_forms_in_step() {
    check_overlap(
        "02-rename-column",
        "INSERT INTO accounts (email, name) VALUES ('old', 'Old')",
        "INSERT INTO accounts (email, name) VALUES ('blue', 'Blue');
         INSERT INTO accounts (email, full_name) VALUES ('green', 'Green');
         UPDATE accounts SET full_name = 'Blue 2' WHERE email = 'blue';
         UPDATE accounts SET name = 'Green 2' WHERE email = 'green'",
        "SELECT email || ': ' || name || ', ' || full_name FROM accounts ORDER BY id",
        &["old: Old, Old", "blue: Blue 2, Blue 2", "green: Green 2, Green 2"],
    )
    .await;
    check_overlap(
        "05-type-change",
        "INSERT INTO readings (meter, watt_hours) VALUES ('old', 1)",
        "INSERT INTO readings (meter, watt_hours) VALUES ('blue', 2);
         INSERT INTO readings (meter, watt_hours_wide) VALUES ('green', 5000000000);
         UPDATE readings SET meter = 'green 2' WHERE meter = 'green';
         UPDATE readings SET watt_hours = 3 WHERE meter = 'old'",
        "SELECT meter || ': ' || watt_hours || ', ' || watt_hours_wide FROM readings ORDER BY id",
        &["old: 3, 3", "blue: 2, 2", "green 2: 2147483647, 5000000000"],
    )
    .await;
    check_overlap(
        "15-sqlx",
        "INSERT INTO tickets (subject, closed) VALUES ('old', true)",
        "INSERT INTO tickets (subject) VALUES ('blue'), ('green'), ('waiting');
         UPDATE tickets SET closed = true WHERE subject = 'blue';
         UPDATE tickets SET status = 'closed' WHERE subject = 'green';
         UPDATE tickets SET status = 'waiting' WHERE subject = 'waiting'",
        "SELECT subject || ': ' || closed || ', ' || status FROM tickets ORDER BY id",
        &["old: true, closed", "blue: true, closed", "green: true, closed", "waiting: false, waiting"],
    )
    .await;
}

/// Runs the base migrations, `rows`, the steps before the cutover, and what both versions write then.
async fn check_overlap(name: &str, rows: &str, writes: &str, query: &str, expected: &[&str]) {
    let release = Release::read(name);
    let session = support::database().await.connect().await;
    for migration in &release.pending.applied {
        session.batch_execute(&release.folder.sources.file(migration.file).text).await.unwrap();
    }
    session.batch_execute(rows).await.unwrap();
    let planned = release.plan();
    for statement in planned.plan.phase(plan::saved::Phase::Before).flat_map(|step| step.statements()) {
        session.batch_execute(&statement.sql).await.unwrap();
    }
    session.batch_execute(writes).await.unwrap();
    let found = session.query(query, &[]).await.unwrap();
    let found: Vec<String> = found.iter().map(|row| row.get(0)).collect();
    assert_eq!(found, expected, "{name}");
}
