//! The author's word against what green relies on.

use super::author::against;
use crate::compat::Phase;
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Subject, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::GREEN_NOT_READY,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports a step that its author put after the cutover and that gives what green relies on.",
        why: "Green serves traffic from the cutover on, and fails until this step has run. Where the queries of green are known it is an error; where they are assumed, a warning.",
        example: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY);",
            pending: "-- cutover: after it can wait\nALTER TABLE users ADD COLUMN name text;",
            blue: "-- name: list\nSELECT id FROM users;",
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
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let requirement = subject.step.requirements.green.as_ref().filter(|_| subject.step.requirements.green_must());
    if subject.step.phase == Phase::After
        && let Some(requirement) = requirement
    {
        found.extend(against(subject, RULE.code, requirement));
    }
}
