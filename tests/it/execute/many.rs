//! A release over many databases: all wait for all between the phases, and whatever happens to one of them, the traffic is where all can bear it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cutover::plan::saved::{Direction, Phase, SavedPlan, Step};
use nix::sys::signal::Signal;

use super::support::{Ran, Runs, Shop, signal, step, until};

/// A shop that leads, and others like it that follow.
struct Tenants {
    lead: Shop,
    members: Vec<Shop>,
    list: String,
}

impl Tenants {
    fn new(count: usize) -> Self {
        let (lead, members) = (Shop::new(), (0..count).map(|_| Shop::new()).collect::<Vec<_>>());
        let path = lead.folder.path().join("tenants");
        let lines: Vec<String> =
            members.iter().enumerate().map(|(n, shop)| format!("tenant_{n} dbname={}\n", shop.database)).collect();
        std::fs::write(&path, lines.concat()).unwrap();
        Self { lead, members, list: path.to_str().unwrap().to_owned() }
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.lead.run(&[args, &["--databases", &self.list]].concat())
    }

    fn execute(&self, plan: &SavedPlan, more: &[&str]) -> Ran {
        let path = self.lead.save(plan);
        self.run(&[&["execute", &path, "--yes", "--traffic", "simulated"], more].concat())
    }

    fn resume(&self, more: &[&str]) -> Ran {
        self.run(&[&["resume", "--yes", "--traffic", "simulated"], more].concat())
    }

    fn all(&self) -> impl Iterator<Item = &Shop> {
        std::iter::once(&self.lead).chain(&self.members)
    }

    /// Where they are, the one that leads first: `blue` before anything, `both` once expanded, `green` once contracted.
    fn schemas(&self) -> Vec<&'static str> {
        let schema = |shop: &Shop| {
            let columns = shop.rows("SELECT attname::text FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0 AND NOT attisdropped");
            let has = |name: &str| columns.iter().any(|column| column == name);
            match (has("name"), has("nick")) {
                (true, false) => "blue",
                (true, true) => "both",
                (false, true) => "green",
                (false, false) => "neither",
            }
        };
        self.all().map(schema).collect()
    }
}

/// A step before the cutover and one after it.
fn short(shop: &Shop) -> SavedPlan {
    shop.plan_of(vec![
        step(1, Phase::Before, Runs::Own, "ALTER TABLE users ADD COLUMN nick text DEFAULT '' NOT NULL", &["2"], 3, 1),
        Step {
            direction: Direction::Deletive,
            point_of_no_return: true,
            ..step(2, Phase::After, Runs::Own, "ALTER TABLE users DROP COLUMN name", &["3", "4"], 3, 2)
        },
    ])
}

/// Lets no column of the shop come or go in a database.
fn refuse_changes(shop: &Shop) {
    shop.sql(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
           IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE 'public.users%')
           THEN RAISE 'not in this one'; END IF; END $$;
         CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION refuse()",
    );
}

fn let_changes(shop: &Shop) {
    shop.sql("DROP EVENT TRIGGER refuse; DROP FUNCTION refuse()");
}

#[test]
fn all_are_expanded_before_the_traffic_moves_and_blue_is_gone_before_any_is_contracted() {
    let tenants = Tenants::new(3);
    let plan = tenants.lead.plan();
    tenants.execute(&plan, &["--until", "expanded"]).ends(0).says("3 of 3 that follow: expanded");
    assert_eq!(tenants.schemas(), ["both"; 4]);
    assert!(tenants.lead.journal().iter().all(|record| !record.starts_with("shift")));
    tenants.run(&["status"]).ends(0).says("Databases  3 follow: 3 expanded");
    tenants.resume(&["--until", "drained"]).ends(0);
    assert_eq!(tenants.schemas(), ["both"; 4]);
    tenants.resume(&[]).ends(0).says("is complete").says("3 of 3 that follow: done");
    assert_eq!(tenants.schemas(), ["green"; 4]);
    tenants.run(&["status"]).ends(0).says("Databases  3 follow: 3 done");
    let schema = tenants.lead.schema();
    for shop in &tenants.members {
        assert_eq!(shop.schema(), schema);
        let traffic = shop.rows("SELECT detail->>'traffic' FROM cutover.journal WHERE event = 'started'");
        assert_eq!(traffic, ["follows"]);
    }
    let document = tenants.run(&["status", "--format", "json"]).ends(0).out;
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let schema = cutover::report::MACHINE_FORMATS.iter().find(|format| format.name == "status").unwrap();
    assert!(jsonschema::validator_for(&(schema.schema)()).unwrap().is_valid(&document), "{document}");
    assert_eq!(document["databases"].as_array().unwrap().len(), 3);
    // Once more does nothing.
    tenants.execute(&plan, &[]).ends(0).says("is complete");
}

