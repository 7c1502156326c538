//! What `execute`, `resume`, `promote` and `rollback` share: options, signals, doors, and how an error becomes an exit code.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::database::{self, DatabaseArgs};
use super::databases::{Databases, DatabasesArgs, Others};
use super::error::CliError;
use super::events::{Format, PROGRESS, Printer};
use super::exit::Exit;
use super::newsroom::Newsroom;
use super::out;
use super::traffic_args::{Release, Said, TrafficArgs};
use crate::execute::{
    self, BlueSessions, Doors, Event, ExecuteError, JournalError, Limits, Misfit, Options, Outcome, Stop, StopLevel,
    Stopper, SystemClock,
};
use crate::fleet::{Fleet, FleetError, MemberError};
use crate::plan::saved::SavedPlanError;
use crate::postgres::{Session, Target, connect};
use crate::release::time::{milliseconds, signed};
use crate::release::{DatabasePart, NO_LOCK_TIMEOUT, Throttle, Until};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct LiveArgs {
    #[command(flatten)]
    pub(super) database: DatabaseArgs,
    #[command(flatten)]
    databases: DatabasesArgs,
    #[command(flatten)]
    pub(super) traffic: TrafficArgs,
    /// How long a step waits for a lock at most before it lets the application go first; the first tries wait less [default: 1s, or as the release
    /// was told; so are the other limits]
    #[arg(long, value_name = "DURATION", value_parser = some_time)]
    lock_timeout: Option<Duration>,
    /// How long a statement may run; 0s: for ever. Does not hold for statements outside transactions [default: 0s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    statement_timeout: Option<Duration>,
    /// How often a step that did not get its locks tries again, with growing pauses [default: 10]
    #[arg(long, value_name = "N")]
    lock_retries: Option<u32>,
    /// How long to wait for another executor's session to end
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    takeover_timeout: Option<Duration>,
    /// How long the traffic backend may take for one call [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    traffic_timeout: Option<Duration>,
    /// How long the traffic may take to move by one share [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    verify_timeout: Option<Duration>,
    /// How long blue may take to drain [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    drain_timeout: Option<Duration>,
    /// How long the steps after the cutover wait once blue is drained; 0s: not any longer [default: 0s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    after_delay: Option<Duration>,
    /// Run steps now, although it is not the time that `[release.before]` and `[release.after]` allow. The journal keeps that
    #[arg(long)]
    at_any_time: bool,
    /// Another setting of `[release.backfill]`, such as `replica-lag=30s`; may be given more than once
    #[arg(long, value_name = "SETTING=VALUE", value_parser = crate::config::throttle)]
    backfill: Vec<Throttle>,
    /// Blue is not drained while a session with this application_name is connected. The release keeps it, whoever carries it on
    #[arg(long, value_name = "NAME", conflicts_with = "blue_role")]
    blue_application_name: Option<String>,
    /// Blue is not drained while a session of this role is connected
    #[arg(long, value_name = "ROLE")]
    blue_role: Option<String>,
    /// Do not watch blue's sessions any more, although the release was begun with a name for them. The journal keeps that
    #[arg(long, conflicts_with_all = ["blue_application_name", "blue_role"])]
    no_blue_guard: bool,
    /// Go on although a step that has not run yet seems to fail: you know that it will not
    #[arg(long)]
    accept_foreseen: bool,
    /// Wait for `promote`, or where the release is paused for `resume`, instead of ending
    #[arg(long)]
    wait: bool,
    /// How to print what happens; `json` prints one object a line
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: Format,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
    /// Kill or stop this process at the Nth journal boundary (`kill-at=N`, `stop-at=N`); for tests, in debug builds only
    #[cfg(debug_assertions)]
    #[arg(long, hide = true, value_name = "kill-at=N")]
    fault: Option<String>,
}

/// This process, for the journal.
pub(super) fn who() -> Options {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    Options { host: host.unwrap_or_else(|| "unknown".into()), pid: std::process::id(), ..Options::default() }
}

/// How long whoever waits for approval waits for a server that went away.
const RECONNECT: Duration = Duration::from_secs(300);

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let signed = signed(text).map_err(|e| format!("{e}; write for example 500ms, 5s or 2m"))?;
    Duration::try_from(signed).map_err(|_| "it is negative".to_owned())
}

