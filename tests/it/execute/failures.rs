//! What goes wrong, what is said about it, and that it can be resumed.

use std::os::unix::fs::PermissionsExt as _;

use cutover::plan::saved::{Phase, SavedPlan, StepStatement};

use super::support::{Ran, Runs, Shop, cluster, statements, step, until};

#[test]
fn a_statement_that_fails_half_way_leaves_nothing_and_resumes() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    statements(&mut plan, 2).push(StepStatement {
        sql: "ALTER TABLE users\n  ADD COLUMN phone text".into(),
        origin: Some(cutover::plan::saved::Origin {
            version: "3".into(),
            path: "V3__nick.sql".into(),
            line: 2,
            column: 1,
        }),
    });
    let plan = plan.sealed();
    shop.execute(&plan, &[])
        .ends(4)
        .says("step 3 (step 3, ALTER TABLE) failed at V3__nick.sql:2:1: column \"phone\" of relation \"users\" already exists")
        .says("SQLSTATE 42701")
        .says("cutover resume");
    assert!(
        shop.rows("SELECT attname::text FROM pg_attribute WHERE attname = 'nick'").is_empty(),
        "the first half is undone"
    );
    shop.run(&["status"]).says("Failed     step 3: column \"phone\"");
    shop.resume(&[]).ends(4);
    shop.execute(&plan, &[]).ends(2).says("begun already");
    // The operator does it by hand and says so: a column that the plan watches changes with that.
    shop.sql("ALTER TABLE users ADD COLUMN nick text DEFAULT '' NOT NULL");
    shop.resume(&[]).ends(6).says("the schema drifted: users");
    shop.resume(&["--mark-done", "2"]).ends(2).says("step 2 is not the one").says("(step 3 is)");
    shop.resume(&["--mark-done", "3"]).ends(0).says("is complete.");
}

#[test]
fn an_error_inside_a_statement_is_placed_to_the_column() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    statements(&mut plan, 0)[0].sql = "ALTER TABLE users\n  ADD COLUMN phone txt".into();
    shop.execute(&plan.sealed(), &[]).ends(4).says("at V2__phone.sql:2:20: type \"txt\" does not exist");
}

#[test]
fn a_lock_timeout_names_the_blocker_and_retries() {
    let shop = Shop::new();
    let mut blocker = shop.client();
    blocker.batch_execute("SET application_name = 'report'; BEGIN; LOCK TABLE users IN ACCESS SHARE MODE").unwrap();
    shop.execute(&shop.plan(), &["--lock-timeout", "50ms", "--lock-retries", "1"])
        .ends(4)
        .says("attempt 1 of 2: canceling statement due to lock timeout (SQLSTATE 55P03)")
        .says("holding AccessShareLock on users, role postgres, application \"report\", idle in transaction");
    blocker.batch_execute("ROLLBACK").unwrap();
    shop.resume(&[]).ends(0);
}

#[test]
fn settings_of_a_step_do_not_leak() {
    let shop = Shop::new();
    shop.sql(
        "DO $$ BEGIN CREATE ROLE ddl_owner; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
    );
    let mut plan = shop.plan();
    plan.steps[0].session = vec!["SET search_path = ''".into(), "SET statement_timeout = '1h'".into()];
    statements(&mut plan, 0)[0].sql = "ALTER TABLE public.users ADD COLUMN phone text".into();
    statements(&mut plan, 0).push(StepStatement { sql: "SET SESSION AUTHORIZATION ddl_owner".into(), origin: None });
    statements(&mut plan, 0)
        .push(StepStatement { sql: "SELECT pg_catalog.set_config('work_mem', '1MB', false)".into(), origin: None });
    statements(&mut plan, 2).push(StepStatement {
        sql: "CREATE TABLE public.seen AS SELECT current_user::text AS who, current_setting('search_path') AS path,
              current_setting('work_mem') AS mem, current_setting('statement_timeout') AS timeout"
            .into(),
        origin: None,
    });
    shop.execute(&plan.sealed(), &[]).ends(0);
    assert_eq!(
        shop.rows("SELECT concat_ws('|', who, path, mem, timeout) FROM seen"),
        ["postgres|\"$user\", public|4MB|0"]
    );
}

/// Nothing in the step's own text says so.
#[test]
fn a_function_that_forgets_what_is_prepared_is_waited_for() {
    let shop = Shop::new();
    shop.sql("CREATE FUNCTION forget() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$");
    let mut plan = shop.plan();
    statements(&mut plan, 0).push(StepStatement { sql: "SELECT forget()".into(), origin: None });
    shop.execute(&plan.sealed(), &[]).ends(0);
    assert_eq!(
        shop.rows("SELECT count(*)::text FROM cutover.journal WHERE event = 'step_succeeded' AND step = 1"),
        ["1"]
    );
}

