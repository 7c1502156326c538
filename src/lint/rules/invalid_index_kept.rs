//! `CREATE INDEX CONCURRENTLY IF NOT EXISTS` takes what a failed build left behind.

use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Subject, Yields};
use crate::migrations::Convention;
use crate::sql::Operation;

pub(crate) const RULE: Rule = Rule {
    code: codes::INVALID_INDEX_KEPT,
    severity: Severity::Info,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports CREATE INDEX CONCURRENTLY IF NOT EXISTS in a folder of a migration tool.",
        why: "A concurrent build that fails leaves an index behind that is marked invalid: writes maintain it, no query uses it. On the second try IF NOT EXISTS finds it and reports success. `cutover execute` drops an invalid index before it builds; the folder's own tool does not.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS users_name ON users (name);",
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
    if subject.release.convention == Convention::Plain {
        return;
    }
    for part in &subject.step.parts {
        let Operation::CreateIndex(index) = part.operation else { continue };
        if index.concurrently && index.if_not_exists {
            let text = format!(
                "if {} fails to build this index once, it takes the invalid one that is left for the real one ever after",
                subject.release.convention
            );
            found.push(
                Diagnostic::new(RULE.code, RULE.severity, text)
                    .at(part.span, "")
                    .help("leave IF NOT EXISTS out, so that a second try fails visibly; or let `cutover execute` run it, which drops an invalid index first"),
            );
        }
    }
}
