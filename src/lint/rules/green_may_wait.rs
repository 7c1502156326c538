//! Rows that green may write and that a rule refuses until a step after the cutover takes it away.

use crate::compat::{Evidence, Phase};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::{Capability, RowRule, behaviour};
use crate::lint::{Case, Check, Docs, Placing, Rule, Subject};
use crate::schema::Rule as Constraint;
use crate::sql::Operation;
use crate::sql::operation::{DefaultValue, Ident, TableChange};
use crate::workload::Query;

pub(crate) const RULE: Rule = Rule {
    code: codes::GREEN_MAY_WAIT,
    severity: Severity::Warning,
    docs: Docs {
        what: "Reports a step after the cutover that takes away a rule which rows of green may break, or a foreign key that keeps green from deleting what it points to.",
        why: "Blue relies on the step not having run, so the rule stands until blue is drained. Until then it refuses what green was written to do.",
        example: Some(Case {
            applied: "CREATE TABLE teams (id bigint PRIMARY KEY);\nCREATE TABLE users (id bigint PRIMARY KEY, team bigint REFERENCES teams);",
            pending: "ALTER TABLE users DROP COLUMN team;",
            blue: "-- name: list\nSELECT id, team FROM users;",
            green: "-- name: close\nDELETE FROM teams WHERE id = $1;",
        }),
        instead: Some(Case {
            applied: "CREATE TABLE teams (id bigint PRIMARY KEY);\nCREATE TABLE users (id bigint PRIMARY KEY, team bigint REFERENCES teams);",
            pending: "ALTER TABLE users DROP CONSTRAINT users_team_fkey;\nALTER TABLE users DROP COLUMN team;",
            blue: "-- name: list\nSELECT id, team FROM users;",
            green: "-- name: close\nDELETE FROM teams WHERE id = $1;",
        }),
        references: &[],
    },
    check: Check::Step(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Subject { release, step, .. } = *subject;
    let Some(watch) = release.green.app.watch else { return };
    if step.phase == Phase::Before || step.placing == Placing::Conflict {
        return;
    }
    // One that green's own schema refuses is reported as that.
    let fits = |query: &Query| {
        let at = watch.queries().iter().position(|other| std::ptr::eq(other, query));
        at.and_then(|at| watch.own().look(at)).is_none_or(|look| look.refused().is_none())
    };
    let given = step.effect.adds.iter().filter(|c| c.is_freedom() && !c.offered_by(release.base)).cloned();
    let freed = given.chain(step.operations().flat_map(|operation| referring(operation, subject)));
    let shown = freed.filter_map(|capability| match release.green.app.evidence(&capability) {
        Evidence::Query(query) | Evidence::Perhaps(query) if fits(query) => Some((capability, query)),
        _ => None,
    });
    // One that still stands once the step before it has run, and not for long.
    let earlier = |capability: &Capability| {
        release.steps.iter().any(|other| other.phase == Phase::Before && other.effect.adds.contains(capability))
    };
    let Some((capability, query)) = { shown }.find(|(capability, _)| !earlier(capability)) else { return };
    found.push(
        Diagnostic::new(RULE.code, RULE.severity, format!("until this step, after the cutover, green may be refused: {capability} only then"))
            .at(step.span, "placed after the cutover")
            .at(query.span.moved(release.green.offset), format!("green's query {}", query.name))
            .help("drop the constraint in a statement of its own, which then runs before the cutover; or let green do without until blue is drained"),
    );
}

/// The rules that go with a table or a column and bear on whoever does not know it: foreign keys, and keys that its default collides in.
/// And a partition's bound, which goes when it is detached.
fn referring(operation: &Operation, subject: &Subject<'_>) -> Vec<Capability> {
    let schema = subject.step.before;
    let (name, column) = match operation {
        Operation::AlterTable { change: TableChange::DetachPartition { partition, .. }, .. } => {
            return vec![behaviour::unbounded(&schema.resolve(partition))];
        }
        Operation::DropRelation { name, .. } => (schema.resolve(name), None),
        Operation::AlterTable { table, change: TableChange::DropColumn { column, .. }, .. } => {
            (schema.resolve(table), Some(column))
        }
        _ => return Vec::new(),
    };
    let relation = schema.relation(&name);
    let same_each_time = |column: &Ident| {
        let default = relation.and_then(|relation| relation.column(column)?.default);
        matches!(default, Some(DefaultValue::Stable))
    };
    let keys = relation.into_iter().flat_map(|r| r.constraints.values()).filter(|constraint| match &constraint.kind {
        Constraint::ForeignKey { columns, .. } => column.is_none_or(|column| columns.contains(column)),
        Constraint::PrimaryKey { columns } | Constraint::Unique { columns } => {
            column.is_some_and(|column| columns.contains(column) && same_each_time(column))
        }
        Constraint::Check { .. } | Constraint::Exclude { .. } => false,
    });
    keys.map(|key| Capability::Unruled { relation: name.clone(), rule: RowRule::Constraint(key.kind.clone()) })
        .collect()
}
