//! `cutover plan`: order the pending migrations around the cutover, and prove it.

use std::io::IsTerminal as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::exit::Exit;
use super::file;
use super::out;
use super::release_args::{ReleaseArgs, ReleaseInput};
use super::server_args::ServerArgs;
use crate::diagnostic::Severity;
use crate::effect::PgVersion;
use crate::execute::observation::{self, Seen};
use crate::migrations::Pending;
use crate::plan::saved::Verdict;
use crate::plan::{self, Planned, Request};
use crate::postgres::{history, introspect};
use crate::report::{self, Style};
use crate::schema::Schema;

/// Order the pending migrations: before and after the cutover
///
/// Reads the migrations (and, if given, the queries of both versions), works out what each statement gives to and takes from the two
/// versions, and places it before (additive) or after (deletive) the cutover.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover plan migrations --from 41
  cutover plan migrations --from 41 --blue queries/v1 --green queries/v2 -o release.plan
  cutover plan migrations --database postgres://deploy@db/shop -o release.plan
  cutover plan migrations --from 41 --stats stats.json
  cutover plan migrations --from 41 --format json

Exit codes: 0 safe · 1 not safe · 2 usage, configuration or input · 3 safe and there are steps (--detailed-exitcode)")]
pub(super) struct Args {
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
    /// Save the plan for `cutover execute`
    #[arg(long, short, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
    /// `text` for people, `json` for machines (its schema: `cutover schema plan`)
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Exit with 3 if the plan is safe and has steps
    #[arg(long)]
    detailed_exitcode: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let input = args.release.read()?;
    let (pending, base, version) = match &args.database {
        Some(_) => live(args.database.clone(), &input)?,
        None => (pending(&input)?, None, input.version()),
    };
    let seen = if args.observe { observe(&args.server, &input, &pending)? } else { Seen::default() };
    let planned = plan::plan(Request {
        folder: &input.folder,
        pending: &pending,
        base: base.as_ref().or(seen.base.as_ref()),
        blue: input.blue.as_ref(),
        green: input.green.as_ref(),
        observed: args.observe.then_some(&seen.effects),
        weighing: input.weighing.as_ref(),
        version: input.version.unwrap_or(version),
        assume: input.assume,
    });
    show(args.format, &input, &planned)?;
    if let Some(path) = &args.output {
        save(path, &planned.plan.to_json())?;
        if args.format == Format::Text {
            let text = format!(
                "\nSaved the plan to: {path}\nTo perform exactly these steps, run:\n    cutover execute {path} --database URL\n"
            );
            out::print(&text)?;
        }
    }
    let exit = match planned.plan.verdict {
        Verdict::Unsafe => Exit::Findings,
        Verdict::Safe if args.detailed_exitcode && !planned.plan.steps.is_empty() => Exit::HasSteps,
        Verdict::Safe => Exit::Ok,
    };
    // The process ends: taking apart what is many small values would only take time.
    std::mem::forget((input, pending, planned));
    Ok(exit)
}

/// What is pending by `--from`.
pub(super) fn pending(input: &ReleaseInput) -> Result<Pending, CliError> {
    let from = input.from.as_deref().filter(|from| *from != "none");
    if input.from.is_none() {
        let count = input.folder.migrations.len();
        out::say(&format!(
            "note: neither --from nor --database says what is applied already; all {count} migrations are taken as pending on an empty database\n"
        ));
    }
    input.folder.pending_after(from).map_err(CliError::usage)
}

/// Watches the statements that can not be read, on a throwaway server that is there for nothing else.
pub(super) fn observe(server: &ServerArgs, input: &ReleaseInput, pending: &Pending) -> Result<Seen, CliError> {
    if !observation::is_needed(&input.folder, pending) {
        return Ok(Seen::default());
    }
    database::runtime()?.block_on(async {
        let server = server.start(&input.folder).await?;
        let seen = super::rehearse::observe(&server, input, pending).await;
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

/// Prints findings and plan.
fn show(format: Format, input: &ReleaseInput, planned: &Planned) -> Result<(), CliError> {
    let stderr = stderr_style();
    for (diagnostic, sources) in &input.unread {
        out::say(&report::render_diagnostics(std::slice::from_ref(diagnostic), sources, stderr));
    }
    match format {
        Format::Json => out::print(&planned.plan.to_json()),
        Format::Text => {
            let shown: Vec<_> = planned.diagnostics.iter().filter(|d| d.severity > Severity::Info).cloned().collect();
            out::say(&report::render_diagnostics(&shown, &planned.sources, stderr));
            let style = Style { color: std::io::stdout().is_terminal(), ..Style::default() };
            out::print(&report::render_plan(&planned.plan, style))
        }
    }
}

pub(super) fn stderr_style() -> Style {
    // anstream takes the colours out again where NO_COLOR or the terminal say so.
    Style { color: std::io::stderr().is_terminal(), ..Style::default() }
}

fn save(path: &Utf8Path, text: &str) -> Result<(), CliError> {
    file::write(path, text).map_err(|error| error.hint("no plan was saved; choose another path with -o"))
}
