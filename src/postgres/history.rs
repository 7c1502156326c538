//! The team's own history table: read it, and keep it truthful, so that they can stop using this tool any day.
//!
//! Each convention's rows are written as its own tool writes them, the checksum included. Names are found by the search path, as the
//! tools themselves find them.

use std::collections::BTreeSet;
use std::hash::{Hash as _, Hasher as _};

use camino::Utf8Path;
use sha2::{Digest as _, Sha384};
use siphasher::sip::SipHasher13;
use tokio_postgres::Client;

use super::server_message;
use super::survey::survey;
use crate::migrations::{Convention, Folder, Listed, Recorded};
use crate::plan::saved::{Migration, Migrations};

/// A row of a history table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The version, as [`version_key`] spells it.
    pub version: String,
    /// The name, where the table has one.
    pub name: Option<String>,
    /// The checksum as text, where the table has one.
    pub checksum: Option<String>,
    /// Whether it is a baseline: everything at or below it counts as applied.
    pub floor: bool,
}

impl Applied {
    /// What it says about a folder.
    pub fn recorded(&self) -> Recorded {
        Recorded { version: self.version.clone(), floor: self.floor }
    }
}

/// Where the history of a folder's tool is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Whose it is.
    pub convention: Convention,
    /// The table, perhaps with its schema, if somebody names it. Otherwise it is looked for in all schemas.
    pub table: Option<&'a str>,
    /// The folder of the migrations: Hasura has a history for each of its databases, and one folder each.
    pub folder: Option<&'a Utf8Path>,
}

impl Place<'_> {
    /// Where its tool keeps it.
    pub const fn of(convention: Convention) -> Self {
        Self { convention, table: None, folder: None }
    }
}

