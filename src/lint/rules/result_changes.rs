//! Found where the plan looks at every query on every schema.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::RESULT_CHANGES,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a step that changes what a query of blue returns while blue runs, or that green still waits for: the number, the names, the order or the types of its columns, or the types of its parameters. The query itself goes on working.",
        why: "A session that holds the query prepared fails once with \"cached plan must not change result type\" (0A000), inside a transaction for good. A driver that decodes by position or by type reads something else than it was compiled for.",
        example: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            pending: "ALTER TABLE users ADD COLUMN age integer;",
            blue: "-- name: all\nSELECT * FROM users;",
            green: "-- name: all\nSELECT id, name, age FROM users;",
        }),
        instead: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            pending: "ALTER TABLE users ADD COLUMN age integer;",
            blue: "-- name: all\nSELECT id, name FROM users;",
            green: "-- name: all\nSELECT id, name, age FROM users;",
        }),
        references: &["https://www.postgresql.org/docs/current/sql-prepare.html"],
    },
    check: RuleCheck::Elsewhere,
};
