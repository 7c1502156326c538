//! Blue may meet what it has not met before, once green writes it.

use std::collections::BTreeSet;

use super::{counters, otherwise, rewritten, unfit};
use crate::compat::{Evidence, Phase, Requirement};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::Capability;
use crate::lint::{Case, Docs, Rule, RuleCheck, Subject, Yields};
use crate::schema::{Function, QName, Schema, TableRule as Constraint};
use crate::sql::operation::{DataVerb, DefaultValue, Firing, Ident, OnDelete, RelationKind, TableChange};
use crate::sql::{Name, Operation};

pub(crate) const RULE: Rule = Rule {
    code: codes::MAY_BREAK_READERS,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a step before the cutover after which blue may read a NULL, an enum label, or a row shape that it does not know, or a counter begins anew. It reports, too, where what a version writes comes to something else than it was written for: a rule (`CREATE RULE`) that rewrites it, or does no longer; a trigger that does something in its place, or that passes a row over by returning NULL.",
        why: "Nothing breaks when the step runs. Blue breaks on the first row that green writes in the new form, or, with `SELECT *` in a prepared statement, on its next execution. It never moves a step: a tool that postponed every ADD VALUE would be switched off.",
        example: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);",
            pending: "ALTER TABLE users ALTER COLUMN name DROP NOT NULL;",
            blue: "-- name: list\nSELECT id, name FROM users;",
            green: "-- name: add\nINSERT INTO users (id, name) VALUES ($1, $2);",
        }),
        instead: Some(Case {
            applied: "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);",
            pending: "ALTER TABLE users ALTER COLUMN name DROP NOT NULL;",
            blue: "-- name: list\nSELECT id FROM users;",
            green: "-- name: add\nINSERT INTO users (id, name) VALUES ($1, $2);",
        }),
        references: &[],
    },
    check: RuleCheck::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Subject { release, step, .. } = *subject;
    let tell = |requirement: &Requirement<'_>| {
        let text = match &requirement.capability {
            Capability::NeverNull { relation, column } => {
                format!("blue may read a NULL in {relation}.{column} once green writes one")
            }
            Capability::KnownLabels(name) => {
                format!("blue may read a label of {name} that it does not know once green writes it")
            }
            Capability::Body { signature, .. } => {
                format!("blue's calls of {signature} run another body from here on, and may mean something else")
            }
            Capability::Definition(name) => format!("blue reads {name} through another query from here on"),
            Capability::Default { relation, column } => {
                let rule = ruled(subject, relation, column).unwrap_or_default();
                format!("blue's INSERTs into {relation} without {column} get another default from here on{rule}")
            }
            other => format!("blue can no longer be sure of this: {other}"),
        };
        let help = match &requirement.capability {
            Capability::Body { .. } | Capability::Definition(_) => {
                "make sure that it does for blue what it did, or give the new one another name and drop the old one after the cutover"
            }
            Capability::Default { .. } => "make sure that blue can live with it, or let green write the value itself",
            _ => "let green write it only after blue is drained, or teach blue to read it first",
        };
        let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "from here on").help(help);
        release.label(diagnostic, requirement)
    };
    let begun = found.len();
    // After the cutover there is no blue to be surprised.
    if step.phase == Phase::Before {
        found.extend(step.requirements.conditional.iter().map(tell));
        found.extend(held(subject));
        found.extend(step.operations().filter_map(|operation| filled(subject, operation)));
        found.extend(step.operations().filter_map(|operation| otherwise::told(subject, operation, &RULE)));
        found.extend(counters::told(subject, &RULE));
        found.extend(unfit::kept(subject, &RULE, found.len() == begun));
    }
    found.extend(step.operations().flat_map(|operation| rewritten::told(subject, operation, &RULE)));
    found.extend(unfit::told(subject, &RULE));
    found.extend(set_off(subject));
    found.extend(passed_over(subject));
}

/// A rule that a new constant default has to obey, whoever leaves the column out.
fn ruled(subject: &Subject<'_>, table: &QName, column: &Ident) -> Option<String> {
    let relation = subject.after().relation(table)?;
    if relation.column(column)?.default != Some(DefaultValue::Constant) {
        return None;
    }
    let unique =
        relation.indexes.iter().find(|(_, index)| index.unique && index.key.iter().flatten().any(|c| c == column));
    let binding = || relation.constraints.iter().filter(|(_, constraint)| constraint.enforced);
    let key = binding().find_map(|(_, constraint)| match &constraint.kind {
        Constraint::ForeignKey { columns, target, .. } if columns.contains(column) => Some(target),
        _ => None,
    });
    let check = binding().find_map(|(name, constraint)| match &constraint.kind {
        Constraint::Check { columns, .. } if columns.contains(column) => Some(name),
        _ => None,
    });
    match (unique, key) {
        (None, None) => check.map(|check| format!(", which {check} must take")),
        (Some((index, _)), _) => Some(format!(", the same as green's, and {index} refuses what collides")),
        (None, Some(target)) => Some(format!(", which {target} must hold by then")),
    }
}