/// Why a history table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The server refused.
    #[error("reading or writing the history of {convention} failed: {}", crate::postgres::server_message(source))]
    Database {
        /// Whose history.
        convention: Convention,
        /// What the server said.
        source: tokio_postgres::Error,
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

/// One spelling per version: leading zeros of numbers and diesel's dashes do not count.
pub fn version_key(convention: Convention, version: &str) -> String {
    match convention {
        Convention::Refinery | Convention::Sqlx | Convention::Goose | Convention::GolangMigrate => {
            version.parse::<i64>().map_or_else(|_| version.to_owned(), |n| n.to_string())
        }
        Convention::Flyway => {
            let parts: Option<Vec<u128>> = version.split(['.', '_']).map(|part| part.parse().ok()).collect();
            parts.map_or_else(
                || version.to_owned(),
                |mut parts| {
                    while parts.len() > 1 && parts.last() == Some(&0) {
                        parts.pop();
                    }
                    parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
                },
            )
        }
        Convention::Diesel => version.replace('-', ""),
        Convention::Dbmate
        | Convention::Sqitch
        | Convention::Prisma
        | Convention::Atlas
        | Convention::Liquibase
        | Convention::Drizzle
        | Convention::Rails
        | Convention::Alembic
        | Convention::Supabase
        | Convention::Hasura
        | Convention::Plain => version.to_owned(),
    }
}

/// How a history is read: version, name, checksum, whether the row is finished, whether it is a baseline.
fn query(convention: Convention) -> &'static str {
    match convention {
        Convention::Refinery => {
            "SELECT version::pg_catalog.text, name::pg_catalog.text, checksum::pg_catalog.text, true, false \
             FROM refinery_schema_history ORDER BY refinery_schema_history.version"
        }
        Convention::Sqlx => {
            "SELECT version::pg_catalog.text, description, pg_catalog.encode(checksum, 'hex'), success, false \
             FROM _sqlx_migrations ORDER BY _sqlx_migrations.version"
        }
        Convention::Diesel => {
            "SELECT version::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, true, false \
             FROM __diesel_schema_migrations ORDER BY __diesel_schema_migrations.version"
        }
        // A repeatable one is named by its description; the last row of each counts, and it may take the migration back.
        Convention::Flyway => {
            "SELECT coalesce(version, 'R__' || pg_catalog.replace(description, ' ', '_'))::pg_catalog.text, \
                    description::pg_catalog.text, checksum::pg_catalog.text, success, type IN ('BASELINE', 'SQL_BASELINE') \
             FROM flyway_schema_history h WHERE type NOT IN ('SCHEMA', 'DELETE') AND type NOT LIKE 'UNDO%' \
               AND NOT EXISTS (SELECT FROM flyway_schema_history l WHERE l.installed_rank > h.installed_rank \
                               AND l.version IS NOT DISTINCT FROM h.version \
                               AND (l.version IS NOT NULL OR l.description = h.description)) \
             ORDER BY installed_rank"
        }
        Convention::Dbmate | Convention::Rails => {
            "SELECT version::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, true, false \
             FROM schema_migrations ORDER BY schema_migrations.version"
        }
        Convention::GolangMigrate => {
            "SELECT version::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, NOT dirty, false \
             FROM schema_migrations"
        }
        // Row 0 is goose's own; the latest row of a version counts.
        Convention::Goose => {
            "SELECT version_id::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, true, false \
             FROM (SELECT DISTINCT ON (version_id) version_id, is_applied FROM goose_db_version \
                   ORDER BY version_id, id DESC) latest WHERE is_applied AND version_id > 0 ORDER BY version_id"
        }
        // The n-th row of a name is the n-th change of that name in the plan; the older ones are named by their tags.
        Convention::Sqitch => {
            "SELECT c.change || coalesce((SELECT '@' || pg_catalog.ltrim(t.tag, '@') FROM sqitch.tags t \
                        WHERE t.project = c.project AND t.committed_at >= c.committed_at \
                        ORDER BY t.committed_at LIMIT 1), ''), \
                    c.change::pg_catalog.text, c.script_hash::pg_catalog.text, true, false \
             FROM sqitch.changes c WHERE EXISTS (SELECT FROM sqitch.changes l \
                        WHERE l.project = c.project AND l.change = c.change AND l.committed_at > c.committed_at) \
             UNION ALL \
             SELECT c.change, c.change::pg_catalog.text, c.script_hash::pg_catalog.text, true, false \
             FROM sqitch.changes c WHERE NOT EXISTS (SELECT FROM sqitch.changes l \
                        WHERE l.project = c.project AND l.change = c.change AND l.committed_at > c.committed_at)"
        }
        Convention::Prisma => {
            "SELECT migration_name::pg_catalog.text, NULL::pg_catalog.text, checksum::pg_catalog.text, \
                    finished_at IS NOT NULL, false FROM _prisma_migrations WHERE rolled_back_at IS NULL \
             ORDER BY migration_name"
        }
        Convention::Atlas => {
            "SELECT version::pg_catalog.text, description::pg_catalog.text, hash::pg_catalog.text, \
                    (applied = total AND coalesce(error, '') = '') OR type::pg_catalog.int8 & 4 <> 0, \
                    type::pg_catalog.int8 & 1 <> 0 \
             FROM atlas_schema_revisions.atlas_schema_revisions WHERE version NOT LIKE '.%' ORDER BY version"
        }
        Convention::Liquibase => {
            "SELECT pg_catalog.concat_ws('::', pg_catalog.regexp_replace(filename, '^classpath:/*', ''), id, author), id::pg_catalog.text, md5sum::pg_catalog.text, true, false \
             FROM databasechangelog WHERE filename <> 'liquibase-internal' \
               AND coalesce(exectype, '') NOT IN ('FAILED', 'SKIPPED') ORDER BY orderexecuted"
        }
        Convention::Drizzle => {
            "SELECT hash::pg_catalog.text, NULL::pg_catalog.text, hash::pg_catalog.text, true, false \
             FROM drizzle.__drizzle_migrations ORDER BY created_at"
        }
        Convention::Alembic => {
            "SELECT version_num::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, true, false \
             FROM alembic_version"
        }
        Convention::Supabase => {
            "SELECT version::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, true, false \
             FROM supabase_migrations.schema_migrations ORDER BY schema_migrations.version"
        }
        // A JSON object of the command line's: for each database its versions, and whether each is unfinished.
        Convention::Hasura => {
            "SELECT v.key, d.key, NULL::pg_catalog.text, v.value <> 'true', false \
             FROM hdb_catalog.hdb_version h, \
                  pg_catalog.jsonb_each(coalesce(pg_catalog.to_jsonb(h) -> 'cli_state' -> 'migrations', '{}')) d, \
                  pg_catalog.jsonb_each_text(d.value) v ORDER BY 2, 1"
        }
        Convention::Plain => OWN,
    }
}

