//! A version may have a habit that nobody has shown it to have.

use crate::compat::{Phase, Strength};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::Capability;
use crate::lint::{Case, Docs, Placing, Rule, RuleCheck, Subject, Yields};

pub(crate) const RULE: Rule = Rule {
    code: codes::MAY_NEED_ARBITER,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a unique index or a constraint that is gone, or not there yet, while a version runs that may name it in ON CONFLICT.",
        why: "An upsert without its index fails: \"there is no unique or exclusion constraint matching the ON CONFLICT specification\". Without queries nobody can tell whether a version has such an upsert.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, email text);",
            "ALTER TABLE users ADD COLUMN login text;\nCREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email);",
        )),
        instead: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, email text);",
            pending: "ALTER TABLE users ADD COLUMN login text;\nCREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email);",
            blue: "-- name: add\nINSERT INTO users (id, email) VALUES ($1, $2);",
            green: "-- name: add\nINSERT INTO users (id, email, login) VALUES ($1, $2, $3);",
        }),
        references: &["https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT"],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Subject { release, step, .. } = *subject;
    let (who, requirement, place) = match step.phase {
        Phase::Before => (&release.blue, step.requirements.blue.as_ref(), "gone before the cutover"),
        Phase::After => (&release.green, step.requirements.green.as_ref(), "there only after the cutover"),
    };
    let Some(requirement) = requirement.filter(|_| step.placing != Placing::Conflict) else { return };
    let habit = matches!(
        requirement.capability,
        Capability::Arbiter { .. }
            | Capability::PartialArbiter { .. }
            | Capability::ConstraintName { .. }
            | Capability::Grouped { .. }
    );
    if habit && requirement.query.is_none() && requirement.strength != Strength::Must {
        let text =
            format!("{} must not rely on this yet: {}{}", who.side, requirement.capability, release.assumption());
        found.push(Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, place));
    }
}
