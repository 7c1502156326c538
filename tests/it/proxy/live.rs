//! A whole release under load: two versions of an application with queries of their own, on one PostgreSQL, behind each proxy.

use std::process::Child;
use std::sync::atomic::Ordering;
use std::thread::spawn;
use std::time::{Duration, Instant};

use super::app::{App, accounts};
use super::clients::{Clients, get};
use super::fronts::{ALL, CADDY, Front, HAPROXY, Maker};
use crate::execute::support::{Ran, Shop, until};

/// `02-rename-column`, deployed behind a proxy.
struct Live {
    shop: Shop,
    front: Front,
}

const EXAMPLE: &str = "migrations-examples/02-rename-column";

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

impl Live {
    /// `release`: lines of `[release]` and what else is in `cutover.toml`.
    fn start(maker: &Maker, release: &str) -> Option<Self> {
        let shop = Shop::empty();
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE);
        copy(&here, shop.folder.path());
        let first = std::fs::read_to_string(here.join("migrations/V1__accounts.sql")).unwrap();
        let first = [refinery::Migration::unapplied("V1__accounts", &first).unwrap()];
        refinery::Runner::new(&first).run(&mut shop.client()).unwrap();
        let (blue, green) = (accounts(&shop, "blue", "name"), accounts(&shop, "green", "full_name"));
        // Whoever asks a proxy whether it is there asks blue, which works, and green has its migrations to come.
        let front = maker.before(blue, green)?;
        let live = Self { shop, front };
        live.configure(release);
        live.plan();
        Some(live)
    }

    fn configure(&self, release: &str) {
        let file = self.shop.folder.path().join("cutover.toml");
        let own = std::fs::read_to_string(std::path::Path::new(EXAMPLE).join("cutover.toml")).unwrap();
        let text = format!("{own}\n[release]\ntraffic = \"edge\"\n{release}\n{}", self.front.toml());
        std::fs::write(file, text).unwrap();
    }

    fn plan(&self) {
        self.run(&["plan", ".", "-o", "release.plan"]).ends(0);
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.shop.cutover(args).current_dir(self.shop.folder.path()).output().unwrap())
    }

    fn spawn(&self, args: &[&str]) -> Child {
        self.shop.cutover(args).current_dir(self.shop.folder.path()).spawn().unwrap()
    }

    fn execute(&self, more: &[&str]) -> Ran {
        self.run(&[&["execute", "release.plan", "--yes"], more].concat())
    }

    /// Both have their schema, and blue's column is gone once the release is.
    fn is_over(&self) {
        let columns = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = 'accounts'::regclass AND attnum > 0 AND NOT attisdropped";
        assert_eq!(self.shop.rows(columns), ["id email full_name"]);
        let lost = "SELECT count(*)::text FROM accounts WHERE full_name IS NULL";
        assert_eq!(self.shop.rows(lost), ["0"]);
    }

    /// Blue's database is as the before phase left it: everything that blue uses is there.
    fn blue_is_whole(&self) {
        let columns = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = 'accounts'::regclass AND attnum > 0 AND NOT attisdropped";
        assert_eq!(self.shop.rows(columns), ["id email name full_name"]);
    }
}

const REQUESTS: u64 = 2000;

fn whole(maker: &Maker) {
    let ramp = "ramp = \"1,approve=a,10,approve=b,50,approve=c,100,bake=200ms,approve=d\"\nblue-application-name = \"app-blue\"";
    let Some(live) = Live::start(maker, ramp) else { return };
    let clients = Clients::several(live.front.port, 2);
    assert!(clients.green_of(REQUESTS) == 0.0);
    let (quiet, begun) = (clients.p99(), Instant::now());
    live.execute(&[]).ends(0).says("green has 1 %, verified").says("at the gate a");
    let mut line = format!("{:8} p99 quiet {quiet:?}", maker.kind);
    for (gate, share) in [("a", 1.0), ("b", 10.0), ("c", 50.0), ("d", 100.0)] {
        let green = clients.green_of(REQUESTS);
        assert!((green - share).abs() <= 2.0, "{}: {green} % instead of {share} %", maker.kind);
        line += &format!(" · {share} % → {green:.1} %");
        if gate != "d" {
            let moved = Instant::now();
            live.run(&["promote", "--yes", "--gate", gate]).ends(0);
            line += &format!(" ({:?})", moved.elapsed());
        }
    }
    line += &format!(" · p99 {:?}", clients.p99());
    // Blue's processes end with its part of the application, and their sessions with them.
    live.front.blue.ends();
    let last = live.spawn(&["promote", "--yes", "--gate", "d"]);
    let ran = Ran::from(last.wait_with_output().unwrap()).ends(0);
    match maker.proves_drain {
        true => drop(ran.says("is complete")),
        false => {
            ran.says("nothing proves that blue is drained");
            live.run(&["promote", "--yes"]).ends(0).says("is complete");
        }
    }
    live.is_over();
    assert!(clients.green_of(200) == 100.0);
    let (blue, green) = clients.now();
    println!("{line} · {} requests, {} failed, {:?}", blue + green, clients.failed(), begun.elapsed());
    clients.end();
}

#[test]
fn a_release_behind_haproxy() {
    whole(&HAPROXY);
}

#[test]
fn a_release_behind_nginx() {
    whole(&super::fronts::NGINX);
}

#[test]
fn a_release_behind_envoy() {
    whole(&super::fronts::ENVOY);
}

#[test]
fn a_release_behind_traefik() {
    whole(&super::fronts::TRAEFIK);
}

#[test]
fn a_release_behind_caddy() {
    whole(&CADDY);
}
