//! Counters that do not know which numbers are taken.

use crate::diagnostic::Diagnostic;
use crate::effect::Capability;
use crate::lint::{PlacedPart, Rule, Subject};
use crate::schema::{QName, Relation};
use crate::sql::operation::{DataVerb, Ident, TableChange};
use crate::sql::query::{Command, Expr, Item, QueryBody};
use crate::sql::{Operation, read_query};

/// What a step does to the counter of a unique column, and what rows may not agree with.
pub(super) fn told(subject: &Subject<'_>, rule: &Rule) -> Option<Diagnostic> {
    let made = |text, help: String| {
        Diagnostic::new(rule.code, rule.severity, text).at(subject.step.span, "from here on").help(help)
    };
    let mut parts = subject.step.parts.iter();
    parts.find_map(|part| {
        begun(subject, part, &made).or_else(|| unaware(subject, part, &made)).or_else(|| set(subject, part, &made))
    })
}

/// The table and the column that get a counter.
fn counted<'a>(subject: &Subject<'a>, part: &PlacedPart<'a>) -> Option<(QName, &'a Relation, &'a Ident)> {
    let (table, column) = match part.operation {
        Operation::AlterTable {
            table, change: TableChange::SetIdentity { column, add: true, always: false }, ..
        } => (table, column),
        Operation::AlterTable { table, change: TableChange::SetDefault { column, runs, .. }, .. }
            if runs.iter().any(|name| **name == *"nextval") =>
        {
            (table, column)
        }
        _ => return None,
    };
    let table = subject.step.before.resolve(table);
    let relation = subject.release.base.relation(&table)?;
    relation.column(column).filter(|_| is_unique(relation, column))?;
    Some((table, relation, column))
}

fn is_unique(relation: &Relation, column: &Ident) -> bool {
    let alone = |key: Vec<Ident>| key.len() == 1 && key[0] == *column;
    relation.indexes.values().any(|index| index.unique && index.plain_key().is_some_and(alone))
}

/// A new counter of a column that has values already, and that nothing sets behind them.
fn begun(
    subject: &Subject<'_>,
    part: &PlacedPart<'_>,
    made: &impl Fn(String, String) -> Diagnostic,
) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let Operation::AlterTable { table, change: TableChange::SetIdentity { column, add: true, .. }, .. } =
        part.operation
    else {
        return None;
    };
    let table = step.before.resolve(table);
    let relation = release.base.relation(&table)?;
    relation.column(column).filter(|_| is_unique(relation, column))?;
    let is_set = step.operations().any(|other| matches!(other, Operation::Query { .. }));
    let starts = |part: &PlacedPart<'_>| release.sources.slice(part.span).to_ascii_lowercase().contains("start");
    if is_set || step.parts.iter().any(starts) {
        return None;
    }
    Some(made(
        format!(
            "the new counter of {table}.{column} begins at 1, whatever rows there are: an INSERT that leaves it out may collide with them"
        ),
        format!(
            "set it behind the rows in the same file, which makes it one transaction: `SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}`"
        ),
    ))
}

/// A new counter of a column to which blue goes on giving values of its own.
fn unaware(
    subject: &Subject<'_>,
    part: &PlacedPart<'_>,
    made: &impl Fn(String, String) -> Diagnostic,
) -> Option<Diagnostic> {
    let (table, relation, column) = counted(subject, part)?;
    if relation.column(column)?.has_default() {
        return None;
    }
    let written = Capability::Write { relation: table.clone(), column: column.clone() };
    let query = subject.release.blue.app.evidence(&written).relied_on()?;
    let text = format!(
        "blue goes on giving {table}.{column} values of its own, which the new counter does not know: an INSERT that leaves it out may collide with them"
    );
    let help =
        "let the counter begin well behind what blue adds until it is drained, for example at twice the largest value";
    Some(subject.release.blue.shown_by(made(text, help.to_owned()), query))
}

/// A counter that is set to a number, whatever rows there are.
fn set(
    subject: &Subject<'_>,
    part: &PlacedPart<'_>,
    made: &impl Fn(String, String) -> Diagnostic,
) -> Option<Diagnostic> {
    let Subject { release, step, .. } = *subject;
    let Operation::Query { .. } = part.operation else { return None };
    let (sequence, number) = number_set(release.sources.slice(part.span))?;
    let sequence = release.base.relation(&step.before.named_in(&sequence)?)?;
    let (table, column) = sequence.owned_by.as_ref()?;
    release.base.relation(table).filter(|relation| is_unique(relation, column))?;
    // The numbers are those of rows that the release adds itself.
    let adds = subject.earlier().any(|earlier| {
        earlier.step.operations().any(|operation| match operation {
            Operation::Data(data) if data.verb == DataVerb::Insert => {
                data.table.as_ref().is_some_and(|name| earlier.step.before.resolve(name) == *table)
            }
            _ => false,
        })
    });
    (!adds).then(|| {
        made(
            format!(
                "the counter of {table}.{column} goes on from {number}, whatever rows there are: an INSERT that leaves it out may collide with them"
            ),
            format!("set it behind the rows: `SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}`"),
        )
    })
}

/// The sequence that `SELECT setval('sequence', number)` sets.
fn number_set(text: &str) -> Option<(String, String)> {
    let Ok(Command::Select(query)) = read_query(text.trim_end_matches(';')) else { return None };
    let QueryBody::Select(select) = query.body else { return None };
    let [Item::Expr(Expr::Call(call), _)] = select.items.as_slice() else { return None };
    let named = match call.arguments.first()? {
        Expr::Cast(inner, ..) => &**inner,
        other => other,
    };
    match (&*call.name.name, named, call.arguments.get(1)?) {
        ("setval", Expr::Text(text, _), Expr::Number(number)) => Some((text.to_string(), number.to_string())),
        _ => None,
    }
}