#[test]
fn one_that_fails_keeps_the_traffic_where_it_is() {
    let tenants = Tenants::new(4);
    let plan = tenants.lead.plan();
    refuse_changes(&tenants.members[1]);
    let ran = tenants.execute(&plan, &["--databases-at-once", "1"]).ends(4);
    let ran = ran.says("1 of 4 databases have not come to the end of the phase before the cutover");
    ran.says("1 are there, 2 were left as they are").says("tenant_1: step 1").says("not in this one");
    assert_eq!(tenants.schemas(), ["both", "both", "blue", "blue", "blue"]);
    tenants
        .run(&["status"])
        .ends(0)
        .says("tenant_1  before the cutover, stopped, 0 of 5 steps: step 1")
        .says("2 no release");
    tenants.lead.run(&["status", "--timeout", "5s"]).ends(4);
    tenants.lead.run(&["status"]).ends(0).says("Failed     1 of 4 databases have not come");
    tenants.resume(&["--databases-at-once", "1"]).ends(4).says("tenant_1");
    let_changes(&tenants.members[1]);
    tenants.resume(&[]).ends(0).says("is complete");
    assert_eq!(tenants.schemas(), ["green"; 5]);
}

#[test]
fn one_that_does_not_fit_lets_none_begin() {
    let tenants = Tenants::new(3);
    tenants.members[2].sql("ALTER TABLE users ALTER COLUMN email TYPE varchar(9)");
    let ran = tenants.execute(&tenants.lead.plan(), &[]).ends(6);
    ran.says("1 of 3 databases cannot begin, and nothing was begun in any").says("tenant_2").says("email");
    assert!(tenants.all().all(|shop| shop.journal().is_empty()));
}

#[test]
fn one_that_fails_after_the_cutover_is_left_for_later() {
    let tenants = Tenants::new(2);
    tenants.execute(&tenants.lead.plan(), &["--until", "drained"]).ends(0);
    refuse_changes(&tenants.members[0]);
    tenants
        .resume(&[])
        .ends(4)
        .says("have not come to the end of the phase after the cutover")
        .says("tenant_0: step 4");
    assert_eq!(tenants.schemas()[..2], ["green", "both"]);
    let_changes(&tenants.members[0]);
    tenants.resume(&[]).ends(0).says("is complete.");
    assert_eq!(tenants.schemas(), ["green"; 3]);
    tenants.resume(&[]).ends(0).says("is complete already; nothing was done");
}

#[test]
fn they_go_back_together() {
    let tenants = Tenants::new(2);
    let path = tenants.lead.save(&tenants.lead.plan());
    tenants.run(&["execute", &path, "--yes"]).ends(0).says("cutover promote");
    tenants.run(&["rollback", "--yes", "--reason", "blue is needed"]).ends(0).says("is rolled back");
    assert_eq!(tenants.schemas(), ["both"; 3]);
    tenants.run(&["status"]).ends(0).says("2 follow: 2 rolled back");
    tenants.run(&["rollback", "--yes"]).ends(0);
    // Forward again, in all of them.
    tenants.run(&["resume", "--yes"]).ends(0).says("cutover promote");
    tenants.run(&["promote", "--yes"]).ends(0).says("is complete");
    assert_eq!(tenants.schemas(), ["green"; 3]);
}

#[test]
fn a_process_that_waits_hears_the_words_that_one_of_a_single_database_would() {
    let tenants = Tenants::new(2);
    let path = tenants.lead.save(&tenants.lead.plan());
    let args = ["execute", &path, "--yes", "--wait", "--databases", &tenants.list];
    let waits = |shop: &Shop| shop.journal().last().is_some_and(|last| last == "approval_awaited");
    let child = tenants.lead.spawn(&args);
    until("it waits", || waits(&tenants.lead));
    tenants.run(&["resume", "--yes"]).ends(7).says("another process carries this release on");
    tenants.lead.run(&["rollback", "--yes"]).ends(0).says("is rolled back");
    Ran::from(child.wait_with_output().unwrap()).ends(0).says("2 of 2 that follow: rolled-back");
    let child = tenants.lead.spawn(&["resume", "--yes", "--wait", "--databases", &tenants.list]);
    until("it waits again", || waits(&tenants.lead));
    tenants.lead.run(&["promote", "--yes"]).ends(0).says("carries on");
    Ran::from(child.wait_with_output().unwrap()).ends(0).says("is complete");
    assert_eq!(tenants.schemas(), ["green"; 3]);
}

