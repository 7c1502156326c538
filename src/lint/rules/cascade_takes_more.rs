//! DROP … CASCADE takes what the migration does not name.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::few::Few;
use crate::lint::{Case, Docs, PlacedPart, Rule, RuleCheck, Subject, Yields};
use crate::schema::{Constraint, Object, QName, Relation, Schema, TableRule as RowRule};
use crate::sql::Operation;
use crate::sql::operation::TableChange;

pub(crate) const RULE: Rule = Rule {
    code: codes::CASCADE_TAKES_MORE,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a CASCADE that drops views, foreign keys of other tables, or what names a dropped type (columns, indexes, checks, policies), which the release neither drops by name nor makes again.",
        why: "They go without a word in the file or its review, and whoever uses them finds out. Naming them costs a line, and then PostgreSQL refuses to drop more than was meant.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE VIEW names AS SELECT name FROM users;",
            "DROP TABLE users CASCADE;",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE VIEW names AS SELECT name FROM users;",
            "DROP VIEW names;\nDROP TABLE users;",
        )),
        references: &["https://www.postgresql.org/docs/current/ddl-depend.html"],
    },
    check: RuleCheck::PlacedStep(check),
};

/// More names than this nobody reads.
const MOST_NAMED: usize = 8;

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    if !subject.step.operations().any(cascades) {
        return;
    }
    let mut schema = subject.step.before.clone();
    for part in &subject.step.parts {
        let applied = schema.apply(part.operation);
        if cascades(part.operation) {
            found.extend(finding(subject, part, &schema, &applied.schema, &applied.touched));
        }
        schema = applied.schema;
    }
}

fn cascades(operation: &Operation) -> bool {
    match operation {
        Operation::DropRelation { cascade, .. }
        | Operation::DropNamespace { cascade, .. }
        | Operation::DropType { cascade, .. } => *cascade,
        Operation::AlterTable { change, .. } => {
            matches!(
                change,
                TableChange::DropColumn { cascade: true, .. } | TableChange::DropConstraint { cascade: true, .. }
            )
        }
        _ => false,
    }
}

fn finding(
    subject: &Subject<'_>,
    part: &PlacedPart<'_>,
    before: &Schema,
    after: &Schema,
    touched: &Few<Object>,
) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let named: BTreeSet<QName> = step
        .operations()
        .filter_map(|op| match op {
            Operation::DropRelation { name, .. } | Operation::AlterTable { table: name, .. } => {
                Some(before.resolve(name))
            }
            _ => None,
        })
        .collect();
    let mut taken = Vec::new();
    for name in touched.iter().filter_map(relation).filter(|name| !named.contains(name)) {
        let old = before.relation(name).filter(|old| old.owned_by.is_none() && old.parent.is_none());
        // Only what production has, and what the end of the release lacks.
        let (Some(old), Some(_)) = (old, release.base.relation(name)) else { continue };
        match after.relation(name) {
            None if release.last.relation(name).is_none() => {
                taken.push(format!("{} {name}", old.kind.keyword().to_ascii_lowercase()));
            }
            None => {}
            Some(now) => {
                let keys = old.constraints.iter().filter(|(key, constraint)| {
                    let kept = |schema: Option<&crate::schema::Relation>| {
                        schema.is_some_and(|r| r.constraints.contains_key(*key))
                    };
                    matches!(constraint.kind, RowRule::ForeignKey { .. })
                        && !kept(Some(now))
                        && !kept(release.last.relation(name))
                        && kept(release.base.relation(name))
                });
                taken.extend(keys.map(|(key, _)| format!("foreign key {key} of {name}")));
                if matches!(part.operation, Operation::DropType { .. }) {
                    let of = |relation: Option<&Relation>| relation.map_or_else(Vec::new, |found| parts(name, found));
                    let (now, base) = (of(Some(now)), of(release.base.relation(name)));
                    let last = of(release.last.relation(name));
                    let gone = |part: &String| !now.contains(part) && base.contains(part) && !last.contains(part);
                    taken.extend(parts(name, old).into_iter().filter(gone));
                }
            }
        }
    }
    let more = taken.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        taken.truncate(MOST_NAMED);
        taken.push(format!("{more} more"));
    }
    let last = taken.pop()?;
    let list = if taken.is_empty() { last } else { format!("{} and {last}", taken.join(", ")) };
    Some(
        Diagnostic::new(
            RULE.code,
            RULE.severity,
            format!("CASCADE also drops what the migration does not name: {list}"),
        )
        .at(part.span, "")
        .help("drop them by name in statements before this one, and leave CASCADE out"),
    )
}

/// What of a relation may name a type, in words.
fn parts(name: &QName, relation: &Relation) -> Vec<String> {
    let columns = relation.columns.iter().map(|column| format!("column {} of {name}", column.name));
    let indexes = relation.indexes.keys().map(|index| format!("index {index} of {name}"));
    let is_check = |constraint: &Constraint| matches!(constraint.kind, RowRule::Check { .. });
    let checks = relation.constraints.iter().filter(|(_, constraint)| is_check(constraint));
    let checks = checks.map(|(check, _)| format!("check {check} of {name}"));
    let policies = relation.policies.keys().map(|policy| format!("policy {policy} on {name}"));
    columns.chain(indexes).chain(checks).chain(policies).collect()
}

fn relation(object: &Object) -> Option<&QName> {
    match object {
        Object::Relation(name) => Some(name),
        _ => None,
    }
}
