//! Queries × states: what each query of both versions is on each schema that the database goes through. One value, whether it was worked
//! out from text or seen on a server.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::watch::{self, Watch};
use crate::schema::Schema;
use crate::schema::resolve::{Sure, Write, WriteKind};
use crate::side::Side;

/// Queries × states.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Matrix {
    /// The states the database goes through, in order.
    pub states: Vec<State>,
    /// A row a query, blue's first.
    pub rows: Vec<QueryRow>,
}

/// A schema that clients can meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct State {
    /// The step after which it is; `None`: before the first one.
    pub after_step: Option<u32>,
    /// Whether blue must work here.
    pub blue_lives: bool,
    /// Whether green must work here.
    pub green_lives: bool,
}

/// A query at every state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueryRow {
    /// Whose.
    pub version: Side,
    /// Its name.
    pub query: String,
    /// `path:line:column`
    pub place: String,
    /// Its text.
    pub sql: String,
    /// What it is, from the first state on: one entry for as many states as it stays the same.
    pub runs: Vec<CellRun>,
}

/// What a query is from a state on, until the next run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CellRun {
    /// Index of the first state.
    pub state: usize,
    /// What it is there.
    pub cell: Cell,
}

/// A query on one schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", content = "detail", rename_all = "kebab-case")]
pub enum Cell {
    /// It works, with these parameters and result columns.
    Works(String),
    /// It fails.
    Fails(Failure),
    /// It is not understood, for this reason.
    Unknown(String),
}

/// Why a query fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// PostgreSQL's words, or the tool's.
    pub message: String,
    /// The bytes of the query's text that it is about, from the first to the one after the last, where they are known.
    pub at: Option<(u32, u32)>,
    /// Whether only running it shows this: it still prepares. On a server, it was found by playing a recording again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub running: bool,
}

/// What a cell means for the version whose query it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// It works where it must.
    Works,
    /// It works where its version does not run.
    Idle,
    /// It fails where its version does not run.
    Away,
    /// It is not understood.
    Unknown,
    /// It works where it must, with other types or columns than on the schema of its own version.
    Otherwise,
    /// It fails where it must work.
    Breaks,
}

/// A query that fails where its version must live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break<'a> {
    /// The query.
    pub row: &'a QueryRow,
    /// The first state where it fails.
    pub state: &'a State,
    /// Why.
    pub failure: &'a Failure,
}

impl Failure {
    /// A query that does not prepare, for this reason.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None, running: false }
    }

    /// A query that prepares and fails when it runs.
    pub fn running(message: impl Into<String>) -> Self {
        Self { running: true, ..Self::new(message) }
    }
}

impl State {
    /// Whether a version must work here.
    pub const fn lives(&self, version: Side) -> bool {
        match version {
            Side::Blue => self.blue_lives,
            Side::Green => self.green_lives,
        }
    }

    /// Whether both must.
    pub const fn is_overlap(&self) -> bool {
        self.blue_lives && self.green_lives
    }
}

impl QueryRow {
    /// A row without states.
    pub fn new(version: Side, query: &str, place: String, sql: &str) -> Self {
        Self { version, query: query.to_owned(), place, sql: sql.to_owned(), runs: Vec::new() }
    }

    /// Says what the query is at a state; states are told in their order.
    pub fn push(&mut self, state: usize, cell: Cell) {
        if self.runs.last().is_none_or(|last| last.cell != cell) {
            self.runs.push(CellRun { state, cell });
        }
    }

    /// Changes what the query is at each state, of so many.
    pub fn amend(&mut self, states: usize, change: impl Fn(usize, &Cell) -> Option<Cell>) {
        let cells: Vec<_> = (0..states)
            .filter_map(|i| self.at(i).map(|cell| (i, change(i, cell).unwrap_or_else(|| cell.clone()))))
            .collect();
        self.runs.clear();
        for (i, cell) in cells {
            self.push(i, cell);
        }
    }

    /// Says what the query is at the last state, where it was looked at once more. If it should be another one there than was told, nobody
    /// knows since when.
    pub fn ends_as(&mut self, last: usize, cell: Cell) {
        if self.at(last) == Some(&cell) {
            return;
        }
        let sure = self.runs.last().map_or(0, |run| run.state);
        let unknown = || Cell::Unknown("it is another one at the end, and no step was seen to change it".to_owned());
        self.amend(last, |state, _| (state > sure).then(unknown));
        self.push(last, cell);
    }

    /// What the query is at a state.
    pub fn at(&self, state: usize) -> Option<&Cell> {
        let next = self.runs.partition_point(|run| run.state <= state);
        self.runs.get(next.checked_sub(1)?).map(|run| &run.cell)
    }

    /// What it is on the schema of its own version.
    pub fn home(&self) -> Option<&Cell> {
        let run = match self.version {
            Side::Blue => self.runs.first(),
            Side::Green => self.runs.last(),
        };
        run.map(|run| &run.cell)
    }

