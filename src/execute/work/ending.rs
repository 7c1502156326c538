//! The end of a transaction that a step's statements ran in, as one message: deferred checks, the session as it was, the rows of the history,
//! the journal's row with the schema as it is now, COMMIT. A step's locks are held until then, so nothing of it waits for an answer; and a
//! message that fails anywhere does not reach its COMMIT.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::TryStreamExt as _;
use tokio_postgres::error::SqlState;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryStream};

use super::{Fault, ended_itself};
use crate::execute::engine::{Engine, Written};
use crate::execute::error::ExecuteError;
use crate::execute::journal::{self, JournalError, KnownThere, Record, StepRecord};
use crate::execute::lease::Begun;
use crate::execute::relations;
use crate::execute::session::failed;
use crate::execute::stop::StopLevel;
use crate::plan::saved::Step;
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
pub(super) struct Ending(Vec<Part>);

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
        Ok(Ending(parts))
    }

    /// Sends what ends the transaction, and does not wait.
    pub(super) async fn send(&self, ending: &Ending) -> Result<SimpleQueryStream, ExecuteError> {
        let message: Vec<&str> = ending.0.iter().map(|part| part.sql.as_str()).collect();
        self.client.simple_query_raw(&message.join(";\n")).await.map_err(failed("ending a transaction"))
    }

    /// Ends the transaction at hand.
    pub(super) async fn end_step(&mut self, step: &Step, ending: Ending) -> Result<Written, Fault> {
        self.doors.passes("before commit");
        let answer = self.send(&ending).await?;
        self.wait_for_end(step, ending, answer).await
    }

    /// Waits for the answer to [`Self::send`]. A connection lost in here leaves the outcome open; the journal tells it on resume.
    pub(super) async fn wait_for_end(
        &self,
        step: &Step,
        ending: Ending,
        answer: SimpleQueryStream,
    ) -> Result<Written, Fault> {
        let done = AtomicUsize::new(0);
        // Whoever asks to stop meanwhile stops what is deferred. What comes behind it is brief, and a COMMIT that waits for a standby would be
        // told as done.
        let after_stop = async {
            self.doors.stop.asked(StopLevel::Graceful).await;
            match self.doors.cancel {
                Some(cancel) if done.load(Ordering::Relaxed) == 0 => cancel().await,
                _ => {}
            }
            self.doors.stop.asked(StopLevel::Abort).await;
        };
        tokio::select! {
            biased;
            ended = self.ended(step, ending, answer, &done) => ended,
            () = after_stop => Err(ExecuteError::Aborted.into()),
        }
    }

    /// `done` counts the commands.
    async fn ended(
        &self,
        step: &Step,
        Ending(parts): Ending,
        answer: SimpleQueryStream,
        done: &AtomicUsize,
    ) -> Result<Written, Fault> {
        let (mut status, mut rows) = (self.status.clone(), Vec::new());
        let mut answer = pin!(answer);
        let at = || parts.get(done.load(Ordering::Relaxed)).map(|part| part.what);
        loop {
            match answer.try_next().await {
                Ok(Some(SimpleQueryMessage::CommandComplete(_))) => {
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Some(SimpleQueryMessage::Row(row))) if at() == Some(What::Journal) => {
                    let (seq, record) = journal::inserted(&row).map_err(ExecuteError::from)?;
                    status = status.then(&record).map_err(ExecuteError::from)?;
                    rows.push((seq, record));
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(Written { status, rows }),
                Err(error) => return Err(self.refused(step, at(), error)),
            }
        }
    }

    fn refused(&self, step: &Step, what: Option<What>, error: tokio_postgres::Error) -> Fault {
        if error.code() == Some(&SqlState::QUERY_CANCELED) && self.doors.stop.level() > StopLevel::Run {
            return ExecuteError::Interrupted.into();
        }
        let doing = match what {
            Some(What::Deferred) if error.as_db_error().is_some() => return Fault::Sql { statement: None, error },
            Some(What::Look) if server_message(&error).contains(OTHER_USER) => return Fault::OtherSession,
            Some(What::Look) if server_message(&error).contains(OTHER_TRANSACTION) => return ended_itself(step).into(),
            Some(What::History) => {
                let convention = self.plan.migrations.convention;
                return ExecuteError::from(HistoryError::Database { convention, source: error.into() }).into();
            }
            Some(What::Restore) => "resetting the session",
            Some(What::Journal) if error.code() == Some(&SqlState::INVALID_SQL_STATEMENT_NAME) => {
                return Fault::OtherSession;
            }
            Some(What::Journal) => return ExecuteError::from(JournalError::from(error)).into(),
            Some(What::Deferred | What::Look | What::Commit) | None => "committing",
        };
        failed(doing)(error).into()
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
