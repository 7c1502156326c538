//! `cutover record`: the statements of a version's own test suite → a workload file.

use std::collections::HashMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::child::{self, Ended};
use super::database::{self, DatabaseArgs};
use super::error::CliError;
use super::exit::Exit;
use super::file;
use super::out;
use super::out::stderr_style;
use super::server_args::{local_options, server_error};
use super::worktree::{self, Worktree};
use crate::diagnostic::{Diagnostic, Severity};
use crate::migrations::{self, Convention, Folder, Reading};
use crate::postgres::throwaway::{Logged, RECORDER, Scratch, ThrowawayError};
use crate::postgres::{self, APPLICATION_NAME, Session, Target, connect};
use crate::rehearse::rehearsal;
use crate::report;
use crate::source::Sources;
use crate::workload::{self, Filter, LogFormat, SavedTransaction, SavedWorkload, StatementRow, Workload};

/// Record the statements that a test suite sends
///
/// Runs a command (the version's own tests, in whatever language) against a throwaway PostgreSQL and writes down what it asked: each query
/// once, without values. With --ref the command runs in a temporary worktree of that commit. The command finds the server in DATABASE_URL
/// and in PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover record --name green --migrations migrations -o green.workload -- cargo test
  cutover record --name blue --ref v1.4 --migrations migrations -o blue.workload -- npm test
  cutover plan migrations --from 41 --blue blue.workload --green green.workload

