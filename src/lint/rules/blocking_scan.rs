//! All rows are read under a lock.

use super::cost::{Cost, cost, finding};
use crate::diagnostic::{Diagnostic, Edit, Fix, Safety, Severity, codes};
use crate::lint::{Case, Docs, PlacedPart, Placing, Rule, RuleCheck, Subject, Yields};
use crate::source::Span;
use crate::sql::operation::{ConstraintDefinition, ConstraintKind, TableChange};
use crate::sql::{Name, Operation, Quoted};

pub(crate) const RULE: Rule = Rule {
    code: codes::BLOCKING_SCAN,
    severity: Severity::Warning,
    yields_to: Yields::Figures,
    docs: Docs {
        what: "Reports a statement that reads all rows of a table of production while it blocks writers: a CHECK or a foreign key without NOT VALID, SET NOT NULL without a validated check that says the same, ATTACH PARTITION, REFRESH MATERIALIZED VIEW.",
        why: "Writers, and with ACCESS EXCLUSIVE readers too, wait until every row is read.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, age int);",
            "ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 17);",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, age int);",
            "ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 17) NOT VALID;\nALTER TABLE users VALIDATE CONSTRAINT users_age;",
        )),
        references: &[
            "https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-ADD-TABLE-CONSTRAINT",
        ],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    // A statement that cannot stay as it is need not be told what it costs.
    if subject.step.placing == Placing::Conflict {
        return;
    }
    for part in subject.step.parts.iter().filter(|part| cost(part) == Some(Cost::Scan)) {
        let diagnostic = finding(&RULE, subject, part, "reads all rows").fix(fix(subject, part));
        found.push(match instead(part.operation) {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
}

fn instead(operation: &Operation) -> Option<String> {
    match operation {
        Operation::RefreshView { concurrently: false, .. } => Some(
            "REFRESH MATERIALIZED VIEW CONCURRENTLY lets readers go on; it needs a unique index on the view".into(),
        ),
        Operation::AlterTable { table, change, .. } => match change {
            TableChange::SetNotNull { column, .. } => Some(format!(
                "ADD CONSTRAINT … CHECK ({column} IS NOT NULL) NOT VALID, VALIDATE CONSTRAINT, SET NOT NULL, DROP CONSTRAINT, each a statement of its own: SET NOT NULL then reads no rows of {table}"
            )),
            TableChange::AddConstraint(definition) if can_wait(definition) => Some(
                "ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT in a statement of its own, lets writers go on"
                    .into(),
            ),
            _ => None,
        },
        _ => None,
    }
}

fn can_wait(definition: &ConstraintDefinition) -> bool {
    matches!(definition.kind, ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. })
}

/// For a statement of one sub-command, on a table that is not partitioned (before PostgreSQL 18 it takes no NOT VALID keys).
fn fix(subject: &Subject<'_>, part: &PlacedPart<'_>) -> Option<Fix> {
    let Operation::AlterTable { table, change, .. } = part.operation else { return None };
    let relation = subject.step.before.relation(&subject.step.before.resolve(table))?;
    if part.span != part.statement || relation.partitioned {
        return None;
    }
    match change {
        TableChange::AddConstraint(definition) if can_wait(definition) => {
            let name = definition.name.as_deref()?;
            Some(Fix {
                title: "Check old rows in a statement of its own".to_owned(),
                // Before its semicolon, which then ends the new statement.
                edits: vec![after(part.span, format!(" NOT VALID;\n{}", validate(table, name)))],
                safety: Safety::Safe,
            })
        }
        TableChange::SetNotNull { column, .. } => {
            let name = format!("{}_{column}_not_null", table.name);
            if name.len() > 63 || relation.constraints.contains_key(name.as_str()) {
                return None;
            }
            let check = format!(
                "ALTER TABLE {table} ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID;\n{};\n",
                Quoted(&name),
                Quoted(column),
                validate(table, &name)
            );
            let drop = format!(";\nALTER TABLE {table} DROP CONSTRAINT {}", Quoted(&name));
            let start = Span { end: part.span.start, ..part.span };
            Some(Fix {
                title: "Prove it with a check first".to_owned(),
                edits: vec![Edit { span: start, replacement: check }, after(part.span, drop)],
                safety: Safety::Unsafe,
            })
        }
        _ => None,
    }
}

fn validate(table: &Name, constraint: &str) -> String {
    format!("ALTER TABLE {table} VALIDATE CONSTRAINT {}", Quoted(constraint))
}

fn after(span: Span, replacement: String) -> Edit {
    Edit { span: Span { start: span.end, ..span }, replacement }
}
