//! Plain: every `*.sql` of the folder itself, in the order of their names. The version is the file's name.

use super::{Convention, Tool, bad_name};
use crate::migrations::detect::sure;
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::tree::Tree;

pub(super) static TOOL: Tool =
    Tool { outside_transaction: Some(""), ..Tool::new("plain", "plain SQL", |_| sure(true, Convention::Plain), list) };

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    tree.top_sql()
        .map(|path| {
            let stem = path.file_stem().unwrap_or_default();
            if stem.ends_with(".down") || stem.ends_with("_down") {
                let reason = "it looks like the undo of another file, and plain folders hold forward migrations only";
                return Err(bad_name(path, Convention::Plain, reason));
            }
            Ok(Found::new(stem, stem, path))
        })
        .collect()
}