/// A trigger that a version sets off although its own schema has none: a new one by blue before the cutover, one that goes late by green.
fn set_off(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let before = step.phase == Phase::Before;
    let (changed, version) =
        if before { (&step.effect.adds, &release.blue) } else { (&step.effect.removes, &release.green) };
    changed.iter().find_map(|capability| {
        let Capability::Trigger { relation: table, name } = capability else { return None };
        // One that the release makes and drops again keeps what the versions write in step.
        let new = !capability.offered_by(release.base);
        let known = step.before.origin_of(table);
        release.base.relation(&known).filter(|_| new == before)?;
        let schema = if before { release.last } else { step.before };
        let function = schema.relation(table)?.trigger_functions.get(name)?;
        let other = other_written(schema.functions(function), &known, release.base)?;
        let query = version.app.writes(if before { &known } else { table }).relied_on()?;
        let (who, when) = if before { ("blue", "from here on") } else { ("green", "until here") };
        let text = format!("what {who} writes into {table} sets off {name} {when}, which may write {other}");
        let diagnostic = Diagnostic::new(RULE.code, Severity::Info, text).at(step.span, when);
        Some(version.shown_by(diagnostic, query).help("make sure that it is meant for the rows of both versions"))
    })
}

/// A trigger that runs before rows are written and may return NULL for them, where a version writes that does not know it: a new one, or one
/// whose function returns none until now, and blue; one that goes late, and green.
fn passed_over(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let before = step.phase == Phase::Before;
    let (with, without, version, when) = match before {
        true => (subject.after(), step.before, &release.blue, "from here on"),
        false => (step.before, subject.after(), &release.green, "until here"),
    };
    // RETURN OLD is NULL where a row is inserted. One that is about other rows, too, may say it of those.
    let is_null = |function: &Function, firing: Firing| {
        let inserts = firing.insert && !firing.update && !firing.delete;
        let body = function.source.body();
        body.returns_null || body.returns_old && inserts
    };
    let passes = |schema: &Schema, table: &QName, name: &Ident| {
        let Some(relation) = schema.relation(table).filter(|found| found.triggers.get(name) == Some(&true)) else {
            return false;
        };
        let functions = relation.trigger_functions.get(name).map_or(&[][..], |function| schema.functions(function));
        let firing = relation.firing(name);
        firing.changes_rows() && functions.iter().any(|function| is_null(function, firing))
    };
    let mut triggers = step.operations().flat_map(|operation| match operation {
        Operation::CreateTrigger { table, .. }
        | Operation::DropTrigger { table, .. }
        | Operation::AlterTable { table, change: TableChange::SwitchTrigger { .. }, .. } => {
            of_whole(with, step.before.resolve(table))
        }
        Operation::CreateFunction(made) => {
            let name = step.before.resolve_function(&made.name);
            let null = |schema: &Schema| {
                let bodies = schema.functions(&name).iter().map(|function| function.source.body());
                { bodies }.any(|body| body.returns_null || body.returns_old)
            };
            // Mostly none returns NULL, and nothing has to be looked for.
            if null(with) { calling(with, &name) } else { Vec::new() }
        }
        _ => Vec::new(),
    });
    triggers.find_map(|(table, name)| {
        let relation = with.relation(&table).filter(|relation| relation.kind == RelationKind::Table)?;
        let (table, name) = (&table, &name);
        if !passes(with, table, name) || passes(without, table, name) {
            return None;
        }
        let known = if before { with.origin_of(table) } else { table.clone() };
        release.base.relation(&known).filter(|_| before || !passes(release.last, table, name))?;
        let query = version.app.does(&known, |write| write.sets_off(relation.firing(name))).relied_on()?;
        let text = format!(
            "what {} writes into {known} sets off {name} {when}, which may return NULL: a row for which it does is not written",
            version.side
        );
        let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, when);
        Some(version.shown_by(diagnostic, query).help("make sure that it does so for no row that the version needs"))
    })
}

/// The triggers of a table and of its partitions, which have its triggers.
fn of_whole(schema: &Schema, table: QName) -> Vec<(QName, Ident)> {
    let triggers = |table: QName| {
        let names = schema.relation(&table).into_iter().flat_map(|relation| relation.triggers.keys());
        names.map(|name| (table.clone(), name.clone())).collect::<Vec<_>>()
    };
    schema.with_partitions(table).into_iter().flat_map(triggers).collect()
}

/// The triggers that call a function.
fn calling(schema: &Schema, function: &QName) -> Vec<(QName, Ident)> {
    let calls = schema.relations().flat_map(|(table, relation)| {
        let own = relation.trigger_functions.iter().filter(|(_, called)| *called == function);
        own.map(move |(name, _)| (table.clone(), name.clone()))
    });
    calls.collect()
}

