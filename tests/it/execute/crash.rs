//! Crash by exhaustion: SIGKILL at every journal boundary, then `resume`; the end must be that of an undisturbed run.

use super::support::Shop;

#[test]
fn killed_at_every_boundary_and_resumed() {
    let undisturbed = Shop::new();
    undisturbed.execute(&undisturbed.plan(), &["--shift", "50,100"]).ends(0);
    let (schema, facts) = (undisturbed.schema(), undisturbed.facts());

    let mut boundary = 0;
    loop {
        boundary += 1;
        let shop = Shop::new();
        let plan = shop.plan();
        let fault = format!("kill-at={boundary}");
        let killed = shop.execute(&plan, &["--shift", "50,100", "--fault", &fault]);
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
            shop.execute(&plan, &["--shift", "50,100"]).ends(0);
        }
        assert_eq!(shop.schema(), schema, "boundary {boundary}");
        assert_eq!(shop.facts(), facts, "boundary {boundary}");
    }
    assert!(boundary > 30, "only {boundary} boundaries");
}
