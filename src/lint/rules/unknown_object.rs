//! Found where migrations are simulated.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::UNKNOWN_OBJECT,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a statement that changes something which the migrations before it never made, or makes something that is there.",
        why: "It fails, or something outside the folder made the object and the plan does not know its columns.",
        example: Some(Case::of("CREATE TABLE t (a int);", "ALTER TABLE tt ADD COLUMN b int;")),
        instead: Some(Case::of("CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int;")),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
