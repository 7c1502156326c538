//! What `plan` and `rehearse` share: which migrations, which of them are pending, and whose queries count.

use camino::{Utf8Path, Utf8PathBuf};

use super::error::CliError;
use super::source_tree::SourceTree;
use super::{out, queries};
use crate::compat::Assume;
use crate::compat::mention::Tree;
use crate::config::{self, Config, LintConfig};
use crate::diagnostic::Diagnostic;
use crate::effect::PgVersion;
use crate::migrations::{self, Convention, Folder, Migration, Pending, Reading};
use crate::plan::Request;
use crate::schema::Schema;
use crate::source::Sources;
use crate::stats::{Settings, Statistics, Weighing};
use crate::workload::{Location, Workload};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct ReleaseArgs {
    /// A folder of migrations, or one with a `cutover.toml` that says where they are
    #[arg(value_name = "DIR")]
    folder: Utf8PathBuf,
    #[command(flatten)]
    options: ReleaseOptions,
}

#[derive(Debug, Clone, clap::Args)]
pub(super) struct ReleaseOptions {
    /// The version production is at; what stands after it is pending (`none`: everything is)
    #[arg(long, value_name = "VERSION")]
    from: Option<String>,
    /// A dump of production's schema (`pg_dump --schema-only`, `structure.sql`): it is the schema before the release, instead of what the applied
    /// migrations make
    #[arg(long, value_name = "FILE")]
    base_schema: Option<Utf8PathBuf>,
    /// How the folder is named and ordered; detected if not given
    #[arg(long, value_name = "NAME", value_parser = convention)]
    convention: Option<Convention>,
    /// The table of the tool's history, with its schema (`ops.flyway_schema_history`); looked for if not given
    #[arg(long, value_name = "[SCHEMA.]TABLE")]
    history_table: Option<String>,
    /// The value of `${NAME}` in migrations of Flyway, or of goose with ENVSUB; can be given several times
    #[arg(long = "placeholder", value_name = "NAME=VALUE", value_parser = placeholder)]
    placeholders: Vec<(String, String)>,
    /// Queries of the version in production: .sql files, sqlx's or sqlc's, a log, a recorded workload, models; SOURCE:PATH says which
    #[arg(long, value_name = "PATH")]
    blue: Option<String>,
    /// Queries of the version being released
    #[arg(long, value_name = "PATH")]
    green: Option<String>,
    /// The source of the version in production: the plan shows where it mentions what a step takes away. It moves no step; can be given several times
    #[arg(long, value_name = "DIR")]
    blue_source: Vec<Utf8PathBuf>,
    /// What to assume beyond the listed queries: `workload` takes a version to use what its queries use, `worst-case` takes it to use everything
    /// that its schema offers, and the queries only prove what breaks (the default for a version without queries)
    #[arg(long, value_name = "WHAT")]
    assume: Option<Assume>,
    /// The PostgreSQL that production runs: what statements cost depends on it (that of --stats if not given, or else 15)
    #[arg(long, value_name = "VERSION")]
    pg_version: Option<PgVersion>,
    /// Table sizes and query load, from `cutover stats`: hazards are weighed by them
    #[arg(long, value_name = "FILE")]
    stats: Option<Utf8PathBuf>,
}

fn convention(text: &str) -> Result<Convention, String> {
    text.parse()
}

