//! The limits of a release stay with it.

use super::support::Shop;

#[test]
fn whoever_carries_on_keeps_the_limits_that_the_release_was_begun_with() {
    let shop = Shop::new();
    let plan = shop.plan();
    let mut blocker = shop.client();
    let mut blocking = blocker.transaction().unwrap();
    blocking.batch_execute("LOCK TABLE users IN ACCESS SHARE MODE").unwrap();
    let begun = shop.execute(&plan, &["--lock-timeout", "20ms", "--lock-retries", "1", "--drain-timeout", "7m"]);
    begun.ends(4).says("attempt 1 of 2").says("blocked by");
    let resumed = shop.resume(&[]).ends(4).says("attempt 1 of 2");
    assert!(!resumed.err.contains("attempt 2 of"), "{}", resumed.err);
    // What is said later counts from then on, and leaves the rest as it was.
    shop.resume(&["--lock-retries", "0"]).ends(4);
    let resumed = shop.resume(&[]).ends(4);
    assert!(!resumed.err.contains("attempt 1 of"), "{}", resumed.err);
    let limits = "SELECT detail->>'limits' FROM cutover.journal WHERE detail ? 'limits' ORDER BY seq";
    let begun_with = r#"{"lock_retries": 1, "lock_timeout_ms": 20, "drain_timeout_ms": 420000}"#;
    assert_eq!(shop.rows(limits), [begun_with, r#"{"lock_retries": 0}"#]);
    blocking.rollback().unwrap();
    shop.resume(&[]).ends(0);
}
