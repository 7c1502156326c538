//! Rows that green may write and that a rule refuses until a step after the cutover takes it away.

use crate::compat::{Evidence, Phase};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::{Capability, RowRule, behaviour};
use crate::lint::{Case, Docs, PlacedStep, Placing, Rule, RuleCheck, Subject, Yields};
use crate::schema::{QName, Schema, TableRule as Constraint};
use crate::sql::Operation;
use crate::sql::operation::{DefaultValue, Ident, OnDelete, TableChange};
use crate::workload::Query;

pub(crate) const RULE: Rule = Rule {
    code: codes::GREEN_MAY_WAIT,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a step after the cutover that takes away a rule which rows of green may break, or a foreign key that keeps green from deleting what it points to, or that gives a table to another owner, or hides rows from green, or deletes rows that point to what green deletes.",
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
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Subject { release, step, .. } = *subject;
    if step.phase == Phase::Before || step.placing == Placing::Conflict {
        return;
    }
    // One that green's own schema refuses is reported as that.
    let fits = |query: &Query| {
        release.green.app.watch.is_none_or(|watch| {
            let at = watch.queries().iter().position(|other| std::ptr::eq(other, query));
            at.and_then(|at| watch.own().look(at)).is_none_or(|look| look.refused().is_none())
        })
    };
    let of_trigger =
        |c: &Capability| matches!(c, Capability::Unruled { rule, .. } if behaviour::refusing(rule).is_some());
    let new = |c: &Capability| !c.offered_by(release.base) || of_trigger(c);
    let given = step.effect.adds.iter().filter(|c| c.is_freedom() && new(c));
    let given = given.map(|capability| Freed::rule(capability.clone()));
    let freed = step.operations().flat_map(|operation| going(operation, subject));
    // One that still stands once the step before it has run, and not for long.
    let earlier = |freed: &Freed| {
        let gives = |other: &PlacedStep<'_>| other.effect.adds.contains(&freed.capability);
        release.steps.iter().any(|other| other.phase == Phase::Before && gives(other))
    };
    let told = given.chain(freed).filter(|freed| !earlier(freed)).find_map(|freed| {
        let asked = freed.shown_by.as_ref().unwrap_or(&freed.capability);
        match release.green.app.evidence(asked) {
            Evidence::Query(query) | Evidence::Perhaps(query) => {
                fits(query).then_some((freed, RULE.severity, Some(query)))
            }
            Evidence::Assumed => freed.assumed.map(|severity| (freed, severity, None)),
            Evidence::None => None,
        }
    });
    let Some((freed, severity, query)) = told else {
        let others = cascading(subject).or_else(|| nullified(subject)).or_else(|| hidden_late(subject));
        found.extend(others.or_else(|| emptied_late(subject)));
        return;
    };
    let text = format!("until this step, after the cutover, green may be refused: {} only then", freed.capability);
    let diagnostic = Diagnostic::new(RULE.code, severity, text).at(step.span, "placed after the cutover");
    found.push(release.green.shown_by(diagnostic, query).help(freed.help));
}

/// Rows that go with those that green deletes, until the foreign key that says so goes.
fn cascading(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let there = |name: &QName| release.last.relation(name).is_some();
    let stays = |capability: &&Capability| match capability {
        Capability::Cascades { child, .. } => {
            // Green deletes them itself.
            let cared_for = release.green.app.deletes(child);
            there(child) && !cared_for && !capability.offered_by(release.last) && capability.offered_by(release.base)
        }
        _ => false,
    };
    step.effect.removes.iter().filter(stays).find_map(|capability| {
        let mut asked = std::iter::once(capability.clone()).chain(above(capability, step.before));
        let query = asked.find_map(|of| match release.green.app.evidence(&of) {
            Evidence::Query(query) | Evidence::Perhaps(query) if of.relation().is_some_and(there) => Some(query),
            _ => None,
        })?;
        let text = format!("until this step, after the cutover, it holds for green, too: {capability}");
        let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "placed after the cutover");
        let help = "drop the constraint in a statement of its own, which then runs before the cutover; or let green delete nothing there until blue is drained";
        Some(release.green.shown_by(diagnostic, Some(query)).help(help))
    })
}

