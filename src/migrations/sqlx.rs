//! sqlx: `<number>_<name>.sql`, or `.up.sql` beside `.down.sql`; not in subfolders.

use camino::Utf8PathBuf;

use super::Convention;
use super::detect::Found;
use super::load::{LoadError, Version};

/// A forward or a backward migration.
pub(super) fn parse(path: &Utf8PathBuf) -> Option<Found> {
    let stem = path.as_str().strip_suffix(".sql")?;
    let (version, name) = stem.split_once('_')?;
    version.parse::<i64>().ok()?;
    Some(Found { version: Version::new(version), name: name.to_owned(), path: path.clone() })
}

pub(super) fn list(paths: &[Utf8PathBuf]) -> Result<Vec<Found>, LoadError> {
    let mut found = Vec::new();
    for path in paths.iter().filter(|p| p.components().count() == 1) {
        match parse(path) {
            Some(migration) if migration.name.ends_with(".down") => {}
            Some(mut migration) => {
                migration.name = migration.name.trim_end_matches(".up").replace('_', " ");
                let number: i64 = migration.version.as_str().parse().unwrap_or_default();
                migration.version = Version::new(number.to_string());
                found.push(migration);
            }
            // sqlx passes over names without `_` and fails on others.
            None if path.as_str().contains('_') => {
                return Err(LoadError::BadName {
                    path: path.clone(),
                    convention: Convention::Sqlx,
                    reason: "what stands before the first `_` is not a number".to_owned(),
                });
            }
            None => {}
        }
    }
    Ok(found)
}
