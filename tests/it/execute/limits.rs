//! The limits of a release stay with it; and what it looks at can be looked at on demand.

use super::support::{Ran, Shop, until};

#[test]
fn whoever_carries_on_keeps_the_limits_that_the_release_was_begun_with() {
    let shop = Shop::new();
    let plan = shop.plan();
    let mut blocker = shop.client();
    let mut blocking = blocker.transaction().unwrap();
    blocking.batch_execute("LOCK TABLE users IN ACCESS SHARE MODE").unwrap();
    let begun = shop.execute(&plan, &["--lock-timeout", "20ms", "--lock-retries", "1", "--drain-timeout", "7m"]);
    begun.ends(4).says("attempt 1 of 2").says("blocked by");
    let resumed = shop.resume(&[]).ends(4).says("attempt 1 of 2");
    assert!(!resumed.err.contains("attempt 2 of"), "{}", resumed.err);
    // What is said later counts from then on, and leaves the rest as it was.
    shop.resume(&["--lock-retries", "0"]).ends(4);
    let resumed = shop.resume(&[]).ends(4);
    assert!(!resumed.err.contains("attempt 1 of"), "{}", resumed.err);
    let limits = "SELECT detail->>'limits' FROM cutover.journal WHERE detail ? 'limits' ORDER BY seq";
    let begun_with = r#"{"lock_retries": 1, "lock_timeout_ms": 20, "drain_timeout_ms": 420000}"#;
    assert_eq!(shop.rows(limits), [begun_with, r#"{"lock_retries": 0}"#]);
    blocking.rollback().unwrap();
    shop.resume(&[]).ends(0);
}

#[test]
fn check_looks_at_what_the_release_would() {
    let shop = Shop::new();
    shop.run(&["check"]).ends(2).says("there is no unfinished release");
    let plan = shop.plan();
    let path = shop.save(&plan);
    shop.run(&["check", &path]).ends(0).says("The plan can begin, as far as it can be known now; 5 steps have not run");
    assert!(shop.rows("SELECT nspname::text FROM pg_namespace WHERE nspname = 'cutover'").is_empty(), "it only reads");
    shop.sql("CREATE VIEW names AS SELECT name FROM users");
    shop.run(&["check", &path]).ends(4).says("view names depends on column name of users");
    shop.sql("DROP VIEW names");
    shop.run(&["execute", &path, "--yes"]).ends(0);
    let before = shop.journal();
    shop.run(&["check", &path]).ends(2).says("was begun already");
    shop.run(&["check"]).ends(0).says("can go on").says("2 steps have not run");
    shop.sql("CREATE VIEW names AS SELECT name FROM users");
    shop.run(&["check"]).ends(4).says("view names depends on column name of users");
    shop.sql("DROP VIEW names; ALTER TABLE users ADD COLUMN strange int");
    shop.run(&["check"]).ends(6).says("users is not as this release left it");
    assert_eq!(shop.journal(), before, "it only reads");
}

/// A try in vain, rows some at a time, and an executor that was stopped: all of it is said at the end, from the journal.
#[test]
fn what_a_release_took_is_said_at_its_end() {
    let shop = Shop::new();
    let mut blocker = shop.client();
    let mut blocking = blocker.transaction().unwrap();
    blocking.batch_execute("LOCK TABLE users IN ACCESS SHARE MODE").unwrap();
    let path = shop.save(&shop.plan());
    let limits = ["--lock-timeout", "20ms", "--lock-retries", "0"];
    shop.run(&[&["execute", &path, "--yes", "--traffic", "simulated"], &limits[..]].concat()).ends(4);
    let child = shop.spawn(&["resume", "--yes", "--traffic", "simulated", "--lock-retries", "9", "--format", "json"]);
    until("it has tried", || shop.rows("SELECT count(*)::text FROM cutover.journal WHERE event = 'resumed'") == ["1"]);
    until("it waits", || {
        let waits = "SELECT 'x' FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' AND query LIKE '%pg_locks%'";
        !shop.rows(waits).is_empty()
    });
    blocking.rollback().unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap()).ends(0);
    let summed = ran.out.lines().find(|line| line.contains("\"type\":\"summed\"")).unwrap();
    let summed: serde_json::Value = serde_json::from_str(summed).unwrap();
    assert_eq!((&summed["steps"], &summed["carried_on"]), (&5.into(), &1.into()), "{summed}");
    assert!(summed["vain_tries"].as_u64().unwrap() >= 1 && summed["slowest"]["ms"].is_u64(), "{summed}");
    let other = Shop::new();
    other.execute(&other.plan(), &[]).ends(0).says("  Took      ").says("5 steps; the slowest was ");
}
