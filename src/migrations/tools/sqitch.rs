//! Sqitch: `sqitch.plan` gives the order, `deploy/<change>.sql` the SQL. A change that is planned again ("reworked") keeps its older script
//! as `deploy/<change>@<tag>.sql`, the tag being the first one after it. Source: sqitchtutorial, sqitch-plan format.

use camino::{Utf8Path, Utf8PathBuf};

use super::{AtStart, Behind, Convention, History, Own, Sign, Tool, ToolLock};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::sure;
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::tree::Tree;

pub(super) static TOOL: Tool = Tool {
    history: Some(History::new(
        "sqitch.changes",
        HistoryRows::Applied,
        false,
        Sign::new(&["changes"], &["change_id", "change", "project", "script_hash"]),
    )),
    own: Own::inside("sqitch", &["changes", "dependencies", "events", "projects", "releases", "tags"]),
    // `psql` runs the scripts, which begin and commit themselves.
    outside_transaction: Some(""),
    at_start: Some(AtStart {
        behind: Behind::Untold { until: "`sqitch deploy --log-only` has recorded it" },
        without: "leave `sqitch deploy` out of its start",
        lock: ToolLock::Waits { limit: Some(60) },
    }),
    ..Tool::new("sqitch", "Sqitch", |tree| sure(tree.has(PLAN), Convention::Sqitch), list)
};

/// The order of the changes.
pub(super) const PLAN: &str = "sqitch.plan";

enum Line<'a> {
    Change(&'a str),
    Tag(&'a str),
}

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let bad = |message: String| LoadError::BadFile { path: tree.place(Utf8Path::new(PLAN)), message };
    if !tree.has(PLAN) {
        return Err(bad("it is not there; name the folder that holds it".to_owned()));
    }
    let text = tree.text(Utf8Path::new(PLAN))?;
    let lines: Vec<Line<'_>> = text.lines().filter_map(line).collect();
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Line::Change(change) = line else { continue };
        let later = &lines[i + 1..];
        let again = later.iter().any(|l| matches!(l, Line::Change(other) if other == change));
        let tag = later.iter().find_map(|l| match l {
            Line::Tag(tag) => Some(*tag),
            Line::Change(_) => None,
        });
        let version = match (again, tag) {
            (true, Some(tag)) => format!("{change}@{tag}"),
            (true, None) => return Err(bad(format!("change {change} is planned twice with no tag between"))),
            (false, _) => (*change).to_owned(),
        };
        let path = Utf8PathBuf::from(format!("deploy/{version}.sql"));
        if !tree.has(path.as_str()) {
            return Err(bad(format!("it lists {change}, and {path} is not there")));
        }
        found.push(Found::new(version, *change, &path));
    }
    Ok(found)
}

fn line(line: &str) -> Option<Line<'_>> {
    let words = line.split('#').next().unwrap_or_default().trim();
    let first = words.split_whitespace().next()?;
    match first.strip_prefix('@') {
        Some(tag) => Some(Line::Tag(tag)),
        None if first.starts_with('%') => None,
        // `+ change` is the older spelling; `- change` takes one back.
        None => Some(Line::Change(first.trim_start_matches('+'))).filter(|l| !matches!(l, Line::Change("" | "-"))),
    }
}
