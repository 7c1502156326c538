//! The live demonstration: a column is renamed in a release while clients are at work. `examples/live/run` starts it.
//!
//! It is a program and not a script because what clients notice, request by request, is what it is about.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

mod app;
mod clients;
mod proxy;

use std::collections::VecDeque;
use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use cutover::postgres::throwaway::{Local, LocalOptions};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio_postgres::{Client, Config, NoTls};

use app::App;
use clients::{Counts, Sum};
use proxy::Proxy;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations-examples/02-rename-column");
const BLUE: &str = include_str!("../../migrations-examples/02-rename-column/blue/accounts.sql");
const GREEN: &str = include_str!("../../migrations-examples/02-rename-column/green/accounts.sql");
const FIRST_MIGRATION: &str = include_str!("../../migrations-examples/02-rename-column/migrations/V1__accounts.sql");

/// How long the whole release may take.
const LIMIT: &str = "5m";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(server), Some(haproxy)) = (args.next(), args.next()) else {
        eprintln!("Start it with examples/live/run, which finds PostgreSQL and HAProxy.");
        return ExitCode::from(2);
    };
    // Whatever ends it, what was started is dropped here, and ends as well.
    let shown = tokio::select! {
        shown = show(&server, &haproxy) => shown,
        stopped = stopped() => stopped.and(Err("Stopped. Everything that was started is gone.".into())),
    };
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error}");
            ExitCode::FAILURE
        }
    }
}

/// Somebody pressed Ctrl-C, or the terminal is gone.
async fn stopped() -> Result<()> {
    let (mut interrupt, mut terminate, mut hangup) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::select! {
        _ = interrupt.recv() => {},
        _ = terminate.recv() => {},
        _ = hangup.recv() => {},
    }
    Ok(())
}

async fn show(server: &str, haproxy: &str) -> Result<()> {
    let begun = Instant::now();
    println!("Ctrl-C ends all that is started here.\n");
    let options = LocalOptions { bin_directory: Some(server.into()), ..LocalOptions::default() };
    let postgres = Local::start(&options).await?;
    println!("PostgreSQL  {}, in a temporary folder", postgres.describe());
    let conninfo = format!("host={} port=5432 user=postgres dbname=shop", postgres.directory().display());
    let database = make_database(&postgres, &conninfo).await?;
    let before = columns(&database).await?;
    println!("Database    shop, as migration 1 left it: accounts ({before})");

    let config: Config = conninfo.parse()?;
    let blue = App::start("blue", BLUE, &config).await?;
    println!("Blue        127.0.0.1:{}, in production: it reads and writes accounts.name", blue.port());
    let green = App::start("green", GREEN, &config).await?;
    println!("Green       127.0.0.1:{}, to be released: it reads and writes accounts.full_name", green.port());

    let folder = tempfile::Builder::new().prefix("cutover-live-").tempdir_in("/tmp")?;
    let proxy = Proxy::start(haproxy, folder.path(), blue, green).await?;
    println!("HAProxy     127.0.0.1:{}, with all traffic for blue", proxy.port);
    let clients = clients::start(proxy.port);
    println!("Clients     {} that ask HAProxy all the time", clients::CLIENTS);

    let shop = folder.path().join("shop");
    make_release(&shop, &proxy, green)?;
    let cutover = Cutover { program: program()?, folder: shop, conninfo };
    println!("\n$ cutover plan . -o release.plan\n");
    let planned = cutover.command(&["plan", ".", "-o", "release.plan"]).output().await?;
    println!("{}", String::from_utf8_lossy(&planned.stdout));
    if !planned.status.success() {
        return Err(String::from_utf8_lossy(&planned.stderr).into());
    }

    println!("$ cutover execute release.plan --yes &\n$ cutover status --watch --timeout {LIMIT}\n");
    let log = cutover.folder.join("execute.log");
    let mut execute = cutover.command(&["execute", "release.plan", "--yes"]);
    execute.stdout(std::fs::File::create(&log)?).stderr(std::fs::File::options().append(true).open(&log)?);
    let mut execute = execute.spawn()?;
    let watched = watch(&cutover, &clients).await?;
    let executed = if watched { execute.wait().await?.success() } else { false };

    let seen = clients.now();
    let after = columns(&database).await?;
    println!("\nRequests    {seen}");
    println!("Before      accounts ({before})");
    println!("After       accounts ({after})");
    println!("Time        {} s", begun.elapsed().as_secs());
    if !executed {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        return Err(format!("The release has not come to its end. `cutover execute` said:\n{said}").into());
    }
    if let Some(why) = clients.first_failure() {
        return Err(format!("Requests have failed. The first of them: {why}").into());
    }
    if after != "id, email, full_name" {
        return Err("The schema is not green's.".into());
    }
    Ok(())
}

