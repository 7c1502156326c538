//! The team's own history table: read it, and keep it truthful, so that they can stop using this tool any day.
//!
//! Each convention's rows are written as its own tool writes them, the checksum included. Names are found by the search path, as the
//! tools themselves find them.

use std::hash::{Hash as _, Hasher as _};

use sha2::{Digest as _, Sha256, Sha384};
use siphasher::sip::SipHasher13;
use tokio_postgres::Client;

use crate::digest::hex;
use crate::migrations::Convention;
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
}

/// Why a history table can not be used.
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
    /// sqlx began a migration and did not finish it.
    #[error("_sqlx_migrations has an unfinished row for version {version}: repair that migration and its row first")]
    Dirty {
        /// The version.
        version: String,
    },
}

/// One spelling per version: refinery's and sqlx's leading zeros and diesel's dashes do not count.
pub fn version_key(convention: Convention, version: &str) -> String {
    match convention {
        Convention::Refinery | Convention::Sqlx => {
            version.parse::<i64>().map_or_else(|_| version.to_owned(), |n| n.to_string())
        }
        Convention::Diesel => version.replace('-', ""),
        Convention::Plain => version.to_owned(),
    }
}

/// What is recorded as applied, in the order of versions. Without the table: nothing.
pub async fn applied(client: &Client, convention: Convention) -> Result<Vec<Applied>, HistoryError> {
    let fail = |source| HistoryError::Database { convention, source };
    if !exists(client, convention).await? {
        return Ok(Vec::new());
    }
    let query = match convention {
        Convention::Refinery => {
            "SELECT version::pg_catalog.text, name::pg_catalog.text, checksum::pg_catalog.text, true \
             FROM refinery_schema_history ORDER BY refinery_schema_history.version"
        }
        Convention::Sqlx => {
            "SELECT version::pg_catalog.text, description, pg_catalog.encode(checksum, 'hex'), success \
             FROM _sqlx_migrations ORDER BY _sqlx_migrations.version"
        }
        Convention::Diesel => {
            "SELECT version::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, true \
             FROM __diesel_schema_migrations ORDER BY __diesel_schema_migrations.version"
        }
        Convention::Plain => "SELECT version, name, sha256, true FROM cutover.migration ORDER BY version",
    };
    let mut all = Vec::new();
    for row in client.query(query, &[]).await.map_err(fail)? {
        let version: String = row.try_get(0).map_err(fail)?;
        if !row.try_get::<_, bool>(3).map_err(fail)? {
            return Err(HistoryError::Dirty { version });
        }
        let version = version_key(convention, &version);
        all.push(Applied { version, name: row.try_get(1).map_err(fail)?, checksum: row.try_get(2).map_err(fail)? });
    }
    Ok(all)
}

/// Records a migration as applied, creating the table as its own tool does if there is none. Runs in the caller's transaction.
/// `text` is the file's content, already checked against the plan.
pub async fn record(
    client: &Client,
    convention: Convention,
    migration: &Migration,
    text: &str,
) -> Result<(), HistoryError> {
    let fail = |source| HistoryError::Database { convention, source };
    match convention {
        Convention::Refinery => record_refinery(client, migration, text).await,
        Convention::Sqlx => {
            ensure(client, convention, SQLX_TABLE).await?;
            let version = number(convention, migration)?;
            let description = migration.name.replace('_', " ");
            let checksum = Sha384::digest(text.as_bytes()).to_vec();
            // sqlx stores how long it took; what ran here ran in steps.
            let insert = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES ($1, $2, true, $3, 0)";
            client.execute(insert, &[&version, &description, &checksum]).await.map_err(fail).map(|_| ())
        }
        Convention::Diesel => {
            ensure(client, convention, DIESEL_TABLE).await?;
            let version = version_key(convention, &migration.version);
            let insert = "INSERT INTO __diesel_schema_migrations (version) VALUES ($1)";
            client.execute(insert, &[&version]).await.map_err(fail).map(|_| ())
        }
        Convention::Plain => {
            let sha256 = hex(&Sha256::digest(text.as_bytes()));
            let insert = "INSERT INTO cutover.migration (version, name, sha256) VALUES ($1, $2, $3)";
            client.execute(insert, &[&migration.version, &migration.name, &sha256]).await.map_err(fail).map(|_| ())
        }
    }
}

/// Records what a plain folder's plan takes as applied on a database whose history (`cutover.migration`) is empty. Other conventions have a
/// history of their own, which is never written for migrations that this tool did not run.
pub async fn baseline(client: &Client, migrations: &Migrations) -> Result<(), HistoryError> {
    let convention = migrations.convention;
    if convention != Convention::Plain || !applied(client, convention).await?.is_empty() {
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

async fn exists(client: &Client, convention: Convention) -> Result<bool, HistoryError> {
    let name = convention.history().map_or("cutover.migration", |table| table.name);
    let row = client.query_one("SELECT pg_catalog.to_regclass($1::pg_catalog.text) IS NOT NULL", &[&name]).await;
    row.and_then(|row| row.try_get(0)).map_err(|source| HistoryError::Database { convention, source })
}

/// `CREATE TABLE IF NOT EXISTS` asks for the right to create even where the table exists, so look first.
async fn ensure(client: &Client, convention: Convention, create: &str) -> Result<(), HistoryError> {
    if exists(client, convention).await? {
        return Ok(());
    }
    client.batch_execute(create).await.map_err(|source| HistoryError::Database { convention, source })
}

/// refinery's version is an `i32`, or an `i64` with its feature `int8-versions`; the checksum depends on which, and so does the
/// table's column. The table at hand tells which kind of team this is. A new table gets refinery's default unless a version needs more.
async fn record_refinery(client: &Client, migration: &Migration, text: &str) -> Result<(), HistoryError> {
    let convention = Convention::Refinery;
    let fail = |source| HistoryError::Database { convention, source };
    let version = number(convention, migration)?;
    let width = if version > i64::from(i32::MAX) { "int8" } else { "int4" };
    let create = format!(
        "CREATE TABLE IF NOT EXISTS refinery_schema_history(\
         version {width} PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))"
    );
    ensure(client, convention, &create).await?;
    let query = "SELECT atttypid = 'pg_catalog.int8'::pg_catalog.regtype FROM pg_catalog.pg_attribute \
         WHERE attrelid = pg_catalog.to_regclass('refinery_schema_history') AND attname = 'version'";
    let is_int8: bool = client.query_one(query, &[]).await.and_then(|row| row.try_get(0)).map_err(fail)?;
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
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
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
