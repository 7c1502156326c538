//! A release on a real server: databases that are copies of one that grows with the applied migrations, and every query prepared.

use std::collections::BTreeSet;

use cutover::migrations::{Folder, Migration};
use cutover::plan::saved::{Phase, SavedPlan, Step, Transaction};
use cutover::postgres::{Session, connect, introspect};
use cutover::schema::{QName, Schema};
use cutover::sql::{self, Operation};
use cutover::workload::Workload;

use super::data::Pair;
use crate::support;

/// A database in the state of the applied migrations, copied for every run.
pub(super) struct Base {
    name: String,
    applied: Vec<String>,
    copies: u32,
}

/// What a version's queries did at a list of schemas.
#[derive(Default)]
pub(super) struct Run {
    /// Query and message of those that failed where their version must live.
    pub(super) breaks: Vec<String>,
    /// The schema at the end.
    pub(super) last: Option<Schema>,
    /// A statement that failed ends the run.
    pub(super) failed: Option<String>,
}

/// An order of statements, as the server is to see it.
pub(super) enum Order<'a> {
    /// The plan's.
    Planned(&'a SavedPlan),
    /// The files', only for the schema at the end.
    Straight,
    /// The files', all before the cutover.
    AllBefore,
    /// The files', all after it.
    AllAfter,
}

impl Base {
    pub(super) fn new(project: &str) -> Self {
        let name = format!("oracle_{}", project.replace(|c: char| !c.is_alphanumeric(), "_"));
        Self { name, applied: vec!["nothing yet".into()], copies: 0 }
    }

    /// Brings the original to where the pair begins, from where the pair before it began, if that is on the way.
    async fn advance(&mut self, pair: &Pair) {
        if !pair.applied.starts_with(&self.applied) {
            maintain(&format!("DROP DATABASE IF EXISTS {}", self.name)).await;
            maintain(&format!("CREATE DATABASE {}", self.name)).await;
            self.applied.clear();
        }
        let session = open(&self.name).await;
        for migration in &pair.pending.applied[self.applied.len()..] {
            // Statement by statement; the few that the applications' own runners skip or that need other roles fail for all alike.
            for sql in statements(&pair.folder, migration) {
                let _ = session.batch_execute(&sql).await;
            }
            session.batch_execute("RESET ALL").await.unwrap();
        }
        session.close().await;
        self.applied.clone_from(&pair.applied);
    }

    /// Runs the pair's release in an order on a copy.
    pub(super) async fn run(&mut self, pair: &Pair, order: &Order<'_>) -> Run {
        self.advance(pair).await;
        self.copies += 1;
        let copy = format!("{}_{}", self.name, self.copies);
        maintain(&format!("CREATE DATABASE {copy} TEMPLATE {}", self.name)).await;
        let session = open(&copy).await;
        let run = play(&session, pair, order).await;
        session.close().await;
        maintain(&format!("DROP DATABASE {copy} WITH (FORCE)")).await;
        run
    }
}

async fn maintain(sql: &str) {
    let session = connect(support::server().await.maintenance()).await.unwrap();
    // A session that was closed a moment ago may still be ending.
    while let Err(error) = session.batch_execute(sql).await {
        let busy = error.code() == Some(&tokio_postgres::error::SqlState::OBJECT_IN_USE);
        assert!(busy, "{sql}: {}", support::message(&error));
    }
    session.close().await;
}

async fn open(database: &str) -> Session {
    connect(&support::server().await.maintenance().with_database(database)).await.unwrap()
}

fn statements(folder: &Folder, migration: &Migration) -> Vec<String> {
    let (statements, _) = sql::read(&folder.sources, migration.file);
    let skip = |op: &Operation| matches!(op, Operation::Transaction(_) | Operation::Lock { .. });
    let kept = statements.iter().filter(|s| !s.pieces.iter().any(|p| skip(&p.operation)));
    kept.map(|s| folder.sources.slice(s.span).to_owned()).collect()
}

