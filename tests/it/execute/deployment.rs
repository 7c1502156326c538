//! A platform that moves the traffic by deployments of its own (`platform.py`): what is asked of it, and when.

use std::os::unix::fs::PermissionsExt as _;

use super::support::{Ran, Shop, until};

/// What a deployment of most tests goes through.
const STAGES: &str = r#"[{"gate": "ready", "share": 0}, {"share": 1000, "polls": 2}, {"share": 10000}, {"gate": "old", "share": 10000}]"#;

struct Platform {
    shop: Shop,
}

impl Platform {
    /// A shop whose traffic it moves. `release` is what stands under `[release]`, and behind it.
    fn new(stages: &str, release: &str) -> Self {
        let shop = Shop::new();
        let own = Self { shop };
        own.write("platform.py", include_str!("platform.py"));
        std::fs::set_permissions(own.path("platform.py"), std::fs::Permissions::from_mode(0o755)).unwrap();
        own.write("stages", stages);
        let settings = format!(
            "[release]\ntraffic = \"platform\"\n{release}\n[traffic.platform]\nkind = \"exec\"\ncommand = [\"./platform.py\", \".\"]\n"
        );
        own.write("cutover.toml", &settings);
        let config = cutover::config::find(own.shop.folder.path().try_into().unwrap()).unwrap().unwrap();
        let mut plan = own.shop.plan();
        plan.release = config.inputs.release;
        own.shop.save(&plan.sealed());
        own
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.shop.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.shop.cutover(args).current_dir(self.shop.folder.path()).output().unwrap())
    }

    fn execute(&self) -> Ran {
        self.run(&["execute", "release.plan", "--yes"])
    }

    /// What it was told to do, without questions.
    fn told(&self) -> Vec<String> {
        let state: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.path("platform.json")).unwrap()).unwrap();
        let calls = state["calls"].as_array().unwrap().iter().map(|call| call.as_str().unwrap().to_owned());
        calls.filter(|call| ["start", "answer", "abort"].iter().any(|word| call.starts_with(word))).collect()
    }

    fn deployments(&self) -> usize {
        let state: serde_json::Value =
            serde_json::from_slice(&std::fs::read(self.path("platform.json")).unwrap()).unwrap();
        state["deployments"].as_object().unwrap().len()
    }

    fn count(&self, event: &str) -> usize {
        self.shop.journal().iter().filter(|known| *known == event).count()
    }
}

/// A release without steps after the cutover ends the deployment all the same.
#[test]
fn without_steps_afterwards_blue_goes_too() {
    use cutover::plan::saved::Phase;
    let platform = Platform::new(STAGES, CHECKS);
    check("green", "exit 0", &platform);
    check("errors", "exit 0", &platform);
    let config = cutover::config::find(platform.shop.folder.path().try_into().unwrap()).unwrap().unwrap();
    let mut plan = platform.shop.plan();
    plan.steps.retain(|step| step.phase == Phase::Before);
    plan.release = config.inputs.release;
    platform.shop.save(&plan.sealed());
    platform.execute().ends(0).says("is complete");
    assert_eq!(platform.told(), ["start", "answer ready", "answer old"]);
}

