//! golang-migrate's `schema_migrations`: one row.

use super::tools::{Row, Sql, Value, Writes};

pub(super) static HISTORY: Sql = Sql {
    reads: "SELECT version::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, NOT dirty, false \
         FROM schema_migrations",
    writes: Some(Writes {
        create: |_| Ok(TABLE.to_owned()),
        clears: Some("TRUNCATE schema_migrations"),
        row: |entry| {
            let sql = "INSERT INTO schema_migrations (version, dirty) VALUES ($1, false)";
            Ok(Row::new(sql, [Value::Int8(entry.number()?)]))
        },
    }),
    ..Sql::READ_ONLY
};

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT NOT NULL PRIMARY KEY, dirty BOOLEAN NOT NULL)";
