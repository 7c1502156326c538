//! The whole release on a throwaway server: base migrations, then the plan through the real executor with simulated traffic, every query of
//! both versions prepared at every state, and what was recorded of them played again.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Error};

use super::fresh::Difference;
use super::overlap::{self, Overlap};
use super::preparer::Preparer;
use super::replay::{Player, Replayed};
use super::synthetic::{Base, Ends, Improviser, Synthetic};
use super::trial::{Met, Roles, Terms, Trial, Whose};
use crate::checks::Checks;
use crate::compat::Disagreement;
use crate::compat::matrix::{Break, Cell, Failure, Matrix, QueryRow, State};
use crate::effect::PgVersion;
use crate::execute::{Clock, Doors, Event, ExecuteError, Future, Moment, Observer, Options, Outcome, Stop, execute};
use crate::migrations::{Folder, Migration, books};
use crate::plan::replay;
use crate::plan::saved::{Phase, PlannedMigration as SavedMigration, SavedPlan};
use crate::postgres::inventory::{Inventory, inventory};
use crate::postgres::observe::ObserveError;
use crate::postgres::throwaway::{Throwaway, ThrowawayError};
use crate::postgres::{IntrospectError, ServerError, Session, Target, connect, history, introspect, server_message};
use crate::schema::Schema;
use crate::side::Side;
use crate::sql::operation::Operation;
use crate::tell::HookSet;
use crate::traffic::Simulated;
use crate::workload::{Query, Workload};

/// What is rehearsed.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    /// The plan; it must be safe.
    pub plan: &'a SavedPlan,
    /// The files behind it.
    pub folder: &'a Folder,
    /// The migrations that production has.
    pub applied: &'a [Migration],
    /// The migrations of the release.
    pub pending: &'a [Migration],
    /// Blue's queries.
    pub blue: Option<&'a Workload>,
    /// Green's queries.
    pub green: Option<&'a Workload>,
}

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
    }
}

impl Rehearsal {
    /// Queries that fail where their version must live, each with the first state where it does.
    pub fn breaks(&self) -> Vec<Break<'_>> {
        let at_home = |at: &usize| {
            let row = self.matrix.rows.get(*at)?;
            let failing = |(at, state): (usize, &'_ State)| match row.at(at) {
                Some(Cell::Fails(failure)) if state.lives(row.version) => Some(at).zip(Some(failure)),
                _ => None,
            };
            let (state, failure) = self.matrix.states.iter().enumerate().find_map(failing)?;
            Some(Break { row, state: &self.matrix.states[state], failure })
        };
        self.matrix.breaks().into_iter().chain(self.broken_at_home.iter().filter_map(at_home)).collect()
    }

    /// Queries that do not work on the schema of their own version, and never did as far as their text tells.
    pub fn unfit(&self) -> impl Iterator<Item = (&QueryRow, &Failure)> {
        let rows = self.matrix.rows.iter().enumerate().filter(|(at, _)| !self.broken_at_home.contains(at));
        rows.filter_map(|(_, row)| Some((row, row.unfit()?)))
    }
}

