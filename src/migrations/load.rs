//! Reading a folder into ordered migrations, with every way that can go wrong named.

use std::cmp::Ordering;

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};

use super::detect::{self, Found};
use super::{Convention, diesel, plain, refinery, sqlx};
use crate::digest::hex;
use crate::source::{FileId, Sources};

/// A version in its convention's own spelling. Versions made of digits compare as numbers, others as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// From its spelling.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn number(&self) -> Option<u128> {
        self.0.parse().ok()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One migration.
#[derive(Debug, Clone)]
pub struct Migration {
    /// Its version.
    pub version: Version,
    /// Its name without version and ending.
    pub name: String,
    /// Path below the folder.
    pub path: Utf8PathBuf,
    /// Its text.
    pub file: FileId,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// An ordered folder of migrations.
#[derive(Debug, Clone)]
pub struct Folder {
    /// How it was read.
    pub convention: Convention,
    /// Where it is.
    pub path: Utf8PathBuf,
    /// The texts.
    pub sources: Sources,
    /// The migrations, in order.
    pub migrations: Vec<Migration>,
}

/// A folder divided at the version that production is at.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    /// Already applied, in order.
    pub applied: Vec<Migration>,
    /// To be applied, in order.
    pub pending: Vec<Migration>,
}

/// Why a folder can not be used.
#[derive(Debug, thiserror::Error)]
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
    #[error("{path}: {reason} ({convention} would fail on it)")]
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
    /// A convention that is recognised and not read.
    #[error(
        "{path} is a migration of {tool}, which cutover does not read yet; convert it, or pass plain files of forward migrations"
    )]
    Unsupported {
        /// A file.
        path: Utf8PathBuf,
        /// The tool.
        tool: &'static str,
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

/// Reads a folder. Without a convention it is detected, and refused when that is ambiguous.
pub fn load(folder: &Utf8Path, convention: Option<Convention>) -> Result<Folder, LoadError> {
    let mut paths = Vec::new();
    walk(folder, Utf8Path::new(""), 0, &mut paths)?;
    paths.sort();
    let sql: Vec<_> = paths.iter().filter(|p| p.extension() == Some("sql")).cloned().collect();
    let detected = convention.is_none();
    let convention = match convention {
        Some(convention) => convention,
        None => detect::detect(folder, &sql)?,
    };
    let found = listing(convention, &sql)?;
    if found.is_empty() {
        let hint = match (sql.len(), paths.len()) {
            (0, 0) => " (the folder is empty)".to_owned(),
            (0, n) => format!(" ({n} files, none of them .sql)"),
            (n, _) => format!(" ({n} .sql files, none named as {convention} names them, such as {})", sql[0]),
        };
        return Err(LoadError::Empty { folder: folder.to_owned(), hint });
    }
    let mut files = Vec::with_capacity(found.len());
    for found in found {
        let bytes = fs_err::read(folder.join(&found.path))?;
        files.push((found, bytes));
    }
    Folder::assemble(convention, folder, files, detected)
}

fn listing(convention: Convention, paths: &[Utf8PathBuf]) -> Result<Vec<Found>, LoadError> {
    let mut found = match convention {
        Convention::Refinery => refinery::list(paths)?,
        Convention::Sqlx => sqlx::list(paths)?,
        Convention::Diesel => diesel::list(paths),
        Convention::Plain => plain::list(paths)?,
    };
    match convention {
        Convention::Refinery | Convention::Sqlx => found.sort_by(|a, b| a.version.cmp(&b.version)),
        Convention::Diesel => found.sort_by(|a, b| a.version.as_str().cmp(b.version.as_str())),
        Convention::Plain => {}
    }
    if let Some(pair) = found.windows(2).find(|pair| pair[0].version == pair[1].version) {
        return Err(LoadError::DuplicateVersion {
            version: pair[0].version.clone(),
            first: pair[0].path.clone(),
            second: pair[1].path.clone(),
        });
    }
    Ok(found)
}

fn walk(root: &Utf8Path, below: &Utf8Path, depth: usize, paths: &mut Vec<Utf8PathBuf>) -> Result<(), LoadError> {
    const DEEPEST: usize = 4;
    for entry in fs_err::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(LoadError::PathNotUtf8(entry.path()));
        };
        if name.starts_with('.') {
            continue;
        }
        let path = below.join(name);
        // Follows links, as the migration tools do.
        if fs_err::metadata(entry.path())?.is_dir() {
            if depth < DEEPEST {
                walk(root, &path, depth + 1, paths)?;
            }
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

impl Folder {
    /// Migrations that are already in memory, in the order given: (path, text).
    pub fn from_files(
        convention: Convention,
        files: impl IntoIterator<Item = (Utf8PathBuf, String)>,
    ) -> Result<Self, LoadError> {
        let mut all = Vec::new();
        for (path, text) in files {
            let found = listing(convention, std::slice::from_ref(&path))?;
            all.extend(found.into_iter().map(|found| (found, text.clone().into_bytes())));
        }
        Self::assemble(convention, Utf8Path::new(""), all, false)
    }

    fn assemble(
        convention: Convention,
        folder: &Utf8Path,
        files: Vec<(Found, Vec<u8>)>,
        detected: bool,
    ) -> Result<Self, LoadError> {
        let mut sources = Sources::new();
        let mut migrations = Vec::with_capacity(files.len());
        for (found, bytes) in files {
            let sha256 = hex(&Sha256::digest(&bytes));
            let path = folder.join(&found.path);
            let text = String::from_utf8(bytes).map_err(|error| {
                let offset = error.utf8_error().valid_up_to();
                let line = error.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count() + 1;
                LoadError::NotUtf8 { path: path.clone(), line, offset }
            })?;
            detect::refuse_foreign(&path, &text, detected)?;
            let file = sources.add(path, text);
            migrations.push(Migration { version: found.version, name: found.name, path: found.path, file, sha256 });
        }
        Ok(Self { convention, path: folder.to_owned(), sources, migrations })
    }

    /// Divides the folder behind the version that production is at. `None`: nothing is applied yet.
    pub fn pending_after(&self, from: Option<&str>) -> Result<Pending, LoadError> {
        let Some(from) = from else {
            return Ok(Pending { applied: Vec::new(), pending: self.migrations.clone() });
        };
        let wanted = match self.convention {
            Convention::Refinery => from.trim_start_matches(['V', 'v', 'U', 'u']),
            Convention::Sqlx | Convention::Diesel | Convention::Plain => from,
        };
        let wanted = Version::new(wanted.trim_end_matches(".sql"));
        let exact = self.migrations.iter().position(|m| m.version.cmp(&wanted) == Ordering::Equal);
        // `--from 0042` names `0042_add_users.sql`, as long as only one file starts so.
        let starts = |m: &&Migration| m.version.as_str().starts_with(wanted.as_str());
        let prefixed = || match self.migrations.iter().filter(starts).count() {
            1 => self.migrations.iter().position(|m| starts(&m)),
            _ => None,
        };
        match (exact.or_else(prefixed), self.migrations.first(), self.migrations.last()) {
            (Some(at), _, _) => {
                let (applied, pending) = self.migrations.split_at(at + 1);
                Ok(Pending { applied: applied.to_vec(), pending: pending.to_vec() })
            }
            (None, Some(first), Some(last)) => Err(LoadError::UnknownVersion {
                version: from.to_owned(),
                first: first.version.clone(),
                last: last.version.clone(),
            }),
            (None, _, _) => Ok(Pending::default()),
        }
    }

    /// Divides the folder by whether a migration is applied already.
    pub fn pending_unless(&self, applied: impl Fn(&Migration) -> bool) -> Pending {
        let (applied, pending) = self.migrations.iter().cloned().partition(applied);
        Pending { applied, pending }
    }

    /// Divides the folder by what a history table says. Versions of the history that the folder lacks are returned beside it.
    pub fn pending_by_history(&self, applied: &[String]) -> (Pending, Vec<String>) {
        let mut unknown: Vec<String> = applied.to_vec();
        let (mut done, mut pending) = (Vec::new(), Vec::new());
        for migration in &self.migrations {
            let known = |version: &String| Version::new(version.as_str()).cmp(&migration.version) == Ordering::Equal;
            match unknown.iter().position(known) {
                Some(at) => {
                    unknown.swap_remove(at);
                    done.push(migration.clone());
                }
                None => pending.push(migration.clone()),
            }
        }
        (Pending { applied: done, pending }, unknown)
    }
}
