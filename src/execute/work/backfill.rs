//! A statement over the rows of a table, some rows at a time in the order of a key. Each time is a transaction of its own in which the
//! journal's cursor moves, so every row is done once whatever is killed: what is in doubt after a crash is answered by the cursor.

use std::time::{Duration, Instant};

use tokio_postgres::SimpleQueryMessage;

use super::throttle::Throttling;
use super::transaction::is_waited_for;
use super::{Attempt, Fault};
use crate::execute::engine::{Engine, Written};
use crate::execute::error::ExecuteError;
use crate::execute::event::Event;
use crate::execute::journal::{Record, StepRecord};
use crate::execute::lease::Begun;
use crate::execute::shift::LISTEN;
use crate::execute::stop::StopLevel;
use crate::plan::saved::{Backfill, Step};
use crate::postgres::first_row;
use crate::sql::literal;

/// How often it is said how fast it goes, and how long it has gone when it is said first.
const SAY: Duration = Duration::from_secs(2);
/// From how many rows on what a backfill leaves behind is worth a word.
const MUCH: u64 = 10_000;

/// How far a backfill was when this process began with it, to tell how fast it goes.
struct Course {
    since: Instant,
    rows: u64,
    /// The first key and the last, where keys are whole numbers.
    keys: Option<(i128, i128)>,
}

