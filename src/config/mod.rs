//! `cutover.toml`: raw → resolved. Paths in it start at its own folder. Unknown keys are refused with their place.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use toml::Spanned;

use crate::compat::Assume;
use crate::effect::PgVersion;
use crate::lint::settings::{FailOn, Level, Levels};
use crate::migrations::Convention;
use crate::release::time::Time;
use crate::release::{
    BlueSessions, Check, CheckLimits, Configured, Definition, Hook, HookMoment, Limits, NO_LOCK_TIMEOUT, News, Notify,
    OnFailure, Ramp,
};
use crate::stats::{Settings, Throughput, Throughputs};
use crate::workload::Location;

/// The file's name.
pub const FILE_NAME: &str = "cutover.toml";

/// What a folder's `cutover.toml` says, with paths resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The folder of migrations.
    pub migrations: Option<Utf8PathBuf>,
    /// What a release is made of.
    pub inputs: Inputs,
    /// What `lint` makes of findings.
    pub lint: LintConfig,
    /// What the team makes of the figures of production.
    pub stats: Settings,
}

/// What a release is made of, as somebody says it: in `cutover.toml`, or for this release alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// How the folder is to be read.
    pub convention: Option<Convention>,
    /// Values of `${name}` in the migrations.
    pub placeholders: BTreeMap<String, String>,
    /// The version that production is at.
    pub from: Option<String>,
    /// A dump of production's schema.
    pub base_schema: Option<Utf8PathBuf>,
    /// The table of the tool's history, with its schema where it is not found by the search path.
    pub history_table: Option<String>,
    /// Blue's queries.
    pub blue: Option<Location>,
    /// Green's queries.
    pub green: Option<Location>,
    /// Folders of blue's source, to be searched for what a release takes away.
    pub blue_source: Vec<Utf8PathBuf>,
    /// What to assume beyond the listed queries.
    pub assume: Option<Assume>,
    /// The PostgreSQL that production runs; no file says it.
    pub pg_version: Option<PgVersion>,
    /// A file of `cutover stats`.
    pub stats: Option<Utf8PathBuf>,
    /// How it is to be released.
    pub release: Definition,
}

impl Inputs {
    /// What is said here, and where nothing is, what others say.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            convention: self.convention.or(others.convention),
            placeholders: others.placeholders.into_iter().chain(self.placeholders).collect(),
            from: self.from.or(others.from),
            base_schema: self.base_schema.or(others.base_schema),
            history_table: self.history_table.or(others.history_table),
            blue: self.blue.or(others.blue),
            green: self.green.or(others.green),
            blue_source: if self.blue_source.is_empty() { others.blue_source } else { self.blue_source },
            assume: self.assume.or(others.assume),
            pg_version: self.pg_version.or(others.pg_version),
            stats: self.stats.or(others.stats),
            release: self.release.or(others.release),
        }
    }
}

