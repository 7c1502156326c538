//! What an operator's day does to a release: the world changes between two commands, a name is misspelt, a process is stopped, somebody else
//! was there before.

use std::process::Child;

use nix::sys::signal::Signal;

use super::support::{Ran, Runs, Shop, cluster, signal, statements, step, until};
use cutover::plan::saved::{Phase, SavedPlan, StepStatement};

/// A release that waits for approval: the before phase is done.
fn waiting(more: &[&str]) -> (Shop, SavedPlan) {
    let shop = Shop::new();
    let plan = shop.plan();
    let path = shop.save(&plan);
    shop.run(&[&["execute", &path, "--yes"], more].concat()).ends(0).says("waits for you");
    (shop, plan)
}

/// The same with a process that waits for it.
fn with_waiter() -> (Shop, Child) {
    let shop = Shop::new();
    let plan = shop.plan();
    let path = shop.save(&plan);
    let waiter = shop.spawn(&["execute", &path, "--yes", "--wait"]);
    waits(&shop);
    (shop, waiter)
}

fn waits(shop: &Shop) {
    until("the release waits", || {
        let there = shop.rows("SELECT (to_regclass('cutover.journal') IS NOT NULL)::text")[0].clone();
        there == "true" && shop.journal().last().is_some_and(|last| last == "approval_awaited")
    });
}

#[test]
fn the_guard_of_a_release_is_kept_by_whoever_carries_it_on() {
    let blue = |shop: &Shop| {
        let mut config = postgres::Config::new();
        config.host_path(&cluster().sockets).port(cluster().port).user("postgres").dbname(&shop.database);
        config.application_name("blue").connect(postgres::NoTls).unwrap()
    };
    let shop = Shop::new();
    let connected = blue(&shop);
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes", "--blue-application-name", "blue"]).ends(0);
    shop.run(&["promote", "--yes", "--drain-timeout", "300ms"]).ends(4).says("blue is not drained: 1 left");
    shop.run(&["resume", "--yes", "--drain-timeout", "300ms"]).ends(4).says("1 left");
    assert!(!shop.facts().iter().any(|fact| fact.starts_with("drained")));
    // Somebody lifts it, and that is in the journal.
    shop.run(&["resume", "--yes", "--no-blue-guard"]).ends(0);
    let lifted = shop
        .rows("SELECT detail->'blue'->>'guard' FROM cutover.journal WHERE event = 'resumed' ORDER BY seq DESC LIMIT 1");
    assert_eq!(lifted, ["lift"]);
    drop(connected);
}

#[test]
fn a_name_that_was_never_seen_is_no_evidence() {
    let (shop, _) = waiting(&["--blue-application-name", "bleu"]);
    let promoted = shop.run(&["promote", "--yes"]).ends(0);
    promoted
        .says("no session with application_name \"bleu\" was ever seen; if the name is misspelt, blue is not watched");
    let evidence = shop.rows("SELECT detail->>'evidence' FROM cutover.journal WHERE event = 'drained'");
    assert_eq!(
        evidence,
        [
            "promoted by an operator, and no session with application_name \"bleu\" was there when the release was told of it"
        ]
    );
}

#[test]
fn a_way_back_does_not_lead_to_a_broken_blue() {
    let (shop, _) = waiting(&[]);
    shop.sql("ALTER TABLE users DROP COLUMN email");
    let refused = shop.run(&["rollback", "--yes"]).ends(6);
    refused.says("rollback refused: blue worked on the schema as this release left it").says("--force");
    assert_eq!(shop.journal().last().unwrap(), "approval_awaited");
    shop.run(&["rollback", "--yes", "--force"]).ends(0).says("is rolled back");
    let forced = shop.rows("SELECT detail->>'forced' FROM cutover.journal WHERE event = 'rollback_started'");
    assert!(forced[0].contains("users is not as this release left it"), "{forced:?}");
}

#[test]
fn what_cannot_carry_on_is_not_approved() {
    let (shop, _) = waiting(&[]);
    shop.sql("ALTER TABLE users DROP COLUMN email");
    shop.run(&["promote", "--yes"]).ends(6).says("the schema drifted");
    shop.run(&["promote", "--yes", "--traffic", "simulated"]).ends(2);
    assert_eq!(shop.journal().last().unwrap(), "approval_awaited");
}

