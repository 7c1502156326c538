//! `cutover ready`: whether an instance of the application may start.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::admission::{Wait, ask};
use super::database::DatabaseArgs;
use super::error::CliError;
use super::exit::Exit;
use super::format::TextOrJson;
use super::live;
use crate::execute::{self, BuiltWith};
use crate::migrations::{Convention, Reading, load_with};

/// Ask whether a version of the application may start on the schema as it is
///
/// For init containers, entrypoints and readiness probes. A version is known by the migrations that it was built with. Green may start once the steps before
/// the cutover are done; blue may until the point of no return is passed. What no release was proved for is refused. Reads only.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover ready --version 42
  cutover ready --migrations ./migrations --wait --timeout 10m && exec ./app

Exit codes: 0 it may start · 1 it may not, and waiting does not help · 2 usage or connection · 6 the journal is not readable by this version ·
75 not yet")]
#[command(group(clap::ArgGroup::new("which").required(true).args(["version", "migrations"])))]
pub(super) struct Args {
    /// The last migration that the version was built with
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// The folder of migrations that the version was built with, which tells versions apart that end with the same one
    #[arg(long, value_name = "DIR")]
    migrations: Option<Utf8PathBuf>,
    /// The convention of the folder, where its names fit several
    #[arg(long, value_name = "NAME", requires = "migrations")]
    convention: Option<Convention>,
    /// The table of the migrations' history, where there are several and no release says which one it is
    #[arg(long, value_name = "TABLE")]
    history_table: Option<String>,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Ask every second until the answer is yes or no
    #[arg(long)]
    wait: bool,
    /// Wait at most for so long
    #[arg(long, value_name = "DURATION", value_parser = live::duration, requires = "wait")]
    timeout: Option<Duration>,
    /// `text` for people, `json` for machines (its schema: `cutover schema admission`)
    #[arg(long, value_enum, default_value = "text")]
    format: TextOrJson,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let reading = Reading { convention: args.convention, ..Reading::default() };
    let folder = args.migrations.as_deref().map(|folder| load_with(folder, &reading)).transpose();
    let folder = folder.map_err(CliError::usage)?;
    let built = match (&args.version, &folder) {
        (Some(version), _) => BuiltWith::Version(version),
        (None, Some(folder)) => BuiltWith::Folder(folder),
        (None, None) => return Err(CliError::usage("--version or --migrations is needed")),
    };
    let wait = if args.wait { Wait::Until(args.timeout) } else { Wait::Once };
    ask(
        &args.database,
        wait,
        async |session| execute::ready(session, built, args.history_table.as_deref()).await,
        |answer| &answer.admission,
        args.format,
    )
}
