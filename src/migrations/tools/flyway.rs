//! Flyway: `V<version>__<description>.sql` in the order of their versions, then `R__<description>.sql` (again whenever they change).
//! `U<version>__…` undoes and `B<version>__…` is for new databases: neither goes forward. In subfolders, too.
//! Source: the Flyway documentation, "Migrations" and "Script configuration".

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::{AtStart, Behind, Convention, History, Own, Placeholders, Sign, Tool, ToolLock, bad_name};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::{Detected, above, beside, unmixed};
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::tree::Tree;

pub(super) static TOOL: Tool = Tool {
    history: Some(History {
        keeps_text: true,
        ..History::new(
            "flyway_schema_history",
            HistoryRows::Applied,
            true,
            Sign::new(
                &["flyway_schema_history", "schema_version"],
                &["installed_rank", "version", "description", "type", "script", "success"],
            ),
        )
    }),
    own: Own::anywhere(&["flyway_schema_history"]),
    version_key: |text| version(text).unwrap_or_else(|| text.to_owned()),
    prefixes: &['V', 'v'],
    is_repeatable: |version| version.starts_with("R__"),
    placeholders: Some(Placeholders { configured, as_in_a_shell: false, switch: |_| None }),
    at_start: Some(AtStart {
        behind: Behind::Starts,
        without: "start it without Flyway (Spring: `spring.flyway.enabled=false`)",
        lock: ToolLock::Waits { limit: Some(50) },
    }),
    ..Tool::new("flyway", "Flyway", detect, list)
};

/// What refinery could read as well is left to it, and to what it says.
fn detect(tree: &Tree<'_>) -> Result<Option<Detected>, LoadError> {
    if !tree.sql().any(|path| owns(path)) {
        return Ok(None);
    }
    let files = tree.sql().filter(|path| !is_callback(path));
    unmixed(tree, files, Convention::Flyway, |path| owns(path))?;
    Ok(Some(Detected::sure(Convention::Flyway)))
}

/// Whether Flyway's configuration stands beside the folder or above it.
pub(super) fn is_here(tree: &Tree<'_>) -> bool {
    beside(tree, &CONFIGURATIONS)
}

/// Where Flyway's configuration stands.
const CONFIGURATIONS: [&str; 3] = ["flyway.conf", "conf/flyway.conf", "flyway.toml"];

/// The placeholders of the configuration.
fn configured(folder: &Utf8Path) -> Result<Option<BTreeMap<String, String>>, LoadError> {
    let mut values = BTreeMap::new();
    let mut on = true;
    for dir in above(folder) {
        for name in CONFIGURATIONS {
            let path = dir.join(name);
            if path.is_file() {
                read_configuration(&path, &fs_err::read_to_string(&path)?, &mut values, &mut on)?;
            }
        }
    }
    Ok(on.then_some(values))
}

fn read_configuration(
    path: &Utf8Path,
    text: &str,
    values: &mut BTreeMap<String, String>,
    on: &mut bool,
) -> Result<(), LoadError> {
    if path.extension() == Some("toml") {
        let bad = |message: String| LoadError::BadFile { path: path.to_owned(), message };
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| bad(e.message().to_owned()))?;
        let flyway = table.get("flyway").and_then(toml::Value::as_table);
        if let Some(set) = flyway.and_then(|f| f.get("placeholderReplacement")).and_then(toml::Value::as_bool) {
            *on = set;
        }
        let found = flyway.and_then(|f| f.get("placeholders")).and_then(toml::Value::as_table);
        for (name, value) in found.into_iter().flatten() {
            values.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        return Ok(());
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
        match key.trim() {
            "flyway.placeholderReplacement" => *on = value.trim() != "false",
            key => {
                if let Some(name) = key.strip_prefix("flyway.placeholders.") {
                    values.insert(name.to_owned(), value.trim().to_owned());
                }
            }
        }
    }
    Ok(())
}

/// Files that Flyway runs around its migrations.
const CALLBACKS: &[&str] = &["before", "after", "createSchema"];

/// `1_10.0` → `1.10`: parts divided by `.` or `_`, compared as numbers.
fn version(text: &str) -> Option<String> {
    let parts: Option<Vec<u128>> = text.split(['.', '_']).map(|part| part.parse().ok()).collect();
    let mut parts = parts?;
    while parts.len() > 1 && parts.last() == Some(&0) {
        parts.pop();
    }
    Some(parts.iter().map(ToString::to_string).collect::<Vec<_>>().join("."))
}

/// What a name says: prefix, version, description.
fn parse(path: &Utf8Path) -> Option<(char, Option<String>, String)> {
    let stem = path.file_name()?.strip_suffix(".sql")?;
    let (head, description) = stem.split_once("__")?;
    let description = description.replace('_', " ");
    let prefix = head.chars().next()?;
    match (prefix, &head[prefix.len_utf8()..]) {
        ('R', "") => Some(('R', None, description)),
        ('V' | 'U' | 'B', rest) => Some((prefix, Some(version(rest)?), description)),
        _ => None,
    }
}

/// Whether a file is one that Flyway runs around its migrations.
fn is_callback(path: &Utf8Path) -> bool {
    path.file_name().is_some_and(|name| CALLBACKS.iter().any(|callback| name.starts_with(callback)))
}

/// Whether a file is one of Flyway's.
pub(super) fn owns(path: &Utf8Path) -> bool {
    parse(path).is_some()
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut versioned = Vec::new();
    let mut repeatable = Vec::new();
    for path in tree.sql() {
        match parse(path) {
            Some(('V', Some(version), description)) => versioned.push(found(tree, path, &version, &description)?),
            Some(('R', None, description)) => {
                repeatable.push(found(tree, path, &format!("R__{}", description.replace(' ', "_")), &description)?);
            }
            Some(_) => {}
            None if is_callback(path) => {}
            None => {
                let reason = "it is not named `V1__what.sql` or `R__what.sql`";
                return Err(bad_name(path, Convention::Flyway, reason));
            }
        }
    }
    versioned.sort_by(|a, b| a.version.cmp(&b.version));
    repeatable.sort_by(|a, b| a.name.cmp(&b.name));
    versioned.extend(repeatable);
    Ok(versioned)
}

fn found(tree: &Tree<'_>, path: &Utf8PathBuf, version: &str, name: &str) -> Result<Found, LoadError> {
    let mut found = Found::new(version, name, path);
    let conf = format!("{path}.conf");
    if tree.has(&conf) {
        let text = tree.text(Utf8Path::new(&conf))?;
        let setting = |key: &str| {
            let mut lines = text.lines().rev().filter_map(|line| line.split_once('='));
            lines.find(|(k, _)| k.trim() == key).map(|(_, value)| value.trim().to_ascii_lowercase())
        };
        found.in_transaction = setting("executeInTransaction").as_deref() != Some("false");
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_in_parts() {
        assert_eq!(version("1_10").as_deref(), Some("1.10"));
        assert_eq!(version("001.0").as_deref(), Some("1"));
        assert_eq!(version("1.x"), None);
        assert_eq!(parse("V1.2__add_users.sql".into()), Some(('V', Some("1.2".into()), "add users".into())));
        assert_eq!(parse("R__views.sql".into()), Some(('R', None, "views".into())));
        assert_eq!(parse("V1_add.sql".into()), None);
    }
}
