//! HAProxy, by its runtime API: weights of servers, and the sessions that they have.
//!
//! Weights set at runtime are lost when HAProxy is reloaded or restarted; a share that is not there any more is reported then, with the time of the start. The
//! commands are those of the management guide, chapter 9.3 ("Unix Socket commands"); they answer an error as text.

use std::collections::BTreeMap;
use std::io;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::registry::BackendKind;
use super::{
    Answer, Capabilities, Context, Drain, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, Verified, weights,
};
use crate::outside::Needs;
use crate::side::Side;

pub(super) const KIND: BackendKind = BackendKind {
    name: "haproxy",
    about: "HAProxy's runtime API sets the weights of its servers",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let mut settings: Settings = traffic.read()?;
        settings.check()?;
        if settings.socket.contains('/') {
            settings.socket = traffic.path(&settings.socket).into();
        }
        Ok(Box::new(Haproxy { name: traffic.name.clone(), settings }))
    },
};

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The path of its stats socket with `level admin`, or `host:port`.
    socket: String,
    /// The backend, as HAProxy names it.
    backend: String,
    /// Blue's servers in it.
    blue: Vec<String>,
    /// Green's.
    green: Vec<String>,
}

/// HAProxy's greatest weight.
const MOST: u32 = 256;

impl Settings {
    fn check(&self) -> Result<(), String> {
        let names = [&self.backend].into_iter().chain(&self.blue).chain(&self.green);
        for name in names {
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
            if !is_name {
                return Err(format!("{name:?} is no name that HAProxy has"));
            }
        }
        if self.blue.is_empty() || self.green.is_empty() {
            return Err("`blue` and `green` name at least one server each".to_owned());
        }
        match self.blue.iter().find(|server| self.green.contains(server)) {
            Some(both) => Err(format!("server {both} is both blue's and green's")),
            None => Ok(()),
        }
    }

    fn servers(&self, side: Side) -> &[String] {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }
}

/// HAProxy as traffic backend.
#[derive(Debug)]
struct Haproxy {
    name: String,
    settings: Settings,
}

/// A row of a table, by the names of its columns.
type Row = BTreeMap<String, String>;

/// A server, as `show servers state` has it.
struct Server {
    name: String,
    weight: u64,
    /// It gets nothing: it is in maintenance or drains.
    is_out: bool,
}

/// Of `srv_admin_state`: maintenance (forced, inherited, resolution) and drain (forced, inherited). The rest says what the configuration said at the start,
/// and stays when the server is made ready.
const OUT: u64 = 0x01 | 0x02 | 0x08 | 0x10 | 0x20;

/// The algorithms whose weights can be set at runtime, in any step, and make shares.
const ALGORITHMS: [&str; 3] = ["roundrobin", "leastconn", "random"];

impl Haproxy {
    /// Sends commands and reads the answer to all of them.
    async fn ask(&self, context: &Context, op: &'static str, commands: &str) -> Result<String, TrafficError> {
        let socket = &self.settings.socket;
        let unavailable = |why: String| TrafficError::unavailable(&self.name, op, why);
        let asked = async {
            match socket.contains('/') {
                true => talk(UnixStream::connect(socket).await?, commands).await,
                false => talk(TcpStream::connect(socket).await?, commands).await,
            }
        };
        match tokio::time::timeout(context.deadline, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(unavailable(format!("{socket}: {error}"))),
            Err(_) => Err(unavailable(format!("{socket}: no answer within {:?}", context.deadline))),
        }
    }

    fn refused(&self, op: &'static str, code: TrafficErrorCode, message: String) -> TrafficError {
        TrafficError::refused(&self.name, op, code, message)
    }

