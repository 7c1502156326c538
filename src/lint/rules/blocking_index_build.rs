//! An index is built under a lock.

use super::concurrently;
use super::cost::{Cost, cost, finding};
use crate::diagnostic::{Diagnostic, Fix, Severity, codes};
use crate::lint::{Case, Docs, PlacedPart, Placing, Rule, RuleCheck, Subject, Yields};
use crate::sql::Operation;
use crate::sql::operation::{ConstraintKind, TableChange};

pub(crate) const RULE: Rule = Rule {
    code: codes::BLOCKING_INDEX,
    severity: Severity::Warning,
    yields_to: Yields::Figures,
    docs: Docs {
        what: "Reports an index that is built on a table of production without CONCURRENTLY, by CREATE INDEX, REINDEX, or a UNIQUE or PRIMARY KEY constraint.",
        why: "Nobody writes the table until the index is built; a constraint keeps readers out, too.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            "CREATE INDEX users_name ON users (name);",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            "CREATE INDEX CONCURRENTLY users_name ON users (name);",
        )),
        references: &["https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY"],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    // A statement that cannot stay as it is need not be told what it costs.
    if subject.step.placing == Placing::Conflict {
        return;
    }
    for part in subject.step.parts.iter().filter(|part| cost(part) == Some(Cost::IndexBuild)) {
        let diagnostic = finding(&RULE, subject, part, "builds an index").fix(fix(subject, part));
        found.push(match instead(subject, part.operation) {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
}

fn instead(subject: &Subject<'_>, operation: &Operation) -> Option<&'static str> {
    match operation {
        Operation::CreateIndex(index) if concurrently::possible(subject, &index.table) => {
            Some("CREATE INDEX CONCURRENTLY lets writers go on; cutover runs it outside a transaction")
        }
        Operation::CreateIndex(_) => Some(
            "CREATE INDEX … ON ONLY the partitioned table, CREATE INDEX CONCURRENTLY on each partition, then ALTER INDEX … ATTACH PARTITION",
        ),
        Operation::Reindex { .. } => Some("REINDEX … CONCURRENTLY lets writers go on"),
        Operation::AlterTable { change: TableChange::AddConstraint(definition), .. } => match &definition.kind {
            ConstraintKind::Unique { .. } | ConstraintKind::PrimaryKey { .. } => {
                Some("CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING INDEX, lets writers go on")
            }
            ConstraintKind::Check { .. }
            | ConstraintKind::ForeignKey { .. }
            | ConstraintKind::Exclude { .. }
            | ConstraintKind::UsingIndex { .. } => None,
        },
        Operation::AlterTable { change: TableChange::AddColumn { .. }, .. } => Some(
            "add the column without the constraint, CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING INDEX",
        ),
        _ => None,
    }
}

fn fix(subject: &Subject<'_>, part: &PlacedPart<'_>) -> Option<Fix> {
    match part.operation {
        // A failed build leaves an invalid index behind: IF NOT EXISTS would keep it, and a unique one refuses rows all the same.
        Operation::CreateIndex(index) if concurrently::possible(subject, &index.table) => {
            concurrently::fix(subject, part, index.if_not_exists || index.unique || index.name.is_none())
        }
        _ => None,
    }
}
