//! Found by `cutover lint --base`.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::MIGRATION_EDITED,
    severity: Severity::Error,
    yields_to: Yields::Settings,
    docs: Docs {
        what: "Reports, with `--base`, a migration that the base has and that was edited since.",
        why: "Where it was applied, the edit never runs, and tools that compare checksums (refinery, sqlx) refuse to go on. Write a new migration.",
        example: None,
        instead: None,
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
