//! Small things of an operator's day: what is said where something else is the matter, and how a command ends then.

use std::process::Child;

use nix::sys::signal::Signal;

use super::exhaustion::has_stopped;
use super::support::{OwnServer, Ran, Shop, cluster, concurrent_index, signal, until};

#[test]
fn nobody_is_told_to_resume_what_was_not_begun() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    let ran = shop.run(&["execute", &path, "--yes", "--traffic-exec", "/bin/false"]).ends(2);
    let ran = ran.says("nothing was begun; fix the cause, then run the same command again");
    assert!(!ran.err.contains("cutover resume"), "{}", ran.err);
}

#[test]
fn tables_that_somebody_changed_are_named() {
    let check = |change: &str, code: i32, says: &str| {
        let shop = Shop::waiting();
        shop.sql(change);
        shop.run(&["promote", "--yes"]).ends(code).says(says);
        shop.run(&["resume", "--yes"]).ends(code).says(says);
    };
    check(
        "UPDATE cutover.schema_history SET checksum = 'x' WHERE version = 1",
        5,
        "the checksum of version 1 is not what was written",
    );
    check(
        "UPDATE cutover.schema_history SET applied_on = 'yesterday'",
        5,
        "the time of version 1 is not what was written",
    );
    check("DELETE FROM cutover.journal WHERE seq = 2", 5, "has a gap: row 3 comes where row 2 should be");
    check("UPDATE cutover.release SET format = 3", 6, "has format 3, this cutover reads 2 at most");
    check(
        "UPDATE cutover.journal SET detail = jsonb_set(detail, '{event}', '\"x\"') WHERE seq = 2",
        5,
        "row 2 of release",
    );
    let finished = r#"{"about": "release", "event": "finished"}"#;
    check(&format!("UPDATE cutover.journal SET detail = '{finished}' WHERE seq = 2"), 5, "`finished` cannot follow");
}

