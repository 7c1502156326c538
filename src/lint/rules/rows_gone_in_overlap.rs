//! Rows that blue can still read go.

use crate::compat::{Evidence, Phase};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::Capability;
use crate::lint::{Case, Check, Docs, Rule, Subject};
use crate::sql::Operation;
use crate::sql::operation::DataVerb;

pub(crate) const RULE: Rule = Rule {
    code: codes::ROWS_GONE_IN_OVERLAP,
    severity: Severity::Warning,
    docs: Docs {
        what: "Reports a DELETE that runs before the cutover, because a step that green needs stands on it.",
        why: "Blue still uses the table: it may miss the rows, and it may write such rows again before the step that needs them gone.",
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
    check: Check::Step(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Subject { release, step, .. } = *subject;
    if step.directive.is_some() {
        return;
    }
    let after = step.phase == Phase::After;
    let deletes = step.operations().find_map(|op| match op {
        Operation::Data(data) if data.verb == DataVerb::Delete || after && data.verb == DataVerb::Truncate => {
            Some((data.table.as_ref()?, data.verb == DataVerb::Truncate && data.cascade))
        }
        _ => None,
    });
    let Some((table, cascades)) = deletes.map(|(table, cascades)| (step.before.resolve(table), cascades)) else {
        return;
    };
    if after {
        let referring = step.before.dependents(&table).filter(|_| cascades).cloned();
        let query =
            std::iter::once(table.clone()).chain(referring).find_map(|table| match release.green.app.writes(&table) {
                Evidence::Query(query) => Some((table, query)),
                _ => None,
            });
        found.extend(query.map(|(table, query)| {
            let text = format!("green writes {table} from the cutover on, and this takes the rows that it matches, whoever wrote them");
            Diagnostic::new(RULE.code, RULE.severity, text)
                .at(step.span, "placed after the cutover")
                .at(query.span.moved(release.green.offset), format!("green's query {}", query.name))
                .help("make sure that it matches no row of green's; or let it run before green is there: `-- cutover: before <reason>`")
        }));
        return;
    }
    let kept = Capability::Relation(table.clone());
    if !kept.offered_by(release.base) || matches!(release.blue.app.evidence(&kept), Evidence::None) {
        return;
    }
    let text = format!("blue uses {table} until it is drained, and these rows go before the cutover");
    found.push(
        Diagnostic::new(RULE.code, RULE.severity, text)
            .at(step.span, "a step that green needs before the cutover stands on it")
            .help("make sure that blue does not miss them, and that it writes no such rows again before the step that needs them gone"),
    );
}
