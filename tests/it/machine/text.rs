//! What runs is what the author wrote.

use std::collections::BTreeSet;

use cutover::plan::saved::SavedPlan;

use super::play::Wrong;
use super::release::Release;

/// Statements of the plan that are not the author's, and statements of the author's that the plan leaves out.
pub(super) fn differences(release: &Release, plan: &SavedPlan) -> Vec<Wrong> {
    let wrong = |code: &str, what: String| Wrong { check: "other-text", code: code.to_owned(), what };
    let mut found = Vec::new();
    let skipped = |sql: &&String| ["BEGIN", "COMMIT"].contains(&sql.as_str()) || sql.starts_with("SET ");
    let authors: Vec<&str> = release.pending().filter(|sql| !skipped(sql)).map(|sql| without_word(sql)).collect();
    let planned: Vec<_> =
        plan.steps.iter().flat_map(|s| s.statements()).filter(|s| s.origin.is_some()).map(|s| s.sql.as_str()).collect();
    let mut covered: BTreeSet<&str> = BTreeSet::new();
    for sql in planned {
        let pieces = pieces(sql);
        let home = |author: &&str| {
            *author == sql || {
                let whole = self::pieces(author);
                whole.0 == pieces.0 && pieces.1.iter().all(|p| whole.1.contains(p))
            }
        };
        if !authors.iter().any(home) {
            found.push(wrong("changed", format!("`{sql}` is in no file")));
        }
        covered.extend(pieces.1);
    }
    for author in authors {
        if let Some(piece) = pieces(author).1.into_iter().find(|p| !covered.contains(p)) {
            found.push(wrong("left-out", format!("`{piece}` of `{author}` is in no step")));
        }
    }
    found
}

/// A statement without the comment that places it.
fn without_word(sql: &str) -> &str {
    sql.strip_prefix("-- cutover:").and_then(|rest| rest.split_once('\n')).map_or(sql, |(_, sql)| sql)
}

/// `ALTER TABLE t`, and its sub-commands; of another statement, all of it.
fn pieces(sql: &str) -> (&str, Vec<&str>) {
    let Some(rest) = sql.strip_prefix("ALTER TABLE ") else { return ("", vec![sql]) };
    let verbs = [" ADD ", " DROP ", " ALTER ", " SET ", " VALIDATE "];
    let at = verbs.iter().filter_map(|v| rest.find(v)).min();
    let Some(at) = at else { return ("", vec![sql]) };
    let (mut depth, mut quote, mut start) = (0, None, 0);
    let body = &rest[at + 1..];
    let mut pieces = Vec::new();
    for (i, c) in body.char_indices() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            (_, Some(_)) => {}
            ('\'' | '"', None) => quote = Some(c),
            ('(', None) => depth += 1,
            (')', None) => depth -= 1,
            (',', None) if depth == 0 => {
                pieces.push(body[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    pieces.push(body[start..].trim());
    (&rest[..at], pieces)
}

/// Columns whose default a pending statement changes: a row gets the one of its moment.
pub(super) fn columns_with_other_defaults(release: &Release) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for sql in release.pending() {
        for piece in pieces(sql).1 {
            let Some(rest) = piece.strip_prefix("ALTER COLUMN ") else { continue };
            for tail in [" SET DEFAULT", " DROP DEFAULT", " ADD GENERATED", " DROP IDENTITY"] {
                if let Some((name, _)) = rest.split_once(tail) {
                    found.insert(name.trim_matches('"').to_owned());
                }
            }
        }
    }
    found
}
