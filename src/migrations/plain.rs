//! Plain: every `*.sql` of the folder itself, in the order of their names. The version is the file's name.

use camino::Utf8PathBuf;

use super::Convention;
use super::detect::Found;
use super::load::{LoadError, Version};

pub(super) fn list(paths: &[Utf8PathBuf]) -> Result<Vec<Found>, LoadError> {
    let top = paths.iter().filter(|p| p.components().count() == 1);
    top.map(|path| {
        let stem = path.file_stem().unwrap_or_default();
        if stem.ends_with(".down") || stem.ends_with("_down") {
            return Err(LoadError::BadName {
                path: path.clone(),
                convention: Convention::Plain,
                reason: "it looks like the undo of another file, and plain folders hold forward migrations only"
                    .to_owned(),
            });
        }
        Ok(Found { version: Version::new(stem), name: stem.to_owned(), path: path.clone() })
    })
    .collect()
}
