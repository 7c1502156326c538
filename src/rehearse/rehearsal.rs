//! The whole release on a throwaway server: base migrations, then the plan through the real executor with simulated traffic, every query of
//! both versions prepared at every state, and what was recorded of them played again.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use super::error::{RehearsalError, Whose, shown};
use super::fresh::Difference;
use super::history::{not_of_tools, record};
use super::overlap::{self, Overlap};
use super::replay::Replayed;
use super::rows::{RealRows, Stage};
use super::run::run;
use super::synthetic::{Base, Ends, Improviser, Synthetic};
use super::terms::{Script, Terms};
use super::trial::{Met, Roles, Trial};
use super::watcher::Watcher;
use crate::compat::Disagreement;
use crate::compat::matrix::{Break, Cell, Failure, Matrix, QueryRow};
use crate::effect::PgVersion;
use crate::execute::{Event, Stop};
use crate::migrations::{Folder, Migration};
use crate::plan::replay;
use crate::postgres::inventory::{Inventory, inventory};
use crate::postgres::throwaway::{Throwaway, ThrowawayError};
use crate::postgres::{Target, connect, introspect};
use crate::schema::Schema;
use crate::side::Side;
use crate::sql::operation::Operation;
use crate::workload::Workload;

/// What a rehearsal showed.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// Which server it was.
    pub server: String,
    /// Every query at every state.
    pub matrix: Matrix,
    /// What was made of the recordings; one a version that has one.
    pub replayed: Vec<Replayed>,
    /// What was made of synthetic rows; one a version that has queries and no recording.
    pub synthetic: Vec<Synthetic>,
    /// What became of the rows that the versions write in the overlap; one a version that writes any, and has queries and no recording.
    pub overlaps: Vec<Overlap>,
    /// Where the server says something else than the text.
    pub disagreements: Vec<Disagreement>,
    /// The server's version.
    pub version: PgVersion,
    /// What the plan's order leaves otherwise than the files' own order does on an empty database.
    pub differences: Vec<Difference>,
    /// What the simulation takes the files to leave behind (`-`) and what they do leave (`+`), where the two differ. Statements that cannot
    /// be read are not simulated.
    pub misjudged: Vec<String>,
    /// Where a pending migration fails if a fresh installation runs all files in their own order, and what the server said.
    pub fresh_failure: Option<(String, String)>,
    /// What it did on rows that were there before it, where there are any.
    pub on_rows: Option<RealRows>,
    /// What was done otherwise than the files of production say.
    pub notes: Vec<String>,
    /// Rows of queries that fail on the schema of their own version and must not.
    broken_at_home: BTreeSet<usize>,
}

impl Rehearsal {
    /// Whether both versions worked everywhere they must, and the end is the files' own.
    pub fn is_safe(&self) -> bool {
        self.breaks().is_empty()
            && self.fresh_failure.is_none()
            && self.differences.iter().all(|difference| difference.harmless)
            && self.replayed.iter().all(|played| played.stray == 0)
            && self.overlaps.iter().all(|overlap| overlap.untold().next().is_none())
            && self.on_rows.as_ref().is_none_or(|rows| rows.failure.is_none() && rows.breaks(&self.matrix).is_empty())
    }
}

impl Rehearsal {
    /// Queries that fail where their version must live, each with the first state where it does.
    pub fn breaks(&self) -> Vec<Break<'_>> {
        let at_home = |at: &usize| {
            let row = self.matrix.rows.get(*at)?;
            self.matrix.first_failure(row)
        };
        self.matrix.breaks().into_iter().chain(self.broken_at_home.iter().filter_map(at_home)).collect()
    }

    /// Queries that do not work on the schema of their own version, and never did as far as their text tells.
    pub fn unfit(&self) -> impl Iterator<Item = (&QueryRow, &Failure)> {
        let rows = self.matrix.rows.iter().enumerate().filter(|(at, _)| !self.broken_at_home.contains(at));
        rows.filter_map(|(_, row)| Some((row, row.unfit()?)))
    }
}

