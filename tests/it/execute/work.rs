//! The kinds of work: a backfill over the rows of a table, and a query that must say yes.

use std::time::Duration;

use cutover::plan::saved::{Backfill, Direction, Phase, SavedPlan, Step, StepStatement, Work};

use super::support::{Ran, Runs, Shop, step, until};

fn statement(sql: &str) -> StepStatement {
    StepStatement { sql: sql.into(), origin: None }
}

/// Adds one to a column of each row, which shows how often a row was done, seven rows at a time.
fn counting() -> Work {
    let sql = "UPDATE users AS u SET hits = hits + 1 WHERE id <> 13 -- not him";
    Work::Backfill(Backfill {
        statement: statement(sql),
        table: "users AS u".into(),
        key: "u.id".into(),
        batch: "UPDATE users AS u SET hits = hits + 1 WHERE (id <> 13 -- not him\n)".into(),
        rows: 7,
    })
}

fn check(sql: &str, within: Duration) -> Work {
    Work::Check { query: statement(sql), within }
}

/// A column, the backfill, a check, and after the cutover a step that takes something away.
fn plan(shop: &Shop, sql: &str, within: Duration) -> SavedPlan {
    let own = |id, phase, sql, completes| step(id, phase, Runs::Own, sql, completes, 3, 1);
    shop.plan_of(vec![
        own(1, Phase::Before, "ALTER TABLE users ADD COLUMN hits int DEFAULT 0 NOT NULL", &[]),
        Step { work: counting(), direction: Direction::Data, ..own(2, Phase::Before, "UPDATE users", &["2"]) },
        Step { work: check(sql, within), direction: Direction::Neutral, ..own(3, Phase::Before, "SELECT true", &[]) },
        Step { point_of_no_return: true, ..own(4, Phase::After, "ALTER TABLE users DROP COLUMN name", &["3"]) },
    ])
}

const DONE: &str = "SELECT count(*) = 49 FROM users WHERE hits = 1";

#[test]
fn rows_are_done_some_at_a_time_and_a_check_says_yes() {
    let shop = Shop::new();
    shop.execute(&plan(&shop, DONE, Duration::ZERO), &[]).ends(0).says("49 rows changed");
    let progress =
        shop.rows("SELECT detail->>'cursor' FROM cutover.journal WHERE event = 'step_progressed' ORDER BY seq");
    assert!(progress.len() >= 3, "{progress:?}");
    assert_eq!((progress.first().unwrap().as_str(), progress.last().unwrap().as_str()), ("7", "50"));
    assert_eq!(shop.rows("SELECT DISTINCT hits::text FROM users WHERE id <> 13"), ["1"]);
}

/// The cursor is the last key of a batch in the order of the key, not in that of its text.
#[test]
fn the_cursor_follows_the_key() {
    let shop = Shop::new();
    let mut plan = plan(&shop, DONE, Duration::ZERO);
    let Work::Backfill(backfill) = counting() else { panic!("it is a backfill") };
    plan.steps[1].work = Work::Backfill(Backfill { rows: 12, ..backfill });
    shop.execute(&plan.sealed(), &[]).ends(0);
    let cursors =
        shop.rows("SELECT detail->>'cursor' FROM cutover.journal WHERE event = 'step_progressed' ORDER BY seq");
    assert_eq!(cursors[0], "12");
}

#[test]
fn a_check_that_says_no_stops_the_release_until_it_says_yes() {
    for no in ["SELECT false", "SELECT NULL::bool", "SELECT true FROM users", "SELECT 1", "SELECT true, true"] {
        let shop = Shop::new();
        shop.execute(&plan(&shop, no, Duration::ZERO), &[]).ends(4).says("the query said").says("step 3");
        shop.resume(&[]).ends(4).says("nothing behind this step has run");
    }
    let shop = Shop::new();
    let asked = "SELECT EXISTS (SELECT FROM users WHERE name = 'ready')";
    shop.execute(&plan(&shop, asked, Duration::ZERO), &[]).ends(4).says("the query said no");
    shop.sql("UPDATE users SET name = 'ready' WHERE id = 1");
    shop.resume(&[]).ends(0).says("complete");
    assert_eq!(shop.rows("SELECT DISTINCT hits::text FROM users WHERE id <> 13"), ["1"]);
}

