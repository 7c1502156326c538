//! `cutover plan`: order the pending migrations around the cutover, and prove it.

use std::io::IsTerminal as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::CliError;
use super::exit::Exit;
use super::file;
use super::format::TextOrJson;
use super::out;
use super::planning::{self, PlanningArgs};
use super::release_definition::{self, ReleaseDefinitionArgs};
use crate::diagnostic::Severity;
use crate::plan::Planned;
use crate::plan::saved::Verdict;
use crate::project::Project;
use crate::release::ReleaseDefinition;
use crate::report::{self, Style};

/// Order the pending migrations: before and after the cutover
///
/// Reads the migrations (and, if given, the queries of both versions), works out what each statement gives to and takes from the two
/// versions, and places it before (additive) or after (deletive) the cutover.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover plan migrations --from 41
  cutover plan migrations --from 41 --blue queries/v1 --green queries/v2 -o release.plan
  cutover plan migrations --base origin/main
  cutover plan migrations --database postgres://deploy@db/shop -o release.plan
  cutover plan migrations --from 41 --stats stats.json
  cutover plan migrations --from 41 --blue blue.workload --blue-source src
  cutover plan migrations --from 41 --shift 10,hold=5m,50,hold=10m,100 -o release.plan
  cutover plan migrations --from 41 --format json

Exit codes: 0 safe · 1 not safe · 2 usage, configuration or input · 3 safe and there are steps (--detailed-exitcode)")]
pub(super) struct Args {
    #[command(flatten)]
    planning: PlanningArgs,
    /// Save the plan for `cutover execute`
    #[arg(long, short, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
    #[command(flatten)]
    release: ReleaseDefinitionArgs,
    /// `text` for people, `json` for machines (its schema: `cutover schema plan`)
    #[arg(long, value_enum, default_value = "text")]
    format: TextOrJson,
    /// Exit with 3 if the plan is safe and has steps
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let (project, pending, mut planned) = args.planning.plan()?;
    let said = args.release.definition();
    if said != ReleaseDefinition::default() {
        if planned.plan.continues.is_some() {
            return Err(CliError::usage(
                "--shift and --on-failure are for a release that begins; this one goes on as it was begun",
            ));
        }
        planned.plan.release = said.or(planned.plan.release);
        release_definition::has_its_checks(&planned.plan.release)?;
        planned.plan = planned.plan.sealed();
    }
    show(args.format, &project, &planned)?;
    if let Some(path) = &args.output {
        save(path, &planned.plan.to_json())?;
        if args.format == TextOrJson::Text {
            let command = match &planned.plan.continues {
                Some(_) => format!("cutover resume --replan {path} --database URL"),
                None => format!("cutover execute {path} --database URL"),
            };
            let text = format!("\nSaved the plan to: {path}\nTo perform exactly these steps, run:\n    {command}\n");
            out::print(&text)?;
        }
    }
    let exit = match planned.plan.verdict {
        Verdict::Unsafe => Exit::Findings,
        Verdict::Safe if args.detailed_exitcode && !planned.plan.steps.is_empty() => Exit::HasSteps,
        Verdict::Safe => Exit::Ok,
    };
    // The process ends: taking apart what is many small values would only take time.
    std::mem::forget((project, pending, planned));
    Ok(exit)
}

/// Prints findings and plan.
fn show(format: TextOrJson, project: &Project, planned: &Planned) -> Result<(), CliError> {
    planning::say_unread(project);
    match format {
        TextOrJson::Json => out::print(&planned.plan.to_json()),
        TextOrJson::Text => {
            let shown: Vec<_> = planned.diagnostics.iter().filter(|d| d.severity > Severity::Info).cloned().collect();
            out::say(&report::render_diagnostics(&shown, &planned.sources, out::stderr_style()));
            let style = Style { color: std::io::stdout().is_terminal(), ..Style::default() };
            out::print(&report::render_plan(&planned.plan, style))
        }
    }
}

fn save(path: &Utf8Path, text: &str) -> Result<(), CliError> {
    file::write(path, text).map_err(|error| error.hint("no plan was saved; choose another path with -o"))
}
