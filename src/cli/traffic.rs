//! `cutover traffic`: the backend that moves the traffic, by itself.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::traffic_args::{TrafficArgs, open};
use super::{database, live, out};
use crate::config;
use crate::side::Side;
use crate::traffic::{self, Capabilities, Context, Health, Kind, Share, TrafficBackend};

/// Look at the backend that moves the traffic
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(ShowArgs),
}

/// Show what the backend can do and what it sees now: green's share, and whether each version works
///
/// Asks what a release asks before it begins, and changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover traffic show
  cutover traffic show deploy --format json
  cutover traffic show --traffic-exec ./move-traffic --env prod

Exit codes: 0 it could work now · 2 it could not, or there is none")]
struct ShowArgs {
    /// A folder whose `cutover.toml` says what moves the traffic
    #[arg(value_name = "DIR", default_value = ".")]
    folder: Utf8PathBuf,
    #[command(flatten)]
    traffic: TrafficArgs,
    /// How long the backend may take for one call
    #[arg(long, value_name = "DURATION", value_parser = live::duration, default_value = "30s")]
    traffic_timeout: Duration,
    /// `text` for people, `json` for machines
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Version of the JSON.
const FORMAT_VERSION: &str = "1.0";

/// What a backend can do and sees.
#[derive(Debug, Serialize)]
struct Shown {
    format_version: &'static str,
    name: String,
    capabilities: Capabilities,
    share: Option<Share>,
    blue: Health,
    green: Health,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let Command::Show(args) = &args.command;
    let backend = match args.traffic.given()? {
        Some(given) => given,
        None => configured(args)?,
    };
    let shown = database::runtime()?.block_on(show(backend.as_ref(), args.traffic_timeout))?;
    out::print(&match args.format {
        Format::Json => serde_json::to_string_pretty(&shown).map_err(CliError::usage)? + "\n",
        Format::Text => in_words(&shown),
    })?;
    Ok(Exit::Ok)
}

fn configured(args: &ShowArgs) -> Result<Box<dyn TrafficBackend>, CliError> {
    let config = config::find(&args.folder).map_err(CliError::usage)?.unwrap_or_default();
    let traffic = config.inputs.release.traffic.ok_or_else(|| {
        let nothing = format!(
            "nothing says what moves the traffic: {} has no `traffic` under [release]",
            args.folder.join(config::FILE_NAME)
        );
        CliError::usage(nothing).hint("say it there, or with --traffic or --traffic-exec")
    })?;
    open(&traffic)
}

async fn show(backend: &dyn TrafficBackend, deadline: Duration) -> Result<Shown, CliError> {
    let (log, mut lines) = traffic::Log::channel();
    let context = Context { release: "none".to_owned(), step: "show".to_owned(), fence: 0, deadline, log };
    let shown = async {
        backend.preflight(&context).await?;
        Ok(Shown {
            format_version: FORMAT_VERSION,
            name: backend.name().to_owned(),
            capabilities: backend.capabilities(&context).await?,
            share: backend.observe(&context).await?.share,
            blue: backend.health(&context, Side::Blue).await?,
            green: backend.health(&context, Side::Green).await?,
        })
    };
    let shown = shown.await;
    while let Some(line) = lines.next_now() {
        out::say(&format!("  | {line}\n"));
    }
    shown.map_err(|error: traffic::TrafficError| CliError::usage(error))
}

fn in_words(shown: &Shown) -> String {
    let Shown { name, capabilities, share, blue, green, .. } = shown;
    let moves = match capabilities.kind {
        Kind::Weighted => "any share",
        Kind::Switch => "all traffic or none",
        Kind::Manual => "nothing: people do",
    };
    let share = share.map_or_else(|| "unknown".to_owned(), |share| share.to_string());
    let health = |health: &Health| match health {
        Health::Healthy => "healthy".to_owned(),
        Health::Unhealthy { why } => format!("unhealthy: {why}"),
        Health::Unknown => "unknown".to_owned(),
    };
    format!(
        "Traffic    {name}\nMoves      {moves}\nVerified   {}\nDrain      {}\nGreen has  {share}\nBlue       {}\nGreen      {}\n",
        if capabilities.can_verify {
            "a share that was set can be seen"
        } else {
            "a share that was set cannot be seen"
        },
        if capabilities.can_prove_drain { "can be proved" } else { "cannot be proved: somebody has to say it" },
        health(blue),
        health(green),
    )
}
