//! `cutover resume`: carry on with a release.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::error::CliError;
use super::exit::Exit;
use super::live::{LiveArgs, UntilArg};
use super::planning;
use super::traffic_args::Said;
use crate::execute::{self, Decision, ExecuteError, Options, PartError};
use crate::fleet::FleetError;

/// Carry on with the release that was begun last
///
/// Reads the plan from the journal and needs no files. Waits for a killed executor's session to end. Takes a pause back: a process that stands still
/// (`execute --wait`) goes on, or else this one does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover resume --yes
  cutover resume --mark-done 4    step 4 is stuck, and you saw that it took effect
  cutover resume --retry 4        step 4 is stuck, and you saw that it did not
  cutover resume --skip 4 --reason 'done by hand'
  cutover resume --yes --until shifted
  cutover resume --replan new.plan   the migrations were corrected: `cutover plan --replan -o new.plan`

Exit codes: 0 done, waiting for `promote` or its time, or where --until names · 2 usage or connection · 4 failed, safe to resume ·
5 stuck, you decide · 6 the database is not as the release has it · 7 another executor works on this database ·
8 green failed, and blue has the traffic again · 9 paused, or waiting before where --until names ·
130 interrupted, state saved")]
pub(super) struct Args {
    /// You looked: this step took effect
    #[arg(long, value_name = "STEP")]
    mark_done: Option<u32>,
    /// You looked: this step did not take effect
    #[arg(long, value_name = "STEP", conflicts_with = "mark_done")]
    retry: Option<u32>,
    /// The step is left out, whether it failed or is stuck: it has not taken effect, and shall not. Needs --reason
    #[arg(long, value_name = "STEP", requires = "reason", conflicts_with_all = ["mark_done", "retry"])]
    skip: Option<u32>,
    /// Why a step is left out, for the journal
    #[arg(long, value_name = "TEXT", requires = "skip")]
    reason: Option<String>,
    /// Carry on by this plan, which `cutover plan --replan` made of the corrected migrations
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["mark_done", "retry", "skip", "accept_drift"])]
    replan: Option<Utf8PathBuf>,
    /// With --replan: this step of the plan before has changed some of its rows, and the new plan does not go on with it; they may stay as they are
    #[arg(long, value_name = "STEP", requires = "replan")]
    abandon: Vec<u32>,
    /// You looked: the live schema is right, although this release did not leave it so
    #[arg(long, conflicts_with_all = ["mark_done", "retry", "skip"])]
    accept_drift: bool,
    /// With many databases: the one that the decision is about, by its name [default: the one that leads]
    #[arg(long, value_name = "NAME")]
    in_database: Option<String>,
    #[command(flatten)]
    until: UntilArg,
    #[command(flatten)]
    live: LiveArgs,
}

/// How long a killed executor's session may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(args: Args) -> Result<Exit, CliError> {
    if let Some(path) = &args.replan {
        let plan = planning::read_saved(path)?;
        let left = plan.continues.as_ref().map_or(plan.steps.len(), |continues| plan.steps.len() - continues.ran.len());
        args.live.confirm(&format!("Carry on by {path}: {left} of {} steps have not run?", plan.steps.len()))?;
        return args.live.run(
            PATIENCE,
            Said::Replan(&plan.release),
            async |session, fleet, options, doors| {
                let options = Options { until: args.until.place(), ..options.clone() };
                if fleet.is_some() {
                    return Err(ExecuteError::from(PartError::NoReplan).into());
                }
                Ok(execute::replan(session, &plan, &args.abandon, &options, doors).await?)
            },
            |outcome, printer| args.until.tell(outcome, printer),
        );
    }
    let reason = args.reason.unwrap_or_default();
    let skip = args.skip.map(|step| Decision::Skip { step, reason });
    let decision = args.mark_done.map(Decision::MarkDone).or(args.retry.map(Decision::Retry)).or(skip);
    let decision = decision.or(args.accept_drift.then_some(Decision::AcceptDrift));
    args.live.confirm("Carry on with the release that was begun last?")?;
    args.live.run(
        PATIENCE,
        Said::Journal,
        async |session, fleet, options, doors| {
            let options = Options { until: args.until.place(), ..options.clone() };
            match (fleet, args.in_database) {
                (Some(fleet), name) => {
                    let decision = decision.map(|decision| (name, decision));
                    fleet.resume(session, decision, &options, doors).await
                }
                (None, Some(name)) => Err(FleetError::NoMember { name }),
                (None, None) => Ok(execute::resume(session, decision, &options, doors).await?),
            }
        },
        |outcome, printer| args.until.tell(outcome, printer),
    )
}
