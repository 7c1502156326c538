//! Alembic's `alembic_version`: one row.

use super::tools::{Row, Sql, Value, Writes};

pub(super) static HISTORY: Sql = Sql {
    reads: "SELECT version_num::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, true, false \
         FROM alembic_version",
    writes: Some(Writes {
        create: |_| Ok(TABLE.to_owned()),
        clears: Some("DELETE FROM alembic_version"),
        row: |entry| {
            let version = Value::Text(entry.migration.version.clone());
            Ok(Row::new("INSERT INTO alembic_version (version_num) VALUES ($1)", [version]))
        },
    }),
    ..Sql::READ_ONLY
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY
)";
