//! What must hold before anything is done.

use std::collections::BTreeSet;

use crate::postgres::Session;

use super::begun::status_of;
use super::error::{ExecuteError, ServerUnfit, Stale};
use super::session::{failed, get, server_time};
use super::status::Status;
use super::{journal, relations};
use crate::plan::saved::{Phase, SavedPlan};
use crate::postgres::{history, pooler, survey};

/// Whether the connection is one session of the server's. Comes before everything: a setting or a lock would stay with the pooler.
pub(super) async fn one_session(client: &Session) -> Result<(), ExecuteError> {
    match pooler::gives_itself_away(client).await {
        Some(why) => Err(ServerUnfit::Pooler(why).into()),
        None => Ok(()),
    }
}

/// Whether the server can hold a journal at all. Comes before the lease.
pub(super) async fn server(client: &Session) -> Result<(), ExecuteError> {
    let query = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
             pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(),
             pg_catalog.current_setting('transaction_read_only') = 'on',
             pg_catalog.to_regnamespace('cutover') IS NOT NULL
               OR pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
             current_user::pg_catalog.text, pg_catalog.current_database()::pg_catalog.text";
    let row = client.query_one(query, &[]).await.map_err(failed("looking at the server"))?;
    if get::<i32>(&row, 0)? < 130_000 {
        return Err(ServerUnfit::Version { found: get(&row, 1)? }.into());
    }
    if get(&row, 2)? {
        return Err(ServerUnfit::Recovery.into());
    }
    if get(&row, 3)? {
        return Err(ServerUnfit::ReadOnly.into());
    }
    if !get::<bool>(&row, 4)? {
        return Err(ServerUnfit::NoSchema { role: get(&row, 5)?, database: get(&row, 6)? }.into());
    }
    Ok(())
}

/// Whether the database is where the plan begins, by what it holds and not by what was said when the plan was made. Gives what was accepted
/// without being confirmed.
pub(super) async fn base(client: &Session, plan: &SavedPlan, accept: bool) -> Result<Option<String>, ExecuteError> {
    match unconfirmed(client, plan).await? {
        Some(why) if !accept => Err(Stale::Unconfirmed(why).into()),
        why => Ok(why),
    }
}

/// Why it is not known that the database is where the plan begins.
async fn unconfirmed(client: &Session, plan: &SavedPlan) -> Result<Option<String>, ExecuteError> {
    let migrations = &plan.migrations;
    let convention = migrations.convention;
    let has_own = history::locate(client, history::place(migrations)).await?.is_some();
    // What it recorded itself counts as well.
    if has_own || !history::applied_at(client, history::place(migrations)).await?.is_empty() {
        return Ok(None);
    }
    let survey = survey::survey(client).await.map_err(failed("looking for the histories of other tools"))?;
    if let Some(others) = survey.others_in_words(convention) {
        return Ok(Some(format!("the plan takes the folder for {convention}'s, and the database holds {others}")));
    }
    if !migrations.alike.is_empty() {
        let others: Vec<&str> = migrations.alike.iter().map(|other| other.name()).collect();
        return Ok(Some(format!(
            "the names of the files fit {convention} and {} alike, and the database holds no history of either",
            others.join(", ")
        )));
    }
    if !convention.records_here() || migrations.applied.is_empty() {
        return Ok(None);
    }
    if plan.schema.relations.is_empty() {
        return Ok(Some(format!(
            "the plan says that {} is applied, and neither a history nor a relation of the schema shows it",
            migrations.from.as_deref().unwrap_or("a migration")
        )));
    }
    relations::differing(client, &plan.schema.relations).await
}

/// Whether the world is as the journal left it: the team's history, and the relations of the plan.
pub(super) async fn world(client: &Session, plan: &SavedPlan, status: &Status) -> Result<(), ExecuteError> {
    history(client, plan, status).await?;
    relations::unchanged(client, plan, status).await
}

/// The migrations, by their keys, that are applied by what the plan began with and its steps have completed.
pub(super) fn accounted_for(plan: &SavedPlan, status: &Status) -> BTreeSet<String> {
    let applied = plan.migrations.applied.iter().map(|migration| &migration.version);
    let done = plan.steps.iter().filter(|step| status.is_done(step.id)).flat_map(|step| &step.completes);
    let before = plan.continues.iter().flat_map(|continues| &continues.complete);
    applied.chain(done).chain(before).map(|version| plan.migrations.convention.version_key(version)).collect()
}

/// Whether the team's history is what the plan and the journal say together.
pub(super) async fn history(client: &Session, plan: &SavedPlan, status: &Status) -> Result<(), ExecuteError> {
    let convention = plan.migrations.convention;
    let key = |version: &str| convention.version_key(version);
    let mut recorded: BTreeSet<String> = history::recorded(client, &plan.migrations).await?.into_iter().collect();
    // What runs whenever it changes has run before.
    recorded.retain(|version| {
        let runs_again = || plan.migrations.pending.iter().any(|m| key(&m.version) == *version);
        !convention.is_repeatable(version) || !runs_again()
    });
    // No history of the tool's, on a database that this one has never seen: there is nothing to hold against the plan's `--from` but the schema,
    // which was compared ([`base`]). It is recorded as the baseline when the release begins.
    if convention.records_here() && recorded.is_empty() && status.done() == 0 {
        return Ok(());
    }
    let expected = accounted_for(plan, status);
    let name = || convention.name().to_owned();
    if let Some(missing) = plan.migrations.applied.iter().find(|m| !recorded.contains(&key(&m.version))) {
        return Err(Stale::NotApplied { version: missing.version.clone(), convention: name() }.into());
    }
    if let Some(early) = plan.migrations.pending.iter().find(|m| {
        let key = key(&m.version);
        recorded.contains(&key) && !expected.contains(&key)
    }) {
        return Err(Stale::AlreadyApplied { version: early.version.clone(), convention: name() }.into());
    }
    match recorded.difference(&expected).next() {
        Some(version) => Err(Stale::UnknownApplied { version: version.clone(), convention: name() }.into()),
        None => Ok(()),
    }
}

/// Sees that a release that has something to do before the cutover may do it now. One that was begun, or may not begin for another, is told that.
pub(super) async fn its_time(client: &Session, plan: &SavedPlan) -> Result<(), ExecuteError> {
    let times = plan.times(Phase::Before);
    if times.is_empty() || plan.phase(Phase::Before).next().is_none() {
        return Ok(());
    }
    if journal::is_there(client).await? {
        let is_begun = journal::find_release(client, &plan.digest).await?.is_some();
        let latest = journal::latest_release(client).await?;
        let status = match latest.filter(|_| !is_begun) {
            Some(latest) => Some(status_of(client, &latest.id).await?),
            None => None,
        };
        if is_begun || status.is_some_and(|status| !status.is_over()) {
            return Ok(());
        }
    }
    match times.opens(server_time(client).await?) {
        None => Ok(()),
        Some(opens) => Err(ExecuteError::TooEarly { opens }),
    }
}
