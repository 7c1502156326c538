//! Rails with a SQL schema: `structure.sql` is everything that its last lines list as applied; `migrate/<version>_<name>.sql` (or in the
//! folder itself) stands behind it, and `<version>_<name>.rb` is a program. The dump's version is the last one in it.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::{AtStart, Behind, Convention, History, Own, Sign, Tool, ToolLock};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::{Detected, is_numbered, sure};
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::tree::Tree;
use crate::migrations::version::Version;

pub(super) static TOOL: Tool = Tool {
    history: Some(History {
        // Rails before 5 had no other table.
        shared_with: &[Convention::Dbmate],
        ..History::new(
            "schema_migrations",
            HistoryRows::Applied,
            true,
            Sign { beside: Some("ar_internal_metadata"), ..super::dbmate::SIGN },
        )
    }),
    own: Own::anywhere(&["schema_migrations", "ar_internal_metadata"]),
    begins_with_dump: true,
    at_start: Some(AtStart {
        behind: Behind::Starts,
        without: "leave `db:migrate` and `db:prepare` out of its start",
        lock: ToolLock::Stops,
    }),
    ..Tool::new("rails", "Rails", detect, list)
};

fn detect(tree: &Tree<'_>) -> Result<Option<Detected>, LoadError> {
    sure(tree.has(STRUCTURE) || tree.paths.iter().any(|path| is_numbered(path, "rb")), Convention::Rails)
}

/// The dump of the whole schema.
pub(super) const STRUCTURE: &str = "structure.sql";

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found = Vec::new();
    let mut contained = BTreeSet::new();
    if tree.has(STRUCTURE) {
        contained = versions(&tree.text(Utf8Path::new(STRUCTURE))?);
        let last = contained.iter().max_by_key(|version| version.parse::<u128>().ok());
        found.push(Found::new(last.map_or("0", String::as_str), "structure", &STRUCTURE.into()));
    }
    let mut migrations = Vec::new();
    for path in &tree.paths {
        let program = match path.extension() {
            Some("sql") => None,
            Some("rb") => Some("Ruby"),
            _ => continue,
        };
        let Some((version, name)) = path.file_stem().and_then(|stem| stem.split_once('_')) else { continue };
        if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) || contained.contains(version) {
            continue;
        }
        let mut migration = Found::new(version, name, path);
        migration.program = program;
        migrations.push(migration);
    }
    migrations.sort_by(|a, b| Version::cmp(&a.version, &b.version));
    found.extend(migrations);
    Ok(found)
}

/// The versions that a dump ends with: `INSERT INTO "schema_migrations" (version) VALUES ('…'), …;`
fn versions(dump: &str) -> BTreeSet<String> {
    let Some(at) = dump.rfind("INSERT INTO \"schema_migrations\"") else { return BTreeSet::new() };
    let digits = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    dump[at..].split('\'').filter(digits).map(str::to_owned).collect()
}
