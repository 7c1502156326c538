//! What a release did on rows that were there, in words: the same in text, HTML and JSON.

use std::collections::BTreeMap;

use crate::plan::saved::{SavedPlan, Step};
use crate::rehearse::{HeldLock, MeasuredStep, RealRows, RowFailure, WrittenRelation};
use crate::stats::{bytes, duration, number, range};

/// A step in words.
pub(super) struct MeasuredWords {
    pub(super) took: String,
    pub(super) rows: String,
    pub(super) log: String,
    /// What it wrote anew, what it held, and what the statistics expect.
    pub(super) more: Vec<String>,
}

/// Of relations and locks, so many are named.
const SHOWN: usize = 3;

/// What a step took.
pub(super) fn measured(measured: &MeasuredStep, planned: Option<&Step>) -> MeasuredWords {
    let mut more = Vec::new();
    let written = |is: fn(&WrittenRelation) -> bool| {
        let named = |one: &WrittenRelation| format!("{} ({})", one.relation, bytes(one.bytes));
        listed(&measured.written.iter().filter(|one| is(one)).map(named).collect::<Vec<_>>())
    };
    more.extend(
        written(|one| !one.index && !one.new).map(|tables| format!("written anew, with their indexes: {tables}")),
    );
    more.extend(written(|one| !one.index && one.new).map(|tables| format!("created, with their indexes: {tables}")));
    more.extend(written(|one| one.index).map(|indexes| format!("indexes built: {indexes}")));
    more.extend(held(&measured.locks));
    let load = planned.and_then(|step| step.load.as_ref());
    more.extend(load.map(|load| format!("expected in production, by the statistics: {}", range(&load.held))));
    MeasuredWords {
        took: duration(millis(measured.took)),
        rows: measured.rows.map_or_else(|| "not known".to_owned(), number),
        log: bytes(measured.log),
        more,
    }
}

/// The locks that were seen.
pub(super) fn held(locks: &[HeldLock]) -> Option<String> {
    let lock = |lock: &HeldLock| match millis(lock.held) {
        0 => format!("{} on {}, briefly", lock.mode.name(), lock.relation),
        held => format!("{} on {} for {} or more", lock.mode.name(), lock.relation, duration(held)),
    };
    let locks: Vec<String> = locks.iter().map(lock).collect();
    listed(&locks).map(|locks| format!("held: {locks}"))
}

fn listed(all: &[String]) -> Option<String> {
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match all.len() {
        0 => None,
        n if n > SHOWN => Some(format!("{shown}, and {} more", n - SHOWN)),
        _ => Some(shown),
    }
}

pub(super) fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What stopped it.
pub(super) fn failure(failure: &RowFailure, plan: &SavedPlan, from: &str) -> String {
    let step = failure.step.and_then(|id| plan.step(id));
    let what = step.map_or_else(
        || "the release does not begin".to_owned(),
        |step| format!("step {} ({}, {}) fails", step.id, step.object, step.action),
    );
    format!("{what} on the rows of {from}")
}

/// What these rows do not show.
pub(super) fn unseen(rows: &RealRows, plan: &SavedPlan) -> Vec<String> {
    let mut production = BTreeMap::new();
    for table in plan.steps.iter().filter_map(|step| step.load.as_ref()).flat_map(|load| &load.tables) {
        production.extend(table.rows.map(|rows| (table.table.as_str(), rows.value)));
    }
    let fewer = rows.sizes.iter().filter_map(|(table, here)| {
        let there = *production.get(table.as_str())?;
        (there / 2 > *here && *here > 0).then(|| {
            format!(
                "{table} has {} rows here and {} in production: what grows with them takes longer there, and other rows may fail",
                number(*here),
                number(there)
            )
        })
    });
    let empty = rows.sizes.iter().filter(|(_, here)| *here == 0);
    let empty = empty.map(|(table, _)| format!("{table} has no row here: nothing that fails on rows can fail there"));
    let mut lines: Vec<String> = fewer.chain(empty).collect();
    let locks = match rows.locks_seen {
        true => "locks that were held for less than 20 ms",
        false => "locks, for this server takes one session",
    };
    lines.push(format!(
        "what other rows do, how long a step waits for the application's locks, a cold cache, slower disks, and {locks}"
    ));
    lines
}
