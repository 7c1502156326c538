//! A step outside a transaction: `step_started` is committed first, and after a crash the catalog says whether the statement happened.

use std::time::{Duration, Instant};

use super::detect::{self, Found};
use super::{Attempt, Fault, failure};
use crate::execute::engine::Engine;
use crate::execute::error::ExecuteError;
use crate::execute::event::Event;
use crate::execute::session::{failed, limits};
use crate::plan::saved::{Step, StepStatement};
use crate::sql::recognise::Alone;

impl Engine<'_, '_> {
    pub(super) async fn run_alone(&mut self, step: &Step, statement: &StepStatement) -> Result<(), ExecuteError> {
        let kind = Alone::of(&statement.sql);
        let mut in_doubt = self.status.in_doubt() == Some(step.id);
        if in_doubt {
            // What was there before it was begun says nothing of it.
            in_doubt = !self.status.was_already(step.id);
        } else {
            let already = self.is_there_already(step, &kind).await?;
            self.announce_begun(step, already).await?;
        }
        let mut attempt = Attempt::FIRST;
        loop {
            let started = Instant::now();
            self.announce(step, attempt);
            let in_doubt = in_doubt || (attempt.number > 1 && !self.status.was_already(step.id));
            let tried = self.try_alone(step, &statement.sql, &kind, in_doubt, attempt).await;
            let restored = self.setup.restore(self.client).await;
            let fault = match tried {
                Ok(()) => {
                    restored?;
                    self.doors.passes("after a statement");
                    return self.succeed(step, started, attempt.number).await;
                }
                Err(fault) => fault,
            };
            if let (Alone::MayCommit, Fault::Sql { error, .. }) = (&kind, &fault) {
                let message = format!(
                    "{}; it may have committed part of its work",
                    failure(step, None, error, Vec::new()).message
                );
                return Err(ExecuteError::Stuck { step: step.id, message });
            }
            attempt = match self.after_fault(step, fault, attempt).await {
                Err(error @ ExecuteError::Step(_)) => {
                    // An invalid index costs every write until it is gone. If this fails, the next try does it.
                    self.clear_up(step, &kind).await;
                    return Err(error);
                }
                Err(error @ ExecuteError::Interrupted) => {
                    self.tell_leftovers(step, &kind).await;
                    return Err(error);
                }
                next => next?,
            };
        }
    }

    /// Whether the catalog says before the step begins what it is to say afterwards: then it says nothing.
    async fn is_there_already(&mut self, step: &Step, kind: &Alone) -> Result<bool, ExecuteError> {
        // A setting that the server refuses is told when the step runs.
        let found = match self.set(step).await {
            Ok(()) => detect::look(self.client, kind, true).await,
            Err(_) => Ok(Found::NotDone { repairs: Vec::new() }),
        };
        self.setup.restore(self.client).await?;
        Ok(found? == Found::Done)
    }

    async fn try_alone(
        &mut self,
        step: &Step,
        sql: &str,
        kind: &Alone,
        in_doubt: bool,
        attempt: Attempt,
    ) -> Result<(), Fault> {
        let limit = self.limits().lock_timeout();
        let lock = if kind.waits_on_its_own() { Duration::ZERO } else { attempt.lock_timeout(limit) };
        let limits = limits("SET", lock, Duration::ZERO);
        self.client.batch_execute(&limits).await.map_err(failed("setting the timeouts"))?;
        self.set(step).await?;
        match detect::look(self.client, kind, in_doubt).await? {
            Found::Done => Ok(()),
            Found::Finish { sql } => self.repair(step.id, &sql).await,
            Found::Unknown { why } => Err(ExecuteError::Stuck { step: step.id, message: why }.into()),
            Found::NotDone { repairs } => {
                for repair in repairs {
                    self.repair(step.id, &repair).await?;
                }
                self.statement(0, sql).await
            }
        }
    }

    async fn repair(&mut self, step: u32, sql: &str) -> Result<(), Fault> {
        self.statement(0, sql).await?;
        (self.doors.events)(&Event::Repaired { step, sql: sql.to_owned() });
        Ok(())
    }

    /// What a statement left, by the catalog and with the step's settings, which stay in force. One that the server refuses is told when the step runs.
    async fn leftovers(&mut self, step: &Step, kind: &Alone) -> Option<Found> {
        for set in &step.session {
            let _ = self.client.batch_execute(set).await;
        }
        detect::look(self.client, kind, true).await.ok()
    }

    /// Says what a cancelled statement left: whoever interrupts does not wait until it is cleared up.
    async fn tell_leftovers(&mut self, step: &Step, kind: &Alone) {
        let found = self.leftovers(step, kind).await;
        let _ = self.setup.restore(self.client).await;
        let told = match found {
            Some(Found::NotDone { repairs }) if !repairs.is_empty() => repairs.join("; "),
            Some(Found::Finish { sql }) => sql,
            _ => return,
        };
        let what = format!(
            "step {} left something half done, which costs every write until it is gone; `cutover resume` clears it up: {told}",
            step.id
        );
        (self.doors.events)(&Event::Warning { what });
    }

    /// Takes away what a statement that failed, or that is left out, has left half done: it would cost every write until it is gone.
    pub(in crate::execute) async fn clear_up(&mut self, step: &Step, kind: &Alone) {
        if let Some(Found::NotDone { repairs }) = self.leftovers(step, kind).await {
            for repair in repairs {
                let _ = self.repair(step.id, &repair).await;
            }
        }
        let _ = self.setup.restore(self.client).await;
    }
}
