//! Between the shares: times to hold, gates, and green that fails.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use cutover::execute::{Clock, Doors, Future, Gate, Options, Outcome, execute, resume};
use cutover::release::Ramp;
use cutover::traffic::Simulated;
use nix::sys::signal::Signal;

use super::support::{Ran, Shop, async_client, signal, until};

/// Keeps green's share in a file; what `health` and `verify` answer can be put into files beside it.
const PROGRAM: &str = r#"#!/bin/sh
read request
case "$request" in
*'"op":"capabilities"'*) r=$(cat "$1/capabilities" 2>/dev/null || echo '{"kind":"weighted","can_verify":true,"can_prove_drain":true}') ;;
*'"op":"observe"'*) r=$(tail -n 1 "$1/shares" 2>/dev/null || echo '{"share":0}') ;;
*'"op":"set_share"'*) r=$(echo "$request" | sed 's/.*"args":\({[^}]*}\).*/\1/'); echo "$r" >> "$1/shares" ;;
*'"op":"verify"'*) r=$(cat "$1/verify" 2>/dev/null || echo '{"verified":"yes"}') ;;
*'"side":"green"'*) r=$([ "$(tail -n 1 "$1/shares")" = '{"share":5000}' ] && cat "$1/green-at-50" 2>/dev/null || cat "$1/green" 2>/dev/null || echo '{"health":"healthy"}') ;;
*'"side":"blue"'*'"health"'*|*'"health"'*'"side":"blue"'*) r=$(cat "$1/blue" 2>/dev/null || echo '{"health":"healthy"}') ;;
*'"op":"drain"'*) r='{"drain":"drained","evidence":"no requests"}' ;;
*) r='{}' ;;
esac
echo "{\"protocol\":1,\"ok\":true,\"result\":$r}"
"#;

pub(super) const ILL: &str = r#"{"health":"unhealthy","why":"5 % errors"}"#;

/// A shop with a program that moves its traffic.
pub(super) struct Ramped {
    pub(super) shop: Shop,
    program: [String; 3],
}

impl Ramped {
    pub(super) fn new() -> Self {
        let shop = Shop::new();
        let folder = shop.folder.path().to_str().unwrap().to_owned();
        let path = format!("{folder}/move");
        std::fs::write(&path, PROGRAM).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { shop, program: ["--traffic-exec".to_owned(), path, folder] }
    }

    pub(super) fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        args.iter().copied().chain(self.program.iter().map(String::as_str)).collect()
    }

    pub(super) fn run(&self, args: &[&str]) -> Ran {
        self.shop.run(&self.args(args))
    }

    fn execute(&self, more: &[&str]) -> Ran {
        let plan = self.shop.save(&self.shop.plan());
        self.run(&[&["execute", &plan, "--yes"], more].concat())
    }

    /// The program may be reading what it answered before: it finds the one or the other.
    pub(super) fn answers(&self, what: &str, answer: &str) {
        let path = self.shop.folder.path().join(what);
        std::fs::write(path.with_extension("new"), answer).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    }

    pub(super) fn is_right_again(&self, what: &str) {
        std::fs::remove_file(self.shop.folder.path().join(what)).unwrap();
    }

    /// The shares that the program was told to set, in basis points.
    pub(super) fn shares(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.shop.folder.path().join("shares")).unwrap();
        text.lines().map(|line| line.trim_matches(|c: char| !c.is_ascii_digit()).to_owned()).collect()
    }

    fn traffic(&self) -> Vec<String> {
        let of_traffic = "'shifted', 'hold_started', 'hold_ended', 'approval_awaited', 'promoted', 'drained', 'rollback_started', 'rolled_back'";
        self.shop.rows(&format!(
            "SELECT concat_ws(' ', event, detail->>'share') FROM cutover.journal WHERE event IN ({of_traffic}) ORDER BY seq"
        ))
    }
}

/// Time that passes at once.
struct NoTime;