#[test]
fn none_is_carried_on_by_itself() {
    let tenants = Tenants::new(2);
    let plan = tenants.lead.plan();
    tenants.execute(&plan, &["--until", "expanded"]).ends(0);
    tenants
        .lead
        .resume(&[])
        .ends(2)
        .says("was begun over 3 databases, and this is the one that leads")
        .says("--databases FILE");
    tenants.lead.run(&["rollback", "--yes", "--traffic", "simulated"]).ends(2).says("this is the one that leads");
    tenants.members[0].run(&["resume", "--yes"]).ends(2).says("this is one that follows (tenant_0)");
    tenants.members[0].run(&["rollback", "--yes"]).ends(2).says("this is one that follows");
    assert_eq!(tenants.schemas(), ["both"; 3]);
    // Nor with others than it was begun with.
    std::fs::write(&tenants.list, format!("tenant_0 dbname={}\n", tenants.members[0].database)).unwrap();
    tenants.resume(&[]).ends(2).says("over other databases; now it is to go on without tenant_1");
}

/// A plan behind [`short`] with a step of its own.
fn next(shop: &Shop) -> SavedPlan {
    let mut next = shop.plan_of(vec![step(1, Phase::Before, Runs::Own, "CREATE TABLE later ()", &[], 4, 1)]);
    let before = shop.plan().migrations;
    next.migrations.applied = before.applied.into_iter().chain(before.pending).collect();
    next.migrations.pending.clear();
    next.migrations.from = Some("4".into());
    next.schema.expects.clear();
    next.sealed()
}

#[test]
fn one_release_follows_another_and_a_pipeline_that_forgets_the_others_is_told() {
    let tenants = Tenants::new(1);
    tenants.execute(&short(&tenants.lead), &[]).ends(0);
    let next = next(&tenants.lead);
    tenants.lead.execute(&next, &[]).ends(2).says("was one over 2 databases").says("--databases none");
    let path = tenants.lead.save(&next);
    tenants.lead.run(&["check", &path]).ends(0).says("The plan can begin");
    tenants.execute(&next, &[]).ends(0).says("is complete");
    let there = "SELECT to_regclass('later')::text";
    assert!(tenants.all().all(|shop| shop.rows(there) == ["later"]));
}

#[test]
fn a_release_of_one_database_follows_one_of_many_if_somebody_says_so() {
    let tenants = Tenants::new(1);
    tenants.execute(&short(&tenants.lead), &[]).ends(0);
    tenants.lead.execute(&next(&tenants.lead), &["--databases", "none"]).ends(0).says("is complete");
}

/// Whoever asks whether green may start hears of all of them.
#[test]
fn green_may_start_once_all_are_expanded() {
    let tenants = Tenants::new(1);
    refuse_changes(&tenants.members[0]);
    tenants.execute(&tenants.lead.plan(), &["--until", "expanded"]).ends(4);
    assert_eq!(tenants.schemas(), ["both", "blue"]);
    tenants.lead.run(&["gate", "wait", "expanded", "--timeout", "0s"]).ends(75);
    tenants.lead.run(&["ready", "--version", "4"]).ends(75);
    let_changes(&tenants.members[0]);
    tenants.resume(&["--until", "expanded"]).ends(0);
    tenants.lead.run(&["gate", "wait", "expanded", "--timeout", "0s"]).ends(0);
    tenants.lead.run(&["ready", "--version", "4"]).ends(0);
}

#[test]
fn one_that_has_changed_since_it_was_expanded_is_told() {
    let tenants = Tenants::new(2);
    tenants.execute(&tenants.lead.plan(), &["--until", "expanded"]).ends(0);
    tenants.members[1].sql("ALTER TABLE users DROP COLUMN nick");
    tenants.resume(&[]).ends(6).says("tenant_1").says("users");
    assert!(tenants.lead.journal().iter().all(|record| !record.starts_with("shift")));
}

