//! Found where queries are read.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::PARTIAL_WORKLOAD,
    severity: Severity::Warning,
    yields_to: Yields::Settings,
    docs: Docs {
        what: "Reports what a source of queries holds and the workload does not: a file that is broken, a log that was cut off, a model without a key.",
        why: "What is left out is not checked, so a version may rely on more than its workload shows.",
        example: None,
        instead: None,
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
