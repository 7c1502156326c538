//! Why queries cannot be read at all. What concerns one query is a diagnostic.

use camino::Utf8PathBuf;

/// Why a workload cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// Reading failed; the message names the path.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// There is nothing there.
    #[error("{0} does not exist: no queries to read")]
    Missing(Utf8PathBuf),
    /// Text that is not UTF-8.
    #[error("{path}:{line}: byte {offset} is not UTF-8; convert the file")]
    NotUtf8 {
        /// The file.
        path: Utf8PathBuf,
        /// 1-based.
        line: usize,
        /// 0-based byte offset.
        offset: usize,
    },
    /// A path that is not UTF-8.
    #[error("the name of {0:?} is not UTF-8")]
    PathNotUtf8(std::path::PathBuf),
    /// No query in it.
    #[error("no queries in {path}: {wanted}")]
    Empty {
        /// Where.
        path: Utf8PathBuf,
        /// What was looked for.
        wanted: String,
    },
    /// Nothing that is known.
    #[error("{path} holds no queries that cutover knows; say what it is, for example {example}")]
    Unknown {
        /// Where.
        path: Utf8PathBuf,
        /// The ways to say it.
        example: String,
    },
    /// More than one source.
    #[error("{path} may be read as {found}; say which one: {choices}")]
    Ambiguous {
        /// Where.
        path: Utf8PathBuf,
        /// What was found.
        found: String,
        /// The ways to say it.
        choices: String,
    },
    /// A live server where files are wanted.
    #[error("{0} is a live server; only the command can ask it")]
    Live(String),
    /// Something in a `#name=value` that is not known.
    #[error("{text}: {reason}; a filter is #application_name=…,user=…,database=…")]
    Filter {
        /// The text.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// A file that is not what it should be.
    #[error("{path}{}: {reason}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
    Malformed {
        /// The file.
        path: Utf8PathBuf,
        /// 1-based.
        line: Option<usize>,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A workload file of another version.
    #[error(
        "{path} is a workload of format version {found}, and this cutover reads version {known}; {}",
        if .found > .known { "read it with a newer cutover" } else { "record it again" }
    )]
    Version {
        /// The file.
        path: Utf8PathBuf,
        /// What it says.
        found: u64,
        /// What is read here.
        known: u64,
    },
}
