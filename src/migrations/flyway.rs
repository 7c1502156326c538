//! Flyway: `V<version>__<description>.sql` in the order of their versions, then `R__<description>.sql` (again whenever they change).
//! `U<version>__…` undoes and `B<version>__…` is for new databases: neither goes forward. In subfolders, too.
//! Source: the Flyway documentation, "Migrations" and "Script configuration".

use camino::{Utf8Path, Utf8PathBuf};

use super::Convention;
use super::load::{Found, LoadError};
use super::tree::Tree;

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
pub(super) fn is_callback(path: &Utf8Path) -> bool {
    path.file_name().is_some_and(|name| CALLBACKS.iter().any(|callback| name.starts_with(callback)))
}

/// Whether a file is one of Flyway's.
pub(super) fn owns(path: &Utf8Path) -> bool {
    parse(path).is_some()
}

pub(super) fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
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
                return Err(LoadError::BadName {
                    path: path.clone(),
                    convention: Convention::Flyway,
                    reason: "it is not named `V1__what.sql` or `R__what.sql`".to_owned(),
                });
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
