//! Which table a bare name means, where the search path is set, set back, or set for a transaction alone.

use super::verdicts::{ONE, check};
use crate::support;

/// Two tables of one name: only that of `s` has the column `s`, only that of `public` the column `p`.
const T: &str = "CREATE SCHEMA s; CREATE TABLE s.t (id int, s int); CREATE TABLE t (id int, p int);";

const OURS: &str = "ALTER TABLE t DROP COLUMN p;";
const THEIRS: &str = "ALTER TABLE t DROP COLUMN s;";

/// What stands before a statement, and whether a bare name means the table of `public` behind it.
const PATHS: &[(&str, bool)] = &[
    ("", true),
    ("SET search_path = s;", false),
    ("SET search_path TO 's', public;", false),
    ("SET search_path = public, s;", true),
    ("SET search_path = s; RESET search_path;", true),
    ("SET search_path = s; RESET ALL;", true),
    ("SET search_path = s; RESET lock_timeout;", false),
    ("SET search_path = s; SET search_path TO DEFAULT;", true),
    ("SET search_path = s; SET search_path = default;", true),
    ("SET SCHEMA 's';", false),
    ("SET SCHEMA 's'; SET SCHEMA 'public';", true),
    ("SELECT set_config('search_path', 's', false);", false),
    ("SELECT set_config('search_path', '\"s\", public', false);", false),
    ("SELECT set_config('lock_timeout', '1s', false);", true),
    // What is set for a transaction ends with it.
    ("BEGIN; SET LOCAL search_path = s;", false),
    ("BEGIN; SET LOCAL search_path = s; COMMIT;", true),
    ("BEGIN; SET LOCAL search_path = s; SELECT 1; END;", true),
    ("BEGIN; SET search_path = s; COMMIT;", false),
    ("BEGIN; SET LOCAL search_path = public; SET search_path = s; COMMIT;", false),
    ("SET search_path = s; BEGIN; SET LOCAL search_path = public; COMMIT;", false),
    ("BEGIN; SELECT set_config('search_path', 's', true); COMMIT;", true),
    ("BEGIN; SELECT set_config('search_path', 's', false); COMMIT;", false),
];

/// Whether a transaction is open behind it.
fn is_open(before: &str) -> bool {
    before.contains("BEGIN") && !before.contains("COMMIT") && !before.contains("END;")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_name_means_what_the_server_finds() {
    let database = support::database().await;
    let mut wrong = Vec::new();
    let client = database.connect().await;
    client.batch_execute(T).await.unwrap();
    for (before, ours) in PATHS {
        for (statement, found) in [(OURS, *ours), (THEIRS, !*ours)] {
            let set = client.batch_execute(before).await;
            let begin = if is_open(before) { "" } else { "BEGIN;" };
            let ran = client.batch_execute(&format!("{begin} {statement}")).await;
            client.batch_execute("ROLLBACK; RESET ALL").await.unwrap();
            if set.is_err() || ran.is_ok() != found {
                wrong.push(format!("{before} {statement} {ran:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_bare_name_means_the_same_in_a_plan() {
    for (before, ours) in PATHS {
        let end = if is_open(before) { "COMMIT;" } else { "" };
        let (found, other) = if *ours { (OURS, THEIRS) } else { (THEIRS, OURS) };
        let release = |statement: &str| -> &'static str { format!("{before} {statement} {end}").leak() };
        let reads = before.matches("SELECT 1").count();
        let steps = format!("{}>", "<".repeat(reads));
        check(T, release(found), ONE, ONE, &format!("safe {steps}"));
        check(T, release(other), ONE, ONE, &format!("CO006 {steps}"));
    }
}

/// A path that is not written down is not known.
#[test]
fn a_path_that_is_computed_is_not_taken_for_the_usual_one() {
    check(
        T,
        "SELECT set_config('search_path', current_user, false); ALTER TABLE t DROP COLUMN p;",
        ONE,
        ONE,
        "CO101 >>",
    );
}

/// A carriage return ends a comment, as it does for the server.
#[test]
fn what_stands_behind_a_comment_is_read() {
    check(T, "-- a comment\rALTER TABLE t DROP COLUMN p;\r", ONE, ONE, "safe >");
    check(T, "-- a comment\r\nALTER TABLE t DROP COLUMN p; -- another\r\n", ONE, ONE, "safe >");
}

/// PostgREST reloads its cache at this word; no version is changed by it.
#[test]
fn a_notification_changes_nothing() {
    check(T, "ALTER TABLE t ADD COLUMN b int; NOTIFY pgrst, 'reload schema';", ONE, ONE, "safe <<");
    check(T, "LISTEN x; UNLISTEN *;", ONE, ONE, "safe <<");
}
