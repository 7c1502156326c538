//! Queries of a version without a recording, run on synthetic rows with synthetic values at every state where the version must work.
//!
//! At each state the tables are filled within a transaction that is taken back, and each query runs there in a transaction of its own, as a
//! recording is played. Nothing is committed, so that no step of the release ever meets a row that production cannot have. The rows are the
//! same at every state wherever a column is there: they are chosen once, so that they obey the rules of the schema before the release and of
//! the one after it, and are tried first at every other state.
//!
//! A query counts with those values only with which it succeeds on the schema of its own version, twice. It breaks at another state where it
//! fails with each of them, and for a reason that no other value or row would change (`certain`).

mod arguments;
mod candidate;
mod certain;
mod fill;
mod overlap;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio_postgres::{Client, Error};

use self::arguments::Chooser;
pub(super) use self::arguments::shown;
use self::candidate::demand_also;
pub(super) use self::candidate::{Rows, Value};
use self::certain::certain;
use self::fill::{Filled, fill};
pub(super) use self::overlap::Writer;
use super::replay::{Aside, BEGIN, Ended, Reference, Refused, act, reference};
use crate::compat::matrix::{Cell, Failure, Matrix};
use crate::postgres::tables::{Tables, tables};
use crate::schema::Schema;
use crate::schema::resolve::Uses;
use crate::side::Side;
use crate::workload::{Act, SavedStatement, Workload, unplayable};

/// How long tables are filled at a state, and how long queries run there, at the most.
const TIME: Duration = Duration::from_secs(30);

/// For one statement, in milliseconds: on three rows a table.
const STATEMENT_TIME: u32 = 1_000;

/// With how many lists of values a query is run.
const KEPT: usize = 3;

/// What was made of a version's queries on synthetic rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synthetic {
    /// Whose.
    pub version: Side,
    /// How many tables were filled on the schema of the version.
    pub filled: usize,
    /// How many had rows before.
    pub had_rows: usize,
    /// The tables that could not be filled there, and why.
    pub unfilled: BTreeMap<String, String>,
    /// How many queries the version has.
    pub queries: usize,
    /// How many of them succeed on the schema of their own version and were run at every other state.
    pub compared: usize,
    /// How many show nothing, by the reason: an SQLSTATE with which they fail on the schema of their own version, or words.
    pub nothing: BTreeMap<String, usize>,
    /// What failed at another state, and may have failed because of the values or the rows.
    pub undecided: Vec<Undecided>,
    /// How many were not run at all states: there was no time.
    pub cut: usize,
}

/// A query that failed at a state where its version must work, which may be because of the synthetic values or rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// Its name.
    pub query: String,
    /// `path:line:column`
    pub place: String,
    /// The step after which it failed first; none: before the first one.
    pub after_step: Option<u32>,
    /// What the server said, and with which values.
    pub message: String,
}

/// What is known of both ends of a release before it is played.
pub(super) struct Ends {
    base: Tables,
    base_schema: Schema,
    end: Tables,
    end_schema: Schema,
    /// The rows that the end takes.
    rows: Rows,
    /// Green's queries with their values.
    green: Option<Chosen>,
}

/// The schema before the release.
pub(super) struct Base {
    tables: Tables,
    schema: Schema,
}

/// The values with which the queries of a version succeed at home.
#[derive(Default)]
struct Chosen {
    filled: Filled,
    /// For each query, or why it shows nothing.
    queries: Vec<Result<Vec<SavedStatement>, String>>,
}

impl Base {
    /// Looks at it.
    pub(super) async fn look(client: &Client, schema: Schema) -> Result<Self, Error> {
        Ok(Self { tables: tables(client).await?, schema })
    }
}

impl Ends {
    /// Looks at the end of the release; where it is green's home, chooses values for green's queries.
    pub(super) async fn look(
        client: &Client,
        base: Base,
        end_schema: Schema,
        green: Option<&Workload>,
        limit: Duration,
    ) -> Result<Self, Error> {
        let end = tables(client).await?;
        let none = Workload::default();
        let mut demanded = end.clone();
        demand_also(&mut demanded, &[&base.tables]);
        let chosen = choose(client, green.unwrap_or(&none), &end_schema, &demanded, &Rows::new(), time(limit)).await?;
        Ok(Self {
            base: base.tables,
            base_schema: base.schema,
            end,
            end_schema,
            rows: chosen.filled.rows.clone(),
            green: green.map(|_| chosen),
        })
    }
}

