//! PostgreSQL 17 in this process: `pglite-oxide`, PostgreSQL compiled to WebAssembly and from there to machine code.
//!
//! What was measured (Linux x86-64, two cores, pglite-oxide 0.5.1):
//!
//! * The first start on a machine takes about two seconds and unpacks 100 MB into the user's cache directory (`pglite-oxide` below it);
//!   later ones take one second, and a second instance in the same process a third of one. Clusters live in temporary directories.
//! * One instance serves one session at a time; another connection waits until the first is closed. Sessions on different instances run
//!   side by side. `CREATE DATABASE` works, but takes as long as another instance and needs the session's place, so a fresh database is
//!   another instance here.
//! * As in a server: notices, DO blocks, `CREATE INDEX CONCURRENTLY`, `REINDEX CONCURRENTLY`, advisory locks, `pg_locks`, LISTEN, roles
//!   and privileges, several statements in one query, the extended protocol, error codes and positions.
//! * Unlike a server: it is a 32-bit build; `statement_timeout` and cancelling have no effect, for there is no one to send a signal;
//!   `pg_backend_pid()` is 1; after `SET SESSION AUTHORIZATION` and back the session is no superuser any more; a connection to a database
//!   that does not exist breaks off instead of failing with 3D000; tablespaces are refused.
//! * Extensions have to be asked for at the start: [`EmbeddedOptions::extensions`]. `uuid-ossp`, `pgcrypto` and `postgis` are not bundled.
//!   The first start with a new set takes a second and a half more.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pglite_oxide::PgliteServer;
use pglite_oxide::extensions::{self, Extension};
use tempfile::TempDir;

use super::error::ThrowawayError;
use crate::postgres::{Session, Target, connect};

/// The PostgreSQL that the crate bundles.
const VERSION: &str = "17.5";

const SUPERUSER: &str = "postgres";

/// The bundled extensions are created in `template1`, where migrations would find them to exist. Here they are only available.
const DATABASE: &str = "postgres";
const PORT: u16 = 5432;

/// How long an instance is waited for whose session is not closed.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Whether `CREATE EXTENSION name` can work, given the name at the start.
pub fn bundles_extension(name: &str) -> bool {
    extensions::by_sql_name(name).is_some()
}

/// How to start an [`Embedded`] server.
#[derive(Debug, Clone, Default)]
pub struct EmbeddedOptions {
    /// Extensions that `CREATE EXTENSION` shall find. Those that are not bundled are passed over: the statement itself then fails as it
    /// does on a server that lacks them.
    pub extensions: Vec<String>,
    /// Where the socket's directory is made; `/tmp` if not given.
    pub temporary_directory: Option<PathBuf>,
}

/// PostgreSQL in this process. Close the sessions, then call [`Embedded::stop`]; dropping it waits for a session for two seconds.
#[derive(Debug)]
pub struct Embedded {
    extensions: Vec<Extension>,
    temporary_directory: PathBuf,
    instances: Mutex<Instances>,
}

#[derive(Debug, Default)]
struct Instances {
    /// Started and not handed out yet.
    spare: Option<Instance>,
    used: Vec<Instance>,
}

impl Embedded {
    /// Starts a first instance.
    pub async fn start(options: &EmbeddedOptions) -> Result<Self, ThrowawayError> {
        let temporary_directory = options.temporary_directory.clone().unwrap_or_else(|| "/tmp".into());
        let extensions = options.extensions.iter().filter_map(|name| extensions::by_sql_name(name)).collect();
        let this = Self { extensions, temporary_directory, instances: Mutex::default() };
        this.lock().spare = Some(this.another().await?);
        Ok(this)
    }

    /// `embedded PostgreSQL 17.5`, for the output.
    pub fn describe(&self) -> String {
        format!("embedded PostgreSQL {VERSION}")
    }

    /// An empty database, in an instance of its own. It takes one session at a time.
    pub async fn create_database(&self) -> Result<Target, ThrowawayError> {
        let spare = self.lock().spare.take();
        let instance = match spare {
            Some(instance) => instance,
            None => self.another().await?,
        };
        let target = instance.target.clone();
        self.lock().used.push(instance);
        Ok(target)
    }

    /// A session on a fresh, empty database.
    pub async fn connect_database(&self) -> Result<Session, ThrowawayError> {
        Ok(connect(&self.create_database().await?).await?)
    }

    /// Ends all instances. Their sessions must be closed before.
    pub async fn stop(self) -> Result<(), ThrowawayError> {
        let Instances { spare, used } = std::mem::take(&mut *self.lock());
        let instances: Vec<Instance> = spare.into_iter().chain(used).collect();
        let work = move || instances.into_iter().try_for_each(|mut instance| instance.end());
        tokio::task::spawn_blocking(work).await.map_err(|error| embedded("stop", &error))?
    }

    async fn another(&self) -> Result<Instance, ThrowawayError> {
        let (extensions, parent) = (self.extensions.clone(), self.temporary_directory.clone());
        // It blocks, and panics if it runs on a thread that belongs to a runtime.
        let work = move || Instance::start(extensions, &parent);
        tokio::task::spawn_blocking(work).await.map_err(|error| embedded("start", &error))?
    }

    fn lock(&self) -> MutexGuard<'_, Instances> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn embedded(action: &'static str, reason: &impl ToString) -> ThrowawayError {
    ThrowawayError::Embedded { action, reason: reason.to_string() }
}

/// One server with one database, behind a socket in a directory that only this user may enter.
#[derive(Debug)]
struct Instance {
    /// `None` once it was ended.
    running: Option<(PgliteServer, TempDir)>,
    target: Target,
}

impl Instance {
    fn start(extensions: Vec<Extension>, parent: &Path) -> Result<Self, ThrowawayError> {
        let directory = tempfile::Builder::new().prefix("cutover-").tempdir_in(parent).map_err(|error| {
            ThrowawayError::system(format!("make a directory for the embedded server in {}", parent.display()), &error)
        })?;
        let target = Target::on_socket(directory.path(), PORT, SUPERUSER, DATABASE)?;
        let server = PgliteServer::builder()
            .temporary()
            .unix(directory.path().join(format!(".s.PGSQL.{PORT}")))
            .extensions(extensions)
            .start()
            .map_err(|error| embedded("start", &format!("{error:#}")))?;
        Ok(Self { running: Some((server, directory)), target })
    }

    /// Ends the server. Its thread sees that only once the session is closed; if that takes too long it is left to itself.
    fn end(&mut self) -> Result<(), ThrowawayError> {
        let Some((server, directory)) = self.running.take() else { return Ok(()) };
        let ended: Receiver<Result<(), String>> = {
            let (report, ended) = channel();
            std::thread::spawn(move || {
                let outcome = server.shutdown().map_err(|error| format!("{error:#}"));
                drop(directory);
                let _ = report.send(outcome);
            });
            ended
        };
        match ended.recv_timeout(STOP_LIMIT) {
            Ok(outcome) => outcome.map_err(|reason| embedded("stop", &reason)),
            Err(_) => Err(embedded("stop", &"a session on it is still open")),
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
