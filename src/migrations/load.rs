//! Reading a folder into ordered migrations, with every way that can go wrong named.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::convention::{Listed, Recorded};
use super::detect::Detected;
use super::error::LoadError;
use super::found::Found;
use super::script::Script;
use super::tools::Convention;
use super::tree::{self, Tree};
use super::version::Version;
use super::{detect, placeholder};
use crate::digest::sha256;
use crate::parallel;
use crate::source::{FileId, Sources, Span};
use crate::sql;

/// One migration.
#[derive(Debug, Clone)]
pub struct Migration {
    /// Its version.
    pub version: Version,
    /// Its name without version and ending.
    pub name: String,
    /// Path below the folder.
    pub path: Utf8PathBuf,
    /// Its file.
    pub file: FileId,
    /// What of the file goes forward, in order. Empty for a program.
    pub parts: Vec<Span>,
    /// Whether its own tool runs it in one transaction.
    pub in_transaction: bool,
    /// The language of a migration that is a program and no SQL.
    pub program: Option<&'static str>,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// The file's text, where placeholders in it were given their values and the sources have another.
    pub original: Option<Arc<str>>,
}

/// An ordered folder of migrations.
#[derive(Debug, Clone)]
pub struct Folder {
    /// How it was read.
    pub convention: Convention,
    /// Other conventions that its names fit as well, where nothing says which tool it is. They read it alike; their histories differ.
    pub alike: Vec<Convention>,
    /// Where it is.
    pub path: Utf8PathBuf,
    /// The texts.
    pub sources: Sources,
    /// The migrations, in order.
    pub migrations: Vec<Migration>,
}

/// Whether a file or a directory is an archive of pg_dump: custom, tar, or a directory.
#[cfg(feature = "live")]
pub fn is_archive_at(path: &Utf8Path) -> std::io::Result<bool> {
    use std::io::Read as _;
    if path.is_dir() {
        return Ok(path.join("toc.dat").is_file());
    }
    let mut head = Vec::new();
    fs_err::File::open(path)?.take(16).read_to_end(&mut head)?;
    Ok(is_archive(&head))
}

/// By its beginning: that of a custom archive, or the name of the first file of a tar.
fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PGDMP") || bytes.starts_with(b"toc.dat\0")
}

/// A folder divided at the version that production is at.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    /// Already applied, in order.
    pub applied: Vec<Migration>,
    /// To be applied, in order.
    pub pending: Vec<Migration>,
}

/// How a folder is to be read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The convention; detected if not given, and refused when that is ambiguous.
    pub convention: Option<Convention>,
    /// Values of `${name}`, where the convention has placeholders (Flyway; goose with ENVSUB).
    pub placeholders: BTreeMap<String, String>,
}

/// Reads a folder. Without a convention it is detected, and refused when that is ambiguous.
pub fn load(folder: &Utf8Path, convention: Option<Convention>) -> Result<Folder, LoadError> {
    load_with(folder, &Reading { convention, ..Reading::default() })
}

/// Reads a folder.
pub fn load_with(folder: &Utf8Path, reading: &Reading) -> Result<Folder, LoadError> {
    let tree = Tree::walk(folder)?;
    let detected = reading.convention.is_none();
    let Detected { convention, alike } = match reading.convention {
        Some(convention) => Detected::sure(convention),
        None => detect::detect(&tree)?,
    };
    let found = listing(convention, &tree)?;
    if found.is_empty() {
        let hint = match (tree.sql().count(), tree.paths.len()) {
            (0, 0) => " (the folder is empty)".to_owned(),
            (0, 1) => " (1 file, and it is not .sql)".to_owned(),
            (0, n) => format!(" ({n} files, none of them .sql)"),
            (1, _) => format!(" ({}, the only .sql file, is not named as {convention} names them)", first_sql(&tree)),
            (n, _) => format!(" ({n} .sql files, none named as {convention} names them, such as {})", first_sql(&tree)),
        };
        return Err(LoadError::Empty { folder: folder.to_owned(), hint });
    }
    let folder = Folder::assemble(convention, folder, &tree, found, detected, &reading.placeholders)?;
    Ok(Folder { alike, ..folder })
}

fn first_sql<'a>(tree: &'a Tree<'_>) -> &'a Utf8Path {
    tree.sql().next().map_or(Utf8Path::new(""), |path| path)
}

fn listing(convention: Convention, tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let found = (convention.tool().list)(tree)?;
    let mut seen: HashMap<&str, &Utf8Path> = HashMap::new();
    for migration in &found {
        if let Some(first) = seen.insert(migration.version.as_str(), &migration.path) {
            return Err(LoadError::DuplicateVersion {
                version: migration.version.clone(),
                first: first.to_owned(),
                second: migration.path.clone(),
            });
        }
    }
    Ok(found)
}

impl Folder {
    /// Migrations that are already in memory: (path, text). Plain ones stay in the order given.
    pub fn from_files(
        convention: Convention,
        files: impl IntoIterator<Item = (Utf8PathBuf, String)>,
    ) -> Result<Self, LoadError> {
        let tree = Tree::of(files);
        let found = listing(convention, &tree)?;
        Self::assemble(convention, Utf8Path::new(""), &tree, found, false, &BTreeMap::new())
    }

    /// A folder without migrations, for what stands beside them.
    #[cfg(feature = "live")]
    pub(crate) fn empty(path: &Utf8Path) -> Self {
        let (sources, migrations) = (Sources::default(), Vec::new());
        Self { convention: Convention::Plain, alike: Vec::new(), path: path.to_owned(), sources, migrations }
    }