/// What is spent at a state is less than what a statement may take.
pub(super) fn time(limit: Duration) -> Duration {
    TIME.min(limit / 4)
}

/// Fills the tables and finds, for each query, values with which it succeeds. Everything is taken back.
async fn choose(
    client: &Client,
    workload: &Workload,
    schema: &Schema,
    tables: &Tables,
    remembered: &Rows,
    time: Duration,
) -> Result<Chosen, Error> {
    // What fails to prepare within a transaction ends it.
    client.clear_type_cache();
    let prepared = join_all(workload.queries.iter().map(|query| client.prepare(workload.text(query)))).await;
    let aside = Aside::begin(client, timeout(time)).await?;
    let filled = fill(client, tables, remembered, Instant::now() + time).await?;
    let until = Instant::now() + time;
    let mut queries = Vec::with_capacity(workload.queries.len());
    for (query, prepared) in workload.queries.iter().zip(prepared) {
        let text = workload.text(query).trim_end().trim_end_matches(';').to_owned();
        let parameters: Vec<u32> = match &prepared {
            Ok(statement) => statement.params().iter().map(tokio_postgres::types::Type::oid).collect(),
            Err(error) => {
                queries.push(Err(error.code().map_or_else(String::new, |code| code.code().to_owned())));
                continue;
            }
        };
        if let Some(reason) = unplayable(&SavedStatement { text: text.clone(), parameters: Vec::new() }) {
            queries.push(Err(reason.to_owned()));
            continue;
        }
        let uses = workload.resolve(query, schema).unwrap_or_default().uses;
        let lists = Chooser { tables, rows: &filled.rows }.lists(&parameters, &uses);
        let mut found: Vec<(bool, SavedStatement)> = Vec::new();
        let mut why: Option<String> = None;
        for parameters in lists {
            if found.len() == KEPT {
                break;
            }
            if Instant::now() > until {
                why.get_or_insert_with(|| "there was no time".to_owned());
                break;
            }
            let statement = SavedStatement { text: text.clone(), parameters };
            match run(client, &statement, &aside).await? {
                Ended::Done(rows) => found.push((rows == 0, statement)),
                Ended::Failed(refused) => _ = why.get_or_insert(refused.code),
                Ended::Nothing => {
                    why.get_or_insert_with(|| "it took too long".to_owned());
                    break;
                }
            }
        }
        // Those that find rows show more.
        found.sort_by_key(|(empty, _)| *empty);
        queries.push(match found.is_empty() {
            true => Err(why.unwrap_or_else(|| "no value was found for it".to_owned())),
            false => Ok(found.into_iter().map(|(_, statement)| statement).collect()),
        });
    }
    aside.end(client).await?;
    Ok(Chosen { filled, queries })
}

fn timeout(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).clamp(1, STATEMENT_TIME)
}

/// Runs a statement as a transaction, and takes it back.
async fn run(client: &Client, statement: &SavedStatement, aside: &Aside) -> Result<Ended, Error> {
    let deferred = aside.deferred.as_deref();
    let mut came = None;
    for step in [Act::Begin, Act::Begin, Act::Run(statement), Act::Commit(Vec::new()), Act::Rollback] {
        let ran = matches!(step, Act::Run(_));
        let outcome = act(client, &step, BEGIN, deferred).await?;
        match (&came, outcome) {
            (None, outcome) if ran => came = Some(outcome),
            // The end of its transaction.
            (Some(Ended::Done(_)), outcome @ Ended::Failed(_)) => came = Some(outcome),
            _ => {}
        }
    }
    Ok(came.unwrap_or(Ended::Nothing))
}

/// Runs the queries of one version on synthetic rows, state after state.
pub(super) struct Improviser<'a> {
    version: Side,
    workload: &'a Workload,
    ends: &'a Ends,
    time: Duration,
    /// At home, for green before the release is played.
    filled: Option<Filled>,
    queries: Vec<Tried>,
    /// The rows that were there first.
    rows: Rows,
}

