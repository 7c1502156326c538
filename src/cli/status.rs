//! `cutover status`: where the release stands.

use serde_json::json;

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::events::{FORMAT_VERSION, Format};
use super::exit::Exit;
use super::live::cli_error;
use super::out;
use crate::execute::{self, Release, Stage, Status, Trouble};

/// Show where the release that was begun last stands
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover status
  cutover status --format json")]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let found = database::runtime()?.block_on(async {
        let session = args.database.connect().await?;
        execute::status(&session).await.map_err(|error| cli_error(&error))
    })?;
    match (args.format, found) {
        (Format::Text, None) => out::print("No release was begun in this database.\n")?,
        (Format::Text, Some((release, status))) => out::print(&format!("{}\n", describe(&release, &status)))?,
        (Format::Json, found) => {
            let (release, status) = found.unzip();
            let value = json!({ "format_version": FORMAT_VERSION, "release": release, "status": status });
            out::print(&format!("{value}\n"))?;
        }
    }
    Ok(Exit::Ok)
}

fn describe(release: &Release, status: &Status) -> String {
    let plan = release.saved_plan().ok();
    let steps = plan.as_ref().map_or(0, |plan| plan.steps.len());
    let no_return = match (status.past_no_return, &plan) {
        (Some(step), _) => format!("passed with step {step}"),
        (None, Some(plan)) => {
            let step = plan.steps.iter().find(|step| step.point_of_no_return);
            step.map_or("none in this plan".into(), |step| format!("step {} ({}), not run yet", step.id, step.object))
        }
        (None, None) => "not passed".into(),
    };
    let mut lines = vec![
        format!("Release    {}, begun {} by {} on {}", release.id, release.created_at, release.role, release.host),
        format!("Stage      {}", status.stage),
        format!("Steps      {} of {steps} done", status.done()),
        format!("Traffic    green has {} ({})", status.traffic.share, status.traffic.backend),
        format!("No return  {no_return}"),
    ];
    match &status.trouble {
        None => {}
        Some(Trouble::Failed { step: Some(step), message }) => lines.push(format!("Failed     step {step}: {message}")),
        Some(Trouble::Failed { step: None, message }) => lines.push(format!("Failed     {message}")),
        Some(Trouble::Stuck { step, message }) => lines.push(format!("Stuck      step {step}: {message}")),
        Some(Trouble::Interrupted) => lines.push("Interrupted".into()),
    }
    lines.push(format!("Next       {}", next(status)));
    lines.join("\n")
}

fn next(status: &Status) -> String {
    if let Some(Trouble::Stuck { step, .. }) = &status.trouble {
        return format!("`cutover resume --mark-done {step}` or `cutover resume --retry {step}`");
    }
    match status.stage {
        Stage::Done => "nothing".into(),
        Stage::RolledBack => "`cutover resume` rolls forward again; or make a new plan".into(),
        Stage::RollingBack => "`cutover rollback`".into(),
        Stage::AwaitingApproval { .. } => "`cutover promote`, or `cutover rollback`".into(),
        Stage::Before | Stage::Shifting | Stage::Draining | Stage::After => {
            "`cutover resume`, if no executor runs".into()
        }
    }
}
