//! What is asked and told around a release: checks, hooks and news, as `cutover.toml` has them.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use std::thread::spawn;

use super::support::{Ran, Shop, until};

/// A shop whose plan carries what a `cutover.toml` says of the release.
fn shop(toml: &str) -> Shop {
    let shop = Shop::new();
    configure(&shop, toml);
    shop
}

fn configure(shop: &Shop, toml: &str) {
    let mut plan = shop.plan();
    plan.release = shop.configured(&format!("[release]\ntraffic = \"simulated\"\n{toml}"));
    shop.save(&plan.sealed());
}

/// Runs in the shop's folder.
fn run(shop: &Shop, args: &[&str]) -> Ran {
    let mut command = shop.cutover(args);
    Ran::from(command.current_dir(shop.folder.path()).env("SECRET_URL", secret(shop)).output().unwrap())
}

fn secret(shop: &Shop) -> String {
    std::fs::read_to_string(shop.folder.path().join("secret-url")).unwrap_or_default()
}

fn execute(shop: &Shop) -> Ran {
    run(shop, &["execute", "release.plan", "--yes"])
}

fn script(shop: &Shop, name: &str, text: &str) {
    let path = shop.folder.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// An HTTP server that answers each request with the next of its answers, the last one again and again; what it was sent.
fn server(answers: &[(u16, &str)]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (mine, answers) = (Arc::clone(&heard), answers.iter().map(|(s, b)| (*s, (*b).to_owned())).collect::<Vec<_>>());
    spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let (mut head, mut byte) = (String::new(), [0]);
            while !head.ends_with("\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(char::from(byte[0]));
            }
            let length =
                head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            stream.read_exact(&mut body).unwrap();
            mine.lock().unwrap().push(format!("{head}{}", String::from_utf8(body).unwrap()));
            let (status, text) = &answers[at.min(answers.len() - 1)];
            let text =
                format!("HTTP/1.1 {status} Word\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len());
            let _ = stream.write_all(text.as_bytes());
        }
    });
    (address, heard)
}

fn count(shop: &Shop, event: &str) -> usize {
    shop.journal().iter().filter(|known| *known == event).count()
}

#[test]
fn a_check_before_any_traffic_decides_whether_there_is_any() {
    let toml = "smoke = [\"green\"]\n[checks.green]\nkind = \"command\"\ncommand = [\"./look\"]\ninterval = \"10ms\"\nfailure-limit = 1\n";
    let check = |text: &str, code: i32, says: &str| {
        let shop = shop(toml);
        script(&shop, "look", text);
        let ran = execute(&shop).ends(code).says(says);
        assert_eq!(count(&shop, "shifted"), usize::from(code == 0), "{ran:?}");
        shop
    };
    check("echo all is well", 0, "Check     green (smoke): successful, ");
    check("echo hm >&2; exit 1", 8, "check green (smoke) failed: ");
    check("exit 75", 4, "check green (smoke) does not say how green does: ");
    // It may fail once.
    check("test -e seen || { touch seen; exit 1; }", 0, "failed, ");
    let gone = check("kill -9 $$", 8, "was killed");
    script(&gone, "look", "exit 0");
    run(&gone, &["resume", "--yes"]).ends(0).says("is complete");
}

#[test]
fn a_check_is_a_step_of_the_ramp() {
    let toml = "ramp = \"10,check=errors,100\"\n[checks.errors]\nkind = \"sql\"\nquery = \"SELECT count(*) < 51 FROM users\"\n";
    let shop = shop(toml);
    execute(&shop).ends(0).says("Check     errors (gate): successful, the query said true");
    let answers = [
        ("SELECT false", 8, "the query said false"),
        ("SELECT NULL::bool", 4, "the query said NULL"),
        ("SELECT true WHERE false", 4, "the query gave no row"),
        ("SELECT 1", 8, "the query gives no boolean"),
        ("DELETE FROM users RETURNING true", 8, "cannot execute DELETE in a read-only transaction"),
    ];
    for (query, code, says) in answers {
        let toml = toml
            .replace("SELECT count(*) < 51 FROM users", query)
            .replace("kind =", "consecutive-error-limit = 0\nkind =");
        let shop = self::shop(&toml);
        execute(&shop).ends(code).says(says);
        assert_eq!(shop.rows("SELECT count(*)::text FROM users"), ["50"]);
        // It is asked again where it stopped, or from the beginning.
        configure(&shop, &toml);
        let ran = run(&shop, &["resume", "--yes"]).ends(code).says(says);
        assert!(!ran.err.contains("green has 100 %"), "{ran:?}");
    }
}