    /// Why it does not even work on the schema of its own version, so that it shows nothing.
    pub fn unfit(&self) -> Option<&Failure> {
        match self.home() {
            Some(Cell::Fails(failure)) => Some(failure),
            Some(Cell::Works(_) | Cell::Unknown(_)) | None => None,
        }
    }
}

impl Matrix {
    /// The matrix of a plan, from the schema before its first step and after each step.
    pub fn foreseen(
        blue: Option<&Watch<'_>>,
        green: Option<&Watch<'_>>,
        states: Vec<State>,
        schemas: &[&Schema],
    ) -> Self {
        let versions = [(Side::Blue, blue), (Side::Green, green)];
        let versions = versions.into_iter().filter_map(|(version, watch)| Some((version, watch?)));
        Self { states, rows: versions.flat_map(|(version, watch)| rows(version, watch, schemas)).collect() }
    }

    /// What a query's cell means.
    pub fn mark(&self, row: &QueryRow, state: usize) -> Mark {
        let lives = self.states.get(state).is_some_and(|state| state.lives(row.version));
        match row.at(state) {
            Some(Cell::Works(_)) if !lives => Mark::Idle,
            Some(cell @ Cell::Works(_)) => match row.home() {
                Some(home @ Cell::Works(_)) if home != cell => Mark::Otherwise,
                _ => Mark::Works,
            },
            Some(Cell::Fails(_)) if lives => Mark::Breaks,
            Some(Cell::Fails(_)) => Mark::Away,
            Some(Cell::Unknown(_)) | None => Mark::Unknown,
        }
    }

    /// The most serious mark of a row.
    pub fn worst(&self, row: &QueryRow) -> Mark {
        let ends = self.states.iter().enumerate().filter(|(_, state)| state.lives(row.version)).map(|(i, _)| i);
        ends.map(|state| self.mark(row, state)).max().unwrap_or(Mark::Unknown)
    }

    /// Queries that fail where their version must live, though they work on its own schema.
    pub fn breaks(&self) -> Vec<Break<'_>> {
        self.rows.iter().filter(|row| row.unfit().is_none()).filter_map(|row| self.first_failure(row)).collect()
    }

    /// The first state where a query fails and its version lives, be it that of its own schema.
    pub fn first_failure<'a>(&'a self, row: &'a QueryRow) -> Option<Break<'a>> {
        self.states.iter().enumerate().find_map(|(at, state)| match row.at(at) {
            Some(Cell::Fails(failure)) if state.lives(row.version) => Some(Break { row, state, failure }),
            _ => None,
        })
    }

    /// Queries that do not even work on the schema of their own version.
    pub fn unfit(&self) -> impl Iterator<Item = (&QueryRow, &Failure)> {
        self.rows.iter().filter_map(|row| Some((row, row.unfit()?)))
    }

    /// The same with some of its rows.
    #[must_use]
    pub fn only(&self, rows: impl Fn(&QueryRow) -> bool) -> Self {
        let rows = self.rows.iter().filter(|row| rows(row)).cloned().collect();
        Self { states: self.states.clone(), rows }
    }

    /// The states that are worth a column, at most `most` but for the ends and the overlap: those where a query changes against the state
    /// before; if these are too many, those where it begins to matter to its version.
    pub fn columns(&self, most: usize) -> Columns {
        let last = self.states.len().saturating_sub(1);
        let runs = || self.rows.iter().flat_map(|row| row.runs.iter().map(move |run| (row, run.state)));
        let with = |states: BTreeSet<usize>| -> Vec<usize> {
            let fixed = |i: &usize| *i == 0 || *i == last || self.states[*i].is_overlap();
            (0..self.states.len()).filter(|i| fixed(i) || states.contains(i)).collect()
        };
        let all = with(runs().map(|(_, state)| state).collect());
        if all.len() <= most {
            return Columns { states: all, changes_elsewhere: false };
        }
        let serious = runs().filter(|(row, state)| self.mark(row, *state) > Mark::Unknown);
        let serious = with(serious.map(|(_, state)| state).collect());
        let states = if serious.len() <= most { serious } else { with(BTreeSet::new()) };
        Columns { states, changes_elsewhere: true }
    }
}

/// States that are worth a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Which ones, in order.
    pub states: Vec<usize>,
    /// Whether queries change at other states, too.
    pub changes_elsewhere: bool,
}

