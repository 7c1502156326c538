//! Found where the plan looks at every query on every schema.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::UNFIT_QUERY,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a query that does not work on the schema of the very version it is said to be of.",
        why: "Either the queries are those of another version, or the schema has parts that no migration makes. The query is taken to rely on all it mentions, which may refuse a plan needlessly.",
        example: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY);",
            pending: "ALTER TABLE users ADD COLUMN name text;",
            blue: "-- name: list\nSELECT id, nickname FROM users;",
            green: "-- name: list\nSELECT id, name FROM users;",
        }),
        instead: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY);",
            pending: "ALTER TABLE users ADD COLUMN name text;",
            blue: "-- name: list\nSELECT id FROM users;",
            green: "-- name: list\nSELECT id, name FROM users;",
        }),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
