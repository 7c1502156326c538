//! What a release costs the clients of its database, beside psql running the same statements in one script, on a server of its own with fsync:
//!
//! * how long readers of a table stall while a step changes it, when the server is 0, 5 and 50 ms away (a delaying proxy on loopback);
//! * what a journaled step costs, over 500 steps;
//! * how long readers stall while somebody idles in a transaction on the table, and how long a lock is held once its client is silent.
//!
//! `cargo bench --bench runs -- [stall] [overhead] [blocker] [silent]`. Takes about three minutes. `psql` is looked for in the search path.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and ends where something is amiss")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use cutover::postgres::throwaway::{Local, LocalOptions};
use postgres::{Client, NoTls};

/// What is measured, and its name.
type Part = (&'static str, fn(&Server));

const PARTS: [Part; 4] = [("stall", stall), ("overhead", overhead), ("blocker", blocker), ("silent", silent)];

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let server = Server::start();
    for (name, part) in PARTS {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            part(&server);
        }
    }
}

/// A server that keeps what it commits.
struct Server {
    local: Local,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let safe = ["fsync", "synchronous_commit", "full_page_writes"].map(|name| (name.to_owned(), "on".to_owned()));
        let options = LocalOptions {
            bin_directory: std::env::var_os("CUTOVER_TEST_PG_BIN").map(PathBuf::from),
            search_path: std::env::var_os("PATH"),
            loopback_port: Some(port),
            settings: safe.into_iter().chain([("shared_buffers".to_owned(), "256MB".to_owned())]).collect(),
            ..LocalOptions::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let local = runtime.block_on(Local::start(&options)).unwrap();
        let server = Self { local, port };
        server.connect("postgres").batch_execute("CREATE ROLE bench LOGIN SUPERUSER PASSWORD 'bench'").unwrap();
        println!("PostgreSQL {}, fsync on", server.ask("postgres", "SHOW server_version"));
        server
    }

    fn connect(&self, database: &str) -> Client {
        let mut config = postgres::Config::new();
        config.host_path(self.local.directory()).port(self.port).user("postgres").dbname(database);
        config.connect(NoTls).unwrap()
    }

    fn ask(&self, database: &str, query: &str) -> String {
        self.connect(database).query_one(query, &[]).unwrap().get(0)
    }

    /// A database in which refinery applied the base, and a folder with it and another migration.
    fn release(&self, name: &str, base: &str, files: &[String]) -> Release {
        self.connect("postgres").batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("V1__base.sql"), base).unwrap();
        for (at, text) in files.iter().enumerate() {
            std::fs::write(folder.path().join(format!("V{}__step.sql", at + 2)), text).unwrap();
        }
        let first = [refinery::Migration::unapplied("V1__base", base).unwrap()];
        refinery::Runner::new(&first).run(&mut self.connect(name)).unwrap();
        Release { database: name.to_owned(), folder, port: self.port }
    }
}

struct Release {
    database: String,
    folder: tempfile::TempDir,
    /// The server's, or that of a network in between.
    port: u16,
}

impl Release {
    fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string()).env("PGUSER", "bench");
        command.env("PGPASSWORD", "bench").env("PGDATABASE", &self.database).env("PGAPPNAME", "bench");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn cutover(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_cutover"));
        command.args(args).current_dir(self.folder.path());
        command
    }

    fn plan(&self) -> PathBuf {
        let plan = self.folder.path().join("release.plan");
        let folder = self.folder.path().to_str().unwrap();
        ran(self.cutover(&["plan", folder, "--from", "1", "-o", plan.to_str().unwrap()]), &[0, 1]);
        plan
    }

    /// Before, and after.
    fn execute(&self, plan: &Path) {
        ran(self.cutover(&["execute", plan.to_str().unwrap(), "--yes"]), &[0]);
        ran(self.cutover(&["promote", "--yes"]), &[0]);
    }

    /// The same statements, each in a transaction of its own, as a script.
    fn psql(&self, statements: &[String]) {
        let script = self.folder.path().join("script.sql");
        let text: String = statements.iter().map(|statement| format!("BEGIN;\n{statement}\nCOMMIT;\n")).collect();
        std::fs::write(&script, text).unwrap();
        let mut psql = self.program("psql");
        psql.args(["-q", "-X", "-v", "ON_ERROR_STOP=1", "-f", script.to_str().unwrap()]);
        ran(psql, &[0]);
    }
}

