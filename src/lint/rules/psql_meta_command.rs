//! Found where a file is split into statements.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::META_COMMAND,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports a backslash command among the SQL.",
        why: "Backslash commands are psql's. No migration tool sends them to the server.",
        example: Some(Case::of(
            "CREATE TABLE t (a int);",
            "\\set ON_ERROR_STOP on
ALTER TABLE t ADD COLUMN b int;",
        )),
        instead: Some(Case::of("CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int;")),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
