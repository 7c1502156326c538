//! One executor a database: a session-level advisory lock says who may act, an epoch in `cutover.lease` fences off who may no longer.
//!
//! The server gives the lock up when the session ends, and a session ends once its last statement does: a killed client's
//! `CREATE INDEX CONCURRENTLY` still holds it, which is what keeps a second executor from repairing an index that is being built.
//! `pg_try_advisory_lock` is polled rather than `pg_advisory_lock` awaited, because a waiter's snapshot would block that very index.

use std::time::Duration;

use crate::postgres::Session;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Row, SimpleQueryMessage};

use super::begun::{Intent, leave_to_its_tool};
use super::doors::Doors;
use super::error::ExecuteError;
use super::event::Event;
use super::holder::Holder;
use super::journal::{self, Actor};
use super::preflight;
use super::session;
use super::stop::interruptible;

/// `cutover` in ASCII.
const KEY: i64 = 0x63_7574_6f76_6572;

/// The right to act.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) epoch: i64,
    backend_pid: i32,
}

impl Lease {
    /// Takes the lease. If another session holds it, polls for up to `patience` and then says who that is.
    pub(super) async fn acquire(
        client: &mut Session,
        by: &Actor,
        intent: Intent,
        patience: Duration,
        doors: &mut Doors<'_>,
    ) -> Result<Self, ExecuteError> {
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_millis(20);
        let backend_pid = loop {
            let query = "SELECT pg_catalog.pg_try_advisory_lock($1), pg_catalog.pg_backend_pid()";
            let row = client.query_one(query, &[&KEY]).await.map_err(session::failed("taking the lease"))?;
            let (locked, pid): (bool, i32) = (session::get(&row, 0)?, session::get(&row, 1)?);
            if locked {
                break pid;
            }
            // Between the two queries the holder may have gone: then try again at once.
            let Some(holder) = holder(client).await? else { continue };
            if waited >= patience {
                return Err(ExecuteError::Held(Box::new(holder)));
            }
            (doors.events)(&Event::WaitingForLease { holder });
            interruptible(&doors.stop, doors.clock.sleep(pause)).await?;
            waited += pause;
            pause = (pause * 2).min(Duration::from_secs(1));
        };
        match Self::enter(client, by, backend_pid, intent).await {
            Ok(lease) => {
                (doors.events)(&Event::LeaseTaken { epoch: lease.epoch });
                Ok(lease)
            }
            Err(error) => {
                unlock(client).await;
                Err(error)
            }
        }
    }

    async fn enter(client: &mut Session, by: &Actor, backend_pid: i32, intent: Intent) -> Result<Self, ExecuteError> {
        check_lock(client, backend_pid).await?;
        // Once more, for what was begun while this waited.
        leave_to_its_tool(client, intent).await?;
        journal::ensure(client).await?;
        let upsert = "INSERT INTO cutover.lease AS l (epoch, host, pid, role, backend_pid, since)
             VALUES (1, $1, $2, $3, $4, pg_catalog.clock_timestamp())
             ON CONFLICT (singleton) DO UPDATE SET epoch = l.epoch + 1, host = excluded.host, pid = excluded.pid,
                 role = excluded.role, backend_pid = excluded.backend_pid, since = excluded.since
             RETURNING epoch";
        let row = client
            .query_one(upsert, &[&by.host, &i64::from(by.pid), &by.role, &backend_pid])
            .await
            .map_err(busy("taking the lease"))?;
        Ok(Self { epoch: session::get(&row, 0)?, backend_pid })
    }

