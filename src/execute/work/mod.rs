//! The steps: one file a kind of work, which says how it runs and what is settled after a crash. Here is what all of them share: how a
//! statement is cancelled, what is worth another try, and what is said of a failure.

mod alone;
mod backfill;
mod check;
mod detect;
mod ending;
mod throttle;
mod transaction;

use std::time::{Duration, Instant};

use tokio_postgres::error::{ErrorPosition, SqlState};

use super::engine::Engine;
use super::error::{ExecuteError, StepFailure};
use super::event::Event;
use super::journal::{Record, Relations, ReleaseRecord, StepRecord};
use super::session::{failed, limits};
use super::stop::StopLevel;
use super::terminate::Terminator;
use super::{blockers, relations};
use crate::plan::saved::{Step, StepStatement, Work};
use crate::postgres::server_message;
use crate::sql::recognise::Alone;

/// A try of a step.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    /// From 1.
    number: u32,
    /// How long it must wait for its locks at least: a server process that gives way does so after a time of its own.
    least: Duration,
}

/// How long the first try of a step waits for its locks. Whoever waits for ACCESS EXCLUSIVE makes everybody behind it wait.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// How long a step waits for a worker of the server's to give way, whatever the operator's limit.
const MOST_FOR_WORKERS: Duration = Duration::from_secs(2);

impl Attempt {
    const FIRST: Self = Self { number: 1, least: Duration::ZERO };

    /// The one after it, if a fault left one.
    const fn next(self, least: Duration) -> Self {
        Self { number: self.number + 1, least }
    }

    /// How long it waits for a lock: each try twice as long as the one before, up to the operator's limit.
    fn lock_timeout(&self, limit: Duration) -> Duration {
        let doubled = FIRST_WAIT.saturating_mul(1 << (self.number - 1).min(16));
        doubled.min(limit).max(self.least).max(Duration::from_millis(1))
    }
}

/// Why one try did not work.
enum Fault {
    /// The server refused one of the step's statements.
    Sql {
        /// Which; `None` for a check at the end of the transaction.
        statement: Option<usize>,
        /// What it said.
        error: tokio_postgres::Error,
    },
    /// The step's statements left the session with another user, or without what was prepared in it.
    OtherSession,
    /// Anything else.
    Engine(ExecuteError),
}

impl Fault {
    /// What it comes to where there is no other try.
    fn error(self, step: &Step) -> ExecuteError {
        match self {
            Self::Engine(error) => error,
            Self::Sql { error, .. } => failed("running a step")(error),
            Self::OtherSession => {
                let message = "its SQL leaves the session with another user, or without its prepared statements";
                ExecuteError::Stuck { step: step.id, message: message.into() }
            }
        }
    }
}

impl From<ExecuteError> for Fault {
    fn from(error: ExecuteError) -> Self {
        Self::Engine(error)
    }
}

impl Engine<'_, '_> {
    /// Runs a step to its end.
    pub(super) async fn run_step(&mut self, step: &Step) -> Result<(), ExecuteError> {
        self.begin_to_terminate(step);
        let ran = match &step.work {
            Work::Transaction { statements } => self.run_in_transaction(step, statements).await,
            Work::Alone { statement } => self.run_alone(step, statement).await,
            Work::Backfill(backfill) => self.run_backfill(step, backfill).await,
            Work::Check { query, within } => self.run_check(step, query, *within).await,
        };
        let told = match self.aside.terminator.take() {
            Some(terminator) => {
                let said = terminator.stop().await;
                self.tell_terminated(said).await
            }
            None => Ok(()),
        };
        ran.and(told)
    }

    /// Begins to end sessions that keep a step waiting, if the release wants that and there can be a second session.
    fn begin_to_terminate(&mut self, step: &Step) {
        let (Some(wanted), Some(beside)) = (&self.plan.release.terminate_blockers, self.doors.beside) else { return };
        self.aside.terminator = Some(Terminator::begin(wanted.clone(), self.client.backend_pid(), step.id, beside()));
    }

    /// Journals which sessions were ended, outside a transaction, and says why others were not.
    async fn tell_terminated(&mut self, (ended, problems): (Vec<Record>, Vec<String>)) -> Result<(), ExecuteError> {
        for what in problems {
            (self.doors.events)(&Event::Warning { what });
        }
        // Anything sent now would wait behind the statement that is being abandoned.
        if ended.is_empty() || self.doors.stop.level() == StopLevel::Abort {
            return Ok(());
        }
        self.append(&ended).await
    }

