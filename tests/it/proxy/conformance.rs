//! What every backend must keep to: asked of the proxies, of the example plugins however they are asked, and of plugins with one defect each.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::fronts::{ALL, Maker};
use crate::execute::support::{Ran, Shop, until};

fn test(toml: &str, more: &[&str]) -> Ran {
    let shop = Shop::empty();
    let folder = shop.folder.path();
    std::fs::write(folder.join("cutover.toml"), format!("[release]\ntraffic = \"edge\"\n{toml}")).unwrap();
    let args = [&["traffic", "test", folder.to_str().unwrap(), "--yes"], more].concat();
    let mut command = shop.cutover(&args);
    Ran::from(command.env("EDGE_SECRET", "key").output().unwrap())
}

fn kept(ran: &Ran) -> usize {
    ran.out.lines().filter(|line| line.starts_with("  kept ")).count()
}

fn proxy(maker: &Maker) {
    let Some(front) = maker.start() else { return };
    let ran = test(&front.toml(), &[]).ends(0);
    // The fence is for whoever remembers it; a share of 0.01 % HAProxy refuses before.
    assert!(kept(&ran) >= 10, "{}:\n{}", maker.kind, ran.out);
}

#[test]
fn haproxy_keeps_to_it() {
    proxy(&ALL[0]);
}

#[test]
fn nginx_keeps_to_it() {
    proxy(&ALL[1]);
}

#[test]
fn envoy_keeps_to_it() {
    proxy(&ALL[2]);
}

#[test]
fn traefik_keeps_to_it() {
    proxy(&ALL[3]);
}

#[test]
fn caddy_keeps_to_it() {
    proxy(&ALL[4]);
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/plugins").join(name)
}

fn program(settings: &str, words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("[traffic.edge]\nkind = \"exec\"\n{settings}\ncommand = [{}]\n", words.join(", "))
}

#[test]
fn the_example_plugins_keep_to_it() {
    let state = tempfile::tempdir().unwrap();
    let file = |name: &str| state.path().join(name).display().to_string();
    let (shell, python) = (example("move-traffic.sh"), example("move_traffic.py"));
    let (shell, python) = (shell.to_str().unwrap(), python.to_str().unwrap());
    let ran = test(&program("", &[shell, &file("shell")]), &[]).ends(0).says("| green gets 5000 of 10000");
    assert_eq!(kept(&ran), 11, "{}", ran.out);
    let ran = test(&program("", &[python, &file("once")]), &[]).ends(0);
    assert_eq!(kept(&ran), 12, "{}", ran.out);
    let ran = test(&program("session = true", &[python, &file("session"), "--session"]), &[]).ends(0);
    assert_eq!(kept(&ran), 12, "{}", ran.out);
}

/// A platform with deployments of its own (`tests/it/execute/platform.py`), and defects of it.
#[test]
fn a_platform_keeps_to_it() {
    let check = |defect: &str, code: i32, says: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("stages"), r#"[{"gate": "ready", "share": 0}, {"share": 1000}]"#).unwrap();
        let platform = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/execute/platform.py");
        let words = [platform.to_str().unwrap(), folder.path().to_str().unwrap(), defect];
        let ran = test(&program("", &words), &["--verify-timeout", "500ms"]).ends(code).says(says);
        assert!(code != 0 || kept(&ran) == 8, "{}", ran.out);
        // None goes on afterwards.
        let state = std::fs::read_to_string(folder.path().join("platform.json")).unwrap();
        assert!(defect == "endless" || !state.contains("\"aborted\": false"), "{state}");
    };
    check("", 0, "");
    check("two", 1, "BROKEN   one-deployment");
    check("anything", 1, "BROKEN   progress");
    check("endless", 1, "BROKEN   abort");
    check("same", 1, "BROKEN   another");
}

/// A process that goes when this does.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_plugin_that_is_asked_by_http_keeps_to_it() {
    let state = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(example("move_traffic.py"));
    command.arg(state.path().join("state")).args(["--http", &port.to_string()]).env("CUTOVER_SECRET", "key");
    let _served = Served(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let toml = |secret: &str| format!("[traffic.edge]\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}\"\n{secret}\n");
    let ran = test(&toml("secret = { env = \"EDGE_SECRET\" }"), &[]).ends(0);
    assert_eq!(kept(&ran), 12, "{}", ran.out);
    test(&toml(""), &[]).ends(2).says("answered 403").says("denied");
    test(&toml("secret = \"key\""), &[]).ends(2).says("`secret` is a secret, and a plan would hold it");
    test(&toml("secret = { env = \"NONE\" }"), &[]).ends(2).says("the environment variable NONE is not set");
}

/// Each is found, by the name of the rule that it breaks.
#[test]
fn a_plugin_with_a_defect_breaks_its_rule() {
    let wrong = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/proxy/wrong.py");
    let state = tempfile::tempdir().unwrap();
    let check = |defect: &str, code: i32, says: &str| {
        let file = state.path().join(defect);
        let words = ["python3", wrong.to_str().unwrap(), file.to_str().unwrap(), defect];
        let limits = ["--traffic-timeout", "1500ms", "--verify-timeout", "500ms", "--shares", "50,100"];
        let ran = test(&program("session = true", &words), &limits).ends(code);
        if defect == "none" {
            assert_eq!(kept(&ran), 12, "{}", ran.out);
            return;
        }
        let broken = format!("  BROKEN   {defect} ");
        assert!(ran.out.contains(&broken), "{defect}:\n{}", ran.out);
        assert!(ran.out.contains(says), "{defect}:\n{}", ran.out);
    };
    check("none", 0, "");
    check("answers", 1, "its result does not fit `observe`");
    check("ready", 2, "green has 0.1 % of the traffic");
    check("deadline", 1, "drain gave no answer within 1.5s");
    check("read-after-set", 1, "50 % was set, and after 500ms it shows 0 %");
    check("idempotency", 1, "asked again for 100 %, it set 0.09 %");
    check("verify", 1, "it confirms 90 %");
    check("rounding", 1, "0 % was set, and after 500ms it shows 1 %");
    check("foreign-change", 1, "somebody else gave blue everything, and it still shows 100 %");
    check("fence", 1, "an earlier executor is refused, and green has 0 % instead of 100 % all the same");
    check("health", 1, "its result does not fit `health`");
    check("drain", 1, "blue has all traffic, and it calls it drained");
    check("back", 1, "0 % was set, and it shows 100 %");
}
