//! What `plan` and `rehearse` share: which migrations, which of them are pending, and whose queries count.

use camino::{Utf8Path, Utf8PathBuf};

use super::error::CliError;
use super::queries;
use crate::config::{self, Config, LintConfig};
use crate::diagnostic::Diagnostic;
use crate::effect::PgVersion;
use crate::migrations::{self, Convention, Folder, Reading};
use crate::source::Sources;
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
    /// How the folder is named and ordered; detected if not given
    #[arg(long, value_name = "NAME", value_parser = convention)]
    convention: Option<Convention>,
    /// The value of `${NAME}` in migrations of Flyway, or of goose with ENVSUB; can be given several times
    #[arg(long = "placeholder", value_name = "NAME=VALUE", value_parser = placeholder)]
    placeholders: Vec<(String, String)>,
    /// Queries of the version in production: .sql files, sqlx's or sqlc's, a log, a recorded workload, models; SOURCE:PATH says which
    #[arg(long, value_name = "PATH")]
    blue: Option<String>,
    /// Queries of the version being released
    #[arg(long, value_name = "PATH")]
    green: Option<String>,
    /// The PostgreSQL that production runs: what statements cost depends on it (15 if not given)
    #[arg(long, value_name = "VERSION")]
    pg_version: Option<PgVersion>,
}

fn convention(text: &str) -> Result<Convention, String> {
    text.parse()
}

fn placeholder(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The input of a release, read.
#[derive(Debug)]
pub(super) struct ReleaseInput {
    pub(super) folder: Folder,
    pub(super) from: Option<String>,
    pub(super) blue: Option<Workload>,
    pub(super) green: Option<Workload>,
    /// What the team makes of findings.
    pub(super) lint: LintConfig,
    pub(super) version: Option<PgVersion>,
    /// Findings on queries, with the files they point to.
    pub(super) unread: Vec<(Diagnostic, Sources)>,
}

impl ReleaseArgs {
    pub(super) fn read(&self) -> Result<ReleaseInput, CliError> {
        self.options.read(&self.folder)
    }
}

impl ReleaseOptions {
    pub(super) fn read(&self, given: &Utf8Path) -> Result<ReleaseInput, CliError> {
        if !given.is_dir() {
            let what = if given.exists() { "is not a folder" } else { "does not exist" };
            return Err(CliError::usage(format!("{given} {what}")));
        }
        let config = config::find(given).map_err(CliError::usage)?;
        let Config { migrations, convention, placeholders, from, blue, green, lint } = config.unwrap_or_default();
        let folder = migrations.unwrap_or_else(|| given.to_owned());
        let values = self.placeholders.iter().cloned();
        let reading = Reading {
            convention: self.convention.or(convention),
            placeholders: placeholders.into_iter().chain(values).collect(),
        };
        let folder = migrations::load_with(&folder, &reading).map_err(CliError::usage)?;
        let mut unread = Vec::new();
        let mut queries = |given: &Option<String>, configured: Option<Location>| {
            let given = given.as_deref().map(Location::parse).transpose().map_err(CliError::usage)?;
            let Some(location) = given.or(configured) else { return Ok(None) };
            let (workload, diagnostics) = queries::load(&location)?;
            unread.extend(diagnostics.into_iter().map(|d| (d, workload.sources.clone())));
            Ok::<_, CliError>(Some(workload))
        };
        let blue = queries(&self.blue, blue)?;
        let green = queries(&self.green, green)?;
        let from = self.from.clone().or(from);
        Ok(ReleaseInput { folder, from, blue, green, version: self.pg_version, unread, lint })
    }
}
