//! `ready` and `gate wait`: who may start, and what waits for a release, wherever it is.

use nix::sys::signal::Signal;

use super::exhaustion::has_stopped;
use super::support::{OwnServer, Ran, Shop, signal, until};

const OPEN: i32 = 0;
const REFUSED: i32 = 1;
const NOT_YET: i32 = 75;

/// Sessions in a database without a journal that have asked for it, and got their answer: a new one is idle before that, too.
const HAVE_ASKED: &str =
    "SELECT 'x' FROM pg_stat_activity WHERE application_name = 'cutover (watching)' AND state = 'idle'
    AND query LIKE '%cutover.journal%' AND datname = current_database()";

/// The standard plan goes from version 1 to version 4.
fn ready(shop: &Shop, expected: &[(&str, i32, &str)]) {
    for (version, exit, why) in expected {
        let ran = shop.run(&["ready", "--version", version]).ends(*exit);
        assert!(ran.out.contains(why), "{version}: {}", ran.out);
    }
}

fn gates(shop: &Shop, expected: &[(&str, i32)]) {
    for (name, exit) in expected {
        shop.run(&["gate", "wait", name, "--timeout", "0s"]).ends(*exit);
    }
}

#[test]
fn before_the_first_release_the_history_says_who_may_start() {
    let shop = Shop::new();
    ready(
        &shop,
        &[
            ("1", OPEN, "1 is the last migration of public.refinery_schema_history"),
            ("2", NOT_YET, "public.refinery_schema_history does not have 2"),
        ],
    );
    shop.sql("INSERT INTO refinery_schema_history SELECT 2, 'phone', applied_on, '2' FROM refinery_schema_history");
    ready(&shop, &[("1", REFUSED, "goes on to 2 behind 1"), ("2", OPEN, "")]);
    gates(&shop, &[("expanded", NOT_YET)]);
    let nothing = Shop::empty();
    ready(&nothing, &[("1", REFUSED, "no one history of migrations")]);
}

#[test]
fn each_version_starts_while_the_schema_has_what_it_needs() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    let mut executor = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated", "--fault", "stop-at=3"]);
    assert!(has_stopped(&mut executor));
    ready(
        &shop,
        &[("1", OPEN, ""), ("4", NOT_YET, "has not made what 4 needs"), ("5", NOT_YET, "no release has brought")],
    );
    gates(&shop, &[("expanded", NOT_YET), ("done", NOT_YET), ("nonsense", REFUSED)]);
    signal(&executor, Signal::SIGKILL);
    executor.wait().unwrap();
    shop.resume(&["--until", "expanded"]).ends(0);
    ready(&shop, &[("1", OPEN, ""), ("4", OPEN, ""), ("2", REFUSED, "goes from 1 to 4"), ("0", NOT_YET, "")]);
    gates(&shop, &[("expanded", OPEN), ("shifted", NOT_YET), ("drained", NOT_YET)]);
    shop.resume(&[]).ends(0);
    ready(&shop, &[("1", REFUSED, "step 4 of release"), ("4", OPEN, ""), ("5", NOT_YET, "")]);
    // Nobody takes the end of the last release for the next one's.
    gates(&shop, &[("done", NOT_YET)]);
    shop.run(&["gate", "wait", "done", "--plan", &path, "--timeout", "0s"]).ends(OPEN);
    shop.run(&["gate", "wait", "done", "--release", "000000000000", "--timeout", "0s"]).ends(NOT_YET);
    let said = shop.run(&["ready", "--version", "1", "--format", "json"]).ends(REFUSED);
    let said: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&said["answer"], &said["floor"]), (&"refused".into(), &"4".into()), "{said}");
    let floor = "SELECT detail->>'floor' FROM cutover.journal WHERE event = 'point_of_no_return'";
    assert_eq!(shop.rows(floor), ["4"]);
    // Somebody goes on without cutover.
    shop.sql("INSERT INTO refinery_schema_history SELECT 5, 'more', max(applied_on), '5' FROM refinery_schema_history");
    ready(&shop, &[("4", REFUSED, "goes on to 5 behind 4"), ("5", OPEN, ""), ("1", REFUSED, "")]);
}

#[test]
fn green_does_not_start_behind_a_rollback() {
    let shop = Shop::waiting();
    shop.run(&["rollback", "--yes"]).ends(0);
    ready(&shop, &[("1", OPEN, ""), ("4", REFUSED, "went back to 1")]);
    let path = shop.folder.path().join("release.plan");
    shop.run(&["gate", "wait", "expanded", "--plan", path.to_str().unwrap(), "--timeout", "0s"]).ends(REFUSED);
}

/// A folder with some of the shop's files and some of its own.
fn image(shop: &Shop, own: &[&str], more: &[(&str, &str)]) -> tempfile::TempDir {
    let image = tempfile::tempdir().unwrap();
    for name in own {
        std::fs::copy(shop.folder.path().join(name), image.path().join(name)).unwrap();
    }
    for (name, text) in more {
        std::fs::write(image.path().join(name), text).unwrap();
    }
    image
}

