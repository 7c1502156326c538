//! diesel: folders `<version>_<name>/` with `up.sql` and perhaps `down.sql`. The version is the text before the first `_`, without dashes.

use camino::Utf8Path;

use super::{AtStart, Behind, Convention, History, Own, Sign, Tool, ToolLock, hasura};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::{Detected, ambiguous, beside, in_cargo_toml, unmixed};
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::tree::Tree;

pub(super) static TOOL: Tool = Tool {
    history: Some(History::new(
        "__diesel_schema_migrations",
        HistoryRows::Applied,
        true,
        Sign::new(&["__diesel_schema_migrations"], &["version", "run_on"]),
    )),
    own: Own::anywhere(&["__diesel_schema_migrations"]),
    version_key: |version| version.replace('-', ""),
    at_start: Some(AtStart {
        behind: Behind::Starts,
        without: "leave `run_pending_migrations` out of its start",
        lock: ToolLock::None,
    }),
    ..Tool::new("diesel", "diesel", detect, list)
};

/// `1_name/up.sql` is a name of Hasura's, too. Only diesel has dashes in its numbers, and makes functions of its own at first.
fn detect(tree: &Tree<'_>) -> Result<Option<Detected>, LoadError> {
    if !tree.sql().any(|path| owns(path)) {
        return Ok(None);
    }
    let folders = || tree.sql().filter(|path| owns(path)).filter_map(|path| path.parent());
    let only_diesel = folders()
        .any(|folder| hasura::version(folder.as_str()).is_none() || folder.as_str().contains("diesel"))
        || tree.paths.iter().any(|path| path.file_name() == Some("metadata.toml"));
    let is_diesel = only_diesel || beside(tree, &["diesel.toml"]) || in_cargo_toml(tree, "diesel");
    let alike = match (is_diesel, hasura::is_here(tree)) {
        (true, true) => return Err(ambiguous(tree, "both diesel's and Hasura's files or settings are here")),
        (false, true) => return Ok(None),
        (true, false) => Vec::new(),
        (false, false) => vec![Convention::Hasura],
    };
    unmixed(tree, tree.sql(), Convention::Diesel, |path| owns(path))?;
    Ok(Some(Detected { convention: Convention::Diesel, alike }))
}

/// Whether a file is part of a diesel migration.
pub(super) fn owns(path: &Utf8Path) -> bool {
    matches!(path.file_name(), Some("up.sql" | "down.sql")) && path.components().count() == 2
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
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
