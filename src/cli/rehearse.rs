//! (stub)
use super::error::CliError;
use super::exit::Exit;
use super::release_args::ReleaseArgs;

/// Rehearse
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    release: ReleaseArgs,
}
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    args.release.read()?;
    Ok(Exit::Ok)
}
