//! Found where the pending migrations are collected.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::NEEDS_NEWER_SERVER,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a statement that the PostgreSQL of production (`--pg-version`, or that of `--database`; otherwise 15) does not know.",
        why: "It fails with a syntax error, or does something else, in the middle of the release.",
        example: Some(Case::of(
            "CREATE TABLE t (a int);",
            "ALTER TABLE t ADD COLUMN b int GENERATED ALWAYS AS (a + 1) VIRTUAL;",
        )),
        instead: Some(Case::of("CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int;")),
        references: &["https://www.postgresql.org/docs/release/"],
    },
    check: RuleCheck::Elsewhere,
};
