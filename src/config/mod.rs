//! `cutover.toml`: raw → resolved. Paths in it start at its own folder. Unknown keys are refused with their place.

mod document;
mod raw;
mod resolve;
mod schema;
mod shown;
mod variables;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use camino::{Utf8Path, Utf8PathBuf};

use crate::compat::Assume;
use crate::effect::PgVersion;
use crate::lint::settings::{FailOn, Levels};
use crate::migrations::Convention;
use crate::release::ReleaseDefinition;
#[cfg(feature = "cli")]
use crate::release::Throttle;
use crate::stats::Settings;
use crate::workload::Location;
use document::Document;

pub use document::SettingOrigin;
pub use schema::schema;
pub use shown::{Setting, settings};
pub use variables::Variables;

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
    /// A program that says the database's password, with its arguments.
    pub password_command: Option<Vec<String>>,
    /// The databases that follow the one that leads a release, where there are many.
    pub databases: Option<DatabaseList>,
    /// How many of those are worked on at the same time.
    pub databases_at_once: Option<NonZeroUsize>,
    /// Where the paths of programs start.
    pub folder: Utf8PathBuf,
}

/// Which databases follow the one that leads a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseList {
    /// These, a name and a connection or a connection each.
    Lines(Vec<String>),
    /// Those of a file with a line for each.
    File(Utf8PathBuf),
    /// What a query gives in the database that leads.
    Query(String),
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
    pub release: ReleaseDefinition,
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
    /// It does not parse, or has unknown keys, or a variable of the environment does not fit.
    #[error("{origin}: {message}")]
    Invalid {
        /// Where.
        origin: SettingOrigin,
        /// What is wrong.
        message: String,
    },
}

/// One setting of `[release.backfill]`, as `SETTING=VALUE`.
#[cfg(feature = "cli")]
pub(crate) fn throttle(text: &str) -> Result<Throttle, String> {
    let (name, value) = text.split_once('=').ok_or("write a setting and its value, such as replica-lag=30s")?;
    let (name, value) = (name.trim(), value.trim());
    if name == "checks" {
        return match value {
            "none" => Ok(Throttle { without_checks: true, ..Throttle::default() }),
            _ => Err("which checks there are is said in the file; checks=none goes on without them".to_owned()),
        };
    }
    // Some are numbers in the file, and everything else is a text.
    let read = |value: String| toml::from_str::<raw::RawThrottle>(&format!("{name} = {value}"));
    let number = || value.parse::<u32>().ok().and_then(|number| read(number.to_string()).ok());
    let raw = read(toml::Value::from(value).to_string());
    let raw = raw.or_else(|error| number().ok_or_else(|| error.message().to_owned()))?;
    match raw.problem() {
        Some(why) => Err(why.to_owned()),
        None => Ok(raw.throttle()),
    }
}

/// Reads the `cutover.toml` of a folder, if it has one.
pub fn find(folder: &Utf8Path) -> Result<Option<Config>, ConfigError> {
    find_with(folder, &Variables::default())
}

/// The same, with what environment variables say instead.
pub fn find_with(folder: &Utf8Path, variables: &Variables) -> Result<Option<Config>, ConfigError> {
    let (path, text) = text(folder)?;
    if text.is_none() && *variables == Variables::default() {
        return Ok(None);
    }
    let text = text.unwrap_or_default();
    resolve::resolve(&path, &Document::read(&path, &text, variables)?).map(Some)
}

/// The `cutover.toml` of a folder: its path, and its text where it is there.
pub fn text(folder: &Utf8Path) -> Result<(Utf8PathBuf, Option<String>), ConfigError> {
    let path = if folder == "." { FILE_NAME.into() } else { folder.join(FILE_NAME) };
    let text = if path.is_file() { Some(fs_err::read_to_string(&path)?) } else { None };
    Ok((path, text))
}

/// Reads the text of a `cutover.toml` at `path`.
pub fn parse(path: &Utf8Path, text: &str) -> Result<Config, ConfigError> {
    resolve::resolve(path, &Document::read(path, text, &Variables::default())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{Limits, OnFailure};
    use crate::stats::Throughput;

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
            "cutover.toml:2:1: unknown field `speed`, expected one of `ramp`, `on-failure`, `traffic`, `smoke`, `watch`, `blue-application-name`, `blue-role`, `lock-timeout`, `statement-timeout`, `lock-retries`, `traffic-timeout`, `verify-timeout`, `drain-timeout`, `backfill`, `before`, `after`, `terminate-blockers`",
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

    #[test]
    fn when_its_steps_may_run() {
        let check = |text: &str, expected: &str| {
            let shown = match parse("cutover.toml".into(), text) {
                Ok(Config { inputs: Inputs { release, .. }, .. }) => {
                    let ends = release.terminate_blockers.map(|it| (it.older_than_ms, it.except_roles.join(" ")));
                    let window = release.after.only_between.map(|window| window.to_string());
                    let from = release.after.not_before.map(|from| from.to_string());
                    format!("{:?} {window:?} {from:?} {ends:?}", release.limits.after_delay_ms)
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(shown, expected, "{text}");
        };
        check("[release.after]\ndelay = \"7d\"\n", "Some(604800000) None None None");
        check(
            "[release.after]\nonly-between = \"sat,sun 00:00-24:00\"\nnot-before = \"2026-12-24T18:00:00+01:00\"\n",
            "None Some(\"sat,sun 00:00-24:00\") Some(\"2026-12-24T17:00:00Z\") None",
        );
        check(
            "[release.before]\nonly-between = \"at night\"\n",
            "cutover.toml:2:16: \"at night\" is no window; write for example \"22:00-04:00\" or \"mon-thu 22:00-04:00 Europe/Berlin\"",
        );
        check(
            "[release.before]\ndelay = \"1h\"\n",
            "cutover.toml:2:1: unknown field `delay`, expected `not-before` or `only-between`",
        );
        check(
            "[release]\nterminate-blockers = { older-than = \"5m\", except-roles = [\"etl\"] }\n",
            "None None None Some((300000, \"etl\"))",
        );
        check(
            "[release.terminate-blockers]\nolder-than = \"1ms\"\n",
            "cutover.toml:1:1: older-than: every session idles between two statements; write at least 1s, for example 5m",
        );
        check("[release.terminate-blockers]\n", "cutover.toml:1:1: missing field `older-than`");
        let no_moment =
            |text| format!("cutover.toml:2:14: {text:?} is no time; write for example \"2026-12-24T22:00:00+01:00\"");
        check("[release.after]\nnot-before = \"tomorrow\"\n", &no_moment("tomorrow"));
        check("[release.after]\nnot-before = 2026-12-24T18:00:00\n", &no_moment("2026-12-24T18:00:00"));
        let from = "None None Some(\"2026-12-24T17:00:00Z\") None";
        check("[release.after]\nnot-before = 2026-12-24T18:00:00+01:00\n", from);
    }

    #[cfg(feature = "live")]
    #[test]
    fn what_moves_the_traffic() {
        let check = |text: &str, expected: &str| {
            let shown = match parse("a/cutover.toml".into(), text).map(|config| config.inputs.release.traffic) {
                Ok(traffic) => traffic.map_or_else(String::new, |t| format!("{} {} {}", t.name, t.kind, t.folder)),
                Err(error) => error.to_string(),
            };
            let kinds: Vec<&str> = crate::traffic::KINDS.iter().map(|kind| kind.name).collect();
            assert_eq!(shown.replace(&kinds.join(", "), "KINDS"), expected, "{text}");
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
            "a/cutover.toml:1:10: traffic edge: there is no kind \"haproxi\"; there are KINDS",
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
