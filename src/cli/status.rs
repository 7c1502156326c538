//! `cutover status`: where the release stands.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::database::{self, DatabaseArgs};
use super::databases::{Databases, DatabasesArgs, Others};
use super::error::CliError;
use super::events::Format;
use super::exit::Exit;
use super::live::{self, cli_error};
use super::watch::{Ends, Screen, watch};
use super::{file, out};
use crate::execute;
use crate::fleet::Fleet;
use crate::report::{self, DatabaseStatus, StatusDocument};

/// Show where the release that was begun last stands, who works on it and what holds it up
///
/// Reads only, and takes no lock that anybody waits for; `cutover grants` prints what a role needs for it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover status
  cutover status --format json
  cutover status --watch
  cutover status --databases tenants    how many databases stand where, and which are not where most are
  cutover status --metrics-file /var/lib/node_exporter/cutover.prom
  cutover status --timeout 30m    wait until the release is over, or waits for somebody

Exit codes: 0 shown; with --watch or --timeout: the release is complete, was rolled back by somebody, waits for `promote` or its time, or has come to where
--until named · 2 usage or connection · 4 nobody executes it: it failed, or its process is gone · 5 nobody executes it: it is stuck ·
8 green failed, and blue has the traffic again · 9 it is paused · 10 the time is up · 130 nobody executes it: it was interrupted")]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    databases: DatabasesArgs,
    /// Look every second until the release is over: drawn in place on a terminal; a line for each thing that happens where there is none, or with
    /// NO_COLOR; a document a line with `--format json`. A lost connection is made again
    #[arg(long)]
    watch: bool,
    /// Wait until the release is over, or nobody but people can carry it on; at most for so long
    #[arg(long, value_name = "DURATION", value_parser = live::duration)]
    timeout: Option<Duration>,
    /// Write figures in Prometheus's text format there too, whole or not at all: for the textfile collector of its node exporter
    #[arg(long, value_name = "FILE", conflicts_with_all = ["watch", "timeout"])]
    metrics_file: Option<Utf8PathBuf>,
    /// `text` for people, `json` for machines (its schema: `cutover schema status`)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let runtime = database::runtime()?;
    if !args.watch && args.timeout.is_none() {
        return runtime.block_on(once(args));
    }
    let screen = match args.watch {
        true => Screen::live(args.format),
        false => Screen::AtTheEnd { format: args.format, last: None },
    };
    let ends = if args.timeout.is_some() { Ends::WhenItWaits } else { Ends::WithTheRelease };
    runtime.block_on(watch(&args.database, ends, args.timeout, screen))
}

async fn once(args: &Args) -> Result<Exit, CliError> {
    let session = args.database.connect().await?;
    let found = execute::overview(&session).await.map_err(|error| cli_error(&error))?;
    if let Some(path) = &args.metrics_file {
        file::write(path, &report::render_figures(found.as_ref()))?;
    }
    let read = match found.as_ref().is_some_and(|overview| overview.status.part.follows()) {
        true => Ok(Others::None),
        false => args.databases.read(&session).await,
    };
    // Where the release stands is told all the same.
    let (read, unread) = match read {
        Ok(read) => (read, None),
        Err(error) => (Others::Unsaid, Some(error)),
    };
    let others = match read {
        Others::Follow(Databases { members, at_once }) => {
            let fleet = Fleet { members: &members, at_once, told: &|_, _| {} };
            let all = fleet.overviews().await.into_iter();
            Some(all.map(|(name, found)| DatabaseStatus::new(name, found)).collect::<Vec<_>>())
        }
        Others::Unsaid | Others::None => None,
    };
    let lead = found.as_ref().map(|overview| overview.release.id.as_str());
    match args.format {
        Format::Text => {
            let overview = found.as_ref().map(report::render_overview);
            let mut text = overview.unwrap_or_else(|| "No release was begun in this database.".to_owned());
            text.extend(others.iter().map(|others| format!("\n{}", report::render_databases(others, lead))));
            out::print(&format!("{text}\n"))?;
        }
        Format::Json => {
            let document = StatusDocument::new(found.as_ref()).with_databases(others.as_deref());
            let text = serde_json::to_string(&document).map_err(CliError::usage)?;
            out::print(&format!("{text}\n"))?;
        }
    }
    unread.map_or(Ok(Exit::Ok), Err)
}