fn rows(version: Side, watch: &Watch<'_>, schemas: &[&Schema]) -> Vec<QueryRow> {
    let sources = &watch.workload().sources;
    let queries = watch.queries().iter().enumerate();
    let mut rows: Vec<QueryRow> = queries
        .map(|(i, query)| QueryRow::new(version, &query.name, sources.place(query.span), watch.text(i)))
        .collect();
    let mut before: Option<watch::Watched> = None;
    for (at, schema) in schemas.iter().enumerate() {
        let (state, touched) = watch.step(before.as_ref().unwrap_or(watch.own()), schema);
        let all = 0..rows.len();
        // A query that no change touches is what it was.
        let changed = if before.is_some() { touched } else { all.collect() };
        for query in changed {
            rows[query].push(at, cell(watch, &state, query));
        }
        before = Some(state);
    }
    rows
}

/// What an `INSERT … ON CONFLICT` is where nothing is there to conflict with: PostgreSQL looks for it when it plans the statement.
fn without_arbiter(state: &watch::Watched, write: &Write) -> Option<Cell> {
    let WriteKind::Insert { arbiter: Some(arbiter), .. } = &write.kind else { return None };
    let indexes = |schema: &Schema| {
        let found = schema.relation(&write.relation).into_iter().flat_map(|relation| relation.indexes.values());
        found.map(|index| arbiter.finds(index)).collect::<Vec<_>>()
    };
    // That there is none is a problem of the query. An index on part of the rows may not cover the query's.
    let unsure = |found: &[Sure]| found.contains(&Sure::Unsure) && !found.contains(&Sure::Yes);
    let here = indexes(state.schema());
    unsure(&here).then(|| {
        let columns: Vec<_> = arbiter.columns.iter().map(|column| &**column).collect();
        Cell::Unknown(format!("its text does not tell whether ON CONFLICT ({}) finds an index", columns.join(", ")))
    })
}

fn cell(watch: &Watch<'_>, state: &watch::Watched, query: usize) -> Cell {
    let Some(look) = state.look(query) else { return Cell::Unknown("it could not be read".to_owned()) };
    if let Some(problem) = watch.problems(state, query).next().or(look.refused()) {
        let at = (problem.at.start < problem.at.end).then_some((problem.at.start, problem.at.end));
        return Cell::Fails(Failure { at, ..Failure::new(&*problem.message) });
    }
    let own = watch.own().refusals(query);
    if let Some(refusal) = state.refusals(query).into_iter().find(|refusal| !own.contains(refusal)) {
        return Cell::Fails(Failure::running(refusal.to_string()));
    }
    if let Some(cell) = look.uses.writes.iter().find_map(|write| without_arbiter(state, write)) {
        return cell;
    }
    if let Some(problem) = look.problems.first() {
        return Cell::Unknown(problem.message.clone());
    }
    if look.uses.more {
        return Cell::Unknown("something in it is not understood".to_owned());
    }
    let parameters: Vec<_> = look.parameters.iter().map(ToString::to_string).collect();
    let columns = look.columns.as_ref().map_or_else(
        || "(columns that are not known)".to_owned(),
        |columns| columns.iter().map(|(name, data_type)| format!("{name} {data_type}")).collect::<Vec<_>>().join(", "),
    );
    Cell::Works(format!("({}) → ({columns})", parameters.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cells: &[(usize, &str)], change: impl Fn(&mut QueryRow), expected: &[(usize, &str)]) {
        let works = |text: &str| Cell::Works(text.to_owned());
        let mut row = QueryRow::new(Side::Blue, "q", "q.sql:1:1".to_owned(), "SELECT 1");
        cells.iter().for_each(|(state, text)| row.push(*state, works(text)));
        change(&mut row);
        let shown = |run: &CellRun| match &run.cell {
            Cell::Works(text) => (run.state, text.clone()),
            Cell::Fails(_) => (run.state, "fails".to_owned()),
            Cell::Unknown(_) => (run.state, "unknown".to_owned()),
        };
        let runs: Vec<_> = row.runs.iter().map(shown).collect();
        let expected: Vec<_> = expected.iter().map(|(state, text)| (*state, (*text).to_owned())).collect();
        assert_eq!(runs, expected);
    }

    #[test]
    fn a_row_is_changed_state_by_state() {
        let cells = [(0, "a"), (2, "b")];
        let fails = |_: usize, _: &Cell| Some(Cell::Fails(Failure::new("no")));
        check(
            &cells,
            |row| row.amend(4, |at, cell| fails(at, cell).filter(|_| at == 1)),
            &[(0, "a"), (1, "fails"), (2, "b")],
        );
        check(
            &cells,
            |row| row.amend(4, |at, cell| fails(at, cell).filter(|_| at == 3)),
            &[(0, "a"), (2, "b"), (3, "fails")],
        );
        check(&cells, |row| row.amend(4, |_, _| None), &cells);
        let end = |text: &str| Cell::Works(text.to_owned());
        check(&cells, |row| row.ends_as(5, end("b")), &cells);
        check(&cells, |row| row.ends_as(5, end("c")), &[(0, "a"), (2, "b"), (3, "unknown"), (5, "c")]);
    }
}
