//! Found by `cutover lint --baseline`.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::STALE_BASELINE,
    severity: Severity::Info,
    yields_to: Yields::Settings,
    docs: Docs {
        what: "Reports, with `--baseline`, entries that no longer occur.",
        why: "A baseline should only shrink; what is gone from the code and stays in the file would hide the same mistake made again. Write it anew with `--write-baseline`.",
        example: None,
        instead: None,
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
