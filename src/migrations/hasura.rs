//! Hasura: folders `<number>_<name>/` with `up.sql` and perhaps `down.sql`, by number, below `migrations/<database>/`. The server runs a file
//! in one transaction. Source: the Hasura documentation, "Migrations & Seeds".

use super::load::{Found, LoadError, Version};
use super::tree::Tree;

/// The project's settings, two or one folder above the migrations.
pub(super) const CONFIG: &str = "config.yaml";

/// The number in front of a folder's name.
pub(super) fn version(folder: &str) -> Option<(&str, &str)> {
    let (version, name) = folder.split_once('_')?;
    (!version.is_empty() && version.bytes().all(|b| b.is_ascii_digit())).then_some((version, name))
}

pub(super) fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found = Vec::new();
    for path in tree.sql().filter(|p| p.file_name() == Some("up.sql") && p.components().count() == 2) {
        if let Some((version, name)) = path.parent().and_then(|folder| version(folder.as_str())) {
            found.push(Found::new(version, name, path));
        }
    }
    found.sort_by(|a, b| Version::cmp(&a.version, &b.version));
    Ok(found)
}
