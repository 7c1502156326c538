//! `cutover lint`: what the rules find in the pending migrations, in every format.

use std::cmp::Reverse;
use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _};
use std::ops::Range;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::error::CliError;
use super::exit::Exit;
use super::planning::{self, Live};
use super::release_args::{ReleaseInput, ReleaseOptions};
use super::server_args::ServerArgs;
use super::{file, format, git, out};
use crate::config::LintConfig;
use crate::diagnostic::Diagnostic;
use crate::effect::PgVersion;
use crate::lint::baseline::Baseline;
use crate::lint::settings::FailOn;
use crate::lint::{Allowed, fingerprints, fix, group};
use crate::migrations::Pending;
use crate::parallel;
use crate::plan::{Checked, ObservedEffects, Request};
use crate::rehearse::observation::Seen;
use crate::report::lint::{FORMATS, LintReport};
use crate::report::{Format, Style};
use crate::schema::Schema;
use crate::source::Sources;

/// Find what breaks a version, blocks clients, or should be known
///
/// Looks at the pending migrations. Without --base, --from or --database each one is taken as a release of its own on top of those before it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cutover lint migrations --base origin/main
  cutover lint migrations --base origin/main --blue queries/v1 --green queries/v2 --fail-on warning
  cutover lint migrations --base origin/main --report sarif=lint.sarif --report junit=lint.xml
  cutover lint migrations --base origin/main --stats stats.json
  cutover lint migrations --write-baseline lint-baseline.json
  cutover lint migrations --baseline lint-baseline.json --fix

Exit codes: 0 nothing at or above --fail-on · 1 findings · 2 usage, configuration or input")]
pub(super) struct Args {
    /// Folders of migrations, or ones with a `cutover.toml` that says where they are
    #[arg(value_name = "DIR", default_value = ".")]
    folders: Vec<Utf8PathBuf>,
    #[command(flatten)]
    options: ReleaseOptions,
    /// Take what is pending from the history table of this database, and its catalog as the schema before the release
    #[arg(long, value_name = "URL", conflicts_with = "base")]
    database: Option<String>,
    /// Only what is new: pending is what this commit (a branch, a tag) does not have; also told is what was edited or removed since
    #[arg(long, value_name = "GIT-REF", conflicts_with = "from")]
    base: Option<String>,
    /// Run statements that cannot be read (DO blocks, CALL, dynamic SQL) on a throwaway server, and judge them by what they were seen to do
    #[arg(long)]
    observe: bool,
    #[command(flatten)]
    server: ServerArgs,
    /// Do not tell what this file lists
    #[arg(long, value_name = "FILE")]
    baseline: Option<Utf8PathBuf>,
    /// Write what is found now into a file for --baseline, and end with 0
    #[arg(long, value_name = "FILE", conflicts_with_all = ["baseline", "fix"])]
    write_baseline: Option<Utf8PathBuf>,
    /// From which severity on to exit with 1 [default: error]
    #[arg(long, value_name = "error|warning|never", value_parser = fail_on)]
    fail_on: Option<FailOn>,
    /// Apply the safe fixes to the pending migrations, and tell what is left
    #[arg(long)]
    fix: bool,
    /// What to print
    #[arg(long, value_parser = format::parser(FORMATS), default_value = PEOPLE)]
    format: &'static Format<LintReport>,
    /// Write it into a file instead of printing it
    #[arg(long, short, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
    /// Write one more report, such as `sarif=lint.sarif`; may be given several times
    #[arg(long, value_name = "FORMAT=FILE", value_parser = report_file)]
    report: Vec<(&'static Format<LintReport>, Utf8PathBuf)>,
}

fn fail_on(text: &str) -> Result<FailOn, String> {
    match text {
        "error" => Ok(FailOn::Error),
        "warning" => Ok(FailOn::Warning),
        "never" => Ok(FailOn::Never),
        other => Err(format!("{other:?} is not one of error, warning, never")),
    }
}

/// The format for people at a terminal.
const PEOPLE: &str = "text";

fn report_file(text: &str) -> Result<(&'static Format<LintReport>, Utf8PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("write FORMAT=FILE, such as sarif=lint.sarif")?;
    Ok((format_of(name).ok_or_else(|| format!("there is no format {name}"))?, path.into()))
}

fn format_of(name: &str) -> Option<&'static Format<LintReport>> {
    FORMATS.iter().find(|format| format.name.eq_ignore_ascii_case(name))
}

/// More rounds than fixes could ever need that make room for one another.
const MOST_ROUNDS: usize = 16;

pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let mut found = look(args)?;
    if args.fix {
        let mut fixed = std::collections::BTreeSet::new();
        for _ in 0..MOST_ROUNDS {
            let diagnostics: Vec<_> = found.report.findings.iter().map(|(d, _)| d.clone()).collect();
            let changes = fix::apply_safe(&diagnostics, &found.report.sources);
            if changes.is_empty() {
                break;
            }
            for (file, text) in changes {
                let path = &found.report.sources.file(file).path;
                file::write(path, &text)?;
                fixed.insert(path.clone());
            }
            found = look(args)?;
        }
        out::say(&fixed.iter().map(|path| format!("Fixed {path}\n")).collect::<String>());
    }
    if let Some(path) = &args.write_baseline {
        file::write(path, &found.baseline.to_json())?;
        out::say(&format!("Wrote {} to {path}: {}\n", findings(found.baseline.findings.len()), found.report.summary()));
        return Ok(Exit::Ok);
    }
    show(args, &found.report)?;
    let diagnostics: Vec<_> = found.report.findings.iter().map(|(d, _)| d.clone()).collect();
    let fail_on = args.fail_on.or(found.config.fail_on).unwrap_or_default();
    Ok(if fail_on.fails(&diagnostics) { Exit::Findings } else { Exit::Ok })
}

fn findings(n: usize) -> String {
    if n == 1 { "1 finding".to_owned() } else { format!("{n} findings") }
}

/// What was found in all folders.
struct Found {
    report: LintReport,
    /// Of what is found now.
    baseline: Baseline,
    /// Whether figures of production stand beside it.
    weighed: bool,
    config: LintConfig,
}

fn look(args: &Args) -> Result<Found, CliError> {
    let mut found = Found {
        report: LintReport { root: root(), ..LintReport::default() },
        baseline: Baseline::empty(),
        weighed: false,
        config: LintConfig::default(),
    };
    let mut looked_at = Vec::new();
    for folder in &args.folders {
        let input = args.options.read(&tidy(folder))?;
        let (input, releases) = releases(args, input, &tidy(folder))?;
        looked_at.extend(releases.looked.iter().flat_map(|looked| looked.paths.iter().cloned()));
        found.add(&input, releases);
        found.weighed |= input.weighing.is_some();
        found.config.fail_on = found.config.fail_on.or(input.lint.fail_on);
        found.config.baseline = found.config.baseline.or(input.lint.baseline);
    }
    found.baseline.findings.sort();
    if args.write_baseline.is_none()
        && let Some(path) = args.baseline.as_ref().or(found.config.baseline.as_ref())
    {
        apply_baseline(path, &mut found.report, &looked_at)?;
    }
    // What the baseline knows is no part of a group.
    found.report.findings = group(std::mem::take(&mut found.report.findings), found.weighed);
    Ok(found)
}

impl Found {
    /// Adds what was found in a folder.
    fn add(&mut self, input: &ReleaseInput, releases: Releases) {
        let report = &mut self.report;
        // The folder's files, then the queries': the same in each of its releases.
        let sources = releases.sources.unwrap_or_else(|| input.folder.sources.clone());
        let offset = report.sources.append(&sources);
        let mut diagnostics = releases.others;
        for looked in releases.looked {
            diagnostics.extend(looked.diagnostics);
            report.statements += looked.statements;
            report.migrations.extend(looked.paths.iter().map(|path| input.folder.path.join(path)));
            report.allowed.extend(looked.allowed.into_iter().map(|mut allowed| {
                allowed.diagnostic = allowed.diagnostic.moved(offset);
                allowed
            }));
        }
        let mut diagnostics = input.lint.levels.apply(diagnostics);
        diagnostics.sort_by_key(|d| (d.span().map(|s| (s.file, s.start)), Reverse(d.severity)));
        let prints = fingerprints(&diagnostics, &sources, &input.folder.path);
        self.baseline.findings.extend(Baseline::of(&diagnostics, &prints, &sources, &input.folder.path).findings);
        report.findings.extend(diagnostics.into_iter().map(|d| d.moved(offset)).zip(prints));
        for (diagnostic, sources) in &input.unread {
            let diagnostics = input.lint.levels.apply(vec![diagnostic.clone()]);
            let prints = fingerprints(&diagnostics, sources, Utf8Path::new(""));
            self.baseline.findings.extend(Baseline::of(&diagnostics, &prints, sources, Utf8Path::new("")).findings);
            let offset = report.sources.append(sources);
            report.findings.extend(diagnostics.into_iter().map(|d| d.moved(offset)).zip(prints));
        }
    }
}

