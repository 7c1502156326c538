//! The team's own history table: read it, and keep it truthful, so that they can stop using this tool any day.
//!
//! Each convention's rows are written as its own tool writes them, the checksum included. Names are found by the search path, as the
//! tools themselves find them.

mod alembic;
mod atlas;
mod diesel;
mod drizzle;
mod flyway;
mod golang_migrate;
mod goose;
mod hasura;
mod liquibase;
mod plain;
mod prisma;
mod refinery;
mod schema_migrations;
mod sqitch;
mod sqlx;
mod supabase;
mod tools;

use std::collections::BTreeSet;

use camino::Utf8Path;
use tokio_postgres::Client;

pub(crate) use self::flyway::changed;
use self::tools::{Entry, Row, Value};
use super::ServerError;
use super::survey::survey;
use crate::migrations::{Convention, Listed, Recorded};
use crate::plan::saved::{Migrations, PlannedMigration};

/// A row of a history table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedMigration {
    /// The version, as [`Convention::version_key`] spells it.
    pub version: String,
    /// The name, where the table has one.
    pub name: Option<String>,
    /// The checksum as text, where the table has one.
    pub checksum: Option<String>,
    /// Whether it is a baseline: everything at or below it counts as applied.
    pub floor: bool,
}

impl AppliedMigration {
    /// What it says about a folder.
    pub fn recorded(&self) -> Recorded {
        Recorded { version: self.version.clone(), floor: self.floor }
    }
}

/// Where the history of a folder's tool is looked for.
#[derive(Debug, Clone, Copy)]
pub struct HistoryPlace<'a> {
    /// Whose it is.
    pub convention: Convention,
    /// The table, perhaps with its schema, if somebody names it. Otherwise it is looked for in all schemas.
    pub table: Option<&'a str>,
    /// The folder of the migrations: Hasura has a history for each of its databases, and one folder each.
    pub folder: Option<&'a Utf8Path>,
}

impl HistoryPlace<'_> {
    /// Where its tool keeps it.
    pub const fn of(convention: Convention) -> Self {
        Self { convention, table: None, folder: None }
    }
}

/// Why a history table cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The server refused.
    #[error("reading or writing the history of {convention} failed: {source}")]
    Database {
        /// Whose history.
        convention: Convention,
        /// What the server said.
        source: ServerError,
    },
    /// A version that its convention does not allow.
    #[error("{path}: version {version:?} is not one that {convention} can record: {why}")]
    Version {
        /// Whose history.
        convention: Convention,
        /// The file.
        path: String,
        /// Its version.
        version: String,
        /// Why not.
        why: String,
    },
    /// The tool began a migration and did not finish it.
    #[error("{table} has an unfinished row for version {version}: repair that migration and its row first")]
    Dirty {
        /// The version.
        version: String,
        /// The history table.
        table: String,
    },
    /// Several tables may be it.
    #[error("{} may each be the history of {convention}: name the one that counts with --history-table", tables.join(" and "))]
    Several {
        /// Whose history.
        convention: Convention,
        /// The tables.
        tables: Vec<String>,
    },
    /// Nothing says which of Hasura's databases the folder is of.
    #[error("hdb_catalog.hdb_version has the histories of {}: name the folder of one of them, migrations/<database>", databases.join(" and "))]
    Databases {
        /// Their names.
        databases: Vec<String>,
    },
    /// The table that was named is none of the convention's.
    #[error("{table} is not a history of {convention}: {message}")]
    Unlike {
        /// Whose history it should be.
        convention: Convention,
        /// The table.
        table: String,
        /// What the server said.
        message: String,
    },
    /// A table was named for a convention that has none.
    #[error("{convention} has no history table of its own, and --history-table names {table}")]
    NoTable {
        /// The convention.
        convention: Convention,
        /// The table.
        table: String,
    },
}

/// The history of those whose own is not written.
const OWN: &str = "SELECT version, name, sha256, true, false FROM cutover.migration ORDER BY version";

