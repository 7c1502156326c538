//! The one connection: its settings, and that a step's settings do not outlive the step.

use std::time::Duration;

use crate::postgres::Session;
use tokio_postgres::Row;
use tokio_postgres::types::FromSqlOwned;

use super::error::ExecuteError;
use super::journal::Actor;
use super::options::Options;
use crate::plan::LOCKS_OUTLIVE;

/// How the session is called that looks on: it is none of blue's, whatever its role.
pub(super) const WATCHING: &str = "cutover (watching)";

/// How the connection is set up for the executor's own statements.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    /// Whom the connection logged in as.
    pub(super) user: String,
    restore: Vec<String>,
}

impl Setup {
    /// Sets the connection up.
    pub(super) async fn prepare(client: &Session) -> Result<Self, ExecuteError> {
        let mut restore: Vec<String> =
            ["RESET ROLE", "RESET ALL", "SET lock_timeout = '10s'"].map(str::to_owned).into();
        let wanted = [
            // A transaction of the executor's never waits for its client: one that does has lost it (stopped, or cut off from the network), and
            // its locks with it would block everybody.
            format!("SET idle_in_transaction_session_timeout = '{}s'", LOCKS_OUTLIVE.as_secs()),
            // Waiting for people is no reason to be thrown out (PostgreSQL 14).
            "SET idle_session_timeout = 0".to_owned(),
        ];
        restore.extend(take(client, wanted).await);
        restore.extend(notice_silence(client).await);
        let setup = Self { user: user(client).await?, restore };
        setup.restore(client).await?;
        Ok(setup)
    }

    /// Who this is, as far as the tool can know it.
    pub(super) fn actor(&self, options: &Options) -> Actor {
        Actor { host: options.host.clone(), pid: options.pid, role: self.user.clone() }
    }

    /// Undoes whatever a step did to role, search path and settings. Also works inside a transaction.
    pub(super) async fn restore(&self, client: &Session) -> Result<(), ExecuteError> {
        self.restore_user(client).await?;
        client.batch_execute(&self.restore.join("; ")).await.map_err(failed("resetting the session"))
    }

    /// Makes the session that of whoever logged in. Only where it is needed: on the embedded server it costs a superuser the privilege.
    pub(super) async fn restore_user(&self, client: &Session) -> Result<(), ExecuteError> {
        if user(client).await? != self.user {
            client.batch_execute("RESET SESSION AUTHORIZATION").await.map_err(failed("resetting the session"))?;
        }
        Ok(())
    }

    /// What undoes the rest, one command each.
    pub(super) fn commands(&self) -> impl Iterator<Item = &str> {
        self.restore.iter().map(String::as_str)
    }
}

/// Has the server end the session soon after its client has gone silent; the settings that it took. A network that drops everything closes no
/// socket: the server gives up on a client that acknowledges nothing. Not over a Unix socket.
pub(super) async fn notice_silence(client: &Session) -> Vec<String> {
    let wanted = [
        format!("SET tcp_user_timeout = '{}s'", LOCKS_OUTLIVE.as_secs()),
        "SET tcp_keepalives_idle = 5".to_owned(),
        "SET tcp_keepalives_interval = 2".to_owned(),
        "SET tcp_keepalives_count = 3".to_owned(),
        // So that it is noticed while a statement runs, and the lease is given up (PostgreSQL 14).
        "SET client_connection_check_interval = '2s'".to_owned(),
    ];
    take(client, wanted).await
}

/// Makes settings; those that the server knows.
async fn take(client: &Session, wanted: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut taken = Vec::new();
    for set in wanted {
        if client.batch_execute(&set).await.is_ok() {
            taken.push(set);
        }
    }
    taken
}

async fn user(client: &Session) -> Result<String, ExecuteError> {
    let query = "SELECT session_user::pg_catalog.text";
    let row = client.query_one(query, &[]).await.map_err(failed("asking for the session's role"))?;
    get(&row, 0)
}

/// `SET` or `SET LOCAL` of what holds for a step: the two timeouts (zero: for ever), and that the server refuses what row security would hide rows
/// from, since a backfill of half the rows reports nothing. PostgreSQL counts in milliseconds, and less than one is not for ever.
pub(super) fn limits(set: &str, lock: Duration, statement: Duration) -> String {
    let milliseconds = |time: Duration| time.as_nanos().div_ceil(1_000_000);
    let (lock, statement) = (milliseconds(lock), milliseconds(statement));
    format!("{set} lock_timeout = {lock}; {set} statement_timeout = {statement}; {set} row_security = off")
}

/// Makes a session one that looks on.
pub async fn begin_watching(client: &Session) -> Result<(), ExecuteError> {
    let named = client.batch_execute(&format!("SET application_name = '{WATCHING}'")).await;
    named.map_err(failed("naming the session that looks on"))?;
    notice_silence(client).await;
    Ok(())
}

/// By the server's clock, which all who carry a release on have in common.
pub(super) async fn server_time(client: &Session) -> Result<jiff::Timestamp, ExecuteError> {
    let query = "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::pg_catalog.int8";
    let row = client.query_one(query, &[]).await.map_err(failed("asking the server for the time"))?;
    Ok(jiff::Timestamp::from_millisecond(get(&row, 0)?).unwrap_or(jiff::Timestamp::MAX))
}

/// Says what was being done when the server refused.
pub(crate) fn failed(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> ExecuteError {
    move |source| ExecuteError::Database { doing, source: source.into() }
}

/// A column of a row.
pub(super) fn get<T: FromSqlOwned>(row: &Row, index: usize) -> Result<T, ExecuteError> {
    row.try_get(index).map_err(failed("reading an answer"))
}
