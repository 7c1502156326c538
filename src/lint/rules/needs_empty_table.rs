//! `ADD COLUMN … NOT NULL` without a default: PostgreSQL refuses it if there is a single row.

use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Check, Docs, Rule, Subject, Yields};
use crate::sql::Operation;
use crate::sql::operation::TableChange;

pub(crate) const RULE: Rule = Rule {
    code: codes::NEEDS_EMPTY_TABLE,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a new column that is NOT NULL and has no default, on a table that was there before the release.",
        why: "PostgreSQL refuses it if the table has a single row. It passes on the empty database of a test and fails in production.",
        example: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY);",
            pending: "ALTER TABLE users ADD COLUMN name text NOT NULL;",
            blue: "-- name: list\nSELECT id FROM users;",
            green: "-- name: list\nSELECT id FROM users;",
        }),
        instead: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY);",
            pending: "ALTER TABLE users ADD COLUMN name text NOT NULL DEFAULT '';",
            blue: "-- name: list\nSELECT id FROM users;",
            green: "-- name: list\nSELECT id FROM users;",
        }),
        references: &[],
    },
    check: Check::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Subject { release, step, .. } = *subject;
    let part = step.parts.iter().find(|part| match part.operation {
        Operation::AlterTable { table, change: TableChange::AddColumn { column, .. }, .. } => {
            let old = release.base.relation(&step.before.resolve(table)).is_some();
            old && column.not_null && column.default.is_none()
        }
        _ => false,
    });
    found.extend(part.map(|part| {
        Diagnostic::new(
            RULE.code,
            RULE.severity,
            "this fails if the table has rows: they have no value for the new column",
        )
        .at(part.span, "NOT NULL without a default")
        .help("give it a DEFAULT, or add it without NOT NULL, fill it, and SET NOT NULL later")
    }));
}
