//! Statements in one transaction: they, the step's history rows and its journal row commit together or not at all, so there is nothing to
//! settle after a crash.
//!
//! They are sent one behind the other, the end of the transaction behind the last, without waiting for an answer in between: the locks that
//! they take are held for the time that the server needs, however far away it is. When one fails, the transaction has failed, and the server
//! refuses whatever comes behind, the COMMIT included.

use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt as _;

use super::{Attempt, Fault, ended_itself};
use crate::execute::engine::{Engine, Written};
use crate::execute::error::ExecuteError;
use crate::execute::lease::Begun;
use crate::plan::saved::{Step, StepStatement};
use crate::postgres::{first_row, history};

/// How the statements of a step are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Without waiting in between.
    Together,
    /// Each when the one before has succeeded.
    OneByOne,
}

/// What gives a failed transaction up, or goes back to a savepoint, would let the statements behind it run. What changes the session's user, drops
/// what is prepared, or asks the client for rows or gives it some, must be seen to have happened. Wherever these words stand: a string may be none.
const WAITED_FOR: &[&str] = &[
    "commit",
    "rollback",
    "abort",
    "transaction",
    "authorization",
    "session_authorization",
    "stdin",
    "stdout",
    "deallocate",
    "discard",
    "standard_conforming_strings",
];

/// Whether a statement must have succeeded before anything is sent behind it.
pub(super) fn is_waited_for(sql: &str) -> bool {
    let text = sql.trim_start();
    let begins_with_end = text.get(..3).is_some_and(|first| first.eq_ignore_ascii_case("end"));
    let behind_a_comment = (text.starts_with("--") || text.starts_with("/*")) && mentions(sql, "end");
    // Where a backslash does not escape, such a string ends elsewhere.
    let ends_anywhere = sql.contains("\\'") || sql.contains('\0');
    begins_with_end || behind_a_comment || ends_anywhere || WAITED_FOR.iter().any(|word| mentions(sql, word))
}

fn mentions(sql: &str, word: &str) -> bool {
    sql.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found.eq_ignore_ascii_case(word))
}

impl Engine<'_, '_> {
    pub(super) async fn run_in_transaction(
        &mut self,
        step: &Step,
        statements: &[StepStatement],
    ) -> Result<(), ExecuteError> {
        let (mut attempt, mut pace) = (Attempt::FIRST, self.pace(step, statements).await?);
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

    async fn pace(&self, step: &Step, statements: &[StepStatement]) -> Result<Pace, ExecuteError> {
        let texts: Vec<&str> =
            step.session.iter().map(String::as_str).chain(statements.iter().map(|s| s.sql.as_str())).collect();
        if texts.iter().any(|sql| is_waited_for(sql)) {
            return Ok(Pace::OneByOne);
        }
        if !step.completes.is_empty() {
            // What the row looks like follows from the table, which the step may make, move or change itself.
            let table = history::table(self.client, history::place(&self.plan.migrations)).await?;
            let name = table.as_deref().map(history::bare);
            if name.is_none_or(|name| texts.iter().any(|sql| mentions(sql, name))) {
                return Ok(Pace::OneByOne);
            }
        }
        Ok(Pace::Together)
    }

    async fn try_once(
        &mut self,
        step: &Step,
        statements: &[StepStatement],
        attempt: Attempt,
        pace: Pace,
    ) -> Result<Written, Fault> {
        let mut begun = self.begin_with(&self.limited(&attempt)).await?;
        let done = self.done(step, Duration::ZERO, attempt.number);
        match pace {
            Pace::Together => {
                self.prepare_end(&mut begun).await?;
                let ending = self.ending(&begun, &done, &step.completes).await?;
                self.doors.passes("before the statements");
                let settings = step.session.iter().map(|set| (None, set.as_str()));
                let texts =
                    statements.iter().enumerate().map(|(index, statement)| (Some(index), statement.sql.as_str()));
                let mut sent = Vec::with_capacity(statements.len());
                for (statement, sql) in settings.chain(texts) {
                    let answer = self.client.simple_query_raw(sql).await;
                    sent.push((statement, answer.map_err(|error| Fault::Sql { statement, error })?));
                }
                let answer = self.send(&ending).await?;
                self.doors.passes("all is sent");
                for (statement, answered) in sent {
                    let all = async { pin!(answered).try_for_each(|_| async { Ok(()) }).await };
                    self.cancellable(statement, all).await?;
                    self.doors.passes("after a statement");
                }
                self.wait_for_end(step, ending, answer).await
            }
            Pace::OneByOne => {
                // It may be gone by then.
                begun.prepared = false;
                self.set(step).await?;
                for (index, statement) in statements.iter().enumerate() {
                    self.statement(index, &statement.sql).await?;
                    self.doors.passes("after a statement");
                }
                self.settle(step, &begun).await?;
                let ending = self.ending(&begun, &done, &step.completes).await?;
                self.end_step(step, ending).await
            }
        }
    }

    /// Asks deferred checks and triggers, which belong to the step's own user and settings, and undoes these.
    pub(super) async fn settle(&self, step: &Step, begun: &Begun) -> Result<(), Fault> {
        let query = "SET CONSTRAINTS ALL IMMEDIATE; SELECT pg_catalog.pg_current_xact_id()";
        let answer = self.client.simple_query(query).await;
        let answer = answer.map_err(|error| Fault::Sql { statement: None, error })?;
        if first_row(&answer).and_then(|row| row.get(0)) != Some(&begun.transaction) {
            return Err(ended_itself(step).into());
        }
        Ok(self.setup.restore(self.client).await?)
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
        check("/* at the */ END", true);
        check("-- to the end\nALTER TABLE t ADD COLUMN a int", true);
        check("SELECT E'it\\'s'", true);
        check("COPY t FROM STDIN", true);
        check("SELECT set_config('session_authorization', 'a', true)", true);
    }
}
