//! HAProxy in front of both versions.

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::clients;

/// Runs HAProxy until the pipe on standard input closes, which it does however the demonstration ends; removes the demonstration's folder then.
const SUPERVISOR: &str = r#"
"$1" -db -f "$2/haproxy.cfg" >"$2/log" 2>&1 </dev/null &
cat >/dev/null
kill "$!" 2>/dev/null
wait
rm -rf "$2"
"#;

/// An HAProxy that runs.
pub(crate) struct Proxy {
    supervisor: Child,
    /// Where clients ask.
    pub(crate) port: u16,
    /// Where its weights are set.
    pub(crate) socket: PathBuf,
}

impl Proxy {
    /// Writes its files into the folder.
    pub(crate) async fn start(
        program: &str,
        folder: &Path,
        blue: SocketAddr,
        green: SocketAddr,
    ) -> Result<Self, Box<dyn Error>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let socket = folder.join("admin.sock");
        let config = format!(
            "global
    stats socket {socket} level admin
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend web
    bind 127.0.0.1:{port}
    default_backend app
backend app
    balance roundrobin
    option httpchk GET /health
    default-server check inter 1s fall 2 rise 1
    server blue {blue} weight 1
    server green {green} weight 0
",
            socket = socket.display()
        );
        std::fs::write(folder.join("haproxy.cfg"), config)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SUPERVISOR, "sh", program]).arg(folder);
        // Ctrl-C in a terminal is for the demonstration, which then ends this.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let proxy = Self { supervisor: command.spawn()?, port, socket };
        for _ in 0..100 {
            if clients::get(port).await.is_ok() {
                return Ok(proxy);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        Err(format!("HAProxy ({program}) does not answer at 127.0.0.1:{port}. It said:\n{log}").into())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}
