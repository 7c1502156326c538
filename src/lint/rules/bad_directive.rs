//! Found where statements are read.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::BAD_DIRECTIVE,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports a `-- cutover:` comment that says nothing the tool knows, gives no reason, or stands where it cannot hold.",
        why: "A comment that is passed over would let a statement run in the wrong phase while its author believes it placed.",
        example: Some(Case::of(
            "CREATE TABLE t (a int);",
            "-- cutover: later blue reads it
DROP TABLE t;",
        )),
        instead: Some(Case::of(
            "CREATE TABLE t (a int);",
            "-- cutover: after blue reads it
DROP TABLE t;",
        )),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
