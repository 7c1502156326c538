//! Blue may meet what it has not met before, once green writes it.

use crate::compat::{Evidence, Phase, Pull};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::Capability;
use crate::lint::{Case, Check, Docs, PlacedPart, Rule, Subject, Yields};
use crate::schema::{Function, QName, Rule as Constraint, Schema, UserType};
use crate::sql::Operation;
use crate::sql::operation::{DataVerb, Ident, OnDelete, RelationKind, TableChange};

pub(crate) const RULE: Rule = Rule {
    code: codes::MAY_BREAK_READERS,
    severity: Severity::Warning,
    yields_to: Yields::Comments,
    docs: Docs {
        what: "Reports a step before the cutover after which blue may read a NULL, an enum label, or a row shape that it does not know, or a counter begins anew.",
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
    check: Check::PlacedStep(check),
};

fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let Subject { release, step, .. } = *subject;
    let tell = |pull: &Pull<'_>| {
        let text = match &pull.capability {
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
                format!("blue's INSERTs into {relation} without {column} get another default from here on")
            }
            other => format!("blue can no longer be sure of this: {other}"),
        };
        let help = match &pull.capability {
            Capability::Body { .. } | Capability::Definition(_) => {
                "make sure that it does for blue what it did, or give the new one another name and drop the old one after the cutover"
            }
            Capability::Default { .. } => "make sure that blue can live with it, or let green write the value itself",
            _ => "let green write it only after blue is drained, or teach blue to read it first",
        };
        let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "from here on").help(help);
        release.blue.label(diagnostic, pull)
    };
    // After the cutover there is no blue to be surprised.
    if step.phase == Phase::Before {
        found.extend(step.pulls.conditional.iter().map(tell));
        found.extend(held(subject));
        found.extend(step.operations().filter_map(|operation| filled(subject, operation)));
        found.extend(step.operations().filter_map(|operation| mislabelled(subject, operation)));
        found.extend(step.operations().filter_map(|operation| recounted(subject, operation)));
    }
    found.extend(set_off(subject));
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
        let query = match version.app.writes(if before { &known } else { table }) {
            Evidence::Query(query) | Evidence::Perhaps(query) => Some(query),
            Evidence::Assumed => None,
            Evidence::None => return None,
        };
        let (who, when) = if before { ("blue", "from here on") } else { ("green", "until here") };
        let text = format!("what {who} writes into {table} sets off {name} {when}, which may write {other}");
        let diagnostic = Diagnostic::new(RULE.code, Severity::Info, text).at(step.span, when);
        Some(version.shown_by(diagnostic, query).help("make sure that it is meant for the rows of both versions"))
    })
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
    let query = match release.blue.app.evidence(&left_out) {
        Evidence::Query(query) | Evidence::Perhaps(query) => Some(query),
        Evidence::Assumed => None,
        Evidence::None => return None,
    };
    let text = format!(
        "where blue leaves out {table}.{column}, {name} may give it a value from here on, which {index} refuses if another row has it"
    );
    let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "from here on");
    Some(release.blue.shown_by(diagnostic, query).help(
        "make sure that the value is another one for every row; or let the trigger wait until blue is drained: `-- cutover: after <reason>`",
    ))
}

/// A new counter of a unique column that has values already, and that nothing sets behind them.
fn recounted(subject: &Subject<'_>, operation: &Operation) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let Operation::AlterTable { table, change: TableChange::SetIdentity { column, add: true, .. }, .. } = operation
    else {
        return None;
    };
    let table = step.before.resolve(table);
    let relation = release.base.relation(&table)?;
    let alone = |key: Vec<Ident>| key.len() == 1 && key[0] == *column;
    let unique = relation.indexes.values().any(|index| index.unique && index.plain_key().is_some_and(alone));
    relation.column(column).filter(|_| unique)?;
    let is_set = step.operations().any(|other| matches!(other, Operation::Query { .. }));
    let starts = |part: &PlacedPart<'_>| release.sources.slice(part.span).to_ascii_lowercase().contains("start");
    if is_set || step.parts.iter().any(starts) {
        return None;
    }
    let text = format!(
        "the new counter of {table}.{column} begins at 1, whatever rows there are: an INSERT that leaves it out may collide with them"
    );
    Some(Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "from here on").help(format!(
        "set it behind the rows in the same file, which makes it one transaction: `SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}`"
    )))
}

/// Labels of one enum that a new trigger puts into a column of another, which does not have them.
fn mislabelled(subject: &Subject<'_>, operation: &Operation) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let Operation::CreateTrigger { name, table, function: Some(function), firing, .. } = operation else { return None };
    let (table, function) = (step.before.resolve(table), step.before.resolve_function(function));
    let relation = step.before.relation(&table).filter(|_| firing.changes_rows())?;
    let labels =
        |column: &Ident| match step.before.user_type_named(&relation.column(column)?.data_type.as_ref()?.base()) {
            Some(UserType::Enum(labels)) => Some(labels),
            _ => None,
        };
    let mut given = step.before.functions(&function).iter().flat_map(|body| &body.source.body().given);
    let (from, into, label) = given.find_map(|given| {
        let taken = labels(&given.column)?;
        given.from.iter().find_map(|from| {
            let label = labels(from)?.iter().find(|label| !taken.contains(label))?;
            Some((from, &given.column, label))
        })
    })?;
    let query = match release.blue.app.writes(&step.before.origin_of(&table)) {
        Evidence::Query(query) | Evidence::Perhaps(query) => Some(query),
        Evidence::Assumed => None,
        Evidence::None => return None,
    };
    let text = format!(
        "{name} puts {table}.{from} into {into}, which does not take '{label}': blue may be refused from here on"
    );
    let diagnostic = Diagnostic::new(RULE.code, RULE.severity, text).at(step.span, "from here on");
    Some(
        release
            .blue
            .shown_by(diagnostic, query)
            .help("give the enum all labels of the other; or translate them in the trigger"),
    )
}

/// Rows that an INSERT makes of those that blue deletes, and that hold them from now on.
fn held(subject: &Subject<'_>) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let (table, data) = step.operations().find_map(|op| match op {
        Operation::Data(data) if data.verb == DataVerb::Insert => {
            Some((step.before.resolve(data.table.as_ref()?), data))
        }
        _ => None,
    })?;
    let reads: Vec<QName> = data.query.reads.iter().map(|read| step.before.resolve(read)).collect();
    let keys = step.before.relation(&table)?.constraints.values();
    let (target, query) = keys.filter(|_| release.base.relation(&table).is_some()).find_map(|key| match &key.kind {
        Constraint::ForeignKey { columns, target, on_delete: OnDelete::Refuse, .. } if reads.contains(target) => {
            let (relation, child) = (target.clone(), table.clone());
            // Who deletes with a key that cascades deletes with this one.
            let deletes = Capability::Cascades { relation, child, columns: columns.clone() };
            let written = data.writes.is_empty() || columns.iter().all(|column| data.writes.contains(column));
            match release.blue.app.evidence(&deletes) {
                Evidence::Query(query) | Evidence::Perhaps(query) if written => Some((target, query)),
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