async fn play(session: &Session, pair: &Pair, order: &Order<'_>) -> Run {
    let mut run = Run::default();
    if matches!(order, Order::Straight) {
        for sql in pair.pending.pending.iter().flat_map(|m| statements(&pair.folder, m)) {
            if let Err(message) = execute(session, &[sql]).await {
                run.failed = Some(message);
                return run;
            }
        }
        run.last = Some(introspect(session).await.unwrap());
        return run;
    }
    let blue = working(session, &pair.blue).await;
    let all: Vec<String> = pair.pending.pending.iter().flat_map(|m| statements(&pair.folder, m)).collect();
    let (before, after): (Vec<Vec<String>>, Vec<Vec<String>>) = match order {
        Order::Planned(plan) => {
            let steps = |phase| plan.steps.iter().filter(move |s: &&Step| s.phase == phase).map(commands).collect();
            (steps(Phase::Before), steps(Phase::After))
        }
        Order::AllBefore | Order::Straight => (all.into_iter().map(|sql| vec![sql]).collect(), Vec::new()),
        Order::AllAfter => (Vec::new(), all.into_iter().map(|sql| vec![sql]).collect()),
    };
    let mut broken = BTreeSet::new();
    for step in &before {
        if let Err(message) = execute(session, step).await {
            run.failed = Some(message);
            return run;
        }
        for (query, message) in failing(session, &pair.blue, &blue).await {
            if broken.insert(query.clone()) {
                run.breaks.push(format!("blue {query} after `{}`: {message}", short(step)));
            }
        }
    }
    let overlap = introspect(session).await.unwrap();
    let demanded = |column: &&String| demands_a_value(&overlap, column);
    for (query, columns) in pair.truth.steps.iter().flat_map(|s| &s.misses_not_null) {
        if let Some(column) = columns.iter().find(demanded)
            && broken.insert(format!("{query}.sql"))
        {
            run.breaks.push(format!("blue {query} in the overlap: its INSERT leaves out {column}"));
        }
    }
    // Whether a query is green's own fault is known at the end only.
    let every: BTreeSet<String> = pair.green.queries.iter().map(|q| q.name.clone()).collect();
    let mut green = failing(session, &pair.green, &every).await;
    for step in &after {
        if let Err(message) = execute(session, step).await {
            run.failed = Some(message);
            return run;
        }
        green.extend(failing(session, &pair.green, &every).await);
    }
    let at_home = working(session, &pair.green).await;
    let mut told = BTreeSet::new();
    green.retain(|(query, _)| at_home.contains(query) && told.insert(query.clone()));
    run.breaks.extend(green.into_iter().map(|(query, message)| format!("green {query} during the overlap: {message}")));
    run.last = Some(introspect(session).await.unwrap());
    run
}

/// Whether an INSERT must give `table.column` a value.
fn demands_a_value(schema: &Schema, column: &str) -> bool {
    let Some((table, column)) = column.rsplit_once('.') else { return false };
    let (schema_name, table) = table.split_once('.').unwrap_or(("public", table));
    let unquoted = |name: &str| name.trim_matches('"').to_owned();
    let relation = schema.relation(&QName::new(unquoted(schema_name), unquoted(table)));
    relation.and_then(|r| r.column(&unquoted(column))).is_some_and(|c| !c.may_be_omitted())
}

fn commands(step: &Step) -> Vec<String> {
    let own = step.transaction == Transaction::Own;
    let begin = own.then(|| "BEGIN".to_owned());
    let end = own.then(|| "COMMIT".to_owned());
    let statements = step.statements.iter().map(|s| s.sql.clone());
    step.session.iter().cloned().chain(begin).chain(statements).chain(end).collect()
}

async fn execute(session: &Session, commands: &[String]) -> Result<(), String> {
    for sql in commands {
        if let Err(error) = session.batch_execute(sql).await {
            session.batch_execute("ROLLBACK").await.unwrap();
            return Err(format!("{}: `{sql}`", support::message(&error)));
        }
    }
    if commands.len() > 1 {
        session.batch_execute("RESET ALL").await.unwrap();
    }
    Ok(())
}

fn short(commands: &[String]) -> String {
    let text = commands.join("; ");
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect()
}

/// The queries that prepare.
async fn working(session: &Session, workload: &Workload) -> BTreeSet<String> {
    let every: BTreeSet<String> = workload.queries.iter().map(|q| q.name.clone()).collect();
    let failing: BTreeSet<String> = failing(session, workload, &every).await.into_iter().map(|(name, _)| name).collect();
    every.difference(&failing).cloned().collect()
}

/// Those of the named queries that do not prepare, and why. One round trip: a function of the session tries each.
async fn failing(session: &Session, workload: &Workload, names: &BTreeSet<String>) -> Vec<(String, String)> {
    let wanted: Vec<_> = workload.queries.iter().filter(|q| names.contains(&q.name)).collect();
    let texts: Vec<&str> = wanted.iter().map(|query| workload.text(query)).collect();
    session.batch_execute(TRY).await.unwrap();
    let answers = session.query("SELECT at, message FROM pg_temp.oracle_try($1::pg_catalog.text[])", &[&texts]).await;
    let named = |row: &tokio_postgres::Row| {
        let at = usize::try_from(row.get::<_, i32>(0)).unwrap();
        (wanted[at - 1].name.clone(), row.get(1))
    };
    answers.unwrap().iter().map(named).collect()
}

const TRY: &str = "CREATE OR REPLACE FUNCTION pg_temp.oracle_try(texts pg_catalog.text[])
    RETURNS TABLE (at pg_catalog.int4, message pg_catalog.text) LANGUAGE plpgsql AS $try$
    BEGIN
        FOR at IN 1 .. coalesce(array_length(texts, 1), 0) LOOP
            BEGIN
                EXECUTE 'PREPARE oracle_query AS ' || texts[at];
                DEALLOCATE oracle_query;
            EXCEPTION WHEN OTHERS THEN
                message := SQLERRM;
                RETURN NEXT;
            END;
        END LOOP;
    END $try$";