/// Nor here.
#[test]
fn a_function_that_leaves_another_user_is_waited_for() {
    let shop = Shop::new();
    shop.sql(
        "DO $$ BEGIN CREATE ROLE somebody; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
         CREATE FUNCTION become() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET SESSION AUTHORIZATION somebody; END $$",
    );
    let mut plan = shop.plan();
    statements(&mut plan, 0).push(StepStatement { sql: "SELECT become()".into(), origin: None });
    shop.execute(&plan.sealed(), &[]).ends(0);
    assert_eq!(
        shop.rows("SELECT count(*)::text FROM cutover.journal WHERE event = 'step_succeeded' AND step = 1"),
        ["1"]
    );
}

#[test]
fn sql_that_ends_the_transaction_is_caught() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    statements(&mut plan, 0).push(StepStatement { sql: "COMMIT".into(), origin: None });
    shop.execute(&plan.sealed(), &[]).ends(5).says("its SQL ended the transaction");
}

#[test]
fn deferred_checks_fail_inside_the_step() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    let extra = [
        "CREATE TABLE a (id int PRIMARY KEY)",
        "CREATE TABLE b (id int REFERENCES a DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO b VALUES (1)",
    ];
    statements(&mut plan, 0).extend(extra.map(|sql| StepStatement { sql: sql.into(), origin: None }));
    let ran = shop.execute(&plan.sealed(), &[]).ends(4).says("violates foreign key constraint");
    assert!(ran.err.contains("Key (id)=(1)"), "people see the detail");
    assert!(shop.rows("SELECT detail::text FROM cutover.journal WHERE detail::text LIKE '%(id)=(1)%'").is_empty());
}

#[test]
fn no_server_and_no_password() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    let args = ["execute", path.as_str(), "--yes", "--database"];
    let with = |url: &str| shop.run(&[&args[..], &[url]].concat());
    with("postgres://postgres@127.0.0.1:1/x").ends(2).says("cannot reach");
    with("postgres://postgres:hunter2@127.0.0.1:1/x").ends(2).says("every user of this machine can read command lines");
    shop.sql("DO $$ BEGIN CREATE ROLE app LOGIN PASSWORD 'right'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$");
    let mut wrong = shop.cutover(&args[..3]);
    wrong.env("PGHOST", "127.0.0.1").env("PGUSER", "app").env("PGPASSWORD", "hunter2");
    let ran = Ran::from(wrong.output().unwrap()).ends(2).says("28P01");
    assert!(!format!("{ran:?}").contains("hunter2"));
    let mut right = shop.cutover(&args[..3]);
    right.env("PGHOST", "127.0.0.1").env("PGUSER", "app").env("PGPASSWORD", "right");
    Ran::from(right.output().unwrap())
        .ends(2)
        .says("role app may not create schema cutover")
        .says("GRANT CREATE ON DATABASE");
}

#[test]
fn a_program_says_the_password() {
    let shop = Shop::new();
    shop.sql("DO $$ BEGIN CREATE ROLE token LOGIN PASSWORD 'right'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$");
    let program = shop.folder.path().join("token");
    let write = |script: &str| {
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    std::fs::write(shop.folder.path().join("cutover.toml"), "[database]\npassword-command = [\"./token\", \"db\"]\n")
        .unwrap();
    let status = |more: &[(&str, &str)]| {
        let mut command = shop.cutover(&["status"]);
        command.current_dir(shop.folder.path()).env("PGHOST", "127.0.0.1").env("PGUSER", "token");
        Ran::from(command.envs(more.iter().copied()).output().unwrap())
    };
    write("test \"$1\" = db && echo right");
    status(&[]).ends(0);
    // What is said nearer counts.
    status(&[("PGPASSWORD", "wrong-one")]).ends(2).says("28P01");
    write("echo wrong-one; echo the safe is locked >&2; exit 3");
    let failed =
        status(&[]).ends(2).says("the password command: ./token ended with exit status: 3: the safe is locked");
    assert!(!format!("{failed:?}").contains("wrong-one"));
    write("true");
    status(&[]).ends(2).says("wrote nothing to the first line of its standard output");
    let nobody = [("CUTOVER_DATABASE_PASSWORD_COMMAND", "[\"./nobody\"]")];
    status(&nobody).ends(2).says("./nobody does not start");
}

#[test]
fn nobody_is_asked_where_there_is_no_terminal() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path]).ends(2).says("pass --yes");
}

