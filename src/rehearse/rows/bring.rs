//! A database with rows: copied, restored, or filled.

use super::{Stage, restore};
use crate::plan::replay;
use crate::postgres::throwaway::{Throwaway, ThrowawayError};
use crate::postgres::{Session, Target, history, introspect};
use crate::rehearse::error::{RehearsalError, Whose};
use crate::rehearse::history::{not_of_tools, record};
use crate::rehearse::terms::{RowBase, RowSource, Terms};
use crate::rehearse::trial::{Met, Trial};

/// The database: a copy, or an empty one.
pub(super) async fn database(server: &Throwaway, rows: RowSource<'_>) -> Result<Target, ThrowawayError> {
    match rows.base {
        Some(RowBase::Template(template)) => server.copy_database(template).await,
        Some(RowBase::Dump(_) | RowBase::Archive { .. }) | None => server.create_database().await,
    }
}

/// Brings the rows into it; says where it is another database than the files of production make.
pub(super) async fn rows(
    session: &Session,
    target: &Target,
    Stage { script, rows, terms, .. }: Stage<'_>,
    met: &mut Met,
) -> Result<Vec<String>, RehearsalError> {
    // Without rows there would be nothing to try.
    let terms = Terms { skip_data: false, ..terms };
    match rows.base {
        None => Trial::new(session, script.folder, terms, met).production(script.applied).await?,
        Some(RowBase::Template(_)) => {}
        Some(RowBase::Dump(dump)) => {
            Trial::new(session, script.folder, terms, met).run(std::slice::from_ref(dump), Whose::Dump).await?;
        }
        Some(RowBase::Archive { path, pg_restore }) => {
            restore::archive(session, target, path, pg_restore, terms, met).await?;
        }
    }
    if rows.base.is_none() {
        record(session, script.folder, script.applied).await?;
    } else if history::locate(session, history::place(&script.plan.migrations)).await?.is_none() {
        let from = script.plan.migrations.from.as_deref().unwrap_or("the beginning");
        let what = rows.describe();
        met.notes.insert(format!("{what}: it holds no history of {}; taken to be at {from}", script.folder.convention));
        record(session, script.folder, script.applied).await?;
    }
    for migration in script.pending {
        for statement in script.folder.statements(migration).0 {
            met.names_roles(script.folder.sources.slice(statement.span));
        }
    }
    for server in cut_off(session).await.map_err(RehearsalError::measuring)? {
        met.notes.insert(format!(
            "{}: what leads to the foreign server {server} was taken from the copy, so that nothing outside is reached",
            rows.describe()
        ));
    }
    let mut drift = Vec::new();
    if rows.base.is_some() {
        let base = terms.base.map(std::slice::from_ref).unwrap_or(script.applied);
        drift = not_of_tools(replay(script.folder, base).0.differences(&introspect(session).await?));
    }
    Trial::new(session, script.folder, terms, met).run(rows.seeds, Whose::Seed).await?;
    // A copy has what production's ANALYZE saw.
    if !matches!((rows.base, rows.seeds), (Some(RowBase::Template(_)), [])) {
        let analyzed = tokio::time::timeout(terms.limit, session.batch_execute("ANALYZE")).await;
        let Ok(analyzed) = analyzed else {
            return Err(RehearsalError::Limit { what: "ANALYZE".to_owned(), limit: terms.limit });
        };
        analyzed.map_err(RehearsalError::measuring)?;
    }
    Ok(drift)
}

/// Drops the user mappings of foreign servers, without which nobody gets there; says of which.
async fn cut_off(session: &Session) -> Result<Vec<String>, tokio_postgres::Error> {
    let query = "SELECT m.srvname::pg_catalog.text, pg_catalog.format('DROP USER MAPPING FOR %s SERVER %I',
             CASE WHEN m.umuser = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(m.usename) END, m.srvname)
         FROM pg_catalog.pg_user_mappings m ORDER BY m.srvname";
    let mut servers = Vec::new();
    for row in session.query(query, &[]).await? {
        session.batch_execute(row.get(1)).await?;
        servers.push(row.get(0));
    }
    servers.dedup();
    Ok(servers)
}
