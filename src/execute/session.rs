//! The one connection: its settings, and that a step's settings do not outlive the step.

use std::time::Duration;

use crate::postgres::Session;
use tokio_postgres::Row;
use tokio_postgres::types::FromSqlOwned;

use super::error::ExecuteError;
use super::journal::Actor;
use super::options::Options;
use crate::plan::LOCKS_OUTLIVE;

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
        let silent = LOCKS_OUTLIVE.as_secs();
        let wanted = [
            // A transaction of the executor's never waits for its client: one that does has lost it (stopped, or cut off from the network), and
            // its locks with it would block everybody.
            format!("SET idle_in_transaction_session_timeout = '{silent}s'"),
            // A network that drops everything closes no socket: the server gives up on answers that nobody acknowledges. Not over a Unix socket.
            format!("SET tcp_user_timeout = '{silent}s'"),
            "SET tcp_keepalives_idle = 5".to_owned(),
            "SET tcp_keepalives_interval = 2".to_owned(),
            "SET tcp_keepalives_count = 3".to_owned(),
            // So that the server notices a dead client while a statement runs, and gives its lease up (PostgreSQL 14).
            "SET client_connection_check_interval = '2s'".to_owned(),
            // Waiting for people is no reason to be thrown out (PostgreSQL 14).
            "SET idle_session_timeout = 0".to_owned(),
        ];
        for set in wanted {
            if client.batch_execute(&set).await.is_ok() {
                restore.push(set);
            }
        }
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

/// Says what was being done when the server refused.
pub(super) fn failed(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> ExecuteError {
    move |source| ExecuteError::Database { doing, source: source.into() }
}

/// A column of a row.
pub(super) fn get<T: FromSqlOwned>(row: &Row, index: usize) -> Result<T, ExecuteError> {
    row.try_get(index).map_err(failed("reading an answer"))
}
