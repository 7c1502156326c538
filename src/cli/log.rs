//! `cutover log`: the journal.

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::events::Format;
use super::exit::Exit;
use super::live::cli_error;
use super::out;
use crate::execute;
use crate::report::{self, LogLine};

/// Show the journal of a release, or list the releases
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover log
  cutover log --releases
  cutover log 3f9a1c2b77d0 --format json")]
pub(super) struct Args {
    /// The release; without it the one that was begun last
    release: Option<String>,
    /// List the releases, the latest first
    #[arg(long, conflicts_with = "release")]
    releases: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    /// How to print it; `json` prints one object a line (its schema: `cutover schema log`)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    database::runtime()?.block_on(async {
        let session = args.database.connect().await?;
        let releases = execute::releases(&session).await.map_err(|error| cli_error(&error))?;
        if args.releases {
            for release in &releases {
                let text = format!("{}  {}  {} on {}", release.id, release.created_at, release.role, release.host);
                print(args.format, release, &text)?;
            }
            return Ok(Exit::Ok);
        }
        let wanted = args.release.as_ref();
        let Some(release) = releases.iter().find(|release| wanted.is_none_or(|wanted| *wanted == release.id)) else {
            return match wanted {
                None => Ok(Exit::Ok),
                Some(id) => {
                    Err(CliError::usage(format!("there is no release {id}"))
                        .hint("`cutover log --releases` lists them"))
                }
            };
        };
        let entries = execute::history(&session, &release.id).await.map_err(|error| cli_error(&error))?;
        let plans = execute::plans(&session, release).await.map_err(|error| cli_error(&error))?;
        for entry in &entries {
            let plan = plans.iter().find(|(until, _)| entry.seq < *until).map(|(_, plan)| plan);
            print(args.format, &LogLine::new(entry, plan), &report::render_entry(entry, plan))?;
        }
        Ok(Exit::Ok)
    })
}

fn print(format: Format, value: &impl serde::Serialize, text: &str) -> Result<(), CliError> {
    match (format, serde_json::to_string(value)) {
        (Format::Json, Ok(json)) => out::print(&format!("{json}\n")),
        (Format::Json, Err(_)) | (Format::Text, _) => out::print(&format!("{text}\n")),
    }
}
