//! goose: `<number>_<name>.sql` with annotations `-- +goose Up`, `Down`, `StatementBegin`, `StatementEnd`, `NO TRANSACTION`, `ENVSUB ON`;
//! `<number>_<name>.go` is a program.

use std::collections::BTreeMap;

use super::{
    AtStart, Behind, Convention, History, Mark, Own, Placeholders, Sign, Tool, ToolLock, bad_name, whole_number,
};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::by_mark;
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::script::{Script, comment, lines};
use crate::migrations::tree::Tree;
use crate::migrations::version::Version;

pub(super) static TOOL: Tool = Tool {
    history: Some(History::new(
        "goose_db_version",
        HistoryRows::Applied,
        true,
        Sign::new(&["goose_db_version"], &["id", "version_id", "is_applied", "tstamp"]),
    )),
    own: Own::anywhere(&["goose_db_version", "goose_lock"]),
    mark: Some(Mark { words: MARK, first_line: false, goes_back: |line| annotation(line).as_deref() == Some("down") }),
    script,
    version_key: whole_number,
    placeholders: Some(Placeholders {
        configured: |_| Ok(Some(BTreeMap::new())),
        as_in_a_shell: true,
        switch: |line| match annotation(line).as_deref() {
            Some("envsub on") => Some(true),
            Some("envsub off") => Some(false),
            _ => None,
        },
    }),
    outside_transaction: Some("-- +goose NO TRANSACTION"),
    at_start: Some(AtStart {
        behind: Behind::Starts,
        without: "leave `goose up` out of its start",
        lock: ToolLock::None,
    }),
    ..Tool::new("goose", "goose", |tree| by_mark(tree, Convention::Goose), list)
};

/// What every annotation begins with.
const MARK: &str = "+goose";

/// The annotation in a line: `up`, `no transaction`, ….
fn annotation(line: &str) -> Option<String> {
    let words = comment(line)?.strip_prefix(MARK)?;
    Some(words.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase())
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found = Vec::new();
    for path in tree.paths.iter().filter(|p| p.components().count() == 1) {
        let program = match path.extension() {
            Some("sql") => None,
            Some("go") if !path.as_str().ends_with("_test.go") => Some("Go"),
            _ => continue,
        };
        let stem = path.file_stem().unwrap_or_default();
        let number = stem.split_once('_').and_then(|(n, name)| Some((n.parse::<i64>().ok()?, name)));
        match (number, program) {
            (Some((number, name)), program) if number >= 1 => {
                let mut migration = Found::new(number.to_string(), name, path);
                migration.program = program;
                found.push(migration);
            }
            // Other programs may stand in the folder.
            (_, Some(_)) => {}
            (_, None) => {
                let reason = "what stands before the first `_` is not a number above zero";
                return Err(bad_name(path, Convention::Goose, reason));
            }
        }
    }
    found.sort_by(|a, b| Version::cmp(&a.version, &b.version));
    Ok(found)
}

fn script(text: &str) -> Result<Script, String> {
    let mut script = Script { parts: Vec::new(), in_transaction: true };
    let mut up = false;
    for (range, line) in lines(text, 0..text.len()) {
        match annotation(line).as_deref() {
            Some("up") => {
                up = true;
                script.parts.push(range.end..range.end);
            }
            Some("down") => up = false,
            Some("no transaction") => script.in_transaction = false,
            Some("statementbegin" | "statementend" | "envsub on" | "envsub off") | None => {
                if let (true, Some(part)) = (up, script.parts.last_mut()) {
                    part.end = range.end;
                } else if script.parts.is_empty() && !line.trim().is_empty() && comment(line).is_none() {
                    return Err("goose wants `-- +goose Up` before the first statement".to_owned());
                }
            }
            Some(other) => return Err(format!("`-- +goose {other}` is no annotation of goose")),
        }
    }
    if script.parts.is_empty() {
        return Err("it has no `-- +goose Up`".to_owned());
    }
    Ok(script)
}
