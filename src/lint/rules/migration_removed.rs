//! Found by `cutover lint --base`.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::MIGRATION_REMOVED,
    severity: Severity::Error,
    yields_to: Yields::Settings,
    docs: Docs {
        what: "Reports, with `--base`, a migration that the base has and that is gone.",
        why: "Databases that applied it have it in their history, and tools refuse a folder that lacks it. Write a migration that undoes it.",
        example: None,
        instead: None,
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