/// `[lint]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LintConfig {
    /// The team's levels.
    pub levels: Levels,
    /// What ends with exit code 1.
    pub fail_on: Option<FailOn>,
    /// The baseline file.
    pub baseline: Option<Utf8PathBuf>,
}

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Reading failed; the message names the path.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// It does not parse, or has unknown keys.
    #[error("{path}:{line}:{column}: {message}")]
    Invalid {
        /// The file.
        path: Utf8PathBuf,
        /// 1-based.
        line: u32,
        /// 1-based.
        column: u32,
        /// What is wrong.
        message: String,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Raw {
    #[serde(default)]
    migrations: RawMigrations,
    #[serde(default)]
    apps: RawApps,
    #[serde(default)]
    lint: RawLint,
    #[serde(default)]
    stats: RawStats,
    #[serde(default)]
    release: RawRelease,
    #[serde(default)]
    traffic: BTreeMap<Spanned<String>, RawTraffic>,
    #[serde(default)]
    checks: BTreeMap<Spanned<String>, RawCheck>,
    #[serde(default)]
    hooks: BTreeMap<Spanned<String>, RawHook>,
    #[serde(default)]
    notify: BTreeMap<Spanned<String>, RawNotify>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawStats {
    file: Option<Utf8PathBuf>,
    max_age_days: Option<u32>,
    warning_seconds: Option<Seconds>,
    error_seconds: Option<Seconds>,
    #[serde(default)]
    throughput: RawThroughput,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawThroughput {
    scan: Option<Throughput>,
    index: Option<Throughput>,
    rewrite: Option<Throughput>,
}

/// Seconds, perhaps with a fraction, as milliseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct Seconds(u64);

impl TryFrom<f64> for Seconds {
    type Error = String;

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    fn try_from(seconds: f64) -> Result<Self, String> {
        let known = (0.0..=1e9).contains(&seconds).then(|| Self((seconds * 1_000.0).round() as u64));
        known.ok_or_else(|| format!("{seconds} is no number of seconds; write for example 0.5 or 30"))
    }
}

impl RawStats {
    fn settings(&self) -> Settings {
        let (default, speeds) = (Settings::default(), Throughputs::default());
        Settings {
            max_age_days: self.max_age_days.unwrap_or(default.max_age_days),
            warning_ms: self.warning_seconds.map_or(default.warning_ms, |s| s.0),
            error_ms: self.error_seconds.map(|s| s.0),
            throughput: Throughputs {
                scan: self.throughput.scan.unwrap_or(speeds.scan),
                index: self.throughput.index.unwrap_or(speeds.index),
                rewrite: self.throughput.rewrite.unwrap_or(speeds.rewrite),
            },
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawLint {
    fail_on: Option<FailOn>,
    baseline: Option<Utf8PathBuf>,
    #[serde(default)]
    rules: std::collections::BTreeMap<Spanned<String>, Level>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawMigrations {
    folder: Option<Utf8PathBuf>,
    convention: Option<Convention>,
    #[serde(default)]
    placeholders: BTreeMap<String, String>,
    from: Option<String>,
    base_schema: Option<Utf8PathBuf>,
    history_table: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawApps {
    assume: Option<Spanned<String>>,
    blue: Option<RawBlue>,
    green: Option<RawApp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawRelease {
    ramp: Option<Spanned<RawRamp>>,
    on_failure: Option<OnFailure>,
    traffic: Option<Spanned<String>>,
    #[serde(default)]
    smoke: Vec<Spanned<String>>,
    #[serde(default)]
    watch: Vec<Spanned<String>>,
    blue_application_name: Option<String>,
    blue_role: Option<Spanned<String>>,
    lock_timeout: Option<Spanned<Time>>,
    statement_timeout: Option<Time>,
    lock_retries: Option<u32>,
    traffic_timeout: Option<Time>,
    verify_timeout: Option<Time>,
    drain_timeout: Option<Time>,
}

impl RawRelease {
    /// How blue's sessions are known; where a second name stands, if there are two.
    fn blue(&self) -> Result<Option<BlueSessions>, usize> {
        match (&self.blue_application_name, &self.blue_role) {
            (Some(_), Some(role)) => Err(role.span().start),
            (Some(name), None) => Ok(Some(BlueSessions::ApplicationName(name.clone()))),
            (None, Some(role)) => Ok(Some(BlueSessions::Role(role.get_ref().clone()))),
            (None, None) => Ok(None),
        }
    }

    fn limits(&self) -> Limits {
        let ms = |time: Option<Time>| time.map(|Time(ms)| ms);
        Limits {
            lock_timeout_ms: self.lock_timeout.as_ref().map(|time| time.get_ref().0),
            statement_timeout_ms: ms(self.statement_timeout),
            lock_retries: self.lock_retries,
            traffic_timeout_ms: ms(self.traffic_timeout),
            verify_timeout_ms: ms(self.verify_timeout),
            drain_timeout_ms: ms(self.drain_timeout),
        }
    }
}

/// Each kind of backend knows its own settings.
#[derive(Debug, Deserialize)]
struct RawTraffic {
    kind: String,
    #[serde(flatten)]
    settings: serde_json::Map<String, serde_json::Value>,
}

/// Each kind of listener knows its own settings.
#[derive(Debug, Deserialize)]
struct RawHook {
    kind: String,
    timeout: Option<Time>,
    #[serde(flatten)]
    settings: serde_json::Map<String, serde_json::Value>,
}

/// How long a hook may take that does not say it.
const HOOK_TIMEOUT_MS: u64 = 300_000;

#[derive(Debug, Deserialize)]
struct RawNotify {
    kind: String,
    on: Option<Vec<News>>,
    #[serde(flatten)]
    settings: serde_json::Map<String, serde_json::Value>,
}

/// Each kind of check knows its own settings.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawCheck {
    kind: String,
    timeout: Option<Time>,
    interval: Option<Time>,
    failure_limit: Option<u32>,
    inconclusive_limit: Option<u32>,
    consecutive_error_limit: Option<u32>,
    #[serde(flatten)]
    settings: serde_json::Map<String, serde_json::Value>,
}

impl RawCheck {
    fn limits(&self) -> CheckLimits {
        let usual = CheckLimits::default();
        CheckLimits {
            timeout_ms: self.timeout.map_or(usual.timeout_ms, |time| time.0),
            interval_ms: self.interval.map_or(usual.interval_ms, |time| time.0),
            failure_limit: self.failure_limit.unwrap_or(usual.failure_limit),
            inconclusive_limit: self.inconclusive_limit.unwrap_or(usual.inconclusive_limit),
            consecutive_error_limit: self.consecutive_error_limit.unwrap_or(usual.consecutive_error_limit),
        }
    }
}

/// Steps in one text, as on the command line, or one a text.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a ramp is a text, such as \"10,hold=5m,100\", or a list of texts")]
enum RawRamp {
    Text(String),
    Steps(Vec<String>),
}

impl RawRamp {
    fn read(&self) -> Result<Ramp, String> {
        let ramp: Result<Ramp, _> = match self {
            Self::Text(text) => text.parse(),
            Self::Steps(steps) => steps.join(",").parse(),
        };
        ramp.map_err(|error| error.to_string())
    }
}

/// The version in production is all that a step takes something from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawBlue {
    queries: Option<Spanned<String>>,
    #[serde(default)]
    source: Vec<Utf8PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawApp {
    queries: Spanned<String>,
}

/// Reads the `cutover.toml` of a folder, if it has one.
pub fn find(folder: &Utf8Path) -> Result<Option<Config>, ConfigError> {
    let path = folder.join(FILE_NAME);
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs_err::read_to_string(&path)?;
    parse(&path, &text).map(Some)
}

/// Reads the text of a `cutover.toml` at `path`.
pub fn parse(path: &Utf8Path, text: &str) -> Result<Config, ConfigError> {
    let invalid = |start: usize, message: String| {
        let mut sources = crate::source::Sources::new();
        let file = sources.add(path, text);
        let at = sources.file(file).line_column(u32::try_from(start).unwrap_or(0));
        ConfigError::Invalid { path: path.to_owned(), line: at.line, column: at.column, message }
    };
    let raw: Raw = toml::from_str(text)
        .map_err(|error| invalid(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
    let mut levels = Levels::default();
    for (name, level) in &raw.lint.rules {
        levels.set(name.get_ref(), *level).map_err(|message| invalid(name.span().start, message))?;
    }
    let folder = path.parent().unwrap_or(Utf8Path::new(""));
    let below = |path: Utf8PathBuf| folder.join(path);
    let queries = |queries: Spanned<String>| match Location::parse(queries.get_ref()) {
        Ok(location) => Ok(location.below(folder)),
        Err(error) => Err(invalid(queries.span().start, error.to_string())),
    };
    let assume = |word: Spanned<String>| {
        word.get_ref().parse().map_err(|error| invalid(word.span().start, format!("assume: {error}")))
    };
    let ramp = |ramp: Spanned<RawRamp>| {
        ramp.get_ref().read().map_err(|error| invalid(ramp.span().start, format!("ramp: {error}")))
    };
    let two = |at| {
        invalid(at, "blue's sessions are known by `blue-application-name` or by `blue-role`, not by both".to_owned())
    };
    let (guard, limits) = (raw.release.blue().map_err(two)?, raw.release.limits());
    let configured = |name: &str, kind: String, settings| Configured {
        name: name.to_owned(),
        kind,
        folder: folder.to_owned(),
        settings,
    };
    let mut backends = BTreeMap::new();
    for (name, RawTraffic { kind, settings }) in raw.traffic {
        let at = name.span().start;
        let traffic = configured(name.get_ref(), kind, settings);
        check(&traffic).map_err(|message| invalid(at, message))?;
        backends.insert(traffic.name.clone(), traffic);
    }
    let chosen = |name: Spanned<String>| match backends.get(name.get_ref()) {
        Some(traffic) => Ok::<_, ConfigError>(traffic.clone()),
        None => {
            let traffic = Configured::named(name.get_ref());
            let unknown = |_| {
                format!("there is neither a section [traffic.{0}] nor a backend that {0} says all of", name.get_ref())
            };
            check(&traffic).map_err(unknown).map_err(|message| invalid(name.span().start, message))?;
            Ok(traffic)
        }
    };
    let some = |time: Option<Time>, what: &str| match time {
        Some(Time(0)) => Err(format!("`{what}` is 0, which is no time")),
        _ => Ok(()),
    };
    let mut checks = Vec::new();
    for (name, raw) in raw.checks {
        let (at, limits) = (name.span().start, raw.limits());
        let times = some(raw.timeout, "timeout").and(some(raw.interval, "interval"));
        times.map_err(|why| invalid(at, format!("check {}: {why}", name.get_ref())))?;
        let check = Check { configured: configured(name.get_ref(), raw.kind, raw.settings), limits };
        is_check(&check).map_err(|message| invalid(at, message))?;
        checks.push(check);
    }
    let mut hooks = Vec::new();
    for (name, raw) in raw.hooks {
        let at = name.span().start;
        let moment = HookMoment::ALL.iter().find(|(known, _)| known == name.get_ref()).map(|(_, moment)| *moment);
        let moment = moment.ok_or_else(|| {
            let known = HookMoment::ALL.map(|(known, _)| known).join(", ");
            invalid(at, format!("there is no hook {:?}; there are {known}", name.get_ref()))
        })?;
        some(raw.timeout, "timeout").map_err(|why| invalid(at, format!("hook {}: {why}", name.get_ref())))?;
        let configured = configured(name.get_ref(), raw.kind, raw.settings);
        is_listener(&configured).map_err(|why| invalid(at, format!("hook {why}")))?;
        hooks.push(Hook { moment, timeout_ms: raw.timeout.map_or(HOOK_TIMEOUT_MS, |time| time.0), configured });
    }
    let mut notify = Vec::new();
    for (name, raw) in raw.notify {
        let configured = configured(name.get_ref(), raw.kind, raw.settings);
        is_listener(&configured).map_err(|why| invalid(name.span().start, format!("notify {why}")))?;
        notify.push(Notify { on: raw.on.unwrap_or_else(|| News::USUAL.to_vec()), configured });
    }
    let known = |name: Spanned<String>| match checks.iter().any(|check| check.configured.name == *name.get_ref()) {
        true => Ok(name.into_inner()),
        false => Err(invalid(name.span().start, format!("there is no section [checks.{}]", name.get_ref()))),
    };
    let smoke = raw.release.smoke.into_iter().map(known).collect::<Result<Vec<_>, _>>()?;
    let watch = raw.release.watch.into_iter().map(known).collect::<Result<Vec<_>, _>>()?;
    let ramp_at = raw.release.ramp.as_ref().map_or(0, |ramp| ramp.span().start);
    let ramp = raw.release.ramp.map(ramp).transpose()?;
    let is_there = |name: &&str| checks.iter().any(|check| check.configured.name == *name);
    if let Some(name) = ramp.iter().flat_map(Ramp::checks).find(|name| !is_there(name)) {
        return Err(invalid(ramp_at, format!("ramp: there is no section [checks.{name}]")));
    }
    if let Some(time) = raw.release.lock_timeout.as_ref().filter(|time| time.get_ref().0 == 0) {
        return Err(invalid(time.span().start, NO_LOCK_TIMEOUT.to_owned()));
    }
    let (blue, source) = raw.apps.blue.map(|blue| (blue.queries, blue.source)).unwrap_or_default();
    Ok(Config {
        migrations: raw.migrations.folder.map(below),
        inputs: Inputs {
            convention: raw.migrations.convention,
            placeholders: raw.migrations.placeholders,
            from: raw.migrations.from,
            base_schema: raw.migrations.base_schema.map(below),
            history_table: raw.migrations.history_table,
            blue: blue.map(queries).transpose()?,
            green: raw.apps.green.map(|green| queries(green.queries)).transpose()?,
            blue_source: source.into_iter().map(below).collect(),
            assume: raw.apps.assume.map(assume).transpose()?,
            pg_version: None,
            stats: raw.stats.file.clone().map(below),
            release: Definition {
                ramp,
                on_failure: raw.release.on_failure,
                traffic: raw.release.traffic.map(chosen).transpose()?,
                blue: guard,
                limits,
                checks,
                smoke,
                watch,
                hooks,
                notify,
            },
        },
        lint: LintConfig { levels, fail_on: raw.lint.fail_on, baseline: raw.lint.baseline.map(below) },
        stats: raw.stats.settings(),
    })
}

/// Whether a backend, a check and a listener can be made of their settings.
#[cfg(feature = "live")]
mod made {
    use crate::outside::Surroundings;
    use crate::release::{Check, Configured};

    pub(super) fn check(traffic: &Configured) -> Result<(), String> {
        crate::traffic::open(traffic, &Surroundings::default()).map(|_| ()).map_err(|error| error.to_string())
    }

    pub(super) fn is_check(check: &Check) -> Result<(), String> {
        crate::checks::open(&check.configured, &Surroundings::default()).map(|_| ())
    }

    pub(super) fn is_listener(listener: &Configured) -> Result<(), String> {
        crate::tell::open(listener, &Surroundings::default()).map(|_| ())
    }
}

/// Without a live database nothing of them is used, and their settings are whoever's who does.
#[cfg(not(feature = "live"))]
#[expect(clippy::unnecessary_wraps, reason = "the same as with live features")]
mod made {
    use crate::release::{Check, Configured};

    pub(super) fn check(_: &Configured) -> Result<(), String> {
        Ok(())
    }

    pub(super) fn is_check(_: &Check) -> Result<(), String> {
        Ok(())
    }

    pub(super) fn is_listener(_: &Configured) -> Result<(), String> {
        Ok(())
    }
}

use made::{check, is_check, is_listener};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_refused_with_their_place() {
        let error = parse("a/cutover.toml".into(), "[migrations]\nfolder = \"m\"\nfrum = 3\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a/cutover.toml:3:1: unknown field `frum`, expected one of `folder`, `convention`, `placeholders`, `from`, `base-schema`, `history-table`"
        );
    }

    #[test]
    fn rules_that_are_none_are_refused_with_their_place() {
        let check = |rule: &str, expected: &str| {
            let error = parse("cutover.toml".into(), &format!("[lint.rules]\n{rule}\n")).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check(
            "table-rewrit = \"error\"",
            "cutover.toml:2:1: there is no rule `table-rewrit`; did you mean `table-rewrite`?",
        );
        check(
            "  order-conflict = \"warn\"",
            "cutover.toml:2:3: `order-conflict` is always an error: the plan would break all the same",
        );
        check(
            "table-rewrite = \"loud\"",
            "cutover.toml:2:17: unknown variant `loud`, expected one of `allow`, `info`, `warn`, `warning`, `error`",
        );
    }

    #[test]
    fn how_far_queries_are_believed() {
        let read = |text: &str| parse("cutover.toml".into(), text);
        let known = read("[apps]\nassume = \"worst-case\"\n").map(|config| config.inputs.assume);
        assert_eq!(known.ok().flatten(), Some(Assume::WorstCase));
        let error = read("[apps]\nassume = \"best\"\n").unwrap_err();
        assert_eq!(error.to_string(), "cutover.toml:2:10: assume: write `workload` or `worst-case`");
    }

    #[test]
    fn how_it_is_to_be_released() {
        let read = |text: &str| parse("cutover.toml".into(), &format!("[release]\n{text}"));
        let check = |text: &str, expected: &str| {
            let shown = match read(text).map(|config| config.inputs.release.ramp) {
                Ok(ramp) => ramp.map_or_else(String::new, |ramp| ramp.to_string()),
                Err(error) => error.to_string(),
            };
            assert_eq!(shown, expected, "{text}");
        };
        check("ramp = \"10,hold=5m,100,bake=30m\"", "10 % → hold 5m → 100 % → bake 30m");
        check("ramp = [\"10\", \"hold=5m\", \"approve=qa\", \"100\"]", "10 % → hold 5m → approve qa → 100 %");
        check("ramp = \"linear-50-percent-every-3-minutes\"", "50 % → hold 3m → 100 %");
        check("", "");
        check("ramp = \"50,10\"", "cutover.toml:2:8: ramp: the shares must rise, and 10 % does not");
        check("ramp = 10", "cutover.toml:2:8: a ramp is a text, such as \"10,hold=5m,100\", or a list of texts");
        check(
            "speed = 10",
            "cutover.toml:2:1: unknown field `speed`, expected one of `ramp`, `on-failure`, `traffic`, `smoke`, `watch`, `blue-application-name`, `blue-role`, `lock-timeout`, `statement-timeout`, `lock-retries`, `traffic-timeout`, `verify-timeout`, `drain-timeout`",
        );
        check(
            "blue-application-name = \"a\"\nblue-role = \"b\"",
            "cutover.toml:3:13: blue's sessions are known by `blue-application-name` or by `blue-role`, not by both",
        );
        check(
            "lock-timeout = \"0s\"",
            "cutover.toml:2:16: a step that waits for ever makes everybody behind it wait; write for example 500ms or 1s",
        );
        check("drain-timeout = \"soon\"", "cutover.toml:2:17: \"soon\" is no time; write for example 500ms, 5s or 2m");
        let limits = read("lock-timeout = \"500ms\"\nlock-retries = 3").map(|config| config.inputs.release.limits);
        let expected = Limits { lock_timeout_ms: Some(500), lock_retries: Some(3), ..Limits::default() };
        assert_eq!(limits.ok(), Some(expected));
        let paused = read("on-failure = \"pause\"").map(|config| config.inputs.release.on_failure);
        assert_eq!(paused.ok().flatten(), Some(OnFailure::Pause));
    }

    #[cfg(feature = "live")]
    #[test]
    fn what_moves_the_traffic() {
        let check = |text: &str, expected: &str| {
            let shown = match parse("a/cutover.toml".into(), text).map(|config| config.inputs.release.traffic) {
                Ok(traffic) => traffic.map_or_else(String::new, |t| format!("{} {} {}", t.name, t.kind, t.folder)),
                Err(error) => error.to_string(),
            };
            assert_eq!(shown, expected, "{text}");
        };
        let edge = "[traffic.edge]\nkind = \"exec\"\ncommand = [\"./move\", \"--env\", \"prod\"]\n";
        check(&format!("[release]\ntraffic = \"edge\"\n{edge}"), "edge exec a");
        check(edge, "");
        check("[release]\ntraffic = \"simulated\"\n", "simulated simulated ");
        check(
            &format!("[release]\ntraffic = \"egde\"\n{edge}"),
            "a/cutover.toml:2:11: there is neither a section [traffic.egde] nor a backend that egde says all of",
        );
        check(
            "[traffic.edge]\nkind = \"haproxi\"\n",
            "a/cutover.toml:1:10: traffic edge: there is no kind \"haproxi\"; there are manual, simulated, exec, http, haproxy, nginx, envoy, traefik, caddy",
        );
        check(
            "[traffic.edge]\nkind = \"exec\"\ncomand = [\"x\"]\n",
            "a/cutover.toml:1:10: traffic edge: unknown field `comand`, expected `command` or `session`",
        );
        check(
            "[traffic.edge]\nkind = \"exec\"\ncommand = []\n",
            "a/cutover.toml:1:10: traffic edge: `command` names no program",
        );
        check(
            "[traffic.edge]\nkind = \"manual\"\nfast = true\n",
            "a/cutover.toml:1:10: traffic edge: unknown field `fast`, there are no fields",
        );
    }

    #[test]
    fn limits_of_statistics() {
        let stats = |text: &str| parse("a/cutover.toml".into(), &format!("[stats]\n{text}"));
        let config =
            stats("file = \"s.json\"\nwarning-seconds = 0.5\nerror-seconds = 60\nthroughput.scan = [200, 900]\n");
        let Config { inputs: Inputs { stats: file, .. }, stats: settings, .. } = config.unwrap();
        assert_eq!(file.as_deref(), Some("a/s.json".into()));
        assert_eq!((settings.warning_ms, settings.error_ms, settings.max_age_days), (500, Some(60_000), 7));
        assert_eq!(settings.throughput.scan, Throughput { slow: 200, fast: 900 });
        let check = |text: &str, expected: &str| assert_eq!(stats(text).unwrap_err().to_string(), expected);
        check(
            "throughput.scan = [900, 200]",
            "a/cutover.toml:2:19: [900, 200] is no range of MB/s; write the slow one first, such as [100, 4500]",
        );
        check("warning-seconds = -1", "a/cutover.toml:2:19: -1 is no number of seconds; write for example 0.5 or 30");
    }

    #[test]
    fn paths_start_at_the_file_s_own_folder() {
        let config =
            parse("a/cutover.toml".into(), "[migrations]\nfolder = \"m\"\n[apps.blue]\nqueries = \"q\"\n").unwrap();
        assert_eq!(config.migrations.as_deref(), Some("a/m".into()));
        assert_eq!(config.inputs.blue.map(|location| location.path), Some("a/q".to_owned()));
    }
}