    /// Commands that answer nothing when they work.
    async fn set(&self, context: &Context, op: &'static str, commands: &[String]) -> Result<(), TrafficError> {
        let answer = self.ask(context, op, &commands.join("; ")).await?;
        match answer.trim() {
            "" => Ok(()),
            // A socket without `level admin` says so.
            text if text.contains("Permission denied") => {
                Err(self.refused(op, TrafficErrorCode::Denied, format!("{text} The socket needs `level admin`")))
            }
            text => Err(self.refused(
                op,
                TrafficErrorCode::Other("refused".to_owned()),
                text.lines().collect::<Vec<_>>().join(" "),
            )),
        }
    }

    /// A table with a line of names before it.
    async fn table(
        &self,
        context: &Context,
        op: &'static str,
        command: &str,
        separator: char,
    ) -> Result<Vec<Row>, TrafficError> {
        let answer = self.ask(context, op, command).await?;
        let mut lines = answer.lines().skip_while(|line| !line.starts_with("# "));
        let Some(head) = lines.next() else {
            return Err(self.refused(
                op,
                TrafficErrorCode::NotFound,
                format!("{:?} answered {:?}", command, answer.trim()),
            ));
        };
        let names: Vec<&str> = head.trim_start_matches("# ").split(separator).collect();
        let row = |line: &str| {
            let values = line.split(separator).map(str::to_owned);
            names.iter().map(|name| (*name).to_owned()).zip(values).collect()
        };
        Ok(lines.filter(|line| !line.trim().is_empty()).map(row).collect())
    }

    /// All servers of the backend.
    async fn all(&self, context: &Context, op: &'static str) -> Result<Vec<Server>, TrafficError> {
        let command = format!("show servers state {}", self.settings.backend);
        let rows = self.table(context, op, &command, ' ').await?;
        let number = |text: Option<&String>| text.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        let server = |row: &Row| Server {
            name: row.get("srv_name").cloned().unwrap_or_default(),
            weight: number(row.get("srv_uweight")),
            is_out: number(row.get("srv_admin_state")) & OUT != 0,
        };
        Ok(rows.iter().map(server).collect())
    }

    /// The share that the weights make, if they make one.
    fn share_of(&self, all: &[Server]) -> Option<Share> {
        let of = |side| -> u64 {
            let names = self.settings.servers(side);
            let counts = |server: &&Server| !server.is_out && names.contains(&server.name);
            all.iter().filter(counts).map(|server| server.weight).sum()
        };
        weights::share(of(Side::Blue), of(Side::Green))
    }

    async fn seen(&self, context: &Context, op: &'static str) -> Result<Option<Share>, TrafficError> {
        Ok(self.share_of(&self.all(context, op).await?))
    }

