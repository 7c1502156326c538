//! Found where steps are placed.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::ORDER_CONFLICT,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports a step that green needs before the cutover and that depends on one which blue does not survive.",
        why: "Dependencies cannot be turned round, so one of the two versions would break.",
        example: Some(Case {
            applied: "CREATE FUNCTION price(int) RETURNS int LANGUAGE sql AS 'SELECT $1';",
            pending: "DROP FUNCTION price(int);\nCREATE FUNCTION price(text) RETURNS int LANGUAGE sql AS 'SELECT 1';",
            blue: "-- name: price\nSELECT price(1);",
            green: "-- name: price\nSELECT price('a');",
        }),
        instead: Some(Case {
            applied: "CREATE FUNCTION price(int) RETURNS int LANGUAGE sql AS 'SELECT $1';",
            pending: "DROP FUNCTION price(int);\nCREATE FUNCTION price_of(text) RETURNS int LANGUAGE sql AS 'SELECT 1';",
            blue: "-- name: price\nSELECT price(1);",
            green: "-- name: price\nSELECT price_of('a');",
        }),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
