//! `cutover grants`: what a role needs to look on.

use super::error::CliError;
use super::exit::Exit;
use super::out;
use crate::execute::grants;

/// Print the GRANTs with which a role can run `status`, `log`, `ready` and `gate wait`
///
/// Run them as the role that executes releases, before the first one: what it makes in schema cutover later can be read, too.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover grants --role watcher
  cutover grants --role watcher | psql shop
  cutover grants --role app --history-table public.flyway_schema_history")]
pub(super) struct Args {
    /// The role
    #[arg(long, value_name = "NAME")]
    role: String,
    /// The table of the migrations' history, with its schema: `ready` looks there whether somebody migrated without cutover
    #[arg(long, value_name = "TABLE")]
    history_table: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    out::print(&grants(&args.role, args.history_table.as_deref()))?;
    Ok(Exit::Ok)
}