/// The deletions that reach a table whose rows take others with them, through the foreign keys that it has itself.
fn above(capability: &Capability, schema: &Schema) -> Vec<Capability> {
    let (mut found, mut open) = (Vec::new(), capability.relation().into_iter().cloned().collect::<Vec<_>>());
    while let Some(child) = open.pop() {
        let constraints = schema.relation(&child).into_iter().flat_map(|relation| relation.constraints.values());
        for constraint in constraints {
            if let Constraint::ForeignKey { columns, target, on_delete: OnDelete::Cascade, .. } = &constraint.kind {
                let (relation, columns) = (target.clone(), columns.clone());
                let deletes = Capability::Cascades { relation, child: child.clone(), columns };
                if !found.contains(&deletes) {
                    open.push(target.clone());
                    found.push(deletes);
                }
            }
        }
    }
    found
}

/// Rows that green is not to see, and sees until row security hides them.
fn hidden_late(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    step.effect.removes.iter().find_map(|capability| {
        let Capability::RowsVisible(relation) = capability else { return None };
        // Rows that go with their table are hidden by nobody.
        release.last.relation(relation)?;
        let (Evidence::Query(query) | Evidence::Perhaps(query)) = release.green.app.evidence(capability) else {
            return None;
        };
        let text = format!(
            "until this step, after the cutover, green reads and changes rows of {relation} that row security hides from it only then"
        );
        let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "placed after the cutover");
        let help = "if blue works with row security, too, say so: `-- cutover: before <reason>`; or let green do without those rows by itself until blue is drained";
        Some(release.green.shown_by(diagnostic, Some(query)).help(help))
    })
}

/// Rows that go late, and that point to what green deletes.
fn emptied_late(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let gone = step.operations().filter_map(|operation| match operation {
        Operation::Data(data) if data.deletes => Some(data),
        _ => None,
    });
    gone.flat_map(|data| data.together.iter().chain(&data.table)).find_map(|name| {
        let table = step.before.resolve(name);
        let green = &release.green.app;
        rules_of(&table, subject).find_map(|rule| {
            let Constraint::ForeignKey { target, on_delete: OnDelete::Refuse, .. } = &rule else { return None };
            // What green deletes there itself, it deletes first.
            if *target == table || !green.deletes(target) || green.deletes(&table) {
                return None;
            }
            let (target, rule) = (target.clone(), Box::new(RowRule::Constraint(rule)));
            let (Evidence::Query(query) | Evidence::Perhaps(query)) =
                green.evidence(&Capability::Unruled { relation: table.clone(), rule })
            else {
                return None;
            };
            let text = format!(
                "until this step, after the cutover, green may be refused: rows of {table} point to what it deletes from {target}"
            );
            let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "placed after the cutover");
            let help = "let green delete them, too, or nothing there until blue is drained; if blue does without them, say so: `-- cutover: before <reason>`";
            Some(release.green.shown_by(diagnostic, Some(query)).help(help))
        })
    })
}

/// A rule that goes.
struct Freed {
    capability: Capability,
    /// What green's queries show of it, if they do not by breaking the rule.
    shown_by: Option<Capability>,
    /// How much it matters where green's queries are not known.
    assumed: Option<Severity>,
    help: &'static str,
}

impl Freed {
    fn rule(capability: Capability) -> Self {
        let help = "drop the constraint in a statement of its own, which then runs before the cutover; or let green do without until blue is drained";
        Self { capability, shown_by: None, assumed: None, help }
    }

    /// What the new owner may do once it is one; nothing if it had privileges before.
    fn owner(table: &QName, to: &str, schema: &Schema) -> Option<Self> {
        let granted = schema.relation(table)?.grants.iter().any(|(role, _)| role == to);
        let help = "if green connects as the new owner, GRANT it what it needs before the cutover; if both versions connect as one role, there is nothing to do before the cutover";
        let capability = behaviour::owned_by(table, to);
        (!granted).then_some(Self { capability, shown_by: None, assumed: Some(Severity::Info), help })
    }
}