/// A check that is a program of the folder, and what it says.
fn check(name: &str, script: &str, platform: &Platform) {
    platform.write(name, &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(platform.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
}

const CHECKS: &str = "smoke = [\"green\"]\nwatch = [\"errors\"]\n\
    [checks.green]\nkind = \"command\"\ncommand = [\"./green\"]\ninterval = \"10ms\"\n\
    [checks.errors]\nkind = \"command\"\ncommand = [\"./errors\"]\ninterval = \"100ms\"\n";

#[test]
fn a_deployment_is_followed_from_gate_to_gate() {
    let platform = Platform::new(STAGES, CHECKS);
    check("green", "echo smoke >> log; cat platform.json >> log", &platform);
    check("errors", "exit 0", &platform);
    let ran = platform.execute().ends(0);
    assert_eq!(platform.told(), ["start", "answer ready", "answer old"], "{ran:?}");
    // Before green had any traffic; and blue was given up when it was to be drained.
    let log = std::fs::read_to_string(platform.path("log")).unwrap();
    assert!(!log.contains("answer ready"), "{log}");
    let traffic =
        ["deployment_asked", "deployment_started", "checked", "gate_passed", "shifted", "drain_started", "drained"];
    let journal = platform.shop.journal();
    let seen: Vec<&str> = journal.iter().map(String::as_str).filter(|event| traffic.contains(event)).collect();
    let expected = [
        "deployment_asked",
        "deployment_started",
        "checked",
        "gate_passed",
        "shifted",
        "shifted",
        "drain_started",
        "gate_passed",
        "drained",
    ];
    assert_eq!(seen, expected, "{ran:?}");
    platform.run(&["status"]).ends(0);
}

#[test]
fn a_gate_that_asks_waits_for_a_word() {
    let stages = STAGES.replace("\"gate\": \"ready\"", "\"approval\": true, \"gate\": \"ready\"");
    let platform = Platform::new(&stages, "");
    platform.execute().ends(0).says("waits for approval at the gate ready");
    assert_eq!(platform.told(), ["start"]);
    platform.run(&["promote", "--yes"]).ends(2).says("--gate ready");
    platform.run(&["promote", "--yes", "--gate", "other"]).ends(2);
    platform.run(&["status"]).says("cutover promote --gate ready");
    platform.run(&["promote", "--yes", "--gate", "ready", "--reason", "looks well"]).ends(0);
    assert_eq!(platform.told(), ["start", "answer ready", "answer old"]);
}

#[test]
fn green_that_fails_ends_it() {
    // Before any traffic.
    let platform = Platform::new(STAGES, CHECKS);
    check("green", "exit 1", &platform);
    check("errors", "exit 0", &platform);
    platform.execute().ends(8).says("check green (smoke) failed");
    assert_eq!(platform.told(), ["start", "abort"]);
    // With traffic.
    check("green", "exit 0", &platform);
    check("errors", "! grep -q 'answer ready' platform.json", &platform);
    platform.run(&["resume", "--yes"]).ends(8).says("check errors (watch) failed");
    assert_eq!(platform.told(), ["start", "abort", "start", "answer ready", "abort"]);
    // And once more, well.
    check("errors", "exit 0", &platform);
    platform.run(&["resume", "--yes"]).ends(0).says("is complete");
    assert_eq!((platform.deployments(), platform.count("rolled_back")), (3, 2));
}

#[test]
fn what_the_platform_makes_of_it_is_said() {
    let alarm = Platform::new(r#"[{"share": 1000}, {"rolled-back": "alarm errors"}]"#, "");
    alarm.execute().ends(8).says("was rolled back by the platform: alarm errors");
    assert_eq!(alarm.told(), ["start"]);
    let failed = Platform::new(r#"[{"share": 1000}, {"failed": "no capacity"}]"#, "");
    failed.execute().ends(8).says("failed: no capacity");
    assert_eq!(failed.told(), ["start", "abort"]);
    let paused = Platform::new(r#"[{"share": 1000}, {"failed": "no capacity"}]"#, "on-failure = \"pause\"");
    paused.execute().ends(4).says("failed: no capacity").says("cutover rollback");
    paused.write("stages", STAGES.replace("\"ready\"", "\"go\"").as_str());
    paused.run(&["rollback", "--yes"]).ends(0);
    paused.run(&["resume", "--yes"]).ends(0);
    assert_eq!(paused.told(), ["start", "abort", "start", "answer go", "answer old"]);
}

#[test]
fn a_platform_without_gates() {
    let platform = Platform::new(
        r#"[{"share": 1000}, {"share": 10000}]"#,
        "smoke = [\"green\"]\n[checks.green]\nkind = \"command\"\ncommand = [\"./green\"]\n",
    );
    check("green", "exit 0", &platform);
    platform
        .execute()
        .ends(0)
        .says("the platform gave green traffic without a gate before it")
        .says("Drained   blue: the platform has no task of blue");
    // With green everything and blue gone there is no way back by it.
    let over = Platform::new("[]", "ramp = \"100,approve=qa\"");
    over.execute().ends(0).says("the platform has given up blue");
    over.run(&["rollback", "--yes"]).ends(4).says("is over, and blue is gone");
    over.run(&["status"]).ends(0).says("cutover promote --gate qa");
    over.run(&["promote", "--yes", "--gate", "qa"]).ends(0).says("is complete");
    // It ends while the release is on its way back: forward is what is left.
    let late = Platform::new(
        r#"[{"share": 10000}]"#,
        "ramp = \"100,check=green,approve=qa\"\n[checks.green]\nkind = \"command\"\ncommand = [\"./green\"]\n",
    );
    check("green", "exit 1", &late);
    late.execute().ends(4).says("is over, and blue is gone");
    check("green", "exit 0", &late);
    late.run(&["resume", "--yes"]).ends(0).says("waits for approval at the gate qa");
    late.run(&["promote", "--yes", "--gate", "qa"]).ends(0).says("is complete");
}

/// Somebody tells a release to go back that waits with blue gone already: forward is what is left of it.
#[test]
fn a_way_back_that_is_not_there_leads_forward() {
    let over = Platform::new("[]", "ramp = \"100,approve=qa\"");
    let mut command = over.shop.cutover(&["execute", "release.plan", "--yes", "--wait"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let waiting = command.current_dir(over.shop.folder.path()).spawn().unwrap();
    until("it waits", || over.count("approval_awaited") == 1);
    over.run(&["rollback", "--yes"]).ends(4);
    Ran::from(waiting.wait_with_output().unwrap()).ends(4).says("is over, and blue is gone");
    assert_eq!((over.count("rollback_started") > 0, over.count("blue_gone")), (true, 1));
    over.run(&["resume", "--yes"]).ends(0).says("waits for approval at the gate qa");
    over.run(&["promote", "--yes", "--gate", "qa"]).ends(0).says("is complete");
}

#[test]
fn a_platform_that_is_slow_or_blind() {
    // It still stands at a gate that it was let through, for it.
    let slow = Platform::new(STAGES, "");
    slow.write("lags", "");
    slow.execute().ends(0);
    assert_eq!(slow.told(), ["start", "answer ready", "answer old"]);
    // It does not say the share, and shows it otherwise; or not at all.
    let blind = Platform::new(STAGES, "ramp = \"100,approve=qa\"");
    blind.write("blind", "");
    blind.execute().ends(0).says("at the gate qa");
    assert_eq!(blind.told(), ["start", "answer ready"]);
    let wholly = Platform::new(STAGES, "");
    wholly.write("blind", "wholly");
    wholly.execute().ends(4).says("at its gate ready nobody knows green's share");
}

#[test]
fn gates_of_one_name_are_not_approved_at_once() {
    let stages = r#"[{"gate": "one", "share": 0, "approval": true}, {"gate": "two", "share": 1000, "approval": true}, {"gate": "old", "share": 10000}]"#;
    let platform = Platform::new(stages, "");
    platform.execute().ends(0).says("at the gate one");
    platform.run(&["promote", "--yes", "--gate", "one"]).ends(0).says("at the gate two");
    platform.run(&["promote", "--yes", "--gate", "two"]).ends(0).says("is complete");
}

#[test]
fn a_crash_begins_no_second_deployment() {
    let platform = Platform::new(STAGES, "");
    platform.write("dies", "");
    platform.execute().ends(4);
    platform.run(&["resume", "--yes"]).ends(0);
    assert_eq!(platform.deployments(), 1);
    assert_eq!(platform.count("deployment_asked"), 1);
    // On the way back, too.
    let platform = Platform::new(STAGES, "");
    platform.write("dies", "");
    platform.execute().ends(4);
    platform.run(&["rollback", "--yes"]).ends(0);
    assert_eq!(platform.told(), ["start", "start", "abort"]);
    assert_eq!(platform.deployments(), 1);
}

#[test]
fn it_is_paused_and_aborted_on_its_way() {
    let platform = Platform::new(STAGES, "");
    platform.write("stay", "");
    let spawn = |args: &[&str]| {
        let mut command = platform.shop.cutover(args);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.current_dir(platform.shop.folder.path()).spawn().unwrap()
    };
    let running = spawn(&["execute", "release.plan", "--yes"]);
    until("green has traffic", || platform.count("shifted") == 1);
    platform.run(&["pause", "--reason", "lunch"]).ends(0);
    Ran::from(running.wait_with_output().unwrap()).ends(9);
    let running = spawn(&["resume", "--yes"]);
    until("it goes on", || platform.count("resumed") == 1);
    platform.run(&["abort", "--yes"]).ends(0);
    let _ = Ran::from(running.wait_with_output().unwrap());
    assert_eq!(platform.told(), ["start", "answer ready", "abort"]);
    assert_eq!(platform.shop.rows("SELECT count(*)::text FROM cutover.journal WHERE event = 'rolled_back'"), ["1"]);
}

#[test]
fn a_ramp_of_several_shares_is_not_the_platforms() {
    let platform = Platform::new(STAGES, "ramp = \"10,100\"");
    platform.execute().ends(2).says("which moves the traffic by its own settings");
    let busy = Platform::new(STAGES, "");
    busy.write("busy", "");
    busy.execute().ends(4).says("another deployment is running (conflict)");
    // None was begun, so that the way back begins none either.
    busy.run(&["rollback", "--yes"]).ends(0);
    busy.run(&["resume", "--yes"]).ends(4);
    std::fs::remove_file(busy.path("busy")).unwrap();
    busy.run(&["resume", "--yes"]).ends(0);
}

#[test]
fn it_is_carried_on_where_it_was_begun() {
    let platform = Platform::new(STAGES, "");
    platform.write("target", r#"{"at": "account 1", "resource": "shop"}"#);
    platform.write("busy", "");
    platform.execute().ends(4);
    std::fs::remove_file(platform.path("busy")).unwrap();
    platform.write("target", r#"{"at": "account 2", "resource": "shop"}"#);
    let other = "moves shop at account 2, and the release was begun with shop at account 1";
    platform.run(&["resume", "--yes"]).ends(2).says(other);
    platform.run(&["rollback", "--yes"]).ends(2).says(other);
    platform.write("target", r#"{"at": "account 1", "resource": "shop"}"#);
    platform.run(&["resume", "--yes"]).ends(0);
}
