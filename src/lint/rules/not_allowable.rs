//! Found where suppressions are applied.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::NOT_ALLOWABLE,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports an `allow` comment for a rule that keeps a plan from breaking a version.",
        why: "Silenced, the plan would still break a version. What the author knows better belongs into `-- cutover: before|after|neutral <reason>`, which changes the plan.",
        example: Some(Case::of(
            "CREATE TABLE t (a int);",
            "-- cutover: allow(opaque-statement) harmless
ALTER TABLE t ADD COLUMN b int;",
        )),
        instead: Some(Case::of("CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int;")),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
