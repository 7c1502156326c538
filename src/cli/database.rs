//! Which database: `--database`, or `CUTOVER_DATABASE`, or libpq's `PG…` variables.

use tokio::runtime::Runtime;

use super::error::CliError;
use super::exit::Exit;
use super::{out, settings};
use crate::execute::Future;
use crate::postgres::{ConnectError, Environment, PasswordSource, Session, Target, connect};
use crate::release::Configured;

/// The variable that stands for `--database`.
pub(super) const VARIABLE: &str = "CUTOVER_DATABASE";

#[derive(Debug, Clone, clap::Args)]
pub(super) struct DatabaseArgs {
    /// URL or key=value pairs of the database; without it CUTOVER_DATABASE counts, then libpq's PG… variables
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl DatabaseArgs {
    /// From another command's option.
    pub(super) fn of(database: Option<String>) -> Self {
        Self { database }
    }

    /// Resolves the database. A password on the command line is refused: every user of the machine can read it there.
    pub(super) fn target(&self) -> Result<Target, CliError> {
        let variable = |name: &str| std::env::var(name).ok();
        let mut environment = Environment::from_lookup(variable);
        if let Ok(Some(user)) = nix::unistd::User::from_uid(nix::unistd::getuid()) {
            environment = environment.with_os_user(user.name);
        }
        let text = self.database.clone().or_else(|| variable(VARIABLE)).unwrap_or_default();
        let target = Target::parse(&text, &environment).map_err(CliError::usage)?;
        if self.database.is_some() && target.has_password_in_text() {
            return Err(CliError::usage(
                "--database holds a password, and every user of this machine can read command lines",
            )
            .hint(format!("put the URL into {VARIABLE}, or the password into PGPASSWORD or ~/.pgpass")));
        }
        for warning in target.warnings() {
            out::say(&format!("warning: {warning}\n"));
        }
        Ok(target)
    }

    /// The same, whose password a program says where `cutover.toml` or the environment names one.
    pub(super) fn own_target(&self) -> Result<Target, CliError> {
        let target = self.target()?;
        let here = settings::at_hand("a password command that stands there is");
        let Some(command) = here.password_command else { return Ok(target) };
        let surroundings = settings::surroundings();
        let program =
            surroundings.program(|path| Configured::path_in(&here.folder, path), "password-command", &command);
        let program = program.map_err(|why| CliError::usage(format!("[database]: {why}")))?;
        Ok(target.with_password_source(PasswordSource::new(move || {
            let program = program.clone();
            Box::pin(async move { program.secret().await })
        })))
    }

    /// Connects to a server that need not be the release's: its password is of no program's.
    pub(super) async fn connect_elsewhere(&self) -> Result<Session, CliError> {
        connect(&self.target()?).await.map_err(|error| connect_error(&error))
    }

    /// Connects.
    pub(super) async fn connect(&self) -> Result<Session, CliError> {
        connect(&self.own_target()?).await.map_err(|error| connect_error(&error))
    }
}

fn connect_error(error: &ConnectError) -> CliError {
    let cli = CliError::new(Exit::Usage, error);
    match error.hint() {
        Some(hint) => cli.hint(hint),
        None => cli,
    }
}

/// A runtime for one command.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|e| CliError::usage(format!("the asynchronous runtime does not start: {e}")))
}

/// Cancels what a session runs.
pub(super) fn canceller(session: &Session) -> impl Fn() -> Future<'static, ()> + Send + Sync + use<> {
    let cancel = session.cancel_handle();
    move || {
        let (cancel, runtime) = (cancel.clone(), tokio::runtime::Handle::current());
        // On a thread of its own, because the compiler does not see that the future is `Send`.
        let asked = tokio::task::spawn_blocking(move || runtime.block_on(cancel.cancel()));
        Box::pin(async move {
            // The statement itself tells whether it was cancelled.
            let _ = asked.await;
        })
    }
}

/// Opens connections to where a session is connected to.
pub(super) fn beside(session: &Session) -> impl Fn() -> Future<'static, Result<Session, String>> + Send + Sync + use<> {
    let target = session.target().clone();
    move || {
        let target = target.clone();
        Box::pin(async move { connect(&target).await.map_err(|error| error.to_string()) })
    }
}

/// Work on a throwaway server, which Ctrl-C or SIGTERM ends like any other end: what was made goes with the server, also while a statement hangs.
pub(super) async fn interruptible<T>(
    work: impl std::future::Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return work.await;
    };
    // The work is dropped, and with it its server, before this returns.
    tokio::select! {
        biased;
        done = work => done,
        _ = interrupt.recv() => Err(interrupted()),
        _ = terminate.recv() => Err(interrupted()),
    }
}

fn interrupted() -> CliError {
    CliError::new(Exit::Interrupted, "interrupted; the throwaway server is gone, and nothing else was changed")
}
