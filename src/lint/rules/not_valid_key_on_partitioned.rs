//! A NOT VALID foreign key of a partitioned table fails before PostgreSQL 18.

use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Check, Docs, Rule, Subject};
use crate::sql::Operation;
use crate::sql::operation::{ConstraintKind, TableChange};

pub(crate) const RULE: Rule = Rule {
    code: codes::NOT_VALID_KEY_ON_PARTITIONED,
    severity: Severity::Warning,
    docs: Docs {
        what: "Reports a foreign key that is added NOT VALID to a partitioned table.",
        why: "PostgreSQL refuses it before version 18: \"cannot add NOT VALID foreign key on partitioned table\". The release would stop at this step.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY);\nCREATE TABLE events (at date, who bigint) PARTITION BY RANGE (at);",
            "ALTER TABLE events ADD CONSTRAINT events_who FOREIGN KEY (who) REFERENCES users NOT VALID;",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY);\nCREATE TABLE events (at date, who bigint) PARTITION BY RANGE (at);\nCREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');",
            "ALTER TABLE events_1 ADD CONSTRAINT events_1_who FOREIGN KEY (who) REFERENCES users NOT VALID;\nALTER TABLE events_1 VALIDATE CONSTRAINT events_1_who;",
        )),
        references: &[
            "https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-ADD-TABLE-CONSTRAINT",
        ],
    },
    check: Check::Step(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let schema = subject.step.before;
    for part in &subject.step.parts {
        let Operation::AlterTable { table, change: TableChange::AddConstraint(added), .. } = part.operation else {
            continue;
        };
        let table = schema.resolve(table);
        let partitioned = schema.relation(&table).is_some_and(|relation| relation.partitioned);
        if partitioned && added.not_valid && matches!(added.kind, ConstraintKind::ForeignKey { .. }) {
            let text = format!(
                "this fails before PostgreSQL 18: {table} is partitioned, and its foreign keys can not be NOT VALID"
            );
            found.push(Diagnostic::new(RULE.code, RULE.severity, text).at(part.span, "").help(
                "add and validate the key on each partition; adding it to the partitioned table then finds them there",
            ));
        }
    }
}
