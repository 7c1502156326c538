//! `cutover graph`: which step must come after which, for programs that draw.

use camino::Utf8PathBuf;

use super::error::CliError;
use super::exit::Exit;
use super::planning::PlanningArgs;
use super::{file, format};
use crate::plan::saved::SavedPlan;
use crate::report::graph::FORMATS;
use crate::report::{Format, Style};

/// Print the dependency graph of the steps as Mermaid or DOT
///
/// DIR may also be a plan that `cutover plan -o` saved. An arrow leads from a step to one that must come after it, with what both touch.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover graph migrations --from 41
  cutover graph release.plan --format dot | dot -Tsvg -o graph.svg

Exit codes: 0 printed, whatever the plan says · 2 usage, configuration or input · 6 the saved plan was edited, or is of another version")]
pub(super) struct Args {
    #[command(flatten)]
    planning: PlanningArgs,
    /// For which program
    #[arg(long, value_parser = format::parser(FORMATS), default_value = "mermaid")]
    format: &'static Format<SavedPlan>,
    /// Write it into a file instead of printing it
    #[arg(long, short, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let plan = args.planning.saved_or_new()?;
    let text = (args.format.render)(&plan, Style::default());
    file::write_or_print(args.output.as_deref(), &text)?;
    Ok(Exit::Ok)
}
