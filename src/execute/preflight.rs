//! What must hold before anything is done.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use super::error::{ExecuteError, ServerUnfit, Stale};
use super::session::{failed, get};
use super::status::Status;
use crate::plan::saved::SavedPlan;
use crate::postgres::history::{self, version_key};

/// Whether the server can hold a journal at all. Comes before the lease.
pub(super) async fn server(client: &Client) -> Result<(), ExecuteError> {
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

/// Whether the team's history is what the plan and the journal say together.
pub(super) async fn history(client: &Client, plan: &SavedPlan, status: &Status) -> Result<(), ExecuteError> {
    let convention = plan.migrations.convention;
    let key = |version: &str| version_key(convention, version);
    let recorded: BTreeSet<String> = history::recorded(client, &plan.migrations).await?.into_iter().collect();
    // No history of the tool's, on a database that this one has never seen: there is no history to hold against the plan's `--from`. It is believed,
    // and recorded as the baseline when the release begins.
    if convention.records_here() && recorded.is_empty() && status.done.is_empty() {
        return Ok(());
    }
    let mut expected: BTreeSet<String> = plan.migrations.applied.iter().map(|m| key(&m.version)).collect();
    let name = || convention.name().to_owned();
    if let Some(missing) = plan.migrations.applied.iter().find(|m| !recorded.contains(&key(&m.version))) {
        return Err(Stale::NotApplied { version: missing.version.clone(), convention: name() }.into());
    }
    let done = plan.steps.iter().filter(|step| status.done.contains(&step.id));
    expected.extend(done.flat_map(|step| &step.completes).map(|version| key(version)));
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
