//! Steps that wait for their time: a delay behind the drain, in which blue can come back, and windows of the day.

use cutover::plan::saved::SavedPlan;
use cutover::release::{PhaseTimes, ReleaseDefinition};
use jiff::{Timestamp, ToSpan as _};

use super::ramp::{ILL, Ramped};
use super::support::{Ran, Shop, until};

/// The shop's plan with a delay of an hour behind the drain.
fn delayed(shop: &Shop) -> SavedPlan {
    let mut plan = shop.plan();
    plan.release.limits.after_delay_ms = Some(3_600_000);
    plan.sealed()
}

fn an_hour_passes(shop: &Shop) {
    shop.sql("UPDATE cutover.journal SET at = at - interval '1 hour' WHERE event = 'drained'");
}

/// Two hours of the day that begin so many hours from now, in UTC.
fn window(from_now: i64) -> PhaseTimes {
    let at = |hours: i64| (Timestamp::now() + hours.hours()).strftime("%H:%M");
    let text = format!("{}-{}", at(from_now), at(from_now + 2));
    PhaseTimes { only_between: Some(text.parse().unwrap()), not_before: None }
}

fn columns(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT attname::text FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY 1")
}

#[test]
fn steps_after_the_cutover_wait_for_their_delay() {
    let shop = Shop::new();
    let plan = delayed(&shop);
    let ran = shop.execute(&plan, &[]).ends(0);
    ran.says("nothing is taken from blue before that").says("cutover resume --after-delay 0s");
    assert_eq!(columns(&shop), ["email", "id", "name", "nick", "phone"], "nothing is taken from blue");
    shop.run(&["status"]).ends(0).says("Waits      until").says("`cutover rollback`");
    shop.run(&["gate", "wait", "drained", "--timeout", "0s"]).ends(0);
    shop.run(&["status", "--timeout", "1m"]).ends(0);
    // It is no other time for whoever asks again, and no other release begins meanwhile.
    shop.resume(&[]).ends(0).says("waits until");
    let mut other = shop.plan();
    other.release.limits.lock_retries = Some(3);
    shop.execute(&other.sealed(), &[]).ends(2).says("is unfinished");
    an_hour_passes(&shop);
    shop.resume(&[]).ends(0).says("is complete");
    assert_eq!(columns(&shop), ["email", "id", "nick", "phone"]);
    let time = ["time_awaited", "time_awaited"];
    assert_eq!(shop.rows("SELECT event FROM cutover.journal WHERE event LIKE 'time%' ORDER BY seq"), time);
}

#[test]
fn a_delay_is_shortened_and_lengthened_by_whoever_carries_on() {
    let shop = Shop::new();
    let plan = delayed(&shop);
    shop.execute(&plan, &["--until", "drained"]).ends(0).says("has come to `drained`");
    shop.resume(&["--until", "drained"]).ends(0);
    an_hour_passes(&shop);
    shop.resume(&["--after-delay", "2h"]).ends(0).says("waits until");
    shop.resume(&[]).ends(0).says("waits until");
    shop.resume(&["--after-delay", "0s"]).ends(0).says("is complete");
}

#[test]
fn blue_comes_back_during_the_delay() {
    let shop = Shop::new();
    let plan = shop.save(&delayed(&shop));
    let child = shop.spawn(&["execute", &plan, "--yes", "--traffic", "simulated", "--wait"]);
    until("it waits", || shop.journal().contains(&"time_awaited".to_owned()));
    shop.run(&["rollback", "--yes", "--traffic", "simulated"]).ends(0).says("blue has all traffic");
    Ran::from(child.wait_with_output().unwrap()).ends(0).says("is rolled back");
    assert_eq!(columns(&shop), ["email", "id", "name", "nick", "phone"]);
    // Forward again, the delay begins anew.
    an_hour_passes(&shop);
    shop.resume(&[]).ends(0).says("waits until");
    an_hour_passes(&shop);
    shop.resume(&[]).ends(0).says("is complete");
}

/// Green is watched as long as blue is kept.
#[test]
fn green_that_fails_during_the_delay_gives_the_traffic_back() {
    let ramped = Ramped::new();
    let mut plan = delayed(&ramped.shop);
    plan.release = ReleaseDefinition { limits: plan.release.limits, ..watched(&ramped) };
    let plan = ramped.shop.save(&plan.sealed());
    let child = ramped.shop.spawn(&ramped.args(&["execute", &plan, "--yes", "--wait"]));
    until("it waits", || ramped.shop.journal().contains(&"time_awaited".to_owned()));
    ramped.answers("failing", "");
    Ran::from(child.wait_with_output().unwrap()).ends(8).says("check alive (watch) failed");
    assert_eq!(columns(&ramped.shop), ["email", "id", "name", "nick", "phone"]);
}

