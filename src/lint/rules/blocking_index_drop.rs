//! An index is dropped under a lock.

use super::concurrently;
use super::cost::weighed;
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::LockMode;
use crate::lint::{Case, Docs, PlacedPart, Rule, RuleCheck, Subject, Yields};
use crate::schema::QName;
use crate::sql::Operation;
use crate::sql::operation::RelationKind;

pub(crate) const RULE: Rule = Rule {
    code: codes::BLOCKING_INDEX_DROP,
    severity: Severity::Info,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports DROP INDEX without CONCURRENTLY on a table of production.",
        why: "It takes ACCESS EXCLUSIVE on the table. That is brief, but it waits for every running query, and all new ones wait behind it.",
        example: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE INDEX users_name ON users (name);",
            pending: "DROP INDEX users_name;",
            blue: "-- name: list\nSELECT id FROM users;",
            green: "-- name: list\nSELECT id FROM users;",
        }),
        instead: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE INDEX users_name ON users (name);",
            pending: "DROP INDEX CONCURRENTLY users_name;",
            blue: "-- name: list\nSELECT id FROM users;",
            green: "-- name: list\nSELECT id FROM users;",
        }),
        references: &["https://www.postgresql.org/docs/current/sql-dropindex.html"],
    },
    check: RuleCheck::PlacedStep(check),
};

/// One finding a file: a clean-up drops many, and says the same of each.
fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Some((part, table)) = drop(subject) else { return };
    if subject.earlier().any(|other| drop(&other).is_some()) {
        return;
    }
    let mut fix = concurrently::fix(subject, &part, false);
    let mut more = 0;
    for other in subject.later() {
        let Some((part, _)) = drop(&other) else { continue };
        more += 1;
        if let (Some(fix), Some(own)) = (&mut fix, concurrently::fix(&other, &part, false)) {
            fix.edits.extend(own.edits);
        }
    }
    let others = match more {
        0 => String::new(),
        1 => " (so does one more in this file)".to_owned(),
        n => format!(" (so do {n} more in this file)"),
    };
    let text = format!("dropping this index waits for every query on {table} and makes all new ones wait{others}");
    let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text)
        .at(part.span, "")
        .help("DROP INDEX CONCURRENTLY waits without a lock; cutover runs it outside a transaction")
        .fix(fix);
    found.push(weighed(subject, &part, diagnostic));
}

/// The index that a step drops from a table of production and that could go concurrently: one at a time, not of a partitioned table, and
/// not of a constraint.
fn drop<'a>(subject: &Subject<'a>) -> Option<(PlacedPart<'a>, &'a QName)> {
    let schema = subject.step.before;
    let [part] = subject.step.parts.as_slice() else { return None };
    let Operation::DropRelation { kind: RelationKind::Index, name, concurrently: false, cascade: false, .. } =
        part.operation
    else {
        return None;
    };
    let table = schema.index_table(&schema.resolve(name))?;
    let relation = schema.relation(table).filter(|r| !r.partitioned && !r.constraints.contains_key(&name.name))?;
    let locked = part.hazard.locks.iter().any(|lock| lock.mode == LockMode::AccessExclusive);
    // With the table, its index goes anyway.
    (locked && relation.kind == RelationKind::Table && subject.release.last.relation(table).is_some())
        .then_some((*part, table))
}
