//! A throwaway cluster from the PostgreSQL binaries of this machine, on a unix socket only.
//!
//! The server must not outlive this process, not even when it is killed. So a small shell script is its parent: it holds the reading end
//! of a pipe, whose writing end only this process has, and ends the server and removes the directory when the pipe closes, whoever
//! closed it.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::binaries::Binaries;
use super::error::ThrowawayError;
use crate::postgres::{Session, Target, connect};

/// Makes the cluster, starts the server, and ends it when the pipe on standard input closes. If the server ends by itself, a marker
/// says so, and the log stays until the pipe closes. Arguments: the binaries' directory, the cluster's, the server's own arguments.
///
/// A job of a shell ignores QUIT until it has a handler of its own: a server that has just been started is asked again, until it is gone.
/// The watcher is killed once the server has ended, because from then on the server's process id may be another's.
const SUPERVISOR: &str = r#"
bin=$1; dir=$2; shift 2
exec 3<&0
if "$bin/initdb" -D "$dir/data" -U postgres --auth-local=trust --auth-host=scram-sha-256 \
    -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 </dev/null
then
    "$bin/postgres" -D "$dir/data" "$@" >>"$dir/log" 2>&1 </dev/null 3<&- &
    server=$!
    { cat; while kill -s QUIT "$server"; do sleep 0.1 || sleep 1; done; } <&3 >/dev/null 2>&1 &
    watcher=$!
    wait "$server"
    kill "$watcher" 2>/dev/null
fi
: >"$dir/ended"
cat <&3 >/dev/null
rm -rf "$dir"
"#;

/// The superuser of the cluster.
const SUPERUSER: &str = "postgres";
const PORT: u16 = 5432;

/// How long initdb and the server's start may take together.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Variables that would lead the binaries astray.
const MISLEADING: &[&str] = &[
    "PGDATA",
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGUSER",
    "PGPASSWORD",
    "PGDATABASE",
    "PGOPTIONS",
    "PGSERVICE",
    "PGTZ",
];

/// How long a session with the server may take to open.
const PATIENCE: Duration = Duration::from_secs(120);

/// How to make a [`Local`] server.
#[derive(Debug, Clone, Default)]
pub struct LocalOptions {
    /// The directory of the binaries. Nowhere else is looked if it is given.
    pub bin_directory: Option<PathBuf>,
    /// The value of `PATH`.
    pub search_path: Option<OsString>,
    /// Where the cluster's directory is made; `/tmp` if not given. The path must be short, it holds the socket.
    pub temporary_directory: Option<PathBuf>,
    /// Listen on 127.0.0.1 at this port as well. Passwords are asked for there, of roles that have one.
    pub loopback_port: Option<u16>,
    /// Server settings beyond those that make it fast and private, for example `("wal_level", "logical")`.
    pub settings: Vec<(String, String)>,
}

/// A running throwaway cluster. Dropping it ends the server and removes its directory.
#[derive(Debug)]
pub struct Local {
    binaries: Binaries,
    target: Target,
    databases: AtomicU32,
    // Ends before the directory goes.
    supervisor: Supervisor,
    directory: TempDir,
}

impl Local {
    /// Makes a cluster and starts it. Takes about a second, most of it `initdb`.
    pub async fn start(options: &LocalOptions) -> Result<Self, ThrowawayError> {
        let binaries = match &options.bin_directory {
            Some(directory) => Binaries::in_directory(directory)?,
            None => Binaries::find(options.search_path.as_deref())?,
        };
        let parent = options.temporary_directory.as_deref().unwrap_or(Path::new("/tmp"));
        let directory = tempfile::Builder::new().prefix("cutover-").tempdir_in(parent).map_err(|error| {
            ThrowawayError::system(format!("make a directory for the throwaway server in {}", parent.display()), &error)
        })?;
        let target = Target::on_socket(directory.path(), options.loopback_port.unwrap_or(PORT), SUPERUSER, "postgres")?;
        // Nothing but load on this machine keeps the server on its own socket from answering.
        let target = target.with_connect_timeout(Some(PATIENCE));
        let supervisor = Supervisor::spawn(&binaries, directory.path(), options)?;
        let mut this = Self { binaries, target, databases: AtomicU32::new(0), supervisor, directory };
        this.wait_until_ready().await?;
        Ok(this)
    }

