//! A query that must say yes before anything else runs: asked once, or until it does and at most for a time. It changes nothing, so a crash
//! leaves nothing to settle.

use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

use super::Fault;
use crate::execute::engine::{Engine, Written};
use crate::execute::error::{ExecuteError, StepFailure};
use crate::execute::event::Event;
use crate::execute::session::{failed, timeouts};
use crate::execute::shift::Poll;
use crate::execute::stop::interruptible;
use crate::plan::saved::{Statement, Step};

/// What the query said.
enum Said {
    Yes(Written),
    No(String),
}

impl Engine<'_, '_> {
    pub(super) async fn run_check(
        &mut self,
        step: &Step,
        query: &Statement,
        within: Duration,
    ) -> Result<(), ExecuteError> {
        let tries = self.options.lock_retries + 1;
        let mut poll = Poll::new(within);
        let mut attempt = 1;
        loop {
            self.announce(step, attempt);
            self.begin().await?;
            let said = match self.ask(step, query).await {
                Ok(Said::Yes(written)) => return self.end(Ok(written)).await,
                Ok(Said::No(said)) => Ok(said),
                Err(fault) => Err(fault),
            };
            self.roll_back().await;
            match said {
                Err(fault) => {
                    self.after_fault(step, fault, attempt, tries).await?;
                    attempt += 1;
                }
                Ok(said) => {
                    let Some(pause) = poll.next(Duration::ZERO) else {
                        return Err(self.no(step, query, &said, within));
                    };
                    let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                    let what = format!("step {} ({}): the query said {said}", step.id, step.object);
                    (self.doors.events)(&Event::Waiting { what, pause_ms });
                    interruptible(&self.doors.stop, self.doors.clock.sleep(pause)).await?;
                }
            }
        }
    }

    async fn ask(&mut self, step: &Step, query: &Statement) -> Result<Said, Fault> {
        let started = Instant::now();
        let timeouts = timeouts("SET LOCAL", self.options.lock_timeout, self.options.statement_timeout);
        self.client.batch_execute(&timeouts).await.map_err(failed("setting the timeouts"))?;
        self.lease.check(self.client).await?;
        for set in &step.session {
            self.client.batch_execute(set).await.map_err(|error| Fault::Sql { statement: None, error })?;
        }
        let answer = self.cancellable(0, self.client.simple_query(&query.sql)).await?;
        (self.doors.boundary)("after a statement");
        let rows: Vec<_> = answer
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some((row.len(), row.get(0).map(str::to_owned))),
                _ => None,
            })
            .collect();
        self.session.restore(self.client).await?;
        match rows.as_slice() {
            [(1, Some(yes))] if yes == "t" => {
                for version in &step.completes {
                    self.record_history(version).await?;
                }
                let records = self.success(step, started).await?;
                Ok(Said::Yes(self.write(&records).await?))
            }
            [(1, Some(no))] if no == "f" => Ok(Said::No("no".to_owned())),
            [(1, None)] => Ok(Said::No("NULL, which is no".to_owned())),
            [(1, Some(_))] => Ok(Said::No("something that is neither true nor false".to_owned())),
            [(columns, _)] => Ok(Said::No(format!("{columns} columns instead of one boolean"))),
            rows => Ok(Said::No(format!("{} rows instead of one", rows.len()))),
        }
    }

    fn no(&self, step: &Step, query: &Statement, said: &str, within: Duration) -> ExecuteError {
        let waited = if within.is_zero() { String::new() } else { format!(" for {within:?}") };
        ExecuteError::Step(Box::new(StepFailure {
            step: step.id,
            what: format!("{}, {}", step.object, step.action),
            place: query.origin.as_ref().map(|at| format!("{}:{}:{}", at.path, at.line, at.column)),
            message: format!("the query said {said}{waited}; nothing behind this step has run"),
            detail: None,
            hint: None,
            blockers: Vec::new(),
        }))
    }
}
