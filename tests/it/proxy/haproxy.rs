//! HAProxy itself in front of two versions of an application. Without it on this machine there is nothing to see here.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread::spawn;

use super::app::App;
use super::clients::{Clients, get};
use super::trouble::boundaries;
use crate::execute::support::{Ran, Shop, until};

/// HAProxy with blue and green behind it.
struct Proxy {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    blue: App,
    green: App,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const PROGRAM: &str = "/usr/sbin/haproxy";

impl Proxy {
    /// `level`: of its socket. `more`: lines of the backend.
    fn start(level: &str, more: &str) -> Option<Self> {
        if !std::path::Path::new(PROGRAM).is_file() {
            assert!(std::env::var_os("CI").is_none(), "haproxy is not installed");
            eprintln!("haproxy is not installed: nothing is tested");
            return None;
        }
        let (blue, green) = (App::start("blue"), App::start("green"));
        let folder = tempfile::tempdir().unwrap();
        // Somebody may take the port before HAProxy does.
        let (child, port) = (0..5).find_map(|_| {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let text = format!(
                "global\n  stats socket {socket} level {level}\n\
                 defaults\n  mode http\n  option http-server-close\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\n  timeout check 5s\n\
                 frontend web\n  bind 127.0.0.1:{port}\n  default_backend app\n\
                 backend app\n  balance roundrobin\n  default-server check inter 200ms fall 2 rise 1\n\
                 \x20 server blue-1 {} weight 1\n  server green-1 {} weight 0\n{more}",
                blue.address,
                green.address,
                socket = folder.path().join("admin.sock").display(),
            );
            std::fs::write(folder.path().join("haproxy.cfg"), text).unwrap();
            let mut child = run(folder.path());
            until("HAProxy answers, or is gone", || {
                get(port, "/").is_some() || child.try_wait().unwrap().is_some()
            });
            child.try_wait().unwrap().is_none().then_some((child, port))
        }).expect("HAProxy starts");
        let proxy = Self { child, port, folder, blue, green };
        proxy.is_up();
        Some(proxy)
    }

    fn is_up(&self) {
        until("HAProxy answers", || self.get("/").is_some());
        until("green is known to be up", || {
            self.ask("show stat").lines().any(|l| l.starts_with("app,green-1,") && l.contains(",UP,"))
        });
    }

    /// As a reload does: what was set at runtime is gone.
    fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = run(self.folder.path());
        self.is_up();
    }

