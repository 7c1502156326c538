//! What goes wrong around each proxy: it is killed and comes back, somebody else moves its traffic, or its files are not what they should be.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::clients::Clients;
use super::fronts::{CADDY, ENVOY, Front, Maker, NGINX, TRAEFIK};
use crate::execute::support::{Ran, Shop, until};

/// A shop whose plan has the proxy and a ramp, and whose folder says the same.
fn shop(front: &Front, ramp: &str) -> Shop {
    shop_with(&front.toml(), ramp)
}

fn shop_with(toml: &str, ramp: &str) -> Shop {
    let shop = Shop::new();
    let text = format!("[release]\ntraffic = \"edge\"\nramp = \"{ramp}\"\n{toml}");
    let mut plan = shop.plan();
    plan.release = shop.configured(&text);
    shop.save(&plan.sealed());
    shop
}

fn run(shop: &Shop, args: &[&str]) -> Ran {
    Ran::from(shop.cutover(args).current_dir(shop.folder.path()).output().unwrap())
}

fn execute(shop: &Shop) -> Ran {
    run(shop, &["execute", "release.plan", "--yes"])
}

/// Asks Caddy's admin API.
fn ask(front: &Front, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", front.admin)).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        front.admin
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn weights(front: &Front, blue: u32, green: u32) {
    let answer = ask(
        front,
        "PATCH",
        "/id/app/load_balancing/selection_policy",
        &format!("{{\"policy\":\"weighted_round_robin\",\"weights\":[{blue},{green}]}}"),
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Every so many boundaries; every one if `CUTOVER_EXHAUSTION` is set.
pub(super) fn boundaries(first: usize, each: usize) -> impl Iterator<Item = usize> {
    let all = std::env::var_os("CUTOVER_EXHAUSTION").is_some();
    (if all { 1 } else { first }..).step_by(if all { 1 } else { each })
}

/// Killed here and there, it ends like an undisturbed one, and nobody who asks meanwhile is left without an answer.
#[test]
fn killed_and_resumed_behind_caddy_no_request_fails() {
    let Some(front) = CADDY.start() else { return };
    let clients = Clients::several(front.port, 1, CADDY.patience);
    for boundary in boundaries(3, 4) {
        weights(&front, 1, 0);
        let shop = shop(&front, "10,hold=20ms,100,bake=20ms");
        let killed = run(&shop, &["execute", "release.plan", "--yes", "--fault", &format!("kill-at={boundary}")]);
        if killed.code == Some(0) {
            assert!(boundary > 30, "only {boundary} boundaries");
            break;
        }
        assert_eq!(killed.code, None, "boundary {boundary}: {killed:?}");
        let begun = run(&shop, &["status"]).ends(0).out.contains("Release ");
        let on: &[&str] = if begun { &["resume", "--yes"] } else { &["execute", "release.plan", "--yes"] };
        run(&shop, &[on, &["--takeover-timeout", "30s"]].concat()).ends(0).says("is complete");
        let left = ask(&front, "GET", "/id/app/load_balancing/selection_policy/weights", "");
        assert!(left.ends_with("[0,1]\n"), "boundary {boundary}: {left}");
    }
    clients.end();
}

#[test]
fn what_somebody_else_moved_behind_caddy_is_not_overwritten() {
    let Some(front) = CADDY.start() else { return };
    let shop = shop(&front, "10,approve=a,100");
    execute(&shop).ends(0).says("at the gate a");
    weights(&front, 1, 1);
    let ran = run(&shop, &["promote", "--yes", "--gate", "a"]).ends(4);
    ran.says("green has 50 % of the traffic, and this release left it with 10 %: somebody else moved it");
    weights(&front, 9, 1);
    run(&shop, &["resume", "--yes"]).ends(0).says("is complete");
}

/// Killed once green has its share; then somebody moves the traffic, and somebody else resumes.
#[test]
fn what_moved_between_a_kill_and_resume_is_noticed() {
    let Some(front) = CADDY.start() else { return };
    let mut noticed = 0;
    for boundary in (16..40).step_by(6) {
        weights(&front, 1, 0);
        let shop = shop(&front, "10,hold=20ms,100,bake=20ms");
        run(&shop, &["execute", "release.plan", "--yes", "--fault", &format!("kill-at={boundary}")]);
        let shares = "SELECT event FROM cutover.journal WHERE event IN ('shifted', 'drained') ORDER BY seq";
        if shop.rows(shares) != ["shifted"] {
            continue;
        }
        weights(&front, 1, 3);
        let ran = run(&shop, &["resume", "--yes", "--takeover-timeout", "30s", "--verify-timeout", "1s"]).ends(4);
        ran.says("75 %");
        assert_eq!(
            ask(&front, "GET", "/id/app/load_balancing/selection_policy/weights", "").lines().last(),
            Some("[1,3]")
        );
        noticed += 1;
    }
    assert!(noticed > 0);
}

/// Weights that were set by the API are gone when Caddy starts again: the release notices, and does not go on.
#[test]
fn caddy_that_starts_again_has_lost_its_weights() {
    let Some(mut front) = CADDY.start() else { return };
    let shop = shop(&front, "10,approve=a,100");
    execute(&shop).ends(0).says("at the gate a");
    front.stop();
    let ran = run(&shop, &["promote", "--yes", "--gate", "a", "--traffic-timeout", "300ms"]).ends(4);
    ran.says("cannot reach it");
    front.start_again();
    run(&shop, &["resume", "--yes"]).ends(4).says("green has 0 % of the traffic, and this release left it with 10 %");
    weights(&front, 9, 1);
    run(&shop, &["resume", "--yes"]).ends(0).says("is complete");
}

/// What stands in a file is there when the proxy comes back.
fn comes_back(maker: &Maker) {
    let Some(mut front) = maker.start() else { return };
    let shop = shop(&front, "10,approve=a,100");
    execute(&shop).ends(0).says("at the gate a");
    front.stop();
    let ran = run(&shop, &["promote", "--yes", "--gate", "a", "--traffic-timeout", "300ms"]).ends(4);
    ran.says("cannot reach it");
    front.start_again();
    until("it knows its traffic again", || run(&shop, &["traffic", "show"]).out.contains("Green has  10 %"));
    let ran = run(&shop, &["resume", "--yes"]).ends(0);
    match maker.proves_drain {
        true => drop(ran.says("is complete")),
        false => drop(run(&shop, &["promote", "--yes"]).ends(0).says("is complete")),
    }
    let clients = Clients::start(front.port);
    assert!(clients.green_of(100) == 100.0);
    clients.end();
}

#[test]
fn nginx_comes_back() {
    comes_back(&NGINX);
}

#[test]
fn envoy_comes_back() {
    comes_back(&ENVOY);
}

#[test]
fn traefik_comes_back() {
    comes_back(&TRAEFIK);
}

/// A configuration that nginx refuses is not loaded, and the file is as it was.
#[test]
fn a_configuration_that_nginx_refuses_is_taken_back() {
    let Some(front) = NGINX.start() else { return };
    let shop = shop(&front, "10,approve=a,100");
    execute(&shop).ends(0).says("at the gate a");
    let read = |file: &str| std::fs::read_to_string(front.path(file)).unwrap();
    let (whole, shares) = (read("nginx.conf"), read("shares.conf"));
    std::fs::write(front.path("nginx.conf"), format!("{whole}\nnonsense;\n")).unwrap();
    let ran = run(&shop, &["promote", "--yes", "--gate", "a"]).ends(4);
    ran.says("unknown directive \"nonsense\"").says("was not loaded, and is as it was before");
    assert_eq!(read("shares.conf"), shares);
    let clients = Clients::start(front.port);
    assert!((clients.green_of(500) - 10.0).abs() < 5.0);
    std::fs::write(front.path("nginx.conf"), whole).unwrap();
    run(&shop, &["resume", "--yes"]).ends(0).says("is complete");
    clients.end();
}

/// What is for the next release must not turn this one round.
#[test]
fn settings_that_were_swapped_too_early_are_refused() {
    let Some(front) = TRAEFIK.start() else { return };
    let shop = shop(&front, "10,approve=a,100");
    execute(&shop).ends(0).says("at the gate a");
    let path = shop.folder.path().join("cutover.toml");
    let toml = std::fs::read_to_string(&path).unwrap();
    let swapped = toml.replace("blue = \"blue\"", "blue = \"g\"").replace("green = \"green\"", "green = \"blue\"");
    std::fs::write(&path, swapped.replace("\"g\"", "\"green\"")).unwrap();
    let ran = run(&shop, &["rollback", "--yes"]).ends(2);
    ran.says("[traffic.edge] of cutover.toml is not what the release was begun with: `blue`, `green` are other");
    std::fs::write(&path, toml).unwrap();
    run(&shop, &["rollback", "--yes"]).ends(0).says("blue has all traffic");
    let clients = Clients::start(front.port);
    assert!(clients.green_of(100) == 0.0);
    clients.end();
}

/// A worker that still serves blue keeps blue from being drained, whatever it is called.
#[test]
fn blue_behind_nginx_is_drained_once_its_last_request_is_answered() {
    let Some(front) = NGINX.start() else { return };
    let shop = shop(&front, "100");
    let port = front.port;
    let slow = std::thread::spawn(move || super::clients::get(port, "/slow"));
    until("blue works on it", || front.blue.serves.load(std::sync::atomic::Ordering::SeqCst) > 0);
    let ran = run(&shop, &["execute", "release.plan", "--yes", "--drain-timeout", "1s"]).ends(4);
    ran.says("blue is not drained: ").says(" left");
    assert!(!shop.journal().contains(&"drained".to_owned()));
    front.blue.let_go.store(true, std::sync::atomic::Ordering::SeqCst);
    run(&shop, &["resume", "--yes", "--drain-timeout", "30s"]).ends(0).says("is complete");
    assert_eq!(slow.join().unwrap().as_deref(), Some("blue"));
}

/// Before anything runs.
#[test]
fn what_cannot_work_is_refused() {
    let check = |maker: &Maker, change: &dyn Fn(&Front), toml: &dyn Fn(String) -> String, expected: &str| {
        let Some(front) = maker.start() else { return };
        change(&front);
        let shop = shop_with(&toml(front.toml()), "10,100");
        let ran = execute(&shop).ends(2).says(expected);
        assert_eq!(shop.journal(), Vec::<String>::new(), "{ran:?}");
    };
    let (nothing, same) = (|_: &Front| {}, |toml: String| toml);
    let replace = |from: &'static str, to: &'static str| move |toml: String| toml.replace(from, to);
    // Names that do not exist.
    check(&CADDY, &nothing, &replace("id = \"app\"", "id = \"nix\""), "unknown object ID 'nix'");
    check(
        &ENVOY,
        &nothing,
        &replace("green = \"green\"", "green = \"grey\""),
        "has no `weighted_clusters` with both blue and grey",
    );
    check(&TRAEFIK, &nothing, &replace("green = \"green\"", "green = \"grey\""), "answered 404");
    check(&NGINX, &nothing, &replace("green = \"green\"", "green = \"grey\""), "not the shares of blue and grey");
    // Files of somebody else.
    let theirs = |file: &'static str| move |front: &Front| std::fs::write(front.path(file), "# mine\n").unwrap();
    check(
        &TRAEFIK,
        &theirs("dynamic/shares.yml"),
        &same,
        "was not written by cutover (its first line is another one), and is not overwritten",
    );
    check(&NGINX, &theirs("shares.conf"), &same, "was not written by cutover");
    check(&ENVOY, &theirs("routes.json"), &same, "is no JSON");
    let gone = |file: &'static str| move |front: &Front| std::fs::remove_file(front.path(file)).unwrap();
    check(&ENVOY, &gone("routes.json"), &same, "cannot be read");
    check(&NGINX, &gone("nginx.pid"), &same, "`pid-file`");
    // Other ways to balance.
    let first = |front: &Front| {
        let answer = ask(front, "PATCH", "/id/app/load_balancing/selection_policy", "{\"policy\":\"first\"}");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    };
    check(&CADDY, &first, &same, "needs {\"selection_policy\":{\"policy\":\"weighted_round_robin\",\"weights\":[…]}}");
    // It has traffic already.
    check(&CADDY, &|front: &Front| weights(front, 1, 1), &same, "green has 50 % of the traffic already");
    // Nobody is there.
    check(
        &CADDY,
        &nothing,
        &|_| {
            "[traffic.edge]\nkind = \"caddy\"\nadmin = \"http://127.0.0.1:9\"\nid = \"app\"\nblue = [\"a:1\"]\ngreen = [\"b:1\"]\n".into()
        },
        "Connection refused",
    );
}

/// One that is both is refused where it is written.
#[test]
fn two_backends_on_one_target_are_refused() {
    let check = |toml: &str, expected: &str| {
        let text = format!("[traffic.edge]\n{toml}\n");
        let error = cutover::config::parse("cutover.toml".into(), &text).unwrap_err().to_string();
        assert_eq!(error, format!("cutover.toml:1:10: traffic edge: {expected}"));
    };
    check(
        "kind = \"caddy\"\nid = \"app\"\nblue = [\"a:1\"]\ngreen = [\"a:1\"]",
        "upstream a:1 is both blue's and green's",
    );
    check(
        "kind = \"envoy\"\nadmin = \"http://a\"\nfile = \"r\"\nblue = \"a\"\ngreen = \"a\"",
        "`blue` and `green` are two clusters",
    );
    check(
        "kind = \"traefik\"\napi = \"http://a\"\nfile = \"s.yml\"\nservice = \"a\"\nblue = \"a\"\ngreen = \"b\"",
        "`blue`, `green` and `service` are three services",
    );
    check(
        "kind = \"nginx\"\nfile = \"f\"\nvariable = \"v\"\nshares-url = \"http://a\"\nblue = \"a\"\ngreen = \"a\"",
        "`blue` and `green` are two upstreams",
    );
    check(
        "kind = \"caddy\"\nid = \"a/b\"\nblue = [\"a:1\"]\ngreen = [\"b:1\"]",
        "`id` \"a/b\" has other characters than letters, digits, `-`, `_` and `.`",
    );
    check(
        "kind = \"traefik\"\napi = \"a:8080\"\nfile = \"s.yml\"\nservice = \"s\"\nblue = \"a\"\ngreen = \"b\"",
        "`api` is no URL with http: or https: \"a:8080\"",
    );
    check(
        "kind = \"traefik\"\napi = \"http://a\"\nfile = \"s.json\"\nservice = \"s\"\nblue = \"a\"\ngreen = \"b\"",
        "`file` \"s.json\" must end in .yml or .yaml: Traefik goes by it",
    );
}
