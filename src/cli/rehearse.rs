//! `cutover rehearse`: the whole release on a throwaway server.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::exit::Exit;
use super::out;
use super::plan;
use super::release_args::ReleaseArgs;
use crate::diagnostic::Severity;
use crate::execute::rehearsal::{self, Rehearsal, RehearsalError, Script};
use crate::execute::{Event, Stop};
use crate::plan::Request;
use crate::plan::saved::{SavedPlan, Verdict};
#[cfg(feature = "embedded")]
use crate::postgres::throwaway::{Embedded, EmbeddedOptions};
use crate::postgres::throwaway::{Local, LocalOptions, Scratch, Throwaway, ThrowawayError};
use crate::report::{self, Style};

/// Rehearse the whole release on a throwaway PostgreSQL
///
/// Runs the applied migrations, then the plan through the real executor with simulated traffic, prepares every query of both versions
/// at every state, and compares the end with the files' own order.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover rehearse migrations-examples/02-rename-column
  cutover rehearse migrations --from 41 --blue queries/v1 --green queries/v2
  cutover rehearse migrations --from 41 --server local
  cutover rehearse migrations --from 41 --server postgres://me@db/postgres

Exit codes: 0 both versions worked everywhere · 1 the plan is not safe, or a query broke · 2 usage, configuration or input ·
4 a step failed")]
pub(super) struct Args {
    #[command(flatten)]
    release: ReleaseArgs,
    /// Where: `embedded` (in this process), `local` (this machine's PostgreSQL binaries), or the URL of a server for scratch databases
    #[arg(long, value_name = "SERVER", default_value = DEFAULT_SERVER)]
    server: String,
    /// The directory of initdb and postgres, for `--server local`
    #[arg(long, value_name = "DIR", env = "CUTOVER_PG_BIN")]
    pg_bin: Option<std::path::PathBuf>,
}

const DEFAULT_SERVER: &str = if cfg!(feature = "embedded") { "embedded" } else { "local" };

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let input = args.release.read()?;
    let pending = plan::pending(&input)?;
    let planned = crate::plan::plan(Request {
        folder: &input.folder,
        pending: &pending,
        base: None,
        blue: input.blue.as_ref(),
        green: input.green.as_ref(),
    });
    let shown: Vec<_> = planned.diagnostics.iter().filter(|d| d.severity > Severity::Info).cloned().collect();
    out::say(&report::render_diagnostics(&shown, &planned.sources, plan::stderr_style()));
    let style = Style { color: std::io::stdout().is_terminal(), ..Style::default() };
    out::print(&report::render_plan(&planned.plan, style))?;
    if planned.plan.verdict == Verdict::Unsafe {
        out::say("\nNot rehearsed: a plan that is not safe is not run, not even on a throwaway server.\n");
        return Ok(Exit::Findings);
    }
    let script = Script {
        plan: &planned.plan,
        folder: &input.folder,
        applied: &pending.applied,
        pending: &pending.pending,
        blue: input.blue.as_ref(),
        green: input.green.as_ref(),
    };
    let runtime = database::runtime()?;
    let done = runtime.block_on(play(args, script));
    runtime.shutdown_background();
    let rehearsal = done?;
    out::print(&report::render_rehearsal(&rehearsal, &planned.plan, style))?;
    Ok(if rehearsal.is_safe() { Exit::Ok } else { Exit::Findings })
}

async fn play(args: &Args, script: Script<'_>) -> Result<Rehearsal, CliError> {
    let progress = progress(script.plan);
    progress.set_message("starting a PostgreSQL server");
    let server = start(args, script).await?;
    progress.set_message("running the migrations that production has");
    let (_stopper, stop) = Stop::channel();
    let mut tell = |event: &Event| {
        if let Event::StepRunning { step, object, action, .. } = event {
            progress.set_position(u64::from(*step));
            progress.set_message(format!("{action} of {object}"));
        }
    };
    let done = rehearsal::rehearse(&server, script, &mut tell, stop).await;
    progress.finish_and_clear();
    let stopped = server.stop().await;
    let rehearsal = done.map_err(|error| rehearsal_error(&error))?;
    // What was rehearsed was rehearsed.
    if let Err(error) = stopped {
        out::say(&format!("warning: {error}\n"));
    }
    Ok(rehearsal)
}

async fn start(args: &Args, script: Script<'_>) -> Result<Throwaway, CliError> {
    let started = match args.server.as_str() {
        #[cfg(feature = "embedded")]
        "embedded" => {
            let options =
                EmbeddedOptions { extensions: rehearsal::extensions(script.folder), ..EmbeddedOptions::default() };
            Embedded::start(&options).await.map(Throwaway::Embedded)
        }
        #[cfg(not(feature = "embedded"))]
        "embedded" => {
            let _ = script;
            return Err(CliError::usage("this cutover was built without its embedded server")
                .hint("use --server local, or build it with the feature `embedded`"));
        }
        "local" => {
            let options = LocalOptions {
                bin_directory: args.pg_bin.clone(),
                search_path: std::env::var_os("PATH"),
                ..LocalOptions::default()
            };
            Local::start(&options).await.map(Throwaway::Local)
        }
        url if url.contains("://") || url.contains('=') => {
            let target = DatabaseArgs::of(Some(url.to_owned())).target()?;
            Scratch::start(&target).await.map(Throwaway::Scratch)
        }
        other => {
            return Err(CliError::usage(format!("{other:?} is not a server")).hint("use embedded, local, or a URL"));
        }
    };
    started.map_err(|error| server_error(&error))
}

fn server_error(error: &ThrowawayError) -> CliError {
    let cli = CliError::usage(error);
    match error.hint() {
        Some(hint) => cli.hint(hint),
        None => cli,
    }
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
        RehearsalError::Base { .. } | RehearsalError::Catalog(_) | RehearsalError::History(_) => CliError::usage(error),
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
