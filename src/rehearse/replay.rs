//! Recordings played again at every state where their version must live: what PREPARE cannot see, because rows decide it.
//!
//! A recording is played in its order within one transaction that is taken back, so that its later transactions find the rows of its earlier
//! ones. Each statement has a savepoint, so that one that fails hides none behind it. A statement counts only if it succeeds on the schema of
//! its own version, twice: what a clock, a random value or another session decides shows nothing.
//!
//! Who rehearses is the owner of everything, and row security does not bind owners. So where a table has it, the recording is also played as
//! a role that may do everything and owns nothing. Whether the application is such a role in production is not known: what fails then is
//! told and is no break.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_util::future::join;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error};

use crate::compat::matrix::{Cell, Failure, Matrix, State};
use crate::postgres::server_message;
use crate::side::Side;
use crate::workload::{Act, Play, SavedStatement, Workload};

/// For one statement, in milliseconds.
const STATEMENT_TIMEOUT: u32 = 10_000;

/// For a recording at one state; what comes later is not played there.
const PLAYING_TIME: Duration = Duration::from_secs(120);

/// What was made of the recording of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Whose.
    pub version: Side,
    /// How many transactions it holds.
    pub transactions: usize,
    /// How many statements.
    pub statements: usize,
    /// How many of them succeed on the schema of their own version and were held against that at every other state.
    pub compared: usize,
    /// How many fail on the schema of their own version: they need values that are made anew each time, or another session.
    pub unfit: usize,
    /// How many fail at another state and belong to none of the queries, with the ends of transactions.
    pub stray: usize,
    /// How many were left out, by the reason.
    pub left_out: BTreeMap<String, usize>,
    /// How many were not played at all states: there was no time.
    pub cut: usize,
    /// The names of queries that ran at every state.
    pub queries: BTreeSet<String>,
}

/// What became of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// It ran, on so many rows.
    Done(u64),
    /// The server refused it.
    Failed(Refused),
    /// Nothing that shows anything.
    Nothing,
}

/// Why the server refused a statement, and what it says that this is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Refused {
    /// In words, with the SQLSTATE.
    pub(super) message: String,
    /// The SQLSTATE.
    pub(super) code: String,
    pub(super) table: Option<String>,
    pub(super) column: Option<String>,
    pub(super) constraint: Option<String>,
    pub(super) data_type: Option<String>,
    /// The number of the parameter whose value is none of its type, since PostgreSQL 14.
    pub(super) parameter: Option<usize>,
}

impl Refused {
    /// With these words.
    pub(super) fn saying(message: &str) -> Self {
        Self { message: message.to_owned(), ..Self::default() }
    }
}

/// Plays the recording of one version.
pub(super) struct Player<'a> {
    version: Side,
    workload: &'a Workload,
    plays: Vec<Play<'a>>,
    /// Each time that it was played.
    played: Vec<Played>,
}

/// What became of a recording at a state.
struct Played {
    state: usize,
    role: Role,
    outcomes: Vec<Ended>,
}

/// Who plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Who rehearses.
    Owner,
    /// Somebody who may do everything, and whom row security binds.
    Bound,
}

impl<'a> Player<'a> {
    /// `None`: the version has no recording with values.
    pub(super) fn new(version: Side, workload: &'a Workload) -> Option<Self> {
        let plays = workload.playback();
        (!plays.is_empty()).then_some(Self { version, workload, plays, played: Vec::new() })
    }

    /// Whose it is.
    pub(super) fn version(&self) -> Side {
        self.version
    }

    /// Plays it at a state.
    pub(super) async fn play(&mut self, client: &Client, state: usize, last: bool) -> Result<(), Error> {
        let home = match self.version {
            Side::Blue => state == 0,
            Side::Green => last,
        };
        // Twice where it is what others are held against, by both, for nobody knows yet what is to come.
        let roles: &[Role] = match (home, row_security(client).await?) {
            (true, _) => &[Role::Owner, Role::Owner, Role::Bound, Role::Bound],
            (false, true) => &[Role::Owner, Role::Bound],
            (false, false) => &[Role::Owner],
        };
        for role in roles {
            if let Some(outcomes) = play(client, &self.plays, *role).await? {
                self.played.push(Played { state, role: *role, outcomes });
            }
        }
        Ok(())
    }

