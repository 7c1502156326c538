//! `cutover rollback` and `cutover abort`: traffic back to blue.

use std::time::Duration;

use super::error::CliError;
use super::exit::Exit;
use super::live::{LiveArgs, tell};
use super::traffic_args::Said;
use crate::execute::{self, Options};

/// Move all traffic back to blue
///
/// Possible until the point of no return, refused after it. What the before phase added stays; `resume` rolls forward again. A process that executes the
/// release is told: one that waits goes back itself, and one that runs stops where it can first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover rollback --yes --reason 'blue is needed for the audit'
  cutover rollback --yes --traffic-exec ./move-traffic --env prod

Exit codes: 0 blue has all traffic · 2 usage, connection, or there is nothing to go back from · 4 failed, or past the point of no return ·
6 the schema is not as the release left it · 7 another executor works on this database · 10 the executor has not stopped: a step runs")]
pub(super) struct RollbackArgs {
    #[command(flatten)]
    back: BackArgs,
}

/// Stop the ramp and move all traffic back to blue
///
/// What `rollback` does, for whoever does not want more than that: refused before the ramp, where `cutover pause` stops the release, and after it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cutover abort --yes --reason 'checkout is slow on green'

Exit codes: 0 blue has all traffic · 2 usage, connection, or there is no ramp to abort · 4 failed, or past the point of no return ·
6 the schema is not as the release left it · 7 another executor works on this database · 10 the executor has not stopped: a step runs")]
pub(super) struct AbortArgs {
    #[command(flatten)]
    back: BackArgs,
}

#[derive(Debug, clap::Args)]
struct BackArgs {
    /// Go back although the schema is not as this release left it, or blue does not work. The journal keeps that
    #[arg(long)]
    force: bool,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn run(args: RollbackArgs) -> Result<Exit, CliError> {
    let BackArgs { force, reason, live } = args.back;
    live.confirm("Move all traffic back to blue?")?;
    live.run(
        PATIENCE,
        Said::Journal,
        async |session, fleet, options, doors| {
            let options = Options { force, reason, ..options.clone() };
            match fleet {
                Some(fleet) => fleet.rollback(session, &options, doors).await,
                None => Ok(execute::rollback(session, &options, doors).await?),
            }
        },
        tell,
    )
}

pub(super) fn abort(args: AbortArgs) -> Result<Exit, CliError> {
    let BackArgs { force, reason, live } = args.back;
    live.confirm("Stop the ramp and move all traffic back to blue?")?;
    live.run(
        PATIENCE,
        Said::Journal,
        async |session, fleet, options, doors| {
            let options = Options { force, reason, ..options.clone() };
            match fleet {
                Some(fleet) => fleet.abort(session, &options, doors).await,
                None => Ok(execute::abort(session, &options, doors).await?),
            }
        },
        tell,
    )
}

/// How long the executor may take to stop, or a killed one's session to end.
const PATIENCE: Duration = Duration::from_secs(30);
