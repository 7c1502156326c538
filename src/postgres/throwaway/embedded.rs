//! PostgreSQL 17 in this process: `pglite-oxide`, PostgreSQL compiled to WebAssembly and from there to machine code.
//!
//! What was measured (Linux x86-64, two cores, debug build, pglite-oxide 0.5.1), from nothing to the first session:
//!
//! | | |
//! |---|---|
//! | the first time on a machine: 100 MB are unpacked into `pglite-oxide` in the user's cache directory | 2 to 3 s |
//! | the first time in a process | 1.1 s |
//! | another instance in the same process | 0.3 s |
//! | another session on the same instance | 0.25 s |
//! | the first time with a set of extensions, for the machine | 1.5 s more |
//! | `CREATE DATABASE`, and the session on it that takes the first one's place | 0.2 s + 0.25 s |
//! | 2000 tables in one query | 9 s |
//!
//! * One instance serves one session at a time; another connection waits until the first is closed. Sessions on different instances run
//!   side by side. That is why a fresh database is another instance here, although `CREATE DATABASE` works.
//! * As in a server: notices, DO blocks, triggers, `CREATE INDEX CONCURRENTLY`, `REINDEX CONCURRENTLY`, advisory locks, `pg_locks`,
//!   `pg_stat_activity` (one row), LISTEN, roles and privileges, `SET ROLE`, several statements in one query, prepared statements,
//!   transactions that fail, error codes.
//! * Unlike a server:
//!   - It is a 32-bit build, and its files are not the machine's: `COPY … TO '/file'` writes into a file system of its own.
//!   - `lock_timeout` and `statement_timeout` can be set, and like cancelling and `pg_terminate_backend` they have no effect: nothing is
//!     there that could interrupt.
//!   - Endless recursion ends the instance instead of failing with 54001: the session is closed, later ones are refused, and
//!     [`Embedded::stop`] says why.
//!   - After `SET SESSION AUTHORIZATION` to another role and back, the session is no superuser any more. `SET ROLE` is fine.
//!   - A connection to a database that does not exist breaks off instead of failing with 3D000. Tablespaces are refused.
//! * Extensions have to be asked for at the start: [`EmbeddedOptions::extensions`]. `uuid-ossp`, `pgcrypto` and `postgis` are not bundled.
//! * When the process is killed, the instances' temporary directories stay behind. When it ends while a session is open, they do not.

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

/// The first line of what it says; the others are a WebAssembly stack trace.
fn embedded(action: &'static str, reason: &impl ToString) -> ThrowawayError {
    let reason = reason.to_string();
    ThrowawayError::Embedded { action, reason: reason.lines().next().unwrap_or_default().to_owned() }
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
        let mut folders = folders_of(&format!("{server:?}"));
        folders.push(directory.path().to_owned());
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
            Err(_) => {
                // Its thread owns them, and may never end before the process does.
                for folder in folders {
                    let _ = std::fs::remove_dir_all(folder);
                }
                Err(embedded("stop", &"a session on it is still open"))
            }
        }
    }
}

/// The temporary folders that a server shows to have. It has no other way to tell them.
fn folders_of(shown: &str) -> Vec<PathBuf> {
    let quoted = shown.split('"').skip(1).step_by(2).map(PathBuf::from);
    let is_temporary = |path: &PathBuf| {
        let named = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(".tmp"));
        named && path.is_absolute() && path.is_dir()
    };
    quoted.filter(is_temporary).collect()
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
