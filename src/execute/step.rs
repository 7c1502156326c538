//! A step in a transaction of its own: its statements, its history rows and its journal row commit together or not at all.

use std::time::{Duration, Instant};

use tokio_postgres::error::{ErrorPosition, SqlState};

use super::blockers;
use super::engine::{Engine, Written};
use super::error::{ExecuteError, StepFailure};
use super::event::Event;
use super::journal::Record;
use super::relations;
use super::session::{failed, get, timeouts};
use super::stop::{Level, interruptible};
use crate::plan::saved::{Statement, Step};
use crate::postgres::server_message;

/// Why one try did not work.
pub(super) enum Fault {
    /// The server refused one of the step's statements.
    Sql {
        /// Which; `None` for a check at the end of the transaction.
        statement: Option<usize>,
        /// What it said.
        error: tokio_postgres::Error,
    },
    /// Anything else.
    Engine(ExecuteError),
}

impl From<ExecuteError> for Fault {
    fn from(error: ExecuteError) -> Self {
        Self::Engine(error)
    }
}

impl Engine<'_, '_> {
    pub(super) async fn run_in_transaction(&mut self, step: &Step) -> Result<(), ExecuteError> {
        let tries = self.options.lock_retries + 1;
        for attempt in 1.. {
            self.announce(step, attempt);
            self.begin().await?;
            let tried = self.try_once(step).await;
            let fault = match tried {
                Ok(written) => return self.end(Ok(written)).await,
                Err(fault) => fault,
            };
            self.roll_back().await;
            self.after_fault(step, fault, attempt, tries).await?;
        }
        Ok(())
    }

    async fn try_once(&mut self, step: &Step) -> Result<Written, Fault> {
        let started = Instant::now();
        let timeouts = timeouts("SET LOCAL", self.options.lock_timeout, self.options.statement_timeout);
        self.client.batch_execute(&timeouts).await.map_err(failed("setting the timeouts"))?;
        self.lease.check(self.client).await?;
        let transaction = self.transaction_id().await?;
        for set in &step.session {
            self.client.batch_execute(set).await.map_err(|error| Fault::Sql { statement: None, error })?;
        }
        for (index, statement) in step.statements.iter().enumerate() {
            self.statement(index, &statement.sql).await?;
            (self.doors.boundary)("after a statement");
        }
        // Deferred checks and triggers belong to the step's own role, search path and errors.
        let deferred = self.client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await;
        deferred.map_err(|error| Fault::Sql { statement: None, error })?;
        self.session.restore(self.client).await?;
        if self.transaction_id().await? != transaction {
            let message = "its SQL ended the transaction (COMMIT or ROLLBACK in a migration), so part of it may have been committed";
            return Err(ExecuteError::Stuck { step: step.id, message: message.into() }.into());
        }
        for version in &step.completes {
            self.record_history(version).await?;
        }
        let records = self.success(step, started).await?;
        Ok(self.write(&records).await?)
    }

    async fn transaction_id(&self) -> Result<String, ExecuteError> {
        let query = "SELECT pg_catalog.pg_current_xact_id()::pg_catalog.text";
        let row = self.client.query_one(query, &[]).await.map_err(failed("asking for the transaction's id"))?;
        get(&row, 0)
    }

    pub(super) fn announce(&mut self, step: &Step, attempt: u32) {
        (self.doors.events)(&Event::StepRunning {
            step: step.id,
            of: self.plan.steps.len(),
            direction: step.direction,
            object: step.object.clone(),
            action: step.action.clone(),
            sql: step.statements.iter().map(|statement| statement.sql.clone()).collect(),
            attempt,
        });
    }

    /// The records of a step that worked.
    pub(super) async fn success(&self, step: &Step, started: Instant) -> Result<Vec<Record>, ExecuteError> {
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let relations = relations::hashes(self.client, self.plan).await?;
        let mut records = vec![Record::StepSucceeded { step: step.id, ms, relations }];
        if step.point_of_no_return && self.status.past_no_return.is_none() {
            records.push(Record::PointOfNoReturn { step: step.id });
        }
        Ok(records)
    }

    /// Runs a statement so that it can be cancelled. The simple query protocol keeps the error's position.
    pub(super) async fn statement(&self, index: usize, sql: &str) -> Result<(), Fault> {
        let refused = |error| Fault::Sql { statement: Some(index), error };
        let query = self.client.batch_execute(sql);
        tokio::pin!(query);
        tokio::select! {
            biased;
            done = &mut query => return done.map_err(refused),
            () = self.doors.stop.asked(Level::Graceful) => {}
        }
        let finished = async {
            if let Some(cancel) = self.doors.cancel {
                let ((), done) = tokio::join!(cancel(), &mut query);
                return done;
            }
            query.await
        };
        let done = tokio::select! {
            biased;
            done = finished => done,
            () = self.doors.stop.asked(Level::Abort) => return Err(ExecuteError::Aborted.into()),
        };
        match done {
            Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => Err(ExecuteError::Interrupted.into()),
            done => done.map_err(refused),
        }
    }

