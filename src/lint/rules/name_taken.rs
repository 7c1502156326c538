//! Found where the statements are applied to the schema before them.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::NAME_TAKEN,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports IF NOT EXISTS where something else bears the name already: an index of another table or on other columns, a table without a column that is written there.",
        why: "PostgreSQL compares names only, and at most 63 bytes of them. It raises a notice, makes nothing, and what comes later does without the index or the column.",
        example: Some(Case::of(
            "CREATE TABLE orders (id bigint PRIMARY KEY, day date);\nCREATE TABLE visits (id bigint PRIMARY KEY, day date);\nCREATE INDEX by_day ON orders (day);",
            "CREATE INDEX IF NOT EXISTS by_day ON visits (day);",
        )),
        instead: Some(Case::of(
            "CREATE TABLE orders (id bigint PRIMARY KEY, day date);\nCREATE TABLE visits (id bigint PRIMARY KEY, day date);\nCREATE INDEX by_day ON orders (day);",
            "CREATE INDEX CONCURRENTLY visits_by_day ON visits (day);",
        )),
        references: &["https://www.postgresql.org/docs/current/sql-createindex.html"],
    },
    check: RuleCheck::Elsewhere,
};
