//! `cutover serve`: what engines are told over HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::execute::support::{Ran, Shop, until};

const TOKEN: &str = "a token that nobody guesses";

/// A server of a shop; it ends with this.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer: its status, its headers and its body.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    #[track_caller]
    fn is(self, status: u16, says: &str) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.body.contains(says), "{self:?}");
        self
    }
}

impl Server {
    fn of(shop: &Shop, token: Option<&str>) -> Self {
        let mut command = shop.cutover(&["serve", "--listen", "127.0.0.1:0"]);
        if let Some(token) = token {
            command.env("CUTOVER_SERVE_TOKEN", token);
        }
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Listening on http://").unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, address }
    }

    /// Sends bytes and reads what comes until the connection is closed.
    fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // It may have answered before it has read everything.
        let _ = stream.write_all(bytes);
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: gates\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat())
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", b"")
    }

    fn flagger(&self, hook: &str, metadata: &str) -> Answer {
        let body =
            format!(r#"{{"name": "shop", "namespace": "prod", "phase": "Progressing", "metadata": {{{metadata}}}}}"#);
        self.ask("POST", &format!("/flagger/{hook}"), "Content-Type: application/json\r\n", body.as_bytes())
    }
}

fn release(shop: &Shop) -> String {
    shop.rows("SELECT id FROM cutover.release")[0].clone()
}

