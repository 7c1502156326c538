//! What holds a backfill back: limits that are named, measured on the server, and shown when they bite.

use std::io::{BufRead as _, BufReader};

use cutover::plan::saved::{Backfill, Direction, Phase, SavedPlan, Step, StepStatement, Work};

use super::support::{OwnServer, Ran, Runs, Shop, step, until};

/// Adds one to a column of each row, which shows how often a row was done.
fn plan(shop: &Shop) -> SavedPlan {
    let sql = "UPDATE users SET hits = hits + 1 WHERE true";
    let statement = StepStatement { sql: sql.into(), origin: None };
    let (table, key, batch) = ("users".into(), "id".into(), sql.into());
    let work = Work::Backfill(Backfill { statement, table, key, batch, rows: 7 });
    let own = |id, sql, completes| step(id, Phase::Before, Runs::Own, sql, completes, 3, 1);
    shop.plan_of(vec![
        own(1, "ALTER TABLE users ADD COLUMN hits int DEFAULT 0 NOT NULL", &[]),
        Step { work, direction: Direction::Data, ..own(2, "UPDATE users", &["2", "3"]) },
    ])
}

/// A limit that is exceeded stops the release once its patience is at an end, and says so; with room again, it is carried on.
fn held_back(shop: &Shop, settings: &[&str], says: &str) -> Ran {
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--backfill", setting]).collect();
    let ran = shop.execute(&plan(shop), &settings).ends(4);
    ran.says("step 2 was held back for too long").says(says)
}

fn goes_on(shop: &Shop, settings: &[&str]) {
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--backfill", setting]).collect();
    shop.resume(&settings).ends(0).says("is complete");
    assert_eq!(shop.rows("SELECT DISTINCT hits::text FROM users"), ["1"], "each row once");
}

#[test]
fn sessions_that_wait_for_a_lock() {
    let shop = Shop::new();
    shop.sql("CREATE TABLE wanted (id int)");
    let (mut first, mut second) = (shop.client(), shop.client());
    first.batch_execute("BEGIN; LOCK TABLE wanted").unwrap();
    let waiting = std::thread::spawn(move || second.batch_execute("BEGIN; LOCK TABLE wanted; COMMIT"));
    until("somebody waits", || {
        shop.rows("SELECT count(*)::text FROM pg_locks WHERE NOT granted AND relation = 'wanted'::regclass") == ["1"]
    });
    let says = "sessions wait for a lock: 1, and at most 0 is allowed (lock-waits)";
    held_back(&shop, &["lock-waits=0", "patience=0s"], says).says("resume --backfill lock-waits=VALUE");
    first.batch_execute("COMMIT").unwrap();
    waiting.join().unwrap().unwrap();
    goes_on(&shop, &[]);
}

/// It waits as long as it takes, says why, and goes on by itself.
#[test]
fn the_oldest_transaction() {
    let shop = Shop::new();
    let mut old = shop.client();
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT").unwrap();
    let path = shop.save(&plan(&shop));
    let limit = ["--backfill", "oldest-transaction=1ms"];
    let mut child = shop.spawn(&[&["execute", &path, "--yes", "--traffic", "simulated"][..], &limit].concat());
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let says = "held back by oldest-transaction: the oldest transaction has lasted";
    assert!(said.any(|line| line.contains(says)));
    // Meanwhile nothing is held: the row is free.
    shop.sql("SET lock_timeout = '5s'; UPDATE users SET email = 'y' WHERE id = 1");
    old.batch_execute("COMMIT").unwrap();
    assert!(said.any(|line| line.contains("50 rows changed")));
    assert!(said.last().is_some() && child.wait().unwrap().success());
    assert_eq!(shop.rows("SELECT DISTINCT hits::text FROM users"), ["1"], "each row once");
}

#[test]
fn a_replication_slot_that_holds_the_log_back() {
    let server = OwnServer::start();
    let shop = Shop::new_on(&server.0);
    shop.sql("SELECT pg_create_physical_replication_slot('behind', true)");
    held_back(&shop, &["slot-lag=1B", "patience=0s"], "a replication slot holds back").says("at most 1 B");
    goes_on(&shop, &["slot-lag=1TB"]);
}

#[test]
fn what_is_written_to_the_log_in_a_second() {
    let server = OwnServer::start();
    let shop = Shop::new_on(&server.0);
    held_back(&shop, &["wal-rate=1B", "pause=1100ms", "patience=0s"], "written to the log in a second: ")
        .says("7 rows changed");
    goes_on(&shop, &["wal-rate=1TB", "pause=0s"]);
}

#[test]
fn a_standby_that_is_behind() {
    let server = OwnServer::start();
    let Some(standby) = server.standby() else {
        return eprintln!("this PostgreSQL is without pg_basebackup: no standby is tested");
    };
    let shop = Shop::new_on(&server.0);
    let lag = "SELECT coalesce(extract(epoch FROM max(replay_lag)) > 0.05, false)::text FROM pg_stat_replication";
    standby.connect().batch_execute("SELECT pg_wal_replay_pause()").unwrap();
    until("it is behind", || {
        shop.sql("UPDATE users SET email = email");
        shop.rows(lag) == ["true"]
    });
    let says = "a standby or subscriber is behind by";
    held_back(&shop, &["replica-lag=50ms", "patience=0s"], says).says("at most 50ms is allowed (replica-lag)");
    standby.connect().batch_execute("SELECT pg_wal_replay_resume()").unwrap();
    goes_on(&shop, &["replica-lag=10s", "patience=1m"]);
}