    /// Begins a transaction, locks the lease's row in it, and makes sure that it is still ours; then makes settings. All of it takes one round trip.
    pub(super) async fn begin(&self, client: &Session, settings: &str) -> Result<Begun, ExecuteError> {
        let message = format!(
            "BEGIN; SELECT epoch FROM cutover.lease FOR UPDATE;
             SELECT {}, pg_catalog.pg_current_xact_id(), {}; {settings}",
            own_lock(),
            journal::is_prepared()
        );
        let answer = client.simple_query(&message).await.map_err(busy("checking the lease"))?;
        let (mut found, mut begun) = (None, None);
        for message in &answer {
            match message {
                SimpleQueryMessage::Row(row) if row.len() == 1 => {
                    found = row.get(0).and_then(|epoch| epoch.parse().ok())
                }
                SimpleQueryMessage::Row(row) => begun = Some(row),
                _ => {}
            }
        }
        if found != Some(self.epoch) {
            return Err(ExecuteError::LeaseLost { ours: self.epoch, found });
        }
        let text = |index: usize| begun.and_then(|row| row.get(index)).unwrap_or_default().to_owned();
        let pid = text(0).parse().unwrap_or_default();
        if pid != self.backend_pid || text(1) != "t" {
            return Err(ExecuteError::Pooled { expected: self.backend_pid, found: pid });
        }
        Ok(Begun { transaction: text(2), prepared: text(3) == "t" })
    }

    /// Gives the lease back. The epoch stays, so nothing that is still under way can use it.
    pub(super) async fn release(self, client: &Session) {
        unlock(client).await;
    }
}

/// A transaction in which the lease is ours.
pub(super) struct Begun {
    /// Its id.
    pub(super) transaction: String,
    /// Whether [`journal::prepare`] has been done in the session.
    pub(super) prepared: bool,
}

/// The columns that say which of the server's processes this session's is, and whether it has the lease's lock.
fn own_lock() -> String {
    format!(
        "pg_catalog.pg_backend_pid(), EXISTS (
             SELECT FROM pg_catalog.pg_locks
             WHERE locktype = 'advisory' AND granted AND pid = pg_catalog.pg_backend_pid() AND objsubid = 1
               AND (classid::pg_catalog.int8 << 32) | objid::pg_catalog.int8 = {KEY})"
    )
}