    fn announce(&mut self, step: &Step, attempt: Attempt) {
        (self.doors.events)(&Event::StepRunning {
            step: step.id,
            of: self.plan.steps.len(),
            direction: step.direction,
            object: step.object.clone(),
            action: step.action.clone(),
            sql: step.statements().iter().map(|statement| statement.sql.clone()).collect(),
            attempt: attempt.number,
        });
    }

    /// Settings of what holds for a try of a step, in the transaction at hand.
    fn limited(&self, attempt: &Attempt) -> String {
        let lock = attempt.lock_timeout(self.limits().lock_timeout());
        limits("SET LOCAL", lock, self.limits().statement_timeout())
    }

    /// Makes the step's own settings.
    async fn set(&self, step: &Step) -> Result<(), Fault> {
        for set in &step.session {
            self.client.batch_execute(set).await.map_err(|error| Fault::Sql { statement: None, error })?;
        }
        Ok(())
    }

    /// The records of a step that is done, and took so long before the transaction at hand, and so many tries.
    fn done(&self, step: &Step, before: Duration, tries: u32) -> Vec<Record> {
        let ms = u64::try_from(before.as_millis()).unwrap_or(u64::MAX);
        let succeeded = StepRecord::Succeeded { ms, tries, relations: Relations::new() };
        std::iter::once(Record::Step { step: step.id, what: succeeded }).chain(self.no_return(step)).collect()
    }

    /// The record that blue cannot come back from here on, if the step makes it so and none did before. It may stand behind one that did and was left out.
    pub(in crate::execute) fn no_return(&self, step: &Step) -> Option<Record> {
        let is_behind = |point: &Step| point.point_of_no_return && point.id <= step.id;
        let first = self.status.past_no_return.is_none() && self.plan.steps.iter().any(is_behind);
        let floor = || self.plan.migrations.green().map(str::to_owned);
        first.then(|| ReleaseRecord::PointOfNoReturn { step: step.id, floor: floor() }.into())
    }

    /// Journals a step that is done, with the history rows that it completes, in a transaction of its own. Such a step may take hours, and what
    /// somebody else did to the schema meanwhile must not be taken for its work.
    async fn succeed(&mut self, step: &Step, started: Instant, tries: u32) -> Result<(), ExecuteError> {
        let knows_its_work = match &step.work {
            Work::Alone { statement } => !matches!(Alone::of(&statement.sql), Alone::MayCommit | Alone::Other),
            Work::Transaction { .. } | Work::Backfill(_) | Work::Check { .. } => true,
        };
        let mut begun = self.begin().await?;
        let done = async {
            if knows_its_work {
                relations::unchanged(self.client, self.plan, &self.status).await?;
            }
            self.prepare_end(&mut begun).await?;
            let ending = self.ending(&begun, &self.done(step, started.elapsed(), tries), &step.completes).await?;
            self.end_step(step, ending).await
        };
        match done.await {
            Ok(written) => {
                self.committed(written);
                Ok(())
            }
            Err(fault) => {
                self.roll_back().await;
                Err(fault.error(step))
            }
        }
    }

    /// What a step of several transactions writes before the first of them: what cannot be undone by dying is irrevocable once it is begun.
    /// `already`: what will tell whether it happened says so now.
    async fn announce_begun(&mut self, step: &Step, already: bool) -> Result<(), ExecuteError> {
        let begun = Record::Step { step: step.id, what: StepRecord::Started { already } };
        let records: Vec<Record> = std::iter::once(begun).chain(self.no_return(step)).collect();
        self.append(&records).await
    }

    /// Runs a statement so that it can be cancelled. The simple query protocol keeps the error's position.
    async fn statement(&self, index: usize, sql: &str) -> Result<(), Fault> {
        self.cancellable(Some(index), self.client.batch_execute(sql)).await
    }

