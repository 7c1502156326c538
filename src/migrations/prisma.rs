//! Prisma: folders `<timestamp>_<name>/` with `migration.sql`, in the order of their names. The version is the folder's name.

use camino::Utf8Path;

use super::load::{Found, LoadError};
use super::tree::Tree;

/// Whether a file is a migration of Prisma.
pub(super) fn owns(path: &Utf8Path) -> bool {
    path.file_name() == Some("migration.sql") && path.components().count() == 2
}

pub(super) fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let found = tree.sql().filter(|path| owns(path)).filter_map(|path| {
        let folder = path.parent()?.as_str();
        let name = folder.split_once('_').map_or("", |(_, name)| name);
        Some(Found::new(folder, name, path))
    });
    Ok(found.collect())
}
