//! `cutover rehearse`: the whole release on a throwaway server.

use std::io::IsTerminal as _;
use std::time::Duration;

use camino::Utf8PathBuf;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::database;
use super::error::CliError;
use super::exit::Exit;
use super::file;
use super::format;
use super::out;
use super::planning;
use super::release_args::ReleaseArgs;
use super::rows_args::{FoundRows, RowsArgs};
use super::server_args::{ServerArgs, server_error};
use crate::diagnostic::Severity;
use crate::execute::{Event, Stop};
use crate::migrations::Pending;
use crate::plan::saved::{SavedPlan, Verdict};
use crate::plan::{Planned, Request};
use crate::postgres::throwaway::Throwaway;
use crate::project::Project;
use crate::rehearse::observation::{self, Seen};
use crate::rehearse::rehearsal::{self, Rehearsal};
use crate::rehearse::{RehearsalError, Script, Terms};
use crate::report::{self, Format, REHEARSAL_FORMATS, RehearsalReport, Style};

/// Rehearse the whole release on a throwaway PostgreSQL
///
/// Runs the applied migrations, then the plan through the real executor with simulated traffic, prepares every query of both versions
/// at every state, plays again what was recorded with its values (`cutover record --with-values`), follows the rows that each version writes in the
/// overlap to the end, and compares that, object by object, with
/// a fresh installation: an empty database that ran all files in their own order. Statements that cannot be read (DO blocks, CALL, dynamic SQL) are
/// watched on the server first, and placed by what they were seen to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover rehearse migrations-examples/02-rename-column
  cutover rehearse migrations --from 41 --blue queries/v1 --green queries/v2
  cutover rehearse migrations --from 41 --server local
  cutover rehearse migrations --from 41 --format html -o rehearsal.html
  cutover rehearse migrations --from 41 --server postgres://me@db/postgres
  cutover rehearse migrations --from 41 --server local --base-dump shop.dump
  cutover rehearse migrations --from 41 --server postgres://me@copies/postgres --template shop_of_last_night

Exit codes: 0 both versions worked everywhere · 1 the plan is not safe, a query broke, rows are lost, or a fresh installation differs · 2 usage, configuration or input ·
4 a step failed")]
pub(super) struct Args {
    #[command(flatten)]
    release: ReleaseArgs,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    rows: RowsArgs,
    /// Do not run the queries of a version without a recording on rows that are made up, and do not follow what they write in the overlap
    #[arg(long)]
    no_synthetic_rows: bool,
    /// What to print
    #[arg(long, value_parser = format::parser(REHEARSAL_FORMATS), default_value = PEOPLE)]
    format: &'static Format<RehearsalReport>,
    /// Write it into a file instead of printing it
    #[arg(long, short, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
}

/// The format of which the first half is printed before the rehearsal.
const PEOPLE: &str = "text";

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut project = args.release.read()?;
    let rows = args.rows.read(&mut project.folder, &args.server)?;
    let pending = planning::pending(&project)?;
    let runtime = database::runtime()?;
    let done = runtime.block_on(database::interruptible(async {
        // The server is wanted early only where a statement has to be watched before it can be placed.
        let (seen, server) = if observation::is_needed(&project.folder, &pending) {
            let server = args.server.start(&project.folder).await?;
            (observe(&server, &project, &pending, args.server.terms(&project)).await?, Some(server))
        } else {
            (Seen::default(), None)
        };
        let request = project.request(&pending);
        let planned = crate::plan::plan(Request { observed: Some(&seen.effects), ..request.on(seen.base.as_ref()) });
        rehearse(args, &project, &pending, &planned, rows.as_ref(), server).await
    }));
    runtime.shutdown_background();
    done
}

/// Watches the statements that cannot be read; says where it had to stop.
pub(super) async fn observe(
    server: &Throwaway,
    project: &Project,
    pending: &Pending,
    terms: Terms<'_>,
) -> Result<Seen, CliError> {
    let seen =
        observation::observe_on(server, &project.folder, pending, terms).await.map_err(|e| rehearsal_error(&e))?;
    if let Some((place, message)) = &seen.stopped {
        out::say(&format!(
            "note: {place}: this statement failed on {}: {message}; nothing after it was observed\n",
            server.describe()
        ));
    }
    Ok(seen)
}