/// What was found in one release.
struct Looked {
    /// Its migrations, below the folder.
    paths: Vec<Utf8PathBuf>,
    diagnostics: Vec<Diagnostic>,
    allowed: Vec<Allowed>,
    statements: usize,
}

impl Releases {
    /// Adds what was found in the folder's next releases.
    fn extend(&mut self, next: Self) {
        self.sources = self.sources.take().or(next.sources);
        self.looked.extend(next.looked);
        self.others.extend(next.others);
    }

    fn add(&mut self, pending: &Pending, checked: Checked) {
        self.sources.get_or_insert(checked.sources);
        self.looked.push(Looked {
            paths: pending.pending.iter().map(|migration| migration.path.clone()).collect(),
            diagnostics: checked.diagnostics,
            allowed: checked.allowed,
            statements: checked.statements,
        });
    }
}

/// What is found in a folder's releases, and outside of them.
#[derive(Default)]
struct Releases {
    looked: Vec<Looked>,
    /// The folder's files, then the queries': the same in each release.
    sources: Option<Sources>,
    others: Vec<Diagnostic>,
}

fn releases(args: &Args, input: ReleaseInput, folder: &Utf8Path) -> Result<(ReleaseInput, Releases), CliError> {
    if args.database.is_none() {
        let releases = releases_of(args, &input, None)?;
        return Ok((input, releases));
    }
    let read_as = |convention| args.options.read_as(folder, convention);
    let Live { input, pending, schema, version } = planning::live(args.database.clone(), input, read_as)?;
    let releases = releases_of(args, &input, Some((&pending, &schema, version)))?;
    Ok((input, releases))
}

fn releases_of(
    args: &Args,
    input: &ReleaseInput,
    live: Option<(&Pending, &Schema, PgVersion)>,
) -> Result<Releases, CliError> {
    let observe = |pending: &Pending| match args.observe {
        true => planning::observe(&args.server, input, pending),
        false => Ok(Seen::default()),
    };
    let one = |pending: &Pending, base: Option<&Schema>, version: PgVersion| {
        let seen = observe(pending)?;
        let request = input.request(pending);
        let checked = crate::plan::check(Request {
            observed: args.observe.then_some(&seen.effects),
            version,
            ..request.on(base.or(seen.base.as_ref()))
        });
        let mut releases = Releases::default();
        releases.add(pending, checked);
        Ok::<_, CliError>(releases)
    };
    let version = input.version();
    if let Some(reference) = &args.base {
        let base = git::base(&input.folder.path, reference)?;
        let pending = input.folder.pending_unless(|migration| base.files.contains(&migration.path));
        let others = base.findings(&input.folder, &pending, reference);
        return Ok(Releases { others, ..one(&pending, None, version)? });
    }
    if let Some((pending, schema, live)) = live {
        return one(pending, Some(schema), input.version.unwrap_or(live));
    }
    if input.from.is_some() {
        return one(&planning::pending(input)?, None, version);
    }
    if args.fix {
        return Err(CliError::usage("--fix changes pending migrations, and nothing says which are pending")
            .hint("say it with --base, --from or --database; a migration that is applied must stay as it is"));
    }
    if input.blue_source.is_some() {
        out::say(
            "note: blue's source is not searched: without --base, --from or --database each migration is a release of its own, and today's source is none of theirs\n",
        );
    }
    let all = Pending { applied: Vec::new(), pending: input.folder.migrations.clone() };
    let seen = observe(&all)?;
    let observed = args.observe.then_some(&seen.effects);
    Ok(each_alone(input, observed, version))
}

/// Each migration as a release of its own on top of those before it. Nobody's queries are known: those of today would not fit.
fn each_alone(input: &ReleaseInput, observed: Option<&ObservedEffects>, version: PgVersion) -> Releases {
    let count = input.folder.migrations.len();
    // What was seen of earlier migrations is not replayed, it is handed on from one to the next.
    let shares = if observed.is_some() { std::iter::once(0..count).collect() } else { shares(count) };
    let mut releases = Releases::default();
    for found in parallel::each(&shares, |share| each_alone_of(input, share.clone(), observed, version)) {
        releases.extend(found);
    }
    releases
}