/// A time that is not zero: a lock that is waited for without limit stops the application behind it.
fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(NO_LOCK_TIMEOUT.to_owned()),
        time => Ok(time),
    }
}

impl LiveArgs {
    /// Asks for a typed `yes`, or insists on `--yes` where nobody can be asked.
    pub(super) fn confirm(&self, question: &str) -> Result<(), CliError> {
        confirmed(self.yes, question)
    }

    fn options(&self, patience: Duration) -> Options {
        let by_name = self.blue_application_name.clone().map(BlueSessions::ApplicationName);
        Options {
            patience: self.takeover_timeout.unwrap_or(patience),
            limits: Limits {
                lock_timeout_ms: self.lock_timeout.map(milliseconds),
                statement_timeout_ms: self.statement_timeout.map(milliseconds),
                lock_retries: self.lock_retries,
                traffic_timeout_ms: self.traffic_timeout.map(milliseconds),
                verify_timeout_ms: self.verify_timeout.map(milliseconds),
                drain_timeout_ms: self.drain_timeout.map(milliseconds),
                after_delay_ms: self.after_delay.map(milliseconds),
                backfill: self.backfill.iter().fold(Throttle::default(), |all, one| all.then(*one)),
            },
            second_connection: true,
            wait: self.wait,
            blue: by_name.or_else(|| self.blue_role.clone().map(BlueSessions::Role)),
            lift_guard: self.no_blue_guard,
            accept_foreseen: self.accept_foreseen,
            at_any_time: self.at_any_time,
            ..who()
        }
    }

    /// Connects and runs a command of the engine. A killed executor's session ends shortly after it; `patience` waits for that.
    pub(super) fn run<T: From<Outcome>>(
        &self,
        patience: Duration,
        said: Said<'_>,
        command: impl AsyncFnOnce(&mut Session, Option<&Fleet<'_>>, &Options, &mut Doors<'_>) -> Result<T, FleetError>,
        tell: impl FnOnce(T, &Printer) -> Exit,
    ) -> Result<Exit, CliError> {
        let runtime = database::runtime()?;
        let printer = Arc::new(Printer::new(self.format));
        let options = self.options(patience);
        let mut fault = self.fault();
        let done = runtime.block_on(async {
            let mut session = self.database.connect().await?;
            printer.begin(session.target());
            let release = Release::read(said, &session).await;
            let backend = self.traffic.backend(&release)?;
            let (checks, hooks, news) = release.parts()?;
            let others = self.databases.read(&session).await?;
            let many = matches!(others, Others::Follow(_));
            let news = Newsroom::open(news, session.target().display().to_string(), many, Arc::clone(&printer));
            let told = |database: &str, event: &Event| printer.event_in(database, event);
            let (mut options, fleet) = match &others {
                Others::Unsaid => (options, None),
                Others::None => (Options { part: Some(DatabasePart::Alone), ..options }, None),
                Others::Follow(Databases { members, at_once }) => {
                    (options, Some(Fleet { members, at_once: *at_once, told: &told }))
                }
            };
            let (stopper, stop) = Stop::channel();
            let signals = tokio::spawn(listen(stopper));
            let mut command = Some(command);
            let done = loop {
                let cancel = execute::canceller(&session);
                let beside = execute::beside(&session);
                let watcher =
                    tokio::spawn(watch(session.target().clone(), session.backend_pid(), Arc::clone(&printer)));
                let mut doors = Doors {
                    traffic: backend.as_ref(),
                    checks: &checks,
                    hooks: &hooks,
                    events: &mut |event| {
                        printer.event(event);
                        news.hear(event);
                    },
                    observer: None,
                    stop: stop.clone(),
                    clock: &SystemClock,
                    cancel: Some(&cancel),
                    beside: Some(&beside),
                    boundary: Some(&mut *fault),
                };
                let done = match (command.take(), &fleet) {
                    (Some(command), fleet) => command(&mut session, fleet.as_ref(), &options, &mut doors).await,
                    (None, Some(fleet)) => fleet.resume(&mut session, None, &options, &mut doors).await.map(T::from),
                    (None, None) => execute::resume(&mut session, None, &options, &mut doors)
                        .await
                        .map(T::from)
                        .map_err(FleetError::from),
                };
                watcher.abort();
                // Whoever waits for a word goes on waiting when the server was restarted meanwhile.
                let lost = matches!(done, Err(FleetError::Lead(ExecuteError::LostWhileWaiting)));
                match lost.then_some(self.reconnect(&stop, &printer)) {
                    Some(again) => match again.await {
                        // Somebody else may have ended the wait meanwhile, and gone back.
                        Some(again) if still_goes_forward(&again).await => {
                            (session, options.patience, options.keep_pause) = (again, RECONNECT, true)
                        }
                        _ => break done,
                    },
                    None => break done,
                }
            };
            news.close(&stop).await;
            signals.abort();
            done.map_err(|error| fleet_error(&error))
        });
        // An aborted statement must not keep the process.
        runtime.shutdown_background();
        let exit = match done {
            Ok(done) => tell(done, &printer),
            Err(error) => {
                printer.error(&error);
                return Err(error);
            }
        };
        Ok(exit)
    }

