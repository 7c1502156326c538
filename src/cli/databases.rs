//! Which databases a release is one over: `--databases`, or `[databases]` of `cutover.toml`.

use std::num::NonZeroUsize;

use super::database::DatabaseArgs;
use super::error::CliError;
use super::settings;
use crate::config::DatabaseList;
use crate::execute;
use crate::fleet::{self, ListedDatabase, Member};
use crate::postgres::Session;

#[derive(Debug, Clone, clap::Args)]
pub(super) struct DatabasesArgs {
    /// A file with the databases that follow the one of --database, a line each: a name and a connection, or the name of a database on the same server;
    /// `none`: there are no others [default: as `[databases]` of cutover.toml says]
    #[arg(long, value_name = "FILE")]
    databases: Option<String>,
    /// How many of them are worked on at the same time [default: 8]
    #[arg(long, value_name = "N")]
    databases_at_once: Option<NonZeroUsize>,
}

/// How many databases are worked on at the same time where nobody says it.
const AT_ONCE: usize = 8;

/// The databases that follow.
pub(super) struct Databases {
    pub(super) members: Vec<Member>,
    pub(super) at_once: usize,
}

/// What is said of other databases.
pub(super) enum Others {
    /// Nothing.
    Unsaid,
    /// There are none.
    None,
    /// These.
    Follow(Databases),
}

impl DatabasesArgs {
    /// Reads the list, or asks for it in the database that leads. One that follows another has no others.
    pub(super) async fn read(&self, lead: &Session) -> Result<Others, CliError> {
        let here = settings::here()?;
        let list = match self.databases.as_deref() {
            Some("none") => return Ok(Others::None),
            Some(file) => Some(DatabaseList::File(file.into())),
            None => here.databases,
        };
        let Some(list) = list else { return Ok(Others::Unsaid) };
        // What is wrong with the journal, the command itself reports.
        let begun = execute::status(lead).await.ok().flatten();
        if begun.is_some_and(|(_, status)| status.part.follows() && !status.is_over()) {
            return Ok(Others::Unsaid);
        }
        let lines = |lines: Vec<String>| ListedDatabase::of_text(&lines.join("\n"));
        let listed = match list {
            DatabaseList::Lines(all) => lines(all),
            DatabaseList::File(path) => {
                ListedDatabase::of_text(&fs_err::read_to_string(&path).map_err(CliError::usage)?)
            }
            DatabaseList::Query(query) => {
                ListedDatabase::ask(lead, &query).await.map_err(|error| super::live::cli_error(&error))?
            }
        };
        let members = fleet::members(&listed, lead.target(), DatabaseArgs::parser()?).map_err(CliError::usage)?;
        let at_once = self.databases_at_once.or(here.databases_at_once).map_or(AT_ONCE, NonZeroUsize::get);
        Ok(Others::Follow(Databases { members, at_once }))
    }
}