Exit codes: 0 recorded · 1 recorded, but the command failed · 2 usage, configuration or input; nothing was written ·
130 interrupted; nothing was written")]
pub(super) struct Args {
    /// What the version is called: blue, green, v1.4
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Run in a temporary worktree of this commit, branch or tag
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// Migrations to apply first, in that version's files; can be given several times. Without it the command makes its own schema
    #[arg(long, value_name = "DIR")]
    migrations: Vec<Utf8PathBuf>,
    /// How those folders are named and ordered; detected if not given
    #[arg(long, value_name = "NAME")]
    convention: Option<Convention>,
    /// Where: `local` (this machine's PostgreSQL binaries), or the URL of a server for a scratch database (read from pg_stat_statements)
    #[arg(long, value_name = "SERVER", default_value = "local")]
    server: String,
    /// The directory of initdb and postgres, for `--server local`
    #[arg(long, value_name = "DIR", env = "CUTOVER_PG_BIN")]
    pg_bin: Option<std::path::PathBuf>,
    /// Only statements of sessions with this application_name
    #[arg(long, value_name = "NAME")]
    application: Option<String>,
    /// No statements of sessions with this application_name, such as a migration tool's; can be given several times
    #[arg(long, value_name = "NAME")]
    not_application: Vec<String>,
    /// Keep constants, and the values of parameters in the order they were sent, for a replay. They may be personal data
    #[arg(long)]
    with_values: bool,
    /// The workload file to write
    #[arg(long, short, value_name = "FILE")]
    output: Utf8PathBuf,
    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What was recorded, and how the command ended.
struct Recorded {
    ended: Ended,
    workload: Workload,
    transactions: Vec<SavedTransaction>,
    diagnostics: Vec<Diagnostic>,
    server: String,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let here = std::env::current_dir().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
    let here = here.ok_or_else(|| CliError::usage("the current directory is not there, or its name is not UTF-8"))?;
    // Tried first: a test suite takes its time.
    let writable = args.output.parent().is_none_or(|parent| parent.as_str().is_empty() || parent.is_dir());
    if !writable {
        return Err(CliError::usage(format!("{}: its folder does not exist", args.output)));
    }
    let tree = args.reference.as_deref().map(|reference| Worktree::add(&here, reference)).transpose()?;
    let folder = tree.as_ref().map_or(&*here, |tree| &*tree.folder);
    let commit = tree.as_ref().map_or_else(|| worktree::clean_commit(&here), |tree| Some(tree.commit.clone()));
    let folders = folders(args, folder)?;
    let runtime = database::runtime()?;
    let recorded = runtime.block_on(async {
        match args.server.as_str() {
            "local" => local(args, folder, &folders).await,
            url if url.contains("://") || url.contains('=') => scratch(args, folder, &folders).await,
            "embedded" => Err(CliError::usage("the embedded server has one session, and test suites open many")
                .hint("use --server local, or the URL of a server")),
            other => Err(CliError::usage(format!("{other:?} is not a server")).hint("use local, or a URL")),
        }
    });
    runtime.shutdown_background();
    drop(tree);
    finish(args, recorded?, commit)
}

fn folders(args: &Args, folder: &Utf8Path) -> Result<Vec<Folder>, CliError> {
    let reading = Reading { convention: args.convention, ..Reading::default() };
    let read = |given: &Utf8PathBuf| {
        let path = folder.join(given);
        if !path.is_dir() {
            return Err(CliError::usage(format!("--migrations {given}: there is no such folder in this version")));
        }
        migrations::load_with(&path, &reading).map_err(CliError::usage)
    };
    args.migrations.iter().map(read).collect()
}

async fn migrate(session: &Session, folders: &[Folder]) -> Result<(), CliError> {
    for folder in folders {
        rehearsal::migrate(session, folder, &folder.migrations).await.map_err(|error| {
            CliError::usage(format!("the migrations of this version do not run: {error}"))
                .hint("leave --migrations out and let the command make its own schema")
        })?;
    }
    Ok(())
}

/// On a cluster of our own, whose log tells everything.
async fn local(args: &Args, folder: &Utf8Path, folders: &[Folder]) -> Result<Recorded, CliError> {
    let fail = |error: ThrowawayError| server_error(&error);
    let server = Logged::start(&local_options(args.pg_bin.clone()), args.with_values).await.map_err(fail)?;
    let (own, handed) = server.create_database().await.map_err(fail)?;
    let session = connect(&own).await.map_err(CliError::usage)?;
    migrate(&session, folders).await?;
    session.close().await;
    let ended = command(args, folder, &handed, &server.describe()).await?;
    let log = server.log().await.map_err(fail)?;
    let describe = server.describe();
    let name = match server.format() {
        LogFormat::Json => "log of the command.json",
        LogFormat::Csv => "log of the command.csv",
    };
    server.stop();
    let mut sources = Sources::new();
    sources.add(name, log);
    let own = [RECORDER, APPLICATION_NAME].map(str::to_owned);
    let filter = Filter {
        application: args.application.clone(),
        not_application: own.into_iter().chain(args.not_application.clone()).collect(),
        ..Filter::default()
    };
    let workload::Recording { workload, transactions, diagnostics } =
        workload::read_log(sources, &filter, args.with_values);
    Ok(Recorded { ended, workload, transactions, diagnostics, server: describe })
}

/// On somebody's server, whose `pg_stat_statements` counts.
async fn scratch(args: &Args, folder: &Utf8Path, folders: &[Folder]) -> Result<Recorded, CliError> {
    let local_only = |what: &str| {
        CliError::usage(format!("{what} needs the log of the server, which only --server local has"))
            .hint("leave it out, or use --server local")
    };
    if args.with_values {
        return Err(local_only("--with-values"));
    }
    if args.application.is_some() || !args.not_application.is_empty() {
        return Err(local_only("a filter by application_name"));
    }
    let fail = |error: ThrowawayError| server_error(&error);
    let target = DatabaseArgs::of(Some(args.server.clone())).target()?;
    let server = Scratch::start(&target).await.map_err(fail)?;
    let database = server.create_database().await.map_err(fail)?;
    let done = on_scratch(args, folder, folders, &database, &server.describe()).await;
    if let Err(error) = server.stop().await {
        out::say(&format!("warning: {error}\n"));
    }
    done
}

async fn on_scratch(
    args: &Args,
    folder: &Utf8Path,
    folders: &[Folder],
    database: &Target,
    describe: &str,
) -> Result<Recorded, CliError> {
    let session = connect(&database.with_application_name(RECORDER)).await.map_err(CliError::usage)?;
    let missing = |reason: &dyn std::fmt::Display| {
        CliError::usage(format!("what is sent to {describe} cannot be recorded: {reason}")).hint(
            "a server that is named needs pg_stat_statements in its shared_preload_libraries; or use --server local",
        )
    };
    let schema = "CREATE SCHEMA cutover_record; CREATE EXTENSION pg_stat_statements SCHEMA cutover_record";
    session.batch_execute(schema).await.map_err(|error| missing(&postgres::server_message(&error)))?;
    migrate(&session, folders).await?;
    let all = Filter::default();
    let before = postgres::statements(&session, &all).await.map_err(|error| missing(&error))?;
    let ended = command(args, folder, database, describe).await?;
    let after = postgres::statements(&session, &all).await.map_err(|error| missing(&error))?;
    session.close().await;
    let (workload, diagnostics) = workload::read_statements("pg_stat_statements", &since(before, after));
    Ok(Recorded { ended, workload, transactions: Vec::new(), diagnostics, server: describe.to_owned() })
}

/// What ran between two looks.
fn since(before: Vec<StatementRow>, after: Vec<StatementRow>) -> Vec<StatementRow> {
    let before: HashMap<String, u64> = before.into_iter().map(|row| (row.query, row.calls)).collect();
    let new = |row: StatementRow| {
        let calls = row.calls.saturating_sub(before.get(&row.query).copied().unwrap_or(0));
        (calls > 0).then_some(StatementRow { calls, ..row })
    };
    after.into_iter().filter_map(new).filter(|row| !row.query.contains("cutover_record")).collect()
}

async fn command(args: &Args, folder: &Utf8Path, target: &Target, server: &str) -> Result<Ended, CliError> {
    out::say(&format!("Recording on {server}: {}\n", args.command.join(" ")));
    let ended = child::run(&args.command, folder, &target.variables()).await?;
    if ended == Ended::Interrupted {
        return Err(CliError::new(Exit::Interrupted, "interrupted; the command was ended and nothing was recorded"));
    }
    Ok(ended)
}

fn finish(args: &Args, recorded: Recorded, commit: Option<String>) -> Result<Exit, CliError> {
    let Recorded { ended, workload, transactions, diagnostics, server } = recorded;
    let (notes, shown): (Vec<_>, Vec<_>) = diagnostics.into_iter().partition(|d| d.severity == Severity::Info);
    for note in notes {
        out::say(&format!("note: {}\n", note.message));
    }
    out::say(&report::render_diagnostics(&shown, &workload.sources, stderr_style()));
    if workload.queries.is_empty() {
        return Err(CliError::usage(format!("the command {ended} and sent no query, so nothing was written"))
            .hint("it has to connect to DATABASE_URL, or to what the PG… variables say"));
    }
    let saved = SavedWorkload {
        commit,
        application: args.application.clone(),
        transactions,
        ..SavedWorkload::new(&args.name, &format!("recorded on {server}"), &workload, args.with_values, false)
    };
    file::write(&args.output, &saved.to_json())?;
    let calls: u64 = workload.queries.iter().filter_map(|query| query.calls).sum();
    let queries = saved.queries.len();
    out::say(&format!("Recorded {queries} queries, sent {calls} times, in {}\n", args.output));
    if ended == Ended::Well {
        return Ok(Exit::Ok);
    }
    out::say(&format!(
        "warning: the command {ended}: what its failing part would have asked is not in the recording\n"
    ));
    Ok(Exit::Findings)
}
