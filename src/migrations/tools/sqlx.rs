//! sqlx: `<number>_<name>.sql`, or `.up.sql` beside `.down.sql`; not in subfolders. A file that starts with `-- no-transaction` runs
//! outside one.

use camino::Utf8PathBuf;

use super::{
    AtStart, Behind, Convention, History, Own, Sign, Tool, ToolLock, bad_name, golang_migrate, supabase, whole_number,
};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::{Detected, ambiguous, beside, in_cargo_toml, unmixed};
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::script::Script;
use crate::migrations::tree::Tree;
use crate::migrations::version::Version;

pub(super) static TOOL: Tool = Tool {
    history: Some(History {
        keeps_text: true,
        ..History::new(
            "_sqlx_migrations",
            HistoryRows::Applied,
            true,
            Sign::new(&["_sqlx_migrations"], &["version", "description", "success", "checksum"]),
        )
    }),
    own: Own::anywhere(&["_sqlx_migrations"]),
    script: |text| Ok(script(text)),
    version_key: whole_number,
    outside_transaction: Some(NO_TRANSACTION),
    at_start: Some(AtStart {
        behind: Behind::Stops { unless: Some("`Migrator::set_ignore_missing(true)`") },
        without: "leave `Migrator::run` out of its start",
        lock: ToolLock::Waits { limit: None },
    }),
    ..Tool::new("sqlx", "sqlx", detect, list)
};

/// What a file begins with that runs outside a transaction.
const NO_TRANSACTION: &str = "-- no-transaction";

/// `1_name.sql` is a name of sqlx, of Supabase, and of many a plain folder; `1_name.up.sql` one of golang-migrate, too.
fn detect(tree: &Tree<'_>) -> Result<Option<Detected>, LoadError> {
    if !tree.top_sql().any(|path| parse(path).is_some()) {
        return Ok(None);
    }
    let sqlx_is_here = beside(tree, &["sqlx.toml", ".sqlx", "sqlx-data.json"]) || in_cargo_toml(tree, "sqlx");
    let supabase_is_here = supabase::is_here(tree);
    unmixed(tree, tree.top_sql(), Convention::Sqlx, |path| parse(path).is_some())?;
    if sqlx_is_here && supabase_is_here {
        return Err(ambiguous(tree, "both Supabase's folders and sqlx's settings are here"));
    }
    if supabase_is_here {
        return Ok(None);
    }
    let in_pairs = tree.top_sql().any(|path| golang_migrate::owns(path));
    if in_pairs && !sqlx_is_here {
        return match (beside(tree, &["go.mod"]), in_cargo_toml(tree, "")) {
            (true, false) => Ok(None),
            _ => Err(ambiguous(tree, "`.up.sql` and `.down.sql` are names of sqlx and of golang-migrate")),
        };
    }
    let numbers: Vec<_> = tree.top_sql().filter_map(parse).map(|found| found.version).collect();
    if !numbers.is_sorted() && !sqlx_is_here {
        return Err(ambiguous(tree, "its files stand in another order by number (sqlx) than by name (plain)"));
    }
    let marks_itself = || tree.top_sql().any(|path| tree.text(path).is_ok_and(|text| text.starts_with(NO_TRANSACTION)));
    let sure = sqlx_is_here || in_pairs || marks_itself();
    let alike = if sure { Vec::new() } else { vec![Convention::Supabase, Convention::Plain] };
    Ok(Some(Detected { convention: Convention::Sqlx, alike }))
}

/// A forward or a backward migration.
pub(super) fn parse(path: &Utf8PathBuf) -> Option<Found> {
    let stem = path.as_str().strip_suffix(".sql")?;
    let (version, name) = stem.split_once('_')?;
    version.parse::<i64>().ok()?;
    Some(Found::new(version, name, path))
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
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
                let reason = "what stands before the first `_` is not a number";
                return Err(bad_name(path, Convention::Sqlx, reason));
            }
            None => {}
        }
    }
    found.sort_by(|a, b| a.version.cmp(&b.version));
    Ok(found)
}

fn script(text: &str) -> Script {
    Script { in_transaction: !text.starts_with(NO_TRANSACTION), ..Script::whole(0..text.len()) }
}