/// It is stopped where it can be first, and goes back from there.
#[test]
fn a_process_that_runs_is_stopped_by_whoever_goes_back() {
    let tenants = Tenants::new(1);
    let mut held = tenants.members[0].client();
    let mut held = held.transaction().unwrap();
    held.batch_execute("LOCK TABLE users").unwrap();
    let path = tenants.lead.save(&short(&tenants.lead));
    let args = ["--yes", "--traffic", "simulated", "--databases", &tenants.list];
    let child = tenants.lead.spawn(&[&["execute", &path, "--lock-timeout", "60s"], &args[..]].concat());
    until("the one that follows is at work", || tenants.members[0].journal().len() == 1);
    // Who may not is no trouble to it.
    tenants.lead.run(&["rollback", "--yes", "--traffic", "simulated"]).ends(2).says("this is the one that leads");
    tenants.lead.run(&["status", "--timeout", "1s"]).ends(10);
    let back = tenants.lead.spawn(&[&["rollback"], &args[..]].concat());
    until("it is paused", || tenants.lead.journal().last().is_some_and(|last| last == "paused"));
    held.rollback().unwrap();
    Ran::from(child.wait_with_output().unwrap()).ends(9).says("is paused");
    Ran::from(back.wait_with_output().unwrap()).ends(0).says("is rolled back");
    tenants.run(&["status"]).ends(0).says("1 follow: 1 rolled back");
    assert_eq!(tenants.schemas(), ["both"; 2]);
}

#[test]
fn which_they_are_stands_in_cutover_toml_or_in_a_table() {
    let tenants = Tenants::new(2);
    let path = tenants.lead.save(&tenants.lead.plan());
    let execute = |toml: &str| {
        tenants.lead.configured(toml);
        let mut command =
            tenants.lead.cutover(&["execute", &path, "--yes", "--traffic", "simulated", "--until", "expanded"]);
        Ran::from(command.current_dir(tenants.lead.folder.path()).output().unwrap())
    };
    execute("[databases]\nlist = []\n").ends(2).says("the list of databases is empty");
    execute("[databases]\nquery = \"SELECT 1\"\n").ends(4).says("asking for the databases of the release failed");
    execute("[databases]\nquery = \"DROP TABLE users\"\n").ends(4).says("read-only transaction");
    let twice = &tenants.members[0].database;
    execute(&format!("[databases]\nlist = [\"a {twice}\", \"b dbname={twice}\"]\n"))
        .ends(2)
        .says("it is the same database as");
    let names: Vec<String> = tenants.all().map(|shop| format!("('{}')", shop.database)).collect();
    tenants.lead.sql(&format!("CREATE TABLE tenants (name text); INSERT INTO tenants VALUES {}", names.join(", ")));
    execute("[databases]\nquery = \"SELECT name FROM tenants ORDER BY 1\"\n")
        .ends(0)
        .says("2 of 2 that follow: expanded");
    assert_eq!(tenants.schemas(), ["both"; 3]);
}

#[test]
fn what_happens_in_each_is_told_in_json() {
    let tenants = Tenants::new(2);
    let ran = tenants.execute(&short(&tenants.lead), &["--format", "json"]).ends(0);
    let lines: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let schema = cutover::report::MACHINE_FORMATS.iter().find(|format| format.name == "events").unwrap();
    let validator = jsonschema::validator_for(&(schema.schema)()).unwrap();
    for line in &lines {
        assert!(validator.is_valid(line), "{line}");
    }
    let finished = |name: Option<&str>| {
        let is_of = |line: &&serde_json::Value| line["in_database"].as_str() == name;
        lines.iter().filter(is_of).filter(|line| line["record"]["event"] == "finished").count()
    };
    assert_eq!([None, Some("tenant_0"), Some("tenant_1")].map(finished), [1, 1, 1]);
    assert_eq!(lines.iter().filter(|line| line["type"] == "databases_came").count(), 2);
}

#[test]
fn a_decision_is_about_one_of_them() {
    let tenants = Tenants::new(2);
    tenants.execute(&short(&tenants.lead), &["--until", "drained"]).ends(0);
    refuse_changes(&tenants.members[1]);
    tenants.resume(&[]).ends(4).says("tenant_1: step 2");
    let skip = ["--skip", "2", "--reason", "kept for the audit"];
    tenants.resume(&[&skip[..], &["--in-database", "tenant_7"]].concat()).ends(2).says("there is no database tenant_7");
    tenants.resume(&[&skip[..], &["--in-database", "tenant_1"]].concat()).ends(0).says("is complete");
    assert_eq!(tenants.schemas(), ["green", "green", "both"]);
}

