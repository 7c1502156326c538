//! A database per test with a small shop in it, a plan built in code, and the binary to run it with.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use cutover::migrations::Convention;
use cutover::plan::saved::{
    Direction, ExpectedColumn, ExpectedRelation, Migrations, Origin, Phase, PlannedMigration, ReleaseDefinition, Role,
    SavedPlan, SchemaPins, Step, StepStatement, Verdict, Work,
};
use cutover::postgres::throwaway::{Local, LocalOptions};
use cutover::postgres::{Environment, Session, Target, connect};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::{Client, NoTls};
use sha2::{Digest as _, Sha256};

use crate::support::{drop_when_unused, local_options};

pub(crate) struct Cluster {
    // That of the static is never dropped, like every static; the server ends with this process.
    _server: Local,
    pub(crate) sockets: PathBuf,
    pub(crate) port: u16,
}

/// One server for all of these tests: on loopback as well, where passwords are asked for.
pub(crate) fn cluster() -> &'static Arc<Cluster> {
    static CLUSTER: OnceLock<Arc<Cluster>> = OnceLock::new();
    CLUSTER.get_or_init(|| Arc::new(std::thread::spawn(|| start(&[])).join().unwrap()))
}

/// A server like that.
fn start(more: &[(&str, &str)]) -> Cluster {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = [("max_connections", "200")].iter().chain(more);
    let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let options = LocalOptions { loopback_port: Some(port), settings, ..local_options() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Local::start(&options)).unwrap();
    let sockets = server.directory().to_owned();
    Cluster { _server: server, sockets, port }
}

impl Cluster {
    pub(crate) fn try_connect(&self, database: &str) -> Option<Client> {
        let mut config = postgres::Config::new();
        config.host_path(&self.sockets).port(self.port).user("postgres").dbname(database);
        config.connect(NoTls).ok()
    }

    pub(crate) fn connect(&self, database: &str) -> Client {
        self.try_connect(database).unwrap()
    }
}

/// A server that can be stopped and started again.
pub(crate) struct OwnServer(pub(crate) Arc<Cluster>);

impl OwnServer {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With settings.
    pub(crate) fn start_with(settings: &'static [(&str, &str)]) -> Self {
        Self(Arc::new(std::thread::spawn(|| start(settings)).join().unwrap()))
    }

    /// One of its programs, if it was installed with it, run as the user that the server runs as.
    fn program(&self, name: &str) -> Option<Command> {
        let data = self.0.sockets.join("data");
        let started = std::fs::read_to_string(data.join("postmaster.opts")).unwrap();
        let program = Path::new(started.split_whitespace().next().unwrap()).with_file_name(name);
        let owner = std::fs::metadata(&data).unwrap();
        let mut command = Command::new(program.exists().then_some(program)?);
        command.env("LC_ALL", "C").current_dir(&self.0.sockets);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if nix::unistd::Uid::effective().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        Some(command)
    }

    fn pg_ctl(&self, data: &str, args: &[&str]) {
        let mut command = self.program("pg_ctl").unwrap();
        command.arg("-D").arg(self.0.sockets.join(data)).args(args).arg("-l").arg(self.0.sockets.join("restarts"));
        assert!(command.status().unwrap().success(), "{command:?}");
    }

    /// How: as `pg_ctl` names it.
    pub(crate) fn restart(&self, how: &str) {
        self.pg_ctl("data", &["restart", "-m", how, "-w"]);
    }

    /// A standby of it, where PostgreSQL was installed with the program that copies a server.
    pub(crate) fn standby(&self) -> Option<Standby<'_>> {
        let mut copy = self.program("pg_basebackup")?;
        copy.arg("-h").arg(&self.0.sockets).args(["-p", &self.0.port.to_string(), "-U", "postgres"]);
        copy.args(["-D", "standby", "-R", "-X", "stream", "-c", "fast", "--no-sync"]);
        assert!(copy.status().unwrap().success(), "{copy:?}");
        let options = format!(
            "-c port={} -c listen_addresses= -c unix_socket_directories='{}' -c max_connections=200 -c fsync=off",
            STANDBY_PORT,
            self.0.sockets.display()
        );
        self.pg_ctl("standby", &["start", "-w", "-o", &options]);
        Some(Standby(self))
    }
}

