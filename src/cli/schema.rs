//! `cutover schema`: JSON Schemas of the machine formats.

use super::error::CliError;
use super::exit::Exit;
use super::out;
use crate::report;

/// Print the JSON Schema of a machine format
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which format
    #[arg(value_enum)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// What `plan --format json` prints and `plan -o` saves
    Plan,
    /// What `rehearse --format json` prints
    Rehearsal,
    /// What `lint --format json` prints
    Lint,
    /// What `stats` writes
    Stats,
    /// What `record` writes
    Workload,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let schema = match args.format {
        Format::Plan => report::plan_schema(),
        Format::Workload => report::workload_schema(),
        Format::Rehearsal => report::rehearsal_schema(),
        Format::Lint => report::lint::json_schema(),
        Format::Stats => crate::stats::schema(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(CliError::usage)?;
    out::print(&format!("{text}\n"))?;
    Ok(Exit::Ok)
}