/// What is recorded as applied, in the order of versions. Without the table: nothing.
pub async fn applied(client: &Client, convention: Convention) -> Result<Vec<AppliedMigration>, HistoryError> {
    applied_at(client, HistoryPlace::of(convention)).await
}

/// What is recorded as applied at a place.
pub async fn applied_at(client: &Client, place: HistoryPlace<'_>) -> Result<Vec<AppliedMigration>, HistoryError> {
    let convention = place.convention;
    let sql = tools::of(convention);
    let mut tables = Vec::new();
    if let (Some(own), Some(table)) = (convention.history(), locate(client, place).await?) {
        let older = sql.older.as_ref().filter(|older| bare(&table) == bare(older.table));
        let (usual, query) = older.map_or((own.name, sql.reads), |older| (older.table, older.reads));
        tables.push((table.clone(), named(query, usual, &table, sql.moves_with_its_schema)));
    }
    if convention.records_here() && exists(client, convention, "cutover.migration").await? {
        tables.push(("cutover.migration".to_owned(), OWN.to_owned()));
    }
    let fail = |source| HistoryError::Database { convention, source: ServerError::from(source) };
    let mut all: Vec<AppliedMigration> = Vec::new();
    for (table, query) in tables {
        let rows = client.query(&query, &[]).await.map_err(|source| {
            let source = ServerError::from(source);
            match place.table {
                // Whoever may not read it, or has lost the server, does not know what it is.
                Some(_) if !source.is_lost() && source.code() != Some("42501") => {
                    HistoryError::Unlike { convention, table: table.clone(), message: source.to_string() }
                }
                _ => HistoryError::Database { convention, source },
            }
        })?;
        let mut database = None;
        if sql.name_is_database && table != "cutover.migration" {
            let databases = rows.iter().map(|row| row.try_get(1)).collect::<Result<_, _>>().map_err(fail)?;
            database = database_of(place, databases)?;
        }
        for row in rows {
            let (version, name): (String, Option<String>) =
                (row.try_get(0).map_err(fail)?, row.try_get(1).map_err(fail)?);
            if database.is_some() && name != database {
                continue;
            }
            if !row.try_get::<_, bool>(3).map_err(fail)? {
                return Err(HistoryError::Dirty { version, table });
            }
            let version = convention.version_key(&version);
            if all.iter().all(|known| known.version != version) {
                let (checksum, floor) = (row.try_get(2).map_err(fail)?, row.try_get(4).map_err(fail)?);
                all.push(AppliedMigration { version, name, checksum, floor });
            }
        }
    }
    Ok(all)
}

/// Which of Hasura's databases a folder is of: `migrations/default`, or else the only one.
fn database_of(place: HistoryPlace<'_>, databases: BTreeSet<String>) -> Result<Option<String>, HistoryError> {
    let name = place.folder.and_then(Utf8Path::file_name).filter(|name| databases.contains(*name));
    match (name, databases.len()) {
        (Some(name), _) => Ok(Some(name.to_owned())),
        (None, 0 | 1) => Ok(databases.into_iter().next()),
        (None, _) => Err(HistoryError::Databases { databases: databases.into_iter().collect() }),
    }
}

/// The history table of a convention, for SQL; `None`: there is none yet.
pub async fn locate(client: &Client, place: HistoryPlace<'_>) -> Result<Option<String>, HistoryError> {
    let HistoryPlace { convention, table, .. } = place;
    let Some(own) = convention.history() else {
        return match table {
            Some(table) => Err(HistoryError::NoTable { convention, table: table.to_owned() }),
            None => Ok(None),
        };
    };
    if let Some(table) = table {
        return Ok(exists(client, convention, table).await?.then(|| table.to_owned()));
    }
    if exists(client, convention, own.name).await? && convention.history().is_some_and(|own| own.name.contains('.')) {
        return Ok(Some(own.name.to_owned()));
    }
    let survey = survey(client)
        .await
        .map_err(|source| HistoryError::Database { convention, source: ServerError::from(source) })?;
    match survey.of(convention)[..] {
        [] => Ok(None),
        [one] => Ok(Some(one.quoted())),
        // By its name the newer one comes first.
        [one, _] if tools::of(convention).older.is_some() => Ok(Some(one.quoted())),
        ref several => {
            let tables = several.iter().map(|found| format!("{}.{}", found.schema, found.table)).collect();
            Err(HistoryError::Several { convention, tables })
        }
    }
}

