//! Why a project cannot be used, with what to do next.

use camino::Utf8PathBuf;

use crate::config::ConfigError;
use crate::migrations::LoadError;
use crate::workload::WorkloadError;

/// Why a project cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// There is no such folder.
    #[error("{folder} {}", if *.exists { "is not a folder" } else { "does not exist" })]
    NoFolder {
        /// What was named.
        folder: Utf8PathBuf,
        /// Whether something else is there.
        exists: bool,
    },
    /// Its `cutover.toml` cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its migrations cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The queries of a version cannot be read.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// Queries are to be believed that are not there.
    #[error("--assume workload needs the queries of both versions")]
    AssumeWithoutQueries,
    /// A file of statistics cannot be used.
    #[error("{message}")]
    Statistics {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A dump of the schema, and nothing says which migrations made it.
    #[error("{dump} is the schema that production has, and nothing says which migrations made it")]
    DumpOfUnknownVersion {
        /// The dump.
        dump: Utf8PathBuf,
    },
    /// A baseline cannot be used.
    #[error("{message}")]
    Baseline {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong.
        message: String,
        /// Whether it could be read.
        is_read: bool,
    },
}

impl ProjectError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::AssumeWithoutQueries => Some(
                "give them with --blue and --green; a version without queries is taken to use everything".to_owned(),
            ),
            Self::Statistics { path, .. } => Some(format!("{} {path}", super::definition::MEASURE_AGAIN)),
            Self::DumpOfUnknownVersion { .. } => {
                Some("say it with --from VERSION (`--from none`: none of them)".to_owned())
            }
            Self::Baseline { path, is_read: false, .. } => {
                Some(format!("write it first: cutover lint … --write-baseline {path}"))
            }
            Self::NoFolder { .. } | Self::Config(_) | Self::Load(_) | Self::Workload(_) | Self::Baseline { .. } => None,
        }
    }
}
