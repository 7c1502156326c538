//! What an operator says from beside: stay where you are, go on, go back; and how far a command is to go.

use std::process::Child;

use cutover::plan::saved::{Backfill, Direction, Phase, SavedPlan, Step, StepStatement, Work};

use super::ramp::Ramped;
use super::support::{Ran, Runs, Shop, concurrent_index, statements, step, until};

/// A step that runs until somebody opens the gate.
const AT_THE_GATE: &str =
    "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$";

fn gated(shop: &Shop, at: usize) -> SavedPlan {
    shop.sql("CREATE TABLE gate ()");
    let mut plan = shop.plan();
    statements(&mut plan, at).push(StepStatement { sql: AT_THE_GATE.into(), origin: None });
    plan.sealed()
}

fn waits_at_the_gate(shop: &Shop) {
    let query = "SELECT 'x' FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    until("the step is at the gate", || !shop.rows(query).is_empty());
}

fn open_the_gate(shop: &Shop) {
    shop.sql("INSERT INTO gate DEFAULT VALUES");
}

/// A command that waits to write beside a step's transaction.
fn pausing(shop: &Shop, command: &[&str]) -> Child {
    let child = shop.spawn(command);
    let waits = "SELECT 'x' FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%cutover.lease%'";
    until("it waits for the step", || !shop.rows(waits).is_empty());
    child
}

fn ended(child: Child) -> Ran {
    Ran::from(child.wait_with_output().unwrap())
}

fn has(shop: &Shop, event: &str) -> bool {
    shop.journal().iter().any(|row| row == event)
}

fn until_it_has(shop: &Shop, event: &str) {
    until(event, || has(shop, event));
}

fn words(shop: &Shop) -> Vec<String> {
    let said =
        "'pause_asked', 'paused', 'stopped', 'resumed', 'promoted', 'rollback_started', 'rolled_back', 'finished'";
    shop.rows(&format!(
        "SELECT concat_ws(' ', event, detail->>'until', detail->>'reason') FROM cutover.journal WHERE event IN ({said}) ORDER BY seq"
    ))
}

#[test]
fn a_ramp_is_paused_on_its_share_and_aborted() {
    let ramped = Ramped::new();
    let shop = &ramped.shop;
    let plan = shop.save(&shop.plan());
    let child = shop.spawn(&ramped.args(&["execute", &plan, "--yes", "--shift", "10,hold=1h,100"]));
    until_it_has(shop, "hold_started");
    // Nothing but the database is needed.
    let paused = shop.run(&["pause", "--reason", "checkout is slow"]).ends(0);
    paused
        .says("is paused by postgres on ")
        .says(": checkout is slow")
        .says("paused or not; nothing moves before `resume`");
    ended(child).ends(9).says("Paused").says("is paused by postgres on ");
    shop.run(&["status"])
        .ends(0)
        .says("Paused     by postgres on ")
        .says("green has 10 %")
        .says("holds until")
        .says("Next       `cutover resume`, or `cutover abort`");
    let rows = shop.journal().len();
    shop.run(&["pause"]).ends(0).says("checkout is slow");
    assert_eq!(shop.journal().len(), rows, "it is paused already");
    ramped.run(&["promote", "--yes", "--gate", "qa"]).ends(9).says("is paused by postgres");
    ramped.run(&["abort", "--yes", "--reason", "ticket 12"]).ends(0).says("is rolled back");
    assert_eq!(ramped.shares(), ["1000", "0"]);
    assert_eq!(words(shop), ["pause_asked checkout is slow", "paused", "rollback_started ticket 12", "rolled_back"]);
    shop.run(&["status"]).ends(0).says("rolled back: ticket 12 by postgres");
    shop.run(&["log"]).ends(0).says("pause_asked").says("checkout is slow");
    ramped.run(&["abort", "--yes"]).ends(2).says("there is no unfinished release");
}