    async fn wait_until_ready(&mut self) -> Result<(), ThrowawayError> {
        let deadline = Instant::now() + START_LIMIT;
        let mut pause = Duration::from_millis(5);
        loop {
            match connect(&self.target).await {
                Ok(session) => {
                    session.close().await;
                    return Ok(());
                }
                Err(error) if !error.is_starting_up() => return Err(error.into()),
                Err(_) => {}
            }
            if self.supervisor.has_ended() || self.directory().join("ended").exists() || Instant::now() > deadline {
                return Err(ThrowawayError::Start { reason: self.log_tail() });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// `local PostgreSQL 15.14`, for the output.
    pub fn describe(&self) -> String {
        format!("local PostgreSQL {}", self.binaries.version())
    }

    /// The binaries it runs.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The database `postgres` of the cluster, as superuser.
    pub fn maintenance(&self) -> &Target {
        &self.target
    }

    /// The directory that holds the cluster in `data`, the server's `log`, and the socket.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Creates an empty database.
    pub async fn create_database(&self) -> Result<Target, ThrowawayError> {
        let name = format!("cutover_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let session = connect(&self.target).await?;
        let created = session.batch_execute(&format!("CREATE DATABASE {name}")).await;
        created.map_err(|error| ThrowawayError::database("create", &name, &error))?;
        session.close().await;
        Ok(self.target.with_database(name))
    }

    /// A session on a fresh, empty database.
    pub async fn connect_database(&self) -> Result<Session, ThrowawayError> {
        Ok(connect(&self.create_database().await?).await?)
    }

    /// Ends the server and removes its directory. Dropping does the same.
    pub fn stop(self) {
        drop(self);
    }

    fn log_tail(&self) -> String {
        let mut log = String::new();
        let read = std::fs::File::open(self.directory().join("log")).and_then(|mut file| file.read_to_string(&mut log));
        let lines: Vec<&str> = log.lines().collect();
        match read {
            Ok(_) if !lines.is_empty() => lines[lines.len().saturating_sub(5)..].join("; "),
            _ => "it left no log".into(),
        }
    }
}

/// The script's process. Closing its standard input is what ends it.
#[derive(Debug)]
struct Supervisor(Child);

impl Supervisor {
    fn spawn(binaries: &Binaries, directory: &Path, options: &LocalOptions) -> Result<Self, ThrowawayError> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(SUPERVISOR).arg("sh").arg(binaries.directory()).arg(directory);
        let directory_text = directory.to_string_lossy();
        let port = options.loopback_port.unwrap_or(PORT).to_string();
        let addresses = if options.loopback_port.is_some() { "127.0.0.1" } else { "" };
        let own: [(&str, &str); 9] = [
            ("listen_addresses", addresses),
            ("unix_socket_directories", &directory_text),
            ("port", &port),
            // Nothing here survives the process anyway.
            ("fsync", "off"),
            ("synchronous_commit", "off"),
            ("full_page_writes", "off"),
            // A checkpoint costs next to nothing then, and the log of changes stays small.
            ("max_wal_size", "128MB"),
            ("shared_buffers", "32MB"),
            ("max_connections", "200"),
        ];
        let given = options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.into_iter().chain(given) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for name in MISLEADING {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").current_dir(directory);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        detach(&mut command, directory)?;
        let child = command
            .spawn()
            .map_err(|error| ThrowawayError::system("start /bin/sh for the throwaway server", &error))?;
        Ok(Self(child))
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Puts the server into a process group of its own, so that Ctrl-C in a terminal reaches only us, and gives up root's rights, which
/// PostgreSQL refuses to run with.
fn detach(command: &mut Command, directory: &Path) -> Result<(), ThrowawayError> {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let found = ["postgres", "nobody"].iter().find_map(|name| nix::unistd::User::from_name(name).ok().flatten());
    let Some(user) = found else {
        return Err(ThrowawayError::System {
            action: "run PostgreSQL as root".into(),
            reason: "it refuses to, and there is neither a user postgres nor a user nobody".into(),
        });
    };
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    std::os::unix::fs::chown(directory, Some(uid), Some(gid))
        .map_err(|error| ThrowawayError::system(format!("give {} to {}", directory.display(), user.name), &error))?;
    command.uid(uid).gid(gid);
    Ok(())
}
