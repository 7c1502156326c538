//! Ctrl-C, once and twice.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;

use cutover::plan::saved::{SavedPlan, StepStatement};
use nix::sys::signal::Signal;

use super::support::{Ran, Shop, signal, statements, until};

fn slow(shop: &Shop) -> SavedPlan {
    let mut plan = shop.plan();
    statements(&mut plan, 2)
        .push(StepStatement { sql: "SELECT pg_sleep(current_setting('shop.sleep')::int)".into(), origin: None });
    shop.sql(&format!("ALTER DATABASE {} SET shop.sleep = 60", shop.database));
    plan.sealed()
}

fn interrupt(child: &Child) {
    signal(child, Signal::SIGINT);
}

fn wait_for_sleep(shop: &Shop) {
    let query = "SELECT 'x' FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT pg_sleep%'";
    until("the step sleeps", || !shop.rows(query).is_empty());
}

#[test]
fn once_cancels_the_statement_and_saves_the_state() {
    let shop = Shop::new();
    let path = shop.save(&slow(&shop));
    let child = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    wait_for_sleep(&shop);
    interrupt(&child);
    Ran::from(child.wait_with_output().unwrap()).ends(130).says("Interrupt received").says("cutover resume");
    assert_eq!(shop.journal().last().unwrap(), "interrupted");
    assert!(shop.rows("SELECT attname::text FROM pg_attribute WHERE attname = 'nick'").is_empty());
    shop.sql(&format!("ALTER DATABASE {} SET shop.sleep = 0", shop.database));
    shop.resume(&[]).ends(0);
}

#[test]
fn twice_ends_at_once_and_the_state_is_consistent() {
    let shop = Shop::new();
    let mut plan = slow(&shop);
    // A statement that does not let itself be cancelled.
    statements(&mut plan, 2)[1].sql =
        "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(current_setting('shop.sleep')::int); EXIT;
         EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"
            .into();
    let path = shop.save(&plan.sealed());
    let mut child = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    let query = "SELECT 'x' FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'DO %'";
    until("the step sleeps", || !shop.rows(query).is_empty());
    interrupt(&child);
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Interrupt received") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the process ended");
    }
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("aborted; the journal tells what was done"), "{rest}");
    assert_eq!(shop.journal().last().unwrap(), "step_succeeded 2");
    shop.sql(&format!("ALTER DATABASE {} SET shop.sleep = 0", shop.database));
    shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'DO %'");
    shop.resume(&[]).ends(0);
}

#[test]
fn waiting_for_people_can_be_interrupted() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    let child = shop.spawn(&["execute", &path, "--yes", "--wait"]);
    until("the release waits", || shop.run(&["status"]).out.contains("awaiting approval"));
    interrupt(&child);
    Ran::from(child.wait_with_output().unwrap()).ends(130);
    shop.run(&["status"]).ends(0).says("awaiting approval").says("Interrupted");
    shop.run(&["promote", "--yes"]).ends(0).says("is complete.");
}