fn ran(mut command: Command, codes: &[i32]) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let code = output.status.code();
    assert!(code.is_some_and(|code| codes.contains(&code)), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A network in between: what goes either way arrives later, or not at all once it is cut.
struct Network {
    port: u16,
    cut: Arc<AtomicBool>,
}

impl Network {
    fn start(to: u16, round_trip: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let network = Self { port: listener.local_addr().unwrap().port(), cut: Arc::new(AtomicBool::new(false)) };
        let cut = Arc::clone(&network.cut);
        spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", to)).unwrap());
                for stream in [&client, &server] {
                    stream.set_nodelay(true).unwrap();
                }
                let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                for (from, to) in [(client, server), (back, forth)] {
                    let (sender, receiver) = channel();
                    spawn(move || take(from, &sender, round_trip / 2));
                    let cut = Arc::clone(&cut);
                    spawn(move || give(to, &receiver, &cut));
                }
            }
        });
        network
    }
}

fn take(mut from: TcpStream, to: &Sender<(Instant, Vec<u8>)>, delay: Duration) {
    let mut bytes = vec![0; 65536];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if to.send((Instant::now() + delay, bytes[..read].to_vec())).is_err() {
            break;
        }
    }
}

fn give(mut to: TcpStream, from: &Receiver<(Instant, Vec<u8>)>, cut: &AtomicBool) {
    for (due, bytes) in from {
        sleep(due.saturating_duration_since(Instant::now()));
        while cut.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(50));
        }
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Somebody who reads a table again and again, and how long it took at worst.
struct Reader {
    over: Arc<AtomicBool>,
    thread: JoinHandle<(u32, Duration)>,
}

