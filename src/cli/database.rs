//! Which database: `--database`, or `CUTOVER_DATABASE`, or libpq's `PG…` variables.

use tokio::runtime::Runtime;

use super::error::CliError;
use super::exit::Exit;
use super::{out, settings};
use crate::postgres::{ConnectError, Environment, PasswordSource, Session, Target, TargetError, connect};
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
        let text = self.database.clone().or_else(|| std::env::var(VARIABLE).ok()).unwrap_or_default();
        let target = Target::parse(&text, &environment()).map_err(CliError::usage)?;
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
        Ok(match password_source()? {
            Some(source) => target.with_password_source(source),
            None => target,
        })
    }

    /// Reads other connections as it reads its own. What they leave open comes from the environment, and a password from the same program.
    pub(super) fn parser() -> Result<impl Fn(&str) -> Result<Target, TargetError>, CliError> {
        let (environment, source) = (environment(), password_source()?);
        Ok(move |text: &str| {
            let target = Target::parse(text, &environment)?;
            Ok(match &source {
                Some(source) => target.with_password_source(source.clone()),
                None => target,
            })
        })
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

fn environment() -> Environment {
    let environment = Environment::from_lookup(|name: &str| std::env::var(name).ok());
    match nix::unistd::User::from_uid(nix::unistd::getuid()) {
        Ok(Some(user)) => environment.with_os_user(user.name),
        _ => environment,
    }
}

/// The program that says passwords, where `cutover.toml` or the environment names one.
fn password_source() -> Result<Option<PasswordSource>, CliError> {
    let here = settings::at_hand("a password command that stands there is");
    let Some(command) = here.password_command else { return Ok(None) };
    let surroundings = settings::surroundings();
    let program = surroundings.program(|path| Configured::path_in(&here.folder, path), "password-command", &command);
    let program = program.map_err(|why| CliError::usage(format!("[database]: {why}")))?;
    Ok(Some(PasswordSource::new(move || {
        let program = program.clone();
        Box::pin(async move { program.secret().await })
    })))
}

fn connect_error(error: &ConnectError) -> CliError {
    CliError::with(Exit::Usage, error, error.hint())
}

/// A runtime for one command.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|e| CliError::usage(format!("the asynchronous runtime does not start: {e}")))
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
    CliError::new(Exit::Interrupted, "interrupted; what was made for it is gone, and nothing else was changed")
}