/// The database as the first migration leaves it, with some accounts.
async fn make_database(postgres: &Local, conninfo: &str) -> Result<Client> {
    let session = cutover::postgres::connect(postgres.maintenance()).await?;
    session.batch_execute("CREATE DATABASE shop").await?;
    session.close().await;
    let (mut database, connection) = conninfo.parse::<Config>()?.connect(NoTls).await?;
    tokio::spawn(connection);
    let first = refinery::Migration::unapplied("V1__accounts", FIRST_MIGRATION)?;
    refinery::Runner::new(&[first]).run_async(&mut database).await?;
    let accounts =
        "INSERT INTO accounts (email, name) SELECT i || '@old.example', 'Grace' FROM generate_series(1, 100000) i";
    database.batch_execute(accounts).await?;
    Ok(database)
}

async fn columns(database: &Client) -> Result<String> {
    let columns = "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = 'accounts'::regclass AND attnum > 0 AND NOT attisdropped";
    Ok(database.query_one(columns, &[]).await?.get(0))
}

/// A copy of the example, with how it is to be released.
fn make_release(folder: &Path, proxy: &Proxy, green: std::net::SocketAddr) -> Result<()> {
    copy(Path::new(EXAMPLE), folder)?;
    let own = std::fs::read_to_string(Path::new(EXAMPLE).join("cutover.toml"))?;
    let release = format!(
        r#"{own}
[release]
traffic = "edge"
ramp = "10,hold=9s,50,hold=9s,100,bake=9s"
smoke = ["green"]   # before green gets any traffic
watch = ["green"]   # while it has some

[traffic.edge]
kind = "haproxy"
socket = "{socket}"
backend = "app"
blue = ["blue"]
green = ["green"]

[checks.green]
kind = "http"
url = "http://{green}/"
contains = "green"
interval = "1s"
"#,
        socket = proxy.socket.display()
    );
    std::fs::write(folder.join("cutover.toml"), release)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// The command, as it is built beside this program.
fn program() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let program = this.parent().and_then(Path::parent).ok_or("this program is in no folder")?.join("cutover");
    if program.is_file() { Ok(program) } else { Err(format!("{} is not built", program.display()).into()) }
}

/// The command, the folder it is run in, and the database it is told.
struct Cutover {
    program: PathBuf,
    folder: PathBuf,
    conninfo: String,
}

impl Cutover {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            let leads_astray = ["PG", "CUTOVER_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix));
            if leads_astray {
                command.env_remove(name);
            }
        }
        command.args(args).current_dir(&self.folder).env("CUTOVER_DATABASE", &self.conninfo);
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

/// Whether nothing happens that is worth a line.
enum Quiet {
    Not,
    /// Since the clients had seen so much.
    Since(Sum),
    Told,
}

/// Shows the release until it is over, and what the clients notice of it. Whether it came to a good end.
async fn watch(cutover: &Cutover, clients: &Counts) -> Result<bool> {
    let mut status = cutover.command(&["status", "--watch", "--timeout", LIMIT]);
    // As `status` decides whether it draws.
    let draws = std::io::stdout().is_terminal()
        && std::io::stderr().is_terminal()
        && anstream::stdout().current_choice() != anstream::ColorChoice::Never;
    if draws {
        let mut status = status.spawn()?;
        let mut past = VecDeque::from([clients.now()]);
        loop {
            tokio::select! {
                ended = status.wait() => {
                    print!("\x1b[J");
                    return Ok(ended?.success());
                }
                () = tokio::time::sleep(Duration::from_millis(100)) => {
                    let now = clients.now();
                    past.push_back(now);
                    if past.len() > 20 {
                        past.pop_front();
                    }
                    let lately = now.since(past[0]).green_share();
                    // Below the view, and back to where it goes on: it is drawn over this.
                    print!("\x1b7\x1b[?7l\x1b[2KClients    {now}; green has {lately} % now\x1b[?7h\x1b8");
                    std::io::stdout().flush()?;
                }
            }
        }
    }
    let mut status = status.stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(status.stdout.take().ok_or("no output")?).lines();
    // What clients have noticed while nothing else happened.
    let mut quiet = Quiet::Not;
    loop {
        match tokio::time::timeout(Duration::from_secs(2), lines.next_line()).await {
            Ok(line) => {
                let Some(line) = line? else { break };
                println!("{line}");
                quiet = Quiet::Not;
            }
            Err(_) => {
                quiet = match quiet {
                    Quiet::Not => Quiet::Since(clients.now()),
                    Quiet::Since(before) => {
                        let seen = clients.now().since(before);
                        println!("          clients: {seen}; green has {} %", seen.green_share());
                        Quiet::Told
                    }
                    Quiet::Told => Quiet::Told,
                }
            }
        }
    }
    Ok(status.wait().await?.success())
}
