//! An index is dropped under a lock.

use super::concurrently;
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::LockMode;
use crate::lint::{Case, Check, Docs, Rule, Subject};
use crate::sql::Operation;
use crate::sql::operation::RelationKind;

pub(crate) const RULE: Rule = Rule {
    code: codes::BLOCKING_INDEX_DROP,
    severity: Severity::Info,
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
    check: Check::Step(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let schema = subject.step.before;
    let drops = |operation: &Operation| match operation {
        Operation::DropRelation { kind: RelationKind::Index, name, concurrently: false, cascade: false, .. } => {
            schema.index_table(&schema.resolve(name)).and_then(|table| schema.relation(table))
        }
        _ => None,
    };
    // CONCURRENTLY takes one name at a time, and no index of a partitioned table.
    let [part] = subject.step.parts.as_slice() else { return };
    let Some(table) = drops(part.operation).filter(|table| !table.partitioned) else { return };
    let locks = part.hazard.locks.iter().find(|lock| lock.mode == LockMode::AccessExclusive);
    let carries = table
        .constraints
        .keys()
        .any(|name| matches!(part.operation, Operation::DropRelation { name: index, .. } if index.name == *name));
    if let Some(lock) = locks.filter(|_| !carries) {
        let text =
            format!("dropping this index waits for every query on {} and makes all new ones wait", lock.relation);
        found.push(
            Diagnostic::new(RULE.code, RULE.severity, text)
                .at(part.span, "")
                .help("DROP INDEX CONCURRENTLY waits without a lock; cutover runs it outside a transaction")
                .fix(concurrently::fix(subject, part, false)),
        );
    }
}
