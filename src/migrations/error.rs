//! Why a folder of migrations cannot be used.

use camino::Utf8PathBuf;

use super::tools::Convention;
use super::version::Version;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Reading failed; the message names the path.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// No migration in it.
    #[error("no migrations in {folder}{}", .hint)]
    Empty {
        /// The folder.
        folder: Utf8PathBuf,
        /// What was there instead, perhaps.
        hint: String,
    },
    /// Text that is not UTF-8.
    #[error("{path}:{line}: byte {offset} is not UTF-8; convert the file, PostgreSQL will not read it as it is")]
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
    /// Two files of one version.
    #[error("version {version} twice: {first} and {second}; rename one of them")]
    DuplicateVersion {
        /// The version.
        version: Version,
        /// The one file.
        first: Utf8PathBuf,
        /// The other.
        second: Utf8PathBuf,
    },
    /// A name the convention does not accept.
    #[error("{path}: {reason}; {convention} does not take it")]
    BadName {
        /// The file.
        path: Utf8PathBuf,
        /// The convention.
        convention: Convention,
        /// What is wrong with it.
        reason: String,
    },
    /// Names of more than one convention.
    #[error(
        "the names in {folder} do not fit one convention: {fits} {convention} ({example}), {rest} not ({other}); say which one with --convention"
    )]
    Mixed {
        /// The folder.
        folder: Utf8PathBuf,
        /// The convention some of them fit.
        convention: Convention,
        /// How many fit.
        fits: String,
        /// One that fits.
        example: Utf8PathBuf,
        /// How many do not.
        rest: usize,
        /// One that does not.
        other: Utf8PathBuf,
    },
    /// Two conventions read it differently.
    #[error("{folder} is ambiguous: {reason}; say which one with --convention")]
    Ambiguous {
        /// The folder.
        folder: Utf8PathBuf,
        /// Why.
        reason: String,
    },
    /// A file of another tool than the folder's.
    #[error("{path} is a migration of {tool}; say so with --convention {tool}")]
    Foreign {
        /// A file.
        path: Utf8PathBuf,
        /// The tool.
        tool: Convention,
    },
    /// A file that its own tool would not accept.
    #[error("{path}: {message}")]
    BadFile {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A placeholder without a value.
    #[error("{path}:{line}:{column}: nothing says what ${{{name}}} stands for; pass --placeholder {name}=VALUE")]
    Placeholder {
        /// The file.
        path: Utf8PathBuf,
        /// 1-based.
        line: u32,
        /// 1-based.
        column: u32,
        /// Its name.
        name: String,
    },
    /// `--from` names no migration.
    #[error("no migration has version {version}; the folder goes from {first} to {last}")]
    UnknownVersion {
        /// What was asked for.
        version: String,
        /// The first one there is.
        first: Version,
        /// The last one there is.
        last: Version,
    },
}
