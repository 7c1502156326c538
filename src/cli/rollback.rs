//! `cutover rollback`: traffic back to blue.

use std::time::Duration;

use super::error::CliError;
use super::exit::Exit;
use super::live::{LiveArgs, tell};
use super::traffic_args::Said;
use crate::execute::{self, Options};

/// Move all traffic back to blue
///
/// Possible until the point of no return, refused after it. What the before phase added stays; `resume` rolls forward again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cutover rollback --yes --traffic-exec ./move-traffic --env prod")]
pub(super) struct Args {
    /// Go back although the schema is not as this release left it, or blue does not work. The journal keeps that
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn run(args: Args) -> Result<Exit, CliError> {
    args.live.confirm("Move all traffic back to blue?")?;
    args.live.run(
        Duration::from_secs(30),
        Said::ByJournal,
        async |session, options, doors| {
            let options = Options { force: args.force, ..options.clone() };
            execute::rollback(session, &options, doors).await
        },
        tell,
    )
}
