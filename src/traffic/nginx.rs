//! nginx, by a file that its configuration includes: which part of the requests goes to which upstream (`split_clients`), and a reload.
//!
//! nginx has no API, so the file also says what it sets in a variable that a location of yours gives back: what a worker answers there is what it
//! works with. A configuration that `nginx -t` refuses is taken back before it is loaded.

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::Deserialize;

use super::admin::{Admin, is_name};
use super::registry::BackendKind;
use super::{
    Answer, Capabilities, Context, Drain, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, weights, written,
};
use crate::outside::replace::replace;
use crate::outside::{Needs, Program, program};
use crate::side::Side;

pub(super) const KIND: BackendKind = BackendKind {
    name: "nginx",
    about: "an included file with `split_clients` for nginx, and a reload",
    needs: Needs::ThisMachine,
    settings: Settings::json_schema,
    open: |traffic, surroundings| {
        let settings: Settings = traffic.read()?;
        settings.check()?;
        Ok(Box::new(Nginx {
            name: traffic.name.clone(),
            admin: Admin::new(&traffic.name, "shares-url", &settings.shares_url)?,
            file: traffic.file(&settings.file),
            pid_file: settings.pid_file.as_ref().map(|file| traffic.file(file)),
            test: surroundings.program(|path| traffic.path(path), "test", &settings.test)?,
            reload: surroundings.program(|path| traffic.path(path), "reload", &settings.reload)?,
            settings,
        }))
    },
};

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The file that this writes, included in the `http` block.
    file: String,
    /// The variable that names the upstream, without `$`; the one with `_shares` behind it is what is set.
    variable: String,
    /// What decides where a request goes: the same value goes to the same side.
    #[serde(default = "each_request")]
    key: String,
    /// The address of a location that gives the shares back: `return 200 $VARIABLE_shares`.
    shares_url: String,
    /// The upstream of blue.
    blue: String,
    /// That of green.
    green: String,
    /// Checks the configuration.
    #[serde(default = "usual_test")]
    test: Vec<String>,
    /// Loads it.
    #[serde(default = "usual_reload")]
    reload: Vec<String>,
    /// nginx's `pid` file: the workers of before, which finish what they have, are known by it. It must be on this machine.
    pid_file: Option<String>,
}

fn each_request() -> String {
    "$request_id".to_owned()
}

fn usual_test() -> Vec<String> {
    ["nginx", "-t"].map(str::to_owned).to_vec()
}

fn usual_reload() -> Vec<String> {
    ["nginx", "-s", "reload"].map(str::to_owned).to_vec()
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        let is_variable = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.variable.is_empty() || !self.variable.chars().all(is_variable) {
            return Err(format!("`variable` {:?} has other characters than letters, digits and `_`", self.variable));
        }
        if self.key.is_empty() || self.key.contains(['"', '\\', '\n', '\r', ';']) {
            return Err(format!("`key` {:?} has characters that are not written into a configuration", self.key));
        }
        for name in [&self.blue, &self.green] {
            if !is_name(name) {
                return Err(format!("{name:?} is no name of an upstream"));
            }
        }
        if self.blue == self.green { Err("`blue` and `green` are two upstreams".to_owned()) } else { Ok(()) }
    }

    /// What the location gives back.
    fn shares(&self, share: Share) -> String {
        let points = share.as_basis_points();
        format!("{}={} {}={points}", self.blue, Share::ALL.as_basis_points() - points, self.green)
    }

    /// The share that such a text says.
    fn share_of(&self, shares: &str) -> Option<Share> {
        let of = |name: &str| -> Option<u64> {
            shares
                .split_whitespace()
                .find_map(|one| one.split_once('=').filter(|(known, _)| *known == name))?
                .1
                .parse()
                .ok()
        };
        weights::share(of(&self.blue)?, of(&self.green)?)
    }

    /// The whole file. A part of 0 % is not allowed there. `before`: the workers that are there when it is written, which do not have it.
    fn text(&self, share: Share, before: &[Worker]) -> String {
        let Self { variable, key, blue, green, .. } = self;
        let points = share.as_basis_points();
        let split = match share {
            Share::NONE => format!("    * {blue};\n"),
            Share::ALL => format!("    * {green};\n"),
            _ => format!("    {}.{:02}% {green};\n    * {blue};\n", points / 100, points % 100),
        };
        let shares = self.shares(share);
        let before: String = before.iter().map(|worker| format!(" {worker}")).collect();
        format!(
            "{}\n{WORKERS}{before}\nsplit_clients \"{key}\" ${variable} {{\n{split}}}\nmap $pid ${variable}_shares {{\n    default \"{shares}\";\n}}\n",
            written::FIRST_LINE
        )
    }
}

