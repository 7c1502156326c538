//! Ends sessions that idle in a transaction and keep a step waiting by that, where the release says so.
//!
//! The executor waits in its own session, so that a second one looks whom it waits for: what the server says (`pg_blocking_pids`) and nobody else, also
//! through others that wait themselves. A session that runs a statement, or has not idled for long enough, is left alone.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::doors::Future;
use super::error::ExecuteError;
use super::journal::{Record, ReleaseRecord};
use super::session::{begin_watching, failed, get};
use crate::postgres::{Session, server_message};
use crate::release::TerminateBlockers;

/// For how long a step may work before anybody looks: most are over by then.
const AT_FIRST: Duration = Duration::from_millis(150);

/// How often it is looked whether a step waits: several times in the longest wait for a lock.
const LOOK: Duration = Duration::from_millis(150);

/// How long whoever looks may take to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Whether `$1` waits for a lock; one that is cheaper to ask than whom it waits for.
const WAITS: &str =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock')";

/// Whom `$1` waits for, and whom these wait for: those that idle in a transaction, and those of which the server does not say what they do.
/// `state_change` is when it began to idle.
const BEHIND: &str = "WITH RECURSIVE behind (pid) AS (
         SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids($1))
         UNION SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(behind.pid)) FROM behind WHERE behind.pid <> 0)
     SELECT a.pid, a.usename::pg_catalog.text, a.application_name, a.state IS NULL,
         (SELECT w.relation::pg_catalog.regclass::pg_catalog.text FROM pg_catalog.pg_locks w WHERE w.pid = $1 AND NOT w.granted AND w.relation IS NOT NULL LIMIT 1)
     FROM behind JOIN pg_catalog.pg_stat_activity a ON a.pid = behind.pid
     WHERE a.datname = pg_catalog.current_database() AND a.usename::pg_catalog.text <> ALL ($2)
       AND (a.state IS NULL OR a.state IN ('idle in transaction', 'idle in transaction (aborted)'))";

/// Ends one of them, if it has idled for `$2` milliseconds and still does; for how long it had.
const END_IT: &str = "SELECT (extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change) * 1000)::pg_catalog.int8, pg_catalog.pg_terminate_backend(a.pid)
     FROM pg_catalog.pg_stat_activity a
     WHERE a.pid = $1 AND a.backend_type = 'client backend' AND a.state IN ('idle in transaction', 'idle in transaction (aborted)')
       AND a.datname = pg_catalog.current_database()
       AND pg_catalog.clock_timestamp() - a.state_change >= $2 * '1 millisecond'::pg_catalog.interval";

/// Looks while a step runs.
#[derive(Debug)]
pub(super) struct Terminator {
    step: u32,
    task: JoinHandle<()>,
    /// As long as there is one, it goes on.
    stop: Option<oneshot::Sender<()>>,
    said: Arc<Mutex<Said>>,
}

/// What it has done since it was asked last.
#[derive(Debug, Default)]
struct Said {
    ended: Vec<Record>,
    problems: Vec<String>,
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
        let (stop, mut stopped) = oneshot::channel();
        let told = Arc::clone(&said);
        let task = tokio::spawn(async move {
            let session = async {
                tokio::time::sleep(AT_FIRST).await;
                session.await
            };
            let session = tokio::select! {
                session = session => session,
                _ = &mut stopped => return,
            };
            let problem = match session {
                Ok(session) => {
                    end_them(&session, pid, step, &wanted, &told, stopped).await.err().map(|why| why.to_string())
                }
                Err(why) => Some(why),
            };
            told.lock().unwrap_or_else(PoisonError::into_inner).problems.extend(problem);
        });
        Self { step, task, stop: Some(stop), said }
    }

    /// Which sessions were ended since this was asked last, and why others cannot be.
    pub(super) fn said(&self) -> (Vec<Record>, Vec<String>) {
        let Said { ended, problems } = std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner));
        let step = self.step;
        let told = |why| format!("a session that keeps step {step} waiting cannot be ended: {why}");
        (ended, problems.into_iter().map(told).collect())
    }

    /// Stops looking, and lets what is under way end.
    pub(super) async fn stop(mut self) -> (Vec<Record>, Vec<String>) {
        // Whoever listens for it hears that nobody is there to say it any more, too.
        self.stop = None;
        if tokio::time::timeout(FAREWELL, &mut self.task).await.is_err() {
            self.task.abort();
        }
        self.said()
    }
}

/// Ends when it is told to, or with an error.
async fn end_them(
    session: &Session,
    pid: i32,
    step: u32,
    wanted: &TerminateBlockers,
    said: &Mutex<Said>,
    mut stopped: oneshot::Receiver<()>,
) -> Result<(), ExecuteError> {
    let looking = failed("looking whom a step waits for");
    begin_watching(session).await?;
    // Each is told of once.
    let mut known = BTreeSet::new();
    loop {
        let waits = session.query_one(WAITS, &[&pid]).await.map_err(&looking)?;
        if get::<bool>(&waits, 0)? {
            for row in session.query(BEHIND, &[&pid, &wanted.except_roles]).await.map_err(&looking)? {
                let (found, is_hidden) = (get::<i32>(&row, 0)?, get::<bool>(&row, 3)?);
                let ended = match is_hidden {
                    true => {
                        Err("the server does not show this role what it does; `GRANT pg_read_all_stats`".to_owned())
                    }
                    false => end(session, found, step, wanted, &row).await?,
                };
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                match ended {
                    Ok(ended) => said.ended.extend(ended),
                    Err(why) if known.insert(found) => said.problems.push(format!("server process {found}: {why}")),
                    Err(_) => {}
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = &mut stopped => return Ok(()),
        }
    }
}

/// Ends one that was found, if it may be; what the server says if this role may not.
async fn end(
    session: &Session,
    pid: i32,
    step: u32,
    wanted: &TerminateBlockers,
    found: &Row,
) -> Result<Result<Option<Record>, String>, ExecuteError> {
    #[expect(clippy::cast_precision_loss, reason = "thousands of years are enough")]
    let older_than = wanted.older_than_ms as f64;
    let row = match session.query_opt(END_IT, &[&pid, &older_than]).await {
        Ok(row) => row,
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            return Ok(Err(server_message(&error)));
        }
        Err(error) => return Err(failed("ending a session that keeps a step waiting")(error)),
    };
    let Some(row) = row.filter(|row| row.try_get(1).unwrap_or(false)) else { return Ok(Ok(None)) };
    let ended = ReleaseRecord::SessionEnded {
        step,
        backend_pid: pid,
        role: get(found, 1)?,
        application: get(found, 2)?,
        idle_ms: u64::try_from(get::<i64>(&row, 0)?).unwrap_or_default(),
        relation: get(found, 4)?,
    };
    Ok(Ok(Some(ended.into())))
}
