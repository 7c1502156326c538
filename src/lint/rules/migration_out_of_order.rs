//! Found by `cutover lint --base`.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::MIGRATION_OUT_OF_ORDER,
    severity: Severity::Warning,
    yields_to: Yields::Settings,
    docs: Docs {
        what: "Reports, with `--base`, a new migration that does not sort behind the last one which the base has.",
        why: "Databases that have the later one either refuse it, skip it, or run it in another order than a new database does. Give it a later version.",
        example: None,
        instead: None,
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
