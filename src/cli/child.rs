//! A command of the user in a process group of its own, ended with everything that it started.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use camino::Utf8Path;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

use super::error::CliError;
use super::out;

/// How long a command may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself, with success.
    Well,
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal, which was not ours.
    Signal(i32),
    /// Because we were interrupted.
    Interrupted,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Well => f.write_str("ended well"),
            Self::Code(code) => write!(f, "ended with exit code {code}"),
            Self::Signal(number) => write!(f, "was ended by signal {number}"),
            Self::Interrupted => f.write_str("was interrupted"),
        }
    }
}

/// The processes of the group end with this value, whatever way it goes.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

/// Runs a command to its end, or to Ctrl-C.
pub(super) async fn run(
    command: &[String],
    folder: &Utf8Path,
    variables: &[(&str, String)],
) -> Result<Ended, CliError> {
    let [program, arguments @ ..] = command else {
        return Err(CliError::usage("there is no command to run").hint("write it after `--`"));
    };
    let listen = |kind| signal(kind).map_err(|e| CliError::usage(format!("signals cannot be listened to: {e}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        // Nobody is at the keyboard of a test suite, and a group in the background may not read it.
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|e| CliError::usage(format!("{program} does not start: {e}")).hint("give the command after `--`"))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(|id| Group(Pid::from_raw(id)));
    tokio::select! {
        status = child.wait() => return status.map(ended).map_err(|e| CliError::usage(format!("{program}: {e}"))),
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    out::say("Interrupt received. Ending the command; a second interrupt kills it.\n");
    if let Some(group) = &group {
        let _ = killpg(group.0, Signal::SIGTERM);
    }
    tokio::select! {
        _ = child.wait() => {}
        () = tokio::time::sleep(PATIENCE) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(Ended::Interrupted)
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ended::Well,
        (Some(code), _) => Ended::Code(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}
