//! `cutover pause`: the release stays where it is.

use std::time::Duration;

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::events::{Format, Printer};
use super::exit::Exit;
use super::live::{self, cli_error};
use crate::execute::{self, Doors, Options};
use crate::traffic::Manual;

/// Stop the release where it is, until `cutover resume`
///
/// Needs the database and nothing else. Whoever executes the release hears it within a second or so, and journals that it did: no other step begins, no
/// other share is set. A statement that runs is not cut, and a share that is being set is seen through. The executor ends (exit code 9), or waits, if it
/// was started with `--wait`. A time to hold goes on: it ends when it was to end, paused or not.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover pause --reason 'error rate of checkout, looking'
  cutover pause --database postgres://deploy@db/shop --timeout 10m

Exit codes: 0 the release stands still · 2 usage or connection, or there is nothing to pause · 7 somebody has the lease locked ·
10 the time is up: a step runs, and the message says whether the executor will stop behind it")]
pub(super) struct Args {
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long to wait until the step that runs is over, and the executor has heard it
    #[arg(long, value_name = "DURATION", value_parser = live::duration, default_value = "5m")]
    timeout: Duration,
    #[command(flatten)]
    database: DatabaseArgs,
    /// How to print what happens; `json` prints one object a line
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: Args) -> Result<Exit, CliError> {
    let printer = Printer::new(args.format);
    let options = Options { patience: args.timeout, reason: args.reason, second_connection: true, ..live::who() };
    let paused = database::runtime()?.block_on(async {
        let mut session = args.database.connect().await?;
        printer.begin(session.target());
        let mut events = |event: &_| printer.event(event);
        let mut doors = Doors::new(&Manual, &mut events);
        execute::pause(&mut session, &options, &mut doors).await.map_err(|error| cli_error(&error))
    });
    match paused {
        Ok(outcome) => {
            printer.outcome(&outcome);
            Ok(Exit::Ok)
        }
        Err(error) => {
            printer.error(&error);
            Err(error)
        }
    }
}