/// A table beside its own that a trigger's function may write.
fn other_written<'a>(bodies: &[Function], own: &QName, base: &'a Schema) -> Option<&'a QName> {
    const VERBS: [&str; 3] = ["insert", "update", "delete"];
    let writes = |body: &&Function| body.volatile && body.mentions.iter().any(|word| VERBS.contains(&&**word));
    let body = bodies.iter().find(writes)?;
    let named = |name: &QName| name != own && body.mentions.contains(&name.name);
    let mut tables = base.relations().filter(|(_, relation)| relation.kind == RelationKind::Table);
    tables.find(|(name, _)| named(name)).map(|(name, _)| name)
}

/// A column of a unique key that blue leaves out, and that a new trigger fills.
fn filled(subject: &Subject<'_>, operation: &Operation) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let Operation::CreateTrigger { name, table, function: Some(function), firing, .. } = operation else { return None };
    let (table, function) = (step.before.resolve(table), step.before.resolve_function(function));
    let relation = step.before.relation(&table).filter(|_| firing.insert && firing.changes_rows())?;
    let known = release.base.relation(&table)?;
    let names = |column: &Ident| step.before.functions(&function).iter().any(|f| f.mentions.contains(column));
    let left_null = |column: &&Ident| known.column(column).is_some_and(|c| !c.has_default()) && names(column);
    let (index, column) = relation
        .indexes
        .iter()
        .filter(|(_, index)| index.unique)
        .find_map(|(name, index)| Some((name, index.key.iter().flatten().find(left_null)?)))?;
    let left_out = Capability::Omit { relation: table.clone(), column: column.clone() };
    let query = release.blue.app.evidence(&left_out).relied_on()?;
    let text = format!(
        "where blue leaves out {table}.{column}, {name} may give it a value from here on, which {index} refuses if another row has it"
    );
    let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "from here on");
    Some(release.blue.shown_by(diagnostic, query).help(
        "make sure that the value is another one for every row; or let the trigger wait until blue is drained: `-- cutover: after <reason>`",
    ))
}

/// Rows that are made of those that blue deletes, and that hold them from now on.
fn held(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let made = |table: &Name| {
        let table = step.before.resolve(table);
        release.base.relation(&table).is_none().then_some(table)
    };
    step.operations().find_map(|operation| match operation {
        Operation::Data(data) if data.verb == DataVerb::Insert => {
            let table = step.before.resolve(data.table.as_ref()?);
            let reads: Vec<QName> = data.query.reads.iter().map(|read| step.before.resolve(read)).collect();
            let written = |key: &Ident| data.writes.is_empty() || data.writes.contains(key);
            holds(subject, &table, |target, columns| reads.contains(target) && columns.iter().all(written))
        }
        // Rows that were made before the key.
        Operation::AlterTable { table, change: TableChange::AddConstraint(_), .. } => {
            let table = made(table)?;
            holds(subject, &table, |target, _| filled_from(subject, &table, target, &mut BTreeSet::new()))
        }
        _ => None,
    })
}

/// What is told of a foreign key of a table whose rows are made of those that it points to.
fn holds(subject: &Subject<'_>, table: &QName, made: impl Fn(&QName, &[Ident]) -> bool) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let mut keys = subject.after().relation(table)?.constraints.values();
    let (target, query) = keys.find_map(|key| match &key.kind {
        Constraint::ForeignKey { columns, target, on_delete: OnDelete::Refuse, .. } if made(target, columns) => {
            let (relation, child) = (target.clone(), table.clone());
            // Who deletes with a key that cascades deletes with this one.
            let deletes = Capability::Cascades { relation, child, columns: columns.clone() };
            match release.blue.app.evidence(&deletes) {
                Evidence::Query(query) | Evidence::Perhaps(query) => Some((target, query)),
                _ => None,
            }
        }
        _ => None,
    })?;
    let text = format!(
        "blue deletes rows of {target}, and those that this adds to {table} point to them: it may be refused from here on"
    );
    let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "from here on");
    Some(release.blue.shown_by(diagnostic, Some(query)).help(
        "make sure that blue deletes them first; or let it wait until blue is drained: `-- cutover: after <reason>`",
    ))
}

/// Whether the release fills a table from another, or from one that it fills from that. `seen`: the tables that were asked about.
fn filled_from(subject: &Subject<'_>, table: &QName, from: &QName, seen: &mut BTreeSet<QName>) -> bool {
    seen.insert(table.clone())
        && subject.release.steps.iter().any(|step| {
            let mut reads = |names: &[Name]| {
                names
                    .iter()
                    .map(|name| step.before.resolve(name))
                    .any(|read| read == *from || filled_from(subject, &read, from, seen))
            };
            step.operations().any(|operation| match operation {
                Operation::Data(data) if data.verb == DataVerb::Insert => {
                    data.table.as_ref().is_some_and(|name| step.before.resolve(name) == *table)
                        && reads(&data.query.reads)
                }
                Operation::CreateTable(made) => match &made.query {
                    Some((query, _)) => step.before.resolve(&made.name) == *table && reads(&query.reads),
                    None => false,
                },
                _ => false,
            })
        })
}
