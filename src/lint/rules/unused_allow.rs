//! Found where suppressions are applied.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::UNUSED_ALLOW,
    severity: Severity::Info,
    yields_to: Yields::Settings,
    docs: Docs {
        what: "Reports an `allow` comment that silences nothing.",
        why: "It is left over, or stands at the wrong statement, and would hide a finding that nobody has looked at. A team can make it an error in `cutover.toml`; by itself it fails nothing, for a release that creates the table, too, has nothing to allow.",
        example: Some(Case::of(
            "CREATE TABLE t (a int);",
            "-- cutover: allow(table-rewrite) a small table
ALTER TABLE t ADD COLUMN b int;",
        )),
        instead: Some(Case::of("CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int;")),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
