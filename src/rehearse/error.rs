//! Why a rehearsal is not played to its end.

use std::time::Duration;

use camino::Utf8PathBuf;
use tokio_postgres::Error;

use crate::execute::ExecuteError;
use crate::postgres::observe::ObserveError;
use crate::postgres::throwaway::ThrowawayError;
use crate::postgres::{IntrospectError, ServerError, history};

/// Whose migrations run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Production has them.
    Production,
    /// A dump of production's schema stands for them.
    Dump,
    /// They fill tables, for the rehearsal.
    Seed,
    /// The release brings them.
    Release,
}

/// Why a rehearsal could not be played to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RehearsalError {
    /// The throwaway server.
    #[error(transparent)]
    Server(#[from] ThrowawayError),
    /// A statement of a migration, or of a dump, does not run.
    #[error("{place}: {} on the throwaway server: {message}", fails(*whose))]
    Base {
        /// Whose it is.
        whose: Whose,
        /// `path:line:column` of the statement.
        place: String,
        /// What the server said.
        message: String,
    },
    /// Something runs for too long.
    #[error("{what}: this ran for longer than {} on the throwaway server", shown(*limit))]
    Limit {
        /// `path:line:column` of the statement, or what else it is.
        what: String,
        /// How long it may take.
        limit: Duration,
    },
    /// A migration that is no SQL.
    #[error("{path} is a {language} program: what it leaves behind cannot be rehearsed")]
    Program {
        /// The file.
        path: String,
        /// Its language.
        language: &'static str,
    },
    /// The release itself.
    #[error(transparent)]
    Release(#[from] ExecuteError),
    /// Reading the catalog.
    #[error(transparent)]
    Catalog(#[from] IntrospectError),
    /// Watching what a statement does.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// Looking at what synthetic rows are to obey.
    #[error("filling tables with synthetic rows failed: {0}")]
    Synthetic(ServerError),
    /// A migration changes a role that the server had before.
    #[error("{place}: this changes a role that the server has: it would stay changed when the rehearsal is over")]
    RoleOfTheServer {
        /// `path:line:column` of the statement.
        place: String,
    },
    /// Measuring the steps on rows that were there.
    #[error("measuring the release failed: {0}")]
    Measuring(ServerError),
    /// An archive of pg_dump.
    #[error("{path} was not restored: {message}")]
    Restore {
        /// Which.
        path: Utf8PathBuf,
        /// What pg_restore said.
        message: String,
    },
    /// Its own bookkeeping.
    #[error("recording what production has applied failed: {0}")]
    History(#[from] history::HistoryError),
}

impl RehearsalError {
    pub(super) fn measuring(error: Error) -> Self {
        Self::Measuring(error.into())
    }
}

fn fails(whose: Whose) -> &'static str {
    match whose {
        Whose::Production => "a migration that production has fails",
        Whose::Dump => "the dump of what production has fails",
        Whose::Seed => "this seed fails",
        Whose::Release => "this pending migration fails where a fresh installation runs it,",
    }
}

pub(super) fn shown(limit: Duration) -> String {
    if limit.subsec_millis() > 0 { format!("{limit:?}") } else { format!("{} s", limit.as_secs()) }
}
