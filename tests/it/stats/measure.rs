//! What is measured on a real server, and what is said where something cannot be.

use cutover::postgres::{Session, connect};
use cutover::stats::Statistics;
use insta::assert_snapshot;
use serde_json::Value;

use super::run;
use crate::support::{self, Database};

const SHOP: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text, email text);
    CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint REFERENCES users, status text);
    CREATE TABLE events (at date NOT NULL, what text) PARTITION BY RANGE (at);
    CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE VIEW names AS SELECT name FROM users;
    CREATE FUNCTION total(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM orders WHERE user_id = $1';
    INSERT INTO users SELECT i, 'name ' || i, CASE WHEN i % 4 > 0 THEN 'same' END FROM generate_series(1, 1000) i;
    INSERT INTO orders SELECT i, 1 + i % 1000, 'open' FROM generate_series(1, 3000) i;
    INSERT INTO events SELECT '2026-05-05', repeat('x', 100) FROM generate_series(1, 500);
    ANALYZE;";

/// What `cutover stats` says and writes.
async fn stats(database: &Database, user: &str) -> (String, Option<Statistics>) {
    let directory = tempfile::tempdir().unwrap();
    let conninfo = database.conninfo(user).await;
    let output = run(directory.path(), &["stats", "--database", &conninfo, "-o", "stats.json"]);
    let written = std::fs::read_to_string(directory.path().join("stats.json")).ok();
    if let Some(text) = &written {
        assert!(!text.contains(&*directory.path().to_string_lossy()) && !text.contains("host"), "{text}");
        validate(text);
    }
    (support::transcript(&output), written.map(|text| Statistics::from_json(&text).unwrap()))
}

fn validate(text: &str) {
    let schema = run(std::path::Path::new("."), &["schema", "stats"]);
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert_eq!(errors, [""; 0]);
}

/// Tables, a line each, with what does not depend on the machine.
fn tables(statistics: &Statistics) -> String {
    let line = |t: &cutover::stats::TableStats| {
        let columns: Vec<_> = t
            .columns
            .iter()
            .map(|c| format!("{} null {:.2} distinct {:.1}", c.name, c.null_fraction, c.distinct))
            .collect();
        format!(
            "{} {:?} parent {:?} {:?} rows {:?} indexes {} [{}]\n",
            t.table.name,
            t.kind,
            t.parent.as_ref().map(|p| p.name.as_str()),
            t.bytes.basis,
            t.rows.as_ref().map(|r| (r.count, r.source.as_str())),
            t.indexes.len(),
            columns.join(", "),
        )
    };
    statistics.tables.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_extension() {
    let database = support::database().await;
    database.connect().await.batch_execute(SHOP).await.unwrap();
    let (said, statistics) = stats(&database, "postgres").await;
    assert_snapshot!(said, @r"
    exit 0
    --- stderr
    note: not measured: which statements run, how often and for how long: this database does not have the extension pg_stat_statements; shared_preload_libraries = 'pg_stat_statements', restart, CREATE EXTENSION pg_stat_statements
    Measured 4 tables and 0 statements: stats.json
    ");
    let statistics = statistics.unwrap();
    assert_eq!(statistics.statements, None);
    assert!(statistics.tables.iter().find(|t| t.table.name == "orders").unwrap().bytes.heap >= 8_192);
    assert_snapshot!(tables(&statistics), @r#"
    events Partitioned parent None Measured rows None indexes 0 []
    events_2026 Table parent Some("events") Measured rows Some((500, "reltuples, scaled to the size")) indexes 0 [at null 0.00 distinct 1.0, what null 0.00 distinct 1.0]
    orders Table parent None Measured rows Some((3000, "reltuples, scaled to the size")) indexes 1 [status null 0.00 distinct 1.0, user_id null 0.00 distinct -0.3]
    users Table parent None Measured rows Some((1000, "reltuples, scaled to the size")) indexes 1 [email null 0.25 distinct 1.0]
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database() {
    let (said, statistics) = stats(&support::database().await, "postgres").await;
    assert!(said.ends_with("Measured 0 tables and 0 statements: stats.json"), "{said}");
    assert_eq!(statistics.unwrap().tables, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_somebody_holds_is_not_waited_for() {
    let database = support::database().await;
    let holder = database.connect().await;
    holder.batch_execute(SHOP).await.unwrap();
    holder.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let statistics = stats(&database, "postgres").await.1.unwrap();
    let basis = |name: &str| statistics.tables.iter().find(|t| t.table.name == name).unwrap().bytes.basis;
    assert_eq!(format!("{:?} {:?}", basis("users"), basis("orders")), "Estimated Measured");
    assert_eq!(statistics.transactions.unwrap().idle, 1);
    holder.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["stats", "--database", "host=/nowhere dbname=x user=y", "-o", "stats.json"]);
    assert_eq!(support::exit(&output), 2, "{}", support::transcript(&output));
    assert!(!directory.path().join("stats.json").exists());
}

/// A database of the server that counts statements.
async fn counting() -> Option<(Database, Session)> {
    let database = Database { target: support::counting_server().await?.create_database().await.unwrap() };
    let session = database.connect().await;
    session.batch_execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
    session.batch_execute(SHOP).await.unwrap();
    Some((database, session))
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_with_the_tables_they_lock() {
    // Without PostgreSQL's contrib modules, `without_the_extension` is all that can be seen.
    let Some((database, session)) = counting().await else { return };
    let here = "(SELECT oid FROM pg_database WHERE datname = current_database())";
    session.batch_execute(&format!("SELECT pg_stat_statements_reset(0, {here})")).await.unwrap();
    for sql in [
        "SELECT name FROM names WHERE name = 'secret value'",
        "/* for bob */ SELECT id FROM users WHERE id = 7 FOR UPDATE",
        "INSERT INTO orders VALUES (5001, 7, 'secret value')",
        "UPDATE orders SET status = 'secret value' WHERE id = 5001",
        "DELETE FROM users WHERE id = 100000",
        "SELECT count(*) FROM events WHERE at > '2026-02-03'",
        "SELECT total(7)",
        "SELECT relname FROM pg_class WHERE relname = 'secret value'",
        "CREATE TABLE secret_value (a int DEFAULT 5)",
        "BEGIN",
        "COMMIT",
    ] {
        session.batch_execute(sql).await.unwrap();
    }
    let (said, statistics) = stats(&database, "postgres").await;
    assert!(said.starts_with("exit 0") && !said.contains("note"), "{said}");
    let statistics = statistics.unwrap();
    assert!(!statistics.to_json().contains("secret value") && !statistics.to_json().contains("bob"));
    let statements = statistics.statements.unwrap();
    let mut lines: Vec<_> = statements
        .list
        .iter()
        .map(|s| {
            let touches = s.touches.iter().map(|t| format!("{} {:?}", t.table.name, t.way));
            format!("{} → {}", s.text, touches.collect::<Vec<_>>().join(", "))
        })
        .collect();
    lines.sort();
    assert_snapshot!(lines.join("\n"), @r"
    DELETE FROM users WHERE id = $1 → orders LockRows, users Write
    INSERT INTO orders VALUES ($1, $2, $3) → orders Write, users LockRows
    SELECT count(*) FROM events WHERE at > $1 → events Read
    SELECT id FROM users WHERE id = $1 FOR UPDATE → users LockRows
    SELECT name FROM names WHERE name = $1 → users Read
    UPDATE orders SET status = $1 WHERE id = $2 → orders Write
    ");
    assert!(statements.list.iter().all(|s| s.calls_per_second > 0.0 && s.max_ms > 0.0));
    assert_eq!(
        statements.others.keys().collect::<Vec<_>>(),
        ["COPY, CALL, DDL and their kind", "calls of functions, for what these touch"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_see_little() {
    let Some((database, session)) = counting().await else { return };
    let role = format!("reader_{}", database.target.database());
    session.batch_execute(&format!("CREATE ROLE {role} LOGIN")).await.unwrap();
    session.batch_execute("SELECT name FROM users WHERE id = 1").await.unwrap();
    let (said, statistics) = stats(&database, &role).await;
    assert_snapshot!(said, @r"
    exit 0
    --- stderr
    note: not measured: statements and transactions of other roles: this role may not look at them; GRANT pg_read_all_stats to it
    note: not measured: NULLs and duplicates in 4 of 4 tables: this role may not read them; GRANT SELECT on them (or pg_read_all_data, PostgreSQL 14) to it; nothing else needs that
    Measured 4 tables and 0 statements: stats.json
    ");
    let statistics = statistics.unwrap();
    let statements = statistics.statements.unwrap();
    assert!(statements.others["statements of other roles"] > 0.0);
    assert_eq!(statements.list, []);
    assert!(statistics.transactions.unwrap().hidden > 0);
    assert!(statistics.tables.iter().any(|t| t.bytes.heap > 0));
    // Not even that: the view itself is closed.
    session.batch_execute("REVOKE SELECT ON pg_stat_statements FROM public").await.unwrap();
    let (said, statistics) = stats(&database, &role).await;
    assert!(said.contains("permission denied for view pg_stat_statements (SQLSTATE 42501); GRANT SELECT on"), "{said}");
    assert_eq!(statistics.unwrap().statements, None);
    session.batch_execute(&format!("DROP ROLE {role}")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_that_is_not_loaded() {
    if support::counting_server().await.is_none() {
        return;
    }
    let database = support::database().await;
    database.connect().await.batch_execute("CREATE EXTENSION pg_stat_statements").await.unwrap();
    let (said, statistics) = stats(&database, "postgres").await;
    assert!(said.contains("must be loaded via"), "{said}");
    assert_eq!(statistics.unwrap().statements, None);
}

/// Nothing but reading: a session that may only read can do it.
#[tokio::test(flavor = "multi_thread")]
async fn it_changes_nothing() {
    let database = support::database().await;
    let session = connect(&database.target).await.unwrap();
    session.batch_execute("SET default_transaction_read_only = on").await.unwrap();
    let statistics = cutover::postgres::measure(&session).await.unwrap();
    assert_eq!(i64::from(statistics.server_version_num), i64::from(session.server_version_num()));
    // The transaction and its timeouts are over.
    let timeout: String = session.query_one("SHOW statement_timeout", &[]).await.unwrap().get(0);
    assert_eq!(timeout, "0");
}