    /// Holds every state against the version's own, and says so in the matrix.
    pub(super) fn judge(&self, matrix: &mut Matrix) -> Replayed {
        let home = match self.version {
            Side::Blue => 0,
            Side::Green => matrix.states.len().saturating_sub(1),
        };
        let references = |role: Role| -> Vec<Reference> {
            let at_home: Vec<_> = self.played.iter().filter(|of| of.state == home && of.role == role).collect();
            (0..self.plays.len()).map(|play| reference(at_home.iter().map(|of| &of.outcomes[play]))).collect()
        };
        let (owner, bound) = (references(Role::Owner), references(Role::Bound));
        // The owner's come first, and what they say of a query at a state stands.
        let mut told = BTreeSet::new();
        for of in self.played.iter().filter(|of| of.state != home) {
            let references = if of.role == Role::Owner { &owner } else { &bound };
            for (query, said) in self.judge_state(references, &of.outcomes) {
                let row = self.row(matrix, query).filter(|_| told.insert((of.state, query)));
                let (Some(row), states) = (row, matrix.states.len()) else { continue };
                let said = if of.role == Role::Owner { said } else { said.bound() };
                matrix.rows[row].amend(states, |at, cell| if at == of.state { said.on(cell) } else { None });
            }
        }
        self.summary(&owner, &matrix.states)
    }

    /// The row of a query.
    fn row(&self, matrix: &Matrix, query: usize) -> Option<usize> {
        let name = &self.workload.queries[query].name;
        matrix.rows.iter().position(|row| row.version == self.version && row.query == *name)
    }

    /// What the outcomes at a state say of queries; of each the most serious.
    fn judge_state(&self, references: &[Reference], outcomes: &[Ended]) -> BTreeMap<usize, Said> {
        let mut said: BTreeMap<usize, Said> = BTreeMap::new();
        let mut broken: Option<&str> = None;
        for ((play, reference), outcome) in self.plays.iter().zip(references).zip(outcomes) {
            let failed = match (reference, outcome) {
                (Reference::Runs(_), Ended::Failed(refused)) => Some(&refused.message),
                _ => None,
            };
            let name = play.query.map(|query| (query, self.workload.queries[query].name.as_str()));
            match (name, failed, reference, outcome) {
                (name, Some(message), _, _) => {
                    let played = match play.act {
                        Act::Commit(_) => "when the end of its transaction was played again",
                        _ => "when it was played again",
                    };
                    let after = broken.filter(|first| name.is_none_or(|(_, name)| name != *first));
                    let after = after.map_or(String::new(), |first| format!("; {first} had failed before"));
                    if let Some((query, _)) = name {
                        let message = format!("{message}, {played}{after}");
                        if !matches!(said.get(&query), Some(Said::Fails(_))) {
                            said.insert(query, Said::Fails(message));
                        }
                    }
                    broken = broken.or(name.map(|(_, name)| name).or(Some("a statement that is none of the queries")));
                }
                // Behind a statement that failed, other rows are no wonder.
                (Some((query, _)), None, Reference::Runs(Some(rows)), Ended::Done(other))
                    if rows != other && broken.is_none() =>
                {
                    said.entry(query).or_insert_with(|| Said::Touches { rows: *other, at_home: *rows });
                }
                _ => {}
            }
        }
        said
    }

    /// What fails where the version lives and is none of its queries; behind a query that failed it is a consequence.
    fn stray(&self, references: &[Reference]) -> usize {
        let mut found = BTreeSet::new();
        for of in self.played.iter().filter(|of| of.role == Role::Owner) {
            let plays = self.plays.iter().zip(references).zip(&of.outcomes).enumerate();
            for (i, ((play, reference), outcome)) in plays {
                if matches!((reference, outcome), (Reference::Runs(_), Ended::Failed(_))) {
                    if play.query.is_some() {
                        break;
                    }
                    found.insert(i);
                }
            }
        }
        found.len()
    }

