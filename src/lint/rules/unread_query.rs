//! Found where queries are read.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::UNREAD_QUERY,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a query of the application that the parser cannot read.",
        why: "What it needs is not known. A rehearsal still has PostgreSQL prepare it on every schema.",
        example: None,
        instead: None,
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
