//! REFRESH MATERIALIZED VIEW CONCURRENTLY needs a unique index.

use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Subject, Yields};
use crate::sql::Operation;

pub(crate) const RULE: Rule = Rule {
    code: codes::REFRESH_WITHOUT_UNIQUE_INDEX,
    severity: Severity::Error,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports REFRESH MATERIALIZED VIEW CONCURRENTLY of a view without a unique index on plain columns and all rows.",
        why: "PostgreSQL refuses it: \"cannot refresh materialized view concurrently\". The release would stop at this step.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE MATERIALIZED VIEW names AS SELECT id, name FROM users;",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY names;",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE MATERIALIZED VIEW names AS SELECT id, name FROM users;\nCREATE UNIQUE INDEX names_id ON names (id);",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY names;",
        )),
        references: &["https://www.postgresql.org/docs/current/sql-refreshmaterializedview.html"],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let schema = subject.step.before;
    for part in &subject.step.parts {
        let Operation::RefreshView { name, concurrently: true, .. } = part.operation else { continue };
        let name = schema.resolve(name);
        let Some(view) = schema.relation(&name) else { continue };
        if view.indexes.values().all(|index| !index.unique || index.plain_key().is_none()) {
            let text = format!("this fails: {name} has no unique index on plain columns and all rows");
            found.push(
                Diagnostic::new(RULE.code, RULE.severity, text)
                    .at(part.span, "")
                    .help(format!("CREATE UNIQUE INDEX on {name} before it, or leave CONCURRENTLY out")),
            );
        }
    }
}
