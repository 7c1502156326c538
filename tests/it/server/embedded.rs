//! The in-process server.

use cutover::postgres::throwaway::{Embedded, EmbeddedOptions, Throwaway, ThrowawayError, bundles_extension};

#[tokio::test]
async fn databases_are_fresh_and_apart() {
    let server = Throwaway::Embedded(Embedded::start(&EmbeddedOptions::default()).await.unwrap());
    assert_eq!(server.describe(), "embedded PostgreSQL 17.5");
    assert!(!server.allows_concurrent_sessions());
    let (one, other) = (server.connect_database().await.unwrap(), server.connect_database().await.unwrap());
    assert_eq!(one.server_version_num(), 170_005);

    let script: String =
        (0..200).map(|n| format!("CREATE TABLE t{n} (id int PRIMARY KEY, v text NOT NULL);")).collect();
    one.batch_execute(&script).await.unwrap();
    one.batch_execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$").await.unwrap();
    assert_eq!(one.take_notices().iter().map(|notice| notice.message()).collect::<Vec<_>>(), ["hello"]);
    one.batch_execute("CREATE INDEX CONCURRENTLY i ON t0 (v)").await.unwrap();
    one.batch_execute("CREATE ROLE app; GRANT SELECT ON t0 TO app").await.unwrap();

    let error = one.batch_execute("BEGIN; SELECT 1/0").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "22012");
    assert_eq!(one.batch_execute("SELECT 1").await.unwrap_err().code().unwrap().code(), "25P02");
    one.batch_execute("ROLLBACK").await.unwrap();

    let row = other.query_one("SELECT to_regclass('t0') IS NULL, $1::int4 + 1", &[&41]).await.unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, i32>(1)), (true, 42));
    one.close().await;
    other.close().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_session_can_be_followed_by_another() {
    let server = Embedded::start(&EmbeddedOptions::default()).await.unwrap();
    let session = server.connect_database().await.unwrap();
    session.batch_execute("CREATE TABLE here ()").await.unwrap();
    let target = session.target().clone();
    session.close().await;
    let session = cutover::postgres::connect(&target).await.unwrap();
    session.batch_execute("SELECT FROM here").await.unwrap();
    // Dropping all of it at once must not hang either.
    drop(server);
}

#[tokio::test]
async fn extensions_that_were_asked_for_can_be_created() {
    assert!(bundles_extension("pg_trgm") && !bundles_extension("pgcrypto"));
    let extensions = vec!["pg_trgm".to_owned(), "pgcrypto".to_owned()];
    let server = Embedded::start(&EmbeddedOptions { extensions, ..EmbeddedOptions::default() }).await.unwrap();
    let session = server.connect_database().await.unwrap();
    let row = session.query_one("SELECT count(*) FROM pg_extension", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1, "only plpgsql exists before it is created");
    session.batch_execute("CREATE EXTENSION pg_trgm; SELECT similarity('abc', 'abd')").await.unwrap();
    let error = session.batch_execute("CREATE EXTENSION pgcrypto").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "0A000");
    session.close().await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_crash_in_it_is_an_error_like_others() {
    let server = Embedded::start(&EmbeddedOptions::default()).await.unwrap();
    let session = server.connect_database().await.unwrap();
    let endless = "CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN f($1 + 1); END'; SELECT f(1)";
    assert!(session.batch_execute(endless).await.unwrap_err().is_closed());
    let error = server.stop().await.unwrap_err();
    assert!(matches!(&error, ThrowawayError::Embedded { action: "stop", .. }), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
}
