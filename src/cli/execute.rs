//! `cutover execute`: begin the release of a saved plan.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::error::CliError;
use super::exit::Exit;
use super::live::{LiveArgs, UntilArg};
use super::planning;
use super::release_definition::{self, ReleaseDefinitionArgs};
use super::traffic_args::Said;
use crate::execute::{self, Options};
use crate::plan::saved::{Phase, SavedPlan};
use crate::release::Ramp;

/// Run exactly the steps of a saved plan: before, cutover, after
///
/// Every step is journaled in schema `cutover` of the target database, in the step's own transaction. Whatever happens to this
/// process, `cutover resume` carries on where it stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover execute release.plan --database postgres://deploy@db/shop
  cutover execute release.plan --yes --shift canary-10-percent-5-minutes --traffic-exec ./move-traffic --env prod
  cutover execute release.plan --yes --format json --wait
  cutover execute release.plan --yes --until expanded    then deploy green, then `cutover resume`

Exit codes: 0 done, waiting for `promote` or its time, or where --until names · 1 the plan is unsafe · 2 usage or connection · 4 failed, safe to resume ·
5 stuck, you decide · 6 the plan is stale · 7 another executor works on this database · 8 green failed, and blue has the traffic again ·
9 paused, or waiting before where --until names · 75 it is not to begin at this time ·
130 interrupted, state saved")]
pub(super) struct Args {
    /// The plan that `cutover plan -o FILE` wrote
    plan: Utf8PathBuf,
    #[command(flatten)]
    release: ReleaseDefinitionArgs,
    /// Take the plan's word for what is applied, where neither a history nor the schema of the database confirms it. The journal keeps that
    #[arg(long)]
    accept_base: bool,
    #[command(flatten)]
    until: UntilArg,
    #[command(flatten)]
    live: LiveArgs,
}

pub(super) fn run(args: Args) -> Result<Exit, CliError> {
    let plan = planning::read_saved(&args.plan)?;
    args.live.confirm(&question(&plan))?;
    let release = args.release.definition().or(plan.release.clone());
    release_definition::has_its_checks(&release)?;
    args.live.run(
        Duration::ZERO,
        Said::Plan(&release),
        async |session, fleet, options, doors| {
            let options = Options {
                accept_base: args.accept_base,
                until: args.until.place(),
                ramp: release.ramp.clone().unwrap_or_else(Ramp::all_at_once),
                on_failure: release.on_failure.unwrap_or_default(),
                limits: release.limits.then(options.limits),
                blue: options.blue.clone().or_else(|| release.blue.clone().filter(|_| !options.lift_guard)),
                ..options.clone()
            };
            match fleet {
                Some(fleet) => fleet.execute(session, &plan, &options, doors).await,
                None => Ok(execute::execute(session, &plan, &options, doors).await?),
            }
        },
        |outcome, printer| args.until.tell(outcome, printer),
    )
}

fn question(plan: &SavedPlan) -> String {
    let (before, after) = (plan.phase(Phase::Before).count(), plan.phase(Phase::After).count());
    let door = plan.steps.iter().find(|step| step.point_of_no_return);
    let door = door.map_or("every step leaves a way back to blue".to_owned(), |step| {
        format!("no rollback to blue after step {} ({})", step.id, step.object)
    });
    format!(
        "Execute {} migrations: {before} steps before and {after} after the cutover; {door}?",
        plan.migrations.pending.len()
    )
}
