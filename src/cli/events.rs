//! What happens, as text for people (on standard error) or as JSON lines (on standard output).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use super::error::CliError;
use super::out;
use crate::execute::{Event, Gate, Outcome, Record, ReleaseRecord, StepRecord, TrafficRecord};
use crate::plan::saved::{Direction, Phase, SavedPlan};
use crate::postgres::Target;

/// Version of the JSON lines. 2.0 tells what each record is about: the release, its traffic, or a step.
pub(super) const FORMAT_VERSION: &str = "2.0";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs, one object a line
    Json,
}

/// How often the progress of one step is printed: a line for each of its transactions would be thousands.
const PROGRESS: Duration = Duration::from_secs(5);

/// Prints what happens.
pub(super) struct Printer {
    format: Format,
    progress: Mutex<Progress>,
}

/// The progress of a step, for people.
#[derive(Default)]
struct Progress {
    printed: Option<Instant>,
    /// What is not printed yet.
    waiting: Option<String>,
}

impl Progress {
    /// The lines to print now.
    fn due(&mut self, event: &Event, lines: Vec<String>) -> Vec<String> {
        let progressed =
            matches!(event, Event::Journaled { record: Record::Step { what: StepRecord::Progressed { .. }, .. }, .. });
        if !progressed {
            return std::mem::take(self).waiting.into_iter().chain(lines).collect();
        }
        if self.printed.is_some_and(|printed| printed.elapsed() < PROGRESS) {
            self.waiting = lines.into_iter().next();
            return Vec::new();
        }
        *self = Self { printed: Some(Instant::now()), waiting: None };
        lines
    }
}

impl Printer {
    pub(super) fn new(format: Format) -> Self {
        Self { format, progress: Mutex::default() }
    }

    /// The first line.
    pub(super) fn begin(&self, target: &Target) {
        match self.format {
            Format::Text => out::say(&format!("Connected to {}\n", target.display())),
            Format::Json => line(&json!({
                "type": "version", "format_version": FORMAT_VERSION, "tool": SavedPlan::this_tool(),
                "database": target.display().to_string(),
            })),
        }
    }

    pub(super) fn event(&self, event: &Event) {
        match self.format {
            Format::Text => {
                for text in self.progress.lock().unwrap_or_else(PoisonError::into_inner).due(event, describe(event)) {
                    out::say(&format!("{text}\n"));
                }
            }
            Format::Json => line(event),
        }
    }

    /// The last line of a command that ended well.
    pub(super) fn outcome(&self, outcome: &Outcome) {
        match self.format {
            Format::Text => tell(&describe_outcome(outcome)),
            Format::Json => {
                let mut value = serde_json::to_value(outcome).unwrap_or_default();
                if let Value::Object(object) = &mut value {
                    object.insert("type".into(), "outcome".into());
                }
                line(&value);
            }
        }
    }

    /// The last line of a command that did not. For people the command line prints it itself.
    pub(super) fn error(&self, error: &CliError) {
        match self.format {
            Format::Text => {}
            Format::Json => line(&json!({
                "type": "error", "exit": error.exit as u8, "message": error.message, "hints": error.hints,
            })),
        }
    }
}

fn line(value: &impl Serialize) {
    if let Ok(text) = serde_json::to_string(value) {
        tell(&text);
    }
}

/// A release goes on when nobody can read about it (a full disk, a closed pipe): the journal has everything, `cutover log` prints it.
fn tell(text: &str) {
    if let Err(error) = out::print(&format!("{text}\n")) {
        out::say(&format!("warning: {}\n", error.message));
    }
}

fn symbol(direction: Direction) -> &'static str {
    match direction {
        Direction::Additive => "+",
        Direction::Deletive => "-",
        Direction::Neutral => "~",
        Direction::Incompatible => "-/+",
        Direction::Data => ">",
        Direction::Opaque => "?",
    }
}

fn describe(event: &Event) -> Vec<String> {
    match event {
        Event::WaitingForLease { holder } => vec![format!("  Waiting   for the lease: {holder}")],
        Event::LeaseTaken { epoch } => vec![format!("  Locked    cutover.journal (epoch {epoch})")],
        Event::Journaled { release, record, .. } => describe_record(release, record).into_iter().collect(),
        Event::StepRunning { step, of, direction, object, action, sql, attempt } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            let mut lines = vec![format!("  Step {step}/{of} {} {object}  {action}{again}", symbol(*direction))];
            lines.extend(sql.iter().map(|sql| format!("        -> {}", first_line(sql))));
            lines
        }
        Event::LockRetry { attempt, of, message, pause_ms, blockers, .. } => {
            let mut lines =
                vec![format!("     attempt {attempt} of {of}: {message}; again in {}", duration(*pause_ms))];
            lines.extend(blockers.iter().map(|blocker| format!("        blocked by {blocker}")));
            lines
        }
        Event::Repaired { sql, .. } => vec![format!("     cleared up: {sql}")],
        Event::Waiting { what, pause_ms } => vec![format!("  Waiting   for {what}; again in {}", duration(*pause_ms))],
        Event::FilesChanged { why } => {
            vec![format!("  Warning   {why}; the release goes on with the text that is in its plan")]
        }
        Event::BackendLog { line } => vec![format!("        | {line}")],
    }
}

