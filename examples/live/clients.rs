//! Clients that ask through the proxy all the time, and count who answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const CLIENTS: usize = 4;
/// What a client waits between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(10);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What has become of their requests so far.
#[derive(Default)]
pub(crate) struct Counts {
    blue: AtomicU64,
    green: AtomicU64,
    failed: AtomicU64,
    /// What was wrong with the first one that failed.
    why: OnceLock<String>,
}

/// The same at one moment, or between two.
#[derive(Default, Clone, Copy)]
pub(crate) struct Sum {
    pub(crate) blue: u64,
    pub(crate) green: u64,
    pub(crate) failed: u64,
}

/// Starts clients of the proxy at this port. They go on until the program ends.
pub(crate) fn start(port: u16) -> Arc<Counts> {
    let counts = Arc::new(Counts::default());
    for _ in 0..CLIENTS {
        let counts = Arc::clone(&counts);
        tokio::spawn(async move {
            loop {
                let answer = tokio::time::timeout(PATIENCE, get(port)).await;
                counts.add(answer.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}"))));
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    counts
}

/// Who answers a request, or what is wrong.
pub(crate) async fn get(port: u16) -> Result<String, String> {
    let mut answer = String::new();
    let asked = async {
        let mut proxy = TcpStream::connect(("127.0.0.1", port)).await?;
        proxy.write_all(b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n").await?;
        proxy.read_to_string(&mut answer).await
    };
    asked.await.map_err(|error| error.to_string())?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        _ => Err(format!("the answer was {answer:?}")),
    }
}

impl Counts {
    fn add(&self, answer: Result<String, String>) {
        let count = match answer {
            Ok(name) if name == "blue" => &self.blue,
            Ok(name) if name == "green" => &self.green,
            Ok(other) | Err(other) => {
                self.why.get_or_init(|| other);
                &self.failed
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Sum {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Sum { blue: read(&self.blue), green: read(&self.green), failed: read(&self.failed) }
    }

    pub(crate) fn first_failure(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }
}

impl Sum {
    pub(crate) fn since(self, before: Self) -> Self {
        Self { blue: self.blue - before.blue, green: self.green - before.green, failed: self.failed - before.failed }
    }

    /// Green's share of what was answered, in percent.
    pub(crate) fn green_share(self) -> u64 {
        let all = self.blue + self.green;
        (self.green * 100 + all / 2).checked_div(all).unwrap_or_default()
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { blue, green, failed } = self;
        write!(f, "{blue} answered by blue, {green} by green, {failed} failed")
    }
}