    fn assemble(
        convention: Convention,
        folder: &Utf8Path,
        tree: &Tree<'_>,
        listed: Vec<Found>,
        detected: bool,
        placeholders: &BTreeMap<String, String>,
    ) -> Result<Self, LoadError> {
        const FEW: usize = 64;
        let values = placeholder::values(convention, folder, placeholders)?;
        // Several migrations may stand in one file.
        let mut paths: Vec<&Utf8Path> = listed.iter().map(|found| &*found.path).collect();
        paths.dedup();
        let read = parallel::map(&paths, FEW, |path| tree.bytes(path).map(|bytes| (sha256(&bytes), bytes)));
        let mut read = read.into_iter();
        let mut sources = Sources::new();
        let mut migrations = Vec::with_capacity(listed.len());
        let mut last: Option<(Utf8PathBuf, FileId, String, Option<Arc<str>>)> = None;
        for found in listed {
            let (file, sha256, original) = match last.take() {
                Some((path, file, sha256, original)) if path == found.path => (file, sha256, original),
                _ => {
                    let (sha256, bytes) = read.next().transpose()?.unwrap_or_default();
                    let path = tree.place(&found.path);
                    let mut text = tree::utf8(path.clone(), bytes)?;
                    if found.program.is_none() {
                        detect::refuse_foreign(&path, &text, convention, detected)?;
                    }
                    let mut original = None;
                    if let Some(values) = &values {
                        original = Some(Arc::from(text.as_str()));
                        text = values.substitute(&path, text)?;
                    }
                    (sources.add(path, text), sha256, original)
                }
            };
            last = Some((found.path.clone(), file, sha256.clone(), original.clone()));
            let text = &sources.file(file).text;
            let script = match (found.parts, found.program) {
                (_, Some(_)) => Script { parts: Vec::new(), in_transaction: true },
                (Some(parts), None) => Script { parts, in_transaction: true },
                (None, None) => (convention.tool().script)(text)
                    .map_err(|message| LoadError::BadFile { path: tree.place(&found.path), message })?,
            };
            migrations.push(Migration {
                version: found.version,
                name: found.name,
                path: found.path,
                file,
                parts: script.parts.into_iter().map(|range| Span::new(file, range)).collect(),
                in_transaction: found.in_transaction && script.in_transaction,
                program: found.program,
                sha256,
                original,
            });
        }
        Ok(Self { convention, alike: Vec::new(), path: folder.to_owned(), sources, migrations })
    }

    /// Reads a dump of production's schema (`pg_dump --schema-only`, `structure.sql`). It stands beside the migrations, not among them.
    pub fn add_dump(&mut self, path: &Utf8Path) -> Result<Migration, LoadError> {
        let bytes = fs_err::read(path)?;
        if is_archive(&bytes) {
            let message =
                "this is an archive of pg_dump; write it as text (pg_dump --schema-only --format plain)".to_owned();
            return Err(LoadError::BadFile { path: path.to_owned(), message });
        }
        Ok(self.add_text(path, tree::utf8(path.to_owned(), bytes)?))
    }

    /// SQL that stands beside the migrations, not among them.
    pub(crate) fn add_text(&mut self, path: &Utf8Path, text: String) -> Migration {
        let (length, sha256) = (text.len(), sha256(text.as_bytes()));
        let file = self.sources.add(path, text);
        let name = path.file_stem().unwrap_or_default();
        Migration {
            version: Version::new(name),
            name: name.to_owned(),
            path: path.to_owned(),
            file,
            parts: vec![Span::new(file, 0..length)],
            in_transaction: true,
            program: None,
            sha256,
            original: None,
        }
    }

    /// The text of a migration's file, as it stands there.
    pub fn text<'a>(&'a self, migration: &'a Migration) -> &'a str {
        migration.original.as_deref().unwrap_or(&self.sources.file(migration.file).text)
    }

    /// The statements of a migration that go forward, with what is to be said about them. Nothing else of its file is read: what takes it
    /// back may stand there, too.
    pub fn statements(&self, migration: &Migration) -> sql::ReadFile {
        sql::read_parts(&self.sources, &migration.parts)
    }

    /// Divides the folder behind the version that production is at. `None`: nothing is applied yet.
    pub fn pending_after(&self, from: Option<&str>) -> Result<Pending, LoadError> {
        let Some(from) = from else {
            return Ok(Pending { applied: Vec::new(), pending: self.migrations.clone() });
        };
        let wanted = from.trim_start_matches(self.convention.tool().prefixes);
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

    /// Divides the folder behind the version that somebody says; `none`: nothing is applied yet, as without one.
    pub(crate) fn pending_from(&self, said: Option<&str>) -> Result<Pending, LoadError> {
        self.pending_after(said.filter(|from| *from != "none"))
    }

    /// Divides the folder by whether a migration is applied already.
    pub fn pending_unless(&self, applied: impl Fn(&Migration) -> bool) -> Pending {
        let (applied, pending) = self.migrations.iter().cloned().partition(applied);
        Pending { applied, pending }
    }

    /// Divides the folder by what a history table says. Versions of the history that the folder lacks are returned beside it.
    pub fn pending_by_history(&self, applied: &[String]) -> (Pending, Vec<String>) {
        let rows: Vec<Recorded> = applied.iter().map(Recorded::new).collect();
        self.pending_by_rows(&rows)
    }

    /// The same, with baselines.
    pub fn pending_by_rows(&self, rows: &[Recorded]) -> (Pending, Vec<String>) {
        let ordered: Vec<Listed<'_>> =
            self.migrations.iter().map(|m| Listed { version: m.version.as_str(), sha256: &m.sha256 }).collect();
        let (done, unknown) = self.convention.applied(rows, &ordered);
        let is_done = |migration: &Migration| done.iter().any(|version| version == migration.version.as_str());
        (self.pending_unless(is_done), unknown)
    }
}
