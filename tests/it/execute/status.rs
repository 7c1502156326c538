//! What `status` and `log` tell beside a running executor, and to whom.

use std::io::{BufRead as _, BufReader, Read as _};

use super::support::{Ran, Shop, concurrent_index, statements, until};
use cutover::plan::saved::StepStatement;

fn valid(format: &str, document: &serde_json::Value) {
    let schema = cutover::report::MACHINE_FORMATS.iter().find(|known| known.name == format).unwrap().schema;
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let errors: Vec<_> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{document:#}");
}

fn json(ran: &Ran) -> serde_json::Value {
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn an_index_that_waits_for_a_transaction_is_shown_with_whom_it_waits_for() {
    let shop = Shop::new();
    // Whoever is in a transaction that wrote keeps CONCURRENTLY waiting.
    let mut writer = shop.client();
    writer.batch_execute("SET application_name = 'writer'; BEGIN; UPDATE users SET email = 'x' WHERE id = 1").unwrap();
    let index = concurrent_index();
    let path = shop.save(&shop.plan_of(vec![index]));
    let executor = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    let waits = "SELECT count(*)::text FROM pg_locks WHERE locktype = 'virtualxid' AND NOT granted
        AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())";
    until("the index waits", || shop.rows(waits) == ["1"]);
    let shown = shop.run(&["status"]).ends(0);
    let shown = shown
        .says("Step       1 (step 1, CREATE INDEX) at V2__phone.sql:2:1, begun ")
        .says("waiting for writers before build, 0 of 1 transactions have ended")
        .says(&format!("Executor   process {} on ", executor.id()))
        .says("waits for Lock: virtualxid")
        .says("blocked by server process ")
        .says("application \"writer\", idle in transaction")
        .says("Next       nothing: an executor works on it");
    drop(shown);
    let document = json(&shop.run(&["status", "--format", "json"]).ends(0));
    valid("status", &document);
    assert_eq!(document["step"]["index"]["phase"], "waiting for writers before build");
    assert_eq!(document["executor"]["blockers"][0]["application"], "writer");
    assert_eq!(document["executor"]["pid"], executor.id());
    // Whoever sees the executor itself is told meanwhile, too.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    // The second connection is lost, and that is all.
    shop.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cutover' AND datname = current_database()
             AND pid <> (SELECT backend_pid FROM cutover.lease)",
    );
    writer.batch_execute("COMMIT").unwrap();
    let told = Ran::from(executor.wait_with_output().unwrap()).ends(0);
    told.says("blocked by server process ").says("application \"writer\"").says("waiting for writers before build");
    let shown = shop.run(&["status"]).ends(0).says("Stage      done").says("Next       nothing\n");
    assert!(!shown.out.contains("Executor") && !shown.out.contains("Step  "), "{}", shown.out);
}

#[test]
fn what_people_decided_and_what_the_guard_sees_is_shown() {
    let shop = Shop::new();
    let path = shop.save(&shop.plan());
    shop.run(&["status"]).ends(0).says("No release was begun in this database.");
    valid("status", &json(&shop.run(&["status", "--format", "json"]).ends(0)));
    shop.run(&["execute", &path, "--yes", "--blue-application-name", "bleu"]).ends(0);
    let shown = shop.run(&["status"]).ends(0);
    shown
        .says("Stage      awaiting approval, since ")
        .says("Guard      no session with application_name \"bleu\" now, and none was ever seen: the name may be misspelt")
        .says("Next       `cutover promote`, or `cutover rollback`");
    shop.run(&["rollback", "--yes"]).ends(0);
    shop.run(&["resume", "--yes"]).ends(0);
    shop.run(&["promote", "--yes"]).ends(0);
    shop.run(&["status"])
        .ends(0)
        .says("Decision   rolled back by postgres on ")
        .says("Decision   promoted by postgres on ");
    shop.run(&["log"]).ends(0).says("step_succeeded     {\"step\":4,\"ms\":").says("} step 4, ALTER TABLE\n");
    for line in shop.run(&["log", "--format", "json"]).ends(0).out.lines() {
        valid("log", &serde_json::from_str(line).unwrap());
    }
}

#[test]
fn how_far_a_backfill_is_and_where_the_traffic_was_to_be() {
    let shop = Shop::new();
    shop.run(&[
        "execute",
        &shop.save(&shop.plan()),
        "--yes",
        "--traffic",
        "simulated",
        "--shift",
        "10,100",
        "--fault",
        "kill-at=27",
    ]);
    let document = || json(&shop.run(&["status", "--format", "json"]).ends(0));
    valid("status", &document());
    until("the server has noticed that it is gone", || document()["executor"].is_null());
}

/// The lines that a watch has printed so far.
struct Watch {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
    seen: String,
}

