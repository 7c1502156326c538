//! Rows that blue writes after a backfill do not have it.

use crate::compat::{Evidence, Phase};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::Capability;
use crate::lint::{Case, Check, Docs, Rule, Subject};
use crate::sql::Operation;
use crate::sql::operation::{DataVerb, RelationKind};

pub(crate) const RULE: Rule = Rule {
    code: codes::ROWS_WRITTEN_IN_OVERLAP,
    severity: Severity::Warning,
    docs: Docs {
        what: "Reports a backfill that runs before the cutover on a table that blue goes on writing.",
        why: "Rows that blue writes between the backfill and the end of its drain do not get the value. An UPDATE that tests the column `IS NULL` is run a second time once blue is drained; a trigger of the release keeps both forms in step.",
        example: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            "ALTER TABLE users ADD COLUMN initial text;\nUPDATE users SET initial = left(name, 1);",
        )),
        instead: Some(Case::of(
            "CREATE TABLE users (id bigint PRIMARY KEY, name text);",
            "ALTER TABLE users ADD COLUMN initial text;\nUPDATE users SET initial = left(name, 1) WHERE initial IS NULL;",
        )),
        references: &[],
    },
    check: Check::Step(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Subject { release, step, .. } = *subject;
    if step.phase == Phase::After || step.again {
        return;
    }
    let backfill = step.operations().find_map(|op| match op {
        Operation::Data(data) if data.verb == DataVerb::Update => Some((data.table.as_ref()?, data.writes.first()?)),
        _ => None,
    });
    let Some((table, writes)) = backfill else { return };
    let table = step.before.resolve(table);
    // Only a table that blue has can be written by blue.
    if release.base.relation(&table).is_none_or(|r| r.kind != RelationKind::Table) {
        return;
    }
    let kept_in_step = release.steps.iter().any(|other| {
        other.operations().any(|op| match op {
            Operation::CreateTrigger { table: on, .. } => other.before.resolve(on) == table,
            _ => false,
        })
    });
    let left_out = Capability::Omit { relation: table.clone(), column: writes.clone() };
    if kept_in_step || matches!(release.blue.app.evidence(&left_out), Evidence::None) {
        return;
    }
    let text = format!("rows of {table} that blue writes after this step, until it is drained, do not get {writes}");
    found.push(
        Diagnostic::new(RULE.code, RULE.severity, text)
            .at(step.span, "runs before the cutover")
            .help("keep both forms in step with a trigger that goes before the cutover; or test the column `IS NULL` in the WHERE, so that the statement can run a second time once blue is drained"),
    );
}
