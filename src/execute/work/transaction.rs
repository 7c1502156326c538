//! Statements in one transaction: they, the step's history rows and its journal row commit together or not at all, so there is nothing to
//! settle after a crash.
//!
//! They are sent one behind the other, the end of the transaction behind the last, without waiting for an answer in between: the locks that
//! they take are held for the time that the server needs, however far away it is. When one fails, the transaction has failed, and the server
//! refuses whatever comes behind, the COMMIT included.

use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt as _;

use super::{Attempt, Fault};
use crate::execute::engine::{Engine, Written};
use crate::execute::error::ExecuteError;
use crate::plan::saved::{Statement, Step};

/// How the statements of a step are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Without waiting in between.
    Together,
    /// Each when the one before has succeeded.
    OneByOne,
}

impl Pace {
    fn of(step: &Step, statements: &[Statement]) -> Self {
        let mut texts = step.session.iter().chain(statements.iter().map(|statement| &statement.sql));
        if texts.any(|sql| is_waited_for(sql)) { Self::OneByOne } else { Self::Together }
    }
}

/// What gives a failed transaction up, or goes back to a savepoint, would let the statements behind it run. What changes the session's user, drops
/// what is prepared, or takes the client's next message for its rows, must be seen to have happened. Wherever these words stand: a string may be none.
pub(super) fn is_waited_for(sql: &str) -> bool {
    const WORDS: [&str; 9] = [
        "commit",
        "rollback",
        "abort",
        "transaction",
        "authorization",
        "session_authorization",
        "stdin",
        "deallocate",
        "discard",
    ];
    let mut words = sql.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    sql.contains('\0')
        || words.clone().next().is_some_and(|first| first.eq_ignore_ascii_case("end"))
        || words.any(|word| WORDS.iter().any(|waited| word.eq_ignore_ascii_case(waited)))
}

impl Engine<'_, '_> {
    pub(super) async fn run_in_transaction(
        &mut self,
        step: &Step,
        statements: &[Statement],
    ) -> Result<(), ExecuteError> {
        let (mut attempt, mut pace) = (Attempt::FIRST, Pace::of(step, statements));
        self.announce(step, attempt);
        loop {
            let fault = match self.try_once(step, statements, attempt, pace).await {
                Ok(written) => {
                    self.committed(written);
                    return Ok(());
                }
                Err(fault) => fault,
            };
            self.roll_back().await;
            if matches!(fault, Fault::OtherSession) && pace == Pace::Together {
                pace = Pace::OneByOne;
                continue;
            }
            attempt = self.after_fault(step, fault, attempt).await?;
            self.announce(step, attempt);
        }
    }

    async fn try_once(
        &mut self,
        step: &Step,
        statements: &[Statement],
        attempt: Attempt,
        pace: Pace,
    ) -> Result<Written, Fault> {
        let mut begun = self.begin_with(&self.limited(&attempt)).await?;
        match pace {
            Pace::Together => self.prepare_end(&mut begun).await?,
            // It may be gone by then.
            Pace::OneByOne => begun.prepared = false,
        }
        let ending = self.ending(&begun, &self.done(step, Duration::ZERO), &step.completes).await?;
        match pace {
            Pace::Together => {
                self.doors.passes("before commit");
                let settings = step.session.iter().map(|set| (None, set.as_str()));
                let texts =
                    statements.iter().enumerate().map(|(index, statement)| (Some(index), statement.sql.as_str()));
                let mut sent = Vec::with_capacity(statements.len());
                for (statement, sql) in settings.chain(texts) {
                    let answer = self.client.simple_query_raw(sql).await;
                    sent.push((statement, answer.map_err(|error| Fault::Sql { statement, error })?));
                }
                let answer = self.send(&ending).await?;
                for (statement, answered) in sent {
                    let all = async { pin!(answered).try_for_each(|_| async { Ok(()) }).await };
                    self.cancellable(statement, all).await?;
                }
                self.wait_for_end(step, ending, answer).await
            }
            Pace::OneByOne => {
                self.set(step).await?;
                for (index, statement) in statements.iter().enumerate() {
                    self.statement(index, &statement.sql).await?;
                    self.doors.passes("after a statement");
                }
                self.settle().await?;
                self.doors.passes("before commit");
                let answer = self.send(&ending).await?;
                self.wait_for_end(step, ending, answer).await
            }
        }
    }

    /// Asks deferred checks and triggers, which belong to the step's own user, and gives that one up.
    pub(super) async fn settle(&self) -> Result<(), Fault> {
        let deferred = self.client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await;
        deferred.map_err(|error| Fault::Sql { statement: None, error })?;
        Ok(self.setup.restore_user(self.client).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_run_behind_a_failure_is_waited_for() {
        let check = |sql: &str, expected: bool| assert_eq!(is_waited_for(sql), expected, "{sql}");
        check("ALTER TABLE t ADD COLUMN committed_at date", false);
        check("DO $$ BEGIN UPDATE t SET a = CASE WHEN b THEN 1 END; END $$", false);
        check("Rollback", true);
        check("-- end\nSELECT 1", true);
        check("COPY t FROM STDIN", true);
        check("SELECT set_config('session_authorization', 'a', true)", true);
    }
}
