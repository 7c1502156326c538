//! Supabase's `supabase_migrations.schema_migrations`.

use super::tools::{Entry, Row, Sql, Value, Writes};

pub(super) static HISTORY: Sql = Sql {
    reads: "SELECT version::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text, true, false \
         FROM supabase_migrations.schema_migrations ORDER BY schema_migrations.version",
    writes: Some(Writes { create: |_| Ok(TABLE.to_owned()), clears: None, row }),
    ..Sql::READ_ONLY
};

const TABLE: &str = "CREATE SCHEMA IF NOT EXISTS supabase_migrations;
CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations (
    version TEXT NOT NULL PRIMARY KEY,
    statements TEXT[],
    name TEXT
)";

fn row(entry: &Entry<'_>) -> Result<Row, String> {
    let version = Value::Text(entry.migration.version.clone());
    // Older tables have the version alone.
    if entry.column("statements").is_none() || entry.column("name").is_none() {
        return Ok(Row::new("INSERT INTO supabase_migrations.schema_migrations (version) VALUES ($1)", [version]));
    }
    let sql =
        "INSERT INTO supabase_migrations.schema_migrations (version, statements, name) VALUES ($1, ARRAY[$2], $3)";
    Ok(Row::new(sql, [version, Value::Text(entry.text.to_owned()), Value::Text(entry.migration.name.clone())]))
}
