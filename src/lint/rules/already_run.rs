//! Found where a plan is made that carries on with a release (`plan/begun.rs`).

use crate::diagnostic::{Severity, codes};
use crate::lint::{Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::ALREADY_RUN,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports, for `plan --replan`, what does not fit the statements of the release that have run: one of them is not in the files any more, a migration that is complete was changed, a statement stands before one that has run and touches the same, or must run before a cutover that has happened.",
        why: "What has run stays. A database that runs the corrected files from the beginning must end where this one does.",
        example: None,
        instead: None,
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
