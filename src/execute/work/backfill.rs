//! A statement over the rows of a table, some rows at a time in the order of a key. Each time is a transaction of its own in which the
//! journal's cursor moves, so every row is done once whatever is killed: what is in doubt after a crash is answered by the cursor.

use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

use super::transaction::is_waited_for;
use super::{Attempt, Fault};
use crate::execute::engine::{Engine, Written};
use crate::execute::error::ExecuteError;
use crate::execute::journal::{Record, StepRecord};
use crate::execute::lease::Begun;
use crate::execute::shift::LISTEN;
use crate::execute::stop::StopLevel;
use crate::plan::saved::{Backfill, Step};
use crate::postgres::first_row;
use crate::sql::literal;

/// How long the rows of one time should take: as long as anybody who wants the same rows waits.
const TARGET: Duration = Duration::from_millis(250);
/// Never more rows at a time than this: what is journaled is what is not done again.
const MOST_ROWS: u32 = 100_000;

/// What one time came to.
enum Batch {
    /// Some rows are done, up to a key.
    Rows(Box<Written>),
    /// There are no rows behind the cursor.
    None,
}

impl Engine<'_, '_> {
    pub(super) async fn run_backfill(&mut self, step: &Step, backfill: &Backfill) -> Result<(), ExecuteError> {
        let started = Instant::now();
        if self.status.progress(step.id).is_none() && self.status.in_doubt() != Some(step.id) {
            self.announce_begun(step, false).await?;
        }
        let (mut rows, mut attempt) = (backfill.rows.clamp(1, MOST_ROWS), Attempt::FIRST);
        self.announce(step, attempt);
        // Rows that come later, or move there, are none of those that were there when it began.
        let last = format!("SELECT {key} AS k FROM {} ORDER BY {key} DESC LIMIT 1", backfill.table, key = backfill.key);
        let Some(until) = self.key(step, &last).await? else { return self.succeed(step, started).await };
        let mut listened = Instant::now();
        loop {
            if self.doors.stop.level() > StopLevel::Run {
                return Err(ExecuteError::Interrupted);
            }
            if listened.elapsed() >= LISTEN {
                self.goes_on().await?;
                listened = Instant::now();
            }
            let begun = Instant::now();
            match self.some_rows(step, backfill, rows, &until, attempt).await {
                Ok(Batch::Rows(written)) => {
                    self.committed(*written);
                    (rows, attempt) = (next_size(rows, begun.elapsed()), Attempt::FIRST);
                }
                Ok(Batch::None) => {
                    self.roll_back().await;
                    return self.succeed(step, started).await;
                }
                Err(fault) => {
                    self.roll_back().await;
                    attempt = self.after_fault(step, fault, attempt).await?;
                    // Fewer rows are fewer locks.
                    rows = (rows / 2).max(1);
                }
            }
        }
    }

    /// A key as text that means the same in every session.
    async fn key(&mut self, step: &Step, query: &str) -> Result<Option<String>, ExecuteError> {
        let mut attempt = Attempt::FIRST;
        loop {
            let found = self.key_within(step, query, attempt).await;
            self.roll_back().await;
            match found {
                Ok(key) => return Ok(key),
                Err(fault) => attempt = self.after_fault(step, fault, attempt).await?,
            }
        }
    }

    async fn key_within(&mut self, step: &Step, query: &str, attempt: Attempt) -> Result<Option<String>, Fault> {
        self.prepare(step, attempt).await?;
        self.last_key(query).await
    }

    /// A transaction with the timeouts, the lease and the step's settings.
    async fn prepare(&mut self, step: &Step, attempt: Attempt) -> Result<Begun, Fault> {
        let begun = self.begin_with(&self.limited(&attempt)).await?;
        self.set(step).await?;
        Ok(begun)
    }

    /// The last `k` of a query, in the order of its type. Dates, intervals and fractions are printed as no setting changes them; the
    /// settings are those of this query alone.
    async fn last_key(&self, query: &str) -> Result<Option<String>, Fault> {
        let sql = format!(
            "SAVEPOINT cutover_key; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL extra_float_digits = 1;
             SELECT batch.k::pg_catalog.text FROM ({query}) AS batch ORDER BY batch.k DESC LIMIT 1;
             ROLLBACK TO SAVEPOINT cutover_key; RELEASE SAVEPOINT cutover_key"
        );
        let answer = self.cancellable(Some(0), self.client.simple_query(&sql)).await;
        let answer = answer.map_err(|fault| match fault {
            // The place that the server counts is none of the author's text.
            Fault::Sql { error, .. } => Fault::Sql { statement: None, error },
            other => other,
        })?;
        Ok(first_row(&answer).and_then(|row| row.get(0)).map(str::to_owned))
    }

    async fn some_rows(
        &mut self,
        step: &Step,
        backfill: &Backfill,
        rows: u32,
        until: &str,
        attempt: Attempt,
    ) -> Result<Batch, Fault> {
        let begun = self.prepare(step, attempt).await?;
        let progress = self.status.progress(step.id).cloned();
        let (key, table) = (&backfill.key, &backfill.table);
        let behind = progress.as_ref().map(|done| format!("{key} > {}", literal(&done.cursor)));
        let bounds: Vec<String> = behind.iter().cloned().chain([format!("{key} <= {}", literal(until))]).collect();
        let last = format!("SELECT {key} AS k FROM {table} WHERE {} ORDER BY {key} LIMIT {rows}", bounds.join(" AND "));
        let Some(cursor) = self.last_key(&last).await? else { return Ok(Batch::None) };
        if progress.as_ref().is_some_and(|done| done.cursor == cursor) {
            let message = format!("its key does not tell rows apart in the order of {key}: the cursor does not move");
            return Err(ExecuteError::Stuck { step: step.id, message }.into());
        }
        let behind = behind.map(|behind| format!(" AND {behind}")).unwrap_or_default();
        // On a line of its own: the author's text may end in a comment.
        let sql = format!("{}\n{behind} AND {key} <= {}", backfill.batch, literal(&cursor));
        let answer = self.cancellable(Some(0), self.client.simple_query(&sql)).await?;
        self.doors.passes("after a statement");
        let changed = answer.iter().map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => *rows,
            _ => 0,
        });
        let rows = progress.as_ref().map_or(0, |done| done.rows) + changed.sum::<u64>();
        if step.session.iter().any(|set| is_waited_for(set)) {
            self.settle(step, &begun).await?;
        }
        let record = Record::Step { step: step.id, what: StepRecord::Progressed { cursor, rows } };
        let ending = self.ending(&begun, &[record], &[]).await?;
        Ok(Batch::Rows(Box::new(self.end_step(step, ending).await?)))
    }
}

/// How many rows to take next, after so many took so long. It changes by at most a factor of two, since one time tells little.
fn next_size(rows: u32, took: Duration) -> u32 {
    let wanted = TARGET.as_secs_f64() / took.as_secs_f64().max(0.001) * f64::from(rows);
    let (least, most) = (f64::from(rows) / 2.0, f64::from(rows) * 2.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what a u32 holds")]
    let next = wanted.clamp(least, most).clamp(1.0, f64::from(MOST_ROWS)) as u32;
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_time_that_rows_take() {
        assert_eq!(next_size(1000, Duration::from_millis(250)), 1000);
        assert_eq!(next_size(1000, Duration::from_millis(1)), 2000);
        assert_eq!(next_size(1000, Duration::from_secs(60)), 500);
        assert_eq!(next_size(1, Duration::from_secs(60)), 1);
        assert_eq!(next_size(MOST_ROWS, Duration::ZERO), MOST_ROWS);
    }
}
