//! Found where migrations are simulated.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::ROLLBACK_IN_FILE,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports ROLLBACK and SAVEPOINT in a migration.",
        why: "What the file leaves behind depends on how far it got, and the plan runs every step in a transaction of its own.",
        example: Some(Case::of(
            "CREATE TABLE t (a int);",
            "SAVEPOINT s;
ALTER TABLE t ADD COLUMN b int;",
        )),
        instead: Some(Case::of("CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int;")),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
