//! What makes a plan: the same arguments for every command that shows one.

use camino::Utf8Path;

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::live::plan_exit;
use super::out;
use super::release_args::{ReleaseArgs, ReleaseInput};
use super::server_args::ServerArgs;
use crate::effect::PgVersion;
use crate::execute::observation::{self, Seen};
use crate::migrations::Pending;
use crate::plan::saved::SavedPlan;
use crate::plan::{self, Planned, Request};
use crate::postgres::{history, introspect};
use crate::report;
use crate::schema::Schema;

#[derive(Debug, clap::Args)]
pub(super) struct PlanningArgs {
    #[command(flatten)]
    release: ReleaseArgs,
    /// Take what is pending from the history table of this database, and its catalog as the schema before the release
    #[arg(long, value_name = "URL", conflicts_with = "from")]
    database: Option<String>,
    /// Run statements that can not be read (DO blocks, CALL, dynamic SQL) on a throwaway server, and place them by what they were seen to do
    #[arg(long)]
    observe: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl PlanningArgs {
    /// Makes the plan.
    pub(super) fn plan(&self) -> Result<(ReleaseInput, Pending, Planned), CliError> {
        let input = self.release.read()?;
        let (pending, base, version) = match &self.database {
            Some(_) => live(self.database.clone(), &input)?,
            None => (pending(&input)?, None, input.version()),
        };
        let seen = if self.observe { observe(&self.server, &input, &pending)? } else { Seen::default() };
        let request = input.request(&pending);
        let real = base.as_ref().or(seen.base.as_ref());
        let planned = plan::plan(Request {
            base: real.or(request.base),
            base_files: if real.is_some() { &[] } else { request.base_files },
            observed: self.observe.then_some(&seen.effects),
            version: input.version.unwrap_or(version),
            ..request
        });
        Ok((input, pending, planned))
    }

    /// Reads a saved plan, or makes one and says what of its input could not be read.
    pub(super) fn saved_or_new(&self) -> Result<SavedPlan, CliError> {
        let path = self.release.folder();
        if path.is_file() {
            if self.database.is_some() || self.observe || self.release.changes_the_plan() {
                return Err(CliError::usage(format!(
                    "{path} is a saved plan: options that make another one do not fit"
                ))
                .hint("name the folder of the migrations instead, or leave the options out"));
            }
            return read_saved(path);
        }
        let (input, _, planned) = self.plan()?;
        input.say_unread();
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

impl ReleaseInput {
    /// Says which queries could not be read.
    pub(super) fn say_unread(&self) {
        for (diagnostic, sources) in &self.unread {
            out::say(&report::render_diagnostics(std::slice::from_ref(diagnostic), sources, out::stderr_style()));
        }
    }
}

/// What is pending by `--from`.
pub(super) fn pending(input: &ReleaseInput) -> Result<Pending, CliError> {
    let from = input.from.as_deref().filter(|from| *from != "none");
    if let (None, Some((dump, _))) = (&input.from, &input.dump) {
        let message =
            format!("{} is the schema that production has, and nothing says which migrations made it", dump.path);
        return Err(CliError::usage(message).hint("say it with --from VERSION (`--from none`: none of them)"));
    }
    if input.from.is_none() {
        let count = input.folder.migrations.len();
        out::say(&format!(
            "note: neither --from nor --database says what is applied already; all {count} migrations are taken as pending on an empty database\n"
        ));
    }
    input.folder.pending_after(from).map_err(CliError::usage)
}

/// Watches the statements that can not be read, on a throwaway server that is there for nothing else.
pub(super) fn observe(args: &ServerArgs, input: &ReleaseInput, pending: &Pending) -> Result<Seen, CliError> {
    if !observation::is_needed(&input.folder, pending) {
        return Ok(Seen::default());
    }
    database::runtime()?.block_on(async {
        let server = args.start(&input.folder).await?;
        let seen = super::rehearse::observe(&server, input, pending, args.terms(input)).await;
        if let Err(error) = server.stop().await {
            out::say(&format!("warning: {error}\n"));
        }
        seen
    })
}

/// What is pending by the history of a database, its catalog, and which PostgreSQL it is.
pub(super) fn live(
    database: Option<String>,
    input: &ReleaseInput,
) -> Result<(Pending, Option<Schema>, PgVersion), CliError> {
    let database = DatabaseArgs::of(database);
    database::runtime()?.block_on(async {
        let session = database.connect().await?;
        let convention = input.folder.convention;
        let applied = history::applied(&session, convention).await.map_err(CliError::usage)?;
        let versions: Vec<String> = applied.into_iter().map(|a| a.version).collect();
        let (pending, unknown) = input.folder.pending_by_history(&versions);
        if let Some(version) = unknown.first() {
            return Err(CliError::usage(format!(
                "the database has applied version {version} (and {} others) that the folder does not have",
                unknown.len() - 1
            ))
            .hint("check out the version of the application that production runs, or one after it"));
        }
        let schema = introspect(&session).await.map_err(CliError::usage)?;
        let version = PgVersion(u32::try_from(session.server_version_num() / 10_000).unwrap_or_default());
        Ok((pending, Some(schema), version))
    })
}
