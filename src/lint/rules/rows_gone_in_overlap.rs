//! Rows of the overlap go: those that blue still reads, or those that green has written by then.

use crate::compat::{Evidence, Phase};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::Capability;
use crate::lint::{Case, Docs, PlacedStep, Rule, RuleCheck, Subject, Yields};
use crate::schema::QName;
use crate::sql::Operation;
use crate::sql::operation::{DataChange, DataVerb, RelationKind};

pub(crate) const RULE: Rule = Rule {
    code: codes::ROWS_GONE_IN_OVERLAP,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a DELETE that runs before the cutover, because a step that green needs depends on it; and after the cutover, what takes rows that green has written by then: a DELETE or TRUNCATE, another table in the place of the one it writes, a foreign key that comes too late to take along what points to deleted rows.",
        why: "Blue still uses the table: it may miss the rows, and it may write such rows again before the step that needs them gone. What runs after the cutover meets rows that in the files' order are not there yet.",
        example: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, email text);",
            pending: "DELETE FROM users WHERE email IS NULL;\nCREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email);",
            blue: "-- name: list\nSELECT id, email FROM users;",
            green: "-- name: add\nINSERT INTO users (id, email) VALUES ($1, $2) ON CONFLICT (email) DO NOTHING;",
        }),
        instead: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, email text);",
            pending: "DELETE FROM users WHERE email IS NULL;",
            blue: "-- name: list\nSELECT id, email FROM users;",
            green: "-- name: list\nSELECT id, email FROM users;",
        }),
        references: &[],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let step = subject.step;
    if step.directive.is_some() {
        return;
    }
    if step.phase == Phase::After {
        found.extend(deleted_of_green(subject).or_else(|| replaced(subject)).or_else(|| orphaned(subject)));
    } else {
        found.extend(deleted_of_blue(subject));
    }
}

/// The table whose rows a step deletes, and how.
fn deletion<'a>(step: &PlacedStep<'a>) -> Option<(QName, &'a DataChange)> {
    step.operations().find_map(|op| match op {
        Operation::Data(data) if data.deletes => Some((step.before.resolve(data.table.as_ref()?), &**data)),
        _ => None,
    })
}

/// Rows that blue may still use.
fn deleted_of_blue(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let (table, _) = deletion(step).filter(|(_, data)| data.verb != DataVerb::Truncate)?;
    let kept = Capability::Relation(table.clone());
    if !kept.offered_by(release.base) || matches!(release.blue.app.evidence(&kept), Evidence::None) {
        return None;
    }
    let text = format!("blue uses {table} until it is drained, and these rows go before the cutover");
    Some(
        Diagnostic::new(RULE.code, RULE.severity, text)
            .at(step.span, "a step that green needs before the cutover depends on it")
            .help("make sure that blue does not miss them, and that it writes no such rows again before the step that needs them gone"),
    )
}

/// Rows that green may have written by then.
fn deleted_of_green(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let (table, data) = deletion(step)?;
    let referring = step.before.dependents(&table).filter(|_| data.cascade).cloned();
    let written = std::iter::once(table.clone()).chain(referring).filter_map(|table| {
        match release.green.app.writes(&table) {
            Evidence::Query(query) | Evidence::Perhaps(query) => Some((table, Some(query))),
            // What is gone at the end is nothing that green writes.
            Evidence::Assumed => release.last.relation(&table).is_some().then_some((table, None)),
            Evidence::None => None,
        }
    });
    let written: Vec<_> = written.collect();
    let query = written.first()?.1;
    let tables: Vec<String> = written.iter().map(|(table, _)| table.to_string()).collect();
    let writes = if query.is_some() { "writes" } else { "may write" };
    let text = format!(
        "green {writes} {} from the cutover on, and this takes the rows that it matches, whoever wrote them",
        tables.join(", ")
    );
    // Most conditions are made for rows that nobody writes any more.
    let severity = if query.is_some() || data.everything { RULE.severity } else { Severity::Info };
    let diagnostic = Diagnostic::new(RULE.code, severity, text).at(step.span, "placed after the cutover").help(
        "make sure that it matches no row of green's; or let it run before green is there: `-- cutover: before <reason>`",
    );
    Some(release.green.shown_by(diagnostic, query))
}

/// A table that takes the name of another, which has the rows that green wrote.
fn replaced(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let stands = |name: &QName| step.before.relation(name).and_then(|r| r.origin.as_ref()) == Some(name);
    let names = step.operations().filter_map(|op| match op {
        Operation::RenameRelation { name, to, .. } => Some(QName { name: to.clone(), ..step.before.resolve(name) }),
        Operation::MoveRelation { name, to, .. } => Some(QName { schema: to.clone(), ..step.before.resolve(name) }),
        Operation::CreateTable(table) => Some(step.before.resolve(&table.name)),
        _ => None,
    });
    // It bears the name still, or did so until the step before.
    let taken = |name: &QName| {
        let was = release.base.relation(name).is_some_and(|r| r.kind == RelationKind::Table);
        let is_other = release.last.relation(name).is_some_and(|r| r.origin.as_ref() != Some(name));
        let earlier = release.steps.iter().filter(|other| other.phase == Phase::Before);
        let moved = |other: &PlacedStep<'_>| other.effect.removes.contains(&Capability::Relation(name.clone()));
        was && is_other && (stands(name) || !earlier.into_iter().any(moved))
    };
    let name = { names }.find(taken)?;
    let query = release.green.app.writes(&name).relied_on()?;
    let writes = if query.is_some() { "writes" } else { "may write" };
    let text = format!(
        "green {writes} {name} from the cutover on, and this puts another table in its place, without the rows that green wrote until then"
    );
    let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text)
        .at(step.span, "placed after the cutover")
        .help("give the new table a name of its own and let green use that; or change the table in place");
    Some(release.green.shown_by(diagnostic, query))
}

/// Rows that point to what green deletes before a new foreign key would have taken them along.
fn orphaned(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let (capability, query) = step.effect.adds.iter().find_map(|capability| match capability {
        Capability::Cascades { child, .. } if release.base.relation(child).is_some() => {
            match release.green.app.evidence(capability) {
                Evidence::Query(query) | Evidence::Perhaps(query) => Some((capability, query)),
                Evidence::Assumed | Evidence::None => None,
            }
        }
        _ => None,
    })?;
    let text = format!(
        "until this step, after the cutover, rows that green deletes leave others behind that it fails on, or its validation: {capability} only then"
    );
    let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "placed after the cutover").help(
        "let green delete the rows that point to them as well; or let the key come before the cutover: `-- cutover: before <reason>`",
    );
    Some(release.green.shown_by(diagnostic, Some(query)))
}