    /// Another connection after the server went away; none if it does not come back in time, or somebody interrupts.
    async fn reconnect(&self, stop: &Stop, printer: &Printer) -> Option<Session> {
        let what = "the server went away while the release waits; connecting again".to_owned();
        printer.event(&Event::Warning { what });
        let again = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if let Ok(session) = self.database.connect().await {
                    return session;
                }
            }
        };
        tokio::select! {
            session = tokio::time::timeout(RECONNECT, again) => session.ok(),
            () = stop.asked(StopLevel::Graceful) => None,
        }
    }

    #[cfg(not(debug_assertions))]
    fn fault(&self) -> Box<dyn FnMut(&'static str) + Send> {
        Box::new(|_| {})
    }

    #[cfg(debug_assertions)]
    fn fault(&self) -> Box<dyn FnMut(&'static str) + Send> {
        use nix::sys::signal::{Signal, kill};
        let read = |text: &str| {
            let (what, at) = text.split_once("-at=")?;
            let signal = match what {
                "kill" => Signal::SIGKILL,
                "stop" => Signal::SIGSTOP,
                _ => return None,
            };
            Some((signal, at.parse::<u32>().ok()?))
        };
        let fault = self.fault.as_deref().and_then(read);
        let mut passed = 0;
        Box::new(move |_| {
            passed += 1;
            if let Some((signal, _)) = fault.filter(|(_, at)| *at == passed) {
                let _ = kill(nix::unistd::Pid::this(), signal);
            }
        })
    }
}

/// Asks for a typed `yes`, or insists on `--yes` where nobody can be asked.
pub(super) fn confirmed(yes: bool, question: &str) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(CliError::usage("nobody can be asked here: this is not a terminal").hint("pass --yes"));
    }
    out::say(&format!("{question}\n  Only `yes` will be accepted: "));
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|e| CliError::usage(format!("reading the answer failed: {e}")))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(CliError::usage("not confirmed; nothing was done")) }
}

/// Whether nobody has taken the release back.
async fn still_goes_forward(session: &Session) -> bool {
    let status = execute::status(session).await.ok().flatten();
    status.is_some_and(|(_, status)| !status.goes_back())
}

/// How often a second connection looks at what the first one waits for.
const GLANCE: Duration = Duration::from_secs(1);

