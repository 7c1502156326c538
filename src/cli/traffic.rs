//! `cutover traffic`: the backend that moves the traffic, by itself.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::CliError;
use super::exit::Exit;
use super::format::TextOrJson;
use super::traffic_args::{TrafficArgs, open};
use super::{database, live, out, settings};
use crate::config;
use crate::report::{ConformanceDocument, TRAFFIC_FORMAT_VERSION, TrafficDocument};
use crate::side::Side;
use crate::traffic::conformance::{self, ContractFinding, ContractOutcome, RULES};
use crate::traffic::{self, Context, Health, Kind, Share, TrafficBackend};

/// Look at the backend that moves the traffic
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(ShowArgs),
    Test(TestArgs),
    Policy(PolicyArgs),
}

/// Test whether the backend keeps to what a release relies on. This moves real traffic
///
/// Gives green the shares named, asks for every rule of the contract, and gives blue everything again. Use it on a backend of your own, in front of
/// two versions that may both have traffic; nothing of a database is needed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover traffic test --yes
  cutover traffic test deploy --shares 1,5 --yes
  cutover traffic test --yes --traffic-exec ./move-traffic --env staging

Exit codes: 0 every rule is kept, or cannot be asked of this backend · 1 one is broken · 2 there is no backend, or it is not ready")]
struct TestArgs {
    /// A folder whose `cutover.toml` says what moves the traffic
    #[arg(value_name = "DIR", default_value = ".")]
    folder: Utf8PathBuf,
    #[command(flatten)]
    traffic: TrafficArgs,
    /// The shares that green gets on the way, in percent, rising
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', value_parser = share, default_value = "10,50,100")]
    shares: Vec<Share>,
    /// How long the backend may take for one call
    #[arg(long, value_name = "DURATION", value_parser = live::duration, default_value = "30s")]
    traffic_timeout: Duration,
    /// How long the traffic may take to move by one share
    #[arg(long, value_name = "DURATION", value_parser = live::duration, default_value = "5m")]
    verify_timeout: Duration,
    /// `text` for people, `json` for machines
    #[arg(long, value_enum, default_value = "text")]
    format: TextOrJson,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

fn share(text: &str) -> Result<Share, String> {
    Share::percent(text)
        .filter(|share| *share > Share::NONE)
        .ok_or_else(|| "write a percentage above 0, up to 100".to_owned())
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
    format: TextOrJson,
}

/// Print the least that the backend's credentials must be allowed, in the words of its platform
///
/// For backends of AWS this is an IAM policy. Asks nobody.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover traffic policy > policy.json
  cutover traffic policy deploy

Exit codes: 0 printed · 2 there is no backend, or it needs no permissions")]
struct PolicyArgs {
    /// A folder whose `cutover.toml` says what moves the traffic
    #[arg(value_name = "DIR", default_value = ".")]
    folder: Utf8PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    match &args.command {
        Command::Policy(args) => run_policy(args),
        Command::Show(args) => run_show(args),
        Command::Test(args) => run_test(args),
    }
}

fn backend(traffic: &TrafficArgs, folder: &Utf8Path) -> Result<Box<dyn TrafficBackend>, CliError> {
    match traffic.given()? {
        Some(given) => Ok(given),
        None => configured(folder),
    }
}

fn run_test(args: &TestArgs) -> Result<Exit, CliError> {
    let (tested, other) = (backend(&args.traffic, &args.folder)?, backend(&args.traffic, &args.folder)?);
    let shares = args.shares.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    live::confirmed(
        args.yes,
        &format!(
            "Test {} with real traffic: give green {shares} of it, and then none; or, of a platform with deployments of its own, begin two and end them?",
            tested.name()
        ),
    )?;
    let (shares, deadline, converge) = (args.shares.clone(), args.traffic_timeout, args.verify_timeout);
    let settings = conformance::ContractSettings { shares, deadline, converge };
    let (log, mut lines) = traffic::Log::channel();
    let runtime = database::runtime()?;
    let tried = runtime.block_on(async {
        let suite = conformance::conformance(tested.as_ref(), other.as_ref(), &settings, &log);
        tokio::select! {
            findings = suite => Ok(findings),
            () = asked_to_end() => Err(conformance::give_back(other.as_ref(), &settings, &log).await),
        }
    });
    runtime.shutdown_background();
    let findings = tried.map_err(|back| match back {
        Ok(()) => CliError::new(Exit::Interrupted, "interrupted; blue has all traffic again"),
        Err(error) => {
            CliError::new(Exit::Interrupted, format!("interrupted, and giving blue all traffic failed: {error}"))
        }
    })?;
    while let Some(line) = lines.next_now() {
        out::say(&format!("  | {line}\n"));
    }
    let tested =
        ConformanceDocument { format_version: TRAFFIC_FORMAT_VERSION, name: tested.name(), findings: &findings };
    out::print(&match args.format {
        TextOrJson::Json => serde_json::to_string_pretty(&tested).map_err(CliError::usage)? + "\n",
        TextOrJson::Text => tested.findings.iter().map(line).collect(),
    })?;
    let broken = |rule: &ContractFinding| matches!(rule.outcome, ContractOutcome::Broken(_));
    Ok(match findings.iter().find(|finding| broken(finding)) {
        Some(ContractFinding { rule: NOT_READY, .. }) => Exit::Usage,
        Some(_) => Exit::Findings,
        None => Exit::Ok,
    })
}

/// Ctrl-C, a pipeline that is cancelled, a terminal that is closed.
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    out::say("Interrupt received. Giving blue all traffic again.\n");
}

