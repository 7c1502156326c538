//! A query that must say yes before anything else runs: asked once, or until it does and at most for a time. It changes nothing, so a crash
//! leaves nothing to settle.

use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

use super::{Attempt, Fault, place};
use crate::execute::engine::Engine;
use crate::execute::error::{ExecuteError, StepFailure};
use crate::execute::session::failed;
use crate::execute::shift::Poll;
use crate::plan::saved::{Step, StepStatement};

impl Engine<'_, '_> {
    pub(super) async fn run_check(
        &mut self,
        step: &Step,
        query: &StepStatement,
        within: Duration,
    ) -> Result<(), ExecuteError> {
        let started = Instant::now();
        let mut poll = Poll::new(within);
        let mut attempt = Attempt::FIRST;
        self.announce(step, attempt);
        loop {
            let said = self.ask(step, query, attempt).await;
            // It may only look, and keeps no lock while the answer is journaled.
            self.roll_back().await;
            let said = match said {
                Ok(None) => return self.succeed(step, started, attempt.number).await,
                Ok(Some(said)) => said,
                Err(fault) => {
                    attempt = self.after_fault(step, fault, attempt).await?;
                    continue;
                }
            };
            attempt = Attempt::FIRST;
            let Some(pause) = poll.next(Duration::ZERO) else { return Err(no(step, query, &said, within)) };
            self.pause(format!("step {} ({}): the query said {said}", step.id, step.object), pause).await?;
        }
    }

    /// What it said if that was no yes.
    async fn ask(&mut self, step: &Step, query: &StepStatement, attempt: Attempt) -> Result<Option<String>, Fault> {
        // Without the lease's row: whoever writes beside this need not wait until it is answered.
        let begins = format!("BEGIN READ ONLY; {}", self.limited(&attempt));
        self.client.batch_execute(&begins).await.map_err(failed("beginning a transaction"))?;
        self.set(step).await?;
        let answer = self.cancellable(Some(0), self.client.simple_query(&query.sql)).await?;
        self.doors.passes("after a statement");
        let rows: Vec<_> = answer
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some((row.len(), row.get(0).map(str::to_owned))),
                _ => None,
            })
            .collect();
        Ok(match rows.as_slice() {
            [(1, Some(yes))] if yes == "t" => None,
            [(1, Some(no))] if no == "f" => Some("no".to_owned()),
            [(1, None)] => Some("NULL, which is no".to_owned()),
            [(1, Some(_))] => Some("something that is neither true nor false".to_owned()),
            [(columns, _)] => Some(format!("{columns} columns instead of one boolean")),
            rows => Some(format!("{} rows instead of one", rows.len())),
        })
    }
}

fn no(step: &Step, query: &StepStatement, said: &str, within: Duration) -> ExecuteError {
    let waited = if within.is_zero() { String::new() } else { format!(" for {within:?}") };
    ExecuteError::Step(Box::new(StepFailure {
        step: step.id,
        what: format!("{}, {}", step.object, step.action),
        place: place(query, 1),
        message: format!("the query said {said}{waited}; nothing behind this step has run"),
        detail: None,
        hint: None,
        blockers: Vec::new(),
    }))
}
