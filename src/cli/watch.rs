//! `cutover status --watch` and `--timeout`: look again and again, until there is no more to see.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::database::DatabaseArgs;
use super::error::CliError;
use super::events::{Format, PROGRESS};
use super::exit::Exit;
use super::live::cli_error;
use super::out;
use crate::execute::{self, Overview, Record, Stage, Standing, StepRecord, TrafficRecord, Trouble};
use crate::postgres::Session;
use crate::report::{self, StatusDocument, Style};

/// How often it is looked.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// How long a look may take; the connection is taken for lost then.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long nobody may execute a release that goes on: a process may be about to come back.
const ALONE: Duration = Duration::from_secs(5);

/// When there is no more to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// Once the release is over.
    WithTheRelease,
    /// Once it is over, or nobody but people can carry it on.
    WhenItWaits,
}

/// Looks until there is no more to see, or the time is up.
pub(super) async fn watch(
    database: &DatabaseArgs,
    ends: Ends,
    limit: Option<Duration>,
    mut screen: Screen,
) -> Result<Exit, CliError> {
    let begun = Instant::now();
    let mut session = Some(connect(database).await?);
    let mut alone: Option<Instant> = None;
    loop {
        if session.is_none() {
            session = connect(database).await.ok();
        }
        if let Some(looking) = &session {
            match tokio::time::timeout(PATIENCE, execute::overview(looking)).await {
                Ok(Ok(found)) => {
                    let executed = found.as_ref().is_none_or(|overview| overview.executor.is_some());
                    alone = if executed { None } else { alone.or_else(|| Some(Instant::now())) };
                    let long_alone = alone.is_some_and(|since| since.elapsed() >= ALONE);
                    screen.show(found.as_ref())?;
                    if let Some(exit) = found.and_then(|overview| end(&overview, ends, long_alone)) {
                        screen.close()?;
                        return Ok(exit);
                    }
                }
                Ok(Err(error)) if !looking.is_closed() && !error.is_connection_lost() => return Err(cli_error(&error)),
                Ok(Err(_)) | Err(_) => {
                    screen.lost()?;
                    session = None;
                }
            }
        }
        let left = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
        if left == Some(Duration::ZERO) {
            screen.close()?;
            out::say("The time is up; the release is what it was.\n");
            return Ok(Exit::TimeUp);
        }
        tokio::time::sleep(left.unwrap_or(LOOK).min(LOOK)).await;
    }
}

/// A session that looks on, and counts as none of blue's.
pub(super) async fn connect(database: &DatabaseArgs) -> Result<Session, CliError> {
    let session = database.connect().await?;
    execute::begin_watching(&session).await.map_err(|error| cli_error(&error))?;
    Ok(session)
}

/// How a release has ended, or why nobody but people can carry it on.
fn end(overview: &Overview, ends: Ends, long_alone: bool) -> Option<Exit> {
    let status = &overview.status;
    let went_back = || {
        let failed = overview.journal.iter().rev().find_map(|entry| match &entry.record {
            Record::Traffic(TrafficRecord::RollbackStarted { failure, .. }) => Some(failure.is_some()),
            _ => None,
        });
        if failed == Some(true) { Exit::WentBack } else { Exit::Ok }
    };
    match (&status.stage, &status.standing) {
        (Stage::Done, _) => return Some(Exit::Ok),
        (Stage::RolledBack, _) => return Some(went_back()),
        _ if ends == Ends::WithTheRelease => return None,
        (_, Some(Standing::Paused { .. })) => return Some(Exit::Standing),
        (Stage::AwaitingApproval { .. }, None) => return Some(Exit::Ok),
        _ if overview.executor.is_some() => return None,
        (_, Some(Standing::Stopped { .. })) if status.trouble.is_none() => return Some(Exit::Ok),
        (_, Some(Standing::AwaitingTime { .. })) if status.trouble.is_none() => return Some(Exit::Ok),
        _ => {}
    }
    match &status.trouble {
        Some(Trouble::Failed { .. }) => Some(Exit::Failed),
        Some(Trouble::Stuck { .. }) => Some(Exit::Stuck),
        Some(Trouble::Interrupted) => Some(Exit::Interrupted),
        // Its executor was killed, or comes back in a moment.
        _ => long_alone.then_some(Exit::Failed),
    }
}

/// Where it is shown, and what is there by now.
pub(super) enum Screen {
    /// On a terminal that can draw: the same lines again and again.
    Terminal {
        /// How many are there.
        lines: usize,
    },
    /// A line for each thing that happens.
    Lines(Seen),
    /// A document for each change.
    Documents {
        /// The last one, without what changes by itself; and when it was.
        last: Option<(String, Instant)>,
    },
    /// The end only.
    AtTheEnd {
        /// How.
        format: Format,
        /// What was seen last.
        last: Option<Box<Overview>>,
    },
}

/// What has been told of.
#[derive(Default)]
pub(super) struct Seen {
    release: Option<String>,
    rows: usize,
    beside: Vec<String>,
    told: Option<Instant>,
    lost: bool,
}

impl Screen {
    /// The one that suits standard output.
    pub(super) fn live(format: Format) -> Self {
        let draws = std::io::stdout().is_terminal()
            && std::io::stderr().is_terminal()
            && anstream::stdout().current_choice() != anstream::ColorChoice::Never;
        match format {
            Format::Json => Self::Documents { last: None },
            Format::Text if draws => Self::Terminal { lines: 0 },
            Format::Text => Self::Lines(Seen::default()),
        }
    }

