//! Drizzle: `<tag>.sql` in the order of `meta/_journal.json`; since version 1 folders `<timestamp>_<name>/` with `migration.sql` and
//! `snapshot.json`. `--> statement-breakpoint` is a comment to everybody else.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::prisma;
use super::{AtStart, Behind, Convention, History, Own, Sign, Tool, ToolLock};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::sure;
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::tree::Tree;

pub(super) static TOOL: Tool = Tool {
    history: Some(History {
        knows_by_sum: true,
        ..History::new(
            "drizzle.__drizzle_migrations",
            HistoryRows::Applied,
            false,
            Sign::new(&["__drizzle_migrations"], &["hash", "created_at"]),
        )
    }),
    own: Own::inside("drizzle", &["__drizzle_migrations"]),
    at_start: Some(AtStart {
        behind: Behind::Untold { until: "its files are in `drizzle.__drizzle_migrations` (`hash`, `created_at`)" },
        without: "leave `migrate` out of its start",
        lock: ToolLock::None,
    }),
    ..Tool::new("drizzle", "Drizzle", |tree| sure(owns(tree), Convention::Drizzle), list)
};

/// The order of the files.
pub(super) const JOURNAL: &str = "meta/_journal.json";

#[derive(Deserialize)]
struct Journal {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    idx: u64,
    tag: String,
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    if !tree.has(JOURNAL) {
        return prisma::list(tree);
    }
    let bad = |message: String| LoadError::BadFile { path: tree.place(Utf8Path::new(JOURNAL)), message };
    let mut journal: Journal =
        serde_json::from_str(&tree.text(Utf8Path::new(JOURNAL))?).map_err(|e| bad(e.to_string()))?;
    journal.entries.sort_by_key(|entry| entry.idx);
    let mut found = Vec::new();
    for entry in &journal.entries {
        let path = Utf8PathBuf::from(format!("{}.sql", entry.tag));
        if !tree.has(path.as_str()) {
            return Err(bad(format!("it lists {path}, which is not there")));
        }
        let name = entry.tag.split_once('_').map_or("", |(_, name)| name);
        found.push(Found::new(entry.tag.as_str(), name, &path));
    }
    match tree.top_sql().find(|path| found.iter().all(|f| f.path != **path)) {
        Some(path) => Err(bad(format!("it does not list {path}; Drizzle would never run it"))),
        None => Ok(found),
    }
}

/// Whether the folder is one of Drizzle's.
pub(super) fn owns(tree: &Tree<'_>) -> bool {
    tree.has(JOURNAL)
        || tree.paths.iter().any(|p| p.file_name() == Some("snapshot.json") && p.components().count() == 2)
}
