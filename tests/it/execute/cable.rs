//! A cable that is pulled: the executor in a network of its own, the server outside it, and nothing in between that answers in anybody's place.
//! Both ends notice by themselves, and the release carries on.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::support::{OwnServer, Ran, Shop, concurrent_index, until};

/// The two ends, of the range that is for tests of networks. One network at a time has them.
const NEAR: &str = "198.18.77.1";
const FAR: &str = "198.18.77.2";

/// A network namespace with one cable. It is gone with the process that holds it.
struct Far(Child);

impl Far {
    /// `None` where this process may not make one.
    fn reach() -> Option<Self> {
        let mut holder = Command::new("unshare");
        holder.args(["--net", "sh", "-c", "echo here; exec sleep 600"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut far = Self(holder.spawn().ok()?);
        let mut said = String::new();
        BufReader::new(far.0.stdout.take()?).read_line(&mut said).ok()?;
        if said.trim() != "here" {
            return None;
        }
        let pid = far.0.id().to_string();
        let made = ip(&["link", "add", "cutover0", "type", "veth", "peer", "name", "cutover1", "netns", &pid])
            && ip(&["addr", "add", &format!("{NEAR}/30"), "dev", "cutover0"])
            && ip(&["link", "set", "cutover0", "up"])
            && far.ip(&["addr", "add", &format!("{FAR}/30"), "dev", "cutover1"])
            && far.ip(&["link", "set", "cutover1", "up"]);
        made.then_some(far)
    }

    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.0.id().to_string(), "--", program]);
        command
    }

    fn ip(&self, args: &[&str]) -> bool {
        self.inside("ip").args(args).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    fn pull_the_cable(&self) {
        assert!(self.ip(&["link", "set", "cutover1", "down"]));
    }

    fn plug_it_in(&self) {
        assert!(self.ip(&["link", "set", "cutover1", "up"]));
    }

    fn execute(&self, shop: &Shop, more: &[&str]) -> Child {
        let mut command = self.inside(env!("CARGO_BIN_EXE_cutover"));
        command.args(["execute", "release.plan", "--yes"]).args(more).current_dir(shop.folder.path());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("PGHOST", NEAR);
        command.env("PGPORT", shop.port().to_string()).env("PGUSER", "remote").env("PGPASSWORD", "right");
        command.env("PGDATABASE", &shop.database);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        // Whoever is still inside keeps the namespace.
        ip(&["link", "delete", "cutover0"]);
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ip(args: &[&str]) -> bool {
    Command::new("ip").args(args).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What both ends are given to notice: eleven seconds, and what a busy machine takes.
const NOTICED: Duration = Duration::from_secs(20);

#[test]
fn a_cable_that_is_pulled_is_noticed_at_both_ends() {
    let Some(far) = Far::reach() else {
        let required = std::env::var_os("CUTOVER_TEST_NETWORK").is_some();
        assert!(
            !required,
            "CUTOVER_TEST_NETWORK asks for a network namespace, and none can be made with `unshare` and `ip`"
        );
        eprintln!("not tried: no right to make a network namespace");
        return;
    };
    // In this network's address the server listens only once the address is there.
    let server = OwnServer::start_with(&[("listen_addresses", "127.0.0.1,198.18.77.1")]);
    let mut admin = server.0.connect("postgres");
    admin.batch_execute("CREATE ROLE remote LOGIN SUPERUSER PASSWORD 'right'").unwrap();
    let rules = server.0.sockets.join("data/pg_hba.conf");
    let more = format!("{}host all remote {FAR}/32 scram-sha-256\n", std::fs::read_to_string(&rules).unwrap());
    std::fs::write(&rules, more).unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").unwrap();
    waits_for_approval(&far, &Shop::new_on(&server.0));
    waits_for_a_writer(&far, &Shop::new_on(&server.0));
}

fn sessions(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND usename = 'remote'")
}

fn is_gone(shop: &Shop, pulled: Instant) {
    until("the server has noticed", || sessions(shop) == ["0"]);
    assert!(pulled.elapsed() < NOTICED, "{:?}", pulled.elapsed());
}

/// Nothing is under way when it is pulled: keepalives tell. Whoever waits connects again.
fn waits_for_approval(far: &Far, shop: &Shop) {
    shop.save(&shop.plan());
    let waiter = far.execute(shop, &["--wait"]);
    until("the release waits", || shop.journal().last().is_some_and(|last| last == "approval_awaited"));
    far.pull_the_cable();
    is_gone(shop, Instant::now());
    far.plug_it_in();
    until("it is there again", || shop.rows("SELECT epoch::text FROM cutover.lease") == ["2"]);
    shop.run(&["promote", "--yes"]).ends(0);
    Ran::from(waiter.wait_with_output().unwrap()).ends(0).says("connecting again").says("is complete");
}

/// A statement is under way that does not end by itself.
fn waits_for_a_writer(far: &Far, shop: &Shop) {
    let mut writer = shop.client();
    writer.batch_execute("BEGIN; UPDATE users SET email = 'x' WHERE id = 1").unwrap();
    shop.save(&shop.plan_of(vec![concurrent_index()]));
    let executor = far.execute(shop, &["--traffic", "simulated"]);
    until("the index waits", || !shop.rows("SELECT 'x' FROM pg_class WHERE relname = 'users_x'").is_empty());
    far.pull_the_cable();
    let pulled = Instant::now();
    // Before 14 the server does not look at its client while a statement runs.
    let looks = shop.rows("SELECT (current_setting('server_version_num')::int >= 140000)::text") == ["true"];
    if looks {
        is_gone(shop, pulled);
    }
    let ran = Ran::from(executor.wait_with_output().unwrap());
    assert!(pulled.elapsed() < NOTICED, "{:?}", pulled.elapsed());
    ran.ends(4).says("connection closed").says("cutover resume");
    writer.batch_execute("COMMIT").unwrap();
    far.plug_it_in();
    shop.resume(&["--takeover-timeout", "20s"]).ends(0).says("is complete");
}
