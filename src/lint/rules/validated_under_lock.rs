//! `NOT VALID` and `VALIDATE` in one transaction.

use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Subject, Yields};
use crate::sql::Operation;
use crate::sql::operation::{ConstraintKind, TableChange};

pub(crate) const RULE: Rule = Rule {
    code: codes::VALIDATED_UNDER_LOCK,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a constraint of a table of production that one statement, or statements that run in one transaction, adds NOT VALID and validates.",
        why: "The lock of ADD CONSTRAINT is held until the transaction ends, so the scan of VALIDATE CONSTRAINT runs under it: NOT VALID has gained nothing. Two statements of one file are fine; cutover runs each in a transaction of its own.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, age int);",
            "ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 17) NOT VALID, VALIDATE CONSTRAINT users_age;",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, age int);",
            "ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 17) NOT VALID;\nALTER TABLE users VALIDATE CONSTRAINT users_age;",
        )),
        references: &["https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES"],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Subject { release, step, .. } = *subject;
    for part in &step.parts {
        let Operation::AlterTable { table, change: TableChange::ValidateConstraint { name }, .. } = part.operation
        else {
            continue;
        };
        let resolved = step.before.resolve(table);
        let adds = |operation: &Operation| match operation {
            Operation::AlterTable { table, change: TableChange::AddConstraint(added), .. } => {
                added.not_valid
                    && added.name.as_ref() == Some(name)
                    && matches!(added.kind, ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. })
                    && step.before.resolve(table) == resolved
            }
            _ => false,
        };
        let own = step.parts.iter().find(|earlier| adds(earlier.operation));
        // Sub-commands of one statement are steps of their own, which run together if they are in one phase.
        let other = || {
            let siblings = subject.earlier().filter(|other| other.step.phase == step.phase);
            let mut parts = siblings.flat_map(|other| &other.step.parts);
            parts.find(|earlier| earlier.statement == part.statement && adds(earlier.operation))
        };
        if let Some(added) = own.or_else(other)
            && release.base.relation(&resolved).is_some()
        {
            let text =
                format!("VALIDATE CONSTRAINT {name} reads all rows of {resolved} under the lock that adding it took");
            found.push(
                Diagnostic::new(RULE.code, RULE.severity, text)
                    .at(part.span, "validated here")
                    .at(added.span, "added here, in the same transaction")
                    .help("write VALIDATE CONSTRAINT as a statement of its own, behind the one that adds it"),
            );
        }
    }
}
