//! Found where the pending migrations are collected.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::SERVER_REFUSES,
    severity: Severity::Error,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a statement that PostgreSQL refuses whatever rows there are: DROP without CASCADE of what a view or a foreign key depends on, CREATE OR REPLACE VIEW without a column that is there, CREATE OR REPLACE FUNCTION with another return type.",
        why: "\"cannot drop table users because other objects depend on it\": the release would stop at this step, perhaps after the cutover.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE VIEW names AS SELECT name FROM users;",
            "DROP TABLE users;",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);\nCREATE VIEW names AS SELECT name FROM users;",
            "DROP VIEW names;\nDROP TABLE users;",
        )),
        references: &[
            "https://www.postgresql.org/docs/current/ddl-depend.html",
            "https://www.postgresql.org/docs/current/sql-createview.html",
        ],
    },
    check: RuleCheck::Elsewhere,
};