impl Watch {
    fn of(mut command: std::process::Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, seen: String::new() }
    }

    /// Waits for a line.
    #[track_caller]
    fn shows(&mut self, text: &str) {
        while !self.seen.contains(text) {
            match self.lines.recv_timeout(std::time::Duration::from_secs(30)) {
                Ok(line) => self.seen.push_str(&(line + "\n")),
                Err(error) => panic!("{error}: no {text:?} in\n{}", self.seen),
            }
        }
    }

    fn ends(mut self, code: i32) -> String {
        assert_eq!(self.child.wait().unwrap().code(), Some(code), "{}", self.seen);
        self.lines.iter().for_each(|line| self.seen.push_str(&(line + "\n")));
        self.seen
    }
}

#[test]
fn a_release_is_watched_from_before_it_begins_to_its_end() {
    let shop = Shop::new();
    let mut watch = Watch::of(shop.cutover(&["status", "--watch"]));
    let mut documents = Watch::of(shop.cutover(&["status", "--watch", "--format", "json"]));
    watch.shows("No release was begun in this database.");
    documents.shows("format_version");
    let mut writer = shop.client();
    writer.batch_execute("SET application_name = 'writer'; BEGIN; UPDATE users SET email = 'x' WHERE id = 1").unwrap();
    let plan = shop.save(&shop.plan());
    let ramp = ["--traffic", "simulated", "--shift", "10,approve=qa,100"];
    let executor = shop.spawn(&[&["execute", &plan, "--yes"], &ramp[..]].concat());
    watch.shows("blocked by server process ");
    documents.shows("\"application\":\"writer\"");
    // A connection that is lost is made again, and nothing that happened meanwhile is missed.
    shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cutover (watching)'");
    writer.batch_execute("COMMIT").unwrap();
    Ran::from(executor.wait_with_output().unwrap()).ends(0);
    watch.shows("Step 2 (step 2, CREATE INDEX) is done, ");
    watch.shows("Cutover   green has 10 %, verified");
    watch.shows("Waiting   for approval at the gate qa");
    shop.run(&["rollback", "--yes", "--reason", "too slow"]).ends(0);
    let seen = watch.ends(0);
    assert!(seen.contains("Rollback  all traffic to blue: too slow"), "{seen}");
    assert!(seen.contains("the connection is lost; connecting again") && seen.contains("connected again"), "{seen}");
    let seen = documents.ends(0);
    for line in seen.lines() {
        valid("status", &serde_json::from_str(line).unwrap());
    }
    assert!(seen.lines().next_back().unwrap().contains("rolled-back"), "{seen}");
}

/// On a terminal the same lines are drawn again; without colours they are not.
#[test]
fn a_terminal_is_drawn_on() {
    let shop = Shop::waiting();
    let drawn = |more: &[(&str, &str)]| {
        let Ok(terminal) = nix::pty::openpty(None, None) else { panic!("no terminal can be made") };
        let mut command = shop.cutover(&["status", "--watch", "--timeout", "1m"]);
        command.env("TERM", "xterm").envs(more.iter().copied());
        command.stdout(terminal.slave.try_clone().unwrap()).stderr(terminal.slave);
        let mut child = command.spawn().unwrap();
        // The last one that has the terminal's other end goes with the child.
        drop(command);
        let mut text = Vec::new();
        let mut screen = std::fs::File::from(terminal.master);
        let mut some = [0; 4096];
        while let Ok(read) = screen.read(&mut some) {
            if read == 0 {
                break;
            }
            text.extend_from_slice(&some[..read]);
        }
        assert!(child.wait().unwrap().success());
        String::from_utf8(text).unwrap()
    };
    let text = drawn(&[]);
    assert!(text.contains("[100 %, waits for approval]") && text.contains("\u{1b}[J"), "{text}");
    assert!(text.contains("before the cutover, 3 of 3") && text.contains("Ctrl-C ends this view"), "{text}");
    let text = drawn(&[("NO_COLOR", "1")]);
    assert!(text.contains("awaiting approval; 3 of 5 steps done") && !text.contains('\u{1b}'), "{text}");
}

