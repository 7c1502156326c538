//! What a rehearsal holds against a fresh installation, and what it makes of each tool's own tables.

use camino::Utf8Path;
use cutover::execute::Stop;
use cutover::migrations::{self, Convention, Folder, Pending, Reading};
use cutover::plan::saved::Verdict;
use cutover::plan::{Request, plan};
use cutover::postgres::inventory::inventory;
use cutover::postgres::throwaway::{Scratch, Throwaway};
use cutover::rehearse::Script;
use cutover::rehearse::observation::observe;
use cutover::rehearse::rehearsal::rehearse;
use insta::assert_snapshot;
use tempfile::TempDir;

use crate::corpus::{History, histories};
use crate::support;

async fn scratch() -> Throwaway {
    Throwaway::Scratch(Scratch::start(support::server().await.maintenance()).await.unwrap())
}

/// The report on a release of a folder, without the server's name.
async fn report(folder: &Folder, pending: &Pending) -> (String, serde_json::Value) {
    let server = scratch().await;
    let seen = observe(&server, folder, pending).await.unwrap();
    let planned =
        plan(Request { base: seen.base.as_ref(), observed: Some(&seen.effects), ..Request::new(folder, pending) });
    assert_eq!(planned.plan.verdict, Verdict::Safe, "{:#?}", planned.diagnostics);
    let (applied, new) = (&pending.applied, &pending.pending);
    let script = Script { plan: &planned.plan, folder, applied, pending: new, blue: None, green: None };
    let (_stopper, stop) = Stop::channel();
    let rehearsal = rehearse(&server, script, &mut |_| {}, stop).await.unwrap();
    server.stop().await.unwrap();
    let text = cutover::report::render_rehearsal(&rehearsal, &planned.plan, cutover::report::Style::default());
    let text = text.replace(&format!("{}/", folder.path), "");
    let text: Vec<_> = text.lines().filter(|line| !line.starts_with("Rehearsed on") && !line.is_empty()).collect();
    (text.join("\n"), serde_json::from_str(&cutover::report::rehearsal_json(&planned.plan, Some(&rehearsal))).unwrap())
}

/// A folder of files, for as long as its directory is held.
fn folder(files: &[(&str, &str)], convention: Convention) -> (TempDir, Folder) {
    let directory = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(directory.path()).unwrap().join("m");
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let reading = Reading { convention: Some(convention), ..Reading::default() };
    let folder = migrations::load_with(&root, &reading).unwrap_or_else(|e| panic!("{convention}: {e}"));
    (directory, folder)
}

