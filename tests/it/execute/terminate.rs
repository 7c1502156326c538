//! Sessions that idle in a transaction and keep a step waiting are ended, where the release says so, and no others.

use cutover::plan::saved::SavedPlan;
use cutover::release::TerminateBlockers;

use super::support::{Shop, until};

fn terminating(plan: SavedPlan, except: &[&str]) -> SavedPlan {
    let mut plan = plan;
    let except_roles = except.iter().map(|role| (*role).to_owned()).collect();
    plan.release.terminate_blockers = Some(TerminateBlockers { older_than_ms: 1_000, except_roles });
    plan.sealed()
}

const ENDED: &str = "SELECT concat_ws(' ', step, detail->>'role', detail->>'application', detail->>'relation') FROM cutover.journal WHERE event = 'session_ended'";

/// The step tries for long enough that whoever blocks it has idled for a second by then.
const PATIENT: [&str; 4] = ["--lock-timeout", "400ms", "--lock-retries", "8"];

#[test]
fn who_idles_in_a_transaction_is_ended() {
    let shop = Shop::new();
    let mut idle = shop.client();
    idle.batch_execute("SET application_name = 'forgotten'; BEGIN; LOCK TABLE users IN ACCESS SHARE MODE").unwrap();
    let ran = shop.execute(&terminating(shop.plan(), &[]), &PATIENT).ends(0);
    ran.says("role postgres, application \"forgotten\": it had idled in a transaction for 1.")
        .says("and step 1 waited for users")
        .says("is complete");
    assert_eq!(shop.rows(ENDED), ["1 postgres forgotten users"]);
    assert!(idle.batch_execute("SELECT").is_err(), "it is gone");
    shop.run(&["log"]).ends(0).says("session_ended");
}

#[test]
fn whose_role_is_excepted_is_left_alone() {
    let shop = Shop::new();
    let mut idle = shop.client();
    idle.batch_execute("BEGIN; LOCK TABLE users IN ACCESS SHARE MODE").unwrap();
    let plan = terminating(shop.plan(), &["etl", "postgres"]);
    shop.execute(&plan, &["--lock-timeout", "400ms", "--lock-retries", "4"]).ends(4).says("blocked by");
    assert!(shop.rows(ENDED).is_empty());
    idle.batch_execute("COMMIT").unwrap();
    shop.resume(&[]).ends(0).says("is complete");
}

/// A session that runs something, one that has not idled for long, and one that is in nobody's way.
#[test]
fn who_works_is_left_alone() {
    let shop = Shop::new();
    shop.sql("CREATE TABLE elsewhere ()");
    let mut elsewhere = shop.client();
    elsewhere.batch_execute("BEGIN; LOCK TABLE elsewhere IN ACCESS SHARE MODE").unwrap();
    let mut working = shop.client();
    let cancel = working.cancel_token();
    let works = std::thread::spawn(move || {
        working.batch_execute("BEGIN; LOCK TABLE users IN ACCESS SHARE MODE; SELECT pg_sleep(600)").is_err()
    });
    let sleeps = "SELECT 'x' FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    until("it works", || !shop.rows(sleeps).is_empty());
    let plan = terminating(shop.plan(), &[]);
    shop.execute(&plan, &["--lock-timeout", "400ms", "--lock-retries", "5"]).ends(4).says("blocked by");
    assert!(shop.rows(ENDED).is_empty());
    elsewhere.batch_execute("COMMIT").unwrap();
    cancel.cancel_query(postgres::NoTls).unwrap();
    assert!(works.join().unwrap());
    shop.resume(&[]).ends(0).says("is complete");
}

/// `CREATE INDEX CONCURRENTLY` waits for every transaction that may see the table; whom that one waits for may wait for another.
#[test]
fn through_others_and_beside_a_transaction() {
    let shop = Shop::new();
    let mut plan = terminating(shop.plan(), &[]);
    plan.steps.remove(0);
    let mut idle = shop.client();
    idle.batch_execute("SET application_name = 'forgotten'; BEGIN; UPDATE users SET email = 'x' WHERE id = 1").unwrap();
    let mut second = shop.client();
    let waits = std::thread::spawn(move || {
        second.batch_execute("BEGIN; UPDATE users SET email = 'y' WHERE id = 1; COMMIT").unwrap();
    });
    let blocked = "SELECT 'x' FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("somebody waits", || !shop.rows(blocked).is_empty());
    shop.execute(&terminating(shop.plan(), &[]), &PATIENT).ends(0).says("application \"forgotten\"");
    waits.join().unwrap();
    assert_eq!(shop.rows(ENDED).len(), 1);
    assert_eq!(shop.rows("SELECT email FROM users WHERE id = 1"), ["y"], "whoever worked has done its work");
}

/// A role that may not end it says so, and the step fails as it would without.
#[test]
fn a_role_that_may_not() {
    let shop = Shop::new();
    let role = format!("{}_deployer", shop.database);
    shop.sql(&format!(
        "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role}; GRANT ALL ON SCHEMA public TO {role};
         ALTER TABLE users OWNER TO {role}; ALTER TABLE refinery_schema_history OWNER TO {role};
         GRANT pg_read_all_stats TO {role}",
        shop.database
    ));
    let mut idle = shop.client();
    idle.batch_execute("BEGIN; LOCK TABLE users IN ACCESS SHARE MODE").unwrap();
    let path = shop.save(&terminating(shop.plan(), &[]));
    let mut command = shop.cutover(&[
        "execute",
        &path,
        "--yes",
        "--traffic",
        "simulated",
        "--lock-timeout",
        "400ms",
        "--lock-retries",
        "6",
    ]);
    let ran = super::support::Ran::from(command.env("PGUSER", &role).output().unwrap()).ends(4);
    ran.says("a session that keeps step 1 waiting cannot be ended").says("SQLSTATE 42501");
    assert!(shop.rows(ENDED).is_empty());
    drop(idle);
    shop.sql(&format!("REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"));
}
