//! `cutover lint`: what the rules find in the pending migrations, in every format.

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::error::CliError;
use super::exit::Exit;
use super::planning;
use super::release_args::ReleaseOptions;
use super::server_args::ServerArgs;
use super::{file, format, git, out};
use crate::lint::baseline::Baseline;
use crate::lint::settings::FailOn;
use crate::lint::{LintReport, fix};
use crate::migrations::Pending;
use crate::plan::Request;
use crate::postgres::base::Base;
use crate::project::{Findings, Project, Releases};
use crate::rehearse::observation::Seen;
use crate::report::lint::FORMATS;
use crate::report::{Format, Style};

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
    Ok(if found.fail_on.fails(&diagnostics) { Exit::Findings } else { Exit::Ok })
}

fn findings(n: usize) -> String {
    if n == 1 { "1 finding".to_owned() } else { format!("{n} findings") }
}

/// What was found in all folders.
struct Found {
    report: LintReport,
    /// Of what is found now.
    baseline: Baseline,
    fail_on: FailOn,
}

fn look(args: &Args) -> Result<Found, CliError> {
    let mut found = Findings::new(root());
    let (mut fail_on, mut known) = (args.fail_on, args.baseline.clone());
    for folder in &args.folders {
        let folder = tidy(folder);
        let mut project = args.options.read(&folder)?;
        let mut live = None;
        if args.database.is_some() {
            let read_as = |convention| args.options.read_as(&folder, convention);
            let found = planning::live(args.database.clone(), project, read_as)?;
            project = found.project;
            if let Some(begun) = found.begun {
                out::say(&format!(
                    "note: release {} is not over in this database; its migrations are looked at on the schema of the files before them\n",
                    begun.release
                ));
                project.pg_version = project.pg_version.or(Some(found.base.version));
                live = Some((begun.pending(&project.folder), None));
            } else {
                live = Some((found.pending, Some(found.base)));
            }
        }
        let releases = releases(args, &project, live)?;
        found.add(&project, releases);
        fail_on = fail_on.or(project.lint.fail_on);
        known = known.or(project.lint.baseline);
    }
    let baseline = found.baseline();
    if let (None, Some(path)) = (&args.write_baseline, known) {
        found.without(&path)?;
    }
    Ok(Found { report: found.report(), baseline, fail_on: fail_on.unwrap_or_default() })
}

fn releases(args: &Args, project: &Project, live: Option<(Pending, Option<Base>)>) -> Result<Releases, CliError> {
    let observe = |pending: &Pending| match args.observe {
        true => planning::observe(&args.server, project, pending),
        false => Ok(Seen::default()),
    };
    let one = |pending: &Pending, base: Option<&Base>| {
        let seen = observe(pending)?;
        let observed = args.observe.then_some(&seen.effects);
        let version = project.pg_version.or(base.map(|base| base.version)).unwrap_or_else(|| project.version());
        let real = base.map(|base| &base.schema).or(seen.base.as_ref());
        Ok::<_, CliError>(project.check(Request { observed, version, ..project.request(pending).on(real) }))
    };
    if let Some(reference) = &args.base {
        let (pending, others) = git::pending_since(&project.folder, reference)?;
        return Ok(Releases { others, ..one(&pending, None)? });
    }
    if let Some((pending, base)) = live {
        return one(&pending, base.as_ref());
    }
    if project.from.is_some() {
        return one(&planning::pending(project)?, None);
    }
    if args.fix {
        return Err(CliError::usage("--fix changes pending migrations, and nothing says which are pending")
            .hint("say it with --base, --from or --database; a migration that is applied must stay as it is"));
    }
    if project.blue_source.is_some() {
        out::say(
            "note: blue's source is not searched: without --base, --from or --database each migration is a release of its own, and today's source is none of theirs\n",
        );
    }
    let all = Pending { applied: Vec::new(), pending: project.folder.migrations.clone() };
    let seen = observe(&all)?;
    Ok(project.check_each(args.observe.then_some(&seen.effects)))
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
