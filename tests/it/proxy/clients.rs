//! Somebody who asks all the time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use crate::execute::support::until;

/// Who answered; nobody if it failed.
pub(super) fn get(port: u16, path: &str) -> Option<String> {
    ask(port, path).ok()
}

/// The same, or why it failed.
fn ask(port: u16, path: &str) -> Result<String, String> {
    let failed = |what: &'static str| move |error: std::io::Error| format!("{what}: {error}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(failed("connecting"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed("asking"))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed("reading"))?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(format!("answered {answer:?}")),
    }
}

/// Clients at full speed.
pub(super) struct Clients {
    over: Arc<AtomicBool>,
    counts: Arc<Counts>,
    threads: Vec<JoinHandle<()>>,
}

/// What clients try once more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Patience {
    /// Nothing.
    None,
    /// A request whose connection was closed before a byte of the answer came, as browsers and libraries do.
    Resets,
}

/// Whether not a byte of an answer came.
fn is_reset(why: &str) -> bool {
    why == "answered \"\"" || why.contains("os error 104")
}

#[derive(Default)]
struct Counts {
    blue: AtomicU64,
    green: AtomicU64,
    failed: AtomicU64,
    resets: AtomicU64,
    /// What was wrong with those that failed.
    why: Mutex<Vec<String>>,
    /// Since the last look, in microseconds.
    times: Mutex<Vec<u64>>,
}

impl Clients {
    pub(super) fn start(port: u16) -> Self {
        Self::several(port, 1, Patience::None)
    }

    /// So many at once.
    pub(super) fn several(port: u16, how_many: usize, patience: Patience) -> Self {
        let (over, counts) = (Arc::new(AtomicBool::new(false)), Arc::new(Counts::default()));
        let one = |_| {
            let (until, count) = (Arc::clone(&over), Arc::clone(&counts));
            spawn(move || {
                while !until.load(Ordering::SeqCst) {
                    let begun = Instant::now();
                    let mut asked = ask(port, "/");
                    if patience == Patience::Resets && asked.as_ref().is_err_and(|why| is_reset(why)) {
                        count.resets.fetch_add(1, Ordering::SeqCst);
                        asked = ask(port, "/");
                    }
                    let who = match asked.as_deref() {
                        Ok("blue") => &count.blue,
                        Ok("green") => &count.green,
                        other => {
                            count.why.lock().unwrap().push(format!("{other:?}"));
                            &count.failed
                        }
                    };
                    who.fetch_add(1, Ordering::SeqCst);
                    count.times.lock().unwrap().push(u64::try_from(begun.elapsed().as_micros()).unwrap());
                }
            })
        };
        let threads = (0..how_many).map(one).collect();
        Self { over, counts, threads }
    }

    pub(super) fn now(&self) -> (u64, u64) {
        (self.counts.blue.load(Ordering::SeqCst), self.counts.green.load(Ordering::SeqCst))
    }

    /// How many were asked again.
    pub(super) fn resets(&self) -> u64 {
        self.counts.resets.load(Ordering::SeqCst)
    }

    pub(super) fn failed(&self) -> u64 {
        self.counts.failed.load(Ordering::SeqCst)
    }

    /// The 99th percentile of the times since the last look.
    pub(super) fn p99(&self) -> Duration {
        let mut times = std::mem::take(&mut *self.counts.times.lock().unwrap());
        times.sort_unstable();
        let at = times.len() * 99 / 100;
        Duration::from_micros(times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or_default())
    }

    /// Green's part of the next so many requests, in percent.
    pub(super) fn green_of(&self, requests: u64) -> f64 {
        let (blue, green) = self.now();
        until("they have asked", || self.now().0 + self.now().1 >= blue + green + requests);
        let (blue, green) = (self.now().0 - blue, self.now().1 - green);
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let share = green as f64 * 100.0 / (blue + green) as f64;
        share
    }

    /// None of their requests has failed.
    #[track_caller]
    pub(super) fn end(self) {
        let (counts, now) = (Arc::clone(&self.counts), self.now());
        let failed = self.stop();
        assert_eq!(failed, 0, "beside {now:?} that were answered: {:?}", counts.why.lock().unwrap());
    }

    /// How many have failed.
    pub(super) fn stop(self) -> u64 {
        self.over.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.counts.failed.load(Ordering::SeqCst)
    }
}