/// A query and what became of it.
struct Tried {
    /// The values with which it succeeds at home, or why there are none.
    statements: Result<Vec<SavedStatement>, String>,
    uses: Uses,
    /// What became of each list of values at home.
    home: Vec<Vec<Ended>>,
    /// At other states.
    away: Vec<(usize, Away)>,
}

impl Tried {
    /// What each list of values did at home.
    fn references(&self) -> Vec<Reference> {
        let lists = self.statements.as_ref().map_or(0, Vec::len);
        (0..lists).map(|list| reference(self.home.iter().map(|of| &of[list]))).collect()
    }

    /// Which of the lists succeed there every time.
    fn counting(&self) -> Vec<bool> {
        self.references().iter().map(|reference| matches!(reference, Reference::Runs(_))).collect()
    }
}

/// What a query did at a state that is not its home.
enum Away {
    /// It succeeded with some of its values.
    Runs,
    /// It failed with each of them, by their number: why, and whether it would with any value.
    Fails(Vec<(usize, Refused, bool)>),
    /// There was no time.
    Nothing,
}

impl<'a> Improviser<'a> {
    /// `None`: the version has no queries, or a recording that says more.
    pub(super) fn new(version: Side, workload: &'a Workload, ends: &'a Ends, limit: Duration) -> Option<Self> {
        if workload.queries.is_empty() || !workload.playback().is_empty() {
            return None;
        }
        let mut this = Self {
            version,
            workload,
            ends,
            time: time(limit),
            filled: None,
            queries: Vec::new(),
            rows: ends.rows.clone(),
        };
        if version == Side::Green {
            let chosen = ends.green.as_ref()?;
            let queries = chosen.queries.clone();
            this.take(chosen.filled.clone(), queries);
        }
        Some(this)
    }

    /// Whose queries these are.
    pub(super) fn version(&self) -> Side {
        self.version
    }

