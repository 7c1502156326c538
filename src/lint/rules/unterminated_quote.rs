//! Found where a file is split into statements.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::UNTERMINATED,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports a quote, a dollar quote or a comment that is never closed.",
        why: "Everything behind it belongs to it, so the statements there would not run, whatever tool sends the file.",
        example: Some(Case::of(
            "CREATE TABLE t (a text);",
            "ALTER TABLE t ADD COLUMN b int; /* the rest is to be done",
        )),
        instead: Some(Case::of(
            "CREATE TABLE t (a text);",
            "ALTER TABLE t ADD COLUMN b int; /* the rest is to be done */",
        )),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
