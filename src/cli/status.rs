//! `cutover status`: where the release stands.

use serde_json::json;

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::events::{FORMAT_VERSION, Format};
use super::exit::Exit;
use super::live::cli_error;
use super::out;
use crate::execute;
use crate::report;

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
        (Format::Text, Some((release, status))) => {
            out::print(&format!("{}\n", report::render_status(&release, &status)))?
        }
        (Format::Json, found) => {
            let (release, status) = found.unzip();
            let value = json!({ "format_version": FORMAT_VERSION, "release": release, "status": status });
            out::print(&format!("{value}\n"))?;
        }
    }
    Ok(Exit::Ok)
}
