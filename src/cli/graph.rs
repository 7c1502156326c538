//! `cutover graph`: which step must come after which, for programs that draw.

use camino::Utf8PathBuf;

use super::error::CliError;
use super::exit::Exit;
use super::file;
use super::planning::PlanningArgs;
use crate::report::graph;

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
    #[arg(long, value_enum, default_value = "mermaid")]
    format: Format,
    /// Write it into a file instead of printing it
    #[arg(long, short, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Markdown of GitHub and GitLab, and mermaid.live
    Mermaid,
    /// Graphviz
    Dot,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let plan = args.planning.saved_or_new()?;
    let text = match args.format {
        Format::Mermaid => graph::mermaid(&plan),
        Format::Dot => graph::dot(&plan),
    };
    file::write_or_print(args.output.as_deref(), &text)?;
    Ok(Exit::Ok)
}
