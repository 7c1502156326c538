//! `cutover gate`: pipelines and other engines wait for a release.

use std::cell::RefCell;
use std::time::Duration;

use camino::Utf8PathBuf;

use super::admission::{Wait, ask};
use super::database::DatabaseArgs;
use super::error::CliError;
use super::exit::Exit;
use super::format::TextOrJson;
use super::{live, planning};
use crate::execute::{self, AwaitedRelease};

/// Wait until a release has come to a place, or beyond a gate of its ramp
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Wait(WaitArgs),
}

/// Wait until a gate is open
///
/// The gates of every release are `expanded` (both versions work on the schema: deploy green), `shifted` (green has all traffic), `drained` (blue serves
/// nobody) and `done`; others are those that its ramp names with `approve=NAME`, which `cutover promote --gate NAME` opens. Reads only.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover gate wait expanded --plan release.plan --timeout 30m
  cutover gate wait drained --release 8e7a0abf6d3e
  cutover gate wait expanded --timeout 0s          look once

Exit codes: 0 open · 1 refused: the release went back, or has no such gate · 2 usage or connection · 75 not yet")]
struct WaitArgs {
    /// The gate
    name: String,
    /// The release that is meant, by its id; without it and --plan the one that is under way
    #[arg(long, value_name = "ID", conflicts_with = "plan")]
    release: Option<String>,
    /// The release of this plan
    #[arg(long, value_name = "FILE")]
    plan: Option<Utf8PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Wait at most for so long [default: until there is an answer]
    #[arg(long, value_name = "DURATION", value_parser = live::duration)]
    timeout: Option<Duration>,
    /// `text` for people, `json` for machines (its schema: `cutover schema admission`)
    #[arg(long, value_enum, default_value = "text")]
    format: TextOrJson,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let Command::Wait(args) = &args.command;
    let awaited = match (&args.release, &args.plan) {
        (Some(release), _) => AwaitedRelease::Id(release.clone()),
        (None, Some(plan)) => {
            let plan = planning::read_saved(plan)?;
            let id =
                plan.continues.as_ref().map_or_else(|| execute::release_id(&plan), |before| before.release.clone());
            AwaitedRelease::Id(id)
        }
        (None, None) => AwaitedRelease::UnderWay,
    };
    let awaited = RefCell::new(awaited);
    ask(
        &args.database,
        Wait::Until(args.timeout),
        async |session| {
            let now = awaited.borrow().clone();
            let passage = execute::gate(session, &args.name, &now).await?;
            awaited.borrow_mut().clone_from(&passage.next);
            Ok(passage)
        },
        |passage| &passage.admission,
        args.format,
    )
}