#[test]
fn a_hold_that_was_paused_ends_when_it_was_to_end() {
    let ramped = Ramped::new();
    let shop = &ramped.shop;
    let plan = shop.save(&shop.plan());
    let child = shop.spawn(&ramped.args(&["execute", &plan, "--yes", "--shift", "10,hold=1h,100", "--wait"]));
    until_it_has(shop, "hold_started");
    let end = "SELECT detail->>'until_ms' FROM cutover.journal WHERE event = 'hold_started'";
    let before = shop.rows(end);
    shop.run(&["pause"]).ends(0);
    until_it_has(shop, "paused");
    shop.run(&["resume", "--yes"]).ends(0).says("goes on: process ").says("carries on with it");
    until("the executor has answered", || words(shop).iter().filter(|word| *word == "resumed").count() == 2);
    assert_eq!(shop.rows(end), before);
    assert!(!has(shop, "hold_ended"));
    ramped.run(&["abort", "--yes"]).ends(0).says("is rolled back");
    ended(child).ends(0).says("is rolled back");
}

#[test]
fn a_process_that_waits_hears_the_pause_and_the_end_of_it() {
    let shop = Shop::new();
    let plan = shop.save(&shop.plan());
    let child =
        shop.spawn(&["execute", &plan, "--yes", "--traffic", "simulated", "--shift", "10,approve=qa,100", "--wait"]);
    until_it_has(&shop, "approval_awaited");
    shop.run(&["pause", "--format", "json"]).ends(0).says(r#""outcome":"paused""#);
    shop.run(&["promote", "--yes", "--gate", "qa"]).ends(9).says("takes the pause back");
    // One that has a place of its own to stop at is no word for another process.
    shop.run(&["resume", "--yes", "--until", "shifted", "--takeover-timeout", "0s"]).ends(7);
    // The connection is lost meanwhile, and the pause is not.
    shop.sql("SELECT pg_terminate_backend(backend_pid) FROM cutover.lease");
    until("it is there again", || shop.rows("SELECT epoch::text FROM cutover.lease") == ["2"]);
    shop.run(&["status"]).ends(0).says("Paused     by postgres");
    shop.run(&["resume", "--yes"]).ends(0).says("goes on: process ");
    until("it waits at the gate again", || !shop.run(&["status"]).out.contains("Paused"));
    shop.run(&["promote", "--yes", "--gate", "qa"]).ends(0).says("carries on");
    ended(child).ends(0).says("is complete");
    assert_eq!(words(&shop), ["pause_asked", "paused", "resumed", "resumed", "promoted", "resumed", "finished"]);
}

#[test]
fn a_statement_that_runs_is_not_cut_and_nothing_begins_behind_it() {
    let shop = Shop::new();
    let plan = shop.save(&gated(&shop, 0));
    let child = shop.spawn(&["execute", &plan, "--yes", "--traffic", "simulated"]);
    waits_at_the_gate(&shop);
    shop.run(&["pause", "--timeout", "0s"]).ends(10).says("nothing is written yet: a step runs in a transaction");
    let pause = pausing(&shop, &["pause"]);
    open_the_gate(&shop);
    ended(pause).ends(0).says("is paused by postgres");
    ended(child).ends(9).says("ok (");
    assert_eq!(shop.facts(), ["started", "step_succeeded 1", "pause_asked", "paused"]);
    shop.run(&["abort", "--yes"]).ends(2).says("there is no ramp to abort").says("cutover pause");
    shop.resume(&[]).ends(0).says("is complete");
}

/// A pause that is taken back before anybody has heard it is none.
#[test]
fn a_pause_is_taken_back_in_time() {
    let shop = Shop::new();
    // Whoever is in a transaction that wrote keeps CONCURRENTLY waiting.
    let mut writer = shop.client();
    writer.batch_execute("BEGIN; UPDATE users SET email = 'x' WHERE id = 1").unwrap();
    let path = shop.save(&shop.plan_of(vec![concurrent_index()]));
    let child = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    until_it_has(&shop, "step_started 1");
    shop.run(&["pause", "--timeout", "0s"]).ends(10).says("has not come to where it can stop").says("is not cut");
    shop.run(&["status"]).ends(0).says("Pause      asked for by postgres on ").says("not heard yet");
    shop.run(&["resume", "--yes"]).ends(0).says("goes on");
    writer.batch_execute("COMMIT").unwrap();
    ended(child).ends(0).says("is complete");
    assert_eq!(words(&shop), ["pause_asked", "resumed", "finished"]);
}

#[test]
fn past_the_point_of_no_return_it_stops_before_the_next_step_and_goes_forward_only() {
    let shop = Shop::new();
    let plan = shop.save(&gated(&shop, 3));
    let child = shop.spawn(&["execute", &plan, "--yes", "--traffic", "simulated"]);
    waits_at_the_gate(&shop);
    let pause = pausing(&shop, &["pause"]);
    open_the_gate(&shop);
    ended(pause).ends(0);
    ended(child).ends(9);
    assert_eq!(shop.facts().last().unwrap(), "paused");
    assert!(!shop.facts().contains(&"step_succeeded 5".to_owned()));
    shop.run(&["status"]).ends(0).says("Next       `cutover resume`\n");
    for back in ["rollback", "abort"] {
        shop.run(&[back, "--yes"]).ends(4).says("rollback refused: step 4");
    }
    shop.resume(&[]).ends(0).says("is complete");
    shop.run(&["pause"]).ends(2).says("cannot be paused: it does not go forward (done)");
    assert_eq!(
        Shop::new().run(&["pause"]).ends(2).err.lines().next_back(),
        Some("  help: start one with `cutover execute PLAN`")
    );
}

/// Whoever executes a release is made to stop where it can by whoever goes back.
#[test]
fn a_release_that_runs_goes_back_between_its_steps() {
    let shop = Shop::new();
    let plan = shop.save(&gated(&shop, 0));
    let child = shop.spawn(&["execute", &plan, "--yes", "--traffic", "simulated"]);
    waits_at_the_gate(&shop);
    let back = pausing(&shop, &["rollback", "--yes", "--traffic", "simulated", "--reason", "wrong plan"]);
    open_the_gate(&shop);
    ended(back).ends(0).says("is rolled back");
    ended(child).ends(9);
    assert_eq!(words(&shop), ["pause_asked wrong plan", "paused", "rollback_started wrong plan", "rolled_back"]);
}

#[test]
fn a_drain_is_paused_and_aborted() {
    let shop = Shop::new();
    let mut blue = shop.client();
    blue.batch_execute("SET application_name = 'shop-blue'").unwrap();
    let plan = shop.save(&shop.plan());
    let more = ["--traffic", "simulated", "--blue-application-name", "shop-blue"];
    let child = shop.spawn(&[&["execute", &plan, "--yes"], &more[..]].concat());
    until_it_has(&shop, "drain_started");
    shop.run(&["abort", "--yes", "--reason", "blue cannot go"]).ends(0).says("is rolled back");
    ended(child).ends(9);
    assert_eq!(words(&shop)[2..], ["rollback_started blue cannot go", "rolled_back"]);
}

/// Many batches, each of which takes a moment.
#[test]
fn a_backfill_is_paused_between_its_batches_and_goes_on_there() {
    let shop = Shop::new();
    let statement = |sql: &str| StepStatement { sql: sql.into(), origin: None };
    let sql = "UPDATE users SET hits = hits + 1 + (pg_sleep(0.05) IS NULL)::int WHERE true";
    let backfill =
        Backfill { statement: statement(sql), table: "users".into(), key: "id".into(), batch: sql.into(), rows: 1 };
    let own = |id, sql, completes| step(id, Phase::Before, Runs::Own, sql, completes, 3, 1);
    let plan = shop.plan_of(vec![
        own(1, "ALTER TABLE users ADD COLUMN hits int DEFAULT 0 NOT NULL", &[]),
        Step { work: Work::Backfill(backfill), direction: Direction::Data, ..own(2, "UPDATE users", &["2", "3"]) },
    ]);
    let path = shop.save(&plan);
    let child = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    until_it_has(&shop, "step_progressed 2");
    shop.run(&["pause", "--timeout", "30s"]).ends(0);
    ended(child).ends(9);
    assert!(!has(&shop, "step_succeeded 2"));
    shop.resume(&[]).ends(0).says("is complete");
    assert_eq!(shop.rows("SELECT DISTINCT hits::text FROM users"), ["1"], "each row once");
}

#[test]
fn what_nobody_executes_is_paused_by_whoever_asks() {
    let shop = Shop::waiting();
    shop.run(&["pause"]).ends(0).says("is paused");
    assert_eq!(words(&shop), ["pause_asked", "paused"]);
    shop.run(&["promote", "--yes"]).ends(9);
    shop.run(&["resume", "--yes"]).ends(0).says("waits for you");
    shop.run(&["promote", "--yes"]).ends(0).says("is complete");
}

#[test]
fn a_pipeline_stops_between_the_phases_and_goes_on_from_anywhere() {
    let shop = Shop::new();
    let ran = shop.execute(&shop.plan(), &["--shift", "10,hold=100ms,100,bake=100ms", "--until", "expanded"]);
    ran.ends(0).says("Stopped   at `expanded`").says("Deploy green, then run `cutover resume`");
    shop.run(&["status"]).ends(0).says("Stopped    at `expanded`, as was asked for").says("`cutover resume`");
    let rows = shop.journal();
    shop.run(&["resume", "--yes", "--until", "expanded"]).ends(0).says("nothing was done");
    assert_eq!(shop.journal(), rows);
    let anywhere = tempfile::tempdir().unwrap();
    let go = |until: &str| {
        let mut command = shop.cutover(&["resume", "--yes", "--until", until]);
        Ran::from(command.current_dir(anywhere.path()).output().unwrap())
    };
    go("shifted").ends(0).says("Green has all traffic, and blue still runs");
    assert_eq!(shop.facts()[shop.facts().len() - 2..], ["hold_ended", "stopped"], "the bake time is over");
    go("drained").ends(0).says("Blue serves nobody any more");
    go("shifted").ends(0).says("or is beyond it; nothing was done");
    shop.run(&["resume", "--yes"]).ends(0).says("is complete");
    go("drained").ends(0).says("is complete already");
    assert_eq!(
        words(&shop),
        ["stopped expanded", "resumed", "stopped shifted", "resumed", "stopped drained", "resumed", "finished"]
    );
}

/// Whoever has to be asked first has not come to where it was to stop.
#[test]
fn a_release_that_waits_before_the_place_has_not_come_to_it() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes", "--until", "shifted"]).ends(9).says("waits for you");
    shop.run(&["promote", "--yes", "--until", "shifted"]).ends(0).says("come to `shifted`");
    shop.run(&["resume", "--yes", "--until", "drained"]).ends(0).says("come to `drained`");
    shop.run(&["resume", "--yes"]).ends(0).says("is complete");
    // With nothing behind the cutover, the end is all there is.
    let shop = Shop::new();
    let steps = vec![step(1, Phase::Before, Runs::Own, "ALTER TABLE users ADD COLUMN phone text", &["2", "3"], 2, 1)];
    shop.execute(&shop.plan_of(steps), &["--until", "drained"]).ends(0).says("is complete");
}

