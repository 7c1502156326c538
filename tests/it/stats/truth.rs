//! The ranges against the time that PostgreSQL takes.

use std::time::Instant;

use cutover::migrations::{Convention, Folder};
use cutover::plan::{Request, plan};
use cutover::postgres::measure;
use cutover::stats::{Settings, Weighing};

use crate::support;

const TABLES: &str = "CREATE TABLE narrow (id bigint NOT NULL, n int, ref bigint, t text);
    CREATE TABLE wide (id bigint NOT NULL, n int, t text);
    CREATE TABLE parent (id bigint PRIMARY KEY);";
const ROWS: &str = "INSERT INTO parent SELECT generate_series(1, 1000);
    INSERT INTO narrow SELECT i, i % 1000, 1 + i % 1000, md5(i::text) FROM generate_series(1, 300000) i;
    INSERT INTO wide SELECT i, i % 1000, repeat(md5(i::text), 30) FROM generate_series(1, 30000) i;";
const OPERATIONS: [&str; 10] = [
    "ALTER TABLE narrow ADD COLUMN x int",
    "ALTER TABLE narrow ADD CONSTRAINT c CHECK (n >= 0)",
    "ALTER TABLE narrow ALTER COLUMN n SET NOT NULL",
    "ALTER TABLE narrow ADD CONSTRAINT f FOREIGN KEY (ref) REFERENCES parent",
    "CREATE INDEX narrow_t ON narrow (t)",
    "ALTER TABLE narrow ADD CONSTRAINT u UNIQUE (id)",
    "ALTER TABLE narrow ALTER COLUMN n TYPE bigint",
    "ALTER TABLE wide ALTER COLUMN n SET NOT NULL",
    "CREATE INDEX wide_id ON wide (id)",
    "ALTER TABLE wide ADD COLUMN u uuid DEFAULT gen_random_uuid()",
];

/// A machine under load may take any time, and a new one less than any that was measured, so a time is held to its range with a factor of
/// twenty on both sides and five seconds of grace; the table on stderr shows the exact figures.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_held_as_long_as_was_said() {
    let session = support::database().await.connect().await;
    session.batch_execute(TABLES).await.unwrap();
    session.batch_execute(ROWS).await.unwrap();
    session.batch_execute("VACUUM ANALYZE").await.unwrap();
    for operation in OPERATIONS {
        let statistics = measure(&session).await.unwrap();
        let weighing = Weighing::new(statistics, Settings::default(), Some(0.0));
        let version = weighing.version();
        let applied = format!("{TABLES} ALTER TABLE narrow ADD CONSTRAINT u UNIQUE (id);");
        let applied = if operation.contains(" u UNIQUE") { TABLES.to_owned() } else { applied };
        let files = [("V1__base.sql".into(), applied), ("V2__it.sql".into(), format!("{operation};"))];
        let folder = Folder::from_files(Convention::Refinery, files).unwrap();
        let pending = folder.pending_after(Some("1")).unwrap();
        let planned = plan(Request { weighing: Some(&weighing), version, ..Request::new(&folder, &pending) });
        let held = &planned.plan.steps[0].load.as_ref().unwrap().held;
        let begun = Instant::now();
        session.batch_execute(operation).await.unwrap();
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap();
        let high = held.high_ms.unwrap();
        eprintln!("{took:>6} ms of {:>4} to {high:>6} ms  {operation}", held.low_ms);
        assert!(took * 20 + 20 >= held.low_ms && took <= high * 20 + 5_000, "{operation}: {took} ms, {held:?}");
    }
}