impl Clock for NoTime {
    fn sleep(&self, _: Duration) -> Future<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[test]
fn shares_holds_and_gates_follow_each_other() {
    let shop = Shop::new();
    let plan = shop.plan();
    let outcomes = async_client(&shop, async |mut client| {
        let traffic = Simulated::default();
        let mut nobody = |_: &cutover::execute::Event| {};
        let mut doors = Doors::new(&traffic, &mut nobody);
        doors.clock = &NoTime;
        let ramp: Ramp = "10,hold=20m,approve=qa,50,100,bake=1h".parse().unwrap();
        let options = Options { ramp, ..Options::default() };
        let first = execute(&mut client, &plan, &options, &mut doors).await.unwrap();
        // Nobody has approved yet.
        let second = resume(&mut client, None, &options, &mut doors).await.unwrap();
        [first, second]
    });
    for outcome in outcomes {
        assert!(matches!(outcome, Outcome::AwaitingApproval { gate: Gate::Ramp(name), .. } if name == "qa"));
    }
    shop.run(&["status"]).ends(0).says("2 of 6 steps of the ramp 10 % → hold 20m → approve qa").says("--gate qa");
    let promote = |more: &[&str]| shop.run(&[&["promote", "--yes", "--traffic", "simulated"], more].concat());
    promote(&[]).ends(2).says("waits at the gate qa of the ramp").says("cutover promote --gate qa");
    promote(&["--gate", "security"]).ends(2).says("waits at the gate qa");
    // The bake time is an hour: the word is given beside it, and nobody waits here.
    let child = shop.spawn(&["promote", "--yes", "--traffic", "simulated", "--gate", "qa", "--reason", "ticket 4711"]);
    until("the bake begins", || shop.journal().iter().filter(|event| *event == "hold_started").count() == 2);
    shop.run(&["promote", "--yes", "--traffic", "simulated"])
        .ends(2)
        .says("does not wait for approval (shifting traffic)");
    shop.run(&["status"])
        .ends(0)
        .says("green has 100 % (simulated), holds until")
        .says("`cutover rollback`")
        .says("ticket 4711");
    shop.run(&["rollback", "--yes", "--traffic", "simulated"]).ends(0).says("is rolled back");
    Ran::from(child.wait_with_output().unwrap()).ends(0).says("is rolled back");
}

#[test]
fn a_hold_ends_when_it_was_to_end_whatever_happens_to_its_process() {
    let ramped = Ramped::new();
    let plan = ramped.shop.save(&ramped.shop.plan());
    let child = ramped.shop.spawn(&ramped.args(&["execute", &plan, "--yes", "--shift", "10,hold=1h,100"]));
    until("the hold begins", || ramped.shop.journal().contains(&"hold_started".to_owned()));
    signal(&child, Signal::SIGKILL);
    child.wait_with_output().unwrap();
    // Most of the hour has passed since.
    ramped.shop.sql("UPDATE cutover.journal SET detail = jsonb_set(detail, '{until_ms}', to_jsonb((detail->>'until_ms')::bigint - 3600000)) WHERE event = 'hold_started'");
    ramped.run(&["resume", "--yes"]).ends(0).says("is complete");
    assert_eq!(ramped.traffic(), ["shifted 1000", "hold_started", "hold_ended", "shifted 10000", "drained"]);
}

#[test]
fn green_that_fails_gives_the_traffic_back() {
    let ramped = Ramped::new();
    let plan = ramped.shop.save(&ramped.shop.plan());
    let child = ramped.shop.spawn(&ramped.args(&["execute", &plan, "--yes", "--shift", "10,hold=1h,100"]));
    until("the hold begins", || ramped.shop.journal().contains(&"hold_started".to_owned()));
    ramped.answers("green", ILL);
    Ran::from(child.wait_with_output().unwrap())
        .ends(8)
        .says("because green is unhealthy: 5 % errors")
        .says("cutover resume");
    assert_eq!(ramped.traffic(), ["shifted 1000", "hold_started", "rollback_started", "rolled_back"]);
    assert_eq!(ramped.shares(), ["1000", "0"]);
    // A new green begins the ramp anew.
    ramped.is_right_again("green");
    let child = ramped.shop.spawn(&ramped.args(&["resume", "--yes"]));
    until("it holds again", || ramped.traffic().iter().filter(|event| *event == "hold_started").count() == 2);
    signal(&child, Signal::SIGKILL);
    child.wait_with_output().unwrap();
    assert_eq!(ramped.shares(), ["1000", "0", "1000"]);
}

/// Killed anywhere on the way back, `rollback` and `resume` still find their way.
#[test]
fn a_way_back_that_was_killed_is_gone_to_the_end_or_taken_back() {
    let (mut rolled_back, mut resumed) = (0, 0);
    for boundary in (14..).step_by(2) {
        let ramped = Ramped::new();
        let plan = ramped.shop.save(&ramped.shop.plan());
        ramped.answers("green-at-50", ILL);
        let fault = format!("kill-at={boundary}");
        let ran = ramped.run(&["execute", &plan, "--yes", "--shift", "10,50,100", "--fault", &fault]);
        if ran.code == Some(8) {
            break;
        }
        assert_eq!(ran.code, None, "boundary {boundary}: {ran:?}");
        ramped.is_right_again("green-at-50");
        if ramped.shop.journal().last().is_some_and(|last| last == "rollback_started") && boundary % 4 == 0 {
            ramped.run(&["rollback", "--yes"]).ends(0).says("blue has all traffic");
            assert_eq!(ramped.shares().last().unwrap(), "0");
            rolled_back += 1;
            continue;
        }
        let on: &[&str] = if ramped.shop.journal().is_empty() {
            &["execute", &plan, "--yes", "--takeover-timeout", "30s"]
        } else {
            &["resume", "--yes"]
        };
        ramped.run(on).ends(0).says("is complete");
        assert_eq!(ramped.shares().last().unwrap(), "10000", "boundary {boundary}");
        resumed += 1;
    }
    assert!(resumed > 3, "{rolled_back} {resumed}");
}

#[test]
fn green_that_fails_at_its_first_share_gives_it_back() {
    let ramped = Ramped::new();
    ramped.answers("green", ILL);
    ramped.execute(&["--shift", "10,100"]).ends(8).says("green is unhealthy: 5 % errors");
    assert_eq!(ramped.shares(), ["0"], "it never got any");
}

#[test]
fn the_traffic_stays_where_it_is_if_that_was_asked_for() {
    let ramped = Ramped::new();
    ramped.answers("green", ILL);
    let mut plan = ramped.shop.plan();
    plan.release.on_failure = Some(cutover::release::OnFailure::Pause);
    let path = ramped.shop.save(&plan.sealed());
    ramped.run(&["execute", &path, "--yes"]).ends(4).says("green is unhealthy: 5 % errors").says("cutover rollback");
    assert_eq!(ramped.traffic(), Vec::<String>::new());
    // It was said when the release began, and stays so.
    ramped.run(&["resume", "--yes"]).ends(4).says("green is unhealthy");
}

#[test]
fn blue_that_fails_too_does_not_get_the_traffic() {
    let ramped = Ramped::new();
    ramped.answers("green", ILL);
    ramped.answers("blue", r#"{"health":"unhealthy","why":"it is gone"}"#);
    ramped
        .execute(&[])
        .ends(4)
        .says("green is unhealthy: 5 % errors; and going back to blue did not work: blue is unhealthy: it is gone");
    assert_eq!(ramped.traffic(), Vec::<String>::new());
}

#[test]
fn a_share_that_somebody_else_changed_is_noticed_while_it_is_held_and_left_alone() {
    let ramped = Ramped::new();
    let plan = ramped.shop.save(&ramped.shop.plan());
    let more = ["execute", &plan, "--yes", "--shift", "10,hold=1h,100", "--verify-timeout", "300ms"];
    let child = ramped.shop.spawn(&ramped.args(&more));
    until("the hold begins", || ramped.shop.journal().contains(&"hold_started".to_owned()));
    ramped.answers("verify", r#"{"verified":"not-yet","seen":0}"#);
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.ends(4).says("did not confirm green's share of 10 % in time (it saw 0 %)");
    assert_eq!(ramped.shares(), ["1000"]);
}

#[test]
fn a_ramp_that_the_backend_cannot_do_is_refused_before_anything_runs() {
    let shop = Shop::new();
    let plan = shop.save(&shop.plan());
    let refused = shop.run(&["execute", &plan, "--yes", "--shift", "10,100"]);
    refused
        .ends(2)
        .says("traffic backend manual waits for people, who move all of it at once, and the ramp is 10 % → 100 %");
    assert_eq!(shop.journal(), Vec::<String>::new());
    let switch = Ramped::new();
    let path = switch.shop.folder.path().join("move");
    std::fs::write(&path, PROGRAM.replace("weighted", "switch")).unwrap();
    switch.execute(&["--shift", "10,100"]).ends(2).says("moves all traffic or none");
}

#[test]
fn people_who_move_the_traffic_have_gates_and_a_bake_time() {
    let shop = Shop::new();
    let plan = shop.save(&shop.plan());
    let ran = shop.run(&["execute", &plan, "--yes", "--shift", "approve=qa,100,bake=100ms"]);
    ran.ends(0).says("waits for approval at the gate qa");
    shop.run(&["promote", "--yes"]).ends(2).says("at the gate qa");
    shop.run(&["promote", "--yes", "--gate", "qa"]).ends(0).says("move the traffic to it");
    shop.run(&["promote", "--yes", "--gate", "qa"]).ends(2).says("at no gate of the ramp");
    shop.run(&["promote", "--yes"]).ends(0).says("Holding   until").says("is complete");
}

/// The release begins with what the plan has of `cutover.toml`, and is carried on without a word about traffic.
#[test]
fn what_cutover_toml_says_needs_no_flags() {
    let ramped = Ramped::new();
    let shop = &ramped.shop;
    let toml = "[migrations]\nfrom = \"1\"\n[release]\nramp = \"10,hold=100ms,approve=qa,100\"\ntraffic = \"edge\"\n\
                [traffic.edge]\nkind = \"exec\"\ncommand = [\"./move\", \".\"]\n";
    std::fs::write(shop.folder.path().join("cutover.toml"), toml).unwrap();
    let here = |args: &[&str]| {
        let output = shop.cutover(args).current_dir(shop.folder.path()).output().unwrap();
        Ran::from(output)
    };
    std::fs::write(shop.folder.path().join("V2__phone.sql"), "ALTER TABLE users ADD COLUMN phone text;\n").unwrap();
    std::fs::write(shop.folder.path().join("V3__nick.sql"), "ALTER TABLE users DROP COLUMN name;\n").unwrap();
    let queries = tempfile::Builder::new().suffix(".sql").tempfile().unwrap();
    std::fs::write(queries.path(), "SELECT id FROM users;\n").unwrap();
    let queries = queries.path().to_str().unwrap();
    let queries = ["--blue", queries, "--green", queries];
    let ran = here(&[&["plan", ".", "-o", "release.plan"], &queries[..]].concat());
    ran.ends(0).says("Traffic: 10 % → hold 100ms → approve qa → 100 %, moved by edge (exec).");
    here(&["execute", "release.plan", "--yes"]).ends(0).says("waits for approval at the gate qa");
    assert_eq!(ramped.shares(), ["1000"]);
    // A program is not taken from the journal.
    shop.run(&["promote", "--yes", "--gate", "qa"])
        .ends(2)
        .says("was begun with traffic backend edge, not manual")
        .says("[traffic.edge]");
    here(&["rollback", "--yes"]).ends(0).says("blue has all traffic");
    assert_eq!(ramped.shares(), ["1000", "0"]);
    here(&["resume", "--yes"]).ends(0).says("waits for approval");
    here(&["promote", "--yes", "--gate", "qa"]).ends(0).says("is complete");
    assert_eq!(ramped.shares(), ["1000", "0", "1000", "10000"]);
}

/// A backend of the team's is not taken for the one that is built in, whatever it is called.
#[test]
fn the_plan_s_backend_comes_before_one_that_is_built_in() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    let program = |kind: &str| cutover::release::Configured {
        name: "simulated".into(),
        ..cutover::release::Configured::named(kind)
    };
    plan.release.traffic = Some(program("exec"));
    let path = shop.save(&plan.sealed());
    shop.run(&["execute", &path, "--yes"])
        .ends(2)
        .says("simulated is the name of another kind; call it something else");
}

/// What is built in is taken from the journal, from any folder.
#[test]
fn a_release_is_carried_on_with_the_backend_that_it_was_begun_with() {
    let shop = Shop::new();
    let plan = shop.save(&shop.plan());
    let ran = shop.run(&["execute", &plan, "--yes", "--traffic", "simulated", "--shift", "10,approve=qa,100"]);
    ran.ends(0).says("at the gate qa");
    shop.run(&["promote", "--yes", "--gate", "qa"]).ends(0).says("is complete");
}

#[test]
fn shares_that_come_in_steps_and_take_their_time() {
    let ramped = Ramped::new();
    let can = |more: &str| {
        let can = format!("{{\"kind\":\"weighted\",\"can_verify\":true,\"can_prove_drain\":true,{more}}}");
        ramped.answers("capabilities", &can);
    };
    can("\"grid\":500");
    ramped.execute(&["--shift", "12,100"]).ends(2).says("cannot set 12 %").says("it moves in steps of 5 %");
    can("\"grid\":500,\"converges_ms\":600");
    ramped.execute(&["--shift", "15,100"]).ends(0).says("Waiting   for everybody to go by the share of 15 %");
    let took = "SELECT bool_and(took >= interval '600 ms')::text FROM (SELECT event, at - lag(at) OVER (ORDER BY seq) AS took FROM cutover.journal) AS s WHERE event = 'shifted'";
    assert_eq!(ramped.shop.rows(took), ["true"]);
}