/// A check that fails once there is a file, made five times a second.
fn watched(ramped: &Ramped) -> ReleaseDefinition {
    let folder = ramped.shop.folder.path().to_str().unwrap();
    let toml = format!(
        "[release]\nwatch = [\"alive\"]\n[checks.alive]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"test ! -e {folder}/failing\"]\ninterval = \"200ms\"\n"
    );
    ramped.shop.configured(&toml)
}

#[test]
fn blue_s_sessions_that_came_back_keep_the_steps_waiting() {
    let shop = Shop::new();
    let plan = delayed(&shop);
    shop.execute(&plan, &["--blue-application-name", "shop-blue"]).ends(0).says("waits until");
    an_hour_passes(&shop);
    let mut blue = shop.client();
    blue.batch_execute("SET application_name = 'shop-blue'").unwrap();
    shop.resume(&["--after-delay", "1h"]).ends(4).says("1 came back since");
    assert_eq!(columns(&shop), ["email", "id", "name", "nick", "phone"]);
    drop(blue);
    until("blue is gone", || {
        shop.rows("SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'shop-blue'") == ["0"]
    });
    shop.resume(&[]).ends(0).says("is complete");
}

#[test]
fn a_release_does_not_begin_outside_its_window() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    plan.release.before = window(3);
    let plan = plan.sealed();
    shop.execute(&plan, &[]).ends(75).says("are not to run before").says("--at-any-time");
    assert!(shop.journal().is_empty(), "nothing was done");
    shop.execute(&plan, &["--at-any-time"]).ends(0).says("steps run at any time, says postgres").says("is complete");
    assert_eq!(shop.rows("SELECT event FROM cutover.journal WHERE event = 'time_came'"), ["time_came"]);
}

#[test]
fn steps_after_the_cutover_have_a_window_of_their_own() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    (plan.release.before, plan.release.after) = (window(-1), window(3));
    let plan = plan.sealed();
    shop.execute(&plan, &[]).ends(0).says("waits until").says("cutover resume --at-any-time");
    assert_eq!(columns(&shop), ["email", "id", "name", "nick", "phone"]);
    shop.run(&["status"]).ends(0).says("Waits      until");
    shop.resume(&["--until", "drained"]).ends(0);
    shop.resume(&["--at-any-time"]).ends(0).says("is complete");
}

/// Somebody who waits goes on by themselves once it is time.
#[test]
fn whoever_waits_goes_on_when_the_time_comes() {
    let shop = Shop::new();
    let mut plan = shop.plan();
    // A crowded machine takes its time until then.
    let soon = Timestamp::now() + 12.seconds();
    plan.release.after.not_before = Some(soon);
    let plan = shop.save(&plan.sealed());
    let child = shop.spawn(&["execute", &plan, "--yes", "--traffic", "simulated", "--wait"]);
    until("it waits", || shop.journal().contains(&"time_awaited".to_owned()));
    assert_eq!(columns(&shop), ["email", "id", "name", "nick", "phone"]);
    Ran::from(child.wait_with_output().unwrap()).ends(0).says("is complete");
    assert!(Timestamp::now() >= soon);
    assert!(shop.journal().contains(&"time_came".to_owned()));
}

/// What an executor was told when it waits is heard by none that has gone on.
#[test]
fn a_pause_is_heard_while_it_waits() {
    let shop = Shop::new();
    let plan = shop.save(&delayed(&shop));
    let child = shop.spawn(&["execute", &plan, "--yes", "--traffic", "simulated", "--wait"]);
    until("it waits", || shop.journal().contains(&"time_awaited".to_owned()));
    shop.run(&["pause"]).ends(0).says("is paused");
    shop.run(&["resume", "--yes", "--traffic", "simulated"]).ends(0).says("goes on");
    until("it waits again", || shop.journal().iter().filter(|event| *event == "time_awaited").count() == 2);
    shop.run(&["rollback", "--yes", "--traffic", "simulated"]).ends(0);
    Ran::from(child.wait_with_output().unwrap()).ends(0).says("is rolled back");
}

#[test]
fn green_is_ill_once_the_delay_is_over() {
    let ramped = Ramped::new();
    let plan = ramped.shop.save(&delayed(&ramped.shop));
    ramped.run(&["execute", &plan, "--yes"]).ends(0).says("waits until");
    ramped.answers("green", ILL);
    an_hour_passes(&ramped.shop);
    // The time in which blue is kept is over: people decide.
    ramped.run(&["resume", "--yes"]).ends(4).says("green is unhealthy: 5 % errors");
    assert_eq!(columns(&ramped.shop), ["email", "id", "name", "nick", "phone"]);
    ramped.is_right_again("green");
    ramped.run(&["resume", "--yes"]).ends(0).says("is complete");
}