/// Why a rehearsal could not be played to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RehearsalError {
    /// The throwaway server.
    #[error(transparent)]
    Server(#[from] ThrowawayError),
    /// A statement of a migration, or of a dump, does not run.
    #[error("{place}: {} on the throwaway server: {message}", fails(*whose))]
    Base {
        /// Whose it is.
        whose: Whose,
        /// `path:line:column` of the statement.
        place: String,
        /// What the server said.
        message: String,
    },
    /// Something runs for too long.
    #[error("{what}: this ran for longer than {} on the throwaway server", shown(*limit))]
    Limit {
        /// `path:line:column` of the statement, or what else it is.
        what: String,
        /// How long it may take.
        limit: Duration,
    },
    /// A migration that is no SQL.
    #[error("{path} is a {language} program: what it leaves behind cannot be rehearsed")]
    Program {
        /// The file.
        path: String,
        /// Its language.
        language: &'static str,
    },
    /// The release itself.
    #[error(transparent)]
    Release(#[from] ExecuteError),
    /// Reading the catalog.
    #[error(transparent)]
    Catalog(#[from] IntrospectError),
    /// Watching what a statement does.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// Looking at what synthetic rows are to obey.
    #[error("filling tables with synthetic rows failed: {0}")]
    Synthetic(ServerError),
    /// Its own bookkeeping.
    #[error("recording what production has applied failed: {0}")]
    History(#[from] history::HistoryError),
}

fn fails(whose: Whose) -> &'static str {
    match whose {
        Whose::Production => "a migration that production has fails",
        Whose::Dump => "the dump of what production has fails",
        Whose::Release => "this pending migration fails where a fresh installation runs it,",
    }
}

fn shown(limit: Duration) -> String {
    if limit.subsec_millis() > 0 { format!("{limit:?}") } else { format!("{} s", limit.as_secs()) }
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
    let mut notes = BTreeSet::new();
    // The files' own order, on a database of its own. What both ends of the release are is known then.
    let (target, mut met) = (server.create_database().await?, Met::default());
    let fresh = fresh(&target, script, terms, &mut met).await;
    notes.append(&mut met.notes);
    // What belongs to the whole server must not be there when the next database begins.
    let forgotten = roles.forget(&target, &met).await;
    let (fresh, ends) = match fresh? {
        Ok((inventory, real, ends)) => (Ok((inventory, real)), ends),
        Err(failure) => (Err(failure), None),
    };
    forgotten?;
    let (target, mut met) = (server.create_database().await?, Met::default());
    let played = play(&target, script, ends.as_ref(), terms, &mut met, events, stop).await;
    notes.append(&mut met.notes);
    let forgotten = roles.forget(&target, &met).await;
    let (Watcher { mut matrix, players, improvisers, .. }, planned, version) = played?;
    forgotten?;
    let mut overlaps = Vec::new();
    let writes = |of: &Improviser<'_>| overlap::matters(of.version(), script) && !of.writers().is_empty();
    if let Some(ends) = ends.as_ref().filter(|_| improvisers.iter().any(writes)) {
        let (target, mut met) = (server.create_database().await?, Met::default());
        let looked = overlap::look(&target, script, terms, ends, &improvisers, &mut met).await;
        let forgotten = roles.forget(&target, &met).await;
        overlaps = looked?;
        forgotten?;
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
            misjudged = replay(script.folder, &all).0.differences(&real);
            // Some tools' files make their tables themselves.
            let own = |line: &String| line.split_whitespace().any(|word| word.starts_with("cutover."));
            misjudged.retain(|line| !own(line) && !line.split([' ', '.']).any(|word| books::are_books("", word)));
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
    let traffic = Simulated::default();
    // Nothing that is waited for may wait for ever, whatever it is.
    let doing = Mutex::new((Instant::now(), "the checks before the first step".to_owned()));
    let mut tell = |event: &Event| {
        if let Event::StepRunning { step, object, action, .. } = event {
            *doing.lock().unwrap_or_else(PoisonError::into_inner) =
                (Instant::now(), format!("step {step} ({object}, {action})"));
        }
        events(event);
    };
    let mut doors = Doors {
        checks: &Checks::Simulated,
        hooks: &HookSet::Simulated,
        traffic: &traffic,
        events: &mut tell,
        observer: Some(&mut watcher),
        stop,
        clock: &NoWait,
        cancel: None,
        beside: None,
        boundary: None,
    };
    let options = Options { accept_base: true, at_any_time: true, ..Options::default() };
    let plan = script.plan.from_the_beginning();
    let watchdog = async {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let (since, what) = doing.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if since.elapsed() > terms.limit {
                return what;
            }
        }
    };
    tokio::select! {
        done = execute(&mut session, &plan, &options, &mut doors) => match done? {
            Outcome::Done { .. } => {}
            other => return Err(ExecuteError::Observed(format!("it did not come to its end: {other:?}")).into()),
        },
        what = watchdog => return Err(RehearsalError::Limit { what, limit: terms.limit }),
    };
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

/// Writes the history of the folder's tool.
async fn record(client: &Client, folder: &Folder, migrations: &[Migration]) -> Result<(), RehearsalError> {
    let convention = folder.convention;
    // Without a history that is written, the plan's `from` is believed on a database without a journal.
    if convention.records_here() {
        return Ok(());
    }
    // A dump may have brought its rows.
    let recorded = history::applied(client, convention).await?;
    let is_new = |migration: &&Migration| {
        let key = convention.version_key(migration.version.as_str());
        recorded.iter().all(|row| row.version != key)
    };
    for migration in migrations.iter().filter(is_new) {
        let text = folder.text(migration);
        let saved = SavedMigration {
            version: migration.version.to_string(),
            name: migration.name.clone(),
            path: migration.path.clone(),
            sha256: migration.sha256.clone(),
            text: None,
        };
        history::record(client, convention, &saved, text).await?;
    }
    Ok(())
}

/// Looks at every query at every state.
struct Watcher<'a> {
    plan: &'a SavedPlan,
    preparer: Preparer<'a>,
    players: Vec<Player<'a>>,
    improvisers: Vec<Improviser<'a>>,
    matrix: Matrix,
}

impl<'a> Watcher<'a> {
    fn new(script: Script<'a>, ends: Option<&'a Ends>, limit: Duration) -> Self {
        let row = |version: Side, workload: &Workload, query: &Query| {
            QueryRow::new(version, &query.name, workload.sources.place(query.span), workload.text(query))
        };
        let versions = [(Side::Blue, script.blue), (Side::Green, script.green)];
        let versions: Vec<_> = versions.into_iter().filter_map(|(version, of)| Some((version, of?))).collect();
        let rows = versions.iter().flat_map(|(version, of)| of.queries.iter().map(|query| row(*version, of, query)));
        Self {
            plan: script.plan,
            preparer: Preparer::new(versions.iter().map(|(_, workload)| *workload)),
            players: versions.iter().filter_map(|(version, workload)| Player::new(*version, workload)).collect(),
            improvisers: versions
                .iter()
                .filter_map(|(version, workload)| Improviser::new(*version, workload, ends?, limit))
                .collect(),
            matrix: Matrix { states: Vec::new(), rows: rows.collect() },
        }
    }

    async fn record(&mut self, after_step: Option<u32>, client: &Client) -> Result<(), Error> {
        let last_before = self.plan.phase(Phase::Before).map(|step| step.id).max().unwrap_or(0);
        let at = after_step.unwrap_or(0);
        let state = State { after_step, blue_lives: at <= last_before, green_lives: at >= last_before };
        let at_state = self.matrix.states.len();
        for (row, cell) in self.preparer.look(client).await? {
            self.matrix.rows[row].push(at_state, cell);
        }
        let last = self.plan.steps.last().map_or(0, |step| step.id);
        if at == last && at_state > 0 {
            // Green's own schema, and a check of what was thought to be touched.
            for (row, cell) in self.preparer.look_at_all(client).await {
                self.matrix.rows[row].ends_as(at_state, cell);
            }
        }
        for player in self.players.iter_mut().filter(|player| state.lives(player.version())) {
            player.play(client, at_state, at == last).await?;
        }
        for improviser in self.improvisers.iter_mut().filter(|improviser| state.lives(improviser.version())) {
            improviser.play(client, at_state, at == last).await?;
        }
        self.matrix.states.push(state);
        Ok(())
    }
}

impl Observer for Watcher<'_> {
    fn look<'a>(&'a mut self, moment: Moment<'a>, session: &'a Session) -> Future<'a, Result<(), String>> {
        Box::pin(async move {
            match moment {
                Moment::Preflighted => self.record(None, session).await.map_err(|error| server_message(&error)),
                Moment::AfterStep(step) => {
                    self.record(Some(step.id), session).await.map_err(|error| server_message(&error))
                }
                Moment::AfterPhase(_) | Moment::Shifted(_) => Ok(()),
            }
        })
    }
}

/// Nobody drains on a throwaway server.
struct NoWait;

impl Clock for NoWait {
    fn sleep(&self, _: Duration) -> Future<'static, ()> {
        Box::pin(async {})
    }
}
