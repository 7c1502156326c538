//! Liquibase, formatted SQL: files that begin with `--liquibase formatted sql`, in the order of their names (as `includeAll` reads them),
//! each with changesets `--changeset author:id attribute:value …`. A changeset is a migration; its version is `path::id::author`, as
//! Liquibase prints it. Source: the Liquibase documentation, "Formatted SQL changelog".

use std::ops::Range;

use camino::Utf8PathBuf;

use super::{AtStart, Behind, Convention, History, Mark, Own, Sign, Tool, ToolLock};
use crate::migrations::convention::HistoryRows;
use crate::migrations::detect::by_mark;
use crate::migrations::error::LoadError;
use crate::migrations::found::Found;
use crate::migrations::script::{comment, divided, lines};
use crate::migrations::tree::Tree;

pub(super) static TOOL: Tool = Tool {
    history: Some(History::new(
        "databasechangelog",
        HistoryRows::Applied,
        false,
        Sign::new(&["databasechangelog"], &["id", "author", "filename", "orderexecuted"]),
    )),
    own: Own::anywhere(&["databasechangelog", "databasechangeloglock"]),
    mark: Some(Mark { words: MARK, first_line: true, goes_back: |_| true }),
    at_start: Some(AtStart {
        behind: Behind::Untold { until: "`liquibase changelog-sync` has recorded it" },
        without: "start it without Liquibase (`liquibase.shouldRun=false`; Spring: `spring.liquibase.enabled=false`)",
        lock: ToolLock::None,
    }),
    ..Tool::new("liquibase", "Liquibase", |tree| by_mark(tree, Convention::Liquibase), list)
};

/// What the first line of a file says.
const MARK: &str = "liquibase formatted sql";

fn list(tree: &Tree<'_>) -> Result<Vec<Found>, LoadError> {
    let mut found = Vec::new();
    for path in tree.sql() {
        let text = tree.text(path)?;
        if is_changelog(&text) {
            found.extend(
                changesets(path, &text).map_err(|message| LoadError::BadFile { path: tree.place(path), message })?,
            );
        }
    }
    Ok(found)
}

/// Whether a file says that it is one.
fn is_changelog(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim_matches('\u{feff}').trim().is_empty());
    first.and_then(comment).is_some_and(|words| words.to_ascii_lowercase().starts_with(MARK))
}

fn changesets(path: &Utf8PathBuf, text: &str) -> Result<Vec<Found>, String> {
    let mut heads: Vec<(Range<usize>, &str)> = Vec::new();
    for (range, line) in lines(text, 0..text.len()) {
        if let Some(words) = comment(line).and_then(|words| words.strip_prefix("changeset ")) {
            heads.push((range, words));
        }
    }
    let mut found = Vec::new();
    for (i, (range, words)) in heads.iter().enumerate() {
        let end = heads.get(i + 1).map_or(text.len(), |(next, _)| next.start);
        let mut words = words_of(words).into_iter();
        let head = words.next().unwrap_or_default();
        let Some((author, id)) = head.split_once(':').filter(|(author, id)| !author.is_empty() && !id.is_empty())
        else {
            return Err(format!("`--changeset {head}` names no author and id (`--changeset author:id`)"));
        };
        let attributes: Vec<(String, String)> =
            words.filter_map(|w| w.split_once(':').map(|(k, v)| (k.to_ascii_lowercase(), v.to_owned()))).collect();
        let attribute = |name: &str| attributes.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
        let for_postgresql =
            attribute("dbms").is_none_or(|dbms| dbms.split(',').any(|d| matches!(d.trim(), "postgresql" | "all")));
        if !for_postgresql {
            continue;
        }
        let delimiter = attribute("enddelimiter").unwrap_or_default().replace("\\n", "\n");
        let mut migration = Found::new(format!("{path}::{id}::{author}"), id, path);
        migration.parts = Some(divided(text, range.end..end, &delimiter));
        migration.in_transaction = attribute("runintransaction") != Some("false");
        found.push(migration);
    }
    Ok(found)
}

/// Words divided by white space outside of double quotes.
fn words_of(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(String::new()),
            c => words.last_mut().into_iter().for_each(|word| word.push(c)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
