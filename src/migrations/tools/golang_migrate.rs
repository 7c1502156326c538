//! golang-migrate: `<number>_<name>.up.sql` and `.down.sql`, not in subfolders. The server runs a file as it is, in one simple query.

use camino::Utf8Path;

use super::{AtStart, Behind, Convention, History, Own, Sign, Tool, ToolLock, bad_name, whole_number};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::sure;
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::tree::Tree;
use crate::migrations::version::Version;

pub(super) static TOOL: Tool = Tool {
    history: Some(History::new(
        "schema_migrations",
        HistoryRows::Current,
        true,
        Sign::new(&["schema_migrations"], &["version", "dirty"]),
    )),
    own: Own::anywhere(&["schema_migrations"]),
    version_key: whole_number,
    at_start: Some(AtStart {
        behind: Behind::Stops { unless: None },
        without: "leave `Up` out of its start",
        lock: ToolLock::Waits { limit: Some(15) },
    }),
    ..Tool::new(
        "golang-migrate",
        "golang-migrate",
        |tree| sure(tree.top_sql().any(|path| owns(path)), Convention::GolangMigrate),
        list,
    )
};

/// Whether a file is one of the pair.
pub(super) fn owns(path: &Utf8Path) -> bool {
    let pair = path.as_str().strip_suffix(".up.sql").or_else(|| path.as_str().strip_suffix(".down.sql"));
    let version = pair.and_then(|stem| stem.split_once('_')).map(|(version, _)| version);
    version.is_some_and(|version| !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()))
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found = Vec::new();
    for path in tree.top_sql().filter(|path| owns(path)) {
        let Some((version, name)) = path.as_str().strip_suffix(".up.sql").and_then(|stem| stem.split_once('_')) else {
            continue;
        };
        let number: u64 = version.parse().map_err(|_| {
            let reason = format!("version {version} is not a whole number of 64 bits");
            bad_name(path, Convention::GolangMigrate, reason)
        })?;
        found.push(Found::new(number.to_string(), name, path));
    }
    found.sort_by(|a, b| Version::cmp(&a.version, &b.version));
    Ok(found)
}