    /// Pauses if the fault is worth another try, and fails otherwise.
    pub(super) async fn after_fault(
        &mut self,
        step: &Step,
        fault: Fault,
        attempt: u32,
        tries: u32,
    ) -> Result<(), ExecuteError> {
        let (statement, error) = match fault {
            Fault::Engine(error) => return Err(error),
            Fault::Sql { statement, error } => (statement, error),
        };
        let mut blockers = Vec::new();
        if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
            let all: Vec<&str> = step.statements.iter().map(|statement| statement.sql.as_str()).collect();
            blockers = blockers::find(self.client, &all).await;
        }
        if self.client.is_closed() || error.as_db_error().is_none() {
            return Err(ExecuteError::Database { doing: "running a step", source: error });
        }
        if attempt >= tries || !is_worth_another_try(&error) {
            return Err(ExecuteError::Step(Box::new(failure(step, statement, &error, blockers))));
        }
        let pause = backoff(attempt, self.options.pid);
        (self.doors.events)(&Event::LockRetry {
            step: step.id,
            attempt,
            of: tries,
            message: server_message(&error),
            pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            blockers,
        });
        interruptible(&self.doors.stop, self.doors.clock.sleep(pause)).await
    }
}

fn is_worth_another_try(error: &tokio_postgres::Error) -> bool {
    let worth = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
    error.code().is_some_and(|code| worth.contains(code))
}

/// Doubles from 250 ms up to 30 s, less up to a quarter so that two who meet do not meet again.
fn backoff(attempt: u32, seed: u32) -> Duration {
    let full =
        Duration::from_millis(250).saturating_mul(1 << attempt.saturating_sub(1).min(7)).min(Duration::from_secs(30));
    let spread = (seed ^ attempt.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B) >> 24;
    full - full / 4 * spread / 255
}

/// What to tell about a step's failure.
pub(super) fn failure(
    step: &Step,
    statement: Option<usize>,
    error: &tokio_postgres::Error,
    blockers: Vec<blockers::Blocker>,
) -> StepFailure {
    let statement = statement.and_then(|index| step.statements.get(index)).or_else(|| step.statements.first());
    let db = error.as_db_error();
    let offset = match db.and_then(|db| db.position()) {
        Some(ErrorPosition::Original(position)) => *position,
        Some(ErrorPosition::Internal { .. }) | None => 1,
    };
    StepFailure {
        step: step.id,
        what: format!("{}, {}", step.object, step.action),
        place: statement.and_then(|statement| place(statement, offset)),
        message: server_message(error),
        detail: db.and_then(|db| db.detail()).map(str::to_owned),
        hint: db.and_then(|db| db.hint()).map(str::to_owned),
        blockers,
    }
}

/// Where the author wrote the character that the server counts from 1 in the statement.
fn place(statement: &Statement, position: u32) -> Option<String> {
    let origin = statement.origin.as_ref()?;
    let (mut line, mut column) = (origin.line, origin.column);
    for c in statement.sql.chars().take(usize::try_from(position.saturating_sub(1)).unwrap_or(0)) {
        if c == '\n' {
            (line, column) = (line + 1, 1);
        } else {
            column += 1;
        }
    }
    Some(format!("{}:{line}:{column}", origin.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::saved::Origin;

    #[test]
    fn places_count_from_the_statement() {
        let origin = Origin { version: "1".into(), path: "V1__a.sql".into(), line: 3, column: 5 };
        let statement = Statement { sql: "ALTER\n TABLE é x".into(), origin: Some(origin) };
        assert_eq!(place(&statement, 1).unwrap(), "V1__a.sql:3:5");
        assert_eq!(place(&statement, 3).unwrap(), "V1__a.sql:3:7");
        assert_eq!(place(&statement, 8).unwrap(), "V1__a.sql:4:2");
        assert_eq!(place(&statement, 16).unwrap(), "V1__a.sql:4:10");
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        for attempt in 1..40 {
            let pause = backoff(attempt, 4242);
            assert!(pause >= Duration::from_millis(187) && pause <= Duration::from_secs(30), "{attempt}: {pause:?}");
        }
        assert!(backoff(8, 1) > backoff(1, 1) * 8);
    }
}
