//! The network between the executor and the server takes everything and delivers nothing, in the middle of each kind of step. Nobody closes a
//! connection, and nobody sends anything any more.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::support::{Runs, Shop, cluster, concurrent_index, statements, step, until};
use cutover::plan::saved::{Backfill, Phase, SavedPlan, Step, StepStatement, Work};

/// A proxy on loopback that can be cut.
pub(super) struct Network {
    pub(super) port: u16,
    cut: Arc<AtomicBool>,
    servers: Arc<Mutex<Vec<TcpStream>>>,
}

impl Network {
    /// Before a server on loopback.
    pub(super) fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let network = Self {
            port: listener.local_addr().unwrap().port(),
            cut: Arc::new(AtomicBool::new(false)),
            servers: Arc::default(),
        };
        let (cut, servers) = (Arc::clone(&network.cut), Arc::clone(&network.servers));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", to)).unwrap());
                servers.lock().unwrap().push(server.try_clone().unwrap());
                let (back, forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                for (from, to) in [(client, server), (back, forth)] {
                    let cut = Arc::clone(&cut);
                    std::thread::spawn(move || carry(from, to, &cut));
                }
            }
        });
        network
    }

    /// From now on nothing comes through.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// What the server's keepalives come to, since this proxy's own system answers them.
    pub(super) fn gone(&self) {
        self.servers.lock().unwrap().iter().for_each(|server| server.shutdown(Shutdown::Both).unwrap_or_default());
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut bytes = [0; 8192];
    while let Ok(read) = from.read(&mut bytes) {
        while cut.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(50));
        }
        if read == 0 || to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn begin(shop: &Shop, plan: &SavedPlan, network: &Network) -> Child {
    shop.sql(
        "DO $$ BEGIN CREATE ROLE remote LOGIN SUPERUSER PASSWORD 'right'; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
    );
    let path = shop.save(plan);
    let mut command = shop.cutover(&["execute", &path, "--yes", "--traffic", "simulated"]);
    command.env("PGHOST", "127.0.0.1").env("PGPORT", network.port.to_string());
    command.env("PGUSER", "remote").env("PGPASSWORD", "right").spawn().unwrap()
}

/// How long a lock may outlive the network: ten seconds, and what a busy machine takes.
const BOUND: Duration = Duration::from_secs(15);

/// Cuts the network while a query says that the step holds its lock, sees that the lock goes, and carries on.
fn cut_while(shop: &Shop, plan: &SavedPlan, holds: &str, then: impl FnOnce()) {
    let network = Network::start(cluster().port);
    let mut executor = begin(shop, plan, &network);
    until("the step holds its lock", || shop.rows(holds) != ["0"]);
    network.cut();
    let cut = Instant::now();
    then();
    until("the lock is free again", || shop.rows(holds) == ["0"]);
    assert!(cut.elapsed() < BOUND, "{:?}", cut.elapsed());
    network.gone();
    // Whoever is cut off waits for an answer that does not come.
    executor.kill().unwrap();
    executor.wait().unwrap();
    shop.run(&["status"]).ends(0);
    shop.resume(&["--takeover-timeout", "20s"]).ends(0).says("is complete");
}

fn locked(mode: &str) -> String {
    format!(
        "SELECT count(*)::text FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE relation = 'users'::regclass AND mode = '{mode}' AND granted AND application_name = 'cutover'"
    )
}

#[test]
fn in_the_middle_of_a_transaction() {
    // The end of the first is under way by then; that of the second is sent only once this word has succeeded.
    for (sleeps, alone) in [("SELECT pg_sleep(1)", true), ("SELECT pg_sleep(1) AS commit", false)] {
        let shop = Shop::new();
        let mut plan = shop.plan();
        statements(&mut plan, 0).push(StepStatement { sql: sleeps.into(), origin: None });
        cut_while(&shop, &plan.sealed(), &locked("AccessExclusiveLock"), || {});
        let before =
            shop.journal().iter().take_while(|record| *record != "resumed").any(|done| done == "step_succeeded 1");
        assert_eq!(before, alone, "{sleeps}");
        let columns =
            "SELECT count(*)::text FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'phone'";
        assert_eq!(shop.rows(columns), ["1"]);
    }
}

#[test]
fn in_the_middle_of_a_statement_outside_transactions() {
    let shop = Shop::new();
    let mut writer = shop.client();
    writer.batch_execute("BEGIN; UPDATE users SET email = 'x' WHERE id = 1").unwrap();
    let index = concurrent_index();
    let plan = shop.plan_of(vec![index]);
    cut_while(&shop, &plan, &locked("ShareUpdateExclusiveLock"), || writer.batch_execute("COMMIT").unwrap());
    assert_eq!(shop.rows("SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'users_x'::regclass"), ["true"]);
    let begun = shop.journal().iter().filter(|record| *record == "step_started 1").count();
    assert_eq!(begun, 1, "it was seen to have happened");
}

#[test]
fn in_the_middle_of_a_backfill() {
    let shop = Shop::new();
    shop.sql(
        "ALTER TABLE users ADD COLUMN done int NOT NULL DEFAULT 0;
         CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END';
         CREATE TRIGGER slow BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let sql = "UPDATE users SET done = done + 1";
    let backfill = Work::Backfill(Backfill {
        statement: StepStatement { sql: sql.into(), origin: None },
        table: "users".into(),
        key: "users.id".into(),
        batch: format!("{sql} WHERE true"),
        rows: 10,
    });
    let mut plan =
        shop.plan_of(vec![Step { work: backfill, ..step(1, Phase::Before, Runs::Own, sql, &["2", "3", "4"], 2, 1) }]);
    plan.schema.expects.clear();
    let holds = format!(
        "SELECT count(*)::text FROM ({}) AS held WHERE (SELECT count(*) FROM users WHERE done > 0) >= 10 AND held.count <> '0'",
        locked("RowExclusiveLock")
    );
    cut_while(&shop, &plan.sealed(), &holds, || {});
    assert_eq!(shop.rows("SELECT DISTINCT done::text FROM users"), ["1"], "every row was done once");
}

#[test]
fn in_the_middle_of_a_check() {
    let shop = Shop::new();
    let sql = "SELECT count(*) > 0 FROM users, pg_sleep(1)";
    let work = Work::Check { query: StepStatement { sql: sql.into(), origin: None }, within: Duration::ZERO };
    let plan = shop.plan_of(vec![Step { work, ..step(1, Phase::Before, Runs::Own, sql, &["2", "3", "4"], 2, 1) }]);
    cut_while(&shop, &plan, &locked("AccessShareLock"), || {});
}
