//! Two versions of an application, served by this process.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::Duration;

use crate::execute::support::Shop;

/// What a version does for a request; nothing if that fails.
type Work = dyn Fn() -> Option<()> + Send + Sync;

/// A version of an application: answers every request with its name. One for `/slow` waits until it is let go.
pub(super) struct App {
    pub(super) address: SocketAddr,
    pub(super) let_go: Arc<AtomicBool>,
    gone: Arc<AtomicBool>,
    /// It answers no request any more.
    pub(super) hangs: Arc<AtomicBool>,
    /// Its requests fail.
    pub(super) fails: Arc<AtomicBool>,
    /// Its connections with nothing to do.
    idle: Option<Arc<Mutex<Vec<postgres::Client>>>>,
    name: &'static str,
    work: Arc<Work>,
    /// How many slow requests it has begun.
    pub(super) serves: Arc<AtomicU32>,
}

impl App {
    pub(super) fn start(name: &'static str) -> Self {
        Self::that_works(name, Arc::new(|| Some(())))
    }

    /// One whose requests are work.
    pub(super) fn that_works(name: &'static str, work: Arc<Work>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let flag = || Arc::new(AtomicBool::new(false));
        let app = Self {
            address: listener.local_addr().unwrap(),
            let_go: flag(),
            gone: flag(),
            hangs: flag(),
            fails: flag(),
            idle: None,
            name,
            work,
            serves: Arc::default(),
        };
        app.serve(listener);
        app
    }

    /// Another process of the same version, in the place of one that died.
    pub(super) fn revives(&self) {
        self.gone.store(false, Ordering::SeqCst);
        self.serve(TcpListener::bind(self.address).unwrap());
    }

    fn serve(&self, listener: TcpListener) {
        let (may, over) = (Arc::clone(&self.let_go), Arc::clone(&self.gone));
        let (hangs, fails) = (Arc::clone(&self.hangs), Arc::clone(&self.fails));
        let (name, work, serves) = (self.name, Arc::clone(&self.work), Arc::clone(&self.serves));
        spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let breaks = fails.load(Ordering::SeqCst);
                let (may, hangs, work, serves) =
                    (Arc::clone(&may), Arc::clone(&hangs), Arc::clone(&work), Arc::clone(&serves));
                let client = client.unwrap();
                spawn(move || answer(client, name, &may, &hangs, &serves, breaks, work.as_ref()));
            }
        });
    }

    fn with(mut self, idle: Arc<Mutex<Vec<postgres::Client>>>) -> Self {
        self.idle = Some(idle);
        self
    }

    /// Nobody listens there any more.
    pub(super) fn dies(&self) {
        self.gone.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl App {
    /// It answers as ever, and closes its sessions with the database: what it did for blue is over.
    pub(super) fn ends(&self) {
        if let Some(idle) = &self.idle {
            idle.lock().unwrap().clear();
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.let_go.store(true, Ordering::SeqCst);
        self.hangs.store(false, Ordering::SeqCst);
        self.dies();
    }
}

fn answer(
    mut client: TcpStream,
    name: &str,
    may: &AtomicBool,
    hangs: &AtomicBool,
    serves: &AtomicU32,
    breaks: bool,
    work: &Work,
) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    if head.starts_with(b"GET /slow") {
        serves.fetch_add(1, Ordering::SeqCst);
    }
    while (head.starts_with(b"GET /slow") && !may.load(Ordering::SeqCst)) || hangs.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let is_probe = head.starts_with(b"GET /health");
    let works = is_probe || (!breaks && work().is_some());
    let status = if works { "200 OK" } else { "500 Internal Server Error" };
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{name}", name.len());
    let _ = client.write_all(text.as_bytes());
}

/// What blue and green of `02-rename-column` do with the database: each writes and reads with queries of its own.
pub(super) fn accounts(shop: &Shop, name: &'static str, column: &'static str) -> App {
    let idle: Arc<Mutex<Vec<postgres::Client>>> = Arc::default();
    let mine = Arc::clone(&idle);
    let connect = {
        let shop = shop.address();
        move || {
            let mut client = shop.connect();
            client.batch_execute(&format!("SET application_name = 'app-{name}'")).unwrap();
            client
        }
    };
    let create = format!("INSERT INTO accounts (email, {column}) VALUES (gen_random_uuid()::text, $1) RETURNING id");
    let read = format!("SELECT id, email, {column} FROM accounts WHERE id = $1");
    let app = App::that_works(
        name,
        Arc::new(move || {
            let taken = mine.lock().unwrap().pop();
            let mut client = taken.unwrap_or_else(&connect);
            let id: i64 = client.query_one(&create, &[&"Ada"]).ok()?.get(0);
            let found: Option<String> = client.query_one(&read, &[&id]).ok()?.get(2);
            mine.lock().unwrap().push(client);
            (found.as_deref() == Some("Ada")).then_some(())
        }),
    );
    app.with(idle)
}
