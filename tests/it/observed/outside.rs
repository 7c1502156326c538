//! Statements outside a transaction keep no locks to look at afterwards. They wait for writers, though: while another session writes, they
//! stand still with their locks in hand.

use cutover::effect::{Fact, LockMode, PgVersion, hazard};
use cutover::postgres::Session;
use cutover::schema::Schema;
use cutover::source::Sources;
use cutover::sql;

use crate::support;

const BASE: &str = "CREATE TABLE t (id int PRIMARY KEY, a int);
CREATE INDEX old ON t (a);
CREATE TABLE part (k int NOT NULL) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF part FOR VALUES FROM (0) TO (100);
";

/// The strongest lock on each table, while the statement waits for a writer of `written`.
async fn held(statement: &str, written: &str) -> Result<Vec<String>, String> {
    let database = support::database().await;
    let (runs, watches) = (database.connect().await, database.connect().await);
    runs.batch_execute(BASE).await.unwrap();
    watches.batch_execute(&format!("BEGIN; LOCK TABLE {written} IN ROW EXCLUSIVE MODE")).await.unwrap();
    let watch = async {
        while !waits(&watches, runs.backend_pid()).await {
            tokio::task::yield_now().await;
        }
        let locks = locks(&watches, runs.backend_pid()).await;
        watches.batch_execute("COMMIT").await.unwrap();
        locks
    };
    // A statement that fails does not wait.
    let run = async { runs.batch_execute(statement).await.map_err(|error| support::message(&error)) };
    tokio::try_join!(run, async { Ok(watch.await) }).map(|((), locks)| locks)
}

async fn waits(session: &Session, pid: i32) -> bool {
    let sql = "SELECT pg_catalog.pg_backend_pid() = ANY (pg_catalog.pg_blocking_pids($1))";
    session.query_one(sql, &[&pid]).await.unwrap().get(0)
}

async fn locks(session: &Session, pid: i32) -> Vec<String> {
    let sql = "SELECT c.relname::text, l.mode FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
               WHERE l.pid = $1 AND c.relkind IN ('r', 'p') AND c.oid >= 16384 AND l.mode <> 'AccessShareLock' ORDER BY 1, 2";
    let rows = session.query(sql, &[&pid]).await.unwrap();
    rows.iter().map(|row| format!("{} {}", row.get::<_, &str>(0), row.get::<_, &str>(1))).collect()
}

/// What the text says.
fn said(statement: &str, version: PgVersion) -> Vec<String> {
    let mut sources = Sources::new();
    let files = [sources.add("base.sql", BASE), sources.add("a.sql", statement)];
    let read = files.map(|file| sql::read(&sources, file).0);
    let pieces = read[0].iter().flat_map(|s| &s.pieces);
    let schema = pieces.fold(Schema::empty(), |schema, piece| schema.apply(&piece.operation).schema);
    let cost = hazard(&read[1][0].pieces[0].operation, &schema, &schema, version);
    assert!(cost.outside_transaction, "{statement}");
    let mode = |mode: LockMode| {
        let words = mode.name().split(' ').map(|word| format!("{}{}", &word[..1], word[1..].to_ascii_lowercase()));
        format!("{}Lock", words.collect::<String>())
    };
    let mut locks: Vec<_> = cost.locks.iter().map(|lock| format!("{} {}", lock.relation, mode(lock.mode))).collect();
    locks.sort();
    locks
}

#[tokio::test]
async fn locks_are_those_of_the_text() {
    let session = support::database().await.connect().await;
    let version = support::version(&session);
    for (statement, written) in [
        ("CREATE INDEX CONCURRENTLY i ON t (a)", "t"),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (id, a)", "t"),
        ("DROP INDEX CONCURRENTLY old", "t"),
        ("REINDEX INDEX CONCURRENTLY old", "t"),
        ("REINDEX TABLE CONCURRENTLY t", "t"),
        ("VACUUM FULL t", "t"),
        // It stands still twice: with a light lock on both, then, once the partition is written no more, with the strongest on that.
        ("ALTER TABLE part DETACH PARTITION p1 CONCURRENTLY", "p1"),
    ] {
        let held = held(statement, written).await;
        if statement.contains("DETACH") && !version.has(Fact::DetachConcurrently) {
            assert!(held.is_err(), "{version}: {statement}: {held:?}");
            continue;
        }
        assert_eq!(held, Ok(said(statement, version)), "{statement}");
    }
}
