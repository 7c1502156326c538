//! The table is written anew.

use super::cost::{Cost, cost, finding};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Check, Docs, Rule, Subject};
use crate::sql::Operation;
use crate::sql::operation::{DefaultValue, TableChange};

pub(crate) const RULE: Rule = Rule {
    code: codes::TABLE_REWRITE,
    severity: Severity::Warning,
    docs: Docs {
        what: "Reports a statement that writes a table of production anew: a new column with a volatile default, serial, identity or stored expression; a change of type that PostgreSQL can not make in the catalog alone; VACUUM FULL, CLUSTER, SET LOGGED.",
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
    check: Check::Step(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for part in subject.step.parts.iter().filter(|part| cost(part) == Some(Cost::Rewrite)) {
        let diagnostic = finding(&RULE, part, "rewrites the table");
        found.push(match instead(part.operation) {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
}

fn instead(operation: &Operation) -> Option<String> {
    let Operation::AlterTable { table, change, .. } = operation else { return None };
    match change {
        TableChange::AddColumn { column, .. } if column.default == Some(DefaultValue::GeneratedStored) => {
            Some(format!(
                "add {} as an ordinary column, keep it in step with a trigger, and fill old rows in batches",
                column.name
            ))
        }
        TableChange::AddColumn { column, .. } => Some(format!(
            "add {} without the default, SET DEFAULT in a statement of its own, and fill old rows in batches",
            column.name
        )),
        TableChange::SetType { column, data_type, .. } => Some(format!(
            "add {table}.{column}_new of type {data_type} with a trigger that keeps it in step, fill it in batches, and drop {column} after the cutover"
        )),
        _ => None,
    }
}
