//! Why there is no throwaway server.

use std::path::PathBuf;

use crate::postgres::{ConnectError, TargetError};

/// Why a throwaway server, or a database on it, could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThrowawayError {
    /// No server binaries on this machine.
    #[error("no PostgreSQL server binaries (initdb, postgres) found in {}", list(searched))]
    NoBinaries {
        /// The directories that were looked into.
        searched: Vec<PathBuf>,
    },
    /// Binaries that cannot be used.
    #[error("the PostgreSQL binaries in {} cannot be used: {reason}", directory.display())]
    BadBinaries {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The operating system refuses something.
    #[error("cannot {action}: {reason}")]
    System {
        /// What was tried.
        action: String,
        /// What the operating system said.
        reason: String,
    },
    /// The server's process ended or did not come up.
    #[error("the throwaway PostgreSQL did not start: {reason}")]
    Start {
        /// The last lines of its log.
        reason: String,
    },
    /// The in-process server failed.
    #[error("the embedded PostgreSQL failed to {action}: {reason}")]
    Embedded {
        /// What was tried.
        action: &'static str,
        /// The chain of what it said.
        reason: String,
    },
    /// The server is too old to be tried on.
    #[error("{target} runs PostgreSQL {found}, at least 13 is needed")]
    TooOld {
        /// The server.
        target: String,
        /// Its version.
        found: String,
    },
    /// The role lacks CREATEDB.
    #[error("role {role} may not create a scratch database on {target}")]
    MayNotCreateDatabases {
        /// The role.
        role: String,
        /// The server.
        target: String,
    },
    /// A statement about databases failed.
    #[error("cannot {action} database {database}: {reason}")]
    Database {
        /// `create`, `copy` or `drop`.
        action: &'static str,
        /// Its name.
        database: String,
        /// What the server said.
        reason: String,
    },
    /// A server that was made for this has no database of somebody's.
    #[error("there is no database {database} to copy on a server that is made for the rehearsal")]
    NothingToCopy {
        /// Its name.
        database: String,
    },
    /// A statement about roles failed.
    #[error("cannot {action} role {role}: {reason}")]
    Role {
        /// `read` or `drop`.
        action: &'static str,
        /// Its name.
        role: String,
        /// What the server said.
        reason: String,
    },
    /// No connection to it.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The target is not understood.
    #[error(transparent)]
    Target(#[from] TargetError),
}

impl ThrowawayError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoBinaries { .. } => Some(
                "install PostgreSQL's server (for example apt-get install postgresql), name its bin directory, or use the embedded one"
                    .into(),
            ),
            Self::BadBinaries { .. } => Some("name the bin directory of a PostgreSQL 13 or later".into()),
            Self::MayNotCreateDatabases { role, .. } => Some(format!(
                "run ALTER ROLE {role} CREATEDB as an administrator, or use the embedded or a local server"
            )),
            Self::Connect(error) => error.hint(),
            Self::NothingToCopy { .. } => Some("name the server that has it, with --server URL".into()),
            Self::Database { action: "copy", .. } => Some(
                "nobody may be connected to a database while it is copied, and only its owner or a superuser may copy it, unless it is marked as a template: name a restored backup that nobody uses, on a server that is not production's"
                    .into(),
            ),
            Self::System { .. }
            | Self::Start { .. }
            | Self::Embedded { .. }
            | Self::TooOld { .. }
            | Self::Database { .. }
            | Self::Role { .. }
            | Self::Target(_) => None,
        }
    }

    pub(super) fn system(action: impl Into<String>, error: &std::io::Error) -> Self {
        Self::System { action: action.into(), reason: error.to_string() }
    }

    pub(super) fn role(action: &'static str, role: &str, error: &tokio_postgres::Error) -> Self {
        Self::Role { action, role: role.to_owned(), reason: crate::postgres::server_message(error) }
    }

    pub(super) fn database(action: &'static str, database: &str, error: &tokio_postgres::Error) -> Self {
        let reason = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        Self::Database { action, database: database.to_owned(), reason }
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