    /// Waits for the server's answer to a statement, or cancels it when the operator asks for that.
    async fn cancellable<T>(
        &self,
        statement: Option<usize>,
        query: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Fault> {
        // A cancel may hit the statement behind the one that it was sent for.
        let refused = |error: tokio_postgres::Error| match error.code() {
            Some(&SqlState::QUERY_CANCELED) if self.doors.stop.level() > StopLevel::Run => {
                ExecuteError::Interrupted.into()
            }
            _ => Fault::Sql { statement, error },
        };
        tokio::pin!(query);
        tokio::select! {
            biased;
            done = &mut query => return done.map_err(refused),
            () = self.doors.stop.asked(StopLevel::Graceful) => {}
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
            () = self.doors.stop.asked(StopLevel::Abort) => return Err(ExecuteError::Aborted.into()),
        };
        done.map_err(refused)
    }

    /// Pauses if the fault is worth another try, and fails otherwise.
    async fn after_fault(&mut self, step: &Step, fault: Fault, attempt: Attempt) -> Result<Attempt, ExecuteError> {
        let tries = self.limits().lock_retries() + 1;
        let (statement, error) = match fault {
            Fault::Sql { statement, error } => (statement, error),
            other => return Err(other.error(step)),
        };
        let mut blockers = Vec::new();
        if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
            let all: Vec<&str> = step.statements().iter().map(|statement| statement.sql.as_str()).collect();
            blockers = blockers::find(self.client, &all).await;
        }
        let mut least = Duration::ZERO;
        // A worker gives way to whoever has waited for so long, unless it prevents wraparound.
        if !blockers.is_empty() && blockers.iter().all(blockers::Blocker::gives_way) {
            let longer = blockers::deadlock_timeout(self.client).await + Duration::from_millis(200);
            // Everybody waits behind it: not for a server whose patience is out of the ordinary.
            least = longer.min(self.limits().lock_timeout().max(MOST_FOR_WORKERS));
        }
        if self.client.is_closed() || error.as_db_error().is_none() {
            return Err(ExecuteError::Database { doing: "running a step", source: error.into() });
        }
        if attempt.number >= tries || !is_worth_another_try(&error) {
            return Err(ExecuteError::Step(Box::new(failure(step, statement, &error, blockers))));
        }
        if let Some(said) = self.aside.terminator.as_ref().map(Terminator::said) {
            self.tell_terminated(said).await?;
        }
        let pause = backoff(attempt.number, self.options.pid);
        (self.doors.events)(&Event::LockRetry {
            step: step.id,
            attempt: attempt.number,
            of: tries,
            message: server_message(&error),
            pause_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            blockers,
        });
        self.sleep_listening(pause).await?;
        Ok(attempt.next(least))
    }
}

fn ended_itself(step: &Step) -> ExecuteError {
    let message =
        "its SQL ended the transaction (COMMIT or ROLLBACK in a migration), so part of it may have been committed";
    ExecuteError::Stuck { step: step.id, message: message.into() }
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
fn failure(
    step: &Step,
    statement: Option<usize>,
    error: &tokio_postgres::Error,
    blockers: Vec<blockers::Blocker>,
) -> StepFailure {
    let statement = statement.and_then(|index| step.statements().get(index)).or_else(|| step.statements().first());
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
fn place(statement: &StepStatement, position: u32) -> Option<String> {
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
        let statement = StepStatement { sql: "ALTER\n TABLE é x".into(), origin: Some(origin) };
        assert_eq!(place(&statement, 1).unwrap(), "V1__a.sql:3:5");
        assert_eq!(place(&statement, 3).unwrap(), "V1__a.sql:3:7");
        assert_eq!(place(&statement, 8).unwrap(), "V1__a.sql:4:2");
        assert_eq!(place(&statement, 16).unwrap(), "V1__a.sql:4:10");
    }

    #[test]
    fn waits_for_locks_grow_up_to_the_limit() {
        let check = |number: u32, least: u64, limit: u64, expected: u64| {
            let attempt = Attempt { number, least: Duration::from_millis(least) };
            assert_eq!(attempt.lock_timeout(Duration::from_millis(limit)), Duration::from_millis(expected));
        };
        check(1, 0, 1000, 100);
        check(2, 0, 1000, 200);
        check(5, 0, 1000, 1000);
        check(40, 0, 5000, 5000);
        check(1, 0, 50, 50);
        check(1, 0, 0, 1);
        // Autovacuum gives way to whoever has waited longer than `deadlock_timeout`.
        check(2, 1200, 1000, 1200);
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
