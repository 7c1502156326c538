//! Ends sessions that idle in a transaction and keep a step waiting by that, where the release says so.
//!
//! The executor waits in its own session, so that a second one looks whom it waits for: what the server says (`pg_blocking_pids`) and nobody else, also
//! through others that wait themselves. A session that runs a statement, or has not idled for long enough, is left alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::doors::Future;
use super::error::ExecuteError;
use super::journal::{Record, ReleaseRecord};
use super::session::{begin_watching, failed, get};
use crate::postgres::Session;
use crate::release::TerminateBlockers;

/// For how long a step may work before anybody looks: most are over by then.
const AT_FIRST: Duration = Duration::from_millis(150);

/// How often it is looked: several times while a step waits for a lock at most.
const LOOK: Duration = Duration::from_millis(100);

/// Whom `$1` waits for, and whom these wait for; those that may be ended are ended as they are found. `state_change` is when it began to idle.
const END_THEM: &str = "WITH RECURSIVE behind (pid) AS (
         SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids($1))
         UNION SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(behind.pid)) FROM behind WHERE behind.pid <> 0)
     SELECT a.pid, a.usename::pg_catalog.text, a.application_name,
         (extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change) * 1000)::pg_catalog.int8,
         (SELECT w.relation::pg_catalog.regclass::pg_catalog.text FROM pg_catalog.pg_locks w WHERE w.pid = $1 AND NOT w.granted AND w.relation IS NOT NULL LIMIT 1),
         pg_catalog.pg_terminate_backend(a.pid)
     FROM behind JOIN pg_catalog.pg_stat_activity a ON a.pid = behind.pid
     WHERE a.backend_type = 'client backend' AND a.state IN ('idle in transaction', 'idle in transaction (aborted)')
       AND a.datname = pg_catalog.current_database()
       AND pg_catalog.clock_timestamp() - a.state_change >= $2 * '1 millisecond'::pg_catalog.interval
       AND a.usename::pg_catalog.text <> ALL ($3)";

/// Looks while a step runs.
#[derive(Debug)]
pub(super) struct Terminator {
    step: u32,
    task: JoinHandle<()>,
    said: Arc<Mutex<Said>>,
}

/// What it has done since it was asked last.
#[derive(Debug, Default)]
struct Said {
    ended: Vec<Record>,
    problem: Option<String>,
}

impl Drop for Terminator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Terminator {
    /// Begins to look whom the session `pid` waits for, over a connection that is being made.
    pub(super) fn begin(
        wanted: TerminateBlockers,
        pid: i32,
        step: u32,
        session: Future<'static, Result<Session, String>>,
    ) -> Self {
        let said = Arc::new(Mutex::new(Said::default()));
        let told = Arc::clone(&said);
        let task = tokio::spawn(async move {
            tokio::time::sleep(AT_FIRST).await;
            let problem = match session.await {
                Ok(session) => end_them(&session, pid, step, &wanted, &told).await.err().map(|why| why.to_string()),
                Err(why) => Some(why),
            };
            told.lock().unwrap_or_else(PoisonError::into_inner).problem = problem;
        });
        Self { step, task, said }
    }

    /// Which sessions were ended since this was asked last, and why none can be.
    pub(super) fn said(&self) -> (Vec<Record>, Option<String>) {
        let Said { ended, problem } = std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner));
        let step = self.step;
        (ended, problem.map(|why| format!("no session that keeps step {step} waiting can be ended: {why}")))
    }
}

/// Never ends by itself but with an error.
async fn end_them(
    session: &Session,
    pid: i32,
    step: u32,
    wanted: &TerminateBlockers,
    said: &Mutex<Said>,
) -> Result<(), ExecuteError> {
    begin_watching(session).await?;
    #[expect(clippy::cast_precision_loss, reason = "thousands of years are enough")]
    let older_than = wanted.older_than_ms as f64;
    loop {
        let rows = session.query(END_THEM, &[&pid, &older_than, &wanted.except_roles]).await;
        for row in rows.map_err(failed("ending a session that keeps a step waiting"))? {
            if !get::<bool>(&row, 5)? {
                continue;
            }
            let ended = ReleaseRecord::SessionEnded {
                step,
                backend_pid: get(&row, 0)?,
                role: get(&row, 1)?,
                application: get(&row, 2)?,
                idle_ms: u64::try_from(get::<i64>(&row, 3)?).unwrap_or_default(),
                relation: get(&row, 4)?,
            };
            said.lock().unwrap_or_else(PoisonError::into_inner).ended.push(ended.into());
        }
        tokio::time::sleep(LOOK).await;
    }
}
