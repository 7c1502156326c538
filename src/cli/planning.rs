//! What makes a plan: the same arguments for every command that shows one.

use camino::Utf8Path;

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::live::plan_exit;
use super::out;
use super::release_args::{Dump, ReleaseArgs, ReleaseInput};
use super::server_args::ServerArgs;
use crate::effect::PgVersion;
use crate::migrations::{Convention, Folder, Migration, Pending, Recorded};
use crate::plan::saved::SavedPlan;
use crate::plan::{self, Planned, Request};
use crate::postgres::history::{self, Applied, Place};
use crate::postgres::survey::{self, Survey};
use crate::postgres::{introspect, server_message};
use crate::rehearse::observation::{self, Seen};
use crate::report;
use crate::schema::{QName, Schema};
use crate::sql::lex::words_of;
use crate::sql::operation::RelationKind;

#[derive(Debug, clap::Args)]
pub(super) struct PlanningArgs {
    #[command(flatten)]
    release: ReleaseArgs,
    /// Take what is pending from the history table of this database, and its catalog as the schema before the release. With --from, the history
    /// need not say it
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Run statements that cannot be read (DO blocks, CALL, dynamic SQL) on a throwaway server, and place them by what they were seen to do
    #[arg(long)]
    observe: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl PlanningArgs {
    /// Makes the plan.
    pub(super) fn plan(&self) -> Result<(ReleaseInput, Pending, Planned), CliError> {
        let input = self.release.read()?;
        let (input, pending, base, version) = match &self.database {
            Some(_) => {
                let live = live(self.database.clone(), input, |convention| self.release.read_as(convention))?;
                (live.input, live.pending, Some(live.schema), live.version)
            }
            None => {
                let (pending, version) = (pending(&input)?, input.version());
                (input, pending, None, version)
            }
        };
        let seen = if self.observe { observe(&self.server, &input, &pending)? } else { Seen::default() };
        let request = input.request(&pending);
        let planned = plan::plan(Request {
            observed: self.observe.then_some(&seen.effects),
            version: input.version.unwrap_or(version),
            ..request.on(base.as_ref().or(seen.base.as_ref()))
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
    if let (None, Some(Dump { file: dump, .. })) = (&input.from, &input.dump) {
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

/// Watches the statements that cannot be read, on a throwaway server that is there for nothing else.
pub(super) fn observe(args: &ServerArgs, input: &ReleaseInput, pending: &Pending) -> Result<Seen, CliError> {
    if !observation::is_needed(&input.folder, pending) {
        return Ok(Seen::default());
    }
    let runtime = database::runtime()?;
    let seen = runtime.block_on(database::interruptible(async {
        let server = args.start(&input.folder).await?;
        let seen = super::rehearse::observe(&server, input, pending, args.terms(input)).await;
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
    pub(super) input: ReleaseInput,
    pub(super) pending: Pending,
    /// The catalog.
    pub(super) schema: Schema,
    pub(super) version: PgVersion,
}

/// What is pending by the history of a database, its catalog, and which PostgreSQL it is. Nothing is guessed: a history that is not there says
/// nothing, unless the database is an empty one.
pub(super) fn live(
    database: Option<String>,
    mut input: ReleaseInput,
    read_as: impl FnOnce(Convention) -> Result<ReleaseInput, CliError>,
) -> Result<Live, CliError> {
    let database = DatabaseArgs::of(database);
    database::runtime()?.block_on(async {
        let session = database.connect().await?;
        let server = |error: tokio_postgres::Error| {
            CliError::usage(format!("looking for the history failed: {}", server_message(&error)))
        };
        let survey = survey::survey(&session).await.map_err(server)?;
        let schema = introspect(&session).await.map_err(CliError::usage)?;
        let version = PgVersion(u32::try_from(session.server_version_num() / 10_000).unwrap_or_default());
        let explicit = input.from_flag.clone();
        if let Some(convention) = decided(&input, &survey)?
            && convention != input.folder.convention
        {
            input = read_as(convention)?;
        } else if !input.folder.alike.is_empty() && explicit.is_none() {
            // The history decided for the first that the names fit.
            input.folder.alike.clear();
        }
        let convention = input.folder.convention;
        let place =
            Place { convention, table: input.history_table.as_deref(), folder: Some(input.folder.path.as_path()) };
        let rows = history::applied_at(&session, place).await.map_err(CliError::usage)?;
        if let Some(from) = &explicit {
            let pending = input.folder.pending_after(Some(from.as_str()).filter(|from| *from != "none"));
            let pending = pending.map_err(CliError::usage)?;
            said_otherwise(&input, &rows, &pending)?;
            return Ok(Live { input, pending, schema, version });
        }
        let changed = history::changed(&input.folder, &rows);
        let rows: Vec<Recorded> =
            rows.iter().filter(|row| !changed.contains(&row.version.as_str())).map(Applied::recorded).collect();
        let (pending, unknown) = input.folder.pending_by_rows(&rows);
        if let Some(version) = unknown.first() {
            let others = match unknown.len() - 1 {
                0 => String::new(),
                n => format!(" (and {n} others)"),
            };
            return Err(CliError::usage(format!(
                "the database has applied version {version}{others} that the folder does not have"
            ))
            .hint("check out the version of the application that production runs, or one after it"));
        }
        if rows.is_empty() {
            let located = history::locate(&session, place).await.map_err(CliError::usage)?;
            not_empty(&input, &survey, located.as_deref(), &pending, &schema)?;
        }
        Ok(Live { input, pending, schema, version })
    })
}

const SAY_IT: &str =
    "say which tool it is with --convention, or what is applied with --from VERSION (`--from none`: nothing)";

/// The convention whose history the database holds, where the names of the files do not tell it.
fn decided(input: &ReleaseInput, survey: &Survey) -> Result<Option<Convention>, CliError> {
    let folder = &input.folder;
    if folder.alike.is_empty() {
        return Ok(None);
    }
    let candidates = || std::iter::once(&folder.convention).chain(&folder.alike);
    let with_history: Vec<&Convention> = candidates().filter(|c| !survey.of(**c).is_empty()).collect();
    match with_history[..] {
        [one] => return Ok(Some(*one)),
        _ if input.from_flag.is_some() => return Ok(None),
        _ => {}
    }
    let names: Vec<&str> = candidates().map(|c| c.name()).collect();
    let found = match with_history.is_empty() {
        false => format!(
            "more than one of these histories ({})",
            with_history.iter().map(|c| c.name()).collect::<Vec<_>>().join(", ")
        ),
        true => match survey.others_in_words(folder.convention) {
            Some(others) => format!("the history of none of them, but {others}"),
            None => "the history of none of them".to_owned(),
        },
    };
    Err(CliError::usage(format!(
        "{}: the names of the files fit {} alike, and the database holds {found}: nothing tells what is applied",
        folder.path,
        names.join(", ")
    ))
    .hint(SAY_IT))
}

/// A history that says nothing is believed on an empty database only.
fn not_empty(
    input: &ReleaseInput,
    survey: &Survey,
    located: Option<&str>,
    pending: &Pending,
    schema: &Schema,
) -> Result<(), CliError> {
    let folder = &input.folder;
    let convention = folder.convention;
    let own = match (convention.history(), located) {
        (Some(_), Some(table)) => format!("{table} has no rows"),
        (Some(table), None) => format!("there is no {}", table.name),
        (None, _) => "cutover.migration has no rows".to_owned(),
    };
    let nothing = format!("by the history of {convention} nothing is applied ({own})");
    if let Some(others) = survey.others_in_words(convention) {
        return Err(CliError::usage(format!("{nothing}, and the database holds {others}")).hint(SAY_IT));
    }
    let Some((what, name)) = made_already(folder, &pending.pending, schema) else { return Ok(()) };
    let of = pending.pending.iter().find(|migration| {
        let (statements, _) = folder.statements(migration);
        statements
            .iter()
            .any(|s| words_of(folder.sources.slice(s.span)).any(|word| word.eq_ignore_ascii_case(&name.name)))
    });
    let of = of.map(|migration| format!(" by {}", migration.path)).unwrap_or_default();
    Err(CliError::usage(format!("{nothing}, and the database has {what} {name} already, which is made{of}"))
        .hint(SAY_IT))
}

/// Something that migrations make and a schema has.
fn made_already(folder: &Folder, migrations: &[Migration], schema: &Schema) -> Option<(&'static str, QName)> {
    let (made, _) = plan::replay(folder, migrations);
    let kind = |kind: RelationKind| match kind {
        RelationKind::Table => "table",
        RelationKind::View => "view",
        RelationKind::MaterializedView => "materialized view",
        RelationKind::Sequence => "sequence",
        RelationKind::Index => "index",
        RelationKind::ForeignTable => "foreign table",
    };
    let mut relations = made.relations().filter(|(name, _)| schema.relation(name).is_some());
    let mut types = made.user_types().filter(|(name, _)| schema.user_type(name).is_some());
    let mut functions = made.all_functions().filter(|(name, _)| !schema.functions(name).is_empty());
    let relation = relations.next().map(|(name, relation)| (kind(relation.kind), name.clone()));
    let relation = relation.or_else(|| types.next().map(|(name, _)| ("type", name.clone())));
    relation.or_else(|| functions.next().map(|(name, _)| ("function", name.clone())))
}

/// `--from` beside a history that says something else.
fn said_otherwise(input: &ReleaseInput, rows: &[Applied], pending: &Pending) -> Result<(), CliError> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<Recorded> = rows.iter().map(Applied::recorded).collect();
    let (by_history, _) = input.folder.pending_by_rows(&rows);
    let has = |all: &[Migration], one: &Migration| all.iter().any(|other| other.version == one.version);
    let applied = pending.pending.iter().find(|migration| has(&by_history.applied, migration));
    let missing = pending.applied.iter().find(|migration| has(&by_history.pending, migration));
    let (version, says) = match (applied, missing) {
        (Some(migration), _) => (&migration.version, "is applied"),
        (None, Some(migration)) => (&migration.version, "is not applied"),
        (None, None) => return Ok(()),
    };
    let convention = input.folder.convention;
    Err(CliError::usage(format!("--from says otherwise than the history of {convention}, by which {version} {says}"))
        .hint("leave --from out: the history tells what is applied; or put the history right first"))
}
