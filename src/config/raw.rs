//! `cutover.toml` as it is written. The comments here are what an editor shows, by `cutover schema config`.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use camino::Utf8PathBuf;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::DatabaseList;
use crate::lint::settings::{FailOn, Level};
use crate::migrations::Convention;
use crate::release::size::Size;
use crate::release::time::Time;
use crate::release::{
    BlueSessions, CheckLimits, Limits, News, OnFailure, PhaseTimes, Ramp, TerminateBlockers, Throttle, Window,
};
use crate::stats::{Settings, Throughput, Throughputs};

/// What a release is made of, and how it is to go.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Raw {
    /// Which migrations, and how they are read.
    #[serde(default)]
    pub(super) migrations: RawMigrations,
    /// The queries of both versions.
    #[serde(default)]
    pub(super) apps: RawApps,
    /// What `cutover lint` makes of findings.
    #[serde(default)]
    pub(super) lint: RawLint,
    /// What the team makes of the figures of production.
    #[serde(default)]
    pub(super) stats: RawStats,
    /// How a command comes to the database.
    #[serde(default)]
    pub(super) database: RawDatabase,
    /// The databases that follow the one that leads, where a release is one over many: tenants, shards.
    #[serde(default)]
    #[schemars(with = "Option<RawDatabases>")]
    pub(super) databases: Option<Spanned<RawDatabases>>,
    /// How the release goes.
    #[serde(default)]
    pub(super) release: RawRelease,
    /// What can move the traffic, each under a name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RawTraffic>")]
    pub(super) traffic: BTreeMap<Spanned<String>, RawTraffic>,
    /// What can be asked how green does, each under a name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RawCheck>")]
    pub(super) checks: BTreeMap<Spanned<String>, RawCheck>,
    /// Whom the release calls and waits for, each under the name of its moment.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RawHook>")]
    pub(super) hooks: BTreeMap<Spanned<String>, RawHook>,
    /// Who gets news of the release, each under a name.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RawNotify>")]
    pub(super) notify: BTreeMap<Spanned<String>, RawNotify>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawDatabase {
    /// A program and its arguments: the first line that it writes to standard output is the password. It is run for each connection.
    pub(super) password_command: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawDatabases {
    /// One line each: a name and a connection, or a connection, or the name of a database on the server of the one that leads.
    list: Option<Vec<String>>,
    /// A file with such lines; empty ones, and those that begin with `#`, are none.
    #[schemars(with = "Option<String>")]
    file: Option<Utf8PathBuf>,
    /// A query that gives them in the database that leads, in its order: a column with connections, or two with names and connections.
    query: Option<String>,
    /// How many of them are worked on at the same time, each over a connection.
    #[schemars(extend("default" = 8))]
    pub(super) at_once: Option<NonZeroUsize>,
}

impl RawDatabases {
    /// Which they are; an error says why that is not clear.
    pub(super) fn list(&self) -> Result<Option<DatabaseList>, &'static str> {
        match (&self.list, &self.file, &self.query) {
            (None, None, None) => Ok(None),
            (Some(lines), None, None) => Ok(Some(DatabaseList::Lines(lines.clone()))),
            (None, Some(file), None) => Ok(Some(DatabaseList::File(file.clone()))),
            (None, None, Some(query)) => Ok(Some(DatabaseList::Query(query.clone()))),
            _ => Err("the databases come from `list`, from `file` or from `query`, not from several"),
        }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawStats {
    /// A file of `cutover stats`: hazards are weighed by it.
    #[schemars(with = "Option<String>")]
    pub(super) file: Option<Utf8PathBuf>,
    /// After how many days that file is out of date.
    #[schemars(extend("default" = 7))]
    max_age_days: Option<u32>,
    /// From how many seconds on a lock is worth a warning.
    #[schemars(with = "Option<f64>", extend("default" = 1))]
    warning_seconds: Option<Seconds>,
    /// From how many seconds on a plan is refused.
    #[schemars(with = "Option<f64>")]
    error_seconds: Option<Seconds>,
    /// How fast production works, in MB of a table's heap a second.
    #[serde(default)]
    throughput: RawThroughput,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawThroughput {
    /// All rows are read and tested: from slow to fast.
    #[schemars(with = "Option<(u32, u32)>")]
    scan: Option<Throughput>,
    /// All rows are read and sorted, and an index is written.
    #[schemars(with = "Option<(u32, u32)>")]
    index: Option<Throughput>,
    /// All rows are written anew.
    #[schemars(with = "Option<(u32, u32)>")]
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
    pub(super) fn settings(&self) -> Settings {
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

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawLint {
    /// From which severity on `lint` ends with exit code 1.
    pub(super) fail_on: Option<FailOn>,
    /// A file of findings that are known and do not count.
    #[schemars(with = "Option<String>")]
    pub(super) baseline: Option<Utf8PathBuf>,
    /// How much a rule matters, by its name or code.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Level>")]
    pub(super) rules: BTreeMap<Spanned<String>, Level>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawMigrations {
    /// Their folder.
    #[schemars(with = "Option<String>")]
    pub(super) folder: Option<Utf8PathBuf>,
    /// How the folder is named and ordered; detected if not given.
    pub(super) convention: Option<Convention>,
    /// Values of `${NAME}` in migrations of Flyway, or of goose with ENVSUB.
    #[serde(default)]
    pub(super) placeholders: BTreeMap<String, String>,
    /// The version that production is at; what stands after it is pending (`none`: everything is).
    pub(super) from: Option<String>,
    /// A dump of production's schema.
    #[schemars(with = "Option<String>")]
    pub(super) base_schema: Option<Utf8PathBuf>,
    /// The table of the tool's history, with its schema where it is not found by the search path.
    pub(super) history_table: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawApps {
    /// What to assume beyond the listed queries: `workload` or `worst-case`.
    #[schemars(with = "Option<String>")]
    pub(super) assume: Option<Spanned<String>>,
    /// The version in production.
    pub(super) blue: Option<RawBlue>,
    /// The version being released.
    pub(super) green: Option<RawApp>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawRelease {
    /// How the traffic moves, as one text or one step a text: shares in percent, `hold=5m`, `check=NAME`, `approve=GATE`, behind 100 `bake=30m`.
    #[schemars(with = "Option<RawRamp>", extend("default" = "100"))]
    pub(super) ramp: Option<Spanned<RawRamp>>,
    /// What becomes of the traffic when green fails while blue can come back.
    #[schemars(extend("default" = "rollback"))]
    pub(super) on_failure: Option<OnFailure>,
    /// What moves the traffic: the name of a section `[traffic.NAME]`.
    #[schemars(with = "Option<String>", extend("default" = "manual"))]
    pub(super) traffic: Option<Spanned<String>>,
    /// Names of the checks that are made before green gets any traffic.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) smoke: Vec<Spanned<String>>,
    /// Names of the checks that are made again and again while green has traffic.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) watch: Vec<Spanned<String>>,
    /// The `application_name` of blue's sessions: blue is not drained while there is one.
    blue_application_name: Option<String>,
    /// The role of blue's sessions, instead of their name.
    #[schemars(with = "Option<String>")]
    blue_role: Option<Spanned<String>>,
    /// How long a step waits for a lock before it gives way to the application.
    #[schemars(with = "Option<Time>", extend("default" = "1s"))]
    pub(super) lock_timeout: Option<Spanned<Time>>,
    /// How long a statement in a transaction may run; `0s`: for ever.
    #[schemars(extend("default" = "0s"))]
    statement_timeout: Option<Time>,
    /// How often a step that did not get its locks tries again.
    #[schemars(extend("default" = 10))]
    lock_retries: Option<u32>,
    /// How long what moves the traffic may take for one call.
    #[schemars(extend("default" = "30s"))]
    traffic_timeout: Option<Time>,
    /// How long the traffic may take to move by one share.
    #[schemars(extend("default" = "5m"))]
    verify_timeout: Option<Time>,
    /// How long blue may take to drain.
    #[schemars(extend("default" = "15m"))]
    drain_timeout: Option<Time>,
    /// How a backfill goes easy on the server.
    #[schemars(with = "Option<RawThrottle>")]
    pub(super) backfill: Option<Spanned<RawThrottle>>,
    /// When steps before the cutover may run.
    #[serde(default)]
    pub(super) before: RawTimes,
    /// When steps after it may run.
    #[serde(default)]
    pub(super) after: RawAfter,
    /// Ends sessions that idle in a transaction and keep a step waiting. No others are ended.
    #[schemars(with = "Option<RawTerminate>")]
    pub(super) terminate_blockers: Option<Spanned<RawTerminate>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawTimes {
    /// No step before this time, such as `2026-12-24T22:00:00+01:00`.
    #[schemars(with = "Option<String>")]
    not_before: Option<Moment>,
    /// No step begins at another time of the day, such as `mon-thu 22:00-04:00 Europe/Berlin`.
    only_between: Option<Window>,
}

/// A date with a time and its distance from UTC, as a text or as TOML has it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "RawMoment")]
struct Moment(Timestamp);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawMoment {
    Toml(toml::value::Datetime),
    Text(String),
}

impl TryFrom<RawMoment> for Moment {
    type Error = String;

    fn try_from(raw: RawMoment) -> Result<Self, String> {
        let text = match raw {
            RawMoment::Toml(at) => at.to_string(),
            RawMoment::Text(text) => text,
        };
        let no_moment = |_| format!("{text:?} is no time; write for example \"2026-12-24T22:00:00+01:00\"");
        text.parse().map(Self).map_err(no_moment)
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawAfter {
    /// How long the first step waits once blue is drained: until then blue can come back.
    #[schemars(extend("default" = "0s"))]
    delay: Option<Time>,
    /// No step before this time, such as `2026-12-24T22:00:00+01:00`.
    #[schemars(with = "Option<String>")]
    not_before: Option<Moment>,
    /// No step begins at another time of the day, such as `mon-thu 22:00-04:00 Europe/Berlin`.
    only_between: Option<Window>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawTerminate {
    /// How long they must have idled, at least `1s`.
    older_than: Time,
    /// The roles whose sessions are left alone.
    #[serde(default)]
    except_roles: Vec<String>,
}

impl RawTimes {
    pub(super) fn times(self) -> PhaseTimes {
        PhaseTimes { not_before: self.not_before.map(|Moment(at)| at), only_between: self.only_between }
    }
}

impl RawAfter {
    pub(super) fn times(self) -> PhaseTimes {
        RawTimes { not_before: self.not_before, only_between: self.only_between }.times()
    }
}

impl RawTerminate {
    /// Why it cannot be so.
    pub(super) fn problem(&self) -> Option<&'static str> {
        (self.older_than.0 < 1_000)
            .then_some("older-than: every session idles between two statements; write at least 1s, for example 5m")
    }

    pub(super) fn blockers(self) -> TerminateBlockers {
        TerminateBlockers { older_than_ms: self.older_than.0, except_roles: self.except_roles }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawThrottle {
    /// How long the rows of one time should take: whoever wants the same rows waits as long.
    #[schemars(extend("default" = "250ms"))]
    target: Option<Time>,
    /// The most rows at a time.
    #[schemars(extend("default" = 100_000))]
    most_rows: Option<u32>,
    /// The pause between two times.
    #[schemars(extend("default" = "0s"))]
    pause: Option<Time>,
    /// How far behind a standby or subscriber may be; `0s`: however far.
    #[schemars(extend("default" = "10s"))]
    replica_lag: Option<Time>,
    /// How much of the write-ahead log a replication slot may hold back, such as `4GB`; `0B`: however much.
    slot_lag: Option<Size>,
    /// How much of the write-ahead log the whole server may write in a second, such as `32MB`; `0B`: however much.
    wal_rate: Option<Size>,
    /// How old the oldest transaction may be that keeps dead rows from being cleared away; `0s`: however old.
    oldest_transaction: Option<Time>,
    /// How many sessions may wait for a lock in this database.
    lock_waits: Option<u32>,
    /// Names of the checks that must be successful, too.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) checks: Vec<Spanned<String>>,
    /// How long a backfill may be held back at a stretch before the release stops.
    #[schemars(extend("default" = "1h"))]
    patience: Option<Time>,
}

impl RawThrottle {
    /// Why it cannot be one.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let is_zero = |time: &Option<Time>| matches!(time, Some(Time(0)));
        match self {
            _ if is_zero(&self.target) => Some("target: no rows take no time; write for example 250ms"),
            Self { most_rows: Some(0), .. } => Some("most-rows: one row at a time is the least"),
            Self { most_rows: Some(rows), .. } if *rows > Throttle::MOST_ROWS => {
                Some("most-rows: 100000 rows at a time are the most")
            }
            _ => None,
        }
    }

    pub(super) fn throttle(&self) -> Throttle {
        let ms = |time: Option<Time>| time.map(|Time(ms)| ms);
        let bytes = |size: Option<Size>| size.map(|Size(bytes)| bytes);
        Throttle {
            target_ms: ms(self.target),
            most_rows: self.most_rows,
            pause_ms: ms(self.pause),
            replica_lag_ms: ms(self.replica_lag),
            slot_bytes: bytes(self.slot_lag),
            wal_bytes_per_second: bytes(self.wal_rate),
            oldest_transaction_ms: ms(self.oldest_transaction),
            lock_waits: self.lock_waits,
            without_checks: false,
            patience_ms: ms(self.patience),
        }
    }
}

impl RawRelease {
    /// How blue's sessions are known; where a second name stands, if there are two.
    pub(super) fn blue(&self) -> Result<Option<BlueSessions>, usize> {
        match (&self.blue_application_name, &self.blue_role) {
            (Some(_), Some(role)) => Err(role.span().start),
            (Some(name), None) => Ok(Some(BlueSessions::ApplicationName(name.clone()))),
            (None, Some(role)) => Ok(Some(BlueSessions::Role(role.get_ref().clone()))),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        let ms = |time: Option<Time>| time.map(|Time(ms)| ms);
        Limits {
            lock_timeout_ms: self.lock_timeout.as_ref().map(|time| time.get_ref().0),
            statement_timeout_ms: ms(self.statement_timeout),
            lock_retries: self.lock_retries,
            traffic_timeout_ms: ms(self.traffic_timeout),
            verify_timeout_ms: ms(self.verify_timeout),
            drain_timeout_ms: ms(self.drain_timeout),
            after_delay_ms: ms(self.after.delay),
            backfill: self.backfill.as_ref().map(|section| section.get_ref().throttle()).unwrap_or_default(),
        }
    }
}

/// Settings that the kind reads.
type OfTheKind = serde_json::Map<String, serde_json::Value>;

/// Each kind of backend knows its own settings.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RawTraffic {
    pub(super) kind: String,
    #[serde(flatten)]
    pub(super) settings: OfTheKind,
}

/// Each kind of listener knows its own settings.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RawHook {
    pub(super) kind: String,
    /// How long it may take.
    #[schemars(extend("default" = "5m"))]
    pub(super) timeout: Option<Time>,
    #[serde(flatten)]
    pub(super) settings: OfTheKind,
}

/// How long a hook may take that does not say it.
pub(super) const HOOK_TIMEOUT_MS: u64 = 300_000;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RawNotify {
    pub(super) kind: String,
    /// What it is told.
    pub(super) on: Option<Vec<News>>,
    #[serde(flatten)]
    pub(super) settings: OfTheKind,
}

/// Each kind of check knows its own settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawCheck {
    pub(super) kind: String,
    /// How long one answer may take.
    #[schemars(extend("default" = "10s"))]
    pub(super) timeout: Option<Time>,
    /// How long until it is made again.
    #[schemars(extend("default" = "5s"))]
    pub(super) interval: Option<Time>,
    /// How often it may fail before green has failed.
    #[schemars(extend("default" = 0))]
    failure_limit: Option<u32>,
    /// How often it may say nothing for sure before the release stands still.
    #[schemars(extend("default" = 0))]
    inconclusive_limit: Option<u32>,
    /// How often in a row nobody may answer before green has failed.
    #[schemars(extend("default" = 4))]
    consecutive_error_limit: Option<u32>,
    #[serde(flatten)]
    pub(super) settings: OfTheKind,
}

impl RawCheck {
    pub(super) fn limits(&self) -> CheckLimits {
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
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a ramp is a text, such as \"10,hold=5m,100\", or a list of texts")]
pub(super) enum RawRamp {
    Text(String),
    Steps(Vec<String>),
}

impl RawRamp {
    pub(super) fn read(&self) -> Result<Ramp, String> {
        let ramp: Result<Ramp, _> = match self {
            Self::Text(text) => text.parse(),
            Self::Steps(steps) => steps.join(",").parse(),
        };
        ramp.map_err(|error| error.to_string())
    }
}

/// The version in production is all that a step takes something from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawBlue {
    /// Its queries: a path, perhaps with the source before it (`sqlx:PATH`).
    #[schemars(with = "Option<String>")]
    pub(super) queries: Option<Spanned<String>>,
    /// Folders of its source, to be searched for what a release takes away.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) source: Vec<Utf8PathBuf>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawApp {
    /// Its queries: a path, perhaps with the source before it (`sqlx:PATH`).
    #[schemars(with = "String")]
    pub(super) queries: Spanned<String>,
}
