//! Local clusters and scratch databases: that they work, and that they go.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cutover::postgres::throwaway::{Binaries, Local, LocalOptions, Scratch, Throwaway, ThrowawayError};
use cutover::postgres::{Environment, Target, connect};

use crate::support::{self, local_options};

#[tokio::test]
async fn databases_are_fresh_and_apart() {
    let (one, other) = (support::database().await, support::database().await);
    one.connect().await.batch_execute("CREATE TABLE here ()").await.unwrap();
    let query = "SELECT to_regclass('here') IS NULL";
    let row = other.connect().await.query_one(query, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
}

#[tokio::test]
async fn a_local_server_goes_with_its_owner() {
    let local = Local::start(&local_options()).await.unwrap();
    let (directory, target) = (local.directory().to_owned(), local.create_database().await.unwrap());
    let open = connect(&target).await.unwrap();
    let server = Throwaway::Local(local);
    assert!(server.allows_concurrent_sessions());
    assert!(server.describe().starts_with("local PostgreSQL "), "{}", server.describe());
    server.stop().await.unwrap();
    assert!(!directory.exists());
    assert!(open.batch_execute("SELECT 1").await.is_err());
}

#[tokio::test]
async fn a_local_server_goes_with_a_panic() {
    let task = tokio::spawn(async {
        let local = Local::start(&local_options()).await.unwrap();
        std::panic::panic_any(local.directory().to_owned());
    });
    let directory = task.await.unwrap_err().into_panic().downcast::<PathBuf>().unwrap();
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_local_server_goes_when_its_owner_is_killed() {
    // Another process of this very test binary, which runs only the test below.
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "server::throwaway::holds_a_server_until_killed", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(owner.stdout.take().unwrap());
    let directory = loop {
        let mut line = String::new();
        assert!(std::io::BufRead::read_line(&mut said, &mut line).unwrap() > 0, "the other process told no directory");
        if let Some((_, path)) = line.trim_end().split_once("server in ") {
            break PathBuf::from(path);
        }
    };
    let session = connect(&Target::on_socket(&directory, 5432, "postgres", "postgres").unwrap()).await.unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    let ended = session.batch_execute("SELECT pg_sleep(60)");
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the server lives on").unwrap_err();
    assert!(vanishes(&directory), "{} is left behind", directory.display());
}

#[tokio::test]
#[ignore = "only as the process that the test above kills"]
async fn holds_a_server_until_killed() {
    let local = Local::start(&local_options()).await.unwrap();
    println!("server in {}", local.directory().display());
    let _ = std::io::stdin().lines().next();
    drop(local);
}

/// The supervisor removes the directory right after the server has ended.
fn vanishes(directory: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while directory.exists() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[tokio::test]
async fn a_server_that_does_not_start_says_why() {
    let settings = vec![("no_such_setting".to_owned(), "1".to_owned())];
    let error = Local::start(&LocalOptions { settings, ..local_options() }).await.unwrap_err();
    assert!(matches!(&error, ThrowawayError::Start { reason } if reason.contains("no_such_setting")), "{error}");
}

#[tokio::test]
async fn no_binaries() {
    let nowhere = tempfile::tempdir().unwrap();
    let error = Binaries::in_directory(nowhere.path()).unwrap_err();
    assert!(matches!(&error, ThrowawayError::NoBinaries { searched } if searched == &[nowhere.path()]), "{error}");
    assert!(error.hint().is_some());
}

/// A role of the shared server, as a target.
async fn role(name: &str, attributes: &str) -> Target {
    let server = support::server().await;
    let admin = connect(server.maintenance()).await.unwrap();
    admin.batch_execute(&format!("CREATE ROLE {name} LOGIN {attributes}")).await.unwrap();
    Target::on_socket(server.directory(), 5432, name, "postgres").unwrap()
}

async fn exists(database: &str) -> bool {
    let admin = connect(support::server().await.maintenance()).await.unwrap();
    let query = "SELECT count(*) FROM pg_database WHERE datname = $1";
    admin.query_one(query, &[&database]).await.unwrap().get::<_, i64>(0) == 1
}

#[tokio::test]
async fn scratch_databases_are_dropped() {
    let scratch = Scratch::start(&role("scratcher", "CREATEDB").await).await.unwrap();
    assert!(scratch.describe().contains(" at scratcher@"), "{}", scratch.describe());
    let session = scratch.connect_database().await.unwrap();
    let name = session.target().database().to_owned();
    assert!(name.starts_with("cutover_scratch_") && exists(&name).await);
    // With the session still open.
    scratch.stop().await.unwrap();
    assert!(!exists(&name).await);
}

#[tokio::test]
async fn scratch_databases_are_dropped_without_a_word() {
    let scratch = Scratch::start(&role("careless", "CREATEDB").await).await.unwrap();
    let name = scratch.create_database().await.unwrap().database().to_owned();
    drop(scratch);
    assert!(!exists(&name).await);
}

#[tokio::test]
async fn scratch_needs_createdb() {
    let error = Scratch::start(&role("powerless", "").await).await.unwrap_err();
    assert!(matches!(&error, ThrowawayError::MayNotCreateDatabases { role, .. } if role == "powerless"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("ALTER ROLE powerless CREATEDB")));
}

#[tokio::test]
async fn scratch_needs_a_server() {
    let target = Target::parse("host=/nowhere user=me", &Environment::empty()).unwrap();
    let error = Scratch::start(&target).await.unwrap_err();
    assert!(matches!(error, ThrowawayError::Connect(_)), "{error}");
}
