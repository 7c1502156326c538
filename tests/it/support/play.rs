//! A release on a real server, in some order: every query prepared at every schema where its version must live.

use std::collections::BTreeSet;

use cutover::migrations::{Folder, Migration, Pending};
use cutover::plan::saved::{Phase, SavedPlan, Step};
use cutover::plan::{Planned, Request, plan};
use cutover::postgres::{Session, introspect};
use cutover::schema::{QName, Schema};
use cutover::sql::{self, Operation};
use cutover::workload::Workload;

use super::message;

/// What is released.
pub(crate) struct Release {
    pub(crate) folder: Folder,
    pub(crate) pending: Pending,
    pub(crate) blue: Workload,
    pub(crate) green: Workload,
    /// INSERTs of blue, with columns they leave out that may come to demand a value.
    pub(crate) left_out: Vec<(String, Vec<String>)>,
}

impl Release {
    /// The plan for it.
    pub(crate) fn plan(&self) -> Planned {
        let (blue, green) = (Some(&self.blue), Some(&self.green));
        plan(Request { blue, green, ..Request::new(&self.folder, &self.pending) })
    }
}

/// What a version's queries did at a list of schemas.
#[derive(Default)]
pub(crate) struct Run {
    /// Query and message of those that failed where their version must live.
    pub(crate) breaks: Vec<String>,
    /// The schema at the end.
    pub(crate) last: Option<Schema>,
    /// A statement that failed ends the run.
    pub(crate) failed: Option<String>,
}

/// An order of statements, as the server is to see it.
pub(crate) enum Order<'a> {
    /// The plan's.
    Planned(&'a SavedPlan),
    /// The files', only for the schema at the end.
    Straight,
    /// The files', all before the cutover.
    AllBefore,
    /// The files', all after it.
    AllAfter,
}

/// The statements of a migration, but for transaction control.
pub(crate) fn statements(folder: &Folder, migration: &Migration) -> Vec<String> {
    let (statements, _) = sql::read_parts(&folder.sources, &migration.parts);
    let skip = |op: &Operation| matches!(op, Operation::Transaction(_) | Operation::Lock { .. });
    let kept = statements.iter().filter(|s| !s.pieces.iter().any(|p| skip(&p.operation)));
    kept.map(|s| folder.sources.slice(s.span).to_owned()).collect()
}

/// Plays a release.
pub(crate) async fn play(session: &Session, release: &Release, order: &Order<'_>) -> Run {
    let mut run = Run::default();
    if matches!(order, Order::Straight) {
        for sql in release.pending.pending.iter().flat_map(|m| statements(&release.folder, m)) {
            if let Err(message) = execute(session, &[sql]).await {
                run.failed = Some(message);
                return run;
            }
        }
        run.last = Some(introspect(session).await.unwrap());
        return run;
    }
    let blue = working(session, &release.blue).await;
    let all: Vec<String> = release.pending.pending.iter().flat_map(|m| statements(&release.folder, m)).collect();
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
        for (query, message) in failing(session, &release.blue, &blue).await {
            if broken.insert(query.clone()) {
                run.breaks.push(format!("blue {query} after `{}`: {message}", short(step)));
            }
        }
    }
    let overlap = introspect(session).await.unwrap();
    let demanded = |column: &&String| demands_a_value(&overlap, column);
    for (query, columns) in &release.left_out {
        if let Some(column) = columns.iter().find(demanded)
            && broken.insert(format!("{query}.sql"))
        {
            run.breaks.push(format!("blue {query} in the overlap: its INSERT leaves out {column}"));
        }
    }
    // Whether a query is green's own fault is known at the end only.
    let every: BTreeSet<String> = release.green.queries.iter().map(|q| q.name.clone()).collect();
    let mut green = failing(session, &release.green, &every).await;
    for step in &after {
        if let Err(message) = execute(session, step).await {
            run.failed = Some(message);
            return run;
        }
        green.extend(failing(session, &release.green, &every).await);
    }
    let at_home = working(session, &release.green).await;
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
    let own = !step.is_alone();
    let begin = own.then(|| "BEGIN".to_owned());
    let end = own.then(|| "COMMIT".to_owned());
    let statements = step.statements().iter().map(|s| s.sql.clone());
    step.session.iter().cloned().chain(begin).chain(statements).chain(end).collect()
}

async fn execute(session: &Session, commands: &[String]) -> Result<(), String> {
    for sql in commands {
        if let Err(error) = session.batch_execute(sql).await {
            session.batch_execute("ROLLBACK").await.unwrap();
            return Err(format!("{}: `{sql}`", message(&error)));
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
    let failing: BTreeSet<String> =
        failing(session, workload, &every).await.into_iter().map(|(name, _)| name).collect();
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
        FOR i IN 1 .. coalesce(array_length(texts, 1), 0) LOOP
            BEGIN
                EXECUTE 'PREPARE oracle_query AS ' || texts[i];
                DEALLOCATE oracle_query;
            EXCEPTION WHEN OTHERS THEN
                at := i;
                message := SQLERRM;
                RETURN NEXT;
            END;
        END LOOP;
    END $try$";
