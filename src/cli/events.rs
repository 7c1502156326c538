//! What happens, as text for people (on standard error) or as JSON lines (on standard output).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Serialize;

use super::error::CliError;
use super::out;
use crate::execute::{self, Event, Outcome, Record, StepRecord};
use crate::plan::saved::SavedPlan;
use crate::postgres::Target;
use crate::release::News;
use crate::report::{self, CommandLine, DatabaseEvent, EventLine};

/// Version of the JSON lines. 2.7 has what happens in databases that follow; 2.6 has that steps wait for their time, and sessions that were ended; 2.5 has how fast a backfill goes and what holds it back; 2.4 deployments of platforms and what a backend moves; 2.3 pauses, stops that were asked for, checks and hooks; 2.2 holds and gates; 2.1 what is seen beside the executor (`watched`). 2.0 tells what each record is about: the release, its traffic, or a step.
pub(super) const FORMAT_VERSION: &str = "2.7";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs, one object a line
    Json,
}

/// How often the progress of one step is printed: a line for each of its transactions would be thousands.
pub(super) const PROGRESS: Duration = Duration::from_secs(5);

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
        let progressed = matches!(event, Event::Journaled { record, .. } if matches!(**record, Record::Step { what: StepRecord::Progressed { .. }, .. }));
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
            Format::Json => line(&EventLine::Command(CommandLine::Version {
                format_version: FORMAT_VERSION,
                tool: SavedPlan::this_tool(),
                database: target.display().to_string(),
            })),
        }
    }

    pub(super) fn event(&self, event: &Event) {
        match self.format {
            Format::Text => {
                for text in
                    self.progress.lock().unwrap_or_else(PoisonError::into_inner).due(event, report::render_event(event))
                {
                    out::say(&format!("{text}\n"));
                }
            }
            Format::Json => line(&EventLine::Event(event)),
        }
    }

    /// What happens in a database that follows. Of many of them people want to read what is amiss.
    pub(super) fn event_in(&self, database: &str, event: &Event) {
        match (self.format, event) {
            (Format::Json, _) => line(&EventLine::InDatabase(DatabaseEvent { in_database: database, event })),
            (Format::Text, Event::Warning { .. } | Event::LockRetry { .. } | Event::HeldBack { .. }) => {
                for text in report::render_event(event) {
                    out::say(&format!("  {database}: {}\n", text.trim_start()));
                }
            }
            (Format::Text, Event::Journaled { record, .. }) => {
                if let Some((News::Failed, text)) = execute::news(record) {
                    out::say(&format!("  {database}: {text}\n"));
                }
            }
            (Format::Text, _) => {}
        }
    }

    /// The last line of a command that ended well.
    pub(super) fn outcome(&self, outcome: &Outcome) {
        match self.format {
            Format::Text => tell(&report::render_outcome(outcome)),
            Format::Json => line(&EventLine::Command(CommandLine::Outcome { outcome })),
        }
    }

    /// The last line of a command that did not. For people the command line prints it itself.
    pub(super) fn error(&self, error: &CliError) {
        match self.format {
            Format::Text => {}
            Format::Json => line(&EventLine::Command(CommandLine::Error {
                exit: error.exit as u8,
                message: &error.message,
                hints: &error.hints,
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
