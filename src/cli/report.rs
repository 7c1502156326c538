//! `cutover report`: the whole release as one file for people.

use std::io::IsTerminal as _;

use camino::Utf8PathBuf;

use super::error::CliError;
use super::exit::Exit;
use super::planning::PlanningArgs;
use super::{file, format};
use crate::plan::saved::SavedPlan;
use crate::report::{Format, PLAN_FORMATS, Style};

/// Show a release whole: timeline, every query at every state, what breaks, findings
///
/// DIR may also be a plan that `cutover plan -o` saved. The HTML is one file without scripts that needs nothing else, for browsers and paper.
/// `cutover rehearse --format html` writes the same with what a server saw.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover report migrations --from 41 --blue queries/v1 --green queries/v2 -o report.html
  cutover report release.plan -o report.html
  cutover report migrations --from 41 --blue queries/v1 --format text

Exit codes: 0 written, whatever the plan says · 2 usage, configuration or input · 6 the saved plan was edited, or is of another version")]
pub(super) struct Args {
    #[command(flatten)]
    planning: PlanningArgs,
    /// What to write
    #[arg(long, value_parser = format::parser(PLAN_FORMATS), default_value = "html")]
    format: &'static Format<SavedPlan>,
    /// Write it into a file instead of printing it
    #[arg(long, short, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let plan = args.planning.saved_or_new()?;
    let style = Style { color: args.output.is_none() && std::io::stdout().is_terminal(), ..Style::default() };
    let text = (args.format.render)(&plan, style);
    file::write_or_print(args.output.as_deref(), &text)?;
    Ok(Exit::Ok)
}