/// Tells who holds the executor up while they do, and how far an index is, over a connection of its own. Nothing depends on it: when it is lost, or
/// never comes, the release goes on all the same.
async fn watch(target: Target, pid: i32, printer: Arc<Printer>) {
    tokio::time::sleep(GLANCE).await;
    let Ok(session) = connect(&target).await else { return };
    if execute::begin_watching(&session).await.is_err() {
        return;
    }
    let mut told: Option<(Vec<i32>, Option<String>, Instant)> = None;
    while let Ok(seen) = execute::watch(&session, pid).await {
        if let Some(event @ Event::Watched { blockers, index }) = &seen {
            let who: Vec<i32> = blockers.iter().map(|blocker| blocker.pid).collect();
            let phase = index.as_ref().map(|index| index.phase.clone());
            let is_new =
                |(before, at, when): &(_, _, Instant)| *before != who || *at != phase || when.elapsed() >= PROGRESS;
            if told.as_ref().is_none_or(is_new) {
                printer.event(event);
                told = Some((who, phase, Instant::now()));
            }
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Ctrl-C and SIGTERM: the first asks politely, the second does not.
async fn listen(stopper: Stopper) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        match stopper.more() {
            StopLevel::Run => {}
            StopLevel::Graceful => out::say(
                "Interrupt received. Cancelling the current statement and saving the state; a second interrupt ends at once.\n",
            ),
            StopLevel::Abort => out::say("Second interrupt received. Ending at once.\n"),
        }
    }
}

/// Where a command of the engine stops before the end of the release.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct UntilArg {
    /// Stop there (exit code 0), for something else to be done in between; `cutover resume` goes on. If the release waits for `promote` before that, or is
    /// paused, the exit code is 9
    #[arg(long, value_name = "WHERE", value_enum)]
    until: Option<UntilName>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum UntilName {
    /// The phase before the cutover is over: deploy green now
    Expanded,
    /// Green has all traffic, and the bake time is over
    Shifted,
    /// Blue serves nobody any more
    Drained,
}

impl UntilArg {
    pub(super) fn place(self) -> Option<Until> {
        self.until.map(|name| match name {
            UntilName::Expanded => Until::Expanded,
            UntilName::Shifted => Until::Shifted,
            UntilName::Drained => Until::Drained,
        })
    }

    /// Says how a command ended well.
    pub(super) fn tell(self, outcome: Outcome, printer: &Printer) -> Exit {
        let waits = matches!(outcome, Outcome::AwaitingApproval { .. } | Outcome::AwaitingTime { .. });
        match (self.until, tell(outcome, printer)) {
            (Some(_), Exit::Ok) if waits => Exit::Standing,
            (_, exit) => exit,
        }
    }
}

/// Says how a command ended well.
pub(super) fn tell(outcome: Outcome, printer: &Printer) -> Exit {
    printer.outcome(&outcome);
    match outcome {
        Outcome::RolledBack { failure: Some(_), .. } => Exit::WentBack,
        Outcome::Paused { .. } => Exit::Standing,
        _ => Exit::Ok,
    }
}

/// The error with its exit code and what to do next.
pub(super) fn cli_error(error: &ExecuteError) -> CliError {
    CliError::with(exit(error), error, error.hint())
}

fn fleet_error(error: &FleetError) -> CliError {
    CliError::with(fleet_exit(error), error, error.hint())
}

/// Of what was not begun there is nothing to resume.
fn not_begun(exit: Exit) -> Exit {
    if exit == Exit::Failed { Exit::Usage } else { exit }
}

/// By what there is to do next.
fn exit(error: &ExecuteError) -> Exit {
    match error {
        ExecuteError::NotBegun(error) => not_begun(exit(error)),
        ExecuteError::Unsafe => Exit::Findings,
        ExecuteError::Part(_) => Exit::Usage,
        ExecuteError::Server(_) | ExecuteError::NoRelease | ExecuteError::NotWaiting { .. } => Exit::Usage,
        ExecuteError::CannotPause { .. } | ExecuteError::PauseTakenBack { .. } | ExecuteError::NotInRamp { .. } => {
            Exit::Usage
        }
        // Nothing was done, and carrying on is not what is called for.
        ExecuteError::Unfinished { .. } | ExecuteError::Begun { .. } => Exit::Usage,
        ExecuteError::Journal(error) if error.is_denied() => Exit::Usage,
        ExecuteError::Journal(JournalError::Format { .. }) => Exit::Stale,
        ExecuteError::Journal(
            JournalError::Gap { .. } | JournalError::SchemaHistory { .. } | JournalError::Row { .. },
        ) => Exit::Stuck,
        ExecuteError::NoCheck { .. }
        | ExecuteError::NoHook { .. }
        | ExecuteError::GreenHasTraffic { .. }
        | ExecuteError::OtherGate { .. }
        | ExecuteError::RampUnfit { .. }
        | ExecuteError::ShareUnfit { .. } => Exit::Usage,
        ExecuteError::OtherTarget { .. } => Exit::Usage,
        ExecuteError::Needed { .. }
        | ExecuteError::NoDecision { .. }
        | ExecuteError::OtherTraffic { .. }
        | ExecuteError::Pooled { .. } => Exit::Usage,
        ExecuteError::Plan(error) => plan_exit(error),
        ExecuteError::Stale(_) | ExecuteError::BlueInDoubt { .. } | ExecuteError::OtherTool { .. } => Exit::Stale,
        ExecuteError::Misfit(misfit) => match misfit {
            Misfit::FromTheBeginning | Misfit::CarriesOn { .. } => Exit::Usage,
            Misfit::InDoubt { .. } => Exit::Stuck,
            Misfit::RollingBack | Misfit::RanBefore { .. } => Exit::Usage,
            Misfit::OtherSchema(_) | Misfit::NothingLeft => Exit::Stale,
            Misfit::OtherRelease { .. }
            | Misfit::RanMeanwhile { .. }
            | Misfit::LeftBehind { .. }
            | Misfit::TooLate { .. } => Exit::Stale,
        },
        ExecuteError::Held(_) | ExecuteError::LeaseBusy | ExecuteError::Unanswered { .. } => Exit::Held,
        ExecuteError::TooEarly { .. } => Exit::NotYet,
        ExecuteError::Paused { .. } | ExecuteError::PauseHeard => Exit::Standing,
        ExecuteError::PauseUnheard(_) | ExecuteError::PauseUnwritten(_) => Exit::TimeUp,
        ExecuteError::Stuck { .. } | ExecuteError::Transition(_) => Exit::Stuck,
        ExecuteError::Interrupted | ExecuteError::Aborted => Exit::Interrupted,
        ExecuteError::Database { .. }
        | ExecuteError::Journal(_)
        | ExecuteError::History(_)
        | ExecuteError::LeaseLost { .. }
        | ExecuteError::Traffic(_)
        | ExecuteError::NotVerified { .. }
        | ExecuteError::Unhealthy { .. }
        | ExecuteError::CheckFailed { .. }
        | ExecuteError::HeldBack { .. }
        | ExecuteError::Unseen { .. }
        | ExecuteError::Unmeasured { .. }
        | ExecuteError::DeploymentFailed { .. }
        | ExecuteError::DeploymentOver { .. }
        | ExecuteError::HookFailed { .. }
        | ExecuteError::Inconclusive { .. }
        | ExecuteError::MovedByOthers { .. }
        | ExecuteError::BothFail { .. }
        | ExecuteError::NotDrained { .. }
        | ExecuteError::Step(_)
        | ExecuteError::NoReturn { .. }
        | ExecuteError::OtherShare { .. }
        | ExecuteError::Foreseen { .. }
        | ExecuteError::GoingBack { .. }
        | ExecuteError::LostWhileWaiting
        | ExecuteError::Observed(_) => Exit::Failed,
    }
}

fn fleet_exit(error: &FleetError) -> Exit {
    match error {
        FleetError::Lead(error) => exit(error),
        FleetError::NotBegun(error) => not_begun(fleet_exit(error)),
        FleetError::Busy { .. } => Exit::Held,
        FleetError::OtherDatabases { .. } | FleetError::NoMember { .. } => Exit::Usage,
        FleetError::Members(failed) => match failed.failed.first() {
            Some((_, MemberError::Execute(error))) => exit(error),
            Some((_, MemberError::Connect(_) | MemberError::LockLost)) => Exit::Failed,
            Some((_, MemberError::Stands(_))) => Exit::Standing,
            Some((_, MemberError::Same { .. })) => Exit::Usage,
            Some((_, MemberError::NotBegun { .. })) | None => Exit::Stale,
        },
    }
}

/// A file that is no plan is a usage error; a plan that does not fit is stale.
pub(super) fn plan_exit(error: &SavedPlanError) -> Exit {
    match error {
        SavedPlanError::Malformed(_) => Exit::Usage,
        SavedPlanError::FormatVersion { .. } | SavedPlanError::Edited { .. } | SavedPlanError::ToolVersion { .. } => {
            Exit::Stale
        }
    }
}