    fn summary(&self, references: &[Reference], states: &[State]) -> Replayed {
        let mut found = Replayed {
            version: self.version,
            transactions: self.workload.transactions.len(),
            statements: 0,
            compared: 0,
            unfit: 0,
            stray: 0,
            left_out: BTreeMap::new(),
            cut: 0,
            queries: BTreeSet::new(),
        };
        found.stray = self.stray(references);
        let lives = states.iter().filter(|state| state.lives(self.version)).count();
        for (i, (play, reference)) in self.plays.iter().zip(references).enumerate() {
            if matches!(play.act, Act::Begin | Act::Commit(_) | Act::Rollback) {
                continue;
            }
            found.statements += 1;
            let ran = |of: &&Played| of.role == Role::Owner && of.outcomes[i] != Ended::Nothing;
            let played = self.played.iter().filter(ran).count();
            match (&play.act, reference) {
                (Act::LeaveOut(reason), _) => *found.left_out.entry((*reason).to_owned()).or_default() += 1,
                // The own schema twice.
                (Act::Run(_), Reference::Runs(_)) if played < lives + 1 => found.cut += 1,
                (Act::Run(_), Reference::Runs(_)) => {
                    found.compared += 1;
                    found.queries.extend(play.query.map(|query| self.workload.queries[query].name.clone()));
                }
                (Act::Run(_), Reference::Refused) => found.unfit += 1,
                (Act::Run(_), Reference::Unknown) => found.cut += 1,
                _ => {}
            }
        }
        found
    }
}

/// What a statement does on the schema of its own version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    /// It runs, on so many rows where that is the same each time.
    Runs(Option<u64>),
    /// It does not, or not always.
    Refused,
    /// It was not played.
    Unknown,
}

pub(super) fn reference<'o>(outcomes: impl Iterator<Item = &'o Ended>) -> Reference {
    let mut found = Reference::Unknown;
    for outcome in outcomes {
        found = match (outcome, found) {
            (Ended::Done(rows), Reference::Unknown) => Reference::Runs(Some(*rows)),
            (Ended::Done(rows), Reference::Runs(Some(before))) if *rows == before => found,
            (Ended::Done(_), Reference::Runs(_)) => Reference::Runs(None),
            (Ended::Failed(_), _) | (_, Reference::Refused) => return Reference::Refused,
            (Ended::Nothing, _) => return Reference::Unknown,
        };
    }
    found
}

/// What playing says of a query at a state.
enum Said {
    Fails(String),
    Touches {
        rows: u64,
        at_home: u64,
    },
    /// It works for an owner, and otherwise for others.
    Others(String),
}

impl Said {
    /// The same of a role that row security binds.
    fn bound(self) -> Self {
        let who = "for a role that row security binds";
        Self::Others(match self {
            Self::Fails(message) => format!("{who}: fails, {message}"),
            Self::Touches { rows, at_home } => format!("{who}: {}", touches(rows, at_home)),
            Self::Others(what) => what,
        })
    }

    /// What a query is that prepared as this.
    fn on(&self, cell: &Cell) -> Option<Cell> {
        match (self, cell) {
            (_, Cell::Fails(_)) => None,
            (Self::Fails(message), _) => Some(Cell::Fails(Failure::running(&**message))),
            (Self::Touches { rows, at_home }, Cell::Works(contract)) => {
                Some(Cell::Works(format!("{contract}; {}", touches(*rows, *at_home))))
            }
            (Self::Others(what), Cell::Works(contract)) => Some(Cell::Works(format!("{contract}; {what}"))),
            (Self::Touches { .. } | Self::Others(_), Cell::Unknown(_)) => None,
        }
    }
}

fn touches(rows: u64, at_home: u64) -> String {
    let rows = if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
    format!("played again, {rows} instead of {at_home}")
}

