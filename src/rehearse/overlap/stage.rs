//! A release played in one transaction that is taken back, with the writes of a version at one of two moments: where nobody is there while it
//! runs, and in the overlap.

use std::collections::BTreeSet;

use tokio_postgres::{Client, Error};

use super::content::Content;
use crate::plan::saved::{Phase, SavedPlan, Step, Work};
use crate::rehearse::replay::{Aside, BEGIN, Ended, Refused, act, refused};
use crate::side::Side;
use crate::sql::lex::{Lexeme, lex};
use crate::sql::name::Quoted;
use crate::workload::{Act, SavedStatement};

/// For one statement, in milliseconds: on a few rows a table.
const STATEMENT_TIME: u32 = 5_000;

/// When a version writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Blue before the first step, green after the last one.
    Home,
    /// Between the phases.
    Overlap,
}

/// A query that writes, and the values to try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing<'a> {
    /// Its number among those of its version.
    pub(super) query: usize,
    pub(super) lists: &'a [SavedStatement],
}

/// What else is wanted of a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// No more than the end.
    End,
    /// The same, with sequences that begin elsewhere.
    OtherKeys,
    /// What is there after each step.
    Steps,
}

/// What a play came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Played {
    /// For each query, the list with which it wrote rows.
    pub(super) wrote: Vec<Option<usize>>,
    /// What was there before they wrote.
    pub(super) before: Content,
    /// What was there when they had.
    pub(super) written: Content,
    /// What was there after each step, if anybody asked.
    pub(super) steps: Vec<(u32, Content)>,
    /// What is there at the end.
    pub(super) end: Content,
    /// The step that failed, which ends the play, and why.
    pub(super) failed: Option<(u32, Refused)>,
}

/// A database of its own, in the state before the release, with rows.
pub(super) struct Stage<'a> {
    client: &'a Client,
    plan: &'a SavedPlan,
    /// Statements that have run already, because what they make cannot be used in the transaction that makes it.
    done: BTreeSet<&'a str>,
    /// The tables with synthetic rows, by schema and name.
    filled: Vec<(String, String)>,
    /// The steps that failed on synthetic rows where nobody wrote anything.
    failing: BTreeSet<u32>,
}

impl<'a> Stage<'a> {
    /// Prepares it: labels that the release adds to enums that are there are committed.
    pub(super) async fn new(
        client: &'a Client,
        plan: &'a SavedPlan,
        filled: Vec<(String, String)>,
    ) -> Result<Self, Error> {
        let mut done = BTreeSet::new();
        for sql in plan.steps.iter().flat_map(Step::statements).map(|statement| statement.sql.as_str()) {
            if adds_label(sql) {
                match client.batch_execute(sql).await {
                    Ok(()) => _ = done.insert(sql),
                    Err(error) => _ = refused(client, error).await?,
                }
            }
        }
        Ok(Self { client, plan, done, filled, failing: BTreeSet::new() })
    }

    /// Whether a step fails on synthetic rows anyway.
    pub(super) fn fails_anyway(&self, step: u32) -> bool {
        self.failing.contains(&step)
    }

    /// Empties the tables of this name that have synthetic rows on which a step fails, or all of them if there is none; `false`: none has any.
    pub(super) async fn clear(&mut self, step: u32, table: Option<&str>) -> Result<bool, Error> {
        self.failing.insert(step);
        let others = self.failing().await?;
        self.failing.extend(others);
        let is_it = |(_, name): &(String, String)| table == Some(name.as_str());
        let all = !self.filled.iter().any(is_it);
        let (cleared, kept): (Vec<_>, Vec<_>) = self.filled.drain(..).partition(|name| all || is_it(name));
        self.filled = kept;
        let names: Vec<String> =
            cleared.iter().map(|(schema, name)| format!("{}.{}", Quoted(schema), Quoted(name))).collect();
        if !names.is_empty() {
            self.client.batch_execute(&format!("TRUNCATE {} CASCADE", names.join(", "))).await?;
        }
        Ok(!names.is_empty())
    }