/// Hasura's history before its command line had a state of its own, of its one database.
const HASURA_OF_OLD: &str = "SELECT version::pg_catalog.text, 'default', NULL::pg_catalog.text, NOT dirty, false \
     FROM hdb_catalog.schema_migrations ORDER BY version";

/// The history of those whose own is not written.
const OWN: &str = "SELECT version, name, sha256, true, false FROM cutover.migration ORDER BY version";

/// What is recorded as applied, in the order of versions. Without the table: nothing.
pub async fn applied(client: &Client, convention: Convention) -> Result<Vec<Applied>, HistoryError> {
    applied_at(client, Place::of(convention)).await
}

/// What is recorded as applied at a place.
pub async fn applied_at(client: &Client, place: Place<'_>) -> Result<Vec<Applied>, HistoryError> {
    let convention = place.convention;
    let mut tables = Vec::new();
    if let (Some(own), Some(table)) = (convention.history(), locate(client, place).await?) {
        let of_golang_migrate = convention == Convention::Hasura && table.ends_with("schema_migrations");
        let query = if of_golang_migrate { HASURA_OF_OLD } else { query(convention) };
        let usual = if of_golang_migrate { "hdb_catalog.schema_migrations" } else { own.name };
        tables.push((table.clone(), named(query, usual, &table)));
    }
    if convention.records_here() && exists(client, convention, "cutover.migration").await? {
        tables.push(("cutover.migration".to_owned(), OWN.to_owned()));
    }
    let fail = |source| HistoryError::Database { convention, source };
    let mut all: Vec<Applied> = Vec::new();
    for (table, query) in tables {
        let rows = client.query(&query, &[]).await.map_err(|source| match place.table {
            Some(_) => HistoryError::Unlike { convention, table: table.clone(), message: server_message(&source) },
            None => fail(source),
        })?;
        let mut database = None;
        if convention == Convention::Hasura && table != "cutover.migration" {
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
            let version = version_key(convention, &version);
            if all.iter().all(|known| known.version != version) {
                let (checksum, floor) = (row.try_get(2).map_err(fail)?, row.try_get(4).map_err(fail)?);
                all.push(Applied { version, name, checksum, floor });
            }
        }
    }
    Ok(all)
}

/// Which of Hasura's databases a folder is of: `migrations/default`, or else the only one.
fn database_of(place: Place<'_>, databases: BTreeSet<String>) -> Result<Option<String>, HistoryError> {
    let name = place.folder.and_then(Utf8Path::file_name).filter(|name| databases.contains(*name));
    match (name, databases.len()) {
        (Some(name), _) => Ok(Some(name.to_owned())),
        (None, 0 | 1) => Ok(databases.into_iter().next()),
        (None, _) => Err(HistoryError::Databases { databases: databases.into_iter().collect() }),
    }
}

/// The history table of a convention, for SQL; `None`: there is none yet.
pub async fn locate(client: &Client, place: Place<'_>) -> Result<Option<String>, HistoryError> {
    let Place { convention, table, .. } = place;
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
    let survey = survey(client).await.map_err(|source| HistoryError::Database { convention, source })?;
    match survey.of(convention)[..] {
        [] => Ok(None),
        [one] => Ok(Some(one.quoted())),
        // The state of the command line is the newer one.
        [one, _] if convention == Convention::Hasura => Ok(Some(one.quoted())),
        ref several => {
            let tables = several.iter().map(|found| format!("{}.{}", found.schema, found.table)).collect();
            Err(HistoryError::Several { convention, tables })
        }
    }
}