/// Of a socket in a directory of its own, where nobody else has it.
const STANDBY_PORT: u16 = 5433;

/// A standby, until it is dropped.
pub(crate) struct Standby<'p>(&'p OwnServer);

impl Standby<'_> {
    pub(crate) fn connect(&self) -> Client {
        let mut config = postgres::Config::new();
        config.host_path(&self.0.0.sockets).port(STANDBY_PORT).user("postgres").dbname("postgres");
        config.connect(NoTls).unwrap()
    }
}

impl Drop for Standby<'_> {
    fn drop(&mut self) {
        self.0.pg_ctl("standby", &["stop", "-m", "immediate"]);
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.pg_ctl("data", &["stop", "-m", "immediate"]);
    }
}

/// Sends a signal to a child.
pub(crate) fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
}

/// Polls for something that another process does.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !done() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        // Whoever it waits for needs the processor, too: most of these questions are a connection each.
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A database with a shop of the convention's own making, a folder, and a plan file.
pub(crate) struct Shop {
    address: Arc<Address>,
    pub(crate) database: String,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) const BASE: &str = "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, email text);
INSERT INTO users SELECT i, 'u' || i, 'u' || i || '@x' FROM generate_series(1, 50) i;\n";

/// A database of a cluster. It goes when nobody holds it any more.
pub(crate) struct Address {
    cluster: Arc<Cluster>,
    database: String,
}

impl Drop for Address {
    fn drop(&mut self) {
        let Cluster { sockets, port, .. } = &*self.cluster;
        drop_when_unused(Target::on_socket(sockets, *port, "postgres", &self.database).unwrap());
    }
}

impl Address {
    pub(crate) fn connect(&self) -> Client {
        self.cluster.connect(&self.database)
    }
}

const FILES: [(&str, &str, &str, &str); 4] = [
    ("1", "users", "V1__users.sql", BASE),
    (
        "2",
        "phone",
        "V2__phone.sql",
        "ALTER TABLE users ADD COLUMN phone text;\nCREATE INDEX CONCURRENTLY users_phone ON users (phone);\n",
    ),
    (
        "3",
        "nick",
        "V3__nick.sql",
        "ALTER TABLE users ADD COLUMN nick text DEFAULT '' NOT NULL;\nALTER TABLE users DROP COLUMN name;\nDROP INDEX CONCURRENTLY users_old;\n",
    ),
    ("4", "notes", "V4__notes.sql", "-- nothing yet\n"),
];

impl Shop {
    /// A database with nothing in it.
    pub(crate) fn empty() -> Self {
        Self::empty_on(cluster())
    }

    fn empty_on(cluster: &Arc<Cluster>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let database = format!("shop_{}", NEXT.fetch_add(1, Ordering::SeqCst));
        cluster.connect("postgres").batch_execute(&format!("CREATE DATABASE {database}")).unwrap();
        let address = Arc::new(Address { cluster: Arc::clone(cluster), database: database.clone() });
        Self { address, database, folder: tempfile::tempdir().unwrap() }
    }

    /// A fresh database where refinery itself applied the first migration.
    pub(crate) fn new() -> Self {
        Self::new_on(cluster())
    }

    /// The same on another server.
    pub(crate) fn new_on(cluster: &Arc<Cluster>) -> Self {
        let shop = Self::empty_on(cluster);
        for (_, _, path, text) in FILES {
            std::fs::write(shop.folder.path().join(path), text).unwrap();
        }
        let first = [refinery::Migration::unapplied("V1__users", BASE).unwrap()];
        refinery::Runner::new(&first).run(&mut shop.client()).unwrap();
        shop.sql("CREATE INDEX users_old ON users (email)");
        shop
    }

    /// One whose standard plan waits for approval.
    pub(crate) fn waiting() -> Self {
        let shop = Self::new();
        let path = shop.save(&shop.plan());
        shop.run(&["execute", &path, "--yes"]).ends(0);
        shop
    }

