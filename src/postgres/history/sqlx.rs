//! sqlx's `_sqlx_migrations`.

use sha2::{Digest as _, Sha384};

use super::tools::{Entry, Row, Sql, Value, Writes};

pub(super) static HISTORY: Sql = Sql {
    reads: "SELECT version::pg_catalog.text, description, pg_catalog.encode(checksum, 'hex'), success, false \
         FROM _sqlx_migrations ORDER BY _sqlx_migrations.version",
    writes: Some(Writes { create: |_| Ok(TABLE.to_owned()), clears: None, row }),
    ..Sql::READ_ONLY
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
)";

fn row(entry: &Entry<'_>) -> Result<Row, String> {
    // sqlx stores how long it took; what ran here ran in steps.
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES ($1, $2, true, $3, 0)";
    let description = entry.migration.name.replace('_', " ");
    let checksum = Sha384::digest(entry.text.as_bytes()).to_vec();
    Ok(Row::new(sql, [Value::Int8(entry.number()?), Value::Text(description), Value::Bytes(checksum)]))
}
