//! Counts of what was found, missed, and said needlessly.

use std::collections::BTreeSet;

/// Counts of one kind of break.
#[derive(Default, Clone)]
pub(super) struct Count {
    pub(super) hit: usize,
    pub(super) missed: usize,
    pub(super) false_alarm: usize,
    pub(super) examples: Vec<String>,
}

/// All kinds.
#[derive(Default, Clone)]
pub(super) struct Recall {
    /// The query no longer prepares.
    pub(super) broken: Count,
    /// It prepares, with other types.
    pub(super) type_changed: Count,
    /// Its INSERT leaves out a column that demands a value.
    pub(super) misses_not_null: Count,
    /// Green does not prepare before the release.
    pub(super) not_ready: Count,
    /// Queries that do not resolve on their own schema (missed), of all (hit); that are not fully understood (false_alarm).
    pub(super) unresolved: Count,
}

impl Count {
    pub(super) fn compare(
        &mut self,
        said: &BTreeSet<String>,
        is: &BTreeSet<String>,
        also: &BTreeSet<String>,
        at: &str,
    ) {
        self.hit += said.intersection(is).count();
        let missed: Vec<_> = is.difference(said).collect();
        let alarms: Vec<_> = said.difference(is).filter(|q| !also.contains(*q)).collect();
        self.missed += missed.len();
        self.false_alarm += alarms.len();
        self.examples.extend(missed.first().map(|q| format!("missed {q} (of {}) at {at}", missed.len())));
        self.examples.extend(alarms.first().map(|q| format!("alarm {q} (of {}) at {at}", alarms.len())));
    }
}

pub(super) fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(110).collect()
}