#[test]
fn whoever_waits_for_approval_goes_back_when_told() {
    let (shop, waiter) = with_waiter();
    shop.run(&["rollback", "--yes"]).ends(0).says("is rolled back. Move all traffic to blue now");
    let waited = Ran::from(waiter.wait_with_output().unwrap()).ends(0);
    waited.says("is rolled back");
    assert_eq!(shop.journal().last().unwrap(), "rolled_back");
}

#[test]
fn a_word_that_nobody_answers_is_not_said_to_be_carried_out() {
    let (shop, waiter) = with_waiter();
    signal(&waiter, Signal::SIGSTOP);
    let promoted = shop.run(&["promote", "--yes"]).ends(7);
    promoted.says("has not answered").says("pg_terminate_backend(");
    signal(&waiter, Signal::SIGCONT);
    let waited = Ran::from(waiter.wait_with_output().unwrap()).ends(0);
    waited.says("is complete");
}

/// Stops the executor while a step of a second holds its lock; how it ends once it goes on.
fn stopped_in_a_step(shop: &Shop, sleeps: &str) -> Ran {
    let mut plan = shop.plan();
    statements(&mut plan, 0).push(StepStatement { sql: sleeps.into(), origin: None });
    let path = shop.save(&plan.sealed());
    let executor = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    let holding = "SELECT count(*)::text FROM pg_locks WHERE relation = 'users'::regclass AND mode = 'AccessExclusiveLock' AND granted";
    until("the step holds its lock", || shop.rows(holding) == ["1"]);
    signal(&executor, Signal::SIGSTOP);
    until("the lock is free again", || shop.rows(holding) == ["0"]);
    signal(&executor, Signal::SIGCONT);
    Ran::from(executor.wait_with_output().unwrap())
}

fn has_phone(shop: &Shop) -> bool {
    let query = "SELECT count(*)::text FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'phone'";
    shop.rows(query) == ["1"]
}

#[test]
fn a_step_needs_nobody_for_its_end() {
    let shop = Shop::new();
    stopped_in_a_step(&shop, "SELECT pg_sleep(1)").ends(0).says("is complete");
    assert!(has_phone(&shop));
}

/// The server holds a step's locks for nobody: a client that is stopped in the middle loses its session.
#[test]
fn a_stopped_executor_gives_its_locks_back() {
    let shop = Shop::new();
    // Nothing is sent behind a word like this until it has succeeded.
    stopped_in_a_step(&shop, "SELECT pg_sleep(1) AS commit").ends(4);
    shop.resume(&[]).ends(0);
    assert!(has_phone(&shop));
}

#[test]
fn an_index_that_was_there_before_is_not_taken_for_the_step_s() {
    let shop = Shop::new();
    shop.sql("CREATE INDEX users_phone ON users (email)");
    // Three boundaries of the release, four of step 1, and both sides of the commit that step 2 begins with.
    shop.execute(&shop.plan(), &["--fault", "kill-at=9"]);
    assert_eq!(shop.journal().last().unwrap(), "step_started 2");
    shop.resume(&[]).ends(4).says("relation \"users_phone\" already exists");
    assert!(!shop.journal().contains(&"step_succeeded 2".to_owned()));
}

/// A role whom row security hides rows from must not backfill the rest and call it done.
#[test]
fn row_security_hides_no_rows_from_a_step() {
    let shop = Shop::new();
    let role = format!("deployer_of_{}", shop.database);
    shop.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};
         ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY half ON users USING (id % 2 = 0)",
        shop.database
    ));
    let update = step(1, Phase::Before, Runs::Own, "UPDATE users SET email = 'x'", &["2", "3", "4"], 2, 1);
    let plan = shop.plan_of(vec![update]);
    let path = shop.save(&plan);
    let mut command = shop.cutover(&["execute", &path, "--yes", "--traffic", "simulated"]);
    let ran = Ran::from(command.env("PGUSER", &role).output().unwrap()).ends(4);
    ran.says("query would be affected by row-level security policy for table \"users\" (SQLSTATE 42501)");
    assert_eq!(shop.rows("SELECT count(*)::text FROM users WHERE email = 'x'"), ["0"]);
    shop.sql(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

#[test]
fn a_lock_is_not_waited_for_without_limit() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes", "--lock-timeout", "0s"]).ends(2).says("makes everybody behind it wait");
}