#[test]
fn what_is_owed_is_listed_by_its_age() {
    let shop = Shop::new();
    let nothing = "No step after a cutover is owed";
    shop.run(&["debt", "--fail-if-older-than", "0s"]).ends(0).says(nothing);
    shop.execute(&delayed(&shop), &[]).ends(0);
    let owed = shop
        .run(&["debt"])
        .ends(0)
        .says("(0 min): green has had all traffic")
        .says("Next       `cutover resume`, or `cutover rollback`");
    owed.says("Step       4 (step 4, ALTER TABLE) at V3__nick.sql:2:1").says("Step       5 (step 5, DROP INDEX)");
    an_hour_passes(&shop);
    shop.sql("UPDATE cutover.journal SET at = at - interval '8 days' WHERE event IN ('shifted', 'drain_started')");
    shop.run(&["debt", "--fail-if-older-than", "9d"]).ends(0).says("(8 days)");
    let json = shop.run(&["debt", "--fail-if-older-than", "7d", "--format", "json"]).ends(1);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["format_version"], &json["debt"]["steps"][1]["step"]), (&"1.0".into(), &5.into()));
    shop.resume(&[]).ends(0).says("is complete");
    shop.run(&["debt"]).ends(0).says(nothing);
}

#[test]
fn an_owed_step_is_left_out() {
    let shop = Shop::new();
    let mut plan = delayed(&shop);
    plan.steps[4].needs = vec![cutover::plan::saved::StepNeed { step: 4, why: vec!["users".into()] }];
    shop.execute(&plan.sealed(), &[]).ends(0);
    let skip = |step: &str| shop.resume(&["--skip", step, "--reason", "the report needs it"]);
    skip("4").ends(2).says("step 4 cannot be left out: step 5 needs it").says("--skip 5");
    skip("2").ends(2).says("step 2 is not the one");
    skip("5").ends(0).says("is left out, says postgres").says("waits until");
    let owed = shop.run(&["debt"]).ends(0).says("Step       4");
    assert!(!owed.out.contains("Step       5"), "{}", owed.out);
    an_hour_passes(&shop);
    shop.resume(&[]).ends(0).says("is complete");
    assert_eq!(columns(&shop), ["email", "id", "nick", "phone"]);
    assert_eq!(shop.rows("SELECT relname::text FROM pg_class WHERE relname = 'users_old'"), ["users_old"]);
}

/// Killed anywhere around its wait, it is carried on to the same end, and nothing comes before its time.
#[test]
fn whoever_waited_was_killed() {
    let undisturbed = Shop::new();
    undisturbed.execute(&brief(&undisturbed), &["--wait"]).ends(0);
    let facts = |shop: &Shop| {
        let mut facts = shop.facts();
        facts.retain(|fact| !fact.starts_with("time_"));
        facts
    };
    let mut killed = 0;
    for boundary in (18..).step_by(2) {
        let shop = Shop::new();
        let fault = format!("kill-at={boundary}");
        let ran = shop.execute(&brief(&shop), &["--wait", "--fault", &fault]);
        if ran.code.is_some() {
            ran.ends(0);
            break;
        }
        killed += 1;
        shop.resume(&["--wait", "--takeover-timeout", "30s"]).ends(0).says("is complete");
        assert_eq!((facts(&shop), shop.schema()), (facts(&undisturbed), undisturbed.schema()), "{fault}");
        let early = "SELECT count(*)::text FROM cutover.journal s JOIN cutover.journal d ON d.event = 'drained'
            WHERE s.event = 'step_succeeded' AND s.step > 3 AND s.at < d.at + interval '700 ms'";
        assert_eq!(shop.rows(early), ["0"], "{fault}");
    }
    assert!(killed > 5, "{killed}");
}

/// The shop's plan with a delay that a test can wait for.
fn brief(shop: &Shop) -> SavedPlan {
    let mut plan = shop.plan();
    plan.release.limits.after_delay_ms = Some(700);
    plan.sealed()
}

