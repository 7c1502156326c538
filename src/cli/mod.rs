//! The command line: clap's arguments, one file a command. The only place that prints, reads the environment, or picks an exit code.

mod admission;
mod check;
mod child;
mod config;
mod database;
mod databases;
mod debt;
mod error;
mod events;
mod execute;
mod exit;
mod explain;
mod file;
mod format;
mod gate;
mod git;
mod grants;
mod graph;
mod groups;
mod lint;
mod live;
mod log;
mod newsroom;
mod out;
mod pause;
mod plan;
mod planning;
mod promote;
mod queries;
mod ready;
mod record;
mod rehearse;
mod release_args;
mod release_definition;
mod report;
mod resume;
mod rollback;
mod rows_args;
mod rules;
mod schema;
mod serve;
mod server_args;
mod settings;
mod source_tree;
mod stats;
mod status;
mod traffic;
mod traffic_args;
mod watch;
mod worktree;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use error::CliError;
pub use exit::Exit;

#[derive(Debug, Parser)]
#[command(name = "cutover", version, about, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lint(lint::Args),
    Plan(plan::Args),
    Rehearse(rehearse::Args),
    Record(record::Args),
    Report(report::Args),
    Graph(graph::Args),
    Execute(execute::Args),
    Stats(stats::Args),
    Check(check::Args),
    Status(status::Args),
    Debt(debt::Args),
    Ready(ready::Args),
    Gate(gate::Args),
    Serve(serve::Args),
    Log(log::Args),
    Grants(grants::Args),
    Resume(resume::Args),
    Promote(promote::Args),
    Rollback(rollback::RollbackArgs),
    Pause(pause::Args),
    Abort(rollback::AbortArgs),
    Traffic(traffic::Args),
    Explain(explain::Args),
    Rules(rules::Args),
    Config(config::Args),
    Schema(schema::Args),
}

/// Runs the command line.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = groups::grouped(Cli::command()).try_get_matches_from(args);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            out::say(&format!("error: {}\n", error.message));
            for hint in &error.hints {
                out::say(&format!("  help: {hint}\n"));
            }
            error.exit.into()
        }
    }
}

fn run(command: Command) -> Result<Exit, CliError> {
    match command {
        Command::Lint(args) => lint::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Rehearse(args) => rehearse::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Execute(args) => execute::run(args),
        Command::Stats(args) => stats::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Debt(args) => debt::run(&args),
        Command::Ready(args) => ready::run(&args),
        Command::Gate(args) => gate::run(&args),
        Command::Serve(args) => serve::run(args),
        Command::Log(args) => log::run(&args),
        Command::Grants(args) => grants::run(&args),
        Command::Resume(args) => resume::run(args),
        Command::Promote(args) => promote::run(args),
        Command::Rollback(args) => rollback::run(args),
        Command::Pause(args) => pause::run(args),
        Command::Abort(args) => rollback::abort(args),
        Command::Traffic(args) => traffic::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Schema(args) => schema::run(&args),
    }
}