async fn rehearse(
    args: &Args,
    project: &Project,
    pending: &Pending,
    planned: &Planned,
    rows: Option<&FoundRows>,
    server: Option<Throwaway>,
) -> Result<Exit, CliError> {
    let shown: Vec<_> = planned.diagnostics.iter().filter(|d| d.severity > Severity::Info).cloned().collect();
    out::say(&report::render_diagnostics(&shown, &planned.sources, out::stderr_style()));
    let color = args.output.is_none() && std::io::stdout().is_terminal();
    let style = Style { color, ..Style::default() };
    let reported = |rehearsal| RehearsalReport { plan: planned.plan.clone(), rehearsal };
    // What there is to read while the rehearsal runs.
    let early = args.format.name == PEOPLE && args.output.is_none();
    if early {
        out::print(&report::render_plan(&planned.plan, style))?;
    }
    if planned.plan.verdict == Verdict::Unsafe {
        out::say("\nNot rehearsed: a plan that is not safe is not run, not even on a throwaway server.\n");
        if !early {
            show(args, &(args.format.render)(&reported(None), style))?;
        }
        return Ok(Exit::Findings);
    }
    let script = project.script(&planned.plan, pending);
    let rows = rows.map(FoundRows::rows);
    let terms = Terms { synthetic_rows: !args.no_synthetic_rows, rows, ..args.server.terms(project) };
    let rehearsal = play(args, script, terms, server).await?;
    for note in &rehearsal.notes {
        out::say(&format!("note: {note}\n"));
    }
    if let Some(version) = project.pg_version.filter(|version| *version != rehearsal.version) {
        out::say(&format!(
            "warning: rehearsed on {}, and --pg-version says {version}: what statements cost and what is refused may be otherwise there\n",
            rehearsal.version
        ));
    }
    let stopped = rehearsal.on_rows.as_ref().is_some_and(|rows| rows.failure.is_some());
    let exit = match rehearsal.is_safe() {
        true => Exit::Ok,
        false if stopped => Exit::Failed,
        false => Exit::Findings,
    };
    show(
        args,
        &match early {
            true => report::render_rehearsal(&rehearsal, &planned.plan, style),
            false => (args.format.render)(&reported(Some(rehearsal)), style),
        },
    )?;
    Ok(exit)
}

fn show(args: &Args, text: &str) -> Result<(), CliError> {
    file::write_or_print(args.output.as_deref(), text)
}

async fn play(
    args: &Args,
    script: Script<'_>,
    terms: Terms<'_>,
    server: Option<Throwaway>,
) -> Result<Rehearsal, CliError> {
    let progress = progress(script.plan);
    progress.set_message("starting a PostgreSQL server");
    let server = match server {
        Some(server) => server,
        None => args.server.start(script.folder).await?,
    };
    progress.set_message("running the migrations that production has");
    let (_stopper, stop) = Stop::channel();
    let mut tell = |event: &Event| {
        if let Event::StepRunning { step, object, action, .. } = event {
            progress.set_position(u64::from(*step));
            progress.set_message(format!("{action} of {object}"));
        }
    };
    let done = rehearsal::rehearse_on(&server, script, terms, &mut tell, stop).await;
    progress.finish_and_clear();
    let stopped = server.stop().await;
    let rehearsal = done.map_err(|error| rehearsal_error(&error))?;
    // What was rehearsed was rehearsed.
    if let Err(error) = stopped {
        out::say(&format!("warning: {error}\n"));
    }
    Ok(rehearsal)
}

fn rehearsal_error(error: &RehearsalError) -> CliError {
    match error {
        RehearsalError::Server(error) => server_error(error),
        RehearsalError::Release(error) => {
            let cli = CliError::new(Exit::Failed, format!("the release failed in the rehearsal: {error}"));
            cli.hint("nothing but a throwaway database was changed")
        }
        RehearsalError::Program { .. } => CliError::usage(error).hint(
            "write it as SQL; or make one file of what it and those before it leave behind (pg_dump --schema-only) and begin there",
        ),
        RehearsalError::Limit { .. } => CliError::new(Exit::Failed, error)
            .hint("allow it more time with --time-limit; nothing but a throwaway database was changed"),
        RehearsalError::RoleOfTheServer { .. } => CliError::usage(error)
            .hint("rehearse it with --server local or embedded, where a role is nobody's"),
        RehearsalError::Restore { .. } => {
            CliError::usage(error).hint("--pg-bin names the directory of a pg_restore that is as new as the pg_dump that made it")
        }
        RehearsalError::Base { .. }
        | RehearsalError::Catalog(_)
        | RehearsalError::Observe(_)
        | RehearsalError::Synthetic(_)
        | RehearsalError::Measuring(_)
        | RehearsalError::History(_) => CliError::usage(error),
    }
}

/// A bar on stderr, and nothing at all where stderr is no terminal.
fn progress(plan: &SavedPlan) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(plan.steps.len() as u64), target);
    if let Ok(style) = ProgressStyle::with_template("  {spinner} [{bar:24}] {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
