//! Sessions, and what is said when there is none.

use std::time::Duration;

use cutover::postgres::{ConnectError, Environment, Target, connect};

use crate::support;

/// The shared server as `user`, without a password of its own.
async fn target(user: &str, database: &str) -> Target {
    Target::on_socket(support::server().await.directory(), 5432, user, database).unwrap()
}

#[tokio::test]
async fn a_session_knows_its_server_and_its_backend() {
    let session = support::database().await.connect().await;
    let row = session.query_one("SELECT pg_backend_pid(), current_setting('server_version_num')::int4", &[]).await;
    let row = row.unwrap();
    assert_eq!(session.backend_pid(), row.get::<_, i32>(0));
    assert_eq!(session.server_version_num(), row.get::<_, i32>(1));
    assert!(!session.is_encrypted());
    let row = session.query_one("SELECT current_setting('application_name')", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "cutover");
}

#[tokio::test]
async fn notices_are_there_with_the_result() {
    let session = support::database().await.connect().await;
    session.batch_execute("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$").await.unwrap();
    let notices = session.take_notices();
    let texts: Vec<(&str, &str)> = notices.iter().map(|notice| (notice.severity(), notice.message())).collect();
    assert_eq!(texts, [("NOTICE", "one"), ("WARNING", "two")]);
    assert!(session.take_notices().is_empty());

    let (sender, receiver) = std::sync::mpsc::channel();
    session.on_notice(move |notice| sender.send(notice.message().to_owned()).unwrap());
    session.batch_execute("DO $$ BEGIN RAISE NOTICE 'three'; END $$; LISTEN x; NOTIFY x, 'payload'").await.unwrap();
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["three"]);
    assert!(session.take_notices().is_empty());
    let notifications = session.take_notifications();
    assert_eq!(notifications.iter().map(|n| n.payload()).collect::<Vec<_>>(), ["payload"]);
}

#[tokio::test]
async fn cancelling_ends_the_running_query_only() {
    let database = support::database().await;
    let (session, other) = (database.connect().await, database.connect().await);
    let cancel = session.cancel_handle();
    let running = session.batch_execute("SELECT pg_sleep(60)");
    let watch = async {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'";
        let pid = session.backend_pid();
        while other.query_one(query, &[&pid]).await.unwrap().get::<_, i64>(0) == 0 {}
        cancel.cancel().await.unwrap();
    };
    let (outcome, ()) = tokio::join!(running, watch);
    assert_eq!(outcome.unwrap_err().code().unwrap().code(), "57014");
    session.batch_execute("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_dropped_session_leaves_the_server() {
    let database = support::database().await;
    let (session, other) = (database.connect().await, database.connect().await);
    let pid = session.backend_pid();
    drop(session);
    let query = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1";
    let gone = async { while other.query_one(query, &[&pid]).await.unwrap().get::<_, i64>(0) > 0 {} };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
}

#[tokio::test]
async fn an_unknown_database() {
    let error = connect(&target("postgres", "nope").await).await.unwrap_err();
    assert!(matches!(&error, ConnectError::UnknownDatabase { database, .. } if database == "nope"), "{error}");
    assert_eq!(error.hint().as_deref(), Some("create it, or check the name \"nope\""));
}

#[tokio::test]
async fn an_unknown_user() {
    let error = connect(&target("nobody_at_all", "postgres").await).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Authentication { sqlstate, .. } if sqlstate == "28000"), "{error}");
}

#[tokio::test]
async fn nobody_listens() {
    let port = unused_port();
    let target = Target::parse(&format!("postgres://me@127.0.0.1:{port}/shop"), &Environment::empty()).unwrap();
    let error = connect(&target).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    assert!(error.to_string().starts_with(&format!("cannot reach me@127.0.0.1:{port}/shop: ")), "{error}");
}

#[tokio::test]
async fn nobody_answers() {
    // It takes connections into its backlog and never says a word.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = Target::parse(&format!("postgres://me@127.0.0.1:{port}/shop"), &Environment::empty()).unwrap();
    let error = connect(&target.with_connect_timeout(Some(Duration::from_millis(50)))).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error}");
    assert!(error.to_string().ends_with("no answer within 0.05 s"), "{error}");
}

#[tokio::test]
async fn the_next_server_of_the_list_is_tried() {
    let directory = support::server().await.directory().display().to_string();
    let text = format!("host=127.0.0.1,{directory} port={},5432 user=postgres", unused_port());
    let session = connect(&Target::parse(&text, &Environment::empty()).unwrap()).await.unwrap();
    session.batch_execute("SELECT 1").await.unwrap();
    let standby = Target::parse(&format!("{text} target_session_attrs=standby"), &Environment::empty()).unwrap();
    let error = connect(&standby).await.unwrap_err();
    assert!(matches!(error, ConnectError::WrongRole { .. }), "{error}");
}

fn unused_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
