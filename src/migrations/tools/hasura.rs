//! Hasura: folders `<number>_<name>/` with `up.sql` and perhaps `down.sql`, by number, below `migrations/<database>/`. The server runs a file
//! in one transaction. Source: the Hasura documentation, "Migrations & Seeds".

use super::{AtStart, Behind, Convention, History, Own, Sign, Tool, ToolLock, diesel};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::{Detected, beside, unmixed};
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::tree::Tree;
use crate::migrations::version::Version;

pub(super) static TOOL: Tool = Tool {
    history: Some(History::new(
        "hdb_catalog.hdb_version",
        HistoryRows::Applied,
        false,
        Sign { schema: Some("hdb_catalog"), ..Sign::new(&["hdb_version", "schema_migrations"], &[]) },
    )),
    own: Own::inside("hdb_catalog", &["hdb_version", "schema_migrations", "migration_settings"]),
    at_start: Some(AtStart {
        behind: Behind::Untold { until: "`hasura migrate apply --skip-execution` has recorded it" },
        without: "start it from an image that does not apply migrations (not `cli-migrations`)",
        lock: ToolLock::Unknown,
    }),
    ..Tool::new("hasura", "Hasura", detect, list)
};

/// The names are diesel's, too; the project's settings tell.
fn detect(tree: &Tree<'_>) -> Result<Option<Detected>, LoadError> {
    if !is_here(tree) || !tree.sql().any(|path| diesel::owns(path)) {
        return Ok(None);
    }
    unmixed(tree, tree.sql(), Convention::Hasura, |path| diesel::owns(path))?;
    Ok(Some(Detected::sure(Convention::Hasura)))
}

/// Whether the project's settings stand above the folder.
pub(super) fn is_here(tree: &Tree<'_>) -> bool {
    beside(tree, &[CONFIG])
}

/// The project's settings, two or one folder above the migrations.
pub(super) const CONFIG: &str = "config.yaml";

/// The number in front of a folder's name.
pub(super) fn version(folder: &str) -> Option<(&str, &str)> {
    let (version, name) = folder.split_once('_')?;
    (!version.is_empty() && version.bytes().all(|b| b.is_ascii_digit())).then_some((version, name))
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found = Vec::new();
    for path in tree.sql().filter(|p| p.file_name() == Some("up.sql") && p.components().count() == 2) {
        if let Some((version, name)) = path.parent().and_then(|folder| version(folder.as_str())) {
            found.push(Found::new(version, name, path));
        }
    }
    found.sort_by(|a, b| Version::cmp(&a.version, &b.version));
    Ok(found)
}