    /// What `show info` says of the process.
    async fn info(&self, context: &Context, op: &'static str, name: &str) -> Result<Option<String>, TrafficError> {
        let answer = self.ask(context, op, "show info").await?;
        let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned());
        Ok(answer.lines().find_map(value))
    }

    /// The servers of the backend and itself, as `show stat` has them.
    async fn statistics(&self, context: &Context, op: &'static str) -> Result<Vec<Row>, TrafficError> {
        let mut rows = self.table(context, op, "show stat", ',').await?;
        rows.retain(|row| row.get("pxname") == Some(&self.settings.backend));
        Ok(rows)
    }

    /// The same of the servers of a side.
    async fn of_side(&self, context: &Context, op: &'static str, side: Side) -> Result<Vec<Row>, TrafficError> {
        let mut rows = self.statistics(context, op).await?;
        rows.retain(|row| row.get("svname").is_some_and(|name| self.settings.servers(side).contains(name)));
        Ok(rows)
    }

    /// Every server that is named must be there, none that is not may get traffic, and weights must be what decides.
    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let op = "preflight";
        let (all, backend) = (self.all(context, op).await?, &self.settings.backend);
        let ours = || self.settings.blue.iter().chain(&self.settings.green);
        let is_ours = |server: &Server| ours().any(|name| *name == server.name);
        if let Some(missing) = ours().find(|name| all.iter().all(|server| server.name != **name)) {
            return Err(self.refused(
                op,
                TrafficErrorCode::NotFound,
                format!("backend {backend} has no server {missing}"),
            ));
        }
        // Whether the socket may set anything at all: a weight that is there already. What comes behind it is shown to whom that is allowed.
        if let Some(first) = all.iter().find(|server| is_ours(server)) {
            let same = format!("set server {backend}/{} weight {}", first.name, first.weight);
            self.set(context, op, &[same]).await?;
        }
        let rows = self.statistics(context, op).await?;
        let row = |name: &str| rows.iter().find(|row| row.get("svname").is_some_and(|n| n == name));
        let is_backup = |name: &str| row(name).and_then(|row| row.get("bck")).is_some_and(|flag| flag == "1");
        let wrong = |what: String| Err(self.refused(op, TrafficErrorCode::Misconfigured, what));
        if let Some(backup) = ours().find(|name| is_backup(name)) {
            return wrong(format!("server {backup} is a backup, which gets traffic only when no other server works"));
        }
        let algorithm = row("BACKEND").and_then(|row| row.get("algo")).cloned().unwrap_or_default();
        if !ALGORITHMS.contains(&algorithm.as_str()) {
            let known = ALGORITHMS.join(", ");
            return wrong(format!(
                "backend {backend} balances by {algorithm:?}, whose weights make no share that can be set; use one of {known}"
            ));
        }
        let gets_some = |server: &&Server| !server.is_out && server.weight > 0 && !is_backup(&server.name);
        if let Some(stranger) = all.iter().filter(gets_some).find(|server| !is_ours(server)) {
            return wrong(format!(
                "server {} of backend {backend} gets traffic and is neither blue's nor green's",
                stranger.name
            ));
        }
        Ok(())
    }

    async fn give(&self, context: &Context, want: Share) -> Result<ShareSet, TrafficError> {
        let (op, backend) = ("set_share", &self.settings.backend);
        let all = self.all(context, op).await?;
        // One that somebody took out stays out, unless its side has none else: this took it out, or the release before.
        let serving = |side| -> Vec<&String> {
            let is_in = |name: &&String| all.iter().any(|server| server.name == **name && !server.is_out);
            let serving: Vec<&String> = self.settings.servers(side).iter().filter(is_in).collect();
            if serving.is_empty() { self.settings.servers(side).iter().collect() } else { serving }
        };
        let (blue, green) = (serving(Side::Blue), serving(Side::Green));
        let Some((blue_weight, green_weight)) = weights::of_servers(want, blue.len(), green.len(), MOST) else {
            return Err(self.refused(op, TrafficErrorCode::Grid, weights::none_make(want, MOST)));
        };
        let commands = |servers: &[&String], weight: u32| -> Vec<String> {
            let of = |server: &&String| {
                let is_out = all.iter().any(|s| s.name == **server && s.is_out);
                let ready = (weight > 0 && is_out).then(|| format!("set server {backend}/{server} state ready"));
                ready.into_iter().chain([format!("set server {backend}/{server} weight {weight}")])
            };
            servers.iter().flat_map(of).collect()
        };
        let (blue, green) = (commands(&blue, blue_weight), commands(&green, green_weight));
        // Whoever gets more comes first, and has it before the other gets less: somebody has all of the traffic at any time.
        let more_for_green = self.share_of(&all).is_none_or(|seen| want > seen);
        let (first, second) = if more_for_green { (green, blue) } else { (blue, green) };
        self.set(context, op, &first).await?;
        self.set(context, op, &second).await?;
        match self.seen(context, op).await? {
            Some(share) => Ok(ShareSet { share }),
            None => Err(self.refused(
                op,
                TrafficErrorCode::Other("refused".to_owned()),
                format!("no server of backend {backend} has a weight"),
            )),
        }
    }

    async fn has(&self, context: &Context, want: Share) -> Result<Verified, TrafficError> {
        let seen = self.seen(context, "verify").await?;
        if seen == Some(want) {
            return Ok(Verified::Yes);
        }
        if let Some(seconds) = self.info(context, "verify", "Uptime_sec").await? {
            let line =
                format!("HAProxy was started {seconds} s ago; a reload loses the weights that were set before it");
            context.log.line(line);
        }
        Ok(Verified::NotYet { seen })
    }

    async fn works(&self, context: &Context, side: Side) -> Result<Health, TrafficError> {
        let rows = self.of_side(context, "health", side).await?;
        let field = |row: &Row, name: &str| row.get(name).cloned().unwrap_or_default();
        let states: Vec<String> = rows.iter().map(|row| field(row, "status")).collect();
        // `UP 1/3` goes down, and is up still.
        if states.iter().any(|state| state.starts_with("UP")) {
            return Ok(Health::Healthy);
        }
        // Without checks, or taken out by hand or by this, nobody knows.
        if states.is_empty() || states.iter().any(|state| !state.starts_with("DOWN")) {
            return Ok(Health::Unknown);
        }
        let why = rows.iter().map(|row| format!("{} is down ({})", field(row, "svname"), field(row, "check_status")));
        Ok(Health::Unhealthy { why: why.collect::<Vec<_>>().join(", ") })
    }

    /// A server without weight still gets whom a cookie or a table sends there, so one without sessions is taken out before it counts as drained.
    async fn is_drained(&self, context: &Context, side: Side) -> Result<Drain, TrafficError> {
        let op = "drain";
        let none = Share::without(side);
        if self.seen(context, op).await? != Some(none) {
            return Ok(Drain::Active { count: None });
        }
        for is_out in [false, true] {
            let mut sessions = 0;
            for row in self.of_side(context, op, side).await? {
                sessions += row.get("scur").and_then(|count| count.parse::<u64>().ok()).unwrap_or_default();
            }
            if sessions > 0 {
                return Ok(Drain::Active { count: Some(sessions) });
            }
            if !is_out {
                let backend = &self.settings.backend;
                let out = |server: &String| format!("set server {backend}/{server} state maint");
                self.set(context, op, &self.settings.servers(side).iter().map(out).collect::<Vec<_>>()).await?;
            }
        }
        let pid = self.info(context, op, "Pid").await?.unwrap_or_else(|| "unknown".to_owned());
        let servers = self.settings.servers(side).join(", ");
        let evidence = format!("HAProxy (process {pid}) has no session with {servers}, and gives them none any more");
        Ok(Drain::Drained { evidence })
    }
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, commands: &str) -> io::Result<String> {
    stream.write_all(format!("{commands}\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

impl TrafficBackend for Haproxy {
    fn name(&self) -> &str {
        &self.name
    }

    fn refuses(&self, share: Share) -> Option<String> {
        let (blue, green) = (self.settings.blue.len(), self.settings.green.len());
        weights::of_servers(share, blue, green, MOST).is_none().then(|| weights::none_make(share, MOST))
    }

    fn capabilities<'a>(&'a self, _: &'a Context) -> Answer<'a, Capabilities> {
        let (socket, backend) = (&self.settings.socket, &self.settings.backend);
        Box::pin(async move { Ok(Capabilities::seeing(Kind::Weighted, true).moving(socket, backend)) })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.look(context))
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async move { Ok(ShareSeen { share: self.seen(context, "observe").await? }) })
    }

    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(self.give(context, want))
    }

    fn verify<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, Verified> {
        Box::pin(self.has(context, want))
    }

    fn health<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Health> {
        Box::pin(self.works(context, side))
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(self.is_drained(context, side))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let check = |blue: &[&str], green: &[&str], expected: &str| {
            let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let settings = Settings { socket: "s".into(), backend: "app".into(), blue: own(blue), green: own(green) };
            assert_eq!(settings.check().unwrap_err(), expected);
        };
        check(&["a"], &[], "`blue` and `green` name at least one server each");
        check(&["a"], &["b", "a"], "server a is both blue's and green's");
        check(&["a; disable server app/b"], &["b"], "\"a; disable server app/b\" is no name that HAProxy has");
    }
}