/// A statement with another table in the place of the usual one. For Sqitch the schema is what differs.
fn named(statement: &str, usual: &str, table: &str) -> String {
    let (usual, table) = match (usual, table.rsplit_once('.')) {
        ("sqitch.changes", Some((schema, _))) => ("sqitch.", format!("{schema}.")),
        _ => (usual, table.to_owned()),
    };
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
pub fn place(migrations: &Migrations) -> Place<'_> {
    let Migrations { convention, history_table, folder, .. } = migrations;
    Place { convention: *convention, table: history_table.as_deref(), folder: Some(folder) }
}

/// The keys of those of a plan's migrations that are applied, and of others that are recorded.
pub async fn recorded(client: &Client, migrations: &Migrations) -> Result<Vec<String>, HistoryError> {
    let convention = migrations.convention;
    let rows: Vec<Recorded> = applied_at(client, place(migrations)).await?.iter().map(Applied::recorded).collect();
    let all: Vec<&Migration> = migrations.applied.iter().chain(&migrations.pending).collect();
    let keys: Vec<String> = all.iter().map(|m| version_key(convention, &m.version)).collect();
    let listed = keys.iter().zip(&all).map(|(key, m)| Listed { version: key, sha256: &m.sha256 });
    let (mut done, unknown) = convention.applied(&rows, &listed.collect::<Vec<_>>());
    done.extend(unknown);
    Ok(done)
}

/// Records a migration as applied, where its tool keeps its history.
pub async fn record(
    client: &Client,
    convention: Convention,
    migration: &Migration,
    text: &str,
) -> Result<(), HistoryError> {
    record_at(client, Place::of(convention), migration, text).await
}

