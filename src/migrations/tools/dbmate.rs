//! dbmate: `<digits><anything>.sql` in the order of their names, with sections `-- migrate:up [transaction:false]` and `-- migrate:down`,
//! perhaps several of each.

use super::{AtStart, Behind, Convention, History, Mark, Own, Sign, Tool, ToolLock};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::by_mark;
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::script::{Script, comment, lines};
use crate::migrations::tree::Tree;

pub(super) static TOOL: Tool = Tool {
    history: Some(History::new("schema_migrations", HistoryRows::Applied, true, SIGN)),
    own: Own::anywhere(&["schema_migrations"]),
    mark: Some(Mark {
        words: UP,
        first_line: false,
        goes_back: |line| comment(line).is_some_and(|words| words.starts_with(DOWN)),
    }),
    script,
    at_start: Some(AtStart {
        behind: Behind::Starts,
        without: "leave `dbmate up` out of its start",
        lock: ToolLock::None,
    }),
    ..Tool::new("dbmate", "dbmate", |tree| by_mark(tree, Convention::Dbmate), list)
};

/// Versions and nothing else, as Rails has them.
pub(super) const SIGN: Sign =
    Sign { lacks: &["dirty", "inserted_at", "statements"], ..Sign::new(&["schema_migrations"], &["version"]) };

/// The mark of a section that goes forward.
const UP: &str = "migrate:up";
/// The mark of a section that goes back.
const DOWN: &str = "migrate:down";

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let numbered = tree.top_sql().filter_map(|path| {
        let stem = path.file_stem()?;
        let digits = stem.len() - stem.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (version, name) = stem.split_at(digits);
        (digits > 0).then(|| Found::new(version, name.trim_start_matches('_'), path))
    });
    Ok(numbered.collect())
}

fn script(text: &str) -> Result<Script, String> {
    let mut script = Script { parts: Vec::new(), in_transaction: true };
    let mut up = false;
    for (range, line) in lines(text, 0..text.len()) {
        let mark = comment(line).unwrap_or_default();
        if mark.starts_with(UP) {
            up = true;
            script.in_transaction &= !mark.contains("transaction:false");
            script.parts.push(range.end..range.end);
        } else if mark.starts_with(DOWN) {
            up = false;
        } else if let (true, Some(part)) = (up, script.parts.last_mut()) {
            part.end = range.end;
        } else if script.parts.is_empty() && !line.trim().is_empty() && comment(line).is_none() {
            return Err("dbmate wants nothing but comments before `-- migrate:up`".to_owned());
        }
    }
    if script.parts.is_empty() {
        return Err("it has no `-- migrate:up`".to_owned());
    }
    Ok(script)
}
