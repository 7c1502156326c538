//! What `plan` and `rehearse` share: which migrations, which of them are pending, and whose queries count.

use camino::{Utf8Path, Utf8PathBuf};

use super::error::CliError;
use super::source_tree::SourceTree;
use super::{out, queries, settings};
use crate::compat::Assume;
use crate::effect::PgVersion;
use crate::migrations::Convention;
use crate::project::{self, Inputs, Project};
use crate::release::ReleaseDefinition;
use crate::workload::Location;

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

impl ReleaseArgs {
    pub(super) fn read(&self) -> Result<Project, CliError> {
        self.options.read(&self.folder)
    }

    /// Reads it as a convention's.
    pub(super) fn read_as(&self, convention: Convention) -> Result<Project, CliError> {
        self.options.read_as(&self.folder, convention)
    }

    /// What was named.
    pub(super) fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// Whether an option says what the schema before the release is.
    pub(super) fn says_base(&self) -> bool {
        self.options.from.is_some() || self.options.base_schema.is_some()
    }

    /// Whether an option is given that a plan would be another by.
    pub(super) fn changes_the_plan(&self) -> Result<bool, CliError> {
        Ok(self.options.inputs()? != Inputs::default())
    }
}

impl ReleaseOptions {
    /// Reads a release as a convention's, whatever its names fit.
    pub(super) fn read_as(&self, given: &Utf8Path, convention: Convention) -> Result<Project, CliError> {
        Self { convention: Some(convention), ..self.clone() }.read(given)
    }

    /// Reads a release, and says what is to be said about its input.
    pub(super) fn read(&self, given: &Utf8Path) -> Result<Project, CliError> {
        let definition = project::Definition::find_with(given, &self.inputs()?, &settings::variables())?;
        let mut project = definition.open_with(queries::load)?;
        if !definition.inputs.blue_source.is_empty() {
            let known = definition.known_to_mention();
            let tree = SourceTree::new(definition.inputs.blue_source, known.iter().map(|path| &**path))?;
            project.blue_source = Some(Box::new(tree));
        }
        for note in &project.notes {
            out::say(&format!("{note}\n"));
        }
        Ok(project)
    }

    fn inputs(&self) -> Result<Inputs, CliError> {
        let queries =
            |given: &Option<String>| given.as_deref().map(Location::parse).transpose().map_err(CliError::usage);
        Ok(Inputs {
            convention: self.convention,
            placeholders: self.placeholders.iter().cloned().collect(),
            from: self.from.clone(),
            base_schema: self.base_schema.clone(),
            history_table: self.history_table.clone(),
            blue: queries(&self.blue)?,
            green: queries(&self.green)?,
            blue_source: self.blue_source.clone(),
            assume: self.assume,
            pg_version: self.pg_version,
            stats: self.stats.clone(),
            release: ReleaseDefinition::default(),
        })
    }
}
