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
    if step.phase == Phase::After || step.directive.is_some() {
        return;
    }
    let deletes = step.operations().find_map(|op| match op {
        Operation::Data(data) if data.verb == DataVerb::Delete => data.table.as_ref(),
        _ => None,
    });
    let Some(table) = deletes.map(|table| step.before.resolve(table)) else { return };
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