/// What is written a moment before the time comes counts, too.
#[test]
fn a_pause_just_before_its_time() {
    let shop = Shop::new();
    let folder = shop.folder.path().to_str().unwrap().to_owned();
    let toml = format!(
        "[release]\nwatch = [\"slow\"]\n[checks.slow]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"touch {folder}/asked; while test -e {folder}/hold; do sleep 0.02; done\"]\ninterval = \"100ms\"\ntimeout = \"60s\"\n"
    );
    let mut plan = brief(&shop);
    plan.release = ReleaseDefinition { limits: plan.release.limits, ..shop.configured(&toml) };
    plan.release.limits.after_delay_ms = Some(4_000);
    let plan = shop.save(&plan.sealed());
    let child = shop.spawn(&["execute", &plan, "--yes", "--traffic", "simulated", "--wait"]);
    until("it waits", || shop.journal().contains(&"time_awaited".to_owned()));
    std::fs::write(format!("{folder}/hold"), "").unwrap();
    std::fs::remove_file(format!("{folder}/asked")).unwrap();
    until("it asks how green does", || std::fs::exists(format!("{folder}/asked")).unwrap());
    let pause = shop.spawn(&["pause"]);
    until("the pause is written", || shop.journal().contains(&"pause_asked".to_owned()));
    // Its time comes meanwhile.
    shop.sql("SELECT pg_sleep(4)");
    std::fs::remove_file(format!("{folder}/hold")).unwrap();
    Ran::from(pause.wait_with_output().unwrap()).ends(0).says("is paused");
    assert_eq!(columns(&shop), ["email", "id", "name", "nick", "phone"], "nothing is taken from blue");
    shop.run(&["resume", "--yes", "--traffic", "simulated"]).ends(0);
    Ran::from(child.wait_with_output().unwrap()).ends(0).says("is complete");
}

/// A step that failed has taken nothing from blue: what waits for its delay waits for it again.
#[test]
fn a_step_that_failed_has_begun_nothing() {
    let shop = Shop::new();
    let plan = delayed(&shop);
    shop.execute(&plan, &[]).ends(0);
    an_hour_passes(&shop);
    let mut reader = shop.client();
    reader.batch_execute("BEGIN; LOCK TABLE users IN ACCESS SHARE MODE").unwrap();
    shop.resume(&["--lock-timeout", "20ms", "--lock-retries", "0"]).ends(4).says("step 4");
    shop.run(&["rollback", "--yes", "--traffic", "simulated"]).ends(0);
    reader.batch_execute("COMMIT").unwrap();
    shop.resume(&[]).ends(0).says("waits until");
    an_hour_passes(&shop);
    shop.resume(&[]).ends(0).says("is complete");
}

/// Whoever is called before the first step is called when it is its time.
#[test]
fn a_hook_waits_with_the_steps_that_it_comes_before() {
    let shop = Shop::new();
    let folder = shop.folder.path().to_str().unwrap().to_owned();
    let hook = |name: &str| format!("[hooks.{name}]\nkind = \"command\"\ncommand = [\"touch\", \"{folder}/{name}\"]\n");
    let toml = ["before-expand", "before-contract"].map(hook).concat();
    let mut plan = delayed(&shop);
    plan.release = ReleaseDefinition { limits: plan.release.limits, ..shop.configured(&toml) };
    let path = shop.save(&plan.sealed());
    let run = |args: &[&str]| {
        let args = [args, &["--yes", "--traffic", "simulated"]].concat();
        Ran::from(shop.cutover(&args).current_dir(&folder).output().unwrap()).ends(0)
    };
    run(&["execute", &path]).says("waits until");
    let called = |name: &str| std::fs::exists(format!("{folder}/{name}")).unwrap();
    assert!(called("before-expand") && !called("before-contract"));
    an_hour_passes(&shop);
    run(&["resume"]).says("is complete");
    assert!(called("before-contract"));
}

/// A step that was never begun has taken nothing from blue when it is left out.
#[test]
fn blue_comes_back_although_a_step_was_left_out() {
    let shop = Shop::new();
    shop.execute(&delayed(&shop), &[]).ends(0);
    shop.resume(&["--skip", "4", "--reason", "not yet"]).ends(0).says("gives blue the traffic again");
    shop.run(&["rollback", "--yes", "--traffic", "simulated"]).ends(0).says("blue has all traffic");
    shop.resume(&["--after-delay", "0s"]).ends(0).says("Point of no return passed with step 5");
}

#[test]
fn whoever_watches_sees_a_failure_while_it_waits() {
    let ramped = Ramped::new();
    let mut plan = delayed(&ramped.shop);
    let on_failure = Some(cutover::release::OnFailure::Pause);
    plan.release = ReleaseDefinition { limits: plan.release.limits, on_failure, ..watched(&ramped) };
    let plan = ramped.shop.save(&plan.sealed());
    let child = ramped.shop.spawn(&ramped.args(&["execute", &plan, "--yes", "--wait"]));
    until("it waits", || ramped.shop.journal().contains(&"time_awaited".to_owned()));
    ramped.answers("failing", "");
    Ran::from(child.wait_with_output().unwrap()).ends(4).says("check alive (watch) failed");
    ramped.shop.run(&["status", "--timeout", "1m"]).ends(4);
}
