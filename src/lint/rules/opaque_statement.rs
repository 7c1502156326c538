//! Found where steps are placed.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::OPAQUE,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports a statement whose effect cannot be known from its text: a DO block, a call of an unknown function, `DROP EXTENSION … CASCADE`, a form the parser lacks.",
        why: "It may drop a column that blue reads. Nobody but its author knows where it belongs.",
        example: Some(Case::of(
            "CREATE TABLE t (a int);",
            "DO $$ BEGIN EXECUTE 'ALTER TABLE t ADD COLUMN b int'; END $$;",
        )),
        instead: Some(Case::of(
            "CREATE TABLE t (a int);",
            "-- cutover: before it only adds a column
DO $$ BEGIN EXECUTE 'ALTER TABLE t ADD COLUMN b int'; END $$;",
        )),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