fn image_ready(shop: &Shop, image: &tempfile::TempDir, exit: i32, why: &str) {
    let path = image.path().to_str().unwrap();
    let ran = shop.run(&["ready", "--migrations", path, "--convention", "refinery"]).ends(exit);
    assert!(ran.out.contains(why), "{}", ran.out);
}

#[test]
fn a_folder_tells_versions_apart() {
    let shop = Shop::new();
    let all = ["V1__users.sql", "V2__phone.sql", "V3__nick.sql", "V4__notes.sql"];
    let (blue, green) = (image(&shop, &all[..1], &[]), image(&shop, &all, &[]));
    let (between, newer) = (image(&shop, &all[..3], &[]), image(&shop, &all, &[("V5__more.sql", "SELECT 1;")]));
    image_ready(&shop, &blue, OPEN, "has what this version has");
    image_ready(&shop, &green, NOT_YET, "does not have 2");
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes"]).ends(0);
    image_ready(&shop, &blue, OPEN, "");
    image_ready(&shop, &green, OPEN, "");
    image_ready(&shop, &between, REFUSED, "a version between them");
    image_ready(&shop, &newer, NOT_YET, "no release has brought");
    shop.run(&["promote", "--yes"]).ends(0);
    image_ready(&shop, &blue, REFUSED, "took away");
    image_ready(&shop, &green, OPEN, "");
    shop.sql("INSERT INTO refinery_schema_history SELECT 5, 'more', max(applied_on), '5' FROM refinery_schema_history");
    image_ready(&shop, &green, REFUSED, "has 5, which this version does not know");
    image_ready(&shop, &newer, OPEN, "");
}

/// A branch that was merged late: what is pending has a lower number than what is applied, and both versions end with the same migration.
#[test]
fn versions_that_end_alike_are_not_told_apart_by_their_end() {
    let shop = Shop::new();
    let all = ["V1__users.sql", "V2__phone.sql", "V3__nick.sql", "V4__notes.sql"];
    shop.sql("INSERT INTO refinery_schema_history SELECT 4, 'notes', applied_on, '4' FROM refinery_schema_history");
    let mut plan = shop.plan();
    let last = plan.migrations.pending.pop().unwrap();
    plan.migrations.applied.push(last);
    let path = shop.save(&plan.sealed());
    let (blue, green) = (image(&shop, &[all[0], all[3]], &[]), image(&shop, &all, &[]));
    let mut executor = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated", "--fault", "stop-at=3"]);
    assert!(has_stopped(&mut executor));
    ready(&shop, &[("4", REFUSED, "both versions of release")]);
    image_ready(&shop, &blue, OPEN, "");
    image_ready(&shop, &green, NOT_YET, "");
    signal(&executor, Signal::SIGKILL);
    executor.wait().unwrap();
    shop.resume(&["--until", "expanded"]).ends(0);
    ready(&shop, &[("4", OPEN, "both versions need")]);
    shop.resume(&[]).ends(0);
    ready(&shop, &[("4", REFUSED, "--migrations tells them apart")]);
    image_ready(&shop, &blue, REFUSED, "");
    image_ready(&shop, &green, OPEN, "");
}

/// The team's own tool ran behind a release that went back.
#[test]
fn who_migrates_by_hand_behind_a_rollback_is_seen() {
    let shop = Shop::waiting();
    shop.run(&["rollback", "--yes"]).ends(0);
    for version in [3, 4] {
        shop.sql(&format!(
            "INSERT INTO refinery_schema_history SELECT {version}, 'x', max(applied_on), 'x' FROM refinery_schema_history"
        ));
    }
    ready(&shop, &[("1", REFUSED, "goes on to 4 behind 1"), ("4", OPEN, "is the last migration")]);
}

#[test]
fn a_history_is_found_and_read_wherever_it_is() {
    // One row says where the schema is.
    let one = Shop::empty();
    one.sql("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO schema_migrations VALUES (5, false)");
    ready(&one, &[("4", REFUSED, "goes on to 5 behind 4"), ("5", OPEN, ""), ("6", NOT_YET, "")]);
    // A tool at work.
    one.sql("UPDATE schema_migrations SET dirty = true");
    ready(&one, &[("5", NOT_YET, "as begun and not finished")]);
    // A name that has to be quoted.
    let quoted = Shop::new();
    quoted.sql("CREATE SCHEMA \"Tenant-1\"; ALTER TABLE refinery_schema_history SET SCHEMA \"Tenant-1\"");
    ready(&quoted, &[("1", OPEN, "Tenant-1.refinery_schema_history")]);
    // Two of them.
    let two = Shop::new();
    two.sql("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO schema_migrations VALUES (5, false)");
    ready(&two, &[("1", REFUSED, "ask with --migrations")]);
    image_ready(&two, &image(&two, &["V1__users.sql"], &[]), OPEN, "");
}

