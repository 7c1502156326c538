//! The table is written anew.

use super::cost::{Cost, cost, finding};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Docs, Placing, Rule, RuleCheck, Subject, Yields};
use crate::sql::Operation;
use crate::sql::operation::{DefaultValue, TableChange};

pub(crate) const RULE: Rule = Rule {
    code: codes::TABLE_REWRITE,
    severity: Severity::Warning,
    yields_to: Yields::Figures,
    docs: Docs {
        what: "Reports a statement that writes a table of production anew: a new column with a volatile default, serial, identity or stored expression; a change of type that PostgreSQL cannot make in the catalog alone; VACUUM FULL, CLUSTER, SET LOGGED.",
        why: "ACCESS EXCLUSIVE is held until every row and every index is written: nobody reads or writes the table meanwhile.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY);",
            "ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY);",
            "ALTER TABLE users ADD COLUMN token uuid;\nALTER TABLE users ALTER COLUMN token SET DEFAULT gen_random_uuid();\nUPDATE users SET token = gen_random_uuid() WHERE token IS NULL;",
        )),
        references: &["https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES"],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    // A statement that cannot stay as it is need not be told what it costs.
    if subject.step.placing == Placing::Conflict {
        return;
    }
    for part in subject.step.parts.iter().filter(|part| cost(part) == Some(Cost::Rewrite)) {
        let what = if by_time_zone(subject, part.operation) {
            "rewrites the table, unless the session's TimeZone is UTC,"
        } else {
            "rewrites the table"
        };
        let diagnostic = finding(&RULE, subject, part, what);
        found.push(match instead(part.operation) {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
}

/// Between timestamps with and without a time zone the stored values are the same in UTC, and PostgreSQL (12 and later) knows.
fn by_time_zone(subject: &Subject<'_>, operation: &Operation) -> bool {
    let Operation::AlterTable { table, change: TableChange::SetType { column, data_type, using: false, .. }, .. } =
        operation
    else {
        return false;
    };
    let schema = subject.step.before;
    let old = schema.relation(&schema.resolve(table)).and_then(|r| r.column(column)).and_then(|c| c.data_type.as_ref());
    let is_timestamp = |name: &str| name.starts_with("timestamp");
    old.is_some_and(|old| is_timestamp(old.as_str())) && is_timestamp(data_type.as_str())
}

fn instead(operation: &Operation) -> Option<String> {
    let Operation::AlterTable { table, change, .. } = operation else { return None };
    match change {
        TableChange::AddColumn { column, .. } if column.default == Some(DefaultValue::GeneratedStored) => {
            Some(format!(
                "add {} as an ordinary column, keep it in sync with a trigger, and fill old rows in batches",
                column.name
            ))
        }
        TableChange::AddColumn { column, .. } => Some(format!(
            "add {} without the default, SET DEFAULT in a statement of its own, and fill old rows in batches",
            column.name
        )),
        TableChange::SetType { column, data_type, .. } => Some(format!(
            "add {table}.{column}_new of type {data_type} with a trigger that keeps it in sync, fill it in batches, and drop {column} after the cutover"
        )),
        _ => None,
    }
}
