//! Found where steps are placed.

use crate::diagnostic::{Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::INCOMPATIBLE,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports a statement that takes away what blue relies on and gives what green needs.",
        why: "Before the cutover it breaks blue, after it green has waited for it with errors: no single moment is right.",
        example: Some(Case {
            applied: "CREATE TABLE t (a int, b int);",
            pending: "ALTER TABLE t RENAME COLUMN a TO c;",
            blue: "-- name: read
SELECT a FROM t;",
            green: "-- name: read
SELECT c FROM t;",
        }),
        instead: Some(Case {
            applied: "CREATE TABLE t (a int, b int);",
            pending: "ALTER TABLE t ADD COLUMN c int;
CREATE FUNCTION in_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.c := NEW.a; RETURN NEW; END $$;
CREATE TRIGGER in_step BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION in_step();
UPDATE t SET c = a WHERE c IS NULL;
DROP TRIGGER in_step ON t;
DROP FUNCTION in_step();
ALTER TABLE t DROP COLUMN a;",
            blue: "-- name: read
SELECT a FROM t;",
            green: "-- name: read
SELECT c FROM t;",
        }),
        references: &[],
    },
    check: RuleCheck::Elsewhere,
};