impl Reader {
    fn start(mut client: Client, table: &str, pause: Duration) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (until, query) = (Arc::clone(&over), format!("SELECT FROM {table} LIMIT 1"));
        let thread = spawn(move || {
            let (mut reads, mut worst) = (0, Duration::ZERO);
            while !until.load(Ordering::SeqCst) {
                let began = Instant::now();
                client.simple_query(&query).unwrap();
                (reads, worst) = (reads + 1, worst.max(began.elapsed()));
                sleep(pause);
            }
            (reads, worst)
        });
        Self { over, thread }
    }

    fn end(self) -> (u32, Duration) {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// A step each, and a table each.
const STEPS: &[(&str, &str)] = &[
    ("a", "ALTER TABLE a ADD COLUMN nick text;"),
    ("b", "ALTER TABLE b ADD COLUMN age int, ADD COLUMN since date;"),
    (
        "c",
        "CREATE TRIGGER c_same BEFORE UPDATE ON c FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();",
    ),
    ("d", "ALTER TABLE d ALTER COLUMN n SET DEFAULT 5;"),
    ("e", "ALTER TABLE e DROP COLUMN spare;"),
];

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn stall(server: &Server) {
    let base: String = STEPS
        .iter()
        .map(|(table, _)| {
            format!("CREATE TABLE {table} (id int PRIMARY KEY, n int, spare text);\nINSERT INTO {table} SELECT i, i FROM generate_series(1, 10000) i;\n")
        })
        .collect();
    let statements: Vec<String> = STEPS.iter().map(|(_, sql)| (*sql).to_owned()).collect();
    println!("\nworst stall of a table's readers (a read every 2 ms) while a step changes it, median of 5 runs, in ms");
    println!("{:>12} {:>60} {:>10} {:>10}", "round trip", "step", "cutover", "psql");
    for round_trip in [0, 5, 50] {
        let network = Network::start(server.port, Duration::from_millis(round_trip));
        let mut worst = vec![[Vec::new(), Vec::new()]; STEPS.len()];
        for run in 0..5 {
            for (who, name) in ["cutover", "psql"].into_iter().enumerate() {
                let release = server.release(&format!("stall_{round_trip}_{run}_{name}"), &base, &statements);
                let plan = release.plan();
                let far = Release { port: network.port, ..release };
                let read = |table: &str| Reader::start(server.connect(&far.database), table, Duration::from_millis(2));
                let readers: Vec<Reader> = STEPS.iter().map(|(table, _)| read(table)).collect();
                match name {
                    "cutover" => far.execute(&plan),
                    _ => far.psql(&statements),
                }
                for (at, reader) in readers.into_iter().enumerate() {
                    worst[at][who].push(milliseconds(reader.end().1));
                }
            }
        }
        for ((_, sql), [cutover, psql]) in STEPS.iter().zip(worst) {
            let step = sql.split(" EXECUTE").next().unwrap_or_default();
            println!("{round_trip:>9} ms {step:>60.60} {:>10.1} {:>10.1}", median(cutover), median(psql));
        }
    }
}

fn overhead(server: &Server) {
    let (tables, columns) = (25, 20);
    let base: String = (0..tables).map(|t| format!("CREATE TABLE t{t} (id int PRIMARY KEY);\n")).collect();
    let column = |t: usize, c: usize| format!("ALTER TABLE t{t} ADD COLUMN c{c} text;");
    let file = |t: usize| (0..columns).map(|c| column(t, c) + "\n").collect::<String>();
    let files: Vec<String> = (0..tables).map(file).collect();
    let statements: Vec<String> = (0..tables).flat_map(|t| (0..columns).map(move |c| column(t, c))).collect();
    println!("\n{} steps on {tables} tables of {} migrations", statements.len(), files.len());
    let mut over = Vec::new();
    for run in 0..5 {
        let release = server.release(&format!("overhead_{run}_cutover"), &base, &files);
        let plan = release.plan();
        let began = Instant::now();
        ran(release.cutover(&["execute", plan.to_str().unwrap(), "--yes"]), &[0]);
        let cutover = milliseconds(began.elapsed());
        let steps =
            server.ask(&release.database, "SELECT count(*)::text FROM cutover.journal WHERE event = 'step_succeeded'");
        assert_eq!(steps, statements.len().to_string());
        let release = server.release(&format!("overhead_{run}_psql"), &base, &files);
        let began = Instant::now();
        release.psql(&statements);
        let psql = milliseconds(began.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
        let each = (cutover - psql) / statements.len() as f64;
        println!("cutover {cutover:.0} ms, psql {psql:.0} ms: {each:.2} ms a step");
        over.push(each);
    }
    println!("a journaled step costs {:.2} ms over psql (median)", median(over));
}

/// A session that has read the table and idles in its transaction, for a minute.
fn blocker(server: &Server) {
    let base = "CREATE TABLE a (id int PRIMARY KEY);\n";
    let release = server.release("blocker", base, &["ALTER TABLE a ADD COLUMN nick text;\n".to_owned()]);
    let plan = release.plan();
    let mut idle = server.connect(&release.database);
    idle.batch_execute("BEGIN; SELECT FROM a").unwrap();
    let reader = Reader::start(server.connect(&release.database), "a", Duration::from_millis(20));
    let began = Instant::now();
    let executor = release.cutover(&["execute", plan.to_str().unwrap(), "--yes"]).spawn().unwrap();
    sleep(Duration::from_secs(60));
    idle.batch_execute("COMMIT").unwrap();
    let output = executor.wait_with_output().unwrap();
    let tries = String::from_utf8_lossy(&output.stderr).matches("lock").count();
    let (reads, worst) = reader.end();
    println!(
        "\nsomebody idles in a transaction on the table for 60 s: cutover ended with {:?} after {:.1} s ({tries} lines on locks); {reads} reads, the worst took {:.0} ms",
        output.status.code(),
        began.elapsed().as_secs_f64(),
        milliseconds(worst),
    );
}

/// The network is cut while a step holds its lock: one whose end is under way, and one whose statement is waited for first.
fn silent(server: &Server) {
    let base =
        "CREATE TABLE a (id int PRIMARY KEY, n int);\nINSERT INTO a SELECT i, i FROM generate_series(1, 2000000) i;\n";
    println!("\nthe network is cut for good while a step holds ACCESS EXCLUSIVE");
    let forms = [("sent together", "token"), ("waited for one by one", "commit")];
    for (at, (name, column)) in forms.into_iter().enumerate() {
        let sql = format!("ALTER TABLE a ADD COLUMN \"{column}\" uuid DEFAULT gen_random_uuid();\n");
        let release = server.release(&format!("silent_{at}"), base, &[sql]);
        let plan = release.plan();
        let network = Network::start(server.port, Duration::ZERO);
        let far = Release { port: network.port, ..release };
        let mut executor = far.cutover(&["execute", plan.to_str().unwrap(), "--yes"]).spawn().unwrap();
        let holds = "SELECT count(*)::text FROM pg_locks WHERE relation = 'a'::regclass AND mode = 'AccessExclusiveLock' AND granted";
        let mut watch = server.connect(&far.database);
        let mut held = || watch.query_one(holds, &[]).unwrap().get::<_, String>(0) != "0";
        while !held() {
            sleep(Duration::from_millis(1));
        }
        network.cut.store(true, Ordering::SeqCst);
        let cut = Instant::now();
        while held() {
            sleep(Duration::from_millis(5));
        }
        println!("{name}: the lock was held for {:.1} s more", cut.elapsed().as_secs_f64());
        executor.kill().unwrap();
        executor.wait().unwrap();
    }
}