fn describe_record(release: &str, record: &Record) -> Option<String> {
    match record {
        Record::Release(record) => Some(describe_release(release, record)),
        Record::Traffic(record) => Some(describe_traffic(record)),
        Record::Step { step, what } => describe_step(*step, what),
    }
}

fn describe_release(release: &str, record: &ReleaseRecord) -> String {
    match record {
        ReleaseRecord::Started { traffic, .. } => format!("  Release   {release}, traffic moved by {traffic}"),
        ReleaseRecord::Resumed { .. } => format!("  Resuming  release {release}"),
        ReleaseRecord::DriftAccepted { by, .. } => {
            format!("  Decision  the schema is right, says {} on {}", by.role, by.host)
        }
        ReleaseRecord::PointOfNoReturn { step } => {
            format!("  Point of no return passed with step {step}: blue cannot come back")
        }
        ReleaseRecord::PhaseFinished { phase: Phase::Before } => {
            "  Before cutover: done. Both versions work on this schema".into()
        }
        ReleaseRecord::PhaseFinished { phase: Phase::After } => "  After cutover: done".into(),
        ReleaseRecord::Interrupted => "  Interrupted; the state is saved".into(),
        ReleaseRecord::Failed { .. } => "  Failed; the state is saved".into(),
        ReleaseRecord::Finished => "  Finished".into(),
    }
}

fn describe_traffic(record: &TrafficRecord) -> String {
    match record {
        TrafficRecord::ShiftStarted { share } => format!("  Cutover   green -> {share}"),
        TrafficRecord::Shifted { share, confirmed } => {
            format!("  Cutover   green has {share}{}", if *confirmed { ", verified" } else { ", not verifiable" })
        }
        TrafficRecord::ApprovalAwaited { .. } => "  Waiting   for approval".into(),
        TrafficRecord::Promoted { by } => format!("  Promoted  by {} on {}", by.role, by.host),
        TrafficRecord::DrainStarted => "  Draining  blue".into(),
        TrafficRecord::Drained { evidence } => format!("  Drained   blue: {evidence}"),
        TrafficRecord::RollbackStarted { .. } => "  Rollback  all traffic to blue".into(),
        TrafficRecord::RolledBack => "  Rolled back".into(),
    }
}

fn describe_step(step: u32, record: &StepRecord) -> Option<String> {
    Some(match record {
        StepRecord::Started => return None,
        StepRecord::Progressed { rows, .. } => format!("     {rows} rows changed"),
        StepRecord::Succeeded { ms, .. } => format!("     ok ({})", duration(*ms)),
        StepRecord::Failed { .. } => format!("     step {step} failed"),
        StepRecord::Stuck { .. } => format!("     step {step} is stuck"),
        StepRecord::MarkedDone { by, .. } => {
            format!("  Decision  step {step} is done, says {} on {}", by.role, by.host)
        }
        StepRecord::Retried { by } => {
            format!("  Decision  step {step} may run again, says {} on {}", by.role, by.host)
        }
    })
}

fn describe_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { release, already: false } => format!("Release {release} is complete."),
        Outcome::Done { release, already: true } => format!("Release {release} is complete already; nothing was done."),
        Outcome::AwaitingApproval { release, gate: Gate::Traffic } => format!(
            "Release {release} waits for you. The database is ready for both versions. Now\n  \
             1. start green and move the traffic to it,\n  2. make sure that blue serves nobody any more,\n  \
             3. run `cutover promote`; or go back with `cutover rollback`."
        ),
        Outcome::AwaitingApproval { release, gate: Gate::Drain } => format!(
            "Release {release} waits for you. Green has all traffic, and nothing proves that blue is drained. Now\n  \
             1. make sure that blue serves nobody any more,\n  2. run `cutover promote`; or go back with `cutover rollback`."
        ),
        Outcome::RolledBack { release, by_hand: false } => {
            format!("Release {release} is rolled back: blue has all traffic. What was added to the schema stays.")
        }
        Outcome::RolledBack { release, by_hand: true } => format!(
            "Release {release} is rolled back. Move all traffic to blue now, if it is not there yet. What was added to the schema stays."
        ),
    }
}

fn first_line(sql: &str) -> String {
    let mut lines = sql.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--"));
    let first: String = lines.next().unwrap_or_default().chars().take(100).collect();
    if lines.next().is_some() { format!("{first} …") } else { first }
}

pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} m {:02} s", ms / 60_000, ms % 60_000 / 1000),
    }
}