#[test]
fn a_check_waits_for_a_yes() {
    let shop = Shop::new();
    let asked = "SELECT EXISTS (SELECT FROM users WHERE name = 'ready')";
    let path = shop.save(&plan(&shop, asked, Duration::from_secs(60)));
    let waiting = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    until("the backfill is done", || {
        shop.rows("SELECT coalesce(to_regclass('cutover.journal')::text, '')") != [""]
            && !shop.rows("SELECT event FROM cutover.journal WHERE event = 'step_succeeded' AND step = 2").is_empty()
    });
    shop.sql("UPDATE users SET name = 'ready' WHERE id = 1");
    let ran = waiting.wait_with_output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// Whatever is killed, each row is done once.
#[test]
fn killed_at_every_boundary_every_row_is_done_once() {
    let undisturbed = Shop::new();
    undisturbed.execute(&plan(&undisturbed, DONE, Duration::ZERO), &[]).ends(0);
    let schema = undisturbed.schema();
    for boundary in 1.. {
        let shop = Shop::new();
        let plan = plan(&shop, DONE, Duration::ZERO);
        let killed = shop.execute(&plan, &["--fault", &format!("kill-at={boundary}")]);
        if killed.code == Some(0) {
            assert!(boundary > 20, "only {boundary} boundaries");
            return;
        }
        assert_eq!(killed.code, None, "boundary {boundary}: {killed:?}");
        if shop.run(&["status"]).ends(0).out.contains("Release ") {
            assert!(matches!(shop.resume(&["--fault", "kill-at=2"]).code, None | Some(0)));
            shop.resume(&[]).ends(0).says("complete");
        } else {
            shop.execute(&plan, &[]).ends(0);
        }
        assert_eq!(shop.schema(), schema, "boundary {boundary}");
        let hits = shop.rows("SELECT DISTINCT hits::text FROM users WHERE id <> 13");
        assert_eq!(hits, ["1"], "boundary {boundary}");
    }
}

/// A row that somebody holds makes the backfill give way and come back; what is done stays done.
#[test]
fn a_row_that_is_locked_is_waited_for() {
    let shop = Shop::new();
    let mut blocker = shop.client();
    let mut held = blocker.transaction().unwrap();
    held.execute("SELECT FROM users WHERE id = 30 FOR UPDATE", &[]).unwrap();
    let plan = plan(&shop, DONE, Duration::ZERO);
    // Without the lock on the table that adding the column takes.
    let plan = SavedPlan { steps: plan.steps, ..plan };
    shop.sql("SET lock_timeout = '1s'");
    shop.execute(&plan, &["--lock-timeout", "50ms", "--lock-retries", "0"]).ends(4);
    held.rollback().unwrap();
    shop.resume(&[]).ends(0).says("complete");
    assert_eq!(shop.rows("SELECT DISTINCT hits::text FROM users WHERE id <> 13"), ["1"]);
}

/// What moves rows behind the cursor does not keep the backfill going: it goes as far as the key went when it began.
#[test]
fn rows_that_move_are_not_followed() {
    let shop = Shop::new();
    shop.sql(
        "CREATE FUNCTION behind() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := NEW.id + 1000; RETURN NEW; END $$;
         CREATE TRIGGER behind BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION behind()",
    );
    let mut plan = plan(&shop, "SELECT true", Duration::ZERO);
    let Work::Backfill(backfill) = counting() else { panic!("it is a backfill") };
    plan.steps[1].work = Work::Backfill(Backfill { rows: 5, ..backfill });
    shop.execute(&plan.sealed(), &[]).ends(0);
    assert_eq!(shop.rows("SELECT DISTINCT hits::text FROM users WHERE id > 1000"), ["1"]);
}

/// The cursor means the same whatever the settings of a session are.
#[test]
fn keys_are_printed_as_no_setting_changes_them() {
    for key in ["at", "part"] {
        let shop = Shop::new();
        shop.sql(
            "ALTER TABLE users ADD COLUMN at timestamptz; ALTER TABLE users ADD COLUMN part float8;
             UPDATE users SET at = '2026-01-05 00:00:00.5+00'::timestamptz + id * interval '1 day', part = 0.1 * id + 1e-16 * id;
             ALTER TABLE users ALTER COLUMN at SET NOT NULL, ALTER COLUMN part SET NOT NULL",
        );
        let mut plan = plan(&shop, DONE, Duration::ZERO);
        let Work::Backfill(backfill) = counting() else { panic!("it is a backfill") };
        plan.steps[1].session = vec!["SET datestyle = 'SQL, DMY'".into(), "SET extra_float_digits = 0".into()];
        plan.steps[1].work = Work::Backfill(Backfill { rows: 6, key: format!("u.{key}"), ..backfill });
        plan.schema.expects.clear();
        shop.execute(&plan.sealed(), &[]).ends(0);
        assert_eq!(shop.rows("SELECT DISTINCT hits::text FROM users WHERE id <> 13"), ["1"], "{key}");
    }
}

/// A question may only look.
#[test]
fn a_check_that_writes_is_refused() {
    let shop = Shop::new();
    shop.sql("CREATE FUNCTION fix() RETURNS bool LANGUAGE sql AS $$ UPDATE users SET email = ''; SELECT true $$");
    shop.execute(&plan(&shop, "SELECT fix()", Duration::ZERO), &[]).ends(4).says("read-only transaction");
}

/// A check may wait for hours, and so may a backfill: what somebody else did meanwhile is none of the step's work.
#[test]
fn what_others_did_while_a_step_took_its_time_is_seen() {
    let shop = Shop::new();
    shop.sql("CREATE TABLE flag (up bool)");
    let plan = plan(&shop, "SELECT count(*) > 0 FROM flag", Duration::from_secs(60));
    let path = shop.save(&plan);
    let executor = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    until("it asks", || shop.journal().iter().any(|record| record == "step_succeeded 2"));
    shop.sql("ALTER TABLE users ADD CONSTRAINT somebodys CHECK (id > 0); INSERT INTO flag VALUES (true)");
    let ran = Ran::from(executor.wait_with_output().unwrap());
    ran.ends(6).says("constraint somebodys on users is new");
    shop.resume(&[]).ends(6);
    shop.sql("ALTER TABLE users DROP CONSTRAINT somebodys");
    shop.resume(&[]).ends(0);
}
