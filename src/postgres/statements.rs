//! `pg_stat_statements` of a live server.

use super::Session;

use super::message::server_message;
use crate::workload::{Filter, StatementRow};

/// Why it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StatementsError {
    /// The extension is not there.
    #[error("the server has no pg_stat_statements: {0}")]
    Missing(String),
    /// Reading failed.
    #[error("reading pg_stat_statements failed: {0}")]
    Read(String),
}

impl StatementsError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        "add pg_stat_statements to shared_preload_libraries, restart the server, and run CREATE EXTENSION pg_stat_statements"
    }
}

/// The statements of one database (the session's own unless the filter says another) and one role, if it says one. Those that the session
/// itself sends are among them; they only read catalogs.
pub async fn statements(client: &Session, filter: &Filter) -> Result<Vec<StatementRow>, StatementsError> {
    let schema =
        "SELECT n.nspname::text FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'pg_stat_statements'";
    let read = |error: tokio_postgres::Error| StatementsError::Read(server_message(&error));
    let row = client.query_opt(schema, &[]).await.map_err(read)?;
    let Some(row) = row else {
        return Err(StatementsError::Missing("the extension is not created in this database".into()));
    };
    let schema: String = row.get(0);
    let view = format!("\"{}\".pg_stat_statements", schema.replace('"', "\"\""));
    // Statements in functions are the function's; `toplevel` is there since PostgreSQL 14, and their texts are among the functions' bodies.
    let query = format!(
        "SELECT s.query, sum(s.calls)::int8
           FROM {view} s
           JOIN pg_catalog.pg_database d ON d.oid = s.dbid
           JOIN pg_catalog.pg_roles r ON r.oid = s.userid
          WHERE d.datname = COALESCE($1, pg_catalog.current_database()) AND ($2::text IS NULL OR r.rolname = $2)
          GROUP BY s.query ORDER BY s.query"
    );
    let wanted: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&filter.database, &filter.user];
    let rows = client.query(&query, &wanted).await.map_err(|error| match error.code() {
        // Created, but not loaded.
        Some(state) if state.code() == "55000" => StatementsError::Missing(server_message(&error)),
        _ => read(error),
    })?;
    let row = |row: &tokio_postgres::Row| StatementRow {
        query: row.get::<_, Option<String>>(0).unwrap_or_default(),
        calls: u64::try_from(row.get::<_, i64>(1)).unwrap_or_default(),
    };
    Ok(rows.iter().map(row).collect())
}