    /// The schema of its version.
    fn schema(&self) -> &'a Schema {
        match self.version {
            Side::Blue => &self.ends.base_schema,
            Side::Green => &self.ends.end_schema,
        }
    }

    fn take(&mut self, filled: Filled, queries: Vec<Result<Vec<SavedStatement>, String>>) {
        let schema = self.schema();
        let uses = |at: usize| self.workload.resolve(&self.workload.queries[at], schema).unwrap_or_default().uses;
        let tried =
            |(at, statements): (usize, _)| Tried { statements, uses: uses(at), home: Vec::new(), away: Vec::new() };
        self.queries = queries.into_iter().enumerate().map(tried).collect();
        for (name, rows) in &filled.rows {
            self.rows.entry(name.clone()).or_insert_with(|| rows.clone());
        }
        self.filled = Some(filled);
    }

    /// Runs them at a state.
    pub(super) async fn play(&mut self, client: &Client, state: usize, last: bool) -> Result<(), Error> {
        let home = match self.version {
            Side::Blue => state == 0,
            Side::Green => last,
        };
        let mut here = tables(client).await?;
        demand_also(&mut here, &[&self.ends.base, &self.ends.end]);
        if self.filled.is_none() {
            let chosen = choose(client, self.workload, &self.ends.base_schema, &here, &self.rows, self.time).await?;
            self.take(chosen.filled, chosen.queries);
        }
        for _ in 0..if home { 2 } else { 1 } {
            let aside = Aside::begin(client, timeout(self.time)).await?;
            let filled = fill(client, &here, &self.rows, Instant::now() + self.time).await?;
            // Tables that have rows elsewhere and none here.
            let lacks = |(schema, name): &(String, String)| {
                here.named(schema, name).is_some() && !filled.rows.contains_key(&(schema.clone(), name.clone()))
            };
            let place = Place { tables: &here, complete: !self.rows.keys().any(lacks) };
            let until = Instant::now() + self.time;
            for tried in &mut self.queries {
                let Ok(statements) = &tried.statements else { continue };
                match home {
                    true => {
                        let mut outcomes = Vec::new();
                        for statement in statements {
                            let late = Instant::now() > until;
                            outcomes.push(if late { Ended::Nothing } else { run(client, statement, &aside).await? });
                        }
                        tried.home.push(outcomes);
                    }
                    false => {
                        let away = away(client, statements, &tried.uses, &place, &aside, until).await?;
                        tried.away.push((state, away));
                    }
                }
            }
            aside.end(client).await?;
        }
        Ok(())
    }

    /// Says in the matrix what breaks.
    pub(super) fn judge(&self, matrix: &mut Matrix) -> Synthetic {
        let filled = self.filled.as_ref();
        let count = |of: &dyn Fn(&Filled) -> usize| filled.map(of).unwrap_or_default();
        let mut found = Synthetic {
            version: self.version,
            filled: count(&|filled| filled.rows.len() - filled.had.len()),
            had_rows: count(&|filled| filled.had.len()),
            unfilled: filled.map(|filled| filled.unfilled.clone()).unwrap_or_default(),
            queries: self.workload.queries.len(),
            compared: 0,
            nothing: BTreeMap::new(),
            undecided: Vec::new(),
            cut: 0,
        };
        for (query, tried) in self.workload.queries.iter().zip(&self.queries) {
            let statements = match &tried.statements {
                Ok(statements) => statements,
                Err(why) => {
                    *found.nothing.entry(why.clone()).or_default() += 1;
                    continue;
                }
            };
            let counting = tried.counting();
            let counts = |list: usize| counting[list];
            if !counting.contains(&true) {
                let cut = tried.references().contains(&Reference::Unknown);
                match cut {
                    true => found.cut += 1,
                    false => *found.nothing.entry("it does not succeed every time".to_owned()).or_default() += 1,
                }
                continue;
            }
            match tried.away.iter().any(|(_, away)| matches!(away, Away::Nothing)) {
                true => found.cut += 1,
                false => found.compared += 1,
            }
            let mut told = BTreeSet::new();
            let states = matrix.states.len();
            let row = matrix.rows.iter().position(|row| row.version == self.version && row.query == query.name);
            let Some(row) = row else { continue };
            for (state, away) in &tried.away {
                let Away::Fails(refusals) = away else { continue };
                // With a list that did not succeed at home twice, nothing is shown.
                let mut counting = refusals.iter().filter(|(list, ..)| counts(*list));
                let Some((list, refused, _)) = counting.next() else { continue };
                let values: Vec<Value> = statements[*list].parameters.clone();
                let values = if values.is_empty() { String::new() } else { format!(" with {}", shown(&values)) };
                let message = format!("{}, when it was run on synthetic rows{values}", refused.message);
                let sure = refusals.iter().filter(|(list, ..)| counts(*list)).all(|(.., sure)| *sure);
                let prepares = matches!(matrix.rows[row].at(*state), Some(Cell::Works(_) | Cell::Unknown(_)));
                if sure {
                    let broken = Cell::Fails(Failure::running(&*message));
                    matrix.rows[row].amend(states, |at, cell| match cell {
                        Cell::Works(_) | Cell::Unknown(_) if at == *state => Some(broken.clone()),
                        Cell::Works(_) | Cell::Unknown(_) | Cell::Fails(_) => None,
                    });
                } else if prepares && told.insert(refused.code.clone()) {
                    found.undecided.push(Undecided {
                        query: query.name.clone(),
                        place: self.workload.sources.place(query.span),
                        after_step: matrix.states[*state].after_step,
                        message,
                    });
                }
            }
        }
        found
    }
}

/// The tables of a state, and whether all of them have rows that have some elsewhere.
struct Place<'a> {
    tables: &'a Tables,
    complete: bool,
}

/// Runs a query with one list of values after the other, until it succeeds.
async fn away(
    client: &Client,
    statements: &[SavedStatement],
    uses: &Uses,
    place: &Place<'_>,
    aside: &Aside,
    until: Instant,
) -> Result<Away, Error> {
    let mut refusals = Vec::new();
    for (list, statement) in statements.iter().enumerate() {
        if Instant::now() > until {
            return Ok(Away::Nothing);
        }
        match run(client, statement, aside).await? {
            Ended::Done(_) => return Ok(Away::Runs),
            Ended::Nothing => return Ok(Away::Nothing),
            Ended::Failed(refused) => {
                let sure = certain(&refused, statement.parameters.len(), uses, place.tables, place.complete);
                refusals.push((list, refused, sure));
            }
        }
    }
    Ok(Away::Fails(refusals))
}