impl Course {
    /// The rows that change in a second, and how much time is left.
    fn speed(&self, rows: u64, cursor: &str) -> (u64, Option<Duration>) {
        let elapsed = self.since.elapsed().as_secs_f64().max(0.001);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an estimate"
        )]
        let each = (rows.saturating_sub(self.rows) as f64 / elapsed).round() as u64;
        let left = self.keys.zip(cursor.parse().ok()).and_then(|((first, last), now): ((i128, i128), i128)| {
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let (done, open) = (now.saturating_sub(first).max(0) as f64, last.saturating_sub(now).max(0) as f64);
            // A tenth of a percent tells nothing.
            (done > (done + open) / 1000.0).then(|| Duration::try_from_secs_f64(elapsed * open / done).ok())?
        });
        (each, left)
    }
}

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
        let most = self.limits().backfill.most_rows();
        let (mut rows, mut attempt) = (backfill.rows.clamp(1, most), Attempt::FIRST);
        let mut tries = 1;
        self.announce(step, attempt);
        // Rows that come later, or move there, are none of those that were there when it began.
        let last = format!("SELECT {key} AS k FROM {} ORDER BY {key} DESC LIMIT 1", backfill.table, key = backfill.key);
        let Some(until) = self.key(step, &last).await? else { return self.succeed(step, started, tries).await };
        let course = self.course(step, backfill, &until).await?;
        let (mut throttling, mut said) = (Throttling::default(), Instant::now());
        let mut listened = Instant::now();
        loop {
            if self.doors.stop.level() > StopLevel::Run {
                return Err(ExecuteError::Interrupted);
            }
            if listened.elapsed() >= LISTEN {
                self.goes_on().await?;
                self.is_still_its_time(step.phase).await?;
                listened = Instant::now();
            }
            self.throttle(step, &mut throttling).await?;
            let begun = Instant::now();
            match self.some_rows(step, backfill, rows, &until, attempt).await {
                Ok(Batch::Rows(written)) => {
                    self.committed(*written);
                    let throttle = self.limits().backfill;
                    (rows, attempt) = (next_size(rows, begun.elapsed(), throttle.target(), most), Attempt::FIRST);
                    if said.elapsed() >= SAY {
                        said = Instant::now();
                        self.say_speed(step, &course);
                    }
                    if !throttle.pause().is_zero() {
                        self.sleep_listening(throttle.pause()).await?;
                    }
                }
                Ok(Batch::None) => {
                    self.roll_back().await;
                    self.advise_vacuum(step, backfill).await?;
                    return self.succeed(step, started, tries).await;
                }
                Err(fault) => {
                    self.roll_back().await;
                    attempt = self.after_fault(step, fault, attempt).await?;
                    tries += 1;
                    // Fewer rows are fewer locks.
                    rows = (rows / 2).max(1);
                }
            }
        }
    }

    /// Where it begins, now.
    async fn course(&mut self, step: &Step, backfill: &Backfill, until: &str) -> Result<Course, ExecuteError> {
        let done = self.status.progress(step.id).cloned();
        let rows = done.as_ref().map_or(0, |done| done.rows);
        let (key, table) = (&backfill.key, &backfill.table);
        let kind = format!("SELECT pg_catalog.pg_typeof({key})::pg_catalog.text AS k FROM {table} LIMIT 1");
        let is_number = |kind: String| matches!(&*kind, "smallint" | "integer" | "bigint" | "numeric");
        let last = match until.parse() {
            Ok(last) if self.key(step, &kind).await?.is_some_and(is_number) => last,
            _ => return Ok(Course { since: Instant::now(), rows, keys: None }),
        };
        let query = format!("SELECT {key} AS k FROM {table} ORDER BY {key} LIMIT 1");
        let first = match done {
            Some(done) => Some(done.cursor),
            None => self.key(step, &query).await?,
        };
        let keys = first.and_then(|first| first.parse().ok()).map(|first| (first, last));
        Ok(Course { since: Instant::now(), rows, keys })
    }

    /// Says that it has changed much of its table. What it leaves behind slows down whoever reads it, above all the next step that reads all of it.
    async fn advise_vacuum(&mut self, step: &Step, Backfill { table, .. }: &Backfill) -> Result<(), ExecuteError> {
        let rows = self.status.progress(step.id).map_or(0, |done| done.rows);
        if rows < MUCH {
            return Ok(());
        }
        // A fifth of the table is where autovacuum begins by default. A table that was never analyzed has no size.
        let query = format!(
            "SELECT CASE WHEN current_setting('autovacuum')::bool AND pg_catalog.bool_and(c.is_on) THEN 'on' ELSE 'off' END AS k
             FROM (SELECT c.reltuples, NOT EXISTS (SELECT FROM pg_catalog.pg_options_to_table(c.reloptions)
                     WHERE option_name = 'autovacuum_enabled' AND NOT option_value::bool) AS is_on
                 FROM pg_catalog.pg_class c
                 WHERE c.relkind = 'r' AND c.oid IN (SELECT '{table}'::pg_catalog.regclass
                     UNION SELECT relid FROM pg_catalog.pg_partition_tree('{table}'::pg_catalog.regclass))) AS c
             HAVING {rows} * 5 >= pg_catalog.sum(greatest(c.reltuples, 0))",
            table = table.replace('\'', "''"),
        );
        if let Some(autovacuum) = self.key(step, &query).await? {
            let (table, autovacuum) = (table.clone(), autovacuum == "on");
            (self.doors.events)(&Event::VacuumAdvised { step: step.id, table, rows, autovacuum });
        }
        Ok(())
    }

    fn say_speed(&mut self, step: &Step, course: &Course) {
        let Some(done) = self.status.progress(step.id) else { return };
        let (rows_per_second, left) = course.speed(done.rows, &done.cursor);
        let left_ms = left.and_then(|left| u64::try_from(left.as_millis()).ok());
        (self.doors.events)(&Event::Backfilling { step: step.id, rows: done.rows, rows_per_second, left_ms });
    }

    /// A key as text that means the same in every session.
    pub(super) async fn key(&mut self, step: &Step, query: &str) -> Result<Option<String>, ExecuteError> {
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
fn next_size(rows: u32, took: Duration, target: Duration, all: u32) -> u32 {
    let wanted = target.as_secs_f64() / took.as_secs_f64().max(0.001) * f64::from(rows);
    let (least, most) = (f64::from(rows) / 2.0, f64::from(rows) * 2.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what a u32 holds")]
    let next = wanted.clamp(least, most).clamp(1.0, f64::from(all)) as u32;
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_time_that_rows_take() {
        let next = |rows, ms| next_size(rows, Duration::from_millis(ms), Duration::from_millis(250), 100_000);
        assert_eq!(next(1000, 250), 1000);
        assert_eq!(next(1000, 1), 2000);
        assert_eq!(next(1000, 60_000), 500);
        assert_eq!(next(1, 60_000), 1);
        assert_eq!(next(100_000, 0), 100_000);
        assert_eq!(next_size(60, Duration::ZERO, Duration::from_millis(250), 100), 100);
    }

    #[test]
    fn the_time_that_is_left_is_that_of_the_keys() {
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        let course = Course { since: ago(10), rows: 100, keys: Some((-1000, 3000)) };
        let (speed, left) = course.speed(600, "0");
        assert_eq!((speed, left.map(|left| left.as_secs())), (50, Some(30)));
        assert_eq!(course.speed(600, "3000").1.map(|left| left.as_secs()), Some(0));
        assert_eq!(course.speed(600, "-1000").1, None);
        assert_eq!(Course { keys: None, ..course }.speed(600, "a").1, None);
    }
}
