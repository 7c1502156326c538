//! diesel's `__diesel_schema_migrations`.

use super::tools::{Row, Sql, Value, Writes};
use crate::migrations::Convention;

pub(super) static HISTORY: Sql = Sql {
    reads: "SELECT version::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, true, false \
         FROM __diesel_schema_migrations ORDER BY __diesel_schema_migrations.version",
    writes: Some(Writes {
        create: |_| Ok(TABLE.to_owned()),
        clears: None,
        row: |entry| {
            let version = Convention::Diesel.version_key(&entry.migration.version);
            Ok(Row::new("INSERT INTO __diesel_schema_migrations (version) VALUES ($1)", [Value::Text(version)]))
        },
    }),
    ..Sql::READ_ONLY
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (
    version VARCHAR(50) PRIMARY KEY NOT NULL,
    run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
)";
