//! Who holds locks on the relations that a statement names.
//!
//! The executor asks once its wait has failed; whoever looks on meanwhile (`overview`) asks who blocks it. What the other sessions run is not shown:
//! it may hold data.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use crate::postgres::Session;

use crate::sql::recognise;

/// A session that holds locks on the same relations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
    /// What it is where it is no client, for example `autovacuum worker`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Whether it vacuums to prevent the wraparound of transaction ids, which gives way to nobody.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prevents_wraparound: bool,
}

impl Blocker {
    /// Whether it is a worker that the server stops for whoever has waited for `deadlock_timeout`.
    pub(super) fn gives_way(&self) -> bool {
        self.worker.as_deref() == Some("autovacuum worker") && !self.prevents_wraparound
    }
}

impl std::fmt::Display for Blocker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = self.worker.as_deref().unwrap_or("server process");
        write!(f, "{what} {} holding {} on {}", self.pid, self.mode, self.relation)?;
        if self.prevents_wraparound {
            f.write_str(" (to prevent wraparound: it gives way to nobody, wait until it is done)")?;
        }
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

impl Blocker {
    /// From the columns of a row, in the order of the fields.
    pub(super) fn of(row: &Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            pid: row.try_get(0)?,
            relation: row.try_get(1)?,
            mode: row.try_get(2)?,
            role: row.try_get(3)?,
            application: row.try_get(4)?,
            state: row.try_get(5)?,
            seconds: row.try_get(6)?,
            worker: row.try_get(7)?,
            prevents_wraparound: row.try_get::<_, Option<bool>>(8)?.unwrap_or(false),
        })
    }
}

/// Looks for them: first those that wait for nobody themselves, and among these the one that has idled longest in its transaction, which is
/// whom all others wait for. Says nothing when that fails, because there is an error to report already.
pub(super) async fn find(client: &Session, statements: &[&str]) -> Vec<Blocker> {
    let words: Vec<String> = statements.iter().flat_map(|sql| recognise::words(sql)).collect();
    let query = "WITH named AS (
             SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname::pg_catalog.text = ANY ($1)
             UNION SELECT i.indrelid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
             WHERE c.relname::pg_catalog.text = ANY ($1))
         SELECT pid, relation, mode, usename, application_name, state, seconds, worker, wraparound FROM (
             SELECT DISTINCT ON (l.pid) l.pid, l.relation::pg_catalog.regclass::pg_catalog.text AS relation, l.mode,
                 a.usename::pg_catalog.text AS usename, a.application_name, a.state,
                 extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.int8 AS seconds,
                 CASE WHEN a.backend_type <> 'client backend' THEN a.backend_type END AS worker,
                 a.backend_type = 'autovacuum worker' AND a.query LIKE '%(to prevent wraparound)' AS wraparound,
                 a.wait_event_type = 'Lock' AS waits, a.xact_start
             FROM pg_catalog.pg_locks l JOIN named ON named.oid = l.relation
             LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
             WHERE l.granted AND l.pid IS NOT NULL AND l.pid <> pg_catalog.pg_backend_pid()
               AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
             ORDER BY l.pid, l.mode) AS holders
         ORDER BY coalesce(waits, false), state IS NOT DISTINCT FROM 'idle in transaction' DESC, xact_start LIMIT 5";
    let Ok(rows) = client.query(query, &[&words]).await else { return Vec::new() };
    rows.iter().filter_map(|row| Blocker::of(row).ok()).collect()
}

/// After how long a wait the server stops a worker that is in the way.
pub(super) async fn deadlock_timeout(client: &Session) -> Duration {
    const USUAL: Duration = Duration::from_secs(1);
    let query = "SELECT setting::pg_catalog.int8 FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'";
    let row = client.query_one(query, &[]).await.and_then(|row| row.try_get::<_, i64>(0));
    row.ok().and_then(|ms| u64::try_from(ms).ok()).map_or(USUAL, Duration::from_millis)
}
