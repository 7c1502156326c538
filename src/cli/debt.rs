//! `cutover debt`: what the release still owes.

use std::time::Duration;

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::exit::Exit;
use super::format::TextOrJson;
use super::live::{self, cli_error};
use super::out;
use crate::execute;
use crate::report::{self, DebtDocument};

/// List the steps after the cutover that have not run, and for how long they have been owed
///
/// Once green has all traffic, what only the old version needs is owed: it costs every write, and confuses whoever reads the schema. Reads only.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover debt
  cutover debt --fail-if-older-than 7d
  cutover debt --format json

Exit codes: 0 nothing is owed, or it is younger than that · 1 it is older · 2 usage or connection")]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    /// End with exit code 1 if something has been owed for longer
    #[arg(long, value_name = "DURATION", value_parser = live::duration)]
    fail_if_older_than: Option<Duration>,
    /// `text` for people, `json` for machines (its schema: `cutover schema debt`)
    #[arg(long, value_enum, default_value = "text")]
    format: TextOrJson,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    database::runtime()?.block_on(async {
        let session = args.database.connect().await?;
        let debt = execute::debt(&session).await.map_err(|error| cli_error(&error))?;
        match args.format {
            TextOrJson::Text => out::print(&format!("{}\n", report::render_debt(debt.as_ref())))?,
            TextOrJson::Json => {
                let text = serde_json::to_string(&DebtDocument::new(debt.as_ref())).map_err(CliError::usage)?;
                out::print(&format!("{text}\n"))?;
            }
        }
        let age = debt.map(|debt| Duration::from_secs(debt.age_seconds.unsigned_abs()));
        let is_old = age.zip(args.fail_if_older_than).is_some_and(|(age, most)| age > most);
        Ok(if is_old { Exit::Findings } else { Exit::Ok })
    })
}
