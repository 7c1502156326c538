use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use cutover::effect::PgVersion;
use cutover::postgres::throwaway::{Local, LocalOptions};
use cutover::postgres::{Session, Target, connect};
use tokio::sync::OnceCell;

/// The process's server. A static is never dropped; it does not have to be: when the process ends, the pipe to the server's supervisor
/// closes, and that ends the server and removes its directory.
static SERVER: OnceCell<Local> = OnceCell::const_new();

/// How the tests find PostgreSQL.
pub(crate) fn local_options() -> LocalOptions {
    LocalOptions {
        bin_directory: std::env::var_os("CUTOVER_TEST_PG_BIN").map(PathBuf::from),
        search_path: std::env::var_os("PATH"),
        ..LocalOptions::default()
    }
}

/// The server that all tests share. A test that needs it and cannot have it fails.
pub(crate) async fn server() -> &'static Local {
    let start = || async { Local::start(&local_options()).await };
    SERVER.get_or_try_init(start).await.unwrap_or_else(|error| {
        panic!(
            "these tests need a PostgreSQL server (13 or later): {error}\n\
             run them with tests/run, which gets one, or set CUTOVER_TEST_PG_BIN to the directory of initdb and postgres"
        )
    })
}

/// The process's server that counts statements. It ends as the other does.
static COUNTING: OnceCell<Local> = OnceCell::const_new();

/// A server with pg_stat_statements. None where PostgreSQL was installed without its contrib modules.
pub(crate) async fn counting_server() -> Option<&'static Local> {
    let session = connect(server().await.maintenance()).await.unwrap();
    let known = "SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements'";
    if session.query_opt(known, &[]).await.unwrap().is_none() {
        eprintln!("this PostgreSQL is without its contrib modules: pg_stat_statements is not tested");
        return None;
    }
    let settings = vec![("shared_preload_libraries".to_owned(), "pg_stat_statements".to_owned())];
    let start = || async { Local::start(&LocalOptions { settings, ..local_options() }).await };
    Some(COUNTING.get_or_try_init(start).await.unwrap())
}

/// A fresh database of one test.
pub(crate) struct Database {
    pub(crate) target: Target,
}

impl Database {
    /// Another session on it.
    pub(crate) async fn connect(&self) -> Session {
        connect(&self.target).await.unwrap()
    }

    /// What `--database` takes.
    pub(crate) async fn conninfo(&self, user: &str) -> String {
        let session = self.connect().await;
        let setting =
            async |name: &str| session.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get::<_, String>(0);
        let (host, port) = (setting("unix_socket_directories").await, setting("port").await);
        format!("host={host} port={port} user={user} dbname={}", self.target.database())
    }
}

/// Creates a database that no other test uses.
pub(crate) async fn database() -> Database {
    Database { target: server().await.create_database().await.unwrap() }
}

/// Where the databases go that no test holds any more: some hundreds of them would fill a disk. One goes when its last session has ended,
/// since a session outlives its [`Database`] where a test wants nothing else.
static LEFT: LazyLock<Sender<Target>> = LazyLock::new(|| {
    let (left, gone) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut waiting: Vec<Target> = Vec::new();
        loop {
            match gone.recv_timeout(Duration::from_secs(2)) {
                Ok(target) => waiting.push(target),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            waiting.extend(gone.try_iter());
            let mut kept = Vec::new();
            for target in waiting.drain(..) {
                // A server that has ended took its databases along.
                if matches!(runtime.block_on(drop_unused(&target)), Ok(false)) {
                    kept.push(target);
                }
            }
            waiting = kept;
        }
    });
    left
});

/// Drops a database if nobody is on it.
async fn drop_unused(target: &Target) -> Result<bool, Box<dyn std::error::Error>> {
    let session = connect(&target.with_database("postgres")).await?;
    let used = "SELECT FROM pg_stat_activity WHERE datname = $1";
    let unused = session.query(used, &[&target.database()]).await?.is_empty();
    if unused {
        session.batch_execute(&format!("DROP DATABASE IF EXISTS \"{}\"", target.database())).await?;
    }
    session.close().await;
    Ok(unused)
}

/// Drops a database of a test's server once nobody is on it.
pub(crate) fn drop_when_unused(target: Target) {
    LEFT.send(target).unwrap();
}

impl Drop for Database {
    fn drop(&mut self) {
        drop_when_unused(self.target.clone());
    }
}

/// The major version of the server.
pub(crate) fn version(session: &Session) -> PgVersion {
    session.version()
}

/// What the server said.
pub(crate) fn message(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
}