/// Nobody holds the lease of the one that leads then.
#[test]
fn a_pause_while_the_others_are_worked_on_is_kept() {
    let tenants = Tenants::new(1);
    let mut held = tenants.members[0].client();
    let mut held = held.transaction().unwrap();
    held.batch_execute("LOCK TABLE users").unwrap();
    let path = tenants.lead.save(&short(&tenants.lead));
    let args = ["execute", &path, "--yes", "--traffic", "simulated", "--databases", &tenants.list];
    let child = tenants.lead.spawn(&[&args[..], &["--lock-timeout", "60s"]].concat());
    until("the one that follows is at work", || tenants.members[0].journal().len() == 1);
    tenants.lead.run(&["pause"]).ends(0);
    held.rollback().unwrap();
    Ran::from(child.wait_with_output().unwrap()).ends(9).says("is paused");
    assert_eq!(tenants.schemas(), ["both"; 2]);
    tenants.resume(&[]).ends(0).says("is complete");
    assert_eq!(tenants.schemas(), ["green"; 2]);
}

#[test]
fn an_interrupt_stops_all_of_them() {
    let tenants = Tenants::new(3);
    let mut held = tenants.members[0].client();
    let mut held = held.transaction().unwrap();
    held.batch_execute("LOCK TABLE users").unwrap();
    let path = tenants.lead.save(&tenants.lead.plan());
    let args =
        ["execute", &path, "--yes", "--traffic", "simulated", "--databases", &tenants.list, "--databases-at-once", "1"];
    let child = tenants.lead.spawn(&[&args[..], &["--lock-timeout", "60s"]].concat());
    until("it waits for a lock", || {
        !tenants
            .lead
            .rows(
                "SELECT pid::text FROM pg_stat_activity WHERE wait_event = 'relation' AND application_name = 'cutover'",
            )
            .is_empty()
            && tenants.members[0].journal().len() == 1
    });
    signal(&child, Signal::SIGINT);
    Ran::from(child.wait_with_output().unwrap()).ends(130);
    held.rollback().unwrap();
    assert_eq!(tenants.schemas(), ["both", "blue", "blue", "blue"]);
    tenants.resume(&[]).ends(0).says("is complete");
    assert_eq!(tenants.schemas(), ["green"; 4]);
}

/// Killed at every boundary (`CUTOVER_EXHAUSTION`; or at every third): no traffic on green before all are expanded, nothing taken before blue is
/// drained, nothing twice.
#[test]
fn whenever_it_is_killed_it_is_carried_on() {
    let check = |boundary: usize| -> bool {
        let tenants = Tenants::new(2);
        let plan = short(&tenants.lead);
        let kill = format!("kill-at={boundary}");
        let died = tenants.execute(&plan, &["--fault", &kill, "--databases-at-once", "1"]).code.is_none();
        let has = |shop: &Shop, event: &str| shop.journal().iter().any(|record| record.starts_with(event));
        let schemas = tenants.schemas();
        if has(&tenants.lead, "shift_started") {
            assert!(!schemas.contains(&"blue"), "{boundary}: {schemas:?}");
        }
        if schemas.contains(&"green") {
            assert!(has(&tenants.lead, "drained"), "{boundary}: {schemas:?}");
        }
        match tenants.lead.journal().is_empty() {
            true => tenants.execute(&plan, &[]),
            false => tenants.resume(&[]),
        }
        .ends(0)
        .says("is complete");
        assert_eq!(tenants.schemas(), ["green"; 3], "{boundary}");
        let schema = tenants.lead.schema();
        for shop in tenants.all() {
            let once = shop.rows(
                "SELECT concat_ws(' ', event, step) FROM cutover.journal WHERE event = 'step_succeeded' ORDER BY seq",
            );
            assert_eq!(once, ["step_succeeded 1", "step_succeeded 2"], "{boundary}");
            assert_eq!(shop.schema(), schema, "{boundary}");
        }
        died
    };
    let every = if std::env::var_os("CUTOVER_EXHAUSTION").is_some() { 1 } else { 3 };
    let (next, is_over) = (AtomicUsize::new(1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    if !check(next.fetch_add(every, Ordering::SeqCst)) {
                        is_over.store(true, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let reached = next.into_inner();
    assert!(reached > 40, "it was over before boundary {reached}");
}
