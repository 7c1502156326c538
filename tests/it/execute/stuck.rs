//! Statements outside transactions: repaired where the catalog tells, stuck where it does not.

use cutover::plan::saved::{Phase, Step};

use super::support::{Ran, Runs, Shop, step, until};

fn alone(sql: &str) -> Step {
    step(1, Phase::Before, Runs::Alone, sql, &["2"], 2, 1)
}

fn version(shop: &Shop) -> i32 {
    shop.rows("SELECT current_setting('server_version_num')")[0].parse::<i32>().unwrap() / 10_000
}

/// Ends the executor while its statement is under way, as SIGKILL does, and returns once the server has noticed.
fn kill_during(shop: &Shop, plan: &cutover::plan::saved::SavedPlan, query: &str) {
    let path = shop.save(plan);
    let mut child = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    let active = format!(
        "SELECT 'x' FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '{query}%'"
    );
    until("the statement runs", || !shop.rows(&active).is_empty());
    child.kill().unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, None, "{ran:?}");
}

#[test]
fn an_index_build_that_was_killed_is_repaired() {
    let shop = Shop::new();
    let plan = shop.plan_of(vec![alone("CREATE INDEX CONCURRENTLY users_x ON users (email)")]);
    let mut writer = shop.client();
    writer.batch_execute("BEGIN; UPDATE users SET email = 'x' WHERE id = 1").unwrap();
    kill_during(&shop, &plan, "CREATE INDEX CONC");
    until("the index is there and invalid", || {
        !shop.rows("SELECT 'x' FROM pg_index WHERE indexrelid = to_regclass('users_x') AND NOT indisvalid").is_empty()
    });
    writer.batch_execute("COMMIT").unwrap();
    shop.resume(&[]).ends(0);
    assert_eq!(shop.rows("SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'users_x'::regclass"), ["true"]);
}

#[test]
fn an_invalid_index_is_never_skipped() {
    let shop = Shop::new();
    shop.sql("INSERT INTO users VALUES (100, 'twin', 'u1@x')");
    assert!(shop.client().batch_execute("CREATE UNIQUE INDEX CONCURRENTLY users_x ON users (email)").is_err());
    let plan = shop.plan_of(vec![alone("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_x ON users (email)")]);
    let failed = shop.execute(&plan, &[]).ends(4).says("cleared up: DROP INDEX CONCURRENTLY public.users_x");
    failed.says("could not create unique index").says("V2__phone.sql:1:1");
    assert!(
        shop.rows("SELECT 'x' FROM pg_class WHERE relname = 'users_x'").is_empty(),
        "no invalid index is left behind"
    );
    shop.sql("DELETE FROM users WHERE id = 100");
    shop.resume(&[]).ends(0);
    assert_eq!(shop.rows("SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'users_x'::regclass"), ["true"]);
}

#[test]
fn what_no_catalog_tells_is_the_operators_to_decide() {
    for (decision, rows) in [("--mark-done", 1), ("--retry", 2)] {
        let shop = Shop::new();
        shop.sql(
            "CREATE TABLE log (n int);
             CREATE PROCEDURE work() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (1); COMMIT;
             IF current_setting('shop.slow', true) = 'on' THEN PERFORM pg_sleep(60); END IF; END $$;
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET shop.slow = on', current_database()); END $$",
        );
        let plan = shop.plan_of(vec![alone("CALL work()")]);
        kill_during(&shop, &plan, "CALL work");
        if version(&shop) < 14 {
            // Before version 14 a server does not look after clients that are gone: the operator ends the session.
            shop.rows("SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE query LIKE 'CALL work%'");
        }
        shop.resume(&["--takeover-timeout", "20s"]).ends(5).says("step 1 is stuck").says("--mark-done 1");
        shop.run(&["status"]).says("Stuck      step 1");
        shop.resume(&[]).ends(5);
        shop.sql("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET shop.slow', current_database()); END $$");
        shop.resume(&[decision, "1"]).ends(0).says("is complete.");
        assert_eq!(shop.rows("SELECT n::text FROM log").len(), rows, "{decision}");
    }
}

#[test]
fn an_interrupted_detach_is_finalized() {
    let shop = Shop::new();
    shop.sql(
        "CREATE TABLE p (id int) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);",
    );
    let mut reader = shop.client();
    reader.batch_execute("BEGIN; SELECT * FROM p").unwrap();
    let plan = shop.plan_of(vec![alone("ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY")]);
    if version(&shop) < 14 {
        reader.batch_execute("COMMIT").unwrap();
        shop.execute(&plan, &[]).ends(4).says("syntax error at or near \"CONCURRENTLY\"");
        return;
    }
    kill_during(&shop, &plan, "ALTER TABLE p DETACH");
    reader.batch_execute("COMMIT").unwrap();
    shop.resume(&[]).ends(0);
    assert!(shop.rows("SELECT 'x' FROM pg_inherits WHERE inhrelid = 'p1'::regclass").is_empty());
}

#[test]
fn leftovers_of_reindex_are_dropped() {
    let shop = Shop::new();
    let plan = shop.plan_of(vec![alone("REINDEX TABLE CONCURRENTLY users")]);
    let mut writer = shop.client();
    writer.batch_execute("BEGIN; UPDATE users SET email = 'x' WHERE id = 1").unwrap();
    kill_during(&shop, &plan, "REINDEX");
    writer.batch_execute("COMMIT").unwrap();
    shop.resume(&[]).ends(0);
    assert!(
        shop.rows("SELECT relname::text FROM pg_class WHERE relname LIKE '%_ccnew%' OR relname LIKE '%_ccold%'")
            .is_empty()
    );
}
