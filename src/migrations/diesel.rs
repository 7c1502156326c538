//! diesel: folders `<version>_<name>/` with `up.sql` and perhaps `down.sql`. The version is the text before the first `_`, without dashes.

use camino::Utf8Path;

use super::load::{Found, LoadError};
use super::tree::Tree;

/// Whether a file is part of a diesel migration.
pub(super) fn owns(path: &Utf8Path) -> bool {
    matches!(path.file_name(), Some("up.sql" | "down.sql")) && path.components().count() == 2
}

pub(super) fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let ups = tree.sql().filter(|p| p.file_name() == Some("up.sql") && p.components().count() == 2);
    let mut found = Vec::new();
    for path in ups {
        let Some(folder) = path.parent() else { continue };
        let (version, name) = folder.as_str().split_once('_').unwrap_or((folder.as_str(), ""));
        let mut migration = Found::new(version.replace('-', ""), name, path);
        let metadata = folder.join("metadata.toml");
        if tree.has(metadata.as_str()) {
            migration.in_transaction = in_transaction(&tree.text(&metadata)?);
        }
        found.push(migration);
    }
    found.sort_by(|a, b| a.version.as_str().cmp(b.version.as_str()));
    Ok(found)
}

/// diesel reads a `metadata.toml` without the key as `false`, as it does a broken one.
fn in_transaction(metadata: &str) -> bool {
    let table: toml::Table = metadata.parse().unwrap_or_default();
    table.get("run_in_transaction").and_then(toml::Value::as_bool).unwrap_or(false)
}
