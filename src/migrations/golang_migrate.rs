//! golang-migrate: `<number>_<name>.up.sql` and `.down.sql`, not in subfolders. The server runs a file as it is, in one simple query.

use camino::Utf8Path;

use super::Convention;
use super::load::{Found, LoadError, Version};
use super::tree::Tree;

/// Whether a file is one of the pair.
pub(super) fn owns(path: &Utf8Path) -> bool {
    let pair = path.as_str().strip_suffix(".up.sql").or_else(|| path.as_str().strip_suffix(".down.sql"));
    let version = pair.and_then(|stem| stem.split_once('_')).map(|(version, _)| version);
    version.is_some_and(|version| !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()))
}

pub(super) fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found = Vec::new();
    for path in tree.top_sql().filter(|path| owns(path)) {
        let Some((version, name)) = path.as_str().strip_suffix(".up.sql").and_then(|stem| stem.split_once('_')) else {
            continue;
        };
        let number: u64 = version.parse().map_err(|_| LoadError::BadName {
            path: path.clone(),
            convention: Convention::GolangMigrate,
            reason: format!("version {version} is not a whole number of 64 bits"),
        })?;
        found.push(Found::new(number.to_string(), name, path));
    }
    found.sort_by(|a, b| Version::cmp(&a.version, &b.version));
    Ok(found)
}
