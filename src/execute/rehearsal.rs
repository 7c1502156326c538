//! The whole release on a throwaway server: base migrations, then the plan through the real executor with simulated traffic, every query of
//! both versions prepared at every state, and what was recorded of them played again.

use tokio_postgres::{Client, Error};

use super::doors::{Clock, Doors, Future, Moment, Observer};
use super::error::ExecuteError;
use super::event::Event;
use super::fresh::{Difference, differences};
use super::options::Options;
use super::preparer::Preparer;
use super::release::execute;
use super::replay::{Player, Replayed};
use super::stop::Stop;
use crate::compat::Disagreement;
use crate::compat::matrix::{Matrix, Row, State, Version};
use crate::effect::PgVersion;
use crate::migrations::{Folder, Migration, books};
use crate::plan::replay;
use crate::plan::saved::{Migration as SavedMigration, Phase, SavedPlan};
use crate::postgres::inventory::inventory;
use crate::postgres::observe::ObserveError;
use crate::postgres::throwaway::{Throwaway, ThrowawayError};
use crate::postgres::{IntrospectError, history, introspect, server_message};
use crate::sql::operation::Operation;
use crate::sql::{self};
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
    /// Where the server says something else than the text.
    pub disagreements: Vec<Disagreement>,
    /// The server's version.
    pub version: PgVersion,
    /// What the plan's order leaves otherwise than the files' own order does on an empty database.
    pub differences: Vec<Difference>,
    /// What the simulation takes the files to leave behind (`-`) and what they do leave (`+`), where the two differ. Statements that can not
    /// be read are not simulated.
    pub misjudged: Vec<String>,
}

impl Rehearsal {
    /// Whether both versions worked everywhere they must, and the end is the files' own.
    pub fn is_safe(&self) -> bool {
        self.matrix.breaks().is_empty()
            && self.differences.iter().all(|difference| difference.harmless)
            && self.replayed.iter().all(|played| played.stray == 0)
    }
}