/// A process writes that it stands still, and ends; for a moment it still is there, and whoever gives it their word then does it instead.
#[test]
fn a_word_to_a_process_that_ends_meanwhile_is_not_lost() {
    let check = |shop: &Shop, command: &[&str], event: &str, says: &str| {
        let mut leaving = shop.client();
        // The lock that is the lease: `cutover` in ASCII.
        leaving.batch_execute(&format!("SELECT pg_advisory_lock({})", 0x63_7574_6f76_6572_i64)).unwrap();
        let given = shop.spawn(command);
        let word = |shop: &Shop| words(shop).iter().filter(|word| word.starts_with(event)).count();
        until(event, || word(shop) == 1);
        // What it may still write as it goes, without having heard anything.
        leaving
            .batch_execute(
                "INSERT INTO cutover.journal (release_id, seq, epoch, event, detail)
                 SELECT release_id, max(seq) + 1, max(epoch), 'interrupted', '{\"about\": \"release\", \"event\": \"interrupted\"}' FROM cutover.journal GROUP BY release_id",
            )
            .unwrap();
        drop(leaving);
        ended(given).ends(0).says(says);
    };
    let paused = || {
        let ramped = Ramped::new();
        let plan = ramped.shop.save(&ramped.shop.plan());
        let child = ramped.shop.spawn(&ramped.args(&["execute", &plan, "--yes", "--shift", "10,hold=1h,100"]));
        until_it_has(&ramped.shop, "hold_started");
        ramped.shop.run(&["pause"]).ends(0);
        ended(child).ends(9);
        ramped
    };
    let ramped = paused();
    check(&ramped.shop, &ramped.args(&["abort", "--yes"]), "rollback_started", "is rolled back");
    let ramped = paused();
    check(&ramped.shop, &ramped.args(&["rollback", "--yes"]), "rollback_started", "is rolled back");
    assert_eq!(ramped.shares(), ["1000", "0"]);
    let shop = Shop::waiting();
    check(&shop, &["promote", "--yes"], "promoted", "is complete");
    let shop = Shop::waiting();
    shop.run(&["pause"]).ends(0);
    check(&shop, &["resume", "--yes"], "resumed", "waits for you");
}