/// Plays everything and takes it back, the sequences too, which no transaction holds. `None`: there can be no such role here.
async fn play(client: &Client, plays: &[Play<'_>], role: Role) -> Result<Option<Vec<Ended>>, Error> {
    let aside = Aside::begin(client, STATEMENT_TIMEOUT).await?;
    let mut begin = BEGIN.to_owned();
    if role == Role::Bound {
        match bound_role(client).await {
            // The recording may have put on another.
            Ok(name) => begin = format!("{begin}; SET LOCAL ROLE {name}"),
            Err(error) => {
                refused(client, error).await?;
                aside.end(client).await?;
                return Ok(None);
            }
        }
    }
    let begun = Instant::now();
    let mut outcomes = Vec::with_capacity(plays.len());
    for play in plays {
        // What is begun is ended, so that the transactions of the recording stay whole.
        let late = begun.elapsed() > PLAYING_TIME && matches!(play.act, Act::Run(_) | Act::Savepoint(_));
        outcomes.push(match late {
            true => Ended::Nothing,
            false => act(client, &play.act, &begin, aside.deferred.as_deref()).await?,
        });
    }
    aside.end(client).await?;
    Ok(Some(outcomes))
}

/// A transaction that is taken back, and the sequences with it.
pub(super) struct Aside {
    sequences: String,
    /// The constraints that wait for the end of a transaction, as a list; `None`: none can.
    pub(super) deferred: Option<String>,
}

impl Aside {
    /// Begins it. A statement in it may take so many milliseconds.
    pub(super) async fn begin(client: &Client, timeout: u32) -> Result<Self, Error> {
        let aside = Self { sequences: sequences(client).await?, deferred: deferred(client).await? };
        client.batch_execute(&format!("BEGIN; SET LOCAL statement_timeout = {timeout}")).await?;
        Ok(aside)
    }

    /// Takes it back.
    pub(super) async fn end(self, client: &Client) -> Result<(), Error> {
        client.batch_execute("ROLLBACK").await?;
        match self.sequences.is_empty() {
            true => Ok(()),
            false => client.batch_execute(&self.sequences).await,
        }
    }
}

/// What begins a transaction of a recording.
pub(super) const BEGIN: &str = "SAVEPOINT cutover_transaction";

/// Does one thing of a recording.
pub(super) async fn act(client: &Client, act: &Act<'_>, begin: &str, deferred: Option<&str>) -> Result<Ended, Error> {
    match act {
        Act::Begin => client.batch_execute(begin).await?,
        Act::LeaveOut(_) => {}
        Act::Run(statement) => return run(client, statement).await,
        Act::Savepoint(text) => {
            if let Err(error) = client.batch_execute(text).await {
                refused(client, error).await?;
                client.batch_execute("ROLLBACK TO SAVEPOINT cutover_transaction").await?;
            }
        }
        Act::Rollback => {
            client
                .batch_execute("ROLLBACK TO SAVEPOINT cutover_transaction; RELEASE SAVEPOINT cutover_transaction")
                .await?;
        }
        Act::Commit(resets) => {
            // What is checked at the end of a transaction is checked here, for there is no end.
            let checked = match deferred {
                None => Ended::Done(0),
                Some(deferred) => match client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await {
                    Ok(()) => {
                        if !deferred.is_empty() {
                            run(client, &command(format!("SET CONSTRAINTS {deferred} DEFERRED"))).await?;
                        }
                        Ended::Done(0)
                    }
                    Err(error) => {
                        let outcome = refused(client, error).await?;
                        client.batch_execute("ROLLBACK TO SAVEPOINT cutover_transaction").await?;
                        outcome
                    }
                },
            };
            for reset in resets {
                run(client, &command(reset.clone())).await?;
            }
            client.batch_execute("RELEASE SAVEPOINT cutover_transaction").await?;
            return Ok(checked);
        }
    }
    Ok(Ended::Nothing)
}

fn command(text: String) -> SavedStatement {
    SavedStatement { text, parameters: Vec::new() }
}

async fn run(client: &Client, statement: &SavedStatement) -> Result<Ended, Error> {
    let values: Vec<_> = statement.parameters.iter().map(|value| AsText(value.as_deref())).collect();
    let typed: Vec<(&(dyn ToSql + Sync), Type)> =
        values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::UNKNOWN)).collect();
    // Both are sent at once.
    let savepoint = client.batch_execute("SAVEPOINT cutover_statement");
    let (set, ran) = join(savepoint, client.execute_typed(&statement.text, &typed)).await;
    set?;
    match ran {
        Ok(rows) => {
            client.batch_execute("RELEASE SAVEPOINT cutover_statement").await?;
            Ok(Ended::Done(rows))
        }
        Err(error) => {
            let outcome = refused(client, error).await?;
            let undo = "ROLLBACK TO SAVEPOINT cutover_statement; RELEASE SAVEPOINT cutover_statement";
            client.batch_execute(undo).await?;
            Ok(outcome)
        }
    }
}

/// What an error says; one that ends the session is handed on.
pub(super) async fn refused(client: &Client, error: Error) -> Result<Ended, Error> {
    if client.is_closed() {
        return Err(error);
    }
    // A server that is slow for a moment refuses nothing.
    let slow = error.code() == Some(&SqlState::QUERY_CANCELED);
    let own = |text: Option<&str>| text.map(str::to_owned);
    let db = error.as_db_error();
    let refused = || Refused {
        message: server_message(&error),
        code: db.map(|db| db.code().code().to_owned()).unwrap_or_default(),
        table: db.and_then(|db| own(db.table())),
        column: db.and_then(|db| own(db.column())),
        constraint: db.and_then(|db| own(db.constraint())),
        data_type: db.and_then(|db| own(db.datatype())),
        parameter: db.and_then(|db| parameter(db.where_()?)),
    };
    Ok(if slow { Ended::Nothing } else { Ended::Failed(refused()) })
}

