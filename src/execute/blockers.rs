//! Who holds locks on the relations that a statement names.
//!
//! There is one connection, so the question is asked after the wait has failed. What the other sessions run is not shown: it may hold
//! data.

use crate::postgres::Session;
use serde::Serialize;

use crate::sql::recognise;

/// A session that holds locks on the same relations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// The server's process.
    pub pid: i32,
    /// The relation.
    pub relation: String,
    /// The lock it holds.
    pub mode: String,
    /// Its role.
    pub role: Option<String>,
    /// Its application.
    pub application: Option<String>,
    /// What it does, for example `idle in transaction`.
    pub state: Option<String>,
    /// How old its transaction is, in seconds.
    pub seconds: Option<i64>,
}

impl std::fmt::Display for Blocker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "server process {} holding {} on {}", self.pid, self.mode, self.relation)?;
        if let Some(role) = &self.role {
            write!(f, ", role {role}")?;
        }
        if let Some(application) = self.application.as_deref().filter(|name| !name.is_empty()) {
            write!(f, ", application {application:?}")?;
        }
        if let Some(state) = &self.state {
            write!(f, ", {state}")?;
        }
        match self.seconds {
            Some(seconds) => write!(f, ", transaction open for {seconds} s"),
            None => Ok(()),
        }
    }
}

/// Looks for them; says nothing when that fails, because there is an error to report already.
pub(super) async fn find(client: &Session, statements: &[&str]) -> Vec<Blocker> {
    let words: Vec<String> = statements.iter().flat_map(|sql| recognise::words(sql)).collect();
    let query = "WITH named AS (
             SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname::pg_catalog.text = ANY ($1)
             UNION SELECT i.indrelid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
             WHERE c.relname::pg_catalog.text = ANY ($1))
         SELECT DISTINCT ON (l.pid) l.pid, l.relation::pg_catalog.regclass::pg_catalog.text, l.mode, a.usename::pg_catalog.text,
             a.application_name, a.state, extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.int8
         FROM pg_catalog.pg_locks l JOIN named ON named.oid = l.relation
         LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
         WHERE l.granted AND l.pid IS NOT NULL AND l.pid <> pg_catalog.pg_backend_pid()
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
         ORDER BY l.pid, l.mode LIMIT 10";
    let Ok(rows) = client.query(query, &[&words]).await else { return Vec::new() };
    let read = |row: &tokio_postgres::Row| {
        Some(Blocker {
            pid: row.try_get(0).ok()?,
            relation: row.try_get(1).ok()?,
            mode: row.try_get(2).ok()?,
            role: row.try_get(3).ok()?,
            application: row.try_get(4).ok()?,
            state: row.try_get(5).ok()?,
            seconds: row.try_get(6).ok()?,
        })
    };
    rows.iter().filter_map(read).collect()
}
