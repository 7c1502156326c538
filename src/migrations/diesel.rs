//! diesel: folders `<version>_<name>/` with `up.sql` and perhaps `down.sql`. The version is the text before the first `_`, without dashes.

use camino::{Utf8Path, Utf8PathBuf};

use super::detect::Found;
use super::load::Version;

/// Whether a file is part of a diesel migration.
pub(super) fn owns(path: &Utf8Path) -> bool {
    matches!(path.file_name(), Some("up.sql" | "down.sql")) && path.components().count() == 2
}

pub(super) fn list(paths: &[Utf8PathBuf]) -> Vec<Found> {
    let ups = paths.iter().filter(|p| p.file_name() == Some("up.sql") && p.components().count() == 2);
    ups.filter_map(|path| {
        let folder = path.parent()?.file_name()?;
        let (version, name) = folder.split_once('_').unwrap_or((folder, ""));
        Some(Found { version: Version::new(version.replace('-', "")), name: name.to_owned(), path: path.clone() })
    })
    .collect()
}
