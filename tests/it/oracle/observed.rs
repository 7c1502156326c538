//! What the rehearsal's own preparer says of each query at each statement on a server, against what PostgreSQL was recorded to say.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cutover::compat::matrix::Cell;
use cutover::postgres::Session;
use cutover::rehearse::Preparer;

use super::data::Pair;
use super::recall::{Recall, one_line};
use super::statics::id;

/// Numbers beside the recall.
#[derive(Default)]
pub(super) struct Effort {
    /// States that were looked at, and queries there are at all of them.
    pub(super) states: usize,
    pub(super) queries: usize,
    /// Queries that were prepared.
    pub(super) prepared: usize,
    /// What preparing them took, and finding out which ones.
    pub(super) looking: Duration,
    /// What preparing all of them takes, once a pair.
    pub(super) looking_at_all: Duration,
    /// Statements that did not run.
    pub(super) failed: Vec<String>,
}

/// Runs the pending statements of a pair, one by one.
pub(super) async fn add(recall: &mut Recall, effort: &mut Effort, pair: &Pair, session: &Session) {
    let (blue, green) = (&pair.release.blue, &pair.release.green);
    let name = |query: usize| match query.checked_sub(blue.queries.len()) {
        None => id(blue, query),
        Some(query) => id(green, query),
    };
    let mut preparer = Preparer::new([blue, green]);
    let mut cells: Vec<Cell> = Vec::new();
    let begun = Instant::now();
    let first = preparer.look(session).await.unwrap();
    effort.looking += begun.elapsed();
    effort.states += 1;
    effort.prepared += first.len();
    cells.extend(first.into_iter().map(|(_, cell)| cell));
    let start = cells.clone();
    for step in &pair.truth.steps {
        if let Err(error) = session.batch_execute(&step.sql).await {
            effort.failed.push(format!("{}: {}: {error}", pair.name, one_line(&step.sql)));
        }
        let begun = Instant::now();
        let seen = preparer.look(session).await.unwrap();
        effort.looking += begun.elapsed();
        effort.states += 1;
        effort.prepared += seen.len();
        let (mut broken, mut types) = (BTreeSet::new(), BTreeSet::new());
        for (query, now) in seen {
            let was = std::mem::replace(&mut cells[query], now);
            let now = &cells[query];
            if query >= blue.queries.len() {
                continue;
            }
            if prepares(&was) && !prepares(now) {
                broken.insert(name(query));
            }
            if let (Cell::Works(was), Cell::Works(now)) = (&was, now)
                && was != now
            {
                types.insert(name(query));
            }
        }
        let at = format!("{}: {}", pair.name, one_line(&step.sql));
        recall.broken.compare(&broken, &step.broken, &BTreeSet::new(), &at);
        recall.type_changed.compare(&types, &step.type_changed, &BTreeSet::new(), &at);
    }
    effort.queries += cells.len() * (pair.truth.steps.len() + 1);
    let begun = Instant::now();
    let all = preparer.look_at_all(session).await;
    effort.looking_at_all += begun.elapsed();
    for (query, cell) in all {
        assert_eq!(cells[query], cell, "{}: {} was touched and not looked at", pair.name, name(query));
    }
    let waits = |query: &usize| !prepares(&start[*query]) && prepares(&cells[*query]);
    let not_ready = (blue.queries.len()..cells.len()).filter(waits).map(name).collect();
    // The truth also names queries whose text the data does not have.
    let known: BTreeSet<String> = (0..green.queries.len()).map(|query| id(green, query)).collect();
    let is = pair.truth.green_not_ready_before.intersection(&known).cloned().collect();
    recall.not_ready.compare(&not_ready, &is, &BTreeSet::new(), &pair.name);
}

/// The recording of the truth parsed and described; it did not plan, so it knows nothing of an ON CONFLICT without its index.
fn prepares(cell: &Cell) -> bool {
    match cell {
        Cell::Works(_) => true,
        Cell::Fails(failure) => failure.message.contains("SQLSTATE 42P10"),
        Cell::Unknown(_) => false,
    }
}
