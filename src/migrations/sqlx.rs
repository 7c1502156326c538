//! sqlx: `<number>_<name>.sql`, or `.up.sql` beside `.down.sql`; not in subfolders. A file that starts with `-- no-transaction` runs
//! outside one.

use camino::Utf8PathBuf;

use super::Convention;
use super::load::{Found, LoadError, Version};
use super::script::Script;
use super::tree::Tree;

/// A forward or a backward migration.
pub(super) fn parse(path: &Utf8PathBuf) -> Option<Found> {
    let stem = path.as_str().strip_suffix(".sql")?;
    let (version, name) = stem.split_once('_')?;
    version.parse::<i64>().ok()?;
    Some(Found::new(version, name, path))
}

pub(super) fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found = Vec::new();
    for path in tree.top_sql() {
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
    found.sort_by(|a, b| a.version.cmp(&b.version));
    Ok(found)
}

pub(super) fn script(text: &str) -> Script {
    Script { in_transaction: !text.starts_with("-- no-transaction"), ..Script::whole(0..text.len()) }
}
