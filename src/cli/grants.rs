//! `cutover grants`: what a role needs to look on.

use super::error::CliError;
use super::exit::Exit;
use super::out;
use crate::execute::grants;

/// Print the GRANTs with which a role can run `status` and `log`
///
/// Schema cutover must be there: it is made when the first release begins.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover grants --role watcher
  cutover grants --role watcher | psql shop")]
pub(super) struct Args {
    /// The role
    #[arg(long, value_name = "NAME")]
    role: String,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    out::print(&grants(&args.role))?;
    Ok(Exit::Ok)
}
