//! The end of a transaction that a step's statements ran in, as one message: deferred checks, the session as it was, the rows of the history,
//! the journal's row with the schema as it is now, COMMIT. A step's locks are held until then, so nothing of it waits for an answer; and a
//! message that fails anywhere does not reach its COMMIT.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::TryStreamExt as _;
use tokio_postgres::error::SqlState;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryStream};

use super::engine::{Engine, Written};
use super::error::ExecuteError;
use super::event::Event;
use super::journal::{self, JournalError, KnownThere, Record, StepRecord};
use super::lease::Begun;
use super::relations;
use super::session::failed;
use super::status::Status;
use super::stop::Level;
use crate::postgres::history::HistoryError;
use crate::postgres::server_message;
use crate::sql::literal;

/// A command of the message.
struct Part {
    sql: String,
    what: What,
}

/// What a command is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// Deferred checks and triggers, which belong to the step's own role, search path and errors.
    Deferred,
    /// That the transaction is the one that was begun, and the session's role the one that logged in.
    Look,
    Restore,
    History,
    Journal,
    Commit,
}

/// How a transaction is to end.
pub(super) struct Ending {
    parts: Vec<Part>,
    /// The status with its records, but for what only the server knows.
    status: Status,
}

/// Why it did not.
pub(super) enum Unended {
    /// A deferred check of the step's.
    Deferred(tokio_postgres::Error),
    /// Its statements ended the transaction themselves.
    OtherTransaction,
    /// Its statements left the session with another role, which only a command of its own gives up, or without what was prepared in it.
    OtherSession,
    /// Anything else.
    Engine(ExecuteError),
}

impl Engine<'_, '_> {
    /// Prepares what the end of a step's transaction will need, before there are locks to hold.
    pub(super) async fn prepare_end(&self, begun: &mut Begun) -> Result<(), ExecuteError> {
        if !begun.prepared {
            self.client.batch_execute(&journal::prepare()).await.map_err(failed("preparing the journal's row"))?;
            begun.prepared = true;
        }
        Ok(())
    }

    /// How the transaction at hand is to end: with these records, and with the history's rows for migrations that are complete then.
    pub(super) async fn ending(
        &self,
        begun: &Begun,
        records: &[Record],
        completes: &[String],
    ) -> Result<Ending, ExecuteError> {
        let (mut status, relations) = (self.status.clone(), relations::names(self.plan));
        let part = |what: What, sql: String| Part { sql, what };
        let mut parts = vec![
            part(What::Deferred, "SET CONSTRAINTS ALL IMMEDIATE".to_owned()),
            part(What::Look, look(&self.setup.user, &begun.transaction)),
        ];
        parts.extend(self.setup.commands().map(|command| part(What::Restore, command.to_owned())));
        for version in completes {
            parts.extend(self.history_rows(version).await?.into_iter().map(|row| part(What::History, row)));
        }
        for record in records {
            status = status.then(record)?;
            let known_there = match record {
                Record::Step { what: StepRecord::Succeeded { ms, .. }, .. } => {
                    Some(KnownThere { before: *ms, relations: &relations, prepared: begun.prepared })
                }
                _ => None,
            };
            if known_there.is_some() && begun.prepared {
                parts.push(part(What::Journal, "SET LOCAL plan_cache_mode = force_generic_plan".to_owned()));
            }
            let insert = journal::insert(&self.release, self.lease.epoch, record, known_there.as_ref())?;
            parts.push(part(What::Journal, insert));
        }
        parts.push(part(What::Commit, "COMMIT".to_owned()));
        Ok(Ending { parts, status })
    }

    /// Sends what ends the transaction, and does not wait.
    pub(super) async fn send(&self, ending: &Ending) -> Result<SimpleQueryStream, ExecuteError> {
        let message: Vec<&str> = ending.parts.iter().map(|part| part.sql.as_str()).collect();
        self.client.simple_query_raw(&message.join(";\n")).await.map_err(failed("ending a transaction"))
    }

    /// Waits for the answer to [`Self::send`]; `done` counts the commands. A connection lost in here leaves the outcome open; the journal tells it
    /// on resume.
    pub(super) async fn ended(
        &self,
        ending: Ending,
        answer: SimpleQueryStream,
        done: &AtomicUsize,
    ) -> Result<Written, Unended> {
        let mut rows = Vec::new();
        let mut answer = pin!(answer);
        let at = || ending.parts.get(done.load(Ordering::Relaxed)).map(|part| part.what);
        loop {
            match answer.try_next().await {
                Ok(Some(SimpleQueryMessage::CommandComplete(_))) => {
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Some(SimpleQueryMessage::Row(row))) if at() == Some(What::Journal) => {
                    rows.push(journal::inserted(&row).map_err(|error| Unended::Engine(error.into()))?);
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return Err(self.refused(at(), error)),
            }
        }
        let mut status = self.status.clone();
        for (_, record) in &rows {
            status = status.then(record).map_err(|error| Unended::Engine(error.into()))?;
        }
        debug_assert_eq!(status.stage, ending.status.stage, "the records are those that were planned");
        Ok(Written { status, rows })
    }

    fn refused(&self, what: Option<What>, error: tokio_postgres::Error) -> Unended {
        if error.code() == Some(&SqlState::QUERY_CANCELED) && self.doors.stop.level() > Level::Run {
            return Unended::Engine(ExecuteError::Interrupted);
        }
        let doing = match what {
            Some(What::Deferred) if error.as_db_error().is_some() => return Unended::Deferred(error),
            Some(What::Look) if server_message(&error).contains(OTHER_USER) => return Unended::OtherSession,
            Some(What::Look) if server_message(&error).contains(OTHER_TRANSACTION) => return Unended::OtherTransaction,
            Some(What::History) => {
                let convention = self.plan.migrations.convention;
                return Unended::Engine(HistoryError::Database { convention, source: error.into() }.into());
            }
            Some(What::Restore) => "resetting the session",
            Some(What::Journal) if error.code() == Some(&SqlState::INVALID_SQL_STATEMENT_NAME) => {
                return Unended::OtherSession;
            }
            Some(What::Journal) => return Unended::Engine(JournalError::from(error).into()),
            Some(What::Deferred | What::Look | What::Commit) | None => "committing",
        };
        Unended::Engine(failed(doing)(error))
    }

    /// Takes over what is committed.
    pub(super) fn committed(&mut self, written: Written) {
        self.doors.passes("after commit");
        self.status = written.status;
        for (seq, record) in written.rows {
            (self.doors.events)(&Event::Journaled { release: self.release.clone(), seq, record });
        }
    }
}

/// Fails, and says why, if the session is not what it was.
fn look(user: &str, transaction: &str) -> String {
    format!(
        "SELECT CASE WHEN session_user <> {} THEN pg_catalog.concat({}, session_user)::pg_catalog.int4
             WHEN pg_catalog.pg_current_xact_id()::pg_catalog.text <> {} THEN pg_catalog.concat({}, session_user)::pg_catalog.int4 END",
        literal(user),
        literal(OTHER_USER),
        literal(transaction),
        literal(OTHER_TRANSACTION),
    )
}

const OTHER_USER: &str = "the session has another user: ";
const OTHER_TRANSACTION: &str = "the transaction is another one of ";
