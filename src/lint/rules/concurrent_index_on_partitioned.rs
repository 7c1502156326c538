//! CREATE INDEX CONCURRENTLY on a partitioned table fails.

use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Subject, Yields};
use crate::sql::Operation;

pub(crate) const RULE: Rule = Rule {
    code: codes::CONCURRENT_ON_PARTITIONED,
    severity: Severity::Error,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports CREATE INDEX CONCURRENTLY on a partitioned table.",
        why: "PostgreSQL refuses it: \"cannot create index on partitioned table concurrently\". The release would stop at this step.",
        example: Some(Case::of(
            "CREATE TABLE events (id bigint, at date) PARTITION BY RANGE (at);",
            "CREATE INDEX CONCURRENTLY events_at ON events (at);",
        )),
        instead: Some(Case::of(
            "CREATE TABLE events (id bigint, at date) PARTITION BY RANGE (at);\nCREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');",
            "CREATE INDEX CONCURRENTLY events_1_at ON events_1 (at);",
        )),
        references: &["https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY"],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let schema = subject.step.before;
    for part in &subject.step.parts {
        let Operation::CreateIndex(index) = part.operation else { continue };
        let table = schema.resolve(&index.table);
        if index.concurrently && schema.relation(&table).is_some_and(|relation| relation.partitioned) {
            let text = format!("this fails: {table} is partitioned, and PostgreSQL builds no index on it concurrently");
            found.push(
                Diagnostic::new(RULE.code, RULE.severity, text)
                    .at(part.span, "")
                    .help("CREATE INDEX … ON ONLY the partitioned table, CREATE INDEX CONCURRENTLY on each partition, then ALTER INDEX … ATTACH PARTITION"),
            );
        }
    }
}
