//! What makes a plan: the same arguments for every command that shows one.

use camino::Utf8Path;

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::exit::Exit;
use super::live::{cli_error, plan_exit};
use super::release_args::ReleaseArgs;
use super::server_args::ServerArgs;
use super::{git, out};
use crate::effect::PgVersion;
use crate::execute;
use crate::migrations::{Convention, Folder, Pending};
use crate::plan::saved::SavedPlan;
use crate::plan::{self, Begun, Planned, Request};
use crate::postgres::Session;
use crate::postgres::base::{self, Base};
use crate::project::Project;
use crate::rehearse::observation::{self, Seen};
use crate::report;

#[derive(Debug, clap::Args)]
pub(super) struct PlanningArgs {
    #[command(flatten)]
    release: ReleaseArgs,
    /// Take what is pending from the history table of this database, and its catalog as the schema before the release. With --from, the history
    /// need not say it
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Pending is what this commit (a branch, a tag) does not have: for a look at the plan in a pull request
    #[arg(long, value_name = "GIT-REF", conflicts_with_all = ["from", "database", "replan"])]
    base: Option<String>,
    /// Plan the release anew that was begun in this database and is not over: what of it has run stays, and comes first. For corrected migrations;
    /// `cutover resume --replan` carries on by the plan
    #[arg(long)]
    replan: bool,
    /// Run statements that cannot be read (DO blocks, CALL, dynamic SQL) on a throwaway server, and place them by what they were seen to do
    #[arg(long)]
    observe: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl PlanningArgs {
    /// Makes the plan.
    pub(super) fn plan(&self) -> Result<(Project, Pending, Planned), CliError> {
        let project = self.release.read()?;
        let read_as = |convention| self.release.read_as(convention);
        let (project, pending, base, begun) = match self.replan || self.asks_the_database(&project) {
            true if self.replan => {
                let (project, begun, version) = begun(self.database.clone(), project, read_as)?;
                let pending = begun.pending(&project.folder);
                (project, pending, None, Some((begun, version)))
            }
            true => {
                let live = live(self.database.clone(), project, read_as)?;
                if let Some(begun) = live.begun {
                    return Err(in_the_way(&begun));
                }
                (live.project, live.pending, Some(live.base), None)
            }
            false => {
                let pending = match &self.base {
                    Some(reference) => pending_since(&project, reference)?,
                    None => pending(&project)?,
                };
                (project, pending, None, None)
            }
        };
        let (begun, of_server) = begun.unzip();
        let seen = if self.observe { observe(&self.server, &project, &pending)? } else { Seen::default() };
        let (real, version) = base.map(|base| (base.schema, base.version)).unzip();
        let planned = plan::plan(Request {
            observed: self.observe.then_some(&seen.effects),
            version: project.pg_version.or(version).or(of_server).unwrap_or_else(|| project.version()),
            begun: begun.as_ref(),
            ..project.request(&pending).on(real.as_ref().or(seen.base.as_ref()))
        });
        if let Some(begun) = &begun {
            for line in report::render_event(&execute::difference(&begun.plan, &planned.plan)) {
                out::say(&format!("{line}\n"));
            }
        }
        Ok((project, pending, planned))
    }

    /// Whether a database says what is applied: one that is named, or that of the environment where nothing else says it.
    fn asks_the_database(&self, project: &Project) -> bool {
        let said = project.from_is_given || self.release.says_base() || self.base.is_some();
        let named = !said && std::env::var_os(database::VARIABLE).is_some_and(|value| !value.is_empty());
        if named && self.database.is_none() {
            out::say(&format!("note: what is applied is read from the database that {} names\n", database::VARIABLE));
        }
        named || self.database.is_some()
    }

    /// Reads a saved plan, or makes one and says what of its input could not be read.
    pub(super) fn saved_or_new(&self) -> Result<SavedPlan, CliError> {
        let path = self.release.folder();
        if path.is_file() {
            let other = self.database.is_some() || self.base.is_some() || self.observe;
            if other || self.release.changes_the_plan()? {
                return Err(CliError::usage(format!(
                    "{path} is a saved plan: options that make another one do not fit"
                ))
                .hint("name the folder of the migrations instead, or leave the options out"));
            }
            return read_saved(path);
        }
        let (input, _, planned) = self.plan()?;
        say_unread(&input);
        Ok(planned.plan)
    }
}

/// Reads a plan that was saved.
pub(super) fn read_saved(path: &Utf8Path) -> Result<SavedPlan, CliError> {
    let text = fs_err::read_to_string(path).map_err(CliError::usage)?;
    SavedPlan::from_json(&text).map_err(|error| {
        CliError::new(plan_exit(&error), format!("{path}: {error}")).hint("make a new plan with `cutover plan -o FILE`")
    })
}

/// Says what could not be read of the queries.
pub(super) fn say_unread(project: &Project) {
    for (diagnostic, sources) in &project.unread {
        out::say(&report::render_diagnostics(std::slice::from_ref(diagnostic), sources, out::stderr_style()));
    }
}

/// What is pending by `--from`.
pub(super) fn pending(project: &Project) -> Result<Pending, CliError> {
    let (pending, note) = project.pending()?;
    if let Some(note) = note {
        out::say(&format!("{note}\n"));
    }
    Ok(pending)
}

/// What is pending by `--base`.
fn pending_since(project: &Project, reference: &str) -> Result<Pending, CliError> {
    // A migration that was edited since is read as the schema before the release, which no database has.
    let (pending, otherwise) = git::pending_since(&project.folder, reference)?;
    if !otherwise.is_empty() {
        out::say(&report::render_diagnostics(&otherwise, &project.folder.sources, out::stderr_style()));
    }
    Ok(pending)
}

/// Watches the statements that cannot be read, on a throwaway server that is there for nothing else.
pub(super) fn observe(args: &ServerArgs, project: &Project, pending: &Pending) -> Result<Seen, CliError> {
    if !observation::is_needed(&project.folder, pending) {
        return Ok(Seen::default());
    }
    let runtime = database::runtime()?;
    let seen = runtime.block_on(database::interruptible(async {
        let server = args.start(&project.folder).await?;
        let seen = super::rehearse::observe(&server, project, pending, args.terms(project)).await;
        if let Err(error) = server.stop().await {
            out::say(&format!("warning: {error}\n"));
        }
        let seen = seen?;
        for note in &seen.notes {
            out::say(&format!("note: {note}\n"));
        }
        Ok(seen)
    }));
    runtime.shutdown_background();
    seen
}

/// A release as a database has it.
pub(super) struct Live {
    /// Read as the convention whose history the database holds.
    pub(super) project: Project,
    pub(super) pending: Pending,
    pub(super) base: Base,
    /// The release that was begun, if some of it has run and not all.
    pub(super) begun: Option<Begun>,
}

/// What is pending by the history of a database, its catalog, and which PostgreSQL it is.
pub(super) fn live(
    database: Option<String>,
    mut project: Project,
    read_as: impl FnOnce(Convention) -> Result<Project, CliError>,
) -> Result<Live, CliError> {
    let database = DatabaseArgs::of(database);
    database::runtime()?.block_on(async {
        let session = database.connect().await?;
        let base = base::look(&session).await?;
        if let Some(begun) = in_progress(&session, &project.folder).await? {
            project = read_like(&begun, project, read_as)?;
            return Ok(Live { pending: begun.pending(&project.folder), project, base, begun: Some(begun) });
        }
        let from = project.from.clone().filter(|_| project.from_is_given);
        match base.convention(&project.folder, from.is_some())? {
            Some(convention) if convention != project.folder.convention => project = read_as(convention)?,
            // The history decided for the first that the names fit.
            _ if from.is_none() => project.folder.alike.clear(),
            _ => {}
        }
        let (folder, table) = (&project.folder, project.history_table.as_deref());
        let pending = base.pending(&session, folder, table, from.as_deref()).await?;
        Ok(Live { project, pending, base, begun: None })
    })
}

/// The release that was begun, if some of what is pending in a folder has run in it and not all.
async fn in_progress(session: &Session, folder: &Folder) -> Result<Option<Begun>, CliError> {
    let begun = match execute::begun(session).await {
        Ok(begun) => begun,
        Err(error) if error.is_permission_denied() => {
            out::say(&format!("warning: {error}; whether a release was begun in this database is not known\n"));
            return Ok(None);
        }
        Err(error) => return Err(cli_error(&error)),
    };
    let runs_again = |begun: &Begun| {
        let pending = begun.pending(folder).pending;
        begun.has_run_of(|version| pending.iter().any(|migration| migration.version.as_str() == version))
    };
    match begun.filter(runs_again) {
        Some(begun) if !execute::is_undone(session, &begun).await.map_err(|error| cli_error(&error))? => {
            Ok(Some(begun))
        }
        _ => Ok(None),
    }
}

/// A folder, read as the convention that a release was begun with.
fn read_like(
    begun: &Begun,
    project: Project,
    read_as: impl FnOnce(Convention) -> Result<Project, CliError>,
) -> Result<Project, CliError> {
    match begun.plan.migrations.convention {
        convention if convention == project.folder.convention => Ok(project),
        convention => read_as(convention),
    }
}

/// What a plan from the beginning would run twice.
fn in_the_way(begun: &Begun) -> CliError {
    let count = begun.touched().count();
    CliError::new(
        Exit::Stale,
        format!(
            "release {} is not over, and {count} of its {} steps have run, wholly or in part: a plan of these migrations from the beginning would run them again",
            begun.release,
            begun.plan.steps.len()
        ),
    )
    .hint("finish it with `cutover resume`; if its migrations were corrected, plan the rest with `cutover plan --replan`")
}

/// The release that was begun in a database, with the folder read as the convention it was begun with, and which PostgreSQL it is.
fn begun(
    database: Option<String>,
    mut project: Project,
    read_as: impl FnOnce(Convention) -> Result<Project, CliError>,
) -> Result<(Project, Begun, PgVersion), CliError> {
    let database = DatabaseArgs::of(database);
    database::runtime()?.block_on(async {
        let session = database.connect().await?;
        let Some(begun) = execute::begun(&session).await.map_err(|error| cli_error(&error))? else {
            return Err(CliError::usage("there is no unfinished release in this database, so nothing to plan anew")
                .hint("make a plan without --replan"));
        };
        project = read_like(&begun, project, read_as)?;
        let migrations = &begun.plan.migrations;
        project.folder.alike.clone_from(&migrations.alike);
        project.history_table = project.history_table.or_else(|| migrations.history_table.clone());
        Ok((project, begun, session.version()))
    })
}