/// What is wrong then is not the backend, but where it stands.
const NOT_READY: &str = "ready";

fn line(ContractFinding { rule, outcome }: &ContractFinding) -> String {
    let about = RULES.iter().find(|known| known.name == *rule).map_or("", |rule| rule.about);
    match outcome {
        ContractOutcome::Kept => format!("  kept     {rule:<15}  {about}\n"),
        ContractOutcome::Broken(why) => format!("  BROKEN   {rule:<15}  {about}\n             {why}\n"),
        ContractOutcome::Skipped(why) => format!("  skipped  {rule:<15}  {why}\n"),
    }
}

fn run_show(args: &ShowArgs) -> Result<Exit, CliError> {
    let backend = backend(&args.traffic, &args.folder)?;
    let shown = database::runtime()?.block_on(show(backend.as_ref(), args.traffic_timeout))?;
    out::print(&match args.format {
        TextOrJson::Json => serde_json::to_string_pretty(&shown).map_err(CliError::usage)? + "\n",
        TextOrJson::Text => in_words(&shown),
    })?;
    Ok(Exit::Ok)
}

fn run_policy(args: &PolicyArgs) -> Result<Exit, CliError> {
    let backend = configured(&args.folder)?;
    let permissions = backend.permissions().ok_or_else(|| {
        CliError::usage(format!("traffic {} uses no credentials, so there is no policy to print", backend.name()))
    })?;
    out::print(&(serde_json::to_string_pretty(&permissions).map_err(CliError::usage)? + "\n"))?;
    Ok(Exit::Ok)
}

fn configured(folder: &Utf8Path) -> Result<Box<dyn TrafficBackend>, CliError> {
    let config = settings::of(folder)?;
    let traffic = config.inputs.release.traffic.ok_or_else(|| {
        let nothing = format!(
            "nothing says what moves the traffic: {} has no `traffic` under [release]",
            folder.join(config::FILE_NAME)
        );
        CliError::usage(nothing).hint("say it there, or with --traffic or --traffic-exec")
    })?;
    open(&traffic)
}

async fn show(backend: &dyn TrafficBackend, deadline: Duration) -> Result<TrafficDocument, CliError> {
    let (log, mut lines) = traffic::Log::channel();
    let context = Context { release: "none".to_owned(), step: "show".to_owned(), fence: 0, deadline, log };
    let shown = async {
        backend.preflight(&context).await?;
        Ok(TrafficDocument {
            format_version: TRAFFIC_FORMAT_VERSION,
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

fn in_words(shown: &TrafficDocument) -> String {
    let TrafficDocument { name, capabilities, share, blue, green, .. } = shown;
    let moves = match capabilities.kind {
        Kind::Weighted => "any share",
        Kind::Switch => "all traffic or none",
        Kind::Manual => "nothing: people do",
        Kind::Managed => "nothing: a platform does, in deployments that it is asked for",
    };
    let share = share.map_or_else(|| "unknown".to_owned(), |share| share.to_string());
    let health = |health: &Health| match health {
        Health::Healthy => "healthy".to_owned(),
        Health::Unhealthy { why } => format!("unhealthy: {why}"),
        Health::Unknown => "unknown".to_owned(),
    };
    let line = |name: &str, says: String| format!("{name:<10} {says}\n");
    let some = |name: &str, says: Option<String>| says.map_or_else(String::new, |says| line(name, says));
    let of = |can: bool, yes: &str, no: &str| if can { yes.to_owned() } else { no.to_owned() };
    [
        line("Traffic", name.clone()),
        some("Target", capabilities.target.as_ref().map(ToString::to_string)),
        line("Moves", moves.to_owned()),
        some(
            "Steps",
            capabilities.grid.and_then(|grid| Share::basis_points(grid.get())).map(|step| format!("of {step}")),
        ),
        some(
            "Converges",
            (capabilities.converges_ms > 0).then(|| format!("after {} ms at the earliest", capabilities.converges_ms)),
        ),
        line(
            "Verified",
            of(capabilities.can_verify, "a share that was set can be seen", "a share that was set cannot be seen"),
        ),
        line("Drain", of(capabilities.can_prove_drain, "can be proved", "cannot be proved: somebody has to say it")),
        line(
            "Overwrites",
            of(
                capabilities.compares_and_swaps,
                "nothing that changes at the same moment",
                "what changes at the same moment",
            ),
        ),
        line("Green has", share),
        line("Blue", health(blue)),
        line("Green", health(green)),
    ]
    .concat()
}
