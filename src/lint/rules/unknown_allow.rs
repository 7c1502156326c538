//! Found where suppressions are applied.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::UNKNOWN_ALLOW,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports an `allow` comment that names no rule.",
        why: "It silences nothing, and its author believes that it does.",
        example: Some(Case::of(
            "CREATE TABLE t (a int);",
            "-- cutover: allow(table-rewrites) a small table
ALTER TABLE t ADD COLUMN b int;",
        )),
        instead: Some(Case::of("CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int;")),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
