//! `cutover promote`: answer for the traffic, and carry on.

use std::time::Duration;

use super::error::CliError;
use super::exit::Exit;
use super::live::{LiveArgs, tell};
use super::out;
use crate::execute::{self, Promotion};

/// Approve: green has all traffic and blue serves nobody any more
///
/// Carries on with the after phase, or lets the process that waits (`execute --wait`) carry on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cutover promote --yes --blue-application-name shop-blue")]
pub(super) struct Args {
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn run(args: Args) -> Result<Exit, CliError> {
    args.live.confirm("Green has all traffic and blue serves nobody any more?")?;
    args.live.run(
        Duration::ZERO,
        None,
        async |session, options, doors| execute::promote(session, options, doors).await,
        |promotion, printer| match promotion {
            Promotion::CarriedOn(outcome) => tell(outcome, printer),
            Promotion::Handed(holder) => {
                out::say(&format!("Promoted. {holder} carries on.\n"));
                Exit::Ok
            }
            Promotion::Unanswered(holder) => {
                out::say(&format!(
                    "Promoted, and {holder} has not answered.\n  help: if that process is gone for good, end its session (SELECT \
                     pg_terminate_backend({})), then run `cutover resume`\n",
                    holder.backend_pid
                ));
                Exit::Held
            }
        },
    )
}