#[test]
fn what_prometheus_says_brings_the_traffic_back() {
    let value = |value: &str| {
        format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":[{{\"metric\":{{}},\"value\":[1,\"{value}\"]}}]}}}}"
        )
    };
    let (fine, bad) = (value("0.001"), value("0.2"));
    let (url, heard) = server(&[(200, &fine), (503, "busy"), (200, &fine), (200, &bad)]);
    let shop = shop(&format!(
        "ramp = \"10,hold=1h,100\"\nwatch = [\"errors\"]\n[checks.errors]\nkind = \"prometheus\"\nurl = \"{url}/\"\nquery = 'rate(errors{{v=\"green\"}}[1m])'\nat-most = 0.05\ninterval = \"50ms\"\n"
    ));
    let ran = execute(&shop).ends(8);
    ran.says("check errors (watch) failed: the query gave 0.2, and 0.05 is the most that may be");
    assert_eq!(count(&shop, "rolled_back"), 1);
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 4);
    assert!(
        heard[0].starts_with("POST /api/v1/query HTTP/1.1")
            && heard[0].ends_with("query=rate%28errors%7Bv%3D%22green%22%7D%5B1m%5D%29"),
        "{heard:?}"
    );
}

#[test]
fn whoever_is_called_is_waited_for() {
    let moments = [
        "before-expand",
        "after-expand",
        "before-shift",
        "after-shift",
        "before-contract",
        "after-contract",
        "on-rollback",
        "on-failure",
    ];
    let toml: String =
        moments.iter().map(|m| format!("[hooks.{m}]\nkind = \"command\"\ncommand = [\"./hook\"]\n")).collect();
    let shop = shop(&toml);
    let log = "sed 's/.*\"occasion\":\"\\([a-z-]*\\)\".*/\\1/' >> calls";
    script(&shop, "hook", log);
    execute(&shop).ends(0).says("Hook      before-contract: ok");
    let calls = || std::fs::read_to_string(shop.folder.path().join("calls")).unwrap();
    assert_eq!(calls().lines().collect::<Vec<_>>(), &moments[..6]);
    // Nothing is called twice, and nothing is begun before it was called.
    assert_eq!(count(&shop, "hook_called"), 6);
}

#[test]
fn one_that_is_not_content_stops_the_release() {
    let shop = shop(
        "[hooks.before-shift]\nkind = \"command\"\ncommand = [\"./hook\"]\ntimeout = \"20s\"\n[hooks.on-failure]\nkind = \"command\"\ncommand = [\"./failed\"]\n[hooks.on-rollback]\nkind = \"command\"\ncommand = [\"./failed\"]\n",
    );
    script(&shop, "hook", "echo caches are cold >&2; exit 3");
    script(&shop, "failed", "cat >> calls");
    let ran = execute(&shop).ends(4).says("the hook before-shift failed: ").says("caches are cold");
    assert_eq!(count(&shop, "shift_started"), 0, "{ran:?}");
    let calls = || std::fs::read_to_string(shop.folder.path().join("calls")).unwrap();
    assert!(calls().contains("\"occasion\":\"on-failure\""), "{}", calls());
    // From a folder that does not say what it is, it does not go on.
    shop.run(&["resume", "--yes"]).ends(2).says("the release calls the hook before-shift, and nothing here says how");
    script(&shop, "hook", "exit 0");
    run(&shop, &["resume", "--yes"]).ends(0).says("is complete");
}

#[test]
fn a_rollback_calls_its_hook() {
    let shop = shop("ramp = \"10,approve=a,100\"\n[hooks.on-rollback]\nkind = \"command\"\ncommand = [\"./back\"]\n");
    script(&shop, "back", "cat > back.json; exit 1");
    execute(&shop).ends(0);
    run(&shop, &["rollback", "--yes"]).ends(0).says("Warning   the hook on-rollback failed");
    assert!(shop.folder.path().join("back.json").exists());
}

#[test]
fn news_reach_those_who_want_them() {
    let (url, heard) = server(&[(200, "ok"), (500, "no")]);
    let (chat, said) = server(&[(200, "ok")]);
    let shop = shop(&format!(
        "[notify.log]\nkind = \"webhook\"\nurl = \"{url}/log\"\non = [\"started\", \"shifted\"]\n[notify.team]\nkind = \"slack\"\nurl = {{ env = \"SECRET_URL\" }}\n"
    ));
    std::fs::write(shop.folder.path().join("secret-url"), format!("{chat}/T0/secret")).unwrap();
    let ran =
        execute(&shop).ends(0).says("Warning   log was not told that the release is shifted: it answered 500: no");
    let heard = heard.lock().unwrap();
    assert!(heard[0].starts_with("POST /log ") && heard[0].contains("\"occasion\":\"started\""), "{heard:?}");
    assert!(heard[1].contains("\"text\":\"green has 100 % of the traffic\""), "{heard:?}");
    let said = said.lock().unwrap();
    let texts: Vec<&str> = said.iter().filter_map(|one| one.split("\"text\":\"").nth(1)).collect();
    assert_eq!(texts.len(), 2, "{said:?}");
    assert!(texts[0].contains(": it has begun") && texts[1].contains(": it is complete"), "{texts:?}");
    // What is secret is nowhere.
    let plan = std::fs::read_to_string(shop.folder.path().join("release.plan")).unwrap();
    let journal = shop.rows("SELECT string_agg(detail::text, ' ') FROM cutover.journal").concat();
    for text in [plan, journal, ran.out, ran.err] {
        assert!(!text.contains("T0/secret"), "{text}");
    }
}

