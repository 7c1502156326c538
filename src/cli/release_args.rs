//! What `plan` and `rehearse` share: which migrations, which of them are pending, and whose queries count.

use camino::Utf8PathBuf;

use super::error::CliError;
use crate::config::{self, Config};
use crate::diagnostic::Diagnostic;
use crate::effect::PgVersion;
use crate::migrations::{self, Convention, Folder};
use crate::source::Sources;
use crate::workload::{self, Workload};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct ReleaseArgs {
    /// A folder of migrations, or one with a `cutover.toml` that says where they are
    #[arg(value_name = "DIR")]
    pub(super) folder: Utf8PathBuf,
    /// The version production is at; what stands after it is pending (`none`: everything is)
    #[arg(long, value_name = "VERSION")]
    pub(super) from: Option<String>,
    /// How the folder is named and ordered; detected if not given
    #[arg(long, value_name = "NAME", value_parser = convention)]
    convention: Option<Convention>,
    /// Queries of the version in production: a folder of .sql files, or one file
    #[arg(long, value_name = "DIR")]
    blue: Option<Utf8PathBuf>,
    /// Queries of the version being released
    #[arg(long, value_name = "DIR")]
    green: Option<Utf8PathBuf>,
    /// The PostgreSQL that production runs: what statements cost depends on it (15 if not given)
    #[arg(long, value_name = "VERSION")]
    pg_version: Option<PgVersion>,
}

fn convention(text: &str) -> Result<Convention, String> {
    text.parse()
}

/// The input of a release, read.
#[derive(Debug)]
pub(super) struct ReleaseInput {
    pub(super) folder: Folder,
    pub(super) from: Option<String>,
    pub(super) blue: Option<Workload>,
    pub(super) green: Option<Workload>,
    pub(super) version: Option<PgVersion>,
    /// Findings on queries, with the files they point to.
    pub(super) unread: Vec<(Diagnostic, Sources)>,
}

impl ReleaseArgs {
    pub(super) fn read(&self) -> Result<ReleaseInput, CliError> {
        if !self.folder.is_dir() {
            let what = if self.folder.exists() { "is not a folder" } else { "does not exist" };
            return Err(CliError::usage(format!("{} {what}", self.folder)));
        }
        let config = config::find(&self.folder).map_err(CliError::usage)?;
        let Config { migrations, convention, from, blue, green } = config.unwrap_or_default();
        let folder = migrations.unwrap_or_else(|| self.folder.clone());
        let folder = migrations::load(&folder, self.convention.or(convention)).map_err(CliError::usage)?;
        let mut unread = Vec::new();
        let mut queries = |path: Option<Utf8PathBuf>| match path {
            Some(path) if !path.exists() => Err(CliError::usage(format!("{path} does not exist: no queries to read"))),
            Some(path) => {
                let (workload, diagnostics) = workload::load(&path).map_err(CliError::usage)?;
                unread.extend(diagnostics.into_iter().map(|d| (d, workload.sources.clone())));
                Ok::<_, CliError>(Some(workload))
            }
            None => Ok(None),
        };
        let blue = queries(self.blue.clone().or(blue))?;
        let green = queries(self.green.clone().or(green))?;
        let from = self.from.clone().or(from);
        Ok(ReleaseInput { folder, from, blue, green, version: self.pg_version, unread })
    }
}
