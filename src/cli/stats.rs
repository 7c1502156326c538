//! `cutover stats`: what production holds and is asked, for `lint` and `plan` where there is no database.

use camino::Utf8PathBuf;

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::exit::Exit;
use super::{file, out};
use crate::postgres::measure;

/// Measure sizes and load of a database, for `lint --stats` and `plan --stats`
///
/// Reads only, in one transaction with short timeouts: sizes of tables and indexes, estimates of rows, what is done with each table, and, where
/// pg_stat_statements is there, which statements run how often. Writes no values of rows or parameters, no password, and no name of a host.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover stats --database postgres://reader@db/shop -o stats.json
  cutover lint migrations --base origin/main --stats stats.json

A role with pg_read_all_stats (or pg_monitor) sees the statements of all roles.

Exit codes: 0 measured, perhaps without what it says is missing · 2 usage, or the database cannot be reached")]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Write it into a file instead of printing it (its schema: `cutover schema stats`)
    #[arg(long, short, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let statistics = database::runtime()?.block_on(async {
        let session = args.database.connect().await?;
        let measured = measure(&session).await;
        session.close().await;
        measured.map_err(|error| CliError::usage(&error).hint(error.hint()))
    })?;
    for missing in &statistics.missing {
        out::say(&format!("note: not measured: {}: {}; {}\n", missing.what, missing.why, missing.remedy));
    }
    let Some(path) = &args.output else {
        out::print(&statistics.to_json())?;
        return Ok(Exit::Ok);
    };
    file::write(path, &statistics.to_json())?;
    let count = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let statements = statistics.statements.as_ref().map_or(0, |statements| statements.list.len());
    out::say(&format!(
        "Measured {} and {}: {path}\n",
        count(statistics.tables.len(), "table"),
        count(statements, "statement")
    ));
    Ok(Exit::Ok)
}
