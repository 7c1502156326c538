//! DROP without CASCADE of what others stand on fails.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Check, Docs, Rule, Subject};
use crate::schema::{QName, Schema};
use crate::sql::Operation;
use crate::sql::operation::RelationKind;

pub(crate) const RULE: Rule = Rule {
    code: codes::DROP_WITH_DEPENDENTS,
    severity: Severity::Error,
    docs: Docs {
        what: "Reports DROP TABLE and DROP VIEW of what a view, or a foreign key of another table, still stands on.",
        why: "PostgreSQL refuses it: \"cannot drop table users because other objects depend on it\". The release would stop at this step, after the cutover.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE VIEW names AS SELECT name FROM users;",
            "DROP TABLE users;",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE VIEW names AS SELECT name FROM users;",
            "DROP VIEW names;\nDROP TABLE users;",
        )),
        references: &["https://www.postgresql.org/docs/current/ddl-depend.html"],
    },
    check: Check::Step(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let step = subject.step;
    if step.operations().all(|operation| dropped(operation, step.before).is_none()) {
        return;
    }
    let mut schema = step.before.clone();
    for part in &step.parts {
        if let Some(name) = dropped(part.operation, &schema) {
            // `DROP TABLE a, b` drops them together.
            let siblings = step.parts.iter().filter(|other| other.statement == part.statement);
            let together: BTreeSet<QName> = siblings.filter_map(|other| dropped(other.operation, &schema)).collect();
            let left = dependents(&schema, &name, &together);
            if let Some((first, _)) = left.split_first() {
                let text = format!(
                    "this fails: {} {} on {name}",
                    left.join(", "),
                    if left.len() == 1 { "depends" } else { "depend" }
                );
                found.push(
                    Diagnostic::new(RULE.code, RULE.severity, text)
                        .at(part.span, "")
                        .help(format!("drop {first} in a statement before this one")),
                );
            }
        }
        schema = schema.apply(part.operation).schema;
    }
}

fn dropped(operation: &Operation, schema: &Schema) -> Option<QName> {
    match operation {
        Operation::DropRelation {
            kind: RelationKind::Table | RelationKind::View | RelationKind::MaterializedView,
            name,
            cascade: false,
            ..
        } => Some(schema.resolve(name)),
        _ => None,
    }
}

/// What stands on a relation and does not go with it.
fn dependents(schema: &Schema, name: &QName, together: &BTreeSet<QName>) -> Vec<String> {
    let others = schema.dependents(name).filter(|other| !together.contains(other));
    let others = others.filter_map(|other| Some((other, schema.relation(other)?)));
    let kept = others.filter(|(_, relation)| relation.parent.as_ref() != Some(name));
    kept.map(|(other, relation)| match relation.kind {
        RelationKind::Table | RelationKind::ForeignTable => format!("a foreign key of {other}"),
        kind => format!("{} {other}", kind.keyword().to_ascii_lowercase()),
    })
    .collect()
}