/// A table's name without its schema and its quotes.
pub(crate) fn bare(table: &str) -> &str {
    table.rsplit('.').next().unwrap_or(table).trim_matches('"')
}

/// A statement with another table in the place of the usual one, or with the other's schema alone.
fn named(statement: &str, usual: &str, table: &str, schema_alone: bool) -> String {
    let schema = |name: &str| name.rsplit_once('.').map(|(schema, _)| format!("{schema}."));
    let (usual, table) = match (schema_alone, schema(usual), schema(table)) {
        (true, Some(usual), Some(schema)) => (usual, schema),
        _ => (usual.to_owned(), table.to_owned()),
    };
    let usual = usual.as_str();
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some(at) = rest.find(usual) {
        let (before, behind) = (&rest[..at], &rest[at + usual.len()..]);
        let longer = before.ends_with(part) || (!usual.ends_with('.') && behind.starts_with(part));
        found.push_str(before);
        found.push_str(if longer { usual } else { &table });
        rest = behind;
    }
    found + rest
}

/// Where the history of a plan's migrations is.
pub fn place(migrations: &Migrations) -> HistoryPlace<'_> {
    let Migrations { convention, history_table, folder, .. } = migrations;
    HistoryPlace { convention: *convention, table: history_table.as_deref(), folder: Some(folder) }
}

/// The keys of those of a plan's migrations that are applied, and of others that are recorded.
pub async fn recorded(client: &Client, migrations: &Migrations) -> Result<Vec<String>, HistoryError> {
    let convention = migrations.convention;
    let rows: Vec<Recorded> =
        applied_at(client, place(migrations)).await?.iter().map(AppliedMigration::recorded).collect();
    let all: Vec<&PlannedMigration> = migrations.applied.iter().chain(&migrations.pending).collect();
    let keys: Vec<String> = all.iter().map(|m| convention.version_key(&m.version)).collect();
    let listed = keys.iter().zip(&all).map(|(key, m)| Listed { version: key, sha256: &m.sha256 });
    let (mut done, unknown) = convention.applied(&rows, &listed.collect::<Vec<_>>());
    done.extend(unknown);
    Ok(done)
}

/// Records a migration as applied, where its tool keeps its history.
pub async fn record(
    client: &Client,
    convention: Convention,
    migration: &PlannedMigration,
    text: &str,
) -> Result<(), HistoryError> {
    record_at(client, HistoryPlace::of(convention), migration, text).await
}

/// Records a migration as applied, creating the table as its own tool does if there is none. Runs in the caller's transaction.
/// `text` is the file's content; it counts only where [`Convention::keeps_text`].
pub async fn record_at(
    client: &Client,
    place: HistoryPlace<'_>,
    migration: &PlannedMigration,
    text: &str,
) -> Result<(), HistoryError> {
    let convention = place.convention;
    for sql in rows_of(client, place, migration, text).await? {
        let done = client.batch_execute(&sql).await;
        done.map_err(|source| HistoryError::Database { convention, source: ServerError::from(source) })?;
    }
    Ok(())
}

/// The table that rows of migrations are written into; `None`: it has yet to be made.
pub(crate) async fn table(client: &Client, place: HistoryPlace<'_>) -> Result<Option<String>, HistoryError> {
    match (place.convention.history(), &tools::of(place.convention).writes) {
        (Some(_), Some(_)) => locate(client, place).await,
        _ => Ok(Some("cutover.migration".to_owned())),
    }
}