#[test]
fn whoever_idles_in_a_transaction_is_named_first() {
    let shop = Shop::new();
    let mut busy: Vec<_> = (0..3).map(|_| shop.client()).collect();
    for client in &mut busy {
        client.batch_execute("BEGIN; SELECT FROM users").unwrap();
    }
    let mut culprit = shop.client();
    culprit.batch_execute("SET application_name = 'culprit'; BEGIN; LOCK TABLE users IN ROW EXCLUSIVE MODE").unwrap();
    // The others go on working.
    let running: Vec<_> = busy
        .into_iter()
        .map(|mut client| std::thread::spawn(move || client.batch_execute("SELECT pg_sleep(3)").unwrap()))
        .collect();
    let ran = shop.execute(&shop.plan(), &["--lock-retries", "1", "--lock-timeout", "100ms"]).ends(4);
    let first = ran.err.lines().find(|line| line.contains("blocked by")).unwrap().to_owned();
    assert!(first.contains("application \"culprit\""), "{first}");
    drop(culprit);
    running.into_iter().for_each(|thread| thread.join().unwrap());
}

/// A role that deploys, and owns nothing yet.
fn deployer(shop: &Shop) -> String {
    let role = format!("deployer_of_{}", shop.database);
    shop.sql(&format!("CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {0} TO {role}", shop.database));
    role
}

#[test]
fn a_table_of_somebody_else_s_is_met_before_anything_is_done() {
    let shop = Shop::new();
    let role = deployer(&shop);
    shop.sql(&format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"));
    let path = shop.save(&shop.plan());
    let mut command = shop.cutover(&["execute", &path, "--yes", "--traffic", "simulated"]);
    let ran = Ran::from(command.env("PGUSER", &role).output().unwrap()).ends(2);
    ran.says(&format!("step 4 (step 4): users is owned by postgres, and {role} is no member of that role"));
    assert!(shop.journal().is_empty());
    shop.sql(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

#[test]
fn what_depends_on_a_column_that_goes_is_met_before_the_point_of_no_return() {
    let (shop, _) = waiting(&[]);
    shop.sql("CREATE VIEW names AS SELECT name FROM users");
    let refused = shop.run(&["promote", "--yes"]).ends(4);
    refused.says("view names depends on column name of users, which is dropped without CASCADE");
    assert_eq!(shop.journal().last().unwrap(), "approval_awaited");
    // Whoever knows better may go on; the server has the last word.
    shop.run(&["promote", "--yes", "--accept-foreseen"]).ends(4).says("cannot drop column name of table users");
    shop.sql("DROP VIEW names");
    shop.run(&["resume", "--yes"]).ends(0).says("is complete");
}

#[test]
fn a_waiter_does_not_go_back_to_a_sick_blue() {
    let shop = Shop::new();
    let backend = shop.folder.path().join("backend.sh");
    let text = r#"#!/bin/sh
read request
case "$request" in
*'"op":"capabilities"'*) r='{"kind":"manual","can_verify":false,"can_prove_drain":false}' ;;
*'"op":"set_share"'*) r=$(echo "$request" | sed 's/.*"args":\({[^}]*}\).*/\1/') ;;
*'"op":"verify"'*) r='{"verified":"yes"}' ;;
*'"op":"health"'*) r='{"health":"unhealthy","why":"no task runs"}' ;;
*'"op":"drain"'*) r='{"drain":"unknown"}' ;;
*) r='{}' ;;
esac
echo "{\"protocol\":1,\"ok\":true,\"result\":$r}"
"#;
    std::fs::write(&backend, text).unwrap();
    std::fs::set_permissions(&backend, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (plan, backend) = (shop.save(&shop.plan()), backend.to_str().unwrap().to_owned());
    let waiter = shop.spawn(&["execute", &plan, "--yes", "--wait", "--traffic-exec", &backend]);
    waits(&shop);
    let told = shop.run(&["rollback", "--yes", "--traffic-exec", &backend]).ends(4);
    told.says("the process that waited could not go back: blue is unhealthy: no task runs");
    Ran::from(waiter.wait_with_output().unwrap()).ends(4);
    shop.run(&["rollback", "--yes", "--force", "--traffic-exec", &backend]).ends(0).says("is rolled back");
}

