//! Plain: every `*.sql` of the folder itself, in the order of their names. The version is the file's name.

use super::Convention;
use super::load::{Found, LoadError};
use super::tree::Tree;

pub(super) fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    tree.top_sql()
        .map(|path| {
            let stem = path.file_stem().unwrap_or_default();
            if stem.ends_with(".down") || stem.ends_with("_down") {
                return Err(LoadError::BadName {
                    path: path.clone(),
                    convention: Convention::Plain,
                    reason: "it looks like the undo of another file, and plain folders hold forward migrations only"
                        .to_owned(),
                });
            }
            Ok(Found::new(stem, stem, path))
        })
        .collect()
}