/// One share of [`each_alone`].
fn each_alone_of(
    input: &ReleaseInput,
    share: Range<usize>,
    observed: Option<&ObservedEffects>,
    version: PgVersion,
) -> Releases {
    let migrations = &input.folder.migrations;
    let mut releases = Releases::default();
    // What stands before the share is replayed, once.
    let (mut schema, mut certain) = crate::plan::replay(&input.folder, &migrations[..share.start]);
    for i in share {
        let pending = Pending { applied: Vec::new(), pending: vec![migrations[i].clone()] };
        let checked = crate::plan::check(Request {
            base: Some(&schema),
            base_is_uncertain: !certain,
            observed,
            weighing: input.weighing.as_ref(),
            version,
            assume: input.assume,
            ..Request::new(&input.folder, &pending)
        });
        (schema, certain) = (checked.last.clone(), checked.last_is_certain);
        releases.add(&pending, checked);
    }
    releases
}

/// Shares of a number of migrations, one a processor, that take about as long as each other: a later one has more to replay before it
/// begins, and to replay a migration takes about a third of the time that it takes to look at it.
fn shares(migrations: usize) -> Vec<Range<usize>> {
    const FEW: usize = 32;
    const REPLAY: f64 = 1.0 / 3.0;
    let count = parallel::processors(migrations, FEW);
    let sizes: Vec<f64> = (0..count).map(|i| (1.0 - REPLAY).powi(i as i32)).collect();
    let all: f64 = sizes.iter().sum();
    let mut ends: Vec<usize> = sizes
        .iter()
        .scan(0.0, |sum, size| {
            *sum += size;
            Some((*sum / all * migrations as f64).round() as usize)
        })
        .collect();
    ends[count - 1] = migrations;
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends.iter().copied()).map(|(start, end)| start..end).collect()
}

fn apply_baseline(path: &Utf8Path, report: &mut LintReport, looked_at: &[Utf8PathBuf]) -> Result<(), CliError> {
    let text = fs_err::read_to_string(path).map_err(|error| {
        CliError::usage(error).hint(format!("write it first: cutover lint … --write-baseline {path}"))
    })?;
    let baseline = Baseline::from_json(&text).map_err(|error| CliError::usage(format!("{path}: {error}")))?;
    let prints: Vec<String> = report.findings.iter().map(|(_, print)| print.clone()).collect();
    let mut new = baseline.is_new(&prints).into_iter();
    let before = report.findings.len();
    report.findings.retain(|_| new.next().unwrap_or(true));
    report.baselined = before - report.findings.len();
    let stale = baseline.stale(&prints, |path| looked_at.iter().any(|seen| seen == path));
    let prints = fingerprints(stale.as_slice(), &report.sources, Utf8Path::new(""));
    report.findings.extend(stale.into_iter().zip(prints));
    Ok(())
}

/// Prints the report, and writes what else was asked for.
fn show(args: &Args, report: &LintReport) -> Result<(), CliError> {
    let plain = Style::default();
    match &args.output {
        Some(path) => file::write(path, &(args.format.render)(report, plain))?,
        None => {
            let style = Style { color: std::io::stdout().is_terminal(), ..plain };
            out::print(&(args.format.render)(report, style))?;
        }
    }
    for (format, path) in &args.report {
        file::write(path, &(format.render)(report, plain))?;
    }
    // In a workflow, people look at the pull request.
    if args.format.name == PEOPLE && std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true") {
        let of = |name| format_of(name).map(|format| (format.render)(report, plain)).unwrap_or_default();
        out::print(&of("github"))?;
        if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
            let summary = OpenOptions::new().append(true).create(true).open(&path);
            let written = summary.and_then(|mut file| file.write_all(of("markdown").as_bytes()));
            written.map_err(|error| CliError::usage(format!("the step summary cannot be written: {error}")))?;
        }
    }
    Ok(())
}

/// A folder as it should be shown: relative to where the command runs, if it is below.
fn tidy(folder: &Utf8Path) -> Utf8PathBuf {
    let here = current_directory();
    let below = here.and_then(|here| folder.strip_prefix(here).ok().map(Utf8Path::to_owned));
    let folder = below.unwrap_or_else(|| folder.to_owned());
    let tidy: Utf8PathBuf = folder.components().filter(|part| *part != Utf8Component::CurDir).collect();
    if tidy.as_str().is_empty() { ".".into() } else { tidy }
}

/// Where the command runs, below the root that the service counts paths from.
fn root() -> Utf8PathBuf {
    let variable = |name| std::env::var(name).ok().map(Utf8PathBuf::from);
    let root = variable("GITHUB_WORKSPACE").or_else(|| variable("CI_PROJECT_DIR"));
    let below =
        current_directory().zip(root).and_then(|(here, root)| here.strip_prefix(root).ok().map(Utf8Path::to_owned));
    below.unwrap_or_default()
}

fn current_directory() -> Option<Utf8PathBuf> {
    Utf8PathBuf::from_path_buf(std::env::current_dir().ok()?).ok()
}
