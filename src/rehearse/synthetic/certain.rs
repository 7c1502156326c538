//! Whether a failure is the release's, or one that the synthetic values and rows may have brought about. What may be theirs is no alarm.

use crate::postgres::tables::{Table, Tables};
use crate::rehearse::replay::Refused;
use crate::schema::resolve::{Row, Uses, Write, WriteKind};

/// Classes and codes that say of a value or of rows that they do not fit, of a function that it does not want them, or of the server that it
/// was short of something.
const OF_VALUES: &[&str] =
    &["21", "22", "23", "27", "44", "P0", "25", "40", "53", "54", "55P03", "57", "58", "3B", "08"];

/// Whether a query fails whatever the values and the rows are. `complete`: whether tables have the rows that they have elsewhere, for a
/// trigger may look for them.
pub(super) fn certain(refused: &Refused, parameters: usize, uses: &Uses, tables: &Tables, complete: bool) -> bool {
    match refused.code.as_str() {
        "23502" => complete && null_is_certain(refused, uses),
        // A function that this session has run before; others begin anew.
        "42804" => !refused.message.contains("when preparing the plan"),
        "23514" => check_is_certain(refused, uses, tables),
        code if code.starts_with("22") => {
            parameters == 0 && uses.reads.is_empty() && uses.calls.is_empty() && uses.writes.iter().all(is_insert)
        }
        // What a policy hides or refuses are rows.
        "42501" => !refused.message.contains("row-level security"),
        // The sequences of a session are others.
        "55000" => !["currval", "lastval"].iter().any(|name| refused.message.contains(name)),
        code => !OF_VALUES.iter().any(|class| code.starts_with(class)),
    }
}

fn is_insert(write: &Write) -> bool {
    matches!(write.kind, WriteKind::Insert { .. })
}

fn to<'a>(refused: &'a Refused, uses: &'a Uses) -> impl Iterator<Item = &'a Write> {
    uses.writes.iter().filter(|write| refused.table.as_deref() == Some(&*write.relation.name))
}

/// A column that every row of the query leaves out, or gives a constant, is NULL for every application.
fn null_is_certain(refused: &Refused, uses: &Uses) -> bool {
    let Some(column) = &refused.column else { return false };
    let mut own = to(refused, uses).peekable();
    if own.peek().is_none() {
        // A trigger's row, or a partition's: the query's own are new and hold what it says.
        return !uses.writes.is_empty() && uses.writes.iter().all(is_insert);
    }
    own.all(|write| is_fixed(write, column))
}

/// Whether every row of a write gives a column a constant, or nothing where it is a new one.
fn is_fixed(write: &Write, column: &str) -> bool {
    match &write.kind {
        WriteKind::Insert { columns, rows, updates, updated, .. } => {
            let given = columns.iter().any(|name| **name == *column);
            let constant = |row: &Row| row.keys().any(|name| **name == *column);
            let inserted = !given || (!rows.is_empty() && rows.iter().all(constant));
            let changed = !updates.iter().any(|name| **name == *column) || constant(updated);
            inserted && changed
        }
        WriteKind::Update { row, .. } => row.keys().any(|name| **name == *column),
        WriteKind::Delete => false,
    }
}

/// A check of columns that the query fixes is broken for every application.
fn check_is_certain(refused: &Refused, uses: &Uses, tables: &Tables) -> bool {
    let named = |table: &&Table| refused.table.as_deref() == Some(&table.name);
    let columns = refused.constraint.as_ref().and_then(|constraint| {
        tables.tables.values().filter(named).find_map(|table| table.constraints.get(constraint))
    });
    let Some(columns) = columns.filter(|columns| !columns.is_empty()) else { return false };
    let mut own = to(refused, uses).peekable();
    own.peek().is_some() && own.all(|write| columns.iter().all(|column| is_fixed(write, column)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::{Convention, Folder};
    use crate::schema::Schema;
    use crate::workload::Workload;

    fn table_of_two_columns() -> Schema {
        let file = ("1.sql".into(), "CREATE TABLE t (a int, b int)".to_owned());
        let folder = Folder::from_files(Convention::Plain, [file]).unwrap();
        crate::plan::replay(&folder, &folder.migrations).0
    }

    fn check(query: &str, code: &str, column: Option<&str>, expected: bool) {
        let (workload, _) = Workload::from_text("q.sql", query);
        let schema = table_of_two_columns();
        let uses = workload.resolve(&workload.queries[0], &schema).unwrap().uses;
        let table = Table {
            name: "t".to_owned(),
            constraints: [("c".to_owned(), vec!["a".to_owned()])].into(),
            ..Table::default()
        };
        let tables = Tables { tables: [(1, table)].into(), ..Tables::default() };
        let refused = Refused {
            code: code.to_owned(),
            table: Some("t".to_owned()),
            column: column.map(str::to_owned),
            constraint: Some("c".to_owned()),
            ..Refused::saying("no")
        };
        let parameters = query.matches('$').count();
        assert_eq!(certain(&refused, parameters, &uses, &tables, true), expected, "{query} {code}");
    }

    #[test]
    fn what_values_may_have_brought_about_is_no_alarm() {
        check("INSERT INTO t (b) VALUES ($1)", "23502", Some("a"), true);
        check("INSERT INTO t (a) VALUES ($1)", "23502", Some("a"), false);
        check("INSERT INTO t (a) SELECT b FROM t", "23502", Some("a"), false);
        check("UPDATE t SET a = NULL", "23502", Some("a"), true);
        check("UPDATE t SET b = 1", "23502", Some("a"), false);
        check("INSERT INTO t (a) VALUES (5)", "23514", None, true);
        check("INSERT INTO t (b) VALUES ($1)", "23514", None, true);
        check("INSERT INTO t (a) VALUES ($1)", "23514", None, false);
        check("UPDATE t SET b = 5", "23514", None, false);
        check("INSERT INTO t (a) VALUES (5)", "23505", None, false);
        check("INSERT INTO t (a) VALUES (5)", "23503", None, false);
        check("INSERT INTO t (a) VALUES ($1)", "22003", None, false);
        check("INSERT INTO t (a) VALUES (5)", "22003", None, true);
        check("INSERT INTO t (a) VALUES ($1)", "42702", None, true);
        check("INSERT INTO t (a) VALUES ($1)", "P0001", None, false);
        check("INSERT INTO t (a) VALUES ($1)", "428C9", None, true);
    }
}