fn placeholder(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A dump that stands for the applied migrations.
#[derive(Debug)]
pub(super) struct Dump {
    pub(super) file: Migration,
    /// The schema it makes.
    pub(super) schema: Schema,
    /// Whether all of it could be read.
    pub(super) certain: bool,
}

/// The input of a release, read.
#[derive(Debug)]
pub(super) struct ReleaseInput {
    pub(super) folder: Folder,
    pub(super) from: Option<String>,
    /// The same, if it was said on the command line.
    pub(super) from_flag: Option<String>,
    /// A dump that stands for the applied migrations, and its schema.
    pub(super) dump: Option<Dump>,
    /// Where the history of the folder's tool is, if somebody says it.
    pub(super) history_table: Option<String>,
    pub(super) blue: Option<Workload>,
    pub(super) green: Option<Workload>,
    /// What the team makes of findings.
    pub(super) lint: LintConfig,
    pub(super) version: Option<PgVersion>,
    /// How far the queries are believed.
    pub(super) assume: Assume,
    /// What production holds and is asked.
    pub(super) weighing: Option<Weighing>,
    /// Blue's source.
    pub(super) blue_source: Option<SourceTree>,
    /// Findings on queries, with the files they point to.
    pub(super) unread: Vec<(Diagnostic, Sources)>,
}

impl ReleaseArgs {
    pub(super) fn read(&self) -> Result<ReleaseInput, CliError> {
        self.options.read(&self.folder)
    }

    /// Reads it as a convention's.
    pub(super) fn read_as(&self, convention: Convention) -> Result<ReleaseInput, CliError> {
        self.options.read_as(&self.folder, convention)
    }
}

impl ReleaseArgs {
    /// What was named.
    pub(super) fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// Whether an option is given that a plan would be another by.
    pub(super) fn changes_the_plan(&self) -> bool {
        let ReleaseOptions {
            from,
            base_schema,
            convention,
            history_table,
            placeholders,
            blue,
            green,
            blue_source,
            assume,
            pg_version,
            stats,
        } = &self.options;
        let read = base_schema.is_some() || history_table.is_some();
        let named =
            read || from.is_some() || blue.is_some() || green.is_some() || stats.is_some() || !blue_source.is_empty();
        named || assume.is_some() || convention.is_some() || pg_version.is_some() || !placeholders.is_empty()
    }
}

impl ReleaseOptions {
    /// Reads a release as a convention's, whatever its names fit.
    pub(super) fn read_as(&self, given: &Utf8Path, convention: Convention) -> Result<ReleaseInput, CliError> {
        Self { convention: Some(convention), ..self.clone() }.read(given)
    }

    pub(super) fn read(&self, given: &Utf8Path) -> Result<ReleaseInput, CliError> {
        if !given.is_dir() {
            let what = if given.exists() { "is not a folder" } else { "does not exist" };
            return Err(CliError::usage(format!("{given} {what}")));
        }
        let config = config::find(given).map_err(CliError::usage)?;
        let Config {
            migrations,
            convention,
            placeholders,
            from,
            base_schema,
            history_table,
            blue,
            green,
            blue_source,
            assume,
            lint,
            stats,
        } = config.unwrap_or_default();
        let folder = migrations.unwrap_or_else(|| given.to_owned());
        let values = self.placeholders.iter().cloned();
        let reading = Reading {
            convention: self.convention.or(convention),
            placeholders: placeholders.into_iter().chain(values).collect(),
        };
        let mut folder = migrations::load_with(&folder, &reading).map_err(CliError::usage)?;
        let dump = self.base_schema.clone().or(base_schema);
        let dump = dump.map(|path| folder.add_dump(&path)).transpose().map_err(CliError::usage)?;
        let dump = dump.map(|dump| {
            let (schema, certain) = crate::plan::replay(&folder, std::slice::from_ref(&dump));
            Dump { file: dump, schema, certain }
        });
        let history_table = self.history_table.clone().or(history_table);
        let mut unread = Vec::new();
        let mut known = Vec::new();
        let mut queries = |given: &Option<String>, configured: Option<Location>| {
            let given = given.as_deref().map(Location::parse).transpose().map_err(CliError::usage)?;
            let Some(location) = given.or(configured) else { return Ok(None) };
            known.push(Utf8PathBuf::from(&location.path));
            let (workload, diagnostics) = queries::load(&location)?;
            unread.extend(diagnostics.into_iter().map(|d| (d, workload.sources.clone())));
            Ok::<_, CliError>(Some(workload))
        };
        let blue = queries(&self.blue, blue)?;
        let green = queries(&self.green, green)?;
        let assume = self.assume.or(assume);
        if assume == Some(Assume::Workload) && (blue.is_none() || green.is_none()) {
            return Err(CliError::usage("--assume workload needs the queries of both versions")
                .hint("give them with --blue and --green; a version without queries is taken to use everything"));
        }
        let roots = if self.blue_source.is_empty() { blue_source } else { self.blue_source.clone() };
        // A file of queries mentions all that they use, and a folder of them may hold the program, too.
        let known = known.iter().filter(|path| path.is_file()).map(|path| &**path).chain([&*folder.path]);
        let blue_source = (!roots.is_empty()).then(|| SourceTree::new(roots, known)).transpose()?;
        let from = self.from.clone().or(from);
        let weighing = match self.stats.as_ref().or(stats.file.as_ref()) {
            Some(path) => Some(weighing(path, stats.settings)?),
            None => None,
        };
        let (version, assume) = (self.pg_version, assume.unwrap_or_default());
        Ok(ReleaseInput {
            folder,
            from,
            from_flag: self.from.clone(),
            dump,
            history_table,
            blue,
            green,
            version,
            assume,
            weighing,
            blue_source,
            unread,
            lint,
        })
    }
}

impl ReleaseInput {
    /// The PostgreSQL to plan for, where no server is asked.
    pub(super) fn version(&self) -> PgVersion {
        self.version.or_else(|| self.weighing.as_ref().map(Weighing::version)).unwrap_or_default()
    }

    /// What the plan of these migrations is made of, as far as the arguments say it.
    pub(super) fn request<'a>(&'a self, pending: &'a Pending) -> Request<'a> {
        Request {
            blue: self.blue.as_ref(),
            green: self.green.as_ref(),
            weighing: self.weighing.as_ref(),
            version: self.version(),
            assume: self.assume,
            blue_source: self.blue_source.as_ref().map(|tree| tree as &dyn Tree),
            history_table: self.history_table.as_deref(),
            base: self.dump.as_ref().map(|dump| &dump.schema),
            base_is_uncertain: self.dump.as_ref().is_some_and(|dump| !dump.certain),
            base_files: self.dump.as_ref().map(|dump| std::slice::from_ref(&dump.file)).unwrap_or_default(),
            ..Request::new(&self.folder, pending)
        }
    }
}

/// Reads a file of statistics and says what is wrong with it as a whole.
fn weighing(path: &Utf8Path, settings: Settings) -> Result<Weighing, CliError> {
    let again = "write it again: cutover stats --database URL -o";
    let text = fs_err::read_to_string(path).map_err(|error| CliError::usage(error).hint(format!("{again} {path}")))?;
    let statistics = Statistics::from_json(&text)
        .map_err(|error| CliError::usage(format!("{path}: {error}")).hint(format!("{again} {path}")))?;
    let measured: Option<jiff::Timestamp> = statistics.measured_at.parse().ok();
    let age = measured.map(|at| jiff::Timestamp::now().duration_since(at).as_secs_f64() / 86_400.0);
    let weighing = Weighing::new(statistics, settings, age);
    for doubt in weighing.doubts() {
        out::say(&format!("warning: {path}: {doubt}; its figures are taken as assumed ({again} {path})\n"));
    }
    for missing in weighing.missing() {
        out::say(&format!("note: {path}: {missing}\n"));
    }
    Ok(weighing)
}