#[test]
fn nothing_is_taken_for_drained_that_was_not() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    plan.steps.truncate(3);
    let plan = plan.sealed();
    let path = shop.save(&plan);
    shop.run(&["execute", &path, "--yes", "--traffic", "simulated"]).ends(0);
    let gate = |name: &str| shop.run(&["gate", "wait", name, "--plan", &path, "--timeout", "0s"]);
    gate("done").ends(OPEN);
    gate("drained").ends(REFUSED);
}

#[test]
fn blue_may_start_where_nothing_was_taken_away() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    plan.steps.truncate(3);
    shop.execute(&plan.sealed(), &[]).ends(0);
    ready(&shop, &[("1", OPEN, "took nothing away that 1 needs"), ("4", OPEN, "")]);
}

#[test]
fn whoever_waits_is_let_through_and_outlives_a_restart() {
    let server = OwnServer::start();
    let shop = Shop::new_on(&server.0);
    let green = shop.folder.path().to_str().unwrap().to_owned();
    let started = shop.spawn(&["ready", "--migrations", &green, "--wait", "--timeout", "2m"]);
    let drained = shop.spawn(&["gate", "wait", "drained", "--timeout", "2m"]);
    let watching = "SELECT 'x' FROM pg_stat_activity WHERE application_name = 'cutover (watching)' AND state = 'idle'";
    until("both are there", || shop.rows(watching).len() == 2);
    until("the gate was asked for", || shop.rows(HAVE_ASKED).len() == 1);
    server.restart("fast");
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes"]).ends(0);
    Ran::from(started.wait_with_output().unwrap()).ends(OPEN);
    shop.run(&["promote", "--yes"]).ends(0);
    Ran::from(drained.wait_with_output().unwrap()).ends(OPEN);
}

/// A release that is begun and over between two looks is the one that was waited for.
#[test]
fn no_release_comes_and_goes_unseen() {
    let shop = Shop::new();
    let waits = || shop.spawn(&["gate", "wait", "drained", "--timeout", "2m"]);
    let mut first = waits();
    until("it has asked", || shop.rows(HAVE_ASKED).len() == 1);
    signal(&first, Signal::SIGSTOP);
    assert!(has_stopped(&mut first));
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes", "--traffic", "simulated"]).ends(0);
    signal(&first, Signal::SIGCONT);
    Ran::from(first.wait_with_output().unwrap()).ends(OPEN);
    // Whoever comes later waits for the next one.
    shop.run(&["gate", "wait", "drained", "--timeout", "0s"]).ends(NOT_YET);
}

#[test]
fn the_gates_of_a_ramp_are_gates() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    let ramp = "50,approve=looks-good,approve=shifted,100";
    shop.run(&["execute", &path, "--yes", "--traffic", "simulated", "--shift", ramp]).ends(0);
    gates(&shop, &[("looks-good", NOT_YET), ("expanded", OPEN), ("shifted", NOT_YET)]);
    let nonsense = shop.run(&["gate", "wait", "nonsense", "--timeout", "0s"]).ends(REFUSED);
    assert!(nonsense.out.contains("it has expanded, shifted, drained, done, looks-good"), "{}", nonsense.out);
    shop.run(&["promote", "--gate", "looks-good", "--yes", "--traffic", "simulated"]).ends(0);
    gates(&shop, &[("looks-good", OPEN), ("shifted", NOT_YET)]);
    shop.run(&["promote", "--gate", "shifted", "--yes", "--traffic", "simulated", "--until", "shifted"]).ends(0);
    gates(&shop, &[("shifted", OPEN)]);
}

/// The role of the application needs no more than what `grants` prints.
#[test]
fn the_printed_grants_are_enough() {
    let shop = Shop::new();
    let role = format!("app_of_{}", shop.database);
    shop.sql(&format!("CREATE ROLE {role} LOGIN"));
    let ask = || {
        let mut command = shop.cutover(&["ready", "--version", "4"]);
        Ran::from(
            command.env("PGUSER", &role).env("PGOPTIONS", "-c default_transaction_read_only=on").output().unwrap(),
        )
    };
    ask().ends(2).says("permission denied").says("`cutover grants --role NAME --history-table TABLE`");
    let grants =
        shop.run(&["grants", "--role", &role, "--history-table", "public.refinery_schema_history"]).ends(0).out;
    shop.sql(grants.split_once("GRANT pg_read_all_stats").unwrap().0);
    ask().ends(NOT_YET);
    // What the release makes later can be read, too.
    shop.execute(&shop.plan(), &[]).ends(0);
    ask().ends(OPEN);
    shop.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn bad_input_is_refused() {
    let shop = Shop::new();
    shop.run(&["ready"]).ends(2);
    shop.run(&["ready", "--version", "1", "--timeout", "1s"]).ends(2);
    shop.run(&["ready", "--migrations", "/nowhere"]).ends(2);
    shop.run(&["gate", "wait", "done", "--plan", "/nowhere"]).ends(2);
    shop.run(&["ready", "--version", "1", "--database", "postgres://nobody@127.0.0.1:1/x"]).ends(2);
}
