//! What PostgreSQL refuses because of the rows that there are: `ADD COLUMN … NOT NULL` without a default if there is a single one, the same key for
//! all if there are two.

use crate::compat::repeats_key;
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Docs, PlacedPart, Rule, RuleCheck, Subject, Yields};
use crate::schema::resolve::{resolve, updates_several};
use crate::sql::operation::{DataVerb, TableChange};
use crate::sql::query::Command;
use crate::sql::{Operation, read_query};

pub(crate) const RULE: Rule = Rule {
    code: codes::NEEDS_EMPTY_TABLE,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a new column that is NOT NULL and has no default, on a table that was there before the release; and an UPDATE that gives all rows that it finds the same values in a unique key.",
        why: "PostgreSQL refuses the one if the table has a single row, and the other if it finds two. They pass on the empty database of a test and fail in production, or on the rows that a version writes meanwhile.",
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
    check: RuleCheck::PlacedStep(check),
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
    found.extend(step.parts.iter().find(|part| repeats(subject, part)).map(|part| {
        let text = "this fails if it finds more than one row: all that it changes get the same values in a unique key";
        let help = "give each row a value of its own; or name the one row that is meant by its key";
        Diagnostic::new(RULE.code, RULE.severity, text).at(part.span, "the same for all").help(help)
    }));
}

/// Whether a statement, or one of a body that it calls, gives several rows of a table that was there before the same key.
fn repeats(subject: &Subject<'_>, part: &PlacedPart<'_>) -> bool {
    let Subject { release, step, .. } = *subject;
    let text = release.sources.slice(part.span);
    let schema = step.before;
    let repeats = |command: &Command| {
        let Command::Update(update) = command else { return false };
        let old = release.base.relation(&schema.origin_of(&schema.resolve(&update.table.name.value))).is_some();
        let same = |command| resolve(command, schema).uses.writes.iter().any(|write| repeats_key(write, schema));
        old && updates_several(update, schema) && same(command)
    };
    match part.operation {
        Operation::Data(data) if data.verb == DataVerb::Update => {
            read_query(text.trim_end_matches(';')).is_ok_and(|command| repeats(&command))
        }
        Operation::Opaque { .. } | Operation::Query { .. } => schema.run_by(text).commands().any(repeats),
        _ => false,
    }
}