    /// Lets sessions into its database again, or ends all and lets none in.
    #[cfg(feature = "serve")]
    pub(crate) fn lets_in(&self, allowed: bool) {
        let mut beside = self.address.cluster.connect("postgres");
        let (database, of) = (&self.database, "FROM pg_stat_activity WHERE datname");
        beside.batch_execute(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS {allowed}")).unwrap();
        if !allowed {
            beside.batch_execute(&format!("SELECT pg_terminate_backend(pid) {of} = '{database}'")).unwrap();
        }
    }

    /// That of its server.
    pub(crate) fn port(&self) -> u16 {
        self.address.cluster.port
    }

    /// Where its database is, for somebody who outlives it.
    pub(crate) fn address(&self) -> Arc<Address> {
        Arc::clone(&self.address)
    }

    pub(crate) fn client(&self) -> Client {
        self.address.cluster.connect(&self.database)
    }

    pub(crate) fn sql(&self, sql: &str) {
        self.client().batch_execute(sql).unwrap();
    }

    /// Every row of a query with one text column.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        self.client().query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// The standard plan: three steps before, two after.
    pub(crate) fn plan(&self) -> SavedPlan {
        let steps = vec![
            step(1, Phase::Before, Runs::Own, "ALTER TABLE users ADD COLUMN phone text", &[], 2, 1),
            step(2, Phase::Before, Runs::Alone, "CREATE INDEX CONCURRENTLY users_phone ON users (phone)", &["2"], 2, 2),
            step(3, Phase::Before, Runs::Own, "ALTER TABLE users ADD COLUMN nick text DEFAULT '' NOT NULL", &[], 3, 1),
            Step {
                direction: Direction::Deletive,
                point_of_no_return: true,
                ..step(4, Phase::After, Runs::Own, "ALTER TABLE users DROP COLUMN name", &[], 3, 2)
            },
            step(5, Phase::After, Runs::Alone, "DROP INDEX CONCURRENTLY users_old", &["3"], 3, 3),
        ];
        self.plan_of(steps)
    }

    pub(crate) fn plan_of(&self, steps: Vec<Step>) -> SavedPlan {
        let migration = |(version, name, path, _): &(&str, &str, &str, &str)| PlannedMigration {
            version: (*version).into(),
            name: (*name).into(),
            path: (*path).into(),
            sha256: sha256(&std::fs::read(self.folder.path().join(path)).unwrap()),
            text: Some(std::fs::read_to_string(self.folder.path().join(path)).unwrap()),
        };
        let column = |name: &str, data_type: &str, not_null| ExpectedColumn {
            name: name.into(),
            data_type: data_type.into(),
            not_null,
        };
        SavedPlan {
            tool: SavedPlan::this_tool(),
            digest: String::new(),
            verdict: Verdict::Safe,
            release: ReleaseDefinition::default(),
            migrations: Migrations {
                convention: Convention::Refinery,
                folder: self.folder.path().to_str().unwrap().into(),
                from: Some("1".into()),
                applied: vec![migration(&FILES[0])],
                pending: FILES[1..].iter().map(migration).collect(),
                alike: Vec::new(),
                history_table: None,
            },
            schema: SchemaPins {
                base: String::new(),
                overlap: String::new(),
                last: String::new(),
                expects: vec![
                    ExpectedRelation {
                        name: "users".into(),
                        columns: Some(vec![
                            column("id", "integer", true),
                            column("name", "text", true),
                            column("email", "text", false),
                        ]),
                    },
                    ExpectedRelation { name: "orders".into(), columns: None },
                ],
                relations: Vec::new(),
            },
            steps,
            findings: Vec::new(),
            matrix: None,
            blue_source: None,
            continues: None,
            unknown: serde_json::Value::Null,
        }
        .sealed()
    }

    /// How its `cutover.toml`, with this text, wants a release to go.
    pub(crate) fn configured(&self, toml: &str) -> ReleaseDefinition {
        std::fs::write(self.folder.path().join("cutover.toml"), toml).unwrap();
        let config = cutover::config::find(self.folder.path().try_into().unwrap()).unwrap().unwrap();
        config.inputs.release
    }

    /// Writes a plan and returns its path.
    pub(crate) fn save(&self, plan: &SavedPlan) -> String {
        let path = self.folder.path().join("release.plan");
        std::fs::write(&path, plan.to_json()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The binary with this database in its environment and nothing else of ours.
    pub(crate) fn cutover(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cutover"));
        command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("PGHOST", &self.address.cluster.sockets).env("PGPORT", self.address.cluster.port.to_string());
        command.env("PGUSER", "postgres").env("PGDATABASE", &self.database);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.cutover(args).output().unwrap())
    }

    /// `execute` with simulated traffic.
    pub(crate) fn execute(&self, plan: &SavedPlan, more: &[&str]) -> Ran {
        let path = self.save(plan);
        self.run(&[&["execute", &path, "--yes", "--traffic", "simulated"], more].concat())
    }

    pub(crate) fn resume(&self, more: &[&str]) -> Ran {
        self.run(&[&["resume", "--yes", "--traffic", "simulated"], more].concat())
    }

    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.cutover(args).spawn().unwrap()
    }

    /// Everything about the schema that a client could notice.
    pub(crate) fn schema(&self) -> Vec<String> {
        self.rows(
            "SELECT format('%s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                     pg_get_expr(d.adbin, d.adrelid)) AS line
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
             UNION ALL SELECT format('%s valid=%s', pg_get_indexdef(i.indexrelid), i.indisvalid) FROM pg_index i
             JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace
             UNION ALL SELECT format('history %s %s %s', version, name, checksum) FROM refinery_schema_history
             ORDER BY 1",
        )
    }

    /// The journal without what a crash may repeat or add.
    pub(crate) fn facts(&self) -> Vec<String> {
        let mut facts = self.rows(
            "SELECT concat_ws(' ', event, step, detail->>'phase', detail->>'share') FROM cutover.journal
             WHERE event NOT IN ('resumed', 'interrupted', 'shift_started', 'drain_started', 'step_started') ORDER BY seq",
        );
        facts.dedup();
        facts
    }

    /// The whole journal, one word a row.
    pub(crate) fn journal(&self) -> Vec<String> {
        match self.rows("SELECT (to_regclass('cutover.journal') IS NOT NULL)::text")[0].as_str() {
            "true" => self.rows("SELECT concat_ws(' ', event, step) FROM cutover.journal ORDER BY seq"),
            _ => Vec::new(),
        }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How a step of one statement runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Runs {
    /// In a transaction of its own.
    Own,
    /// Outside transactions.
    Alone,
}

/// The statements of a step in a transaction, to be changed.
pub(crate) fn statements(plan: &mut SavedPlan, step: usize) -> &mut Vec<StepStatement> {
    match &mut plan.steps[step].work {
        Work::Transaction { statements } => statements,
        other => panic!("step {step} is {other:?}"),
    }
}

/// An additive step of one statement, written in file `V<file>` at `line`.
pub(crate) fn step(id: u32, phase: Phase, runs: Runs, sql: &str, completes: &[&str], file: u32, line: u32) -> Step {
    let name = FILES[file as usize - 1].2;
    let origin = Origin { version: file.to_string(), path: name.into(), line, column: 1 };
    let statement = StepStatement { sql: sql.into(), origin: Some(origin) };
    Step {
        id,
        phase,
        direction: Direction::Additive,
        role: Role::Authored,
        session: Vec::new(),
        work: match runs {
            Runs::Own => Work::Transaction { statements: vec![statement] },
            Runs::Alone => Work::Alone { statement },
        },
        object: format!("step {id}"),
        action: sql.split(' ').take(2).collect::<Vec<_>>().join(" "),
        reason: String::new(),
        hazard: String::new(),
        load: None,
        point_of_no_return: false,
        completes: completes.iter().map(|version| (*version).to_owned()).collect(),
        needs: Vec::new(),
        evidence: Vec::new(),
        mentions: Vec::new(),
    }
}

/// An index that is built outside transactions, as the only step of a plan.
pub(crate) fn concurrent_index() -> Step {
    let sql = "CREATE INDEX CONCURRENTLY users_x ON users (email)";
    step(1, Phase::Before, Runs::Alone, sql, &["2", "3", "4"], 2, 2)
}

/// What the binary did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text) || self.out.contains(text), "no {text:?} in\n{}\n{}", self.out, self.err);
        self
    }
}

/// Runs something with an asynchronous connection to the shop.
pub(crate) fn async_client<T>(shop: &Shop, run: impl AsyncFnOnce(Session) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let cluster = cluster();
        let text =
            format!("host={} port={} user=postgres dbname={}", cluster.sockets.display(), cluster.port, shop.database);
        let target = Target::parse(&text, &Environment::default()).unwrap();
        run(connect(&target).await.unwrap()).await
    })
}