#[test]
fn the_right_to_write_is_missing() {
    let shop = Shop::waiting();
    let role = format!("reader_of_{}", shop.database);
    shop.sql(&format!("CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA cutover TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA cutover TO {role}"));
    let mut command = shop.cutover(&["resume", "--yes"]);
    let ran = Ran::from(command.env("PGUSER", &role).output().unwrap()).ends(2);
    let ran = ran.says("permission denied for").says("(SQLSTATE 42501)");
    assert!(!ran.err.contains("db error"), "{}", ran.err);
    shop.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn whoever_has_the_lease_s_row_works_on_this_database() {
    let shop = Shop::waiting();
    let mut other = shop.client();
    other.batch_execute("BEGIN; SELECT FROM cutover.lease FOR UPDATE").unwrap();
    shop.run(&["promote", "--yes"])
        .ends(7)
        .says("another session has the lease's row (cutover.lease) in a transaction");
    assert_eq!(shop.journal().last().unwrap(), "approval_awaited");
}

#[test]
fn an_index_that_was_cancelled_half_way_is_mentioned() {
    let shop = Shop::new();
    let mut writer = shop.client();
    writer.batch_execute("BEGIN; UPDATE users SET email = 'x' WHERE id = 1").unwrap();
    let index = concurrent_index();
    let path = shop.save(&shop.plan_of(vec![index]));
    let executor = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    until("the index waits", || !shop.rows("SELECT 'x' FROM pg_class WHERE relname = 'users_x'").is_empty());
    signal(&executor, Signal::SIGINT);
    let ran = Ran::from(executor.wait_with_output().unwrap()).ends(130);
    ran.says("step 1 left something half done").says("DROP INDEX CONCURRENTLY public.users_x");
    writer.batch_execute("COMMIT").unwrap();
    shop.resume(&[]).ends(0);
    assert_eq!(shop.rows("SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'users_x'::regclass"), ["true"]);
}

/// Waits for approval while something happens to its session; the release is promoted then.
fn waits_through(shop: &Shop, happens: impl FnOnce()) {
    let path = shop.save(&shop.plan());
    let waiter = shop.spawn(&["execute", &path, "--yes", "--wait"]);
    until("the release waits", || shop.journal().last().is_some_and(|last| last == "approval_awaited"));
    happens();
    carries_on(shop, waiter);
}

/// Whoever waited is there again, and hears the word.
fn carries_on(shop: &Shop, mut waiter: Child) {
    let is_there = || shop.rows("SELECT epoch::text FROM cutover.lease") == ["2"];
    until("it is there again, or gone", || waiter.try_wait().unwrap().is_some() || is_there());
    if !is_there() {
        panic!("gone: {:?}", waiter.wait_with_output().unwrap());
    }
    shop.run(&["promote", "--yes"]).ends(0);
    let ran = Ran::from(waiter.wait_with_output().unwrap()).ends(0);
    ran.says("the server went away while the release waits; connecting again").says("is complete");
}

#[test]
fn whoever_waits_for_approval_outlives_its_session() {
    let shop = Shop::new();
    waits_through(&shop, || shop.sql("SELECT pg_terminate_backend(backend_pid) FROM cutover.lease"));
}

/// The connection goes right behind the commit that says that it waits, before it has begun to listen.
#[test]
fn whoever_comes_to_wait_outlives_its_session() {
    let shop = (1..100).find_map(|at| {
        let shop = Shop::new();
        let (path, fault) = (shop.save(&shop.plan()), format!("stop-at={at}"));
        let mut waiter = shop.spawn(&["execute", &path, "--yes", "--wait", "--fault", &fault]);
        assert!(has_stopped(&mut waiter), "{:?}", waiter.wait_with_output().unwrap());
        if shop.journal().last().is_some_and(|last| last == "approval_awaited") {
            return Some((shop, waiter));
        }
        signal(&waiter, Signal::SIGKILL);
        waiter.wait().unwrap();
        None
    });
    let (shop, waiter) = shop.expect("a boundary behind approval_awaited");
    shop.sql("SELECT pg_terminate_backend(backend_pid) FROM cutover.lease");
    signal(&waiter, Signal::SIGCONT);
    carries_on(&shop, waiter);
}

#[test]
fn whoever_waits_for_approval_outlives_a_restart() {
    let server = OwnServer::start();
    let shop = Shop::new_on(&server.0);
    waits_through(&shop, || server.restart("fast"));
}

#[test]
fn plan_asks_the_database_that_the_environment_names() {
    let shop = Shop::new();
    let folder = shop.folder.path().to_str().unwrap().to_owned();
    let url = |password: &str| {
        format!(
            "postgres://postgres{password}@/{}?host={}&port={}",
            shop.database,
            cluster().sockets.display(),
            cluster().port
        )
    };
    let mut command = shop.cutover(&["plan", &folder]);
    command.env_remove("PGDATABASE").env("CUTOVER_DATABASE", url(":secret"));
    let ran = Ran::from(command.output().unwrap());
    let ran = ran.says("what is applied is read from the database that CUTOVER_DATABASE names");
    assert!(ran.out.contains("on top of 1"), "{}\n{}", ran.out, ran.err);
    // Said otherwise, it is not asked.
    let mut command = shop.cutover(&["plan", &folder, "--from", "1"]);
    let ran = Ran::from(command.env("CUTOVER_DATABASE", "postgres://nobody@127.0.0.1:1/x").output().unwrap());
    assert!(ran.out.contains("on top of 1"), "{}\n{}", ran.out, ran.err);
}

#[test]
fn a_service_says_where_the_database_is() {
    let shop = Shop::waiting();
    let file = shop.folder.path().join("services");
    let text = format!(
        "[other]\nhost=/nowhere\n\n# ours\n[shop]\nhost={}\nport={}\ndbname={}\n",
        cluster().sockets.display(),
        cluster().port,
        shop.database
    );
    std::fs::write(&file, text).unwrap();
    let run = |database: &str, service: Option<&str>| {
        let mut command = shop.cutover(&["status"]);
        command.env("PGHOST", "/elsewhere").env("PGSERVICEFILE", &file).env("CUTOVER_DATABASE", database);
        command.envs(service.map(|service| ("PGSERVICE", service)));
        Ran::from(command.output().unwrap())
    };
    run("service=shop", None).ends(0).says("awaiting approval");
    run("", Some("shop")).ends(0).says("awaiting approval");
    run("service=none", None).ends(2).says("no section [none] in");
}
