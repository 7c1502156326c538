//! `cutover ready`: whether an instance of the application may start.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::admission::{Wait, ask, line};
use super::database::DatabaseArgs;
use super::error::CliError;
use super::exit::Exit;
use super::format::TextOrJson;
use super::live;
use crate::execute;
use crate::migrations::{Convention, Folder, Reading, load_with};
use crate::report::AdmissionDocument;

/// Ask whether a version of the application may start on the schema as it is
///
/// For init containers, entrypoints and readiness probes. A version is the last migration that it was built with. Green may start once the steps before the
/// cutover are done; blue may until the point of no return is passed. What no release was proved for is refused. Reads only.
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
    /// Take the last migration of this folder for it
    #[arg(long, value_name = "DIR")]
    migrations: Option<Utf8PathBuf>,
    /// The convention of the folder, where its names fit several
    #[arg(long, value_name = "NAME", requires = "migrations")]
    convention: Option<Convention>,
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
    let version = match (&args.version, &args.migrations) {
        (Some(version), _) => version.clone(),
        (None, Some(folder)) => {
            let reading = Reading { convention: args.convention, ..Reading::default() };
            last(&load_with(folder, &reading).map_err(CliError::usage)?)?
        }
        (None, None) => return Err(CliError::usage("--version or --migrations is needed")),
    };
    let wait = if args.wait { Wait::Until(args.timeout) } else { Wait::Once };
    ask(
        &args.database,
        wait,
        async |session| execute::ready(session, &version).await,
        |answer| &answer.admission,
        |answer| match args.format {
            TextOrJson::Text => Ok(line(&answer.admission)),
            TextOrJson::Json => json(&AdmissionDocument::of_version(answer)),
        },
    )
}

pub(super) fn json(document: &AdmissionDocument<'_>) -> Result<String, CliError> {
    Ok(serde_json::to_string(document).map_err(CliError::usage)? + "\n")
}

fn last(folder: &Folder) -> Result<String, CliError> {
    let versions = folder.migrations.iter().map(|migration| migration.version.as_str());
    let last = versions.filter(|version| !folder.convention.is_repeatable(version)).next_back();
    last.map(str::to_owned).ok_or_else(|| CliError::usage(format!("{} has no migration with a version", folder.path)))
}
