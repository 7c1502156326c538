//! The author's word against what blue relies on.

use super::author::against;
use crate::compat::Phase;
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint::{Case, Docs, Rule, RuleCheck, Subject, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::BLUE_BREAKS,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports a step that runs before the cutover and takes away what blue relies on. The planner never puts one there; its author may.",
        why: "Blue serves traffic until it is drained, and fails from this step on. Where the queries of blue are known it is an error; where they are assumed, a warning, for then the author may know better.",
        example: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            pending: "-- cutover: before nobody reads it\nALTER TABLE users DROP COLUMN name;",
            blue: "-- name: list\nSELECT id, name FROM users;",
            green: "-- name: list\nSELECT id FROM users;",
        }),
        instead: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            pending: "ALTER TABLE users DROP COLUMN name;",
            blue: "-- name: list\nSELECT id, name FROM users;",
            green: "-- name: list\nSELECT id FROM users;",
        }),
        references: &[],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let requirement = subject.step.requirements.blue.as_ref().filter(|_| subject.step.requirements.blue_must());
    if subject.step.phase == Phase::Before
        && let Some(requirement) = requirement
    {
        found.extend(against(subject, RULE.code, requirement));
    }
}
