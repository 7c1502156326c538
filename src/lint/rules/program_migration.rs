//! Found where the pending migrations are collected.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::PROGRAM,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports a pending migration that is a program (Go, Ruby) and no SQL.",
        why: "What it does to the schema cannot be known from here, nor can it be run from here, so no order can be proved around it.",
        example: None,
        instead: None,
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