    /// The steps that refuse the synthetic rows, each passed over where it fails.
    async fn failing(&self) -> Result<Vec<u32>, Error> {
        let aside = Aside::begin(self.client, STATEMENT_TIME).await?;
        let mut failing = Vec::new();
        for step in &self.plan.steps {
            if let Err(refused) = self.step(step).await?
                && is_of_rows(&refused)
            {
                failing.push(step.id);
            }
        }
        aside.end(self.client).await?;
        self.client.batch_execute("DISCARD PLANS").await?;
        self.client.clear_type_cache();
        Ok(failing)
    }

    /// Plays the release with these writes.
    pub(super) async fn play(
        &self,
        version: Side,
        moment: Moment,
        writes: &[Writing<'_>],
        look: Look,
    ) -> Result<Played, Error> {
        let aside = Aside::begin(self.client, STATEMENT_TIME).await?;
        let played = self.within(&aside, version, moment, writes, look).await?;
        aside.end(self.client).await?;
        self.client.batch_execute("DISCARD PLANS").await?;
        self.client.clear_type_cache();
        Ok(played)
    }

    async fn within(
        &self,
        aside: &Aside,
        version: Side,
        moment: Moment,
        writes: &[Writing<'_>],
        look: Look,
    ) -> Result<Played, Error> {
        let mut played = Played::default();
        if look == Look::OtherKeys {
            self.other_keys().await?;
        }
        let at = match (moment, version) {
            (Moment::Home, Side::Blue) => 0,
            (Moment::Overlap, _) => 1,
            (Moment::Home, Side::Green) => 2,
        };
        for (turn, phase) in [Some(Phase::Before), Some(Phase::After), None].into_iter().enumerate() {
            if turn == at {
                self.write(aside, writes, look, &mut played).await?;
            }
            for step in phase.into_iter().flat_map(|phase| self.plan.phase(phase)) {
                if let Err(refused) = self.step(step).await? {
                    played.failed = Some((step.id, refused));
                    return Ok(played);
                }
                if look == Look::Steps {
                    played.steps.push((step.id, Content::read(self.client).await?));
                }
            }
        }
        played.end = Content::read(self.client).await?;
        Ok(played)
    }

    /// Each query as a transaction, with the first of its lists that writes anything.
    async fn write(&self, aside: &Aside, writes: &[Writing<'_>], look: Look, played: &mut Played) -> Result<(), Error> {
        if look == Look::Steps {
            played.before = Content::read(self.client).await?;
        }
        // A step may have made the first constraint that waits.
        let deferred = aside.deferred.as_deref().unwrap_or_default();
        for writing in writes {
            let mut wrote = None;
            for (list, statement) in writing.lists.iter().enumerate() {
                act(self.client, &Act::Begin, BEGIN, None).await?;
                let ran = act(self.client, &Act::Run(statement), BEGIN, None).await?;
                let wrote_rows = matches!(ran, Ended::Done(rows) if rows > 0);
                let end = if wrote_rows { Act::Commit(Vec::new()) } else { Act::Rollback };
                let ended = act(self.client, &end, BEGIN, Some(deferred)).await?;
                if wrote_rows && matches!(ended, Ended::Done(_)) {
                    wrote = Some(list);
                    break;
                }
            }
            played.wrote.push(wrote);
        }
        if look == Look::Steps {
            played.written = Content::read(self.client).await?;
        }
        Ok(())
    }

    /// Runs a step as the executor does, but for its journal.
    async fn step(&self, step: &Step) -> Result<Result<(), Refused>, Error> {
        self.client.batch_execute("SAVEPOINT cutover_step").await?;
        let texts = step.statements().iter().map(|statement| statement.sql.as_str());
        let texts = texts.filter(|sql| !self.done.contains(sql)).filter_map(|sql| match step.work {
            // All rows at once: there are few.
            Work::Transaction { .. } | Work::Backfill(_) => Some(sql.to_owned()),
            Work::Alone { .. } => within_transaction(sql),
            // It changes nothing.
            Work::Check { .. } => None,
        });
        let check = "SET CONSTRAINTS ALL IMMEDIATE".to_owned();
        for sql in step.session.iter().cloned().chain(texts).chain([check]) {
            if let Err(error) = self.client.batch_execute(&sql).await {
                let outcome = refused(self.client, error).await?;
                self.client.batch_execute("ROLLBACK TO SAVEPOINT cutover_step").await?;
                return Ok(Err(match outcome {
                    Ended::Failed(refused) => refused,
                    Ended::Done(_) | Ended::Nothing => Refused::saying("it took too long"),
                }));
            }
        }
        let end = format!(
            "RESET ALL; RESET SESSION AUTHORIZATION; SET LOCAL statement_timeout = {STATEMENT_TIME}; RELEASE SAVEPOINT cutover_step"
        );
        self.client.batch_execute(&end).await?;
        Ok(Ok(()))
    }

    async fn other_keys(&self) -> Result<(), Error> {
        let moved = "SAVEPOINT cutover_keys;
            SELECT pg_catalog.setval(c.oid::pg_catalog.regclass, pg_catalog.nextval(c.oid::pg_catalog.regclass) + 1000)
            FROM pg_catalog.pg_class c WHERE c.relkind = 'S' AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)";
        match self.client.batch_execute(moved).await {
            Ok(()) => Ok(()),
            // One that is near its end stays where it is, and others with it.
            Err(error) => {
                refused(self.client, error).await?;
                self.client.batch_execute("ROLLBACK TO SAVEPOINT cutover_keys").await
            }
        }
    }
}

/// Classes that say of rows that they do not fit. Others may be because the release is played in one transaction.
const OF_ROWS: &[&str] = &["21", "22", "23", "P0"];

/// Whether a step failed because of the rows that it met.
pub(super) fn is_of_rows(refused: &Refused) -> bool {
    OF_ROWS.iter().any(|class| refused.code.starts_with(class))
}

fn words(sql: &str) -> Vec<Lexeme<'_>> {
    lex(sql).into_iter().filter(Lexeme::solid).collect()
}

/// `ALTER TYPE … ADD VALUE`
fn adds_label(sql: &str) -> bool {
    let words = words(sql);
    let begins = matches!(words.as_slice(), [alter, kind, ..] if alter.is("alter") && kind.is("type"));
    begins && words.windows(2).any(|pair| pair[0].is("add") && pair[1].is("value"))
}

/// What a statement that refuses transactions does to rows and rules, as one that does not; nothing where it does nothing to them.
fn within_transaction(sql: &str) -> Option<String> {
    let words = words(sql);
    let first = words.first()?;
    if first.is_any(&["vacuum", "cluster"]) || words.get(1).is_some_and(|noun| noun.is_any(&["system", "database"])) {
        return None;
    }
    let mut text = sql.to_owned();
    for word in words.iter().filter(|word| word.is("concurrently")) {
        text.replace_range(word.at..word.end(), &" ".repeat(word.text.len()));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_refuses_transactions_is_done_in_one() {
        let check =
            |sql: &str, expected: Option<&str>| assert_eq!(within_transaction(sql).as_deref(), expected, "{sql}");
        check("CREATE INDEX CONCURRENTLY i ON t (a)", Some("CREATE INDEX              i ON t (a)"));
        check("DROP INDEX concurrently \"concurrently\"", Some("DROP INDEX              \"concurrently\""));
        check("VACUUM t", None);
        check("ALTER TYPE mood ADD VALUE 'x'", Some("ALTER TYPE mood ADD VALUE 'x'"));
        assert!(adds_label("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'x'"));
        assert!(!adds_label("ALTER TYPE pair ADD ATTRIBUTE value int") && !adds_label("ALTER TABLE t ADD value int"));
    }
}