/// The extensions that migrations create: an embedded server wants to know them beforehand.
pub fn extensions(folder: &Folder) -> Vec<String> {
    let mut found = Vec::new();
    for migration in &folder.migrations {
        let (statements, _) = folder.statements(migration);
        for piece in statements.iter().flat_map(|s| &s.pieces) {
            if let Operation::CreateExtension { name } = &piece.operation
                && !found.iter().any(|known: &String| **known == **name)
            {
                found.push(name.to_string());
            }
        }
    }
    found
}

/// Plays a release on a throwaway server.
pub async fn rehearse(
    server: &Throwaway,
    script: Script<'_>,
    events: &mut (dyn FnMut(&Event) + Send),
    stop: Stop,
) -> Result<Rehearsal, RehearsalError> {
    rehearse_on(server, script, Terms::default(), events, stop).await
}

/// Plays a release on a throwaway server, on these terms.
pub async fn rehearse_on(
    server: &Throwaway,
    script: Script<'_>,
    terms: Terms<'_>,
    events: &mut (dyn FnMut(&Event) + Send),
    stop: Stop,
) -> Result<Rehearsal, RehearsalError> {
    let roles = Roles::look(server).await?;
    roles.spare(script.folder, script.pending)?;
    let mut notes = BTreeSet::new();
    // The files' own order, on a database of its own. What both ends of the release are is known then.
    let (target, mut met) = (server.create_database().await?, roles.met());
    let fresh = fresh(&target, script, terms, &mut met).await;
    notes.append(&mut met.notes);
    // What belongs to the whole server must not be there when the next database begins.
    let forgotten = roles.forget(&target, &met).await;
    let (fresh, ends) = match fresh? {
        Ok((inventory, real, ends)) => (Ok((inventory, real)), ends),
        Err(failure) => (Err(failure), None),
    };
    forgotten?;
    let (target, mut met) = (server.create_database().await?, roles.met());
    let played = play(&target, script, ends.as_ref(), terms, &mut met, events, stop.clone()).await;
    notes.append(&mut met.notes);
    let forgotten = roles.forget(&target, &met).await;
    let (Watcher { mut matrix, players, improvisers, .. }, planned, version) = played?;
    forgotten?;
    let mut overlaps = Vec::new();
    let writes = |of: &Improviser<'_>| overlap::matters(of.version(), script) && !of.writers().is_empty();
    if let Some(ends) = ends.as_ref().filter(|_| improvisers.iter().any(writes)) {
        let (target, mut met) = (server.create_database().await?, roles.met());
        let looked = overlap::look(&target, script, terms, ends, &improvisers, &mut met).await;
        let forgotten = roles.forget(&target, &met).await;
        overlaps = looked?;
        forgotten?;
    }
    let mut on_rows = None;
    if let Some(rows) = terms.rows {
        let mut met = roles.met();
        let looked = Stage { server, script, terms, rows }.look(&roles, &mut met, events, stop).await;
        notes.append(&mut met.notes);
        on_rows = Some(looked?);
    }
    let synthetic: Vec<Synthetic> = improvisers.iter().map(|improviser| improviser.judge(&mut matrix)).collect();
    let replayed: Vec<Replayed> = players.iter().map(|player| player.judge(&mut matrix)).collect();
    let ran = |row: &QueryRow| replayed.iter().any(|of| of.version == row.version && of.queries.contains(&row.query));
    let foreseen = script.plan.matrix.as_ref();
    let disagreements = foreseen.iter().flat_map(|foreseen| matrix.disagreements(foreseen, &ran)).collect();
    let broken_at_home = broken_at_home(&matrix, foreseen);
    let (mut misjudged, mut differences, mut fresh_failure) = (Vec::new(), Vec::new(), None);
    match fresh {
        Ok((inventory, real)) => {
            let base = terms.base.map(std::slice::from_ref).unwrap_or(script.applied);
            let all: Vec<_> = base.iter().chain(script.pending).cloned().collect();
            misjudged = not_of_tools(replay(script.folder, &all).0.differences(&real));
            differences = super::fresh::differences(&inventory, &planned, script.plan);
        }
        Err(failure) => fresh_failure = Some(failure),
    }
    let server = server.describe();
    Ok(Rehearsal {
        server,
        matrix,
        replayed,
        synthetic,
        overlaps,
        disagreements,
        version,
        differences,
        misjudged,
        broken_at_home,
        fresh_failure,
        on_rows,
        notes: notes.into_iter().collect(),
    })
}