/// Tells a row that was waited for in vain from other reasons.
fn busy(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> ExecuteError {
    move |error| match error.code() {
        Some(&SqlState::LOCK_NOT_AVAILABLE) => ExecuteError::LeaseBusy,
        _ => session::failed(doing)(error),
    }
}

async fn unlock(client: &Session) {
    // On a broken connection the server has given the lock up itself.
    let _ = client.query_one("SELECT pg_catalog.pg_advisory_unlock($1)", &[&KEY]).await;
}

/// A pooler that hands every transaction to another server process takes the lock away without saying so.
async fn check_lock(client: &Session, expected: i32) -> Result<(), ExecuteError> {
    let query = format!("SELECT {}", own_lock());
    let row = client.query_one(&query, &[]).await.map_err(session::failed("checking the lease's lock"))?;
    let (pid, locked): (i32, bool) = (session::get(&row, 0)?, session::get(&row, 1)?);
    if pid == expected && locked { Ok(()) } else { Err(ExecuteError::Pooled { expected, found: pid }) }
}

/// Locks the lease's row without holding the lease: what `promote` does to append beside a waiting executor.
pub(super) async fn beside(client: &Session) -> Result<i64, ExecuteError> {
    let row = client
        .query_one("SELECT epoch FROM cutover.lease FOR UPDATE", &[])
        .await
        .map_err(busy("locking the lease's row"))?;
    session::get(&row, 0)
}

/// A lock of whoever is about to write beside the executor. The lease's row is not kept for who has waited for it longest, and a step's transaction has
/// it to its end: this is how the executor knows that somebody waits, and lets them go first.
const WORD: i64 = KEY + 1;

/// A lock of the session that carries a release on over many databases, in the one that leads. Between the phases nobody holds that one's lease.
const MANY: i64 = KEY + 2;

/// Takes the lock over many databases, for as long as the session lasts. Gives the server process that has it, if one still has after `patience`.
pub(crate) async fn over_many(
    client: &Session,
    patience: Duration,
    doors: &Doors<'_>,
) -> Result<Option<i32>, ExecuteError> {
    // A pooler would keep the lock for whoever comes next.
    preflight::one_session(client).await?;
    // It idles as long as the others take. Before PostgreSQL 14 there is no such setting.
    let _ = client.batch_execute("SET idle_session_timeout = 0").await;
    let mut waited = Duration::ZERO;
    let pause = Duration::from_millis(100);
    loop {
        let query = "SELECT pg_catalog.pg_try_advisory_lock($1)";
        let taken = client.query_one(query, &[&MANY]).await;
        if session::get(&taken.map_err(session::failed("taking the lock over many databases"))?, 0)? {
            return Ok(None);
        }
        // Whoever had it may have gone between the two looks.
        let holder = fleet_holder(client).await?;
        if let Some(holder) = holder.filter(|_| waited >= patience) {
            return Ok(Some(holder.backend_pid));
        }
        interruptible(&doors.stop, doors.clock.sleep(pause)).await?;
        waited += pause;
    }
}

/// Whether this session still has that lock.
pub(crate) async fn is_over_many(client: &Session) -> bool {
    matches!(fleet_holder(client).await, Ok(Some(holder)) if holder.backend_pid == client.backend_pid())
}

/// Who carries a release on over many databases from this one, while it works on the others.
pub(super) async fn fleet_holder(client: &Session) -> Result<Option<Holder>, ExecuteError> {
    session_with(client, MANY).await
}

/// The session that has one of these locks, as far as the server knows it.
async fn session_with(client: &Session, key: i64) -> Result<Option<Holder>, ExecuteError> {
    let query = "SELECT l.pid, a.usename::pg_catalog.text, a.state FROM pg_catalog.pg_locks l
         LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
           AND (l.classid::pg_catalog.int8 << 32) | l.objid::pg_catalog.int8 = $1 LIMIT 1";
    let row = client.query_opt(query, &[&key]).await.map_err(session::failed("asking who holds the lease"))?;
    let holder = |row: Row| {
        let (role, state) = (session::get(&row, 1)?, session::get(&row, 2)?);
        Ok(Holder { host: None, pid: None, role, since: None, backend_pid: session::get(&row, 0)?, state })
    };
    row.map(holder).transpose()
}

/// Says that somebody is about to write beside the executor, until [`word_is_given`] or the end of the session.
pub(super) async fn word_is_coming(client: &Session) -> Result<(), ExecuteError> {
    let taken = client.query_one("SELECT pg_catalog.pg_advisory_lock_shared($1)", &[&WORD]).await;
    taken.map(|_| ()).map_err(session::failed("saying that a word is coming"))
}

/// It is written, or will not be.
pub(super) async fn word_is_given(client: &Session) {
    // On a broken connection the server has given the lock up itself.
    let _ = client.query_one("SELECT pg_catalog.pg_advisory_unlock_shared($1)", &[&WORD]).await;
}

/// An expression that says whether somebody is about to write.
pub(super) fn is_word_coming() -> String {
    format!("NOT pg_catalog.pg_try_advisory_xact_lock({WORD})")
}

/// Who holds the lease now, if anybody does.
pub(super) async fn holder(client: &Session) -> Result<Option<Holder>, ExecuteError> {
    let Some(mut holder) = session_with(client, KEY).await? else { return Ok(None) };
    if journal::is_there(client).await? {
        let query =
            "SELECT host, pid, role, pg_catalog.to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
             FROM cutover.lease WHERE backend_pid = $1";
        let row =
            client.query_opt(query, &[&holder.backend_pid]).await.map_err(session::failed("reading the lease"))?;
        if let Some(row) = row {
            holder.host = Some(session::get(&row, 0)?);
            holder.pid = Some(session::get(&row, 1)?);
            holder.role = Some(session::get(&row, 2)?);
            holder.since = Some(session::get(&row, 3)?);
        }
    }
    Ok(Some(holder))
}
