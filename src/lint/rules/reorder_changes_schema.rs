//! Found where a plan is proved.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::REORDER_UNPROVED,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports a plan whose order ends in another schema than the files' own order, or in which a statement would fail.",
        why: "Reordering is proved by replaying it. A plan that is not proved is refused.",
        example: None,
        instead: None,
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
