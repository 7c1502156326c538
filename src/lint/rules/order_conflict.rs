//! Found where steps are placed.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Check, Docs, Rule};

pub(crate) const RULE: Rule = Rule {
    code: codes::ORDER_CONFLICT,
    severity: Severity::Error,
    docs: Docs {
        what: "Reports a step that green needs before the cutover and that stands on one which blue does not survive.",
        why: "Dependencies can not be turned round, so one of the two versions would break.",
        example: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY);",
            pending: "-- cutover: after nobody reads it yet\nALTER TABLE users ADD COLUMN name text;\nCREATE VIEW names AS SELECT name FROM users;",
            blue: "-- name: list\nSELECT id FROM users;",
            green: "-- name: names\nSELECT name FROM names;",
        }),
        instead: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY);",
            pending: "ALTER TABLE users ADD COLUMN name text;\nCREATE VIEW names AS SELECT name FROM users;",
            blue: "-- name: list\nSELECT id FROM users;",
            green: "-- name: names\nSELECT name FROM names;",
        }),
        references: &[],
    },
    check: Check::Elsewhere,
};
