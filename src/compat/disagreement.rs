//! Where a server says something else of a query than its text does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matrix::{Cell, Mark, Matrix, Row, Version};

/// A query of which text and server say different things where its version must live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disagreement {
    /// Whose.
    pub version: Version,
    /// Its name.
    pub query: String,
    /// `path:line:column`
    pub place: String,
    /// The step after which it begins; none: before the first one.
    pub after_step: Option<u32>,
    /// What it comes to.
    pub meaning: Meaning,
    /// What was worked out from the text.
    pub text: Cell,
    /// What the server said.
    pub server: Cell,
}

/// What a disagreement comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// The query fails, and its text did not show it.
    Missed,
    /// The query does not work on the schema of its own version, and its text did not show it.
    Unfit,
    /// The query works, with a change of what it takes or returns that only one of the two sees.
    Otherwise,
    /// The query works, and its text said that it fails.
    Needless,
    /// The text could not tell; the query works.
    Settled,
}

impl Matrix {
    /// Where this matrix, seen on a server, says something else than the one that was worked out from the text, a query's states of one
    /// kind once. `ran`: of which queries it is known that they also run.
    pub fn disagreements(&self, foreseen: &Self, ran: &dyn Fn(&Row) -> bool) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for row in &self.rows {
            let same = |other: &&Row| other.version == row.version && other.query == row.query;
            let Some(text) = foreseen.rows.iter().find(same) else { continue };
            let mut last = None;
            for (at, state) in self.states.iter().enumerate().filter(|(_, state)| state.lives(row.version)) {
                let Some(foreseen_at) = foreseen.states.iter().position(|s| s.after_step == state.after_step) else {
                    continue;
                };
                let (Some(is), Some(was)) = (row.at(at), text.at(foreseen_at)) else { continue };
                let marks = (foreseen.mark(text, foreseen_at), self.mark(row, at));
                let meaning = if row.unfit().is_some() {
                    // Only at home, where it is told once.
                    text.unfit().is_none().then_some(Meaning::Unfit).filter(|_| row.home() == Some(is))
                } else {
                    meaning(marks, was, ran(row))
                };
                if meaning != last
                    && let Some(meaning) = meaning
                {
                    found.push(Disagreement {
                        version: row.version,
                        query: row.query.clone(),
                        place: row.place.clone(),
                        after_step: state.after_step,
                        meaning,
                        text: was.clone(),
                        server: is.clone(),
                    });
                }
                last = meaning;
            }
        }
        found
    }
}

fn meaning((text, server): (Mark, Mark), was: &Cell, ran: bool) -> Option<Meaning> {
    // That PREPARE succeeds is no answer to what only running it shows.
    let unseen = matches!(was, Cell::Fails(failure) if failure.running) && !ran;
    match (text, server) {
        (Mark::Breaks, Mark::Breaks) => None,
        (_, Mark::Breaks) => Some(Meaning::Missed),
        (Mark::Breaks, Mark::Works | Mark::Otherwise) => (!unseen).then_some(Meaning::Needless),
        (Mark::Unknown, Mark::Works | Mark::Otherwise) => Some(Meaning::Settled),
        (Mark::Works, Mark::Otherwise) | (Mark::Otherwise, Mark::Works) => Some(Meaning::Otherwise),
        _ => None,
    }
}