/// The report on files of which the first is applied.
async fn check(files: &[(&str, &str)]) -> (String, serde_json::Value) {
    let (_directory, folder) = folder(files, Convention::Plain);
    let (applied, rest) = folder.migrations.split_at(1);
    let pending = Pending { applied: applied.to_vec(), pending: rest.to_vec() };
    report(&folder, &pending).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_same_is_said_in_a_line() {
    let (text, json) = check(&[
        ("1.sql", "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE VIEW v AS SELECT id FROM t;"),
        (
            "2.sql",
            "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN b text DEFAULT 'x'; GRANT SELECT ON t TO public;",
        ),
    ])
    .await;
    assert_snapshot!(text, @"Rehearsal passed: no queries were given; a fresh installation ends in the same database.");
    assert_eq!(json["safe"], true);
    assert_eq!(json["fresh_install"], serde_json::json!([]));
}

/// A block that makes what it does not find, moved behind what it looks for.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_depends_on_what_exists_is_found_out() {
    let (text, json) = check(&[
        ("1.sql", "CREATE TABLE t (id int PRIMARY KEY, a int);"),
        ("2.sql", "ALTER TABLE t DROP COLUMN a;"),
        (
            "3.sql",
            "-- cutover: before it only adds
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a' AND NOT attisdropped) THEN
        CREATE TABLE archive (id int);
    END IF;
END $$;",
        ),
    ])
    .await;
    assert_snapshot!(text, @r"
    error: a fresh installation differs from this release: table archive
        the files' own order: r p owner postgres
        the plan's order: not there
        see 3.sql:2:1
    warning: the files leave another schema than their text says (- text, + server); the plan knows it only as far as it was observed:
        + column archive 001 id integer
        + table archive
    Not safe. The rehearsal broke.
    ");
    assert_eq!(json["safe"], false);
    assert_eq!(json["fresh_install"][0]["severity"], "error");
}

/// The order of columns is seen by few, the order of labels by every ORDER BY.
#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_columns_is_a_warning_and_that_of_labels_is_not() {
    let (text, json) = check(&[
        ("1.sql", "CREATE TYPE mood AS ENUM ('a'); CREATE TABLE t (id int, gone int);"),
        ("2.sql", "ALTER TABLE t DROP COLUMN gone;"),
        (
            "3.sql",
            "-- cutover: before it only adds
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'gone' AND NOT attisdropped) THEN
        ALTER TABLE t ADD COLUMN x int, ADD COLUMN y int;
        ALTER TYPE mood ADD VALUE 'c';
        ALTER TYPE mood ADD VALUE 'b' AFTER 'a';
    ELSE
        ALTER TABLE t ADD COLUMN y int, ADD COLUMN x int;
        ALTER TYPE mood ADD VALUE 'b';
        ALTER TYPE mood ADD VALUE 'c' BEFORE 'b';
    END IF;
END $$;",
        ),
    ])
    .await;
    assert_snapshot!(text, @r"
    error: a fresh installation differs from this release: type public.mood
        the files' own order: e owner postgres 'a', 'c', 'b'
        the plan's order: e owner postgres 'a', 'b', 'c'
        see 3.sql:2:1
    warning: a fresh installation differs from this release: order of columns t
        the files' own order: id, y, x
        the plan's order: id, x, y
        see 3.sql:2:1
    warning: the files leave another schema than their text says (- text, + server); the plan knows it only as far as it was observed:
        - type mood enum (a)
        + column t 002 y integer
        + column t 003 x integer
        + type mood enum (a, c, b)
    Not safe. The rehearsal broke.
    ");
    let severities: Vec<_> = json["fresh_install"].as_array().unwrap().iter().map(|d| &d["severity"]).collect();
    assert_eq!(severities, ["error", "warning"]);
}

/// What the inventory sees of a statement: each must show.
#[tokio::test]
async fn every_kind_of_object_is_in_the_inventory() {
    let session = support::database().await.connect().await;
    session
        .batch_execute(
            "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN word AS text; CREATE SEQUENCE s;
             CREATE TABLE t (id int PRIMARY KEY, a int, b text); CREATE INDEX i ON t (a); CREATE VIEW v AS SELECT a FROM t;
             CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();
             CREATE POLICY p ON t USING (true); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
        )
        .await
        .unwrap();
    let mut before = inventory(&session).await.unwrap();
    for (change, object) in [
        ("ALTER TABLE t ALTER a SET DEFAULT 1", "column t.a"),
        ("ALTER TABLE t ALTER a SET DEFAULT 2", "column t.a"),
        ("ALTER TABLE t ALTER b TYPE varchar(9) USING b", "column t.b"),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", "constraint c of t"),
        ("DROP INDEX i; CREATE INDEX i ON t (a DESC)", "index i"),
        ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass", "index i"),
        ("CREATE OR REPLACE VIEW v AS SELECT a FROM t WHERE a > 1", "view v"),
        ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'", "function f()"),
        ("ALTER TABLE t DISABLE TRIGGER g", "trigger g of t"),
        ("ALTER POLICY p ON t USING (a > 1)", "policy p of t"),
        ("GRANT SELECT ON t TO public", "table t"),
        ("GRANT UPDATE (a) ON t TO public", "column t.a"),
        ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "table t"),
        ("REVOKE EXECUTE ON FUNCTION f FROM public", "function f()"),
        ("ALTER TYPE mood ADD VALUE 'c' BEFORE 'b'", "type mood"),
        ("ALTER DOMAIN word ADD CONSTRAINT short CHECK (length(value) < 9)", "constraint short of word"),
        ("ALTER SEQUENCE s INCREMENT 2", "sequence s"),
        ("CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING", "rule r of t"),
        ("COMMENT ON COLUMN t.a IS 'x'", "column t.a"),
        ("CREATE STATISTICS st ON a, b FROM t", "statistics st"),
        ("CREATE SCHEMA z", "schema z"),
    ] {
        session.batch_execute(change).await.unwrap();
        let after = inventory(&session).await.unwrap();
        let differ = before.iter().filter(|(name, item)| after.get(*name) != Some(item)).map(|(name, _)| name);
        let new = after.keys().filter(|name| !before.contains_key(*name));
        let found: Vec<_> = differ.chain(new).map(|name| name.replace("public.", "")).collect();
        assert_eq!(found, [object], "{change}");
        before = after;
    }
}

