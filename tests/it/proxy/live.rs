//! A whole release under load: two versions of an application with queries of their own, on one PostgreSQL, behind each proxy.

use std::process::Child;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::app::accounts;
use super::clients::Clients;
use super::fronts::{CADDY, Front, HAPROXY, Maker};
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

/// At least so many requests a share.
const REQUESTS: u64 = 2000;

/// Green's part of so many that two points are beyond chance: a proxy that draws lots for each request is right on average only.
fn green_of(maker: &Maker, clients: &Clients, percent: f64) -> f64 {
    let variance = if maker.draws_lots { percent / 100.0 * (1.0 - percent / 100.0) } else { 0.0 };
    let deviations: f64 = 3.5 / 0.02;
    let mut parts = Vec::new();
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    while parts.is_empty() || (parts.len() as f64) * (REQUESTS as f64) < variance * deviations * deviations {
        parts.push(clients.green_of(REQUESTS));
    }
    #[expect(clippy::cast_precision_loss, reason = "a few")]
    let share = parts.iter().sum::<f64>() / parts.len() as f64;
    share
}

fn whole(maker: &Maker) {
    let ramp = "ramp = \"1,approve=a,10,approve=b,50,approve=c,100,bake=200ms,approve=d\"\nblue-application-name = \"app-blue\"";
    let Some(live) = Live::start(maker, ramp) else { return };
    let clients = Clients::several(live.front.port, 2, maker.patience);
    assert!(clients.green_of(REQUESTS) == 0.0);
    let (quiet, begun) = (clients.p99(), Instant::now());
    live.execute(&[]).ends(0).says("green has 1 %, verified").says("at the gate a");
    let mut line = format!("{:8} p99 quiet {quiet:?}", maker.kind);
    for (gate, share) in [("a", 1.0), ("b", 10.0), ("c", 50.0), ("d", 100.0)] {
        let green = green_of(maker, &clients, share);
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
    let (failed, resets) = (clients.failed(), clients.resets());
    eprintln!("{line} · {} requests, {failed} failed, {resets} reset, {:?}", blue + green, begun.elapsed());
    clients.end();
}

/// What goes wrong with green.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    /// Before it has any traffic.
    Smoke,
    /// Its requests fail, at 10 %.
    Errors,
    /// It answers nobody any more, at 10 %.
    Hangs,
    /// It is gone, at 50 %.
    Dies,
}

/// The traffic is back on blue, nobody has noticed anything since, blue's database is as it was, and a green that works is released.
fn bad_green(maker: &Maker, trouble: Trouble) {
    let Some(live) = Live::start(maker, "") else { return };
    let check = format!(
        "smoke = [\"green\"]\nwatch = [\"green\"]\nramp = \"10,hold=1h,100\"\nblue-application-name = \"app-blue\"\n\
         [checks.green]\nkind = \"http\"\nurl = \"http://{}/\"\ncontains = \"green\"\ntimeout = \"1s\"\ninterval = \"200ms\"\n",
        live.front.green.address
    );
    let share = if trouble == Trouble::Dies { "50" } else { "10" };
    live.configure(&check.replace("10,hold", &format!("{share},hold")));
    live.plan();
    let clients = Clients::several(live.front.port, 1, maker.patience);
    let green = &live.front.green;
    if trouble == Trouble::Smoke {
        green.fails.store(true, Ordering::SeqCst);
    }
    let child = live.spawn(&["execute", "release.plan", "--yes"]);
    if trouble != Trouble::Smoke {
        until("green has its share", || live.shop.journal().contains(&"hold_started".to_owned()));
        assert!(clients.green_of(200) > 2.0);
    }
    let begun = Instant::now();
    match trouble {
        Trouble::Smoke => {}
        Trouble::Errors => green.fails.store(true, Ordering::SeqCst),
        Trouble::Hangs => green.hangs.store(true, Ordering::SeqCst),
        Trouble::Dies => green.dies(),
    }
    let ran = Ran::from(child.wait_with_output().unwrap()).ends(8);
    let went_back = begun.elapsed();
    match (trouble, maker.kind) {
        // Whoever notices first says it: the proxy's own check, or the release's.
        (Trouble::Smoke, _) => drop(ran.says("check green (smoke) failed").says("answered 500")),
        (Trouble::Errors, _) => drop(ran.says("check green (watch) failed").says("answered 500")),
        _ => drop(ran.says("Rollback  all traffic to blue, because green")),
    }
    // Requests that hung are let go, and count.
    green.hangs.store(false, Ordering::SeqCst);
    clients.green_of(20);
    let before = clients.failed();
    assert!(clients.green_of(500) == 0.0, "{}: green is asked still", maker.kind);
    assert_eq!(clients.failed(), before, "{}: somebody noticed since", maker.kind);
    live.blue_is_whole();
    eprintln!(
        "{:8} {trouble:?}: back on blue after {went_back:?}, {before} of {:?} failed until then",
        maker.kind,
        clients.now()
    );
    green.fails.store(false, Ordering::SeqCst);
    if trouble == Trouble::Dies {
        green.revives();
    }
    live.shop
        .sql("UPDATE cutover.journal SET detail = jsonb_set(detail, '{until_ms}', '0') WHERE event = 'hold_started'");
    until("the proxy sees it", || live.run(&["traffic", "show"]).code == Some(0));
    let child = live.spawn(&["resume", "--yes"]);
    until("green has its share again", || {
        live.shop.journal().iter().filter(|event| *event == "hold_started").count()
            == if trouble == Trouble::Smoke { 1 } else { 2 }
    });
    assert!(clients.green_of(200) > 2.0);
    live.run(&["abort", "--yes", "--reason", "enough seen"]).ends(0);
    drop(child.wait_with_output().unwrap());
    assert!(clients.green_of(200) == 0.0);
    clients.stop();
}

#[test]
fn green_fails_before_it_has_traffic() {
    bad_green(&super::fronts::NGINX, Trouble::Smoke);
}

#[test]
fn requests_of_green_fail() {
    bad_green(&super::fronts::TRAEFIK, Trouble::Errors);
}

#[test]
fn green_hangs() {
    bad_green(&super::fronts::ENVOY, Trouble::Hangs);
}

#[test]
fn green_dies_behind_caddy() {
    bad_green(&CADDY, Trouble::Dies);
}

#[test]
fn green_dies_behind_haproxy() {
    bad_green(&HAPROXY, Trouble::Dies);
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