/// Records a migration as applied, creating the table as its own tool does if there is none. Runs in the caller's transaction.
/// `text` is the file's content; it counts only where [`Convention::keeps_text`].
pub async fn record_at(
    client: &Client,
    place: Place<'_>,
    migration: &Migration,
    text: &str,
) -> Result<(), HistoryError> {
    let convention = place.convention;
    let fail = |source| HistoryError::Database { convention, source };
    let usual = convention.history().map_or("", |table| table.name);
    // What this tool does not write itself is recorded in its own table.
    let table = if convention.records_here() { None } else { locate(client, place).await? };
    let is_new = table.is_none();
    let table = table.or_else(|| place.table.map(str::to_owned)).unwrap_or_else(|| usual.to_owned());
    let sql = |statement: &str| named(statement, usual, &table);
    let ensure = async |create: &str| match is_new {
        true => client.batch_execute(&sql(create)).await.map_err(fail),
        // `CREATE TABLE IF NOT EXISTS` asks for the right to create even where the table exists.
        false => Ok(()),
    };
    match convention {
        Convention::Refinery => record_refinery(client, migration, text, &table, is_new).await,
        Convention::Sqlx => {
            ensure(SQLX_TABLE).await?;
            let version = number(convention, migration)?;
            let description = migration.name.replace('_', " ");
            let checksum = Sha384::digest(text.as_bytes()).to_vec();
            // sqlx stores how long it took; what ran here ran in steps.
            let insert = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES ($1, $2, true, $3, 0)";
            client.execute(&sql(insert), &[&version, &description, &checksum]).await.map_err(fail).map(|_| ())
        }
        Convention::Diesel => {
            ensure(DIESEL_TABLE).await?;
            let version = version_key(convention, &migration.version);
            let insert = "INSERT INTO __diesel_schema_migrations (version) VALUES ($1)";
            client.execute(&sql(insert), &[&version]).await.map_err(fail).map(|_| ())
        }
        Convention::Flyway => {
            ensure(FLYWAY_TABLE).await?;
            let version = (!migration.version.starts_with("R__")).then_some(migration.version.as_str());
            let script = migration.path.as_str();
            let insert = "INSERT INTO flyway_schema_history \
                 (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success) \
                 SELECT coalesce(max(installed_rank), 0) + 1, $1, $2, 'SQL', $3, $4, current_user, 0, true \
                 FROM flyway_schema_history";
            let checksum = flyway_checksum(text);
            client
                .execute(&sql(insert), &[&version, &migration.name, &script, &checksum])
                .await
                .map_err(fail)
                .map(|_| ())
        }
        Convention::Dbmate | Convention::Rails => {
            ensure(VERSIONS_TABLE).await?;
            let insert = "INSERT INTO schema_migrations (version) VALUES ($1)";
            client.execute(&sql(insert), &[&migration.version]).await.map_err(fail).map(|_| ())
        }
        Convention::GolangMigrate => {
            ensure(GOLANG_TABLE).await?;
            let version = number(convention, migration)?;
            client.batch_execute(&sql("TRUNCATE schema_migrations")).await.map_err(fail)?;
            let insert = "INSERT INTO schema_migrations (version, dirty) VALUES ($1, false)";
            client.execute(&sql(insert), &[&version]).await.map_err(fail).map(|_| ())
        }
        Convention::Goose => {
            ensure(GOOSE_TABLE).await?;
            let version = number(convention, migration)?;
            let insert = "INSERT INTO goose_db_version (version_id, is_applied) VALUES ($1, true)";
            client.execute(&sql(insert), &[&version]).await.map_err(fail).map(|_| ())
        }
        Convention::Prisma => {
            ensure(PRISMA_TABLE).await?;
            let insert = "INSERT INTO _prisma_migrations \
                 (id, checksum, finished_at, migration_name, started_at, applied_steps_count) \
                 VALUES (pg_catalog.gen_random_uuid()::pg_catalog.text, $1, now(), $2, now(), 1)";
            client.execute(&sql(insert), &[&migration.sha256, &migration.version]).await.map_err(fail).map(|_| ())
        }
        Convention::Alembic => {
            ensure(ALEMBIC_TABLE).await?;
            client.batch_execute(&sql("DELETE FROM alembic_version")).await.map_err(fail)?;
            let insert = "INSERT INTO alembic_version (version_num) VALUES ($1)";
            client.execute(&sql(insert), &[&migration.version]).await.map_err(fail).map(|_| ())
        }
        Convention::Supabase => {
            ensure(SUPABASE_TABLE).await?;
            // Older tables have the version alone.
            let query = "SELECT pg_catalog.count(*) = 2 FROM pg_catalog.pg_attribute \
                 WHERE attrelid = pg_catalog.to_regclass($1) AND attname IN ('statements', 'name') AND NOT attisdropped";
            let whole: bool = client.query_one(query, &[&table]).await.and_then(|row| row.try_get(0)).map_err(fail)?;
            if !whole {
                let insert = "INSERT INTO supabase_migrations.schema_migrations (version) VALUES ($1)";
                return client.execute(&sql(insert), &[&migration.version]).await.map_err(fail).map(|_| ());
            }
            let insert = "INSERT INTO supabase_migrations.schema_migrations (version, statements, name) VALUES ($1, ARRAY[$2], $3)";
            client.execute(&sql(insert), &[&migration.version, &text, &migration.name]).await.map_err(fail).map(|_| ())
        }
        Convention::Sqitch
        | Convention::Atlas
        | Convention::Liquibase
        | Convention::Drizzle
        | Convention::Hasura
        | Convention::Plain => {
            let insert = "INSERT INTO cutover.migration (version, name, sha256) VALUES ($1, $2, $3)";
            client
                .execute(insert, &[&migration.version, &migration.name, &migration.sha256])
                .await
                .map_err(fail)
                .map(|_| ())
        }
    }
}