/// The rules that go with a table, a column or a partition's place, and bear on whoever does not know them: foreign keys from and to it, keys
/// in which a default collides, a partition's bound.
fn going(operation: &Operation, subject: &Subject<'_>) -> Vec<Freed> {
    let schema = subject.step.before;
    let (name, column, cascade) = match operation {
        Operation::AlterTable { change: TableChange::DetachPartition { partition, .. }, .. } => {
            let capability = behaviour::unbounded(&schema.resolve(partition));
            return vec![Freed::rule(capability)];
        }
        Operation::AlterTable { table, change: TableChange::Owner { to }, .. } => {
            return Freed::owner(&schema.resolve(table), to, schema).into_iter().collect();
        }
        Operation::DropRelation { name, cascade, .. } => (schema.resolve(name), None, *cascade),
        Operation::AlterTable { table, change: TableChange::DropColumn { column, .. }, .. } => {
            (schema.resolve(table), Some(column), false)
        }
        _ => return Vec::new(),
    };
    let own = rules_of(&name, subject).filter_map(|rule| {
        let shown_by = match &rule {
            Constraint::ForeignKey { columns, .. } => column.is_none_or(|c| columns.contains(c)).then_some(None)?,
            // Rows that leave it out are all alike there.
            Constraint::PrimaryKey { columns } | Constraint::Unique { columns } => {
                let default = schema.relation(&name).and_then(|relation| relation.column(column?)?.default);
                let collides = default == Some(DefaultValue::Constant) && columns.contains(column?);
                let left_out = Capability::Omit { relation: name.clone(), column: column?.clone() };
                collides.then_some(Some(left_out))?
            }
            Constraint::Check { .. } | Constraint::Exclude { .. } => return None,
        };
        Some(freed(&name, rule, shown_by, subject))
    });
    let others = schema.dependents(&name).filter(|other| cascade && **other != name).flat_map(|other| {
        let points = |rule: &Constraint| matches!(rule, Constraint::ForeignKey { target, .. } if *target == name);
        rules_of(other, subject).filter(points).map(|rule| freed(other, rule, None, subject)).collect::<Vec<_>>()
    });
    own.chain(others).collect()
}

fn rules_of<'a>(name: &QName, subject: &Subject<'a>) -> impl Iterator<Item = Constraint> + use<'a> {
    let relation = subject.step.before.relation(name);
    relation.into_iter().flat_map(|relation| {
        let unique =
            relation.indexes.iter().filter(|(index, i)| i.unique && !relation.constraints.contains_key(*index));
        let unique = unique.filter_map(|(_, index)| Some(Constraint::Unique { columns: index.plain_key()? }));
        relation.constraints.values().map(|constraint| constraint.kind.clone()).chain(unique)
    })
}

fn freed(name: &QName, rule: Constraint, shown_by: Option<Capability>, subject: &Subject<'_>) -> Freed {
    let release = subject.release;
    let stays = |name: &QName| release.last.relation(name).is_some();
    let assumed = match &rule {
        // A rule that only the overlap has is one that green was not written for.
        _ if stays(name) && release.base.relation(name).is_none() => Some(RULE.severity),
        // Green does not know the other table, and may write the one that stays.
        Constraint::ForeignKey { target, .. } if stays(name) != stays(target) => Some(Severity::Info),
        _ => None,
    };
    let capability = Capability::Unruled { relation: name.clone(), rule: Box::new(RowRule::Constraint(rule)) };
    Freed { shown_by, assumed, ..Freed::rule(capability) }
}

/// A trigger that goes late, and that puts NULL into a column that demands a value where green writes a NULL.
fn nullified(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    step.effect.removes.iter().find_map(|capability| {
        let Capability::Trigger { relation: table, name } = capability else { return None };
        let relation = step.before.relation(table)?;
        let function = relation.trigger_functions.get(name)?;
        let takes_null = |column: &Ident| relation.column(column).is_some_and(|column| !column.not_null);
        let bodies = step.before.functions(function).iter().flat_map(|function| &function.source.body().given);
        let mut given = bodies.filter(|given| given.alone && !given.from.is_empty() && !takes_null(&given.column));
        // Where the column demands a value in the end, green writes no NULL.
        let last = release.last.relation(table)?;
        let stays = |column: &Ident| last.column(column).is_some_and(|column| !column.not_null);
        let given = given.find(|given| given.from.iter().all(|column| takes_null(column) && stays(column)))?;
        let from = given.from.first()?;
        let null = Capability::AcceptsNull { relation: table.clone(), column: from.clone() };
        let (Evidence::Query(query) | Evidence::Perhaps(query)) = release.green.app.evidence(&null) else { return None };
        let text = format!(
            "until this step, after the cutover, green may be refused: where it writes NULL into {table}.{from}, {name} puts it into {}, too",
            given.column
        );
        let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "placed after the cutover");
        Some(release.green.shown_by(diagnostic, Some(query)).help(
            "let green write no NULL there before this step; or let the trigger keep the old value then",
        ))
    })
}
