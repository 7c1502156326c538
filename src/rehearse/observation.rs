//! What the statements of a release that cannot be read do, seen on a throwaway server: the migrations that production has, then the
//! pending ones in the files' order, with a look at the catalog around each statement that the text does not explain.

use super::error::RehearsalError;
use super::terms::Terms;
use super::trial::{Met, Roles, Trial};
use crate::effect::{Effect, Hazard, LockMode};
use crate::migrations::{Folder, Migration, Pending};
use crate::plan::{Observed, ObservedEffects, is_opaque};
use crate::postgres::observe::{Cost, Observation, ObserveError, StatementObserver};
use crate::postgres::throwaway::{Throwaway, ThrowawayError};
use crate::postgres::{Session, connect, introspect};
use crate::schema::{Object, Patch, Schema};
use crate::sql::{self, Operation, Statement};

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The schema before the release, where the applied migrations alone do not tell it.
    pub base: Option<Schema>,
    /// The pending statements that cannot be read.
    pub effects: ObservedEffects,
    /// The place of a pending statement that failed, and what the server said. Nothing after it was observed.
    pub stopped: Option<(String, String)>,
    /// What was done otherwise than the files of production say.
    pub notes: Vec<String>,
}

/// Whether a release has statements that only a server can explain.
pub fn is_needed(folder: &Folder, pending: &Pending) -> bool {
    has_opaque(folder, &pending.applied) || has_opaque(folder, &pending.pending)
}

/// Whether a migration has statements that only a server can explain.
fn has_opaque(folder: &Folder, migrations: &[Migration]) -> bool {
    let opaque = |migration: &Migration| {
        let (statements, _) = folder.statements(migration);
        statements.iter().any(|s| opaque(s) && !sql::only_changes_owner(folder.sources.slice(s.span)))
    };
    migrations.iter().any(opaque)
}

fn opaque(statement: &Statement) -> bool {
    statement.pieces.iter().any(|piece| is_opaque(&piece.operation))
}

/// Runs the release in the files' order on a fresh database.
pub async fn observe(server: &Throwaway, folder: &Folder, pending: &Pending) -> Result<Seen, RehearsalError> {
    observe_on(server, folder, pending, Terms::default()).await
}

/// Runs the release in the files' order on a fresh database, on these terms.
pub async fn observe_on(
    server: &Throwaway,
    folder: &Folder,
    pending: &Pending,
    terms: Terms<'_>,
) -> Result<Seen, RehearsalError> {
    let roles = Roles::look(server).await?;
    roles.spare(folder, &pending.pending)?;
    let (target, mut met) = (server.create_database().await?, roles.met());
    let seen = async {
        let session = connect(&target).await.map_err(ThrowawayError::from)?;
        let seen = walk(&session, server.describe(), folder, pending, terms, &mut met).await;
        // A session that still runs something would not end.
        if matches!(seen, Err(RehearsalError::Limit { .. })) {
            drop(session);
        } else {
            session.close().await;
        }
        seen
    };
    let seen = seen.await;
    roles.forget(&target, &met).await?;
    seen
}

async fn walk(
    session: &Session,
    server: String,
    folder: &Folder,
    pending: &Pending,
    terms: Terms<'_>,
    met: &mut Met,
) -> Result<Seen, RehearsalError> {
    Trial::new(session, folder, terms, met).production(&pending.applied).await?;
    let mut seen = Seen { effects: ObservedEffects::on(server), ..Seen::default() };
    seen.notes = met.notes.iter().cloned().collect();
    if terms.base.is_some() || has_opaque(folder, &pending.applied) {
        seen.base = Some(introspect(session).await?);
    }
    let mut observer = StatementObserver::start(session).await?;
    for migration in &pending.pending {
        let (statements, _) = folder.statements(migration);
        for statement in &statements {
            if statement.pieces.iter().any(|p| matches!(p.operation, Operation::Transaction(_))) {
                continue;
            }
            let before = observer.schema().clone();
            let text = folder.sources.slice(statement.span);
            // Its rows are no part of the schema, and only psql sends them.
            if sql::copies_from_stdin(text) {
                continue;
            }
            met.names_roles(text);
            let watched = tokio::time::timeout(terms.limit, observer.observe(text, statement.transactional)).await;
            let Ok(done) = watched else {
                return Err(RehearsalError::Limit { what: folder.sources.place(statement.span), limit: terms.limit });
            };
            let done = done?;
            if opaque(statement) {
                seen.effects.insert(statement.span, observed(&before, observer.schema(), &done));
            }
            if let Some(message) = done.error {
                seen.stopped = Some((folder.sources.place(statement.span), message));
                return Ok(seen);
            }
        }
        // `SET`s of one file do not reach into the next.
        let reset = session.batch_execute("RESET ALL; RESET SESSION AUTHORIZATION").await;
        reset.map_err(|source| ObserveError::Server { what: "resetting the session", source })?;
    }
    Ok(seen)
}

/// What was seen, as the planner takes it.
pub fn observed(before: &Schema, after: &Schema, done: &Observation) -> Observed {
    let hazard = done.cost.as_ref().map(hazard).unwrap_or_default();
    let reads = done.cost.iter().flat_map(|cost| cost.reads.iter().cloned()).collect();
    let (effect, patch) = (done.effect.clone(), Patch::between(before, after));
    Observed { effect, patch, hazard, reads, unsure: unsure(done) }
}

/// The cost in the planner's words, the strongest lock first.
fn hazard(cost: &Cost) -> Hazard {
    let mut locks = cost.locks.clone();
    locks.sort_by(|a, b| b.mode.cmp(&a.mode).then_with(|| a.relation.cmp(&b.relation)));
    Hazard { locks, rewrite: !cost.rewrites.is_empty(), scan: !cost.scans.is_empty(), ..Hazard::default() }
}

/// Why a statement is not explained by what the catalog shows.
fn unsure(done: &Observation) -> Option<String> {
    if let Some(error) = &done.error {
        return Some(format!("it failed there: {error}"));
    }
    let Some(cost) = &done.cost else {
        return Some("it runs outside a transaction, where its locks cannot be seen".to_owned());
    };
    if !done.elsewhere.is_empty() {
        let catalogs: Vec<_> = done.elsewhere.iter().map(String::as_str).collect();
        return Some(format!("it changes {}, which no capability stands for", catalogs.join(", ")));
    }
    // A throwaway database has no rows that could be seen to change. The lock of a writer shows that it would.
    let written = cost.locks.iter().filter(|lock| lock.mode == LockMode::RowExclusive).map(|lock| &lock.relation);
    let same = |name: &&crate::schema::QName| !done.touched.contains(&Object::Relation((*name).clone()));
    let emptied = cost.rewrites.iter().filter(same);
    let tables: Vec<_> = written.chain(emptied).map(ToString::to_string).collect();
    if tables.is_empty() {
        let idle = done.touched.is_empty() && cost.locks.is_empty() && done.effect == Effect::default();
        return idle.then(|| "it did nothing there, and may find more to do in production".to_owned());
    }
    Some(format!("it writes rows of {}, and which ones depends on the rows there are", tables.join(", ")))
}