    fn ask(&self, command: &str) -> String {
        let mut socket = std::os::unix::net::UnixStream::connect(self.folder.path().join("admin.sock")).unwrap();
        socket.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Who answered; nobody if it failed.
    fn get(&self, path: &str) -> Option<String> {
        get(self.port, path)
    }

    /// How many of so many requests green answered, in percent.
    fn green_of(&self, requests: u32) -> f64 {
        let green = (0..requests).filter(|_| self.get("/").unwrap() == "green").count();
        f64::from(u32::try_from(green).unwrap()) * 100.0 / f64::from(requests)
    }

    /// A shop whose `cutover.toml` has it.
    fn shop(&self, ramp: &str) -> Shop {
        self.shop_with(ramp, "green-1")
    }

    fn shop_with(&self, ramp: &str, green: &str) -> Shop {
        let shop = Shop::new();
        let mut plan = shop.plan();
        let socket = self.folder.path().join("admin.sock");
        let settings = serde_json::json!({ "socket": socket, "backend": "app", "blue": ["blue-1"], "green": [green] });
        plan.release.traffic = Some(cutover::release::Configured {
            name: "edge".into(),
            kind: "haproxy".into(),
            folder: "".into(),
            settings: settings.as_object().unwrap().clone(),
        });
        plan.release.ramp = Some(ramp.parse().unwrap());
        shop.save(&plan.sealed());
        shop
    }
}

fn run(folder: &std::path::Path) -> Child {
    let mut command = Command::new(PROGRAM);
    command.arg("-db").arg("-f").arg(folder.join("haproxy.cfg"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn plan(shop: &Shop) -> String {
    shop.folder.path().join("release.plan").to_str().unwrap().to_owned()
}

#[test]
fn green_gets_exactly_its_share_and_no_request_fails() {
    let Some(proxy) = Proxy::start("admin", "") else { return };
    let shop = proxy.shop("1,approve=a,10,approve=b,50,approve=c,100,approve=d");
    let clients = Clients::start(proxy.port);
    assert!(clients.green_of(200) == 0.0);
    shop.run(&["execute", &plan(&shop), "--yes"]).ends(0).says("green has 1 %, verified").says("at the gate a");
    for (gate, share) in [("a", 1.0), ("b", 10.0), ("c", 50.0), ("d", 100.0)] {
        let green = clients.green_of(2000);
        assert!((green - share).abs() <= 2.0, "{green} % instead of {share} %");
        let ran = shop.run(&["promote", "--yes", "--gate", gate]).ends(0);
        if gate == "d" {
            ran.says("has no session with blue-1").says("is complete");
        }
    }
    assert!(clients.green_of(200) == 100.0);
    clients.end();
}

#[test]
fn a_release_that_goes_back_finds_blue_again() {
    let Some(proxy) = Proxy::start("admin", "") else { return };
    let shop = proxy.shop("50,approve=a,100");
    let clients = Clients::start(proxy.port);
    shop.run(&["execute", &plan(&shop), "--yes"]).ends(0);
    shop.run(&["rollback", "--yes"]).ends(0).says("blue has all traffic");
    assert!(clients.green_of(200) == 0.0);
    shop.run(&["resume", "--yes"]).ends(0).says("at the gate a");
    assert!((clients.green_of(200) - 50.0).abs() <= 2.0);
    clients.end();
}

#[test]
fn its_state_is_shown_without_a_release() {
    let Some(proxy) = Proxy::start("admin", "") else { return };
    let shop = Shop::empty();
    let toml = format!(
        "[release]\ntraffic = \"edge\"\n[traffic.edge]\nkind = \"haproxy\"\nsocket = \"{}\"\nbackend = \"app\"\nblue = [\"blue-1\"]\ngreen = [\"green-1\"]\n",
        proxy.folder.path().join("admin.sock").display()
    );
    let folder = shop.folder.path().to_str().unwrap().to_owned();
    shop.run(&["traffic", "show", &folder]).ends(2).says("nothing says what moves the traffic");
    std::fs::write(shop.folder.path().join("cutover.toml"), toml).unwrap();
    proxy.ask("set server app/blue-1 weight 3; set server app/green-1 weight 1");
    let shown = shop.run(&["traffic", "show", &folder]).ends(0);
    shown.says("Moves      any share\n").says("Green has  25 %\nBlue       healthy\nGreen      healthy\n");
    proxy.green.dies();
    until("it is seen", || shop.run(&["traffic", "show", &folder]).out.contains("unhealthy: green-1 is down (L4CON)"));
    let shown = shop.run(&["traffic", "show", &folder, "--format", "json"]).ends(0);
    let json: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!((json["share"].as_u64(), json["green"]["health"].as_str()), (Some(2500), Some("unhealthy")));
}

/// Killed here and there, it ends like an undisturbed one, and nobody who asks meanwhile is left without an answer.
#[test]
fn killed_and_resumed_behind_it_no_request_fails() {
    let Some(proxy) = Proxy::start("admin", "") else { return };
    let clients = Clients::start(proxy.port);
    for boundary in boundaries(2, 3) {
        proxy.ask("set server app/blue-1 state ready; set server app/blue-1 weight 1; set server app/green-1 weight 0");
        until("blue is up again", || {
            proxy.ask("show stat").lines().any(|l| l.starts_with("app,blue-1,") && l.contains(",UP,"))
        });
        let shop = proxy.shop("10,hold=20ms,100,bake=20ms");
        let ran = shop.run(&["execute", &plan(&shop), "--yes", "--fault", &format!("kill-at={boundary}")]);
        match ran.code {
            Some(0) => {
                assert!(boundary > 30, "only {boundary} boundaries");
                break;
            }
            code => assert_eq!(code, None, "boundary {boundary}: {ran:?}"),
        }
        let begun = shop.run(&["status"]).ends(0).out.contains("Release ");
        let again = plan(&shop);
        let on: &[&str] =
            if begun { &["resume", "--yes"] } else { &["execute", &again, "--yes", "--takeover-timeout", "30s"] };
        shop.run(on).ends(0).says("is complete");
        let weights = proxy.ask("show servers state app");
        let weight =
            |name: &str| weights.lines().find(|l| l.contains(name)).unwrap().split(' ').nth(7).unwrap().to_owned();
        assert_eq!((weight("blue-1"), weight("green-1")), ("0".to_owned(), "256".to_owned()), "boundary {boundary}");
    }
    clients.end();
}

/// As it is once it was found drained.
#[test]
fn a_blue_that_was_taken_out_comes_back() {
    let Some(proxy) = Proxy::start("admin", "") else { return };
    let shop = proxy.shop("100,approve=a");
    shop.run(&["execute", &plan(&shop), "--yes"]).ends(0);
    proxy.ask("set server app/blue-1 state maint");
    let clients = Clients::start(proxy.port);
    shop.run(&["rollback", "--yes"]).ends(0).says("blue has all traffic");
    assert!(clients.green_of(200) == 0.0);
    clients.end();
}

/// As a deployment leaves it until green is started: the configuration's word stays in the server's state when it is made ready.
#[test]
fn a_green_that_the_configuration_disables_is_made_ready() {
    let Some(mut proxy) = Proxy::start("admin", "") else { return };
    let path = proxy.folder.path().join("haproxy.cfg");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("weight 0\n", "weight 0 disabled\n")).unwrap();
    proxy.child.kill().unwrap();
    proxy.child.wait().unwrap();
    proxy.child = run(proxy.folder.path());
    until("HAProxy answers", || proxy.get("/").is_some());
    let shop = proxy.shop("50,approve=a,100");
    shop.run(&["execute", &plan(&shop), "--yes"]).ends(0).says("green has 50 %, verified");
    let clients = Clients::start(proxy.port);
    assert!((clients.green_of(200) - 50.0).abs() <= 2.0);
    shop.run(&["promote", "--yes", "--gate", "a"]).ends(0).says("is complete");
    clients.end();
    // The next release begins with the two changed.
    let again = proxy.shop("100");
    again
        .run(&["execute", &plan(&again), "--yes"])
        .ends(2)
        .says("green has 100 % of the traffic already")
        .says("Change the two");
}

/// A reload between the drain and the steps after it brings blue back: they do not run under it.
#[test]
fn what_takes_from_blue_waits_until_blue_has_no_traffic() {
    let Some(mut proxy) = Proxy::start("admin", "") else { return };
    let mut killed = None;
    for boundary in 20.. {
        proxy.restart();
        let shop = proxy.shop("100");
        let ran = shop.run(&["execute", &plan(&shop), "--yes", "--fault", &format!("kill-at={boundary}")]);
        if shop.journal().contains(&"drained".to_owned()) {
            assert_eq!(ran.code, None, "it was over: {ran:?}");
            killed = Some(shop);
            break;
        }
    }
    let shop = killed.unwrap();
    proxy.restart();
    let ran = shop.run(&["resume", "--yes"]).ends(4);
    ran.says("green has 0 % of the traffic, and this release left it with 100 %: somebody else moved it");
    assert!(shop.schema().iter().any(|line| line.starts_with("users.name ")), "blue's column is there");
    proxy.ask("set server app/green-1 weight 1; set server app/blue-1 weight 0");
    shop.run(&["resume", "--yes"]).ends(0).says("is complete");
}

#[test]
fn green_that_dies_while_blue_drains_gives_the_traffic_back() {
    let Some(proxy) = Proxy::start("admin", "") else { return };
    let shop = proxy.shop("100");
    let port = proxy.port;
    let slow = spawn(move || get(port, "/slow"));
    let works = |l: &str| l.starts_with("app,blue-1,") && l.split(',').nth(4) == Some("1");
    until("blue works on it", || proxy.ask("show stat").lines().any(works));
    let child = shop.spawn(&["execute", &plan(&shop), "--yes"]);
    until("blue drains", || shop.journal().contains(&"drain_started".to_owned()));
    proxy.green.dies();
    Ran::from(child.wait_with_output().unwrap()).ends(8).says("green-1 is down");
    proxy.blue.let_go.store(true, Ordering::SeqCst);
    assert_eq!(slow.join().unwrap().as_deref(), Some("blue"));
    assert!(proxy.green_of(200) == 0.0);
}

#[test]
fn green_that_dies_gives_the_traffic_back() {
    let Some(proxy) = Proxy::start("admin", "") else { return };
    let shop = proxy.shop("50,hold=1h,100");
    let child = shop.spawn(&["execute", &plan(&shop), "--yes"]);
    until("the hold begins", || shop.journal().contains(&"hold_started".to_owned()));
    proxy.green.dies();
    Ran::from(child.wait_with_output().unwrap()).ends(8).says("green-1 is down (L4CON)");
    assert!(proxy.green_of(200) == 0.0);
}

#[test]
fn blue_is_drained_once_its_last_request_is_answered() {
    let Some(proxy) = Proxy::start("admin", "") else { return };
    let shop = proxy.shop("100");
    let port = proxy.port;
    let slow = spawn(move || get(port, "/slow"));
    until("blue works on it", || {
        proxy.ask("show stat").lines().any(|l| l.starts_with("app,blue-1,") && l.split(',').nth(4) == Some("1"))
    });
    let child = shop.spawn(&["execute", &plan(&shop), "--yes"]);
    until("blue drains", || shop.journal().contains(&"drain_started".to_owned()));
    assert!(!shop.journal().contains(&"drained".to_owned()));
    proxy.blue.let_go.store(true, Ordering::SeqCst);
    Ran::from(child.wait_with_output().unwrap()).ends(0).says("blue to drain: 1 left").says("is complete");
    assert_eq!(slow.join().unwrap().as_deref(), Some("blue"));
}

#[test]
fn a_proxy_that_was_reloaded_has_lost_its_weights() {
    let Some(mut proxy) = Proxy::start("admin", "") else { return };
    let shop = proxy.shop("10,hold=1h,100");
    let child = shop.spawn(&["execute", &plan(&shop), "--yes", "--verify-timeout", "1s"]);
    until("the hold begins", || shop.journal().contains(&"hold_started".to_owned()));
    proxy.restart();
    let ran = Ran::from(child.wait_with_output().unwrap()).ends(4);
    ran.says("it saw 0 %").says("HAProxy was started").says("a reload loses the weights");
    // Set back by hand, it goes on.
    proxy.ask("set server app/blue-1 weight 9; set server app/green-1 weight 1");
    shop.sql("UPDATE cutover.journal SET detail = jsonb_set(detail, '{until_ms}', '0') WHERE event = 'hold_started'");
    shop.run(&["resume", "--yes"]).ends(0).says("is complete");
}

#[test]
fn what_somebody_else_moved_is_not_overwritten() {
    let Some(proxy) = Proxy::start("admin", "") else { return };
    let shop = proxy.shop("10,approve=a,100");
    shop.run(&["execute", &plan(&shop), "--yes"]).ends(0);
    proxy.ask("set server app/blue-1 weight 1; set server app/green-1 weight 1");
    let ran = shop.run(&["promote", "--yes", "--gate", "a"]).ends(4);
    ran.says("green has 50 % of the traffic, and this release left it with 10 %: somebody else moved it");
    shop.run(&["rollback", "--yes"]).ends(0);
    assert!(proxy.green_of(200) == 0.0);
}

#[test]
fn what_cannot_work_is_refused_before_anything_runs() {
    let check = |level: &str, more: &str, change: &dyn Fn(&Proxy), ramp: &str, expected: &str| {
        let Some(proxy) = Proxy::start(level, more) else { return };
        change(&proxy);
        let shop = proxy.shop(ramp);
        let ran = shop.run(&["execute", &plan(&shop), "--yes"]).ends(2).says(expected);
        assert_eq!(shop.journal(), Vec::<String>::new(), "{ran:?}");
    };
    let nothing = |_: &Proxy| {};
    check("user", "", &nothing, "100", "The socket needs `level admin`");
    check("admin", "", &nothing, "0.01,100", "no weights of 0 to 256 give green exactly 0.01 %");
    check(
        "admin",
        "  server third 127.0.0.1:9 weight 5\n",
        &nothing,
        "100",
        "server third of backend app gets traffic and is neither",
    );
    let moved = |proxy: &Proxy| drop(proxy.ask("set server app/green-1 weight 1"));
    check("admin", "", &moved, "100", "green has 50 % of the traffic already");
    check(
        "admin",
        "  balance source\n",
        &nothing,
        "100",
        "balances by \"source\", whose weights make no share that can be set",
    );
    let backup = "  server sorry 127.0.0.1:9 backup\n  server blue-2 127.0.0.1:9 weight 0\n";
    let strange = "  server out 127.0.0.1:9 weight 5 disabled\n";
    for fine in [backup, strange] {
        let Some(proxy) = Proxy::start("admin", fine) else { return };
        let shop = proxy.shop("approve=a,100");
        shop.run(&["execute", &plan(&shop), "--yes"]).ends(0).says("at the gate a");
    }
    let gone = |proxy: &Proxy| std::fs::remove_file(proxy.folder.path().join("admin.sock")).unwrap();
    check("admin", "", &gone, "100", "No such file or directory");
    let Some(proxy) = Proxy::start("admin", "") else { return };
    let shop = proxy.shop_with("100", "green-7");
    shop.run(&["execute", &plan(&shop), "--yes"]).ends(2).says("backend app has no server green-7");
}
