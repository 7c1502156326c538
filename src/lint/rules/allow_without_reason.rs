//! Found where suppressions are applied.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::ALLOW_WITHOUT_REASON,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports an `allow` comment without a reason. It silences nothing.",
        why: "In a year the reason is the only thing that says whether the exception still holds.",
        example: Some(Case::of(
            "CREATE TABLE t (a int);
CREATE INDEX i ON t (a);",
            "-- cutover: allow(cascade-takes-more)
ALTER TABLE t ADD COLUMN b int;",
        )),
        instead: Some(Case::of("CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int;")),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
