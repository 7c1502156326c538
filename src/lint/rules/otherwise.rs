//! What blue's statements come to from a step on that changes nothing they name: another collation, blanks at the end, a default that may fail, a trigger in the
//! place of a view's own rows.

use crate::compat::Evidence;
use crate::diagnostic::Diagnostic;
use crate::effect::{Capability, refuses};
use crate::lint::{PlacedStep, Rule, Subject};
use crate::schema::QName;
use crate::schema::resolve::takes_over;
use crate::sql::operation::{Ident, ObjectChange, ObjectKind, RelationKind, TableChange};
use crate::sql::query::Expr;
use crate::sql::{Name, Operation, TypeName, type_named, writes_operator};
use crate::workload::Query;

pub(super) fn told(subject: &Subject<'_>, operation: &Operation, rule: &Rule) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let (evidence, text, help) = match operation {
        Operation::AlterTable { table, change: TableChange::SetType { column, collate: true, .. }, .. } => {
            let (relation, column) = (known(subject, table)?, column.clone());
            let text = format!(
                "blue compares and sorts {relation}.{column} by another collation from here on, which may be refused where it meets a third"
            );
            let reads = Capability::Read { relation, column, data_type: String::new() };
            (
                release.blue.app.evidence(&reads),
                text,
                "write the collation into the queries that compare it with another column",
            )
        }
        Operation::AlterTable {
            table, change: TableChange::SetType { column, data_type, using, value, .. }, ..
        } => {
            let (relation, column) = (known(subject, table)?, column.clone());
            let schema = subject.step.before;
            let was = schema.relation(&schema.resolve(table))?.column(&column)?.data_type.as_ref()?;
            let is_padded = |of: &TypeName| matches!(&*schema.below_domains(of).base(), "character" | "bpchar");
            let computed = using.then(|| !is_as_it_was(value.as_deref(), &column)).unwrap_or_default();
            let text = match (is_padded(was), is_padded(data_type)) {
                _ if computed => format!("blue reads what USING makes of {relation}.{column} from here on"),
                (true, false) => format!(
                    "blue reads {relation}.{column} without the blanks that filled it up from here on, and blanks at the end count where it compares"
                ),
                (false, true) => format!(
                    "blue reads {relation}.{column} filled up with blanks from here on, and blanks at the end count no longer where it compares"
                ),
                _ => return None,
            };
            let reads = Capability::Read { relation, column, data_type: String::new() };
            let help = match computed {
                true => {
                    "make sure that it means the same to blue; or let it wait until blue is drained: `-- cutover: after <reason>`"
                }
                false => "make sure that blue cuts the blanks off what it reads and sends",
            };
            (release.blue.app.evidence(&reads), text, help)
        }
        Operation::AlterTable { table, change: TableChange::SetDefault { column, runs, .. }, .. } => {
            let raises = |name: &&Name| refuses(subject.after(), &subject.after().resolve_function(name));
            let called = runs.iter().map(|name| Name::bare(name.clone())).find(|name| raises(&name))?;
            let (relation, column) = (known(subject, table)?, column.clone());
            let text = format!(
                "blue's INSERTs into {relation} without {column} call {called} from here on, which may raise an exception: they may be refused"
            );
            let omits = Capability::Omit { relation, column };
            (release.blue.app.evidence(&omits), text, "make sure that it raises none for what blue writes")
        }
        Operation::AlterTable {
            table,
            change: change @ (TableChange::Inherit { attach: true, .. } | TableChange::AttachPartition { .. }),
            ..
        } => {
            let (whole, part) = joined(change, table)?;
            let (part, relation) = (rows_of(subject, part)?, known(subject, whole)?);
            let text = format!("what blue reads and changes in {relation} has the rows of {part} in it from here on");
            let reads = Capability::Relation(relation);
            (release.blue.app.evidence(&reads), text, "make sure that blue can do with them there")
        }
        Operation::CreateTrigger { name, table, firing, .. } if firing.instead => {
            let relation = replaced(subject, table, name)?;
            let text = format!(
                "what blue writes into {relation} sets off {name} from here on, which does it instead: what it passes over is in no table"
            );
            (
                release.blue.app.writes(&relation),
                text,
                "make sure that the trigger does for blue what the view did by itself",
            )
        }
        Operation::Object { kind: ObjectKind::Operator, name, change: ObjectChange::Create, .. } => {
            let (sign, query) = operated(subject, name)?;
            let text = format!("where blue writes {sign}, it may mean the operator that is made here from here on");
            (Evidence::Query(query), text, "give it a sign that the server has none of, or types of your own")
        }
        _ => return None,
    };
    let query = evidence.relied_on()?;
    let diagnostic = Diagnostic::new(rule.code, rule.severity, text).at(step.span, "from here on").help(help);
    Some(release.blue.shown_by(diagnostic, query))
}

