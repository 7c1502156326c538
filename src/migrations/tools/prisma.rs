//! Prisma: folders `<timestamp>_<name>/` with `migration.sql`, in the order of their names. The version is the folder's name.

use camino::Utf8Path;

use super::{AtStart, Behind, Convention, History, Own, Sign, Tool, ToolLock};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::{Detected, unmixed};
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::tree::Tree;

pub(super) static TOOL: Tool = Tool {
    history: Some(History::new(
        "_prisma_migrations",
        HistoryRows::Applied,
        true,
        Sign::new(&["_prisma_migrations"], &["migration_name", "checksum", "finished_at", "rolled_back_at"]),
    )),
    own: Own::anywhere(&["_prisma_migrations"]),
    at_start: Some(AtStart {
        behind: Behind::Starts,
        without: "leave `prisma migrate deploy` out of its start",
        lock: ToolLock::Waits { limit: Some(10) },
    }),
    ..Tool::new("prisma", "Prisma", detect, list)
};

fn detect(tree: &Tree<'_>) -> Result<Option<Detected>, LoadError> {
    if tree.sql().any(|path| owns(path)) || tree.has(LOCK) {
        unmixed(tree, tree.sql(), Convention::Prisma, |path| owns(path))?;
        return Ok(Some(Detected::sure(Convention::Prisma)));
    }
    Ok(None)
}

/// The file beside the folders.
pub(super) const LOCK: &str = "migration_lock.toml";

/// Whether a file is a migration of Prisma.
pub(super) fn owns(path: &Utf8Path) -> bool {
    path.file_name() == Some("migration.sql") && path.components().count() == 2
}

/// The language of a migration that is a program: Prisma Next runs `migration.ts`.
fn language(path: &Utf8Path) -> Option<&'static str> {
    let (name, extension) = (path.file_stem()?, path.extension()?);
    match (name, extension) {
        ("migration", "ts" | "mts" | "cts") => Some("TypeScript"),
        ("migration", "js" | "mjs" | "cjs") => Some("JavaScript"),
        _ => None,
    }
    .filter(|_| path.components().count() == 2)
}

pub(super) fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found: Vec<Found> = Vec::new();
    for path in &tree.paths {
        let Some(folder) = path.parent().map(Utf8Path::as_str) else { continue };
        let program = language(path);
        if !owns(path) && (program.is_none() || tree.has(&format!("{folder}/migration.sql"))) {
            continue;
        }
        let name = folder.split_once('_').map_or("", |(_, name)| name);
        found.push(Found { program: program.filter(|_| !owns(path)), ..Found::new(folder, name, path) });
    }
    Ok(found)
}