/// A check of the team's own says whether there is room.
#[test]
fn a_check_that_is_not_successful() {
    let shop = Shop::new();
    shop.sql("CREATE TABLE room (is_there bool); INSERT INTO room VALUES (false)");
    std::fs::write(
        shop.folder.path().join("cutover.toml"),
        "[release.backfill]\nchecks = [\"room\"]\npatience = \"0s\"\n[checks.room]\nkind = \"sql\"\nquery = \"SELECT is_there FROM room\"\n",
    )
    .unwrap();
    let sql = "ALTER TABLE users ADD COLUMN hits int DEFAULT 0 NOT NULL;
        -- cutover: backfill key=id rows=7\nUPDATE users SET hits = hits + 1;\n";
    let migrations = shop.folder.path().join("own");
    std::fs::create_dir(&migrations).unwrap();
    std::fs::copy(shop.folder.path().join("V1__users.sql"), migrations.join("V1__users.sql")).unwrap();
    std::fs::write(migrations.join("V2__hits.sql"), sql).unwrap();
    std::fs::rename(shop.folder.path().join("cutover.toml"), migrations.join("cutover.toml")).unwrap();
    let path = migrations.join("plan.json");
    let path = path.to_str().unwrap();
    shop.run(&["plan", migrations.to_str().unwrap(), "--from", "1", "-o", path]).ends(0);
    let ran = shop.run(&["execute", path, "--yes", "--traffic", "simulated"]).ends(4);
    ran.says("check room says").says("at most successful is allowed");
    let ran = shop.resume(&[]).ends(4).says("resume --backfill checks=none");
    assert_eq!(ran.err.matches("check room says").count(), 1, "{}", ran.err);
    shop.resume(&["--backfill", "checks=none"]).ends(0);
    assert_eq!(shop.rows("SELECT DISTINCT hits::text FROM users"), ["1"], "each row once");
}

/// What is asked to be limited and cannot be seen is an error; what is limited by itself is only told.
#[test]
fn a_role_that_does_not_see_the_others() {
    let shop = Shop::new();
    let role = format!("blind_of_{}", shop.database);
    shop.sql(&format!(
        "CREATE ROLE {role} LOGIN; ALTER TABLE users OWNER TO {role}; GRANT CREATE ON DATABASE {0} TO {role};
         GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; GRANT CREATE, USAGE ON SCHEMA public TO {role}",
        shop.database
    ));
    let other = shop.client();
    let path = shop.save(&plan(&shop));
    let run = |args: &[&str]| Ran::from(shop.cutover(args).env("PGUSER", &role).output().unwrap());
    let ran =
        run(&["execute", &path, "--yes", "--traffic", "simulated", "--backfill", "oldest-transaction=1h"]).ends(4);
    ran.says(&format!("oldest-transaction, which {role} does not see")).says("GRANT pg_monitor TO");
    drop(other);
    shop.sql(&format!("GRANT pg_monitor TO {role}"));
    run(&["resume", "--yes", "--traffic", "simulated"]).ends(0);
    assert_eq!(shop.rows("SELECT DISTINCT hits::text FROM users"), ["1"], "each row once");
    shop.sql(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}

#[test]
fn settings_that_cannot_be() {
    let shop = Shop::new();
    let path = shop.save(&plan(&shop));
    for (setting, says) in [
        ("replica-lag", "write a setting and its value"),
        ("replica-leg=1s", "unknown field `replica-leg`"),
        ("slot-lag=4", "64MB"),
        ("slot-lag=4 gigabytes", "64MB"),
        ("target=0s", "target: no rows take no time"),
        ("most-rows=0", "one row at a time is the least"),
        ("most-rows=100001", "100000 rows at a time are the most"),
        ("lock-waits=many", "lock-waits"),
        ("checks=a", "checks=none goes on without them"),
    ] {
        shop.run(&["execute", &path, "--yes", "--backfill", setting]).ends(2).says(says);
    }
}

/// What a backfill leaves behind, once it is much of a table, is worth a word; and more so where nobody clears it away.
#[test]
fn the_old_versions_of_rows_are_told() {
    let shop = Shop::new();
    shop.sql("INSERT INTO users SELECT i, 'u' || i FROM generate_series(1001, 13000) i; ANALYZE users");
    let ran = shop.execute(&plan(&shop), &["--backfill", "most-rows=5000"]).ends(0);
    let says = "the old versions of 12050 rows are still in users: ";
    ran.says(says).says("autovacuum clears them away some time; VACUUM (ANALYZE) users does it now");

    let shop = Shop::new();
    shop.sql("INSERT INTO users SELECT i, 'u' || i FROM generate_series(1001, 13000) i; ALTER TABLE users SET (autovacuum_enabled = off)");
    shop.execute(&plan(&shop), &[]).ends(0).says(says).says("autovacuum is off for it; VACUUM (ANALYZE) users");

    // A small part of a table is none.
    let shop = Shop::new();
    let ran = shop.execute(&plan(&shop), &[]).ends(0);
    assert!(!ran.err.contains("the old versions") && !ran.out.contains("the old versions"), "{}", ran.err);
}
