//! A program, and one run of it: its process group, its pipes, its deadline.

use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use camino::Utf8PathBuf;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines, Split};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::postgres::Secret;

/// A program with its arguments, never run through a shell.
#[derive(Debug, Clone)]
pub struct Program {
    /// Path, or a name that the system finds.
    pub path: Utf8PathBuf,
    /// Its arguments, as they are.
    pub args: Vec<String>,
    /// Names of environment variables it does not get: the database's password is none of its business.
    pub hidden_environment: Vec<String>,
}

impl Program {
    /// How it ended that did not end well, with what it wrote last to standard error.
    pub(crate) fn ended_badly(&self, ended: &Ended, said: Option<String>) -> String {
        let said = said.map_or_else(String::new, |said| format!(": {said}"));
        format!("{} ended with {}{said}", self.path, ended.status)
    }

    /// The secret that a program says: the first line of its standard output. An error never holds what it wrote there.
    pub async fn secret(&self) -> Result<Secret, String> {
        let path = &self.path;
        let (ended, said) = ask(self, b"", SECRET_DEADLINE).await.map_err(|why| format!("{path}: {why}"))?;
        if !ended.status.success() {
            return Err(self.ended_badly(&ended, said));
        }
        let text = String::from_utf8(ended.output).map_err(|_| format!("{path}: what it wrote is not UTF-8"))?;
        match text.lines().next().map(|line| line.trim_end_matches('\r')) {
            None | Some("") => Err(format!("{path} wrote nothing to the first line of its standard output")),
            Some(line) => Ok(Secret::new(line)),
        }
    }
}

/// How long a program may take that says a secret.
const SECRET_DEADLINE: Duration = Duration::from_secs(10);

/// What a program left behind that ended before its deadline.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Its standard output, up to a mebibyte.
    pub(crate) output: Vec<u8>,
    /// Whether there was more.
    pub(crate) overflowed: bool,
}

/// Why nobody knows how a program ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotEnded {
    /// It did not, in time.
    #[error("no answer within {0:?}; its process group was killed")]
    Late(Duration),
    /// It did not start, or its pipes broke.
    #[error("{0}")]
    Broken(String),
}

/// How much of its standard output is kept.
pub(crate) const OUTPUT_LIMIT: usize = 1 << 20;
/// How long its pipes are read after it has ended.
const AFTERWARDS: Duration = Duration::from_millis(250);
const LOG_LINE_LIMIT: usize = 4096;

/// Kills the process group when dropped, so that neither a deadline nor an abort leaves a grandchild behind.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // The only error is that nobody is left, which is what is wanted.
            let _ = killpg(pid, Signal::SIGKILL);
        }
    }
}

/// A line for a log.
fn shortened(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().take(LOG_LINE_LIMIT).collect()
}

fn start(program: &Program) -> Result<(Child, Group), String> {
    let mut command = Command::new(program.path.as_str());
    command.args(&program.args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    for name in &program.hidden_environment {
        command.env_remove(name);
    }
    let child = command.spawn().map_err(|e| format!("{} does not start: {e}", program.path))?;
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
    Ok((child, group))
}

/// A program that stays, and is talked to line by line.
#[derive(Debug)]
pub(crate) struct Talk {
    child: Child,
    _group: Group,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    log: Split<BufReader<ChildStderr>>,
    /// Whether it still has something to say on standard error.
    logs: bool,
}

impl Talk {
    /// Starts it.
    pub(crate) fn start(program: &Program) -> Result<Self, String> {
        let (mut child, group) = start(program)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(log)) = pipes else { return Err("it has no pipes".to_owned()) };
        let (output, log) = (BufReader::new(output).lines(), BufReader::new(log).split(b'\n'));
        Ok(Self { child, _group: group, input, output, log, logs: true })
    }

    /// Whether it has not ended, as far as is known.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Writes a line to it.
    pub(crate) async fn write(&mut self, line: &str) -> Result<(), String> {
        let written = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.write_all(b"\n").await?;
            self.input.flush().await
        };
        written.await.map_err(|error| format!("writing to it failed: {error}"))
    }

    /// Its next line. What it writes to standard error meanwhile goes to `log`.
    pub(crate) async fn read(&mut self, log: impl Fn(String)) -> Result<String, String> {
        loop {
            tokio::select! {
                biased;
                line = self.log.next_segment(), if self.logs => match line {
                    Ok(Some(line)) => log(shortened(&line)),
                    _ => self.logs = false,
                },
                line = self.output.next_line() => return match line {
                    Ok(Some(line)) => Ok(line),
                    Ok(None) => Err("it ended without an answer".to_owned()),
                    Err(error) => Err(format!("reading its output failed: {error}")),
                },
            }
        }
    }
}

/// Runs the program once. What it writes to standard error goes to `log`, a line each. An error says why nobody knows how it ended.
pub(crate) async fn run(
    program: &Program,
    input: &[u8],
    deadline: Duration,
    log: impl Fn(String) + Send,
) -> Result<Ended, NotEnded> {
    let (mut child, group) = start(program).map_err(NotEnded::Broken)?;

    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // A program that does not care about its input may close it early.
            let _ = stdin.write_all(input).await;
        }
    };
    let (mut output, mut overflowed) = (Vec::new(), false);
    // What is too much is read on and thrown away: a program must not die of what it says.
    let read = async {
        let Some(mut stdout) = stdout else { return Ok(()) };
        let mut piece = vec![0; 8192];
        loop {
            let length = stdout.read(&mut piece).await?;
            if length == 0 {
                return Ok::<_, std::io::Error>(());
            }
            let room = OUTPUT_LIMIT.saturating_sub(output.len());
            overflowed |= length > room;
            output.extend_from_slice(&piece[..length.min(room)]);
        }
    };
    let forward = async move {
        let Some(stderr) = stderr else { return };
        let mut lines = BufReader::new(stderr).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            log(shortened(&line));
        }
    };
    let whole = async {
        let pipes = async { tokio::join!(feed, read, forward).1 };
        tokio::pin!(pipes);
        tokio::select! {
            read = &mut pipes => (child.wait().await, read),
            status = child.wait() => {
                // What it wrote is in the pipe, which somebody whom it started may keep open for long.
                let read = tokio::time::timeout(AFTERWARDS, pipes).await;
                (status, read.unwrap_or(Ok(())))
            }
        }
    };
    let Ok((status, read)) = tokio::time::timeout(deadline, whole).await else {
        drop(group);
        return Err(NotEnded::Late(deadline));
    };
    let status = status.map_err(|e| NotEnded::Broken(format!("waiting for it failed: {e}")))?;
    read.map_err(|e| NotEnded::Broken(format!("reading its output failed: {e}")))?;
    Ok(Ended { status, output, overflowed })
}

/// Runs the program once, and keeps what it wrote last to standard error that is not blank: as a rule that says why.
pub(crate) async fn ask(
    program: &Program,
    input: &[u8],
    deadline: Duration,
) -> Result<(Ended, Option<String>), NotEnded> {
    let last = Mutex::new(None);
    let keep = |line: String| {
        if let Ok(mut last) = last.lock()
            && !line.trim().is_empty()
        {
            *last = Some(line);
        }
    };
    let ended = run(program, input, deadline, keep).await?;
    Ok((ended, last.into_inner().ok().flatten()))
}