/// The statements that record a migration as applied, one command each, for the caller's transaction. The table is created in it as its own
/// tool does if there is none.
pub(crate) async fn rows_of(
    client: &Client,
    place: HistoryPlace<'_>,
    migration: &PlannedMigration,
    text: &str,
) -> Result<Vec<String>, HistoryError> {
    let convention = place.convention;
    let fail = |source| HistoryError::Database { convention, source: ServerError::from(source) };
    let refused = |why| HistoryError::Version {
        convention,
        path: migration.path.to_string(),
        version: migration.version.clone(),
        why,
    };
    let (Some(usual), Some(writes)) = (convention.history(), &tools::of(convention).writes) else {
        return Ok(vec![own(migration)]);
    };
    let now = jiff::Timestamp::now().to_string();
    let mut entry = Entry { migration, text, now, columns: Vec::new() };
    let found = locate(client, place).await?;
    let is_new = found.is_none();
    let table = found.or_else(|| place.table.map(str::to_owned)).unwrap_or_else(|| usual.name.to_owned());
    let sql = |statement: &str| named(statement, usual.name, &table, false);
    // `CREATE TABLE IF NOT EXISTS` asks for the right to create even where the table exists.
    if is_new {
        let create = (writes.create)(&entry).map_err(refused)?;
        client.batch_execute(&sql(&create)).await.map_err(fail)?;
    }
    entry.columns = columns(client, &table).await.map_err(fail)?;
    let row = (writes.row)(&entry).map_err(refused)?;
    Ok(writes.clears.map(sql).into_iter().chain([row.text(sql)]).collect())
}

/// The columns of a table, with the names of their types.
async fn columns(client: &Client, table: &str) -> Result<Vec<(String, String)>, tokio_postgres::Error> {
    let query = "SELECT a.attname::pg_catalog.text, t.typname::pg_catalog.text \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         WHERE a.attrelid = pg_catalog.to_regclass($1::pg_catalog.text) AND a.attnum > 0 AND NOT a.attisdropped";
    client.query(query, &[&table]).await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Records a migration where this tool keeps the history.
fn own(migration: &PlannedMigration) -> String {
    let values = [&migration.version, &migration.name, &migration.sha256].map(|value| Value::Text(value.clone()));
    Row::new("INSERT INTO cutover.migration (version, name, sha256) VALUES ($1, $2, $3)", values).text(str::to_owned)
}

/// Records what a plan takes as applied where `cutover.migration` is the history, and empty. Other conventions have a history of their own,
/// which is never written for migrations that this tool did not run.
pub async fn baseline(client: &Client, migrations: &Migrations) -> Result<(), HistoryError> {
    let convention = migrations.convention;
    if !convention.records_here() || !applied_at(client, place(migrations)).await?.is_empty() {
        return Ok(());
    }
    for migration in &migrations.applied {
        let row = client.batch_execute(&own(migration)).await;
        row.map_err(|source| HistoryError::Database { convention, source: ServerError::from(source) })?;
    }
    Ok(())
}

async fn exists(client: &Client, convention: Convention, name: &str) -> Result<bool, HistoryError> {
    let row = client.query_one("SELECT pg_catalog.to_regclass($1::pg_catalog.text) IS NOT NULL", &[&name]).await;
    row.and_then(|row| row.try_get(0))
        .map_err(|source| HistoryError::Database { convention, source: ServerError::from(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_table_in_the_place_of_the_usual_one() {
        let check = |statement: &str, usual: &str, table: &str, expected: &str| {
            assert_eq!(named(statement, usual, table, usual.starts_with("sqitch.")), expected);
        };
        check(
            "INSERT INTO flyway_schema_history SELECT max(a) FROM flyway_schema_history",
            "flyway_schema_history",
            "ops.history",
            "INSERT INTO ops.history SELECT max(a) FROM ops.history",
        );
        check(
            "CREATE TABLE h (CONSTRAINT h_pk PRIMARY KEY (x))",
            "h",
            "ops.h",
            "CREATE TABLE ops.h (CONSTRAINT h_pk PRIMARY KEY (x))",
        );
        check("FROM sqitch.changes JOIN sqitch.tags", "sqitch.changes", "a.changes", "FROM a.changes JOIN a.tags");
    }
}