#[test]
fn a_plan_that_does_not_fit_any_more_is_stale() {
    let edited = Shop::new();
    let mut plan = edited.plan();
    statements(&mut plan, 0)[0].sql = "DROP TABLE users".into();
    edited.execute(&plan, &[]).ends(6).says("edited after it was saved");

    let shop = Shop::new();
    let plan = shop.plan();
    let stale = |what: &str| {
        shop.execute(&plan, &[]).ends(6).says(what);
        shop.run(&["status"]).ends(0).says("No release was begun");
    };
    let file = shop.folder.path().join("V2__phone.sql");
    let text = std::fs::read(&file).unwrap();
    std::fs::write(&file, "select 1").unwrap();
    stale("V2__phone.sql was changed after the plan was made");
    std::fs::remove_file(&file).unwrap();
    stale("No such file");
    std::fs::write(&file, text).unwrap();
    shop.sql("ALTER TABLE users ADD COLUMN extra int");
    stale("users: column extra is not in the plan");
    shop.sql("ALTER TABLE users DROP COLUMN extra; ALTER TABLE users ALTER COLUMN email SET NOT NULL");
    stale("the plan has email text, the database has email text NOT NULL");
    shop.sql("ALTER TABLE users ALTER COLUMN email DROP NOT NULL; CREATE TABLE orders (id int)");
    stale("orders exists, and the plan creates it");
    shop.sql("DROP TABLE orders; INSERT INTO refinery_schema_history VALUES (2, 'phone', 'x', '1')");
    stale("migration 2 is pending in the plan, and the refinery history has it already");
    shop.sql("UPDATE refinery_schema_history SET version = 9 WHERE version = 2");
    stale("migration 9 is in the refinery history, and the plan does not know it");
    shop.sql("DELETE FROM refinery_schema_history");
    stale("migration 1 must be applied before this plan");
}

#[test]
fn drift_during_the_cutover_stops_the_after_phase() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes"]).ends(0);
    shop.sql("ALTER TABLE users ADD COLUMN hotfix int");
    shop.run(&["promote", "--yes"]).ends(6).says("users is not as this release left it");
    shop.run(&["resume", "--yes"]).ends(6);
    shop.run(&["resume", "--yes", "--accept-drift"]).ends(0).says("waits for you");
    shop.run(&["promote", "--yes"]).ends(0).says("is complete.");
}

#[test]
fn another_plan_waits_for_the_unfinished_one() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes"]).ends(0);
    let other = shop.plan_of(vec![step(1, Phase::Before, Runs::Own, "SELECT 1", &[], 2, 1)]);
    shop.execute(&other, &[]).ends(2).says("of another plan is unfinished");
}

#[test]
fn an_unsafe_plan_is_not_executed() {
    let shop = Shop::new();
    let plan = SavedPlan { verdict: cutover::plan::saved::Verdict::Unsafe, ..shop.plan() };
    shop.execute(&plan.sealed(), &[]).ends(1).says("unsafe");
}

#[test]
fn a_lost_connection_is_resumed() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    statements(&mut plan, 0).push(StepStatement { sql: "SELECT pg_sleep(60)".into(), origin: None });
    let path = shop.save(&plan.sealed());
    let child = shop.spawn(&["execute", &path, "--yes"]);
    let mut admin = cluster().connect("postgres");
    let kill = format!(
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = '{}' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()",
        shop.database
    );
    until("the backend is ended", || !admin.query(&kill, &[]).unwrap().is_empty());
    Ran::from(child.wait_with_output().unwrap()).ends(4).says("57P01").says("cutover resume");
}

#[test]
fn a_lock_that_is_gone_stops_the_executor() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    statements(&mut plan, 0).push(StepStatement { sql: "SELECT pg_advisory_unlock_all()".into(), origin: None });
    shop.execute(&plan.sealed(), &[])
        .ends(2)
        .says("the lease's lock is not held by this session any more")
        .says("pooler");
    assert_eq!(shop.journal(), ["started", "step_succeeded 1"]);
}

#[test]
fn an_executor_that_was_fenced_off_writes_nothing() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    plan.steps[1] = step(2, Phase::Before, Runs::Own, "SELECT", &["2"], 2, 2);
    statements(&mut plan, 1)[0].sql = "UPDATE cutover.lease SET epoch = epoch + 1".into();
    shop.execute(&plan.sealed(), &[]).ends(4).says("the lease was taken over: this executor has epoch 1");
    assert_eq!(shop.journal(), ["started", "step_succeeded 1", "step_succeeded 2"]);
}
