//! `cutover status`: where the release stands.

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::events::Format;
use super::exit::Exit;
use super::live::cli_error;
use super::out;
use crate::execute;
use crate::report::{self, StatusDocument};

/// Show where the release that was begun last stands, who works on it and what holds it up
///
/// Reads only; `cutover grants` prints what a role needs for it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover status
  cutover status --format json")]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    /// `text` for people, `json` for machines (its schema: `cutover schema status`)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let found = database::runtime()?.block_on(async {
        let session = args.database.connect().await?;
        execute::overview(&session).await.map_err(|error| cli_error(&error))
    })?;
    match (args.format, &found) {
        (Format::Text, None) => out::print("No release was begun in this database.\n")?,
        (Format::Text, Some(overview)) => out::print(&format!("{}\n", report::render_overview(overview)))?,
        (Format::Json, found) => {
            let document = StatusDocument::new(found.as_ref());
            let text = serde_json::to_string(&document).map_err(CliError::usage)?;
            out::print(&format!("{text}\n"))?;
        }
    }
    Ok(Exit::Ok)
}