/// The sign of an operator that may come in the place of one of the server's, and a query of blue's that writes it. `made`: as it is written.
fn operated<'a>(subject: &Subject<'a>, made: &str) -> Option<(String, &'a Query)> {
    let (name, rest) = made.split_once('(')?;
    let sign = name.trim().rsplit('.').next()?;
    let side = |word: &str| {
        let (_, behind) = rest.split_once(word)?;
        let text = behind.trim_start().strip_prefix('=')?;
        type_named(text.split([',', ')']).next()?.trim())
    };
    if !takes_over(sign, &side("leftarg")?, &side("rightarg")?, subject.step.before) {
        return None;
    }
    let watch = subject.release.blue.app.watch?;
    let writes = (0..watch.queries().len()).find(|query| writes_operator(watch.text(*query), sign))?;
    Some((sign.to_owned(), &watch.queries()[writes]))
}

/// Whether `USING` gives a column its own value, as it is or as another type.
fn is_as_it_was(value: Option<&Expr>, column: &Ident) -> bool {
    match value {
        Some(Expr::Cast(inner, ..)) => is_as_it_was(Some(inner), column),
        Some(Expr::Column(parts, _)) => parts.last() == Some(column),
        _ => false,
    }
}

/// A relation that blue has.
fn known(subject: &Subject<'_>, name: &Name) -> Option<QName> {
    let schema = subject.step.before;
    let own = schema.origin_of(&schema.resolve(name));
    subject.release.base.relation(&own).map(|_| own)
}

/// What becomes a part of which table.
fn joined<'a>(change: &'a TableChange, table: &'a Name) -> Option<(&'a Name, &'a Name)> {
    match change {
        TableChange::Inherit { parent, attach: true } => Some((parent, table)),
        TableChange::AttachPartition { partition, .. } => Some((table, partition)),
        _ => None,
    }
}

/// A table, if it may have rows: production has it, or the release has written some.
fn rows_of(subject: &Subject<'_>, name: &Name) -> Option<QName> {
    let schema = subject.step.before;
    let table = schema.resolve(name);
    let written = |step: &PlacedStep<'_>| {
        step.operations().any(|operation| match operation {
            Operation::Data(data) => data.table.as_ref().is_some_and(|to| step.before.resolve(to) == table),
            Operation::CreateTable(made) => made.query.is_some() && step.before.resolve(&made.name) == table,
            _ => false,
        })
    };
    let there = subject.release.base.relation(&schema.origin_of(&table)).is_some();
    (there || subject.release.steps.iter().any(written)).then_some(table)
}

/// A view of blue's that has taken rows by itself until now.
fn replaced(subject: &Subject<'_>, name: &Name, trigger: &Ident) -> Option<QName> {
    let view = subject.step.before.resolve(name);
    let relation = subject.release.base.relation(&view)?;
    (relation.kind == RelationKind::View && !relation.triggers.contains_key(trigger)).then_some(view)
}
