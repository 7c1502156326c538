//! Crash by exhaustion: SIGKILL at every journal boundary, then `resume`; the end must be that of an undisturbed run.

use super::support::Shop;

const RAMP: &str = "50,hold=20ms,100,bake=20ms";

#[test]
fn killed_at_every_boundary_and_resumed() {
    let undisturbed = Shop::new();
    undisturbed.execute(&undisturbed.plan(), &["--shift", RAMP]).ends(0);
    let (schema, facts) = (undisturbed.schema(), undisturbed.facts());

    let mut boundary = 0;
    loop {
        boundary += 1;
        let shop = Shop::new();
        let plan = shop.plan();
        let fault = format!("kill-at={boundary}");
        let killed = shop.execute(&plan, &["--shift", RAMP, "--fault", &fault]);
        if killed.code == Some(0) {
            break;
        }
        assert_eq!(killed.code, None, "boundary {boundary}: {killed:?}");
        let begun = shop.run(&["status"]).ends(0).says("").out.contains("Release ");
        if begun {
            // Once more in the middle of the first thing that resume does, and once more a little later.
            assert!(matches!(shop.resume(&["--fault", "kill-at=1"]).code, None | Some(0)));
            assert!(matches!(shop.resume(&["--fault", "kill-at=4"]).code, None | Some(0)));
            shop.resume(&[]).ends(0).says("complete");
        } else {
            // The server may not have noticed yet that the first one is gone.
            shop.execute(&plan, &["--shift", RAMP, "--takeover-timeout", "30s"]).ends(0);
        }
        assert_eq!(shop.schema(), schema, "boundary {boundary}");
        assert_eq!(shop.facts(), facts, "boundary {boundary}");
    }
    assert!(boundary > 30, "only {boundary} boundaries");
}

/// Kills a command at every boundary and runs it again, until it ends by itself.
fn at_every_boundary(prepare: impl Fn() -> Shop, command: &str, check: impl Fn(&Shop, u32)) {
    for boundary in 1.. {
        let shop = prepare();
        let ran = shop.run(&[command, "--yes", "--fault", &format!("kill-at={boundary}")]);
        if ran.code == Some(0) {
            assert!(boundary > 3, "only {boundary} boundaries");
            return;
        }
        assert_eq!(ran.code, None, "boundary {boundary}: {ran:?}");
        check(&shop, boundary);
    }
}

#[test]
fn a_killed_rollback_is_rolled_back_again() {
    at_every_boundary(Shop::waiting, "rollback", |shop, boundary| {
        let again = shop.run(&["rollback", "--yes"]);
        assert!(again.code == Some(0) || again.err.contains("no unfinished release"), "boundary {boundary}: {again:?}");
        shop.run(&["status"]).ends(0).says("rolled back");
    });
}

#[test]
fn a_killed_promotion_counts_or_does_not() {
    at_every_boundary(Shop::waiting, "promote", |shop, boundary| {
        let again = shop.run(&["promote", "--yes", "--takeover-timeout", "10s"]);
        if again.code != Some(0) {
            assert!(again.err.contains("does not wait for approval"), "boundary {boundary}: {again:?}");
            shop.run(&["resume", "--yes"]).ends(0);
        }
        shop.run(&["status"]).ends(0).says("Stage      done");
    });
}
