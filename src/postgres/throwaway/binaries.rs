//! Where PostgreSQL's server binaries are on this machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::ThrowawayError;

/// The oldest major version that is supported.
pub const OLDEST_SUPPORTED: u32 = 13;

/// Directories that hold one directory a version, with what follows in each.
const VERSIONED: &[(&str, &str)] = &[
    ("/usr/lib/postgresql", "bin"),
    ("/usr/pgsql-", "bin"),
    ("/opt/homebrew/opt/postgresql@", "bin"),
    ("/usr/local/opt/postgresql@", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "bin"),
];

/// Directories of a single installation.
const PLAIN: &[&str] = &["/usr/local/pgsql/bin", "/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"];

/// A directory with `initdb` and `postgres`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
    version: String,
    major: u32,
}

impl Binaries {
    /// The binaries of one directory, nowhere else.
    pub fn in_directory(directory: &Path) -> Result<Self, ThrowawayError> {
        if !holds_server(directory) {
            return Err(ThrowawayError::NoBinaries { searched: vec![directory.to_owned()] });
        }
        let bad = |reason: String| ThrowawayError::BadBinaries { directory: directory.to_owned(), reason };
        let output = Command::new(directory.join("postgres"))
            .arg("--version")
            .output()
            .map_err(|error| bad(error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = said.split_whitespace().nth(2).unwrap_or_default().to_owned();
        let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
        let major: u32 = digits.parse().map_err(|_| bad("postgres --version does not tell a version".into()))?;
        if major < OLDEST_SUPPORTED {
            return Err(bad(format!("version {version} is older than {OLDEST_SUPPORTED}")));
        }
        Ok(Self { directory: directory.to_owned(), version, major })
    }

    /// The first usable ones: those on the search path (the value of `PATH`), what its `pg_config` tells, then the newest of the usual
    /// places.
    pub fn find(search_path: Option<&OsStr>) -> Result<Self, ThrowawayError> {
        let on_path: Vec<PathBuf> = search_path.map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
        let told = on_path.iter().map(|directory| directory.join("pg_config")).find(|path| path.is_file());
        let told = told.and_then(|pg_config| bindir(&pg_config));
        if let Some(found) = on_path.iter().chain(&told).find_map(|directory| Self::in_directory(directory).ok()) {
            return Ok(found);
        }
        let usual = usual_places();
        let mut found: Vec<Self> = usual.iter().filter_map(|directory| Self::in_directory(directory).ok()).collect();
        // Stable: among equals the order of the list decides.
        found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
        found.into_iter().next().ok_or_else(|| ThrowawayError::NoBinaries {
            searched: on_path.into_iter().chain(told).chain(usual).collect(),
        })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The version as PostgreSQL writes it, for example `15.14` or `18beta1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The major version.
    pub fn major(&self) -> u32 {
        self.major
    }
}

fn holds_server(directory: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|name| directory.join(name).is_file())
}

fn bindir(pg_config: &Path) -> Option<PathBuf> {
    let output = Command::new(pg_config).arg("--bindir").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim())).filter(|path| path.is_absolute())
}

fn usual_places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    for (base, tail) in VERSIONED {
        let base = Path::new(base);
        // `/usr/pgsql-` is the beginning of names, `/usr/lib/postgresql` a directory of them.
        let (parent, prefix) = match (base.is_dir(), base.parent(), base.file_name()) {
            (false, Some(parent), Some(prefix)) => (parent, prefix.to_string_lossy().into_owned()),
            _ => (base, String::new()),
        };
        let Ok(entries) = std::fs::read_dir(parent) else { continue };
        let named = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
        let mut found: Vec<PathBuf> =
            named.map(|entry| entry.path().join(tail)).filter(|path| holds_server(path)).collect();
        found.sort();
        places.append(&mut found);
    }
    places.extend(PLAIN.iter().map(PathBuf::from));
    places
}