    fn show(&mut self, found: Option<&Overview>) -> Result<(), CliError> {
        match self {
            Self::Terminal { lines } => {
                let now = Timestamp::now();
                let style = Style { color: true, ..Style::default() };
                let text = match found {
                    None => NONE.to_owned(),
                    Some(overview) => report::render_live(overview, now, style),
                };
                draw(lines, &format!("{text}\n{}", report::line_at(now, "Ctrl-C ends this view, not the release")))
            }
            Self::Lines(seen) => seen.show(found),
            Self::Documents { last } => {
                let document = json(found)?;
                let key = changes(found);
                let due = last.as_ref().is_none_or(|(before, when)| {
                    *before != key || (found.is_some_and(|now| now.executor.is_some()) && when.elapsed() >= PROGRESS)
                });
                if due {
                    *last = Some((key, Instant::now()));
                    out::print(&document)?;
                }
                Ok(())
            }
            Self::AtTheEnd { last, .. } => {
                *last = found.cloned().map(Box::new);
                Ok(())
            }
        }
    }

    /// The connection is lost.
    fn lost(&mut self) -> Result<(), CliError> {
        match self {
            Self::Terminal { lines } => draw(lines, "The connection is lost; connecting again"),
            Self::Lines(seen) if seen.lost => Ok(()),
            Self::Lines(seen) => {
                seen.lost = true;
                tell("the connection is lost; connecting again")
            }
            Self::Documents { .. } | Self::AtTheEnd { .. } => Ok(()),
        }
    }

    /// There is no more to see.
    fn close(&mut self) -> Result<(), CliError> {
        match self {
            Self::AtTheEnd { format: Format::Text, last: Some(last) } => {
                out::print(&format!("{}\n", report::render_overview(last)))
            }
            Self::AtTheEnd { format: Format::Text, last: None } => out::print(&format!("{NONE}\n")),
            Self::AtTheEnd { format: Format::Json, last } => out::print(&json(last.as_deref())?),
            Self::Terminal { .. } | Self::Lines(_) | Self::Documents { .. } => Ok(()),
        }
    }
}

const NONE: &str = "No release was begun in this database.";

/// Draws over what is there. Lines that are too long are cut by the terminal, or there would be more of them than were counted.
fn draw(lines: &mut usize, text: &str) -> Result<(), CliError> {
    let up = if *lines > 0 { format!("\u{1b}[{lines}A\r") } else { String::new() };
    *lines = text.lines().count();
    out::print(&format!("{up}\u{1b}[J\u{1b}[?7l{text}\n\u{1b}[?7h"))
}

fn json(found: Option<&Overview>) -> Result<String, CliError> {
    serde_json::to_string(&StatusDocument::new(found)).map(|text| text + "\n").map_err(CliError::usage)
}

/// What makes another document worth a line at once: a row of the journal, another executor, somebody else in its way.
fn changes(found: Option<&Overview>) -> String {
    let Some(overview) = found else { return String::new() };
    let rows = overview.journal.iter().filter(|entry| !is_progress(&entry.record)).count();
    let executor = overview.executor.as_ref().map(|executor| {
        (executor.holder.backend_pid, executor.blockers.iter().map(|blocker| blocker.pid).collect::<Vec<_>>())
    });
    let phase = overview.step.as_ref().and_then(|step| step.index.as_ref()).map(|index| index.phase.as_str());
    format!("{} {rows} {executor:?} {phase:?}", overview.release.id)
}

fn is_progress(record: &Record) -> bool {
    matches!(record, Record::Step { what: StepRecord::Progressed { .. }, .. })
}

fn tell(what: &str) -> Result<(), CliError> {
    out::print(&format!("{}\n", report::line_at(Timestamp::now(), what)))
}

impl Seen {
    fn show(&mut self, found: Option<&Overview>) -> Result<(), CliError> {
        if std::mem::take(&mut self.lost) {
            tell("connected again")?;
        }
        let Some(overview) = found else {
            if self.told.is_none() {
                self.told = Some(Instant::now());
                tell(NONE)?;
            }
            return Ok(());
        };
        if self.release.as_ref() != Some(&overview.release.id) {
            // Who was here before it began is told all of it; for others what has happened is in the headline.
            let was_here = self.release.is_some() || self.told.is_some();
            let rows = if was_here { 0 } else { overview.journal.len() };
            *self = Self { release: Some(overview.release.id.clone()), rows, ..Self::default() };
            if !was_here {
                tell(&report::render_headline(overview))?;
            }
        }
        let new = overview.journal.get(self.rows..).unwrap_or_default();
        self.rows = overview.journal.len();
        let last = new.len().saturating_sub(1);
        for (at, entry) in new.iter().enumerate() {
            // A backfill has thousands of these.
            if is_progress(&entry.record) {
                if at != last || self.told.is_some_and(|told| told.elapsed() < PROGRESS) {
                    continue;
                }
                self.told = Some(Instant::now());
            }
            if let Some(line) = report::render_happened(entry, overview) {
                out::print(&format!("{line}\n"))?;
            }
        }
        let beside = report::render_beside(overview);
        let known = |line: &str| self.beside.iter().any(|told| without_figures(told) == without_figures(line));
        for line in beside.iter().filter(|line| !known(line)) {
            tell(line)?;
        }
        self.beside = beside;
        Ok(())
    }
}

/// A line that differs in nothing but its figures is no news.
fn without_figures(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}