/// Why a rehearsal could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The throwaway server.
    #[error(transparent)]
    Server(#[from] ThrowawayError),
    /// A migration that production has does not run.
    #[error("{place}: a migration that production has fails on the throwaway server: {message}")]
    Base {
        /// `path:line:column` of the statement.
        place: String,
        /// What the server said.
        message: String,
    },
    /// A migration that is no SQL.
    #[error("{path} is a {language} program: what it leaves behind can not be rehearsed")]
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
    /// Its own bookkeeping.
    #[error("recording what production has applied failed: {0}")]
    History(#[from] history::HistoryError),
}

/// The extensions that migrations create: an embedded server wants to know them beforehand.
pub fn extensions(folder: &Folder) -> Vec<String> {
    let mut found = Vec::new();
    for migration in &folder.migrations {
        let (statements, _) = sql::read_parts(&folder.sources, &migration.parts);
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
    let mut session = server.connect_database().await?;
    migrate(&session, script.folder, script.applied).await?;
    let mut watcher = Watcher::new(script);
    let traffic = Simulated::default();
    let mut boundary = |_: &'static str| {};
    let mut doors = Doors {
        traffic: &traffic,
        events,
        observer: Some(&mut watcher),
        stop,
        clock: &NoWait,
        cancel: None,
        boundary: &mut boundary,
    };
    execute(&mut session, script.plan, &Options::default(), &mut doors).await?;
    let planned = inventory(&session).await?;
    let version = PgVersion(u32::try_from(session.server_version_num() / 10_000).unwrap_or_default());
    // An orderly end: the built-in server has to write its answers to somebody.
    session.close().await;
    // The files' own order, on a database of its own.
    let session = server.connect_database().await?;
    run(&session, script.folder, script.applied).await?;
    run(&session, script.folder, script.pending).await?;
    let (fresh, real) = (inventory(&session).await?, introspect(&session).await?);
    session.close().await;
    let Watcher { mut matrix, players, .. } = watcher;
    let replayed: Vec<Replayed> = players.iter().map(|player| player.judge(&mut matrix)).collect();
    let ran = |row: &Row| replayed.iter().any(|of| of.version == row.version && of.queries.contains(&row.query));
    let disagreements = script.plan.matrix.iter().flat_map(|foreseen| matrix.disagreements(foreseen, &ran)).collect();
    let all: Vec<_> = script.applied.iter().chain(script.pending).cloned().collect();
    let mut misjudged = replay(script.folder, &all).0.differences(&real);
    // Some tools' files make their tables themselves.
    misjudged.retain(|line| !line.split([' ', '.']).any(|word| books::are_books("", word)));
    let differences = differences(&fresh, &planned, script.plan);
    Ok(Rehearsal { server: server.describe(), matrix, replayed, disagreements, version, differences, misjudged })
}

/// Brings a database to where production is: runs migrations and writes the history of their tool.
pub async fn migrate(client: &Client, folder: &Folder, migrations: &[Migration]) -> Result<(), RehearsalError> {
    run(client, folder, migrations).await?;
    let convention = folder.convention;
    // Without a history that is written, the plan's `from` is believed on a database without a journal.
    if convention.records_here() {
        return Ok(());
    }
    for migration in migrations {
        let text = &folder.sources.file(migration.file).text;
        let saved = SavedMigration {
            version: migration.version.to_string(),
            name: migration.name.clone(),
            path: migration.path.clone(),
            sha256: migration.sha256.clone(),
        };
        history::record(client, convention, &saved, text).await?;
    }
    Ok(())
}

/// Runs migrations in the files' order, statement by statement, each file in a transaction unless a statement of it refuses one.
pub(super) async fn run(client: &Client, folder: &Folder, migrations: &[Migration]) -> Result<(), RehearsalError> {
    for migration in migrations {
        if let Some(language) = migration.program {
            let path = folder.sources.file(migration.file).path.to_string();
            return Err(RehearsalError::Program { path, language });
        }
        let (statements, _) = sql::read_parts(&folder.sources, &migration.parts);
        let own = |s: &sql::Statement| s.pieces.iter().any(|p| matches!(p.operation, Operation::Transaction(_)));
        let atomic = statements.iter().all(|s| s.transactional && !own(s));
        let failed = |error: tokio_postgres::Error, place: String| RehearsalError::Base {
            place,
            message: server_message(&error),
        };
        let file = folder.sources.file(migration.file).path.to_string();
        if atomic {
            client.batch_execute("BEGIN").await.map_err(|e| failed(e, file.clone()))?;
        }
        for statement in &statements {
            let sql = folder.sources.slice(statement.span);
            client.batch_execute(sql).await.map_err(|e| failed(e, folder.sources.place(statement.span)))?;
        }
        if atomic {
            client.batch_execute("COMMIT").await.map_err(|e| failed(e, file.clone()))?;
        }
        client.batch_execute("RESET ALL; RESET SESSION AUTHORIZATION").await.map_err(|e| failed(e, file))?;
    }
    Ok(())
}

/// Looks at every query at every state.
struct Watcher<'a> {
    plan: &'a SavedPlan,
    preparer: Preparer<'a>,
    players: Vec<Player<'a>>,
    matrix: Matrix,
}

impl<'a> Watcher<'a> {
    fn new(script: Script<'a>) -> Self {
        let row = |version: Version, workload: &Workload, query: &Query| {
            Row::new(version, &query.name, workload.sources.place(query.span), workload.text(query))
        };
        let versions = [(Version::Blue, script.blue), (Version::Green, script.green)];
        let versions: Vec<_> = versions.into_iter().filter_map(|(version, of)| Some((version, of?))).collect();
        let rows = versions.iter().flat_map(|(version, of)| of.queries.iter().map(|query| row(*version, of, query)));
        Self {
            plan: script.plan,
            preparer: Preparer::new(versions.iter().map(|(_, workload)| *workload)),
            players: versions.iter().filter_map(|(version, workload)| Player::new(*version, workload)).collect(),
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
        self.matrix.states.push(state);
        Ok(())
    }
}

impl Observer for Watcher<'_> {
    fn look<'a>(&'a mut self, moment: Moment<'a>, client: &'a Client) -> Future<'a, Result<(), String>> {
        Box::pin(async move {
            match moment {
                Moment::Preflighted => self.record(None, client).await.map_err(|error| server_message(&error)),
                Moment::AfterStep(step) => {
                    self.record(Some(step.id), client).await.map_err(|error| server_message(&error))
                }
                Moment::AfterPhase(_) | Moment::Shifted(_) => Ok(()),
            }
        })
    }
}

/// Nobody drains on a throwaway server.
struct NoWait;

impl Clock for NoWait {
    fn sleep(&self, _: std::time::Duration) -> Future<'static, ()> {
        Box::pin(async {})
    }
}
