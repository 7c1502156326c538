//! The queries of a version, from wherever `--blue` or `--green` leads: files, or a live server.

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use crate::diagnostic::Diagnostic;
use crate::postgres;
use crate::workload::{self, Location, Workload};

/// Reads them.
pub(super) fn load(location: &Location) -> Result<(Workload, Vec<Diagnostic>), CliError> {
    if !location.is_live() {
        return workload::load_from(location).map_err(CliError::usage);
    }
    let database = DatabaseArgs::of(Some(location.path.clone()));
    let (rows, origin) = database::runtime()?.block_on(async {
        let session = database.connect_elsewhere().await?;
        let origin = format!("pg_stat_statements of {}", session.target().display());
        let rows = postgres::statements(&session, &location.filter).await;
        session.close().await;
        rows.map(|rows| (rows, origin)).map_err(|error| CliError::usage(&error).hint(error.hint()))
    })?;
    if location.filter.application.is_some() {
        return Err(CliError::usage("pg_stat_statements does not know application_name")
            .hint("filter by user or database, or read a log"));
    }
    if rows.is_empty() {
        return Err(CliError::usage(format!("{origin} has no statement for that filter"))
            .hint("it counts since its last reset; name another database with #database=NAME"));
    }
    let (workload, diagnostics) = workload::read_statements(&origin, &rows);
    if workload.queries.is_empty() {
        let told: Vec<_> = diagnostics.iter().map(|d| d.message.as_str()).collect();
        return Err(CliError::usage(format!("there is no query to read: {}", told.join("; ")))
            .hint("connect as a role with pg_read_all_stats, or as the application's own role"));
    }
    Ok((workload, diagnostics))
}
