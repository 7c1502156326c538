//! `schema_migrations` with versions alone, as dbmate and Rails have it.

use super::tools::{Row, Sql, Value, Writes};

pub(super) static HISTORY: Sql = Sql {
    reads: "SELECT version::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, true, false \
         FROM schema_migrations ORDER BY schema_migrations.version",
    writes: Some(Writes {
        create: |_| Ok(TABLE.to_owned()),
        clears: None,
        row: |entry| {
            let version = Value::Text(entry.migration.version.clone());
            Ok(Row::new("INSERT INTO schema_migrations (version) VALUES ($1)", [version]))
        },
    }),
    ..Sql::READ_ONLY
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (version VARCHAR NOT NULL PRIMARY KEY)";