/// What a table has that goes with it, or that a statement of another name takes away, keeps no right release back.
#[test]
fn nothing_is_foreseen_that_will_not_happen() {
    let check = |base: &str, steps: &[&str]| {
        let shop = Shop::new();
        shop.sql(base);
        let last = steps.len();
        let completes = |at: usize| if at + 1 == last { &["2", "3", "4"][..] } else { &[] };
        let steps = steps.iter().enumerate();
        let steps =
            steps.map(|(at, sql)| step(at as u32 + 1, Phase::After, Runs::Own, sql, completes(at), 3, 1)).collect();
        shop.execute(&shop.plan_of(steps), &[]).ends(0);
    };
    let trigger = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER sync BEFORE UPDATE OF name ON users FOR EACH ROW WHEN (OLD.name <> 'x') EXECUTE FUNCTION f();";
    check(trigger, &["DROP TRIGGER sync ON users", "ALTER TABLE users DROP COLUMN name"]);
    let other = "CREATE TABLE t (id serial PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a + 1) STORED);
        ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a > 0);";
    check(other, &["DROP TABLE t"]);
    check(other, &["DROP POLICY p ON t", "ALTER TABLE t DROP COLUMN b", "ALTER TABLE t DROP COLUMN a"]);
    check(other, &["ALTER TABLE t ALTER id DROP DEFAULT", "DROP SEQUENCE t_id_seq"]);
    let referenced = "CREATE TABLE o (a int REFERENCES users); CREATE VIEW \"my-view\" AS SELECT email FROM users;";
    check(
        referenced,
        &["ALTER TABLE users RENAME TO people", "CREATE VIEW users AS SELECT * FROM people", "DROP VIEW users"],
    );
    check(referenced, &["DROP VIEW \"my-view\"", "ALTER TABLE users DROP COLUMN email"]);
    let partitioned = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE e (a int REFERENCES t) PARTITION BY RANGE (a);
        CREATE TABLE e_1 PARTITION OF e FOR VALUES FROM (1) TO (2);";
    check(partitioned, &["DROP TABLE e", "DROP TABLE t"]);
    check(partitioned, &["ALTER TABLE e DROP CONSTRAINT e_a_fkey", "DROP TABLE t"]);
}

#[test]
fn what_an_earlier_step_takes_away_depends_on_nothing() {
    let check = |before: &str| {
        let shop = Shop::new();
        shop.sql("CREATE VIEW names AS SELECT name FROM users; CREATE VIEW short AS SELECT n.name FROM names n, users u WHERE u.name = n.name");
        let steps = vec![
            step(1, Phase::After, Runs::Own, before, &[], 3, 1),
            step(2, Phase::After, Runs::Own, "ALTER TABLE users DROP COLUMN name", &["2", "3", "4"], 3, 2),
        ];
        shop.execute(&shop.plan_of(steps), &[]).ends(0);
    };
    check("DROP VIEW names, short");
    check("DROP VIEW names CASCADE");
    check("DO $$ BEGIN DROP VIEW short; DROP VIEW names; END $$");
}

/// An autovacuum gives way only to whoever waits longer than `deadlock_timeout`, which the first tries do not.
#[test]
fn an_autovacuum_gives_way() {
    let shop = Shop::new();
    let mut admin = shop.client();
    admin.batch_execute("ALTER SYSTEM SET autovacuum_naptime = '1s'").unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    // It takes a hundred milliseconds for each block of the table.
    shop.sql(
        "ALTER TABLE users SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100,
             autovacuum_vacuum_cost_limit = 1);
         INSERT INTO users SELECT i, repeat('n', 2000), 'e' FROM generate_series(1000, 4000) AS i; UPDATE users SET email = 'x'",
    );
    let vacuums = "SELECT count(*)::text FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND query LIKE '%public.users%'
        AND datname = current_database()";
    until("the table is vacuumed", || shop.rows(vacuums) == ["1"]);
    let ran = shop.execute(&shop.plan(), &[]).ends(0);
    ran.says("blocked by autovacuum worker ").says("attempt 2)");
    admin.batch_execute("ALTER SYSTEM RESET autovacuum_naptime").unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").unwrap();
}