/// The repeatable migrations of a folder that Flyway ran and would run again, because they are others now.
pub fn changed<'f>(folder: &'f Folder, rows: &[Applied]) -> Vec<&'f str> {
    if folder.convention != Convention::Flyway {
        return Vec::new();
    }
    let is_changed = |migration: &&crate::migrations::Migration| {
        let version = migration.version.as_str();
        let ran = rows.iter().find(|row| is_repeatable(version) && row.version == version);
        let checksum = ran.and_then(|row| row.checksum.as_ref());
        checksum.is_some_and(|known| *known != flyway_checksum(folder.text(migration)).to_string())
    };
    folder.migrations.iter().filter(is_changed).map(|migration| migration.version.as_str()).collect()
}

/// Whether a version is that of a migration of Flyway's that runs whenever it changes.
pub(crate) fn is_repeatable(version: &str) -> bool {
    version.starts_with("R__")
}

/// Flyway's checksum: CRC-32 of the lines without their ends and without a byte order mark, as a signed number.
fn flyway_checksum(text: &str) -> i32 {
    let mut crc = crc32fast::Hasher::new();
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).lines() {
        crc.update(line.as_bytes());
    }
    crc.finalize().cast_signed()
}

/// Records what a plan takes as applied where `cutover.migration` is the history, and empty. Other conventions have a history of their own,
/// which is never written for migrations that this tool did not run.
pub async fn baseline(client: &Client, migrations: &Migrations) -> Result<(), HistoryError> {
    let convention = migrations.convention;
    if !convention.records_here() || !applied_at(client, place(migrations)).await?.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO cutover.migration (version, name, sha256) VALUES ($1, $2, $3)";
    for migration in &migrations.applied {
        let row = client.execute(insert, &[&migration.version, &migration.name, &migration.sha256]).await;
        row.map_err(|source| HistoryError::Database { convention, source })?;
    }
    Ok(())
}

const SQLX_TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
)";

const DIESEL_TABLE: &str = "CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (
    version VARCHAR(50) PRIMARY KEY NOT NULL,
    run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
)";

const FLYWAY_TABLE: &str = "CREATE TABLE IF NOT EXISTS flyway_schema_history (
    installed_rank INT NOT NULL CONSTRAINT flyway_schema_history_pk PRIMARY KEY,
    version VARCHAR(50),
    description VARCHAR(200) NOT NULL,
    type VARCHAR(20) NOT NULL,
    script VARCHAR(1000) NOT NULL,
    checksum INTEGER,
    installed_by VARCHAR(100) NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT now(),
    execution_time INTEGER NOT NULL,
    success BOOLEAN NOT NULL
);
CREATE INDEX IF NOT EXISTS flyway_schema_history_s_idx ON flyway_schema_history (success)";

const VERSIONS_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (version VARCHAR NOT NULL PRIMARY KEY)";

const GOLANG_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT NOT NULL PRIMARY KEY, dirty BOOLEAN NOT NULL)";

const GOOSE_TABLE: &str = "CREATE TABLE IF NOT EXISTS goose_db_version (
    id INTEGER PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
    version_id BIGINT NOT NULL,
    is_applied BOOLEAN NOT NULL,
    tstamp TIMESTAMP NOT NULL DEFAULT now()
);
INSERT INTO goose_db_version (version_id, is_applied)
    SELECT 0, true WHERE NOT EXISTS (SELECT FROM goose_db_version)";

const PRISMA_TABLE: &str = "CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL,
    logs TEXT,
    rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
)";

const SUPABASE_TABLE: &str = "CREATE SCHEMA IF NOT EXISTS supabase_migrations;
CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations (
    version TEXT NOT NULL PRIMARY KEY,
    statements TEXT[],
    name TEXT
)";

const ALEMBIC_TABLE: &str = "CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY
)";

