//! Where a server says something else of a query than its text does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matrix::{Cell, Mark, Matrix, QueryRow};
use crate::side::Side;

/// A query of which text and server say different things where its version must live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disagreement {
    /// Whose.
    pub version: Side,
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
    pub fn disagreements(&self, foreseen: &Self, ran: &dyn Fn(&QueryRow) -> bool) -> Vec<Disagreement> {
        let mut found = Vec::new();
        for row in &self.rows {
            let same = |other: &&QueryRow| other.version == row.version && other.query == row.query;
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

#[cfg(test)]
mod tests {
    use super::super::matrix::{Failure, State};
    use super::*;

    fn works(contract: &str) -> Cell {
        Cell::Works(contract.to_owned())
    }

    fn fails() -> Cell {
        Cell::Fails(Failure::new("no"))
    }

    /// One query of blue at the start, in the overlap, and after it, where blue is gone.
    fn matrix(cells: [Cell; 3]) -> Matrix {
        let mut row = QueryRow::new(Side::Blue, "q", "q.sql:1:1".to_owned(), "SELECT 1");
        cells.into_iter().enumerate().for_each(|(at, cell)| row.push(at, cell));
        let state =
            |at: u32| State { after_step: at.checked_sub(1).map(|_| at), blue_lives: at < 2, green_lives: at > 0 };
        Matrix { states: (0..3).map(state).collect(), rows: vec![row] }
    }

    fn check(text: [Cell; 3], server: [Cell; 3], ran: bool, expected: &[(Option<u32>, Meaning)]) {
        let (text, server) = (matrix(text), matrix(server));
        let found = server.disagreements(&text, &|_| ran);
        let found: Vec<_> = found.into_iter().map(|found| (found.after_step, found.meaning)).collect();
        assert_eq!(found, expected, "{text:?} {server:?}");
    }

    #[test]
    fn what_text_and_server_say() {
        let unknown = || Cell::Unknown("it is long".to_owned());
        let running = || Cell::Fails(Failure::running("its INSERT leaves out a"));
        let same = || [works("a"), works("a"), works("a")];
        let breaks = || [works("a"), fails(), fails()];
        // The server's names of types are not the text's.
        check(same(), [works("b"), works("b"), works("b")], true, &[]);
        check(breaks(), breaks(), true, &[]);
        check(same(), breaks(), true, &[(Some(1), Meaning::Missed)]);
        check(
            [unknown(), unknown(), unknown()],
            breaks(),
            true,
            &[(None, Meaning::Settled), (Some(1), Meaning::Missed)],
        );
        check(breaks(), same(), false, &[(Some(1), Meaning::Needless)]);
        check([works("a"), running(), fails()], same(), true, &[(Some(1), Meaning::Needless)]);
        check([works("a"), running(), fails()], same(), false, &[]);
        check(same(), [works("a"), works("b"), works("b")], true, &[(Some(1), Meaning::Otherwise)]);
        check([works("a"), works("b"), works("b")], same(), true, &[(Some(1), Meaning::Otherwise)]);
        check(same(), [fails(), fails(), works("a")], true, &[(None, Meaning::Unfit)]);
        check([fails(), fails(), fails()], [fails(), fails(), works("a")], true, &[]);
        // Where blue is gone, nothing matters.
        check(same(), [works("a"), works("a"), fails()], true, &[]);
    }
}