/// The number in `unnamed portal parameter $3 = '…'`.
fn parameter(place: &str) -> Option<usize> {
    let (_, rest) = place.split_once("parameter $")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Whether any table has row security.
async fn row_security(client: &Client) -> Result<bool, Error> {
    let any = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relrowsecurity)";
    Ok(client.query_one(any, &[]).await?.get(0))
}

/// Makes a role that is gone with the transaction, and says its name.
async fn bound_role(client: &Client) -> Result<String, Error> {
    let pid: i32 = client.query_one("SELECT pg_catalog.pg_backend_pid()", &[]).await?.get(0);
    let name = format!("cutover_replay_{pid}");
    let grants = format!(
        "CREATE ROLE {name};
         DO $cutover$ DECLARE own pg_catalog.text; BEGIN
             FOR own IN SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_namespace n
                        WHERE n.nspname NOT IN ('information_schema', 'cutover') AND n.nspname !~ '^pg_' LOOP
                 EXECUTE 'GRANT USAGE ON SCHEMA ' || own || ' TO {name}';
                 EXECUTE 'GRANT ALL ON ALL TABLES IN SCHEMA ' || own || ' TO {name}';
                 EXECUTE 'GRANT ALL ON ALL SEQUENCES IN SCHEMA ' || own || ' TO {name}';
             END LOOP;
         END $cutover$"
    );
    client.batch_execute(&grants).await?;
    // Who may make a role need not be one that can put it on.
    client.batch_execute(&format!("SET LOCAL ROLE {name}; RESET ROLE")).await?;
    Ok(name)
}

/// Statements that set all sequences to where they are.
async fn sequences(client: &Client) -> Result<String, Error> {
    let names = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.relkind = 'S' AND NOT pg_catalog.pg_is_other_temp_schema(n.oid)";
    let names: Vec<String> = client.query(names, &[]).await?.iter().map(|row| row.get(0)).collect();
    if names.is_empty() {
        return Ok(String::new());
    }
    let look = |name: &String| {
        let literal = name.replace('\'', "''");
        format!(
            "SELECT pg_catalog.format('SELECT pg_catalog.setval(%L, %s, %L)', '{literal}', last_value, is_called) FROM {name}"
        )
    };
    let looks: Vec<_> = names.iter().map(look).collect();
    let rows = client.query(&looks.join(" UNION ALL "), &[]).await?;
    Ok(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("; "))
}

/// The constraints that are checked at the end of a transaction unless it says otherwise, as a list; `None`: none can be.
async fn deferred(client: &Client) -> Result<Option<String>, Error> {
    let names = "SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, o.conname), o.condeferred FROM pg_catalog.pg_constraint o
                 JOIN pg_catalog.pg_namespace n ON n.oid = o.connamespace WHERE o.condeferrable";
    let rows = client.query(names, &[]).await?;
    let deferred: Vec<String> = rows.iter().filter(|row| row.get(1)).map(|row| row.get(0)).collect();
    Ok((!rows.is_empty()).then(|| deferred.join(", ")))
}

/// A value of any type, as a log writes it.
#[derive(Debug)]
pub(super) struct AsText<'a>(pub(super) Option<&'a str>);

impl ToSql for AsText<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let Some(text) = self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_succeeds_every_time_is_a_reference() {
        let failed = || Ended::Failed(Refused::saying("no"));
        let check =
            |outcomes: &[Ended], expected: Reference| assert_eq!(reference(outcomes.iter()), expected, "{outcomes:?}");
        check(&[Ended::Done(2), Ended::Done(2)], Reference::Runs(Some(2)));
        check(&[Ended::Done(2), Ended::Done(3)], Reference::Runs(None));
        check(&[Ended::Done(2), failed()], Reference::Refused);
        check(&[failed(), Ended::Done(2)], Reference::Refused);
        check(&[Ended::Done(2), Ended::Nothing], Reference::Unknown);
        check(&[], Reference::Unknown);
    }
}