#[test]
fn a_release_opens_its_gates() {
    let shop = Shop::new();
    let server = Server::of(&shop, None);
    server.get("/healthz").is(200, "ok");
    let not_yet = server.get("/gates/expanded").is(503, r#""answer":"not-yet""#);
    assert!(not_yet.head.contains("retry-after: 5"), "{not_yet:?}");
    server.flagger("confirm-rollout", "").is(503, "no release was begun");
    server.get("/metrics").is(200, "cutover_database_up 1");
    let path = shop.save(&shop.plan());
    shop.run(&["execute", &path, "--yes"]).ends(0).says("waits for you");
    let id = release(&shop);
    server.get("/gates/expanded").is(200, r#""answer":"open""#);
    server.ask("POST", &format!("/gates/expanded?release={id}"), "", b"").is(200, &id);
    server.get("/gates/done").is(503, "has not come to done");
    server.get("/gates/lunch").is(403, "has no gate lunch");
    server.get("/gates/expanded?release=0123456789ab").is(503, "was not begun");
    server.get("/measurements/gates/done").is(200, r#""open":false"#);
    server.get("/measurements/gates/expanded").is(200, r#""open":true"#);
    server.flagger("confirm-rollout", "").is(200, "open");
    server.flagger("confirm-promotion", r#""gate": "drained""#).is(503, "has not come to drained");
    server.flagger("rollback", &format!(r#""release": "{id}""#)).is(403, "open");
    server.flagger("event", "").is(200, "noted");
    let figures = server.get("/metrics").is(200, "cutover_release_over 0").body;
    assert!(
        figures.contains(&format!("cutover_release_info{{release=\"{id}\",stage=\"awaiting-approval\"}} 1")),
        "{figures}"
    );
    assert!(figures.contains("cutover_requests_total{path=\"/gates/{gate}\",status=\"403\"} 1"), "{figures}");
    let rows = shop.journal().len();
    shop.run(&["rollback", "--yes"]).ends(0);
    server.flagger("rollback", &format!(r#""release": "{id}""#)).is(200, "went back to blue");
    server.get(&format!("/gates/expanded?release={id}")).is(403, "went back to blue");
    // Nothing that was asked has written anything.
    assert_eq!(shop.journal().len(), rows + 2);
}

#[test]
fn versions_are_let_in() {
    let shop = Shop::new();
    let server = Server::of(&shop, None);
    server.get("/ready").is(400, "`version` is missing");
    let path = shop.save(&shop.plan());
    server.get("/ready?version=4").is(503, "does not have 4");
    shop.run(&["execute", &path, "--yes"]).ends(0);
    for version in ["1", "2", "3", "4", "77"] {
        let answer = server.get(&format!("/ready?version={version}"));
        let said = shop.run(&["ready", "--version", version, "--format", "json"]);
        let code = match answer.status {
            200 => 0,
            403 => 1,
            _ => 75,
        };
        assert_eq!((Some(code), &answer.body), (said.code, &said.out), "{version}");
    }
}

#[test]
fn only_who_has_the_token_is_answered() {
    let shop = Shop::new();
    let server = Server::of(&shop, Some(TOKEN));
    let with = |token: &str| server.ask("GET", "/gates/expanded", &format!("Authorization: Bearer {token}\r\n"), b"");
    server.get("/healthz").is(200, "ok");
    for path in ["/gates/expanded", "/metrics", "/ready?version=1", "/measurements/gates/x"] {
        let refused = server.get(path).is(401, "the token is missing or another one");
        assert!(refused.head.contains("www-authenticate: bearer"), "{refused:?}");
    }
    server.flagger("confirm-rollout", "").is(401, "token");
    with("another").is(401, "token");
    with(&TOKEN[1..]).is(401, "token");
    with(&format!("{TOKEN}x")).is(401, "token");
    with("").is(401, "token");
    with(TOKEN).is(503, "not-yet");
    let scheme =
        |scheme: &str, path: &str| server.ask("POST", path, &format!("Authorization: {scheme} {TOKEN}\r\n"), b"{}");
    scheme("bearer", "/gates/expanded").is(503, "not-yet");
    scheme("Bearer", "/flagger/confirm-rollout").is(503, "not-yet");
    scheme("Basic", "/gates/expanded").is(401, "token");
    scheme("", "/gates/expanded").is(401, "token");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let shop = Shop::new();
    let server = Server::of(&shop, None);
    let post = |path: &str, body: &[u8]| server.ask("POST", path, "", body);
    server.get("/lunch").is(404, "there is no such path");
    server.get("/flagger/confirm-rollout").is(405, "");
    server.get("/gates/expanded?relase=1").is(400, "unknown field `relase`");
    server.flagger("confirm-lunch", "").is(404, "Flagger has no webhook confirm-lunch");
    server.flagger("rollback", "").is(400, "`metadata.release` is missing");
    for body in ["", "{", "[]", "\u{0}", r#"{"metadata": {"release": 1}}"#] {
        post("/flagger/confirm-rollout", body.as_bytes()).is(400, "no payload of Flagger");
    }
    post("/flagger/confirm-rollout", "[".repeat(60_000).as_bytes()).is(400, "no payload of Flagger");
    post("/flagger/confirm-rollout", &[b' '; 70_000]).is(413, "");
    // What is no HTTP at all.
    assert!(matches!(server.send(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").status, 0 | 400));
    assert!(matches!(server.send(b"GET /healthz HTTP/1.1\r\nContent-Length: x\r\n\r\n").status, 400));
    assert!(matches!(
        server.send(&[b"GET /".as_slice(), &[b'a'; 1 << 20], b" HTTP/1.1\r\n\r\n"].concat()).status,
        0 | 400..=431
    ));
    server.get("/gates/%00").is(503, "");
    server.get("/healthz").is(200, "ok");
}

#[test]
fn a_database_that_is_away_is_never_a_yes() {
    let shop = Shop::waiting();
    let server = Server::of(&shop, None);
    server.get("/gates/expanded").is(200, "open");
    let end = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(!shop.rows(end).is_empty());
    // A session that was lost is made anew for the same question.
    server.get("/gates/expanded").is(200, "open");
    shop.lets_in(false);
    server.get("/gates/expanded").is(503, "cannot connect");
    server.flagger("confirm-rollout", "").is(503, "cannot connect");
    server.get("/metrics").is(200, "cutover_database_up 0");
    server.get("/healthz").is(200, "ok");
    shop.lets_in(true);
    server.get("/gates/expanded").is(200, "open");
}

#[test]
fn many_ask_at_once() {
    let shop = Shop::waiting();
    let server = Server::of(&shop, None);
    let (threads, each) = (8, 50);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..each {
                    server.get("/gates/expanded").is(200, "open");
                }
            });
        }
    });
    let sessions =
        "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(shop.rows(sessions), ["1"]);
    let counted = format!("cutover_requests_total{{path=\"/gates/{{gate}}\",status=\"200\"}} {}", threads * each);
    server.get("/metrics").is(200, &counted);
}

/// Whoever sends half a request does not keep others from an answer, and is left.
#[test]
fn half_a_request_holds_nobody_up() {
    let shop = Shop::waiting();
    let server = Server::of(&shop, None);
    let halves: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            stream.write_all(b"GET /gates/expanded HTTP/1.1\r\nHost:").unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            stream
        })
        .collect();
    server.get("/gates/expanded").is(200, "open");
    for mut half in halves {
        // Closed, with an answer or without: not a time that is up here.
        let mut text = Vec::new();
        half.read_to_end(&mut text).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("200 OK"));
    }
}

#[test]
fn it_stops_when_it_is_told() {
    let shop = Shop::new();
    let mut server = Server::of(&shop, None);
    server.get("/healthz").is(200, "ok");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(server.child.id().cast_signed()),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    let mut code = None;
    until("it has stopped", || {
        code = server.child.try_wait().unwrap();
        code.is_some()
    });
    assert_eq!(code.and_then(|code| code.code()), Some(0));
}

#[test]
fn it_is_not_open_to_others_without_a_token() {
    let shop = Shop::new();
    let run = |token: &str, listen: &str| {
        let mut command = shop.cutover(&["serve", "--listen", listen]);
        Ran::from(command.env("CUTOVER_SERVE_TOKEN", token).output().unwrap())
    };
    shop.run(&["serve", "--listen", "0.0.0.0:0"]).ends(2).says("is open to others, and there is no token");
    run("short", "127.0.0.1:0").ends(2).says("is soon guessed");
    shop.run(&["serve", "--listen", "lunch"]).ends(2);
    shop.run(&["serve", "--token-file", "/nowhere"]).ends(2).says("/nowhere");
}
