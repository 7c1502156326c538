//! `cutover promote`: answer for the traffic, and carry on.

use std::time::Duration;

use super::error::CliError;
use super::exit::Exit;
use super::live::{LiveArgs, UntilArg};
use super::out;
use super::traffic_args::Said;
use crate::execute::{self, Approval, ExecuteError, Options, PartError, Promotion};

/// Approve: green has all traffic and blue serves nobody any more; or, with --gate, what the ramp asks for
///
/// Carries on, or lets the process that waits (`execute --wait`) carry on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover promote --yes --blue-application-name shop-blue
  cutover promote --yes --gate qa --reason 'tested on green, ticket 4711'

Exit codes: 0 done, waiting for `promote` or its time, or where --until names · 2 usage or connection · 4 failed, safe to resume ·
5 stuck, you decide · 6 the database is not as the release has it · 7 another executor works on this database ·
8 green failed, and blue has the traffic again · 9 paused, or waiting before where --until names ·
130 interrupted, state saved")]
pub(super) struct Args {
    /// The gate of the ramp that you approve, where the release waits at one
    #[arg(long, value_name = "NAME")]
    gate: Option<String>,
    /// Why, for the journal
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    until: UntilArg,
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn run(args: Args) -> Result<Exit, CliError> {
    let question = match &args.gate {
        Some(gate) => format!("Approve at the gate {gate}?"),
        None => "Green has all traffic and blue serves nobody any more?".to_owned(),
    };
    args.live.confirm(&question)?;
    let approval = Approval { gate: args.gate, reason: args.reason };
    args.live.run(
        Duration::ZERO,
        Said::Journal,
        async |session, fleet, options, doors| {
            let options = Options { until: args.until.place(), ..options.clone() };
            let promoted = execute::promote(session, &approval, &options, doors).await;
            match (promoted, fleet) {
                // The word is written, and nobody is there who carries on.
                (Err(ExecuteError::Part(PartError::Other { .. })), Some(fleet)) => {
                    fleet.resume(session, None, &options, doors).await.map(Promotion::CarriedOn)
                }
                (promoted, _) => Ok(promoted?),
            }
        },
        |promotion, printer| match promotion {
            Promotion::CarriedOn(outcome) => args.until.tell(outcome, printer),
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
