//! `cutover schema`: JSON Schemas of the machine formats.

use super::error::CliError;
use super::exit::Exit;
use super::{format, out};
use crate::report::{MACHINE_FORMATS, MachineFormat};

/// Print the JSON Schema of a machine format
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which format
    #[arg(value_parser = format::named(MACHINE_FORMATS, |format| (format.name, format.about)))]
    format: &'static MachineFormat,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let schema = (args.format.schema)();
    let text = serde_json::to_string_pretty(&schema).map_err(CliError::usage)?;
    out::print(&format!("{text}\n"))?;
    Ok(Exit::Ok)
}