/// The line with the workers that were there when the file was written.
const WORKERS: &str = "# Workers before:";

/// A process of nginx's, which no later one is taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Worker {
    pid: u32,
    /// When it was started, in ticks since the machine was.
    started: u64,
}

impl std::fmt::Display for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.pid, self.started)
    }
}

impl std::str::FromStr for Worker {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (pid, started) = text.split_once('@').ok_or(())?;
        Ok(Self { pid: pid.parse().map_err(drop)?, started: started.parse().map_err(drop)? })
    }
}

/// How often, over a connection of its own each time, what the workers say is asked for: while they are exchanged they differ.
const ASKS: usize = 5;

/// nginx as traffic backend.
#[derive(Debug)]
struct Nginx {
    name: String,
    admin: Admin,
    file: Utf8PathBuf,
    pid_file: Option<Utf8PathBuf>,
    test: Program,
    reload: Program,
    settings: Settings,
}

impl Nginx {
    fn refused<T>(
        &self,
        op: &'static str,
        code: TrafficErrorCode,
        message: impl Into<String>,
    ) -> Result<T, TrafficError> {
        Err(TrafficError::refused(&self.name, op, code, message))
    }

    /// Runs a program; an error is what it said.
    async fn run(&self, context: &Context, program: &Program) -> Result<(), String> {
        let (said, mut lines) = super::Log::channel();
        let ran = program::run(program, b"", context.deadline, |line| said.line(line)).await;
        let ended = ran.map_err(|error| format!("{}: {error}", program.path))?;
        if ended.status.success() {
            return Ok(());
        }
        let mut words = Vec::new();
        while let Some(line) = lines.next_now() {
            words.push(line);
        }
        Err(format!("{} ended with {}: {}", program.path, ended.status, words.join(" / ")))
    }

    /// The share that the workers work with, if they all work with the same.
    async fn seen(&self, context: &Context, op: &'static str) -> Result<Option<Share>, TrafficError> {
        let mut share = None;
        for at in 0..ASKS {
            let text = self.admin.get(context, op, "").await?.text();
            let Some(seen) = self.settings.share_of(&text) else {
                let what = format!(
                    "{} answered {text:?}, not the shares of {} and {}; is it `return 200 ${}_shares`?",
                    self.admin.url(""),
                    self.settings.blue,
                    self.settings.green,
                    self.settings.variable
                );
                return self.refused(op, TrafficErrorCode::Misconfigured, what);
            };
            if at > 0 && share != Some(seen) {
                return Ok(None);
            }
            share = Some(seen);
        }
        Ok(share)
    }

    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let op = "preflight";
        let wrong = |why| self.refused(op, TrafficErrorCode::Misconfigured, why);
        written::is_ours(&self.file, &self.settings.text(Share::NONE, &[])).or_else(wrong)?;
        if let Some(file) = &self.pid_file {
            master(file).map(|_| ()).or_else(wrong)?;
        }
        self.run(context, &self.test).await.or_else(wrong)?;
        let seen = self.seen(context, op).await?;
        let in_file = std::fs::read_to_string(&self.file).unwrap_or_default();
        if seen.is_some() && seen == self.share_in(&in_file) {
            return Ok(());
        }
        let what = format!("nginx does not work with {}: is it included, and was nginx reloaded?", self.file);
        self.refused(op, TrafficErrorCode::Misconfigured, what)
    }

    async fn give(&self, context: &Context, want: Share) -> Result<ShareSet, TrafficError> {
        let (op, file) = ("set_share", &self.file);
        let denied = |why: String| TrafficError::refused(&self.name, op, TrafficErrorCode::Denied, why);
        let before = std::fs::read_to_string(file).map_err(|error| error.to_string()).map_err(denied)?;
        let in_force = self.seen(context, op).await?;
        if in_force == Some(want) && self.share_in(&before) == Some(want) {
            return Ok(ShareSet { share: want });
        }
        let workers = self.pid_file.as_ref().map(|file| master(file).and_then(workers)).transpose().map_err(denied)?;
        let text = self.settings.text(want, &workers.unwrap_or_default());
        written::write(file, &text).map_err(denied)?;
        let loaded = match self.run(context, &self.test).await {
            Ok(()) => self.run(context, &self.reload).await.map_err(|why| (TrafficErrorCode::Denied, why)),
            Err(why) => Err((TrafficErrorCode::Misconfigured, why)),
        };
        let Err((code, why)) = loaded else { return Ok(ShareSet { share: want }) };
        // Whoever reloads nginx next must not move the traffic. A process that died in between may have left the file with what was never loaded.
        let (back, said) = match in_force.filter(|share| self.share_in(&before) != Some(*share)) {
            Some(share) => (self.settings.text(share, &[]), format!("says {share} again, which is in force")),
            None => (before, "is as it was before".to_owned()),
        };
        let back = replace(file, &back).map_or_else(|why| format!(", and {why}"), |()| format!(", and {said}"));
        self.refused(op, code, format!("{why}; {file} was not loaded{back}"))
    }

    /// The share that a file of this says.
    fn share_in(&self, text: &str) -> Option<Share> {
        let said = text.lines().find_map(|line| line.trim().strip_prefix("default \"")?.strip_suffix("\";"))?;
        self.settings.share_of(said)
    }

    /// Each reload has new workers; those of before finish what they have, and end. So once green has everything and none of those is left that were there
    /// when that was written, nobody is with blue.
    async fn is_drained(&self, context: &Context, side: Side) -> Result<Drain, TrafficError> {
        let op = "drain";
        let none = Share::without(side);
        if self.seen(context, op).await? != Some(none) {
            return Ok(Drain::Active { count: None });
        }
        let Some(pid_file) = &self.pid_file else { return Ok(Drain::Unknown) };
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let listed = text.lines().find_map(|line| line.strip_prefix(WORKERS));
        // A file of before the first share has no such list.
        let (Some(listed), true) = (listed, self.share_in(&text) == Some(none)) else { return Ok(Drain::Unknown) };
        let before: Vec<Worker> = listed.split_whitespace().filter_map(|worker| worker.parse().ok()).collect();
        let now =
            master(pid_file).and_then(workers).or_else(|why| self.refused(op, TrafficErrorCode::Misconfigured, why))?;
        let old = now.iter().filter(|worker| before.contains(worker) || is_shutting_down(worker.pid)).count();
        Ok(match u64::try_from(old).unwrap_or(u64::MAX) {
            0 => Drain::Drained { evidence: "nginx has no worker left of before green got everything".to_owned() },
            count => Drain::Active { count: Some(count) },
        })
    }
}

