//! `cutover resume`: carry on with a release.

use std::time::Duration;

use super::error::CliError;
use super::exit::Exit;
use super::live::{LiveArgs, tell};
use crate::execute::{self, Decision};

/// Carry on with the release that was begun last
///
/// Reads the plan from the journal; the migration files must still be what they were. Waits for a killed executor's session to end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover resume --yes
  cutover resume --mark-done 4    step 4 is stuck, and you saw that it took effect
  cutover resume --retry 4        step 4 is stuck, and you saw that it did not")]
pub(super) struct Args {
    /// You looked: this step took effect
    #[arg(long, value_name = "STEP")]
    mark_done: Option<u32>,
    /// You looked: this step did not take effect
    #[arg(long, value_name = "STEP", conflicts_with = "mark_done")]
    retry: Option<u32>,
    /// You looked: the live schema is right, although this release did not leave it so
    #[arg(long, conflicts_with_all = ["mark_done", "retry"])]
    accept_drift: bool,
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn run(args: Args) -> Result<Exit, CliError> {
    let decision = match (args.mark_done, args.retry, args.accept_drift) {
        (Some(step), _, _) => Some(Decision::MarkDone(step)),
        (None, Some(step), _) => Some(Decision::Retry(step)),
        (None, None, true) => Some(Decision::AcceptDrift),
        (None, None, false) => None,
    };
    args.live.confirm("Carry on with the release that was begun last?")?;
    args.live.run(
        Duration::from_secs(30),
        None,
        async |session, options, doors| execute::resume(session, decision, options, doors).await,
        tell,
    )
}
