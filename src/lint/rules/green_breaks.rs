//! Green relies on something that the release takes away.

use crate::compat::{Evidence, Phase};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::{Capability, Weight};
use crate::lint::{Case, Docs, Rule, RuleCheck, Subject, Yields};
use crate::schema::Relation;

pub(crate) const RULE: Rule = Rule {
    code: codes::GREEN_BREAKS,
    severity: Severity::Error,
    yields_to: Yields::Nobody,
    docs: Docs {
        what: "Reports a step that takes away what a query of green needs, for good or until a later step gives it back.",
        why: "Green fails from this step on: at the latest when the steps after the cutover run, with all traffic on it.",
        example: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            pending: "ALTER TABLE users DROP COLUMN name;",
            blue: "-- name: list\nSELECT id, name FROM users;",
            green: "-- name: list\nSELECT id, name FROM users;",
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
    let Subject { release, step, .. } = *subject;
    // Without queries a table or a function that both versions have is relied upon, and that nobody writes a column that is gone at the end.
    // Nothing else is certain.
    let unknown = release.green.app.watch.is_none();
    let returns = |c: &Capability| c.offered_by(release.last) || given_otherwise(subject, c);
    // Green was written for the columns there are at the end.
    let settled = |c: &&Capability| {
        matches!(c, Capability::Bare { .. } | Capability::Defaulted { .. } | Capability::Default { .. })
    };
    let lost = step.effect.removes.iter().filter(|c| !settled(c));
    let lost = lost.filter(|c| !returns(c) || gone_for_a_while(subject, c)).filter(|c| c.weight() <= Weight::Habit);
    let shown = lost.map(|c| (c, release.green.app.evidence(c))).find_map(|(c, evidence)| match evidence {
        Evidence::Query(query) => Some((c, Some(query))),
        Evidence::Assumed if unknown && is_named(c) && returns(c) => Some((c, None)),
        Evidence::Assumed if unknown && left_out(subject, c) => Some((c, None)),
        Evidence::Perhaps(_) | Evidence::Assumed | Evidence::None => None,
    });
    let Some((capability, query)) = shown else { return };
    let (until, place, help) = if returns(capability) {
        (
            " until a later step gives it back",
            "taken away here, while green runs",
            "write both into one file, between BEGIN and COMMIT and behind a LOCK TABLE: they then are one step",
        )
    } else {
        ("", "taken away here", "change green's query, or drop the statement from the release")
    };
    let text = format!("green relies on what {} takes away{until}: {capability}", step.name());
    let told = Diagnostic::error(RULE.code, text).at(step.span, place).help(help);
    found.push(release.green.shown_by(told, query));
}

/// Whether queries name it by itself, as they do no function of a trigger.
fn is_named(capability: &Capability) -> bool {
    match capability {
        Capability::Relation(_) => true,
        Capability::Call { signature, .. } => !signature.ends_with(" returning trigger"),
        _ => false,
    }
}

/// Whether every INSERT of green leaves a column out, because it is gone at the end.
fn left_out(subject: &Subject<'_>, capability: &Capability) -> bool {
    let Capability::Omit { relation, column } = capability else { return false };
    let gone = |r: &Relation| r.columns_known && r.column(column).is_none();
    subject.step.phase == Phase::After && subject.release.last.relation(relation).is_some_and(gone)
}

/// Whether a step behind the cutover takes something that only a later step gives back.
fn gone_for_a_while(subject: &Subject<'_>, capability: &Capability) -> bool {
    let Subject { release, step, .. } = *subject;
    let statement = step.parts.first().map(|part| part.statement);
    let together = release
        .steps
        .iter()
        .filter(|other| other.phase == Phase::After && other.parts.first().map(|part| part.statement) == statement);
    let gives = |given: &Capability| match (given, capability) {
        // As another type, or with other values: green was written for that.
        (Capability::Read { relation: r, column: k, .. }, Capability::Read { relation, column, .. }) => {
            r == relation && k == column
        }
        _ => given == capability,
    };
    let kept =
        matches!(capability, Capability::Values { .. }) || together.flat_map(|other| &other.effect.adds).any(gives);
    step.phase == Phase::After && !kept
}

/// Green was written for the column as it is at the end: of another type, or made anew.
fn given_otherwise(subject: &Subject<'_>, capability: &Capability) -> bool {
    match capability {
        Capability::Read { relation, column, .. } | Capability::Values { relation, column, .. } => {
            subject.release.last.relation(relation).is_some_and(|r| r.column(column).is_some())
        }
        _ => false,
    }
}