/// A listener that is not there keeps nobody from releasing.
#[test]
fn news_that_nobody_takes_are_a_warning() {
    let shop = shop("[notify.team]\nkind = \"slack\"\nurl = { env = \"SECRET_URL\" }\non = [\"done\"]\n");
    std::fs::write(shop.folder.path().join("secret-url"), "http://127.0.0.1:1/hidden").unwrap();
    let ran = execute(&shop).ends(0).says("Warning   team was not told that the release is done");
    assert!(!ran.err.contains("hidden"), "{ran:?}");
}

#[test]
fn a_program_says_where_to() {
    let (url, heard) = server(&[(200, "ok")]);
    let shop = shop("[notify.team]\nkind = \"slack\"\nurl = { command = [\"./where\"] }\non = [\"done\"]\n");
    script(&shop, "where", &format!("echo {url}/hidden"));
    let ran = execute(&shop).ends(0);
    assert!(heard.lock().unwrap()[0].contains("it is complete"), "{ran:?}");
    let stored = shop.rows("SELECT detail::text FROM cutover.journal");
    assert!(!format!("{stored:?}{ran:?}").contains("hidden"));
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let check = |toml: &str, expected: &str| {
        let text = format!("[release]\n{toml}\n");
        let error = cutover::config::parse("cutover.toml".into(), &text).unwrap_err();
        assert_eq!(error.to_string(), format!("cutover.toml:{expected}"));
    };
    check("smoke = [\"a\"]", "2:10: there is no section [checks.a]");
    check("ramp = \"10,check=a,100\"", "2:8: ramp: there is no section [checks.a]");
    let kinds: Vec<&str> = cutover::checks::KINDS.iter().map(|kind| kind.name).collect();
    let no_kind = format!("2:9: check a: there is no kind \"pager\"; there are {}", kinds.join(", "));
    check("[checks.a]\nkind = \"pager\"", &no_kind);
    check(
        "[checks.a]\nkind = \"http\"\nurl = \"green:80\"",
        "2:9: check a: `url` is no URL with http: or https: \"green:80\"",
    );
    check(
        "[checks.a]\nkind = \"prometheus\"\nurl = \"http://p\"\nquery = \"up\"",
        "2:9: check a: `at-least`, `at-most` or both say what the values may be",
    );
    check(
        "[checks.a]\nkind = \"http\"\nurl = \"http://g\"\nheaders = { Authorization = \"Bearer x\" }",
        "2:9: check a: `Authorization` is a secret, and a plan would hold it: name where it is, { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", …] }",
    );
    check(
        "[hooks.before-lunch]\nkind = \"command\"\ncommand = [\"x\"]",
        "2:8: there is no hook \"before-lunch\"; there are before-expand, after-expand, before-shift, after-shift, before-contract, after-contract, on-rollback, on-failure",
    );
    check(
        "[notify.team]\nkind = \"slack\"\nurl = \"https://hooks\"",
        "2:9: notify team: `url` is a secret, and a plan would hold it: name where it is, { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"PROGRAM\", …] }",
    );
}

/// Killed while somebody is called, it calls them again.
#[test]
fn a_call_that_was_cut_short_is_made_again() {
    let shop = shop("[hooks.before-shift]\nkind = \"command\"\ncommand = [\"./hook\"]\n");
    script(&shop, "hook", "echo >> calls; test -e let-go || sleep 600");
    let mut command = shop.cutover(&["execute", "release.plan", "--yes"]);
    let mut child = command.current_dir(shop.folder.path()).spawn().unwrap();
    until("it is called", || shop.folder.path().join("calls").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::write(shop.folder.path().join("let-go"), "").unwrap();
    run(&shop, &["resume", "--yes", "--takeover-timeout", "30s"]).ends(0).says("is complete");
    assert_eq!(std::fs::read_to_string(shop.folder.path().join("calls")).unwrap().lines().count(), 2);
}
