//! The straight way, and the gates on it.

use super::support::{Ran, Runs, Shop, step, until};
use cutover::plan::saved::Phase;

#[test]
fn a_whole_release_and_refinery_has_nothing_left_to_do() {
    let shop = Shop::new();
    let plan = shop.plan();
    shop.execute(&plan, &["--shift", "10,50,100"])
        .ends(0)
        .says("is complete.")
        .says("Point of no return passed with step 4");

    let migrations = refinery::load_sql_migrations(shop.folder.path()).unwrap();
    let runner = refinery::Runner::new(&migrations);
    assert!(runner.run(&mut shop.client()).unwrap().applied_migrations().is_empty());
    assert_eq!(
        shop.journal(),
        [
            "started",
            "step_succeeded 1",
            "step_started 2",
            "step_succeeded 2",
            "step_succeeded 3",
            "phase_finished",
            "shift_started",
            "shifted",
            "shift_started",
            "shifted",
            "shift_started",
            "shifted",
            "drain_started",
            "drained",
            "step_succeeded 4",
            "point_of_no_return 4",
            "step_started 5",
            "step_succeeded 5",
            "phase_finished",
            "finished",
        ]
    );
    shop.execute(&plan, &[]).ends(0).says("complete already; nothing was done");
    shop.resume(&[]).ends(0).says("complete already");
    shop.run(&["status"]).ends(0).says("Stage      done").says("5 of 5 done");
    shop.run(&["log"]).ends(0).says("point_of_no_return");
    let log = shop.run(&["log", "--format", "json"]).ends(0).out;
    assert_eq!(log.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count(), 20);
}

#[test]
fn json_lines_are_json_and_versioned() {
    let shop = Shop::new();
    let ran = shop.execute(&shop.plan(), &["--format", "json"]).ends(0);
    let lines: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["format_version"], "2.7");
    let schema = cutover::report::MACHINE_FORMATS.iter().find(|format| format.name == "events").unwrap();
    let validator = jsonschema::validator_for(&(schema.schema)()).unwrap();
    for line in &lines {
        assert!(validator.is_valid(line), "{line}");
    }
    assert!(!validator.is_valid(&serde_json::json!({ "type": "version" })));
    assert_eq!(lines.last().unwrap()["outcome"], "done");
}

#[test]
fn manual_traffic_waits_for_promote() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    shop.run(&["promote", "--yes"]).ends(2).says("no unfinished release");
    shop.run(&["execute", &path, "--yes"]).ends(0).says("run `cutover promote`");
    shop.run(&["status"]).ends(0).says("awaiting approval");
    shop.run(&["resume", "--yes"]).ends(0).says("run `cutover promote`");
    shop.run(&["promote", "--yes"]).ends(0).says("is complete.").says("promoted by an operator");
    shop.run(&["promote", "--yes"]).ends(2).says("does not wait for approval");
}

#[test]
fn a_waiting_executor_carries_on_after_promote_elsewhere() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    let waiter = shop.spawn(&["execute", &path, "--yes", "--wait"]);
    until("the release waits", || shop.run(&["status"]).out.contains("awaiting approval"));
    shop.run(&["promote", "--yes"]).ends(0).says("carries on");
    Ran::from(waiter.wait_with_output().unwrap()).ends(0).says("is complete.");
}

#[test]
fn blue_sessions_keep_the_gate_shut() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    let mut blue = shop.client();
    blue.batch_execute("SET application_name = 'shop-blue'").unwrap();
    shop.run(&["execute", &path, "--yes"]).ends(0);
    let args = ["promote", "--yes", "--blue-application-name", "shop-blue", "--drain-timeout", "200ms"];
    shop.run(&args).ends(4).says("blue is not drained: 1 left");
    assert_eq!(
        shop.rows("SELECT attname::text FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'name'")
            .len(),
        1
    );
    drop(blue);
    shop.run(&["resume", "--yes", "--blue-application-name", "shop-blue"])
        .ends(0)
        .says("blue has no session in the database");
}

#[test]
fn rollback_before_the_point_of_no_return_and_not_after() {
    let shop = Shop::new();
    let mut steps = shop.plan().steps;
    steps[4] = step(5, Phase::After, Runs::Alone, "DROP INDEX CONCURRENTLY users_older", &["3"], 3, 3);
    let path = shop.save(&shop.plan_of(steps));
    shop.run(&["execute", &path, "--yes"]).ends(0);
    shop.run(&["rollback", "--yes"]).ends(0).says("What was added to the schema stays");
    shop.run(&["status"]).ends(0).says("rolled back");
    shop.run(&["execute", &path, "--yes"]).ends(2).says("begun already");
    shop.run(&["resume", "--yes"]).ends(0).says("run `cutover promote`");
    // The after phase fails past its first step: there is no such index.
    shop.run(&["promote", "--yes"]).ends(4).says("V3__nick.sql:3:1");
    shop.run(&["rollback", "--yes"]).ends(4).says("rollback refused: step 4");
    shop.run(&["status"]).ends(0).says("passed with step 4");
    shop.sql("CREATE INDEX users_older ON users (email)");
    shop.run(&["resume", "--yes"]).ends(0).says("is complete.");
}

#[test]
fn two_executors_and_one_runs() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    let mut first = shop.spawn(&["execute", &path, "--yes", "--wait"]);
    until("the release waits", || shop.run(&["status"]).out.contains("awaiting approval"));
    let second = shop.run(&["execute", &path, "--yes"]).ends(7);
    second.says(&format!("process {}", first.id())).says("as postgres");
    first.kill().unwrap();
    first.wait().unwrap();
    shop.run(&["promote", "--yes", "--takeover-timeout", "10s"]).ends(0);
}

#[test]
fn an_upgrade_of_the_tool_does_not_strand_a_release() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes"]).ends(0);
    let mut other = shop.plan();
    other.tool.version = "0.0.9".into();
    let other = other.sealed().to_json();
    shop.client().execute("UPDATE cutover.release SET plan = $1", &[&other]).unwrap();
    shop.run(&["promote", "--yes"]).ends(0).says("is complete.");
    std::fs::write(&path, other).unwrap();
    shop.run(&["execute", &path, "--yes"]).ends(6).says("was made by cutover 0.0.9");
}