/// The plan through the real executor.
async fn play<'a>(
    target: &Target,
    script: Script<'a>,
    ends: Option<&'a Ends>,
    terms: Terms<'_>,
    met: &mut Met,
    events: &mut (dyn FnMut(&Event) + Send),
    stop: Stop,
) -> Result<(Watcher<'a>, Inventory, PgVersion), RehearsalError> {
    let mut session = connect(target).await.map_err(ThrowawayError::from)?;
    Trial::new(&session, script.folder, terms, met).production(script.applied).await?;
    for migration in script.pending {
        for statement in script.folder.statements(migration).0 {
            met.names_roles(script.folder.sources.slice(statement.span));
        }
    }
    record(&session, script.folder, script.applied).await?;
    let mut watcher = Watcher::new(script, ends, terms.limit);
    run(&mut session, script.plan, &mut watcher, terms.limit, events, stop).await?;
    let planned = inventory(&session).await?;
    let version = session.version();
    // An orderly end: the built-in server has to write its answers to somebody.
    session.close().await;
    Ok((watcher, planned, version))
}

/// What all files leave in their own order, or the place and the reason where they fail.
type Fresh = Result<(Inventory, Schema, Option<Ends>), (String, String)>;

/// Runs all files in their own order.
async fn fresh(target: &Target, script: Script<'_>, terms: Terms<'_>, met: &mut Met) -> Result<Fresh, RehearsalError> {
    let session = connect(target).await.map_err(ThrowawayError::from)?;
    let mut trial = Trial::new(&session, script.folder, terms, met);
    trial.production(script.applied).await?;
    // Only a version with queries and no recording wants rows.
    let wants = |of: Option<&Workload>| of.is_some_and(|of| !of.queries.is_empty() && of.playback().is_empty());
    let base = match terms.synthetic_rows && (wants(script.blue) || wants(script.green)) {
        true => Some(
            Base::look(&session, introspect(&session).await?)
                .await
                .map_err(|error| RehearsalError::Synthetic(error.into()))?,
        ),
        false => None,
    };
    let done = match trial.run(script.pending, Whose::Release).await {
        Err(RehearsalError::Base { whose: Whose::Release, place, message }) => Err((place, message)),
        // The release waits as well, and says at which step. This session still does.
        Err(RehearsalError::Limit { what, limit }) => {
            return Ok(Err((what, format!("this ran for longer than {} on the throwaway server", shown(limit)))));
        }
        done => {
            done?;
            let (inventory, schema) = (inventory(&session).await?, introspect(&session).await?);
            let ends = match base {
                Some(base) => {
                    let green = script.green.filter(|green| wants(Some(green)));
                    let ends = Ends::look(&session, base, schema.clone(), green, terms.limit).await;
                    Some(ends.map_err(|error| RehearsalError::Synthetic(error.into()))?)
                }
                None => None,
            };
            Ok((inventory, schema, ends))
        }
    };
    session.close().await;
    Ok(done)
}

/// Rows of queries that fail on the schema of their own version, which must not: they worked before the release, or their text shows nothing
/// that could be wrong with them. What the text finds wrong as well, from the start, is a query of another version.
fn broken_at_home(matrix: &Matrix, foreseen: Option<&Matrix>) -> BTreeSet<usize> {
    let broken = |row: &QueryRow| {
        if row.unfit().is_none() {
            return false;
        }
        let worked = row.version == Side::Green && row.runs.iter().any(|run| matches!(run.cell, Cell::Works(_)));
        let same =
            |other: &&QueryRow| other.version == row.version && other.query == row.query && other.place == row.place;
        let text = foreseen.and_then(|foreseen| foreseen.rows.iter().find(same)).and_then(QueryRow::home);
        worked || !matches!(text, Some(Cell::Fails(_)))
    };
    matrix.rows.iter().enumerate().filter(|(_, row)| broken(row)).map(|(at, _)| at).collect()
}

/// Brings a database to where production is: runs migrations and writes the history of their tool.
#[doc(hidden)]
pub async fn migrate(client: &Client, folder: &Folder, migrations: &[Migration]) -> Result<(), RehearsalError> {
    Trial::new(client, folder, Terms::default(), &mut Met::default()).run(migrations, Whose::Production).await?;
    record(client, folder, migrations).await
}
