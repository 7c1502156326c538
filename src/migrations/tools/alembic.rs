//! Alembic: the SQL that `alembic upgrade <from>:<to> --sql` prints, one section `-- Running upgrade <from> -> <to>` a revision. What it
//! says to `alembic_version` is Alembic's own bookkeeping, not a change of the schema.

use std::ops::Range;

use super::{AtStart, Behind, Convention, History, Mark, Own, Sign, Tool, ToolLock};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::by_mark;
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::script::{comment, lines};
use crate::migrations::tree::Tree;

pub(super) static TOOL: Tool = Tool {
    history: Some(History::new(
        "alembic_version",
        HistoryRows::Current,
        true,
        Sign::new(&["alembic_version"], &["version_num"]),
    )),
    own: Own::anywhere(&["alembic_version"]),
    mark: Some(Mark { words: MARK, first_line: false, goes_back: |_| true }),
    at_start: Some(AtStart {
        behind: Behind::Stops { unless: None },
        without: "leave `alembic upgrade` out of its start",
        lock: ToolLock::None,
    }),
    ..Tool::new("alembic", "Alembic", |tree| by_mark(tree, Convention::Alembic), list)
};

/// What a section begins with.
const MARK: &str = "Running upgrade";

const BOOKKEEPING: &[&str] = &[
    "CREATE TABLE alembic_version",
    "INSERT INTO alembic_version",
    "UPDATE alembic_version",
    "DELETE FROM alembic_version",
    "DROP TABLE alembic_version",
];

/// The revision that a line begins.
fn revision(line: &str) -> Option<&str> {
    let (_, to) = comment(line)?.strip_prefix(MARK)?.split_once("->")?;
    // Several heads are merged as `a, b -> c`.
    to.split([',', ' ']).find(|word| !word.is_empty())
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found = Vec::new();
    for path in tree.top_sql() {
        let text = tree.text(path)?;
        let mut bookkeeping = false;
        let mut current: Option<(Found, Vec<Range<usize>>)> = None;
        let finish = |section: Option<(Found, Vec<Range<usize>>)>| {
            section.map(|(migration, parts)| Found { parts: Some(parts), ..migration })
        };
        for (range, line) in lines(&text, 0..text.len()) {
            if let Some(version) = revision(line) {
                found.extend(finish(current.take()));
                current = Some((Found::new(version, version, path), Vec::new()));
                bookkeeping = false;
                continue;
            }
            bookkeeping |= BOOKKEEPING.iter().any(|words| line.starts_with(words));
            let Some((_, parts)) = &mut current else { continue };
            match parts.last_mut() {
                Some(part) if !bookkeeping && part.end == range.start => part.end = range.end,
                _ if !bookkeeping => parts.push(range),
                _ => {}
            }
            if line.trim_end().ends_with(';') {
                bookkeeping = false;
            }
        }
        found.extend(finish(current));
    }
    Ok(found)
}