async fn exists(client: &Client, convention: Convention, name: &str) -> Result<bool, HistoryError> {
    let row = client.query_one("SELECT pg_catalog.to_regclass($1::pg_catalog.text) IS NOT NULL", &[&name]).await;
    row.and_then(|row| row.try_get(0)).map_err(|source| HistoryError::Database { convention, source })
}

/// refinery's version is an `i32`, or an `i64` with its feature `int8-versions`; the checksum depends on which, and so does the
/// table's column. The table at hand tells which kind of team this is. A new table gets refinery's default unless a version needs more.
async fn record_refinery(
    client: &Client,
    migration: &Migration,
    text: &str,
    table: &str,
    is_new: bool,
) -> Result<(), HistoryError> {
    let convention = Convention::Refinery;
    let fail = |source| HistoryError::Database { convention, source };
    let version = number(convention, migration)?;
    let width = if version > i64::from(i32::MAX) { "int8" } else { "int4" };
    let create = format!(
        "CREATE TABLE IF NOT EXISTS {table}(\
         version {width} PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))"
    );
    if is_new {
        client.batch_execute(&create).await.map_err(fail)?;
    }
    let query = "SELECT atttypid = 'pg_catalog.int8'::pg_catalog.regtype FROM pg_catalog.pg_attribute \
         WHERE attrelid = pg_catalog.to_regclass($1::pg_catalog.text) AND attname = 'version'";
    let is_int8: bool = client.query_one(query, &[&table]).await.and_then(|row| row.try_get(0)).map_err(fail)?;
    let stem = migration.path.file_stem().unwrap_or_default();
    let wrong = |why: String| HistoryError::Version {
        convention,
        path: migration.path.to_string(),
        version: migration.version.clone(),
        why,
    };
    let parsed = refinery::Migration::unapplied(stem, text).map_err(|e| wrong(e.to_string()))?;
    let checksum = if is_int8 {
        parsed.checksum()
    } else {
        let narrow = i32::try_from(version).map_err(|_| wrong("the table's version column is an int4".into()))?;
        int4_checksum(parsed.name(), narrow, text)
    };
    let now = jiff::Timestamp::now().to_string();
    // The column's own type decides how the number is sent, hence the cast.
    let insert = format!(
        "INSERT INTO {table} (version, name, applied_on, checksum) \
         VALUES ({version}, $1, $2, $3)"
    );
    client.execute(&insert, &[&parsed.name(), &now, &checksum.to_string()]).await.map_err(fail).map(|_| ())
}

/// What `refinery::Migration::checksum` is in a build without `int8-versions`.
fn int4_checksum(name: &str, version: i32, text: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    version.hash(&mut hasher);
    text.hash(&mut hasher);
    hasher.finish()
}

fn number(convention: Convention, migration: &Migration) -> Result<i64, HistoryError> {
    migration.version.parse().map_err(|_| HistoryError::Version {
        convention,
        path: migration.path.to_string(),
        version: migration.version.clone(),
        why: "it is not a whole number".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_per_version() {
        assert_eq!(version_key(Convention::Refinery, "003"), "3");
        assert_eq!(version_key(Convention::Diesel, "2024-01-02-030405"), "20240102030405");
        assert_eq!(version_key(Convention::Plain, "003_x"), "003_x");
    }

    #[test]
    fn another_table_in_the_place_of_the_usual_one() {
        let check = |statement: &str, usual: &str, table: &str, expected: &str| {
            assert_eq!(named(statement, usual, table), expected);
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

    #[test]
    fn the_wide_twin_of_the_narrow_checksum_is_what_refinery_computes() {
        let text = "CREATE TABLE a (id int);\n";
        let mut hasher = SipHasher13::new();
        "init".hash(&mut hasher);
        1_i64.hash(&mut hasher);
        text.hash(&mut hasher);
        assert_eq!(hasher.finish(), refinery::Migration::unapplied("V1__init", text).unwrap().checksum());
        assert_ne!(hasher.finish(), int4_checksum("init", 1, text));
    }
}