/// A small folder of each convention (`fixtures/conventions`), with one migration applied and one pending: nothing of the tool's own is taken
/// for the application's.
#[tokio::test(flavor = "multi_thread")]
async fn a_tools_own_tables_are_nobodys_difference() {
    let server = scratch().await;
    for convention in Convention::ALL {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conventions").join(convention.name());
        let reading = Reading { convention: Some(convention), ..Reading::default() };
        let folder = migrations::load_with(&root, &reading).unwrap_or_else(|e| panic!("{convention}: {e}"));
        let (applied, rest) = folder.migrations.split_at(folder.migrations.len() - 1);
        let pending = Pending { applied: applied.to_vec(), pending: rest.to_vec() };
        let planned = plan(Request::new(&folder, &pending));
        let script = Script {
            plan: &planned.plan,
            folder: &folder,
            applied: &pending.applied,
            pending: &pending.pending,
            blue: None,
            green: None,
        };
        let (_stopper, stop) = Stop::channel();
        let rehearsal =
            rehearse(&server, script, &mut |_| {}, stop).await.unwrap_or_else(|e| panic!("{convention}: {e}"));
        assert_eq!(rehearsal.differences, [], "{convention}");
        assert_eq!(rehearsal.misjudged, [""; 0], "{convention}");
    }
    server.stop().await.unwrap();
}

/// The real histories, with the last fifth pending.
#[tokio::test(flavor = "multi_thread")]
async fn real_histories_end_where_a_fresh_installation_does() {
    let server = scratch().await;
    let (mut report, mut wrong) = (String::new(), Vec::new());
    for History { project, folder: history } in histories() {
        let text = |i: usize| &*history.sources.file(history.migrations[i].file).text;
        let names: Vec<_> = (0..history.migrations.len()).map(|i| format!("{i:04}.sql")).collect();
        let files: Vec<_> = names.iter().enumerate().map(|(i, name)| (name.as_str(), text(i))).collect();
        let (_directory, folder) = folder(&files, Convention::Plain);
        let at = folder.migrations.len() - folder.migrations.len() / 5;
        let (applied, rest) = folder.migrations.split_at(at);
        let pending = Pending { applied: applied.to_vec(), pending: rest.to_vec() };
        let seen = match observe(&server, &folder, &pending).await {
            Ok(seen) => seen,
            Err(error) => {
                report.push_str(&format!("{project}: not rehearsed: {error}\n"));
                continue;
            }
        };
        let planned = plan(Request {
            base: seen.base.as_ref(),
            observed: Some(&seen.effects),
            ..Request::new(&folder, &pending)
        });
        if planned.plan.verdict == Verdict::Unsafe {
            report.push_str(&format!("{project}: not rehearsed, its plan is not safe\n"));
            continue;
        }
        let script = Script { plan: &planned.plan, folder: &folder, applied, pending: rest, blue: None, green: None };
        let (_stopper, stop) = Stop::channel();
        match rehearse(&server, script, &mut |_| {}, stop).await {
            Ok(rehearsal) => {
                report.push_str(&format!(
                    "{project}: {} steps, {} differences, {} lines misjudged\n",
                    planned.plan.steps.len(),
                    rehearsal.differences.len(),
                    rehearsal.misjudged.len()
                ));
                wrong.extend(rehearsal.differences.into_iter().map(|difference| format!("{project}: {difference:?}")));
            }
            Err(error) => report.push_str(&format!("{project}: not rehearsed: {error}\n")),
        }
    }
    server.stop().await.unwrap();
    eprintln!("{report}");
    let rehearsed = report.matches("differences").count();
    assert!(report.is_empty() || rehearsed >= 7, "fewer histories are rehearsed than were:\n{report}");
    assert!(wrong.is_empty(), "{}\n{report}", wrong.join("\n"));
}
