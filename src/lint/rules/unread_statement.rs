//! Found where statements are read.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::UNREAD_STATEMENT,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a statement that the parser cannot read. It is treated as opaque, and the rest of the file is read all the same.",
        why: "What is not understood is never taken as harmless: the plan is refused until its author has said where the statement belongs.",
        example: Some(Case::of(
            "CREATE TABLE t (a int);",
            "-- cutover: neutral a typing error, kept for the example
ALTER TABLE t ADD COLUM b int nul;",
        )),
        instead: Some(Case::of("CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int NULL;")),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
