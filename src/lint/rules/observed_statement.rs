//! Found where statements are placed by what they were seen to do.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::OBSERVED,
    severity: Severity::Info,
    yields_to: Yields::Settings,
    docs: Docs {
        what: "Reports a statement that cannot be read and was run on a throwaway server (`--observe`, or a rehearsal), and what that showed.",
        why: "What it did there is what it does on that schema. Where it reads rows, it may decide otherwise by the rows of production: then the finding is a warning.",
        example: None,
        instead: None,
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