/// The process that the file names.
fn master(file: &Utf8PathBuf) -> Result<u32, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("`pid-file` {file} cannot be read: {error}"))?;
    let pid: u32 = text.trim().parse().map_err(|_| format!("`pid-file` {file} names no process: {text:?}"))?;
    let title = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if title.starts_with("nginx: master") {
        Ok(pid)
    } else {
        Err(format!("`pid-file` {file} names process {pid}, which is no nginx master of this machine"))
    }
}

/// Its workers.
fn workers(master: u32) -> Result<Vec<Worker>, String> {
    let path = format!("/proc/{master}/task/{master}/children");
    let children = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    // Gone since the list was made is gone.
    let worker = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything; the start is the twentieth field behind it.
        let started = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        Some(Worker { pid: pid.parse().ok()?, started })
    };
    Ok(children.split_whitespace().filter_map(worker).collect())
}

fn is_shutting_down(pid: u32) -> bool {
    let title = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    title.contains("is shutting down")
}

impl TrafficBackend for Nginx {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities<'a>(&'a self, _: &'a Context) -> Answer<'a, Capabilities> {
        let can_prove_drain = self.pid_file.is_some();
        let (at, variable) = (&self.settings.shares_url, &self.settings.variable);
        Box::pin(async move { Ok(Capabilities::seeing(Kind::Weighted, can_prove_drain).moving(at, variable)) })
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

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(self.is_drained(context, side))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_what_it_sets() {
        let settings = Settings {
            file: String::new(),
            variable: "app".into(),
            key: each_request(),
            shares_url: String::new(),
            blue: "b".into(),
            green: "g".into(),
            test: vec![],
            reload: vec![],
            pid_file: None,
        };
        let check = |percent: &str, expected: &str| {
            let share = Share::percent(percent).unwrap();
            assert!(settings.text(share, &[]).contains(expected), "{}", settings.text(share, &[]));
            assert_eq!(settings.share_of(&settings.shares(share)), Some(share));
        };
        check("0", "$app {\n    * b;\n}");
        check("0.01", "    0.01% g;\n    * b;\n");
        check("12.5", "    12.50% g;\n    * b;\n");
        check("100", "$app {\n    * g;\n}\nmap $pid $app_shares {\n    default \"b=0 g=10000\";\n}");
        assert_eq!(settings.share_of("other=1 b=2"), None);
        let worker = Worker { pid: 12, started: 3456 };
        let text = settings.text(Share::ALL, std::slice::from_ref(&worker));
        let listed = text.lines().find_map(|line| line.strip_prefix(WORKERS)).unwrap();
        assert_eq!(listed.trim().parse(), Ok(worker));
    }
}