/// What a pipeline waits for, and what it is told.
#[test]
fn a_release_is_waited_for_until_it_is_over_or_waits_itself() {
    let shop = Shop::new();
    shop.run(&["status", "--timeout", "0s"]).ends(10).says("No release was begun").says("The time is up");
    let plan = shop.save(&shop.plan());
    shop.run(&["execute", &plan, "--yes"]).ends(0);
    shop.run(&["status", "--timeout", "1m"]).ends(0).says("awaiting approval");
    shop.run(&["pause"]).ends(0);
    shop.run(&["status", "--timeout", "1m", "--format", "json"]).ends(9).says("\"standing\":\"paused\"");
    shop.run(&["resume", "--yes"]).ends(0);
    shop.sql("CREATE VIEW names AS SELECT name FROM users");
    shop.run(&["promote", "--yes", "--accept-foreseen"]).ends(4);
    shop.run(&["status", "--timeout", "1m"]).ends(4).says("Failed     step 4");
    shop.sql("DROP VIEW names");
    shop.run(&["resume", "--yes"]).ends(0).says("is complete");
    shop.run(&["status", "--timeout", "1m", "--watch"]).ends(0).says("done; 5 of 5 steps done");
    // One that is executed is waited for, and no longer than was said.
    let shop = Shop::new();
    let mut writer = shop.client();
    writer.batch_execute("BEGIN; UPDATE users SET email = 'x' WHERE id = 1").unwrap();
    let path = shop.save(&shop.plan_of(vec![concurrent_index()]));
    let executor = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    until("it is begun", || !shop.journal().is_empty());
    shop.run(&["status", "--timeout", "100ms"]).ends(10).says("Executor   process").says("The time is up");
    let waits = shop.spawn(&["status", "--timeout", "1m"]);
    writer.batch_execute("COMMIT").unwrap();
    Ran::from(executor.wait_with_output().unwrap()).ends(0);
    Ran::from(waits.wait_with_output().unwrap()).ends(0).says("Stage      done");
}

/// One that nobody executes any more is not waited for.
#[test]
fn a_killed_executor_is_noticed_by_whoever_waits() {
    let shop = Shop::new();
    let plan = shop.save(&shop.plan());
    let killed = shop.run(&["execute", &plan, "--yes", "--traffic", "simulated", "--fault", "kill-at=9"]);
    assert_eq!(killed.code, None);
    shop.run(&["status", "--timeout", "1m"]).ends(4).says("Next       `cutover resume`");
}

/// Whoever may read nothing else may look on with the printed grants; what the server hides without the last of them is said.
#[test]
fn a_role_that_may_only_read_can_look_on() {
    let shop = Shop::new();
    let role = format!("watcher_of_{}", shop.database);
    shop.sql(&format!("CREATE ROLE {role} LOGIN"));
    let mut plan = shop.plan();
    statements(&mut plan, 0).push(StepStatement { sql: "SELECT pg_sleep(3)".into(), origin: None });
    let path = shop.save(&plan.sealed());
    let executor = shop.spawn(&["execute", &path, "--yes", "--traffic", "simulated"]);
    until("the step sleeps", || {
        shop.rows(
            "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'",
        ) == ["1"]
    });
    let look = |command: &str| {
        let mut command = shop.cutover(&[command]);
        Ran::from(
            command.env("PGUSER", &role).env("PGOPTIONS", "-c default_transaction_read_only=on").output().unwrap(),
        )
    };
    look("status").ends(2).says("permission denied").says("`cutover grants --role");
    let grants = shop.run(&["grants", "--role", &role]).ends(0).out;
    let (reads, sees) = grants.split_at(grants.find("GRANT pg_read_all_stats").unwrap());
    shop.sql(reads);
    look("status").ends(0).says(&format!(
        "Not shown  the server hides from {role} what sessions of postgres do: GRANT pg_read_all_stats TO {role}"
    ));
    look("log").ends(0).says("started");
    shop.sql(sees);
    let shown = look("status")
        .ends(0)
        .says("transaction open for ")
        .says("Step       1 (step 1, ALTER TABLE) at V2__phone.sql:1:1");
    assert!(!shown.out.contains("Not shown"), "{}", shown.out);
    Ran::from(executor.wait_with_output().unwrap()).ends(0);
    shop.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

/// For whoever collects figures from files.
#[test]
fn figures_are_written_to_a_file() {
    let shop = Shop::new();
    let path = shop.folder.path().join("cutover.prom");
    let file = path.to_str().unwrap();
    shop.run(&["status", "--metrics-file", file]).ends(0).says("No release was begun");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    shop.execute(&shop.plan(), &["--until", "expanded"]).ends(0);
    shop.run(&["status", "--metrics-file", file]).ends(0).says("Stage      shifting traffic");
    let figures = std::fs::read_to_string(&path).unwrap();
    for line in ["cutover_steps 5", "cutover_steps_done 3", "cutover_green_share 0", "cutover_release_executing 0"] {
        assert!(figures.lines().any(|found| found == line), "no {line} in\n{figures}");
    }
    assert!(figures.contains("stage=\"shifting\"} 1\n"), "{figures}");
    shop.run(&["status", "--metrics-file", "/nowhere/cutover.prom"]).ends(2).says("the folder cannot be written");
}
