//! `cutover serve`: gates over HTTP.

use std::net::SocketAddr;

use camino::Utf8PathBuf;

use super::database::DatabaseArgs;
use super::error::CliError;
use super::exit::Exit;

/// Answer engines over HTTP whether they may go on
///
/// For platforms that ask by webhooks or probes: gates of a release, Flagger's webhooks, measurements of Argo Rollouts, readiness, figures for Prometheus. Reads
/// only, and never moves a release. Runs until Ctrl-C or SIGTERM.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover serve
  CUTOVER_SERVE_TOKEN=… cutover serve --listen 0.0.0.0:8765

Paths:
  GET  /gates/NAME?release=ID               200 open · 503 not yet, or not known · 403 refused
  GET  /ready?version=VERSION               the same, for a version that is about to start
  GET  /measurements/gates/NAME?release=ID  200 with {\"open\": true|false} · 503 not known
  POST /flagger/HOOK                        what Flagger's webhook of that name asks
  GET  /metrics                             figures for Prometheus
  GET  /healthz                             200, without a token

Exit codes: 0 stopped · 2 usage")]
pub(super) struct Args {
    /// The address to listen on. Beyond this machine a token is needed, and TLS is for what stands before it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8765")]
    listen: SocketAddr,
    /// The file with the token that callers send (`Authorization: Bearer …`); without it CUTOVER_SERVE_TOKEN counts
    #[arg(long, value_name = "FILE")]
    token_file: Option<Utf8PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[cfg(not(feature = "serve"))]
pub(super) fn run(_: Args) -> Result<Exit, CliError> {
    Err(CliError::usage("`serve` is not part of this build; install `cutover` with `--features serve`"))
}

#[cfg(feature = "serve")]
pub(super) fn run(args: Args) -> Result<Exit, CliError> {
    use crate::serve::{self, Looker, Token};

    let token = match (&args.token_file, std::env::var("CUTOVER_SERVE_TOKEN")) {
        (Some(file), _) => {
            Some(std::fs::read_to_string(file).map_err(|error| CliError::usage(format!("{file}: {error}")))?)
        }
        (None, Ok(text)) => Some(text),
        (None, Err(_)) => None,
    };
    let token = token.map(|text| {
        let short = || format!("the token is shorter than {} characters, and is soon guessed", Token::SHORTEST);
        Token::new(&text).ok_or_else(|| CliError::usage(short()))
    });
    let token = token.transpose()?;
    if token.is_none() && !args.listen.ip().is_loopback() {
        return Err(CliError::usage(format!("--listen {} is open to others, and there is no token", args.listen))
            .hint("set CUTOVER_SERVE_TOKEN or --token-file; or listen on 127.0.0.1"));
    }
    // Whether the database can be named at all is told now, and not to the first who asks.
    args.database.target()?;
    let database = args.database;
    let looker = Looker::new(Box::new(move || {
        let database = database.clone();
        Box::pin(async move { super::watch::connect(&database).await.map_err(|error| error.message) })
    }));
    let looker = looker.map_err(|error| CliError::usage(format!("no thread can be begun: {error}")))?;
    super::database::runtime()?.block_on(listen(args.listen, serve::router(looker, token)))
}

#[cfg(feature = "serve")]
async fn listen(address: SocketAddr, router: axum::Router) -> Result<Exit, CliError> {
    use tokio::signal::unix::{SignalKind, signal};

    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        return Err(CliError::usage("signals cannot be waited for"));
    };
    let cannot = |error: std::io::Error| CliError::usage(format!("cannot listen on {address}: {error}"));
    let listener = tokio::net::TcpListener::bind(address).await.map_err(cannot)?;
    let own = listener.local_addr().map_err(cannot)?;
    super::out::say(&format!("Listening on http://{own}\n"));
    let stop = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    crate::serve::listen(listener, router, stop).await;
    Ok(Exit::Ok)
}
