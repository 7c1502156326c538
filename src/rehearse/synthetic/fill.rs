//! Fills tables within a transaction that is taken back. The server is the judge: each row is tried in a savepoint, with other values where
//! it was refused, as often as there is time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures_util::future::join;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use super::candidate::{Given, Known, Rows, Slot, Value};
use crate::postgres::tables::{Shape, Table, Tables};
use crate::rehearse::replay::{AsText, Ended, Refused, refused};
use crate::sql::name::Quoted;

/// How many rows a table gets.
const ROWS: usize = 3;

/// How often a row is tried.
const ATTEMPTS: usize = 60;

/// What became of the tables.
#[derive(Debug, Clone, Default)]
pub(super) struct Filled {
    /// The rows that are there.
    pub(super) rows: Rows,
    /// The tables that had rows before.
    pub(super) had: BTreeSet<(String, String)>,
    /// The tables that could not be filled, and why.
    pub(super) unfilled: BTreeMap<String, String>,
}

/// Fills all tables, those first that others point to. Constraints that can wait may point to rows that are still to come; where they do not
/// come, nothing waits.
pub(super) async fn fill(client: &Client, tables: &Tables, remembered: &Rows, until: Instant) -> Result<Filled, Error> {
    client.batch_execute("SAVEPOINT cutover_fill").await?;
    let filled = fill_all(client, tables, remembered, until).await?;
    match client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await {
        Ok(()) => Ok(filled),
        Err(error) => {
            refused(client, error).await?;
            client.batch_execute("ROLLBACK TO SAVEPOINT cutover_fill; SET CONSTRAINTS ALL IMMEDIATE").await?;
            fill_all(client, tables, remembered, until).await
        }
    }
}

async fn fill_all(client: &Client, tables: &Tables, remembered: &Rows, until: Instant) -> Result<Filled, Error> {
    let mut filled = Filled::default();
    for oid in tables.in_order() {
        let Some(table) = tables.tables.get(&oid) else { continue };
        let name = (table.schema.clone(), table.name.clone());
        let shown = format!("{}.{}", Quoted(&table.schema), Quoted(&table.name));
        let mut rows = match there(client, table).await? {
            Ok(rows) => rows,
            Err(why) => {
                filled.unfilled.insert(shown, why);
                continue;
            }
        };
        if !rows.is_empty() {
            filled.had.insert(name.clone());
            filled.rows.insert(name, rows);
            continue;
        }
        for n in 0..ROWS {
            if Instant::now() > until {
                filled.unfilled.entry(shown.clone()).or_insert_with(|| "there was no time".to_owned());
                break;
            }
            // A row may point to those before it.
            filled.rows.insert(name.clone(), rows.clone());
            let known = Known { tables, rows: &filled.rows, remembered };
            match row(client, tables, table, known.slots(oid, table, n), until).await? {
                Ok(row) => rows.push(row),
                Err(why) if n == 0 => {
                    filled.unfilled.insert(shown.clone(), why);
                    break;
                }
                Err(_) => {}
            }
        }
        match rows.is_empty() {
            true => filled.rows.remove(&name),
            false => filled.rows.insert(name, rows),
        };
    }
    Ok(filled)
}

/// The first rows that a table has, or why they cannot be read.
async fn there(client: &Client, table: &Table) -> Result<Result<Vec<BTreeMap<String, Value>>, String>, Error> {
    let key = table.keys.first().map(|key| key.iter().map(|c| Quoted(c).to_string()).collect::<Vec<_>>().join(", "));
    let order = key.filter(|key| !key.is_empty()).map_or(String::new(), |key| format!(" ORDER BY {key}"));
    let relation = format!("{}.{}", Quoted(&table.schema), Quoted(&table.name));
    let sql = format!("SELECT {} FROM {relation}{order} LIMIT {ROWS}", as_text(table));
    in_savepoint(client, table, &sql, &[]).await.map(|found| found.map_err(|refused| refused.message))
}

fn as_text(table: &Table) -> String {
    let columns = table.columns.iter().map(|column| format!("{}::pg_catalog.text", Quoted(&column.name)));
    let columns: Vec<_> = columns.collect();
    if columns.is_empty() { "1::pg_catalog.text".to_owned() } else { columns.join(", ") }
}

/// The row that an attempt makes of the alternatives: those of foreign keys that share columns must go together.
fn assigned(slots: &[Slot], at: &[usize]) -> BTreeMap<String, Given> {
    let mut row: BTreeMap<String, Given> = BTreeMap::new();
    for (slot, at) in slots.iter().zip(at) {
        let fits = |values: &&Vec<Given>| {
            slot.columns
                .iter()
                .zip(values.iter())
                .all(|(column, value)| row.get(column).is_none_or(|known| known == value))
        };
        let fitting: Vec<&Vec<Given>> = slot.alternatives.iter().filter(fits).collect();
        let values = match fitting.is_empty() {
            false => Some(fitting[at % fitting.len()]),
            true => slot.alternatives.get(at % slot.alternatives.len().max(1)),
        };
        for (column, value) in slot.columns.iter().zip(values.into_iter().flatten()) {
            row.entry(column.clone()).or_insert_with(|| value.clone());
        }
    }
    row
}

/// Puts one row into a table, or says why that was refused.
async fn row(
    client: &Client,
    tables: &Tables,
    table: &Table,
    slots: Vec<Slot>,
    until: Instant,
) -> Result<Result<BTreeMap<String, Value>, String>, Error> {
    let mut at = vec![0; slots.len()];
    let mut last: Option<String> = None;
    let mut turns = 0;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 && Instant::now() > until {
            break;
        }
        let assigned = assigned(&slots, &at);
        let (sql, values) = insert(table, &assigned);
        match in_savepoint(client, table, &sql, &values).await? {
            Ok(mut rows) => {
                return Ok(rows.pop().ok_or_else(|| "a trigger or a rule keeps its rows out".to_owned()));
            }
            Err(error) => {
                let given = assigned.iter().filter(|(_, given)| **given != Given::Nothing);
                let parameter =
                    error.parameter.and_then(|number| given.map(|(name, _)| name).nth(number.checked_sub(1)?));
                let blamed = parameter.map_or_else(|| blamed(tables, table, &error), |name| vec![name.clone()]);
                last = Some(error.message);
                let turning: Vec<usize> = (0..slots.len())
                    .filter(|slot| slots[*slot].columns.iter().any(|column| blamed.contains(column)))
                    .collect();
                if turning.is_empty() {
                    // Nobody says which column it is: all of them take their next value.
                    turns += 1;
                    at.iter_mut().for_each(|at| *at = turns);
                    if turns > 8 {
                        break;
                    }
                } else if !turn(&slots, &turning, &mut at) {
                    break;
                }
            }
        }
    }
    Ok(Err(last.unwrap_or_else(|| "there was no time".to_owned())))
}

/// Goes on to the next combination of these; `false`: there is none.
fn turn(slots: &[Slot], turning: &[usize], at: &mut [usize]) -> bool {
    for slot in turning {
        at[*slot] += 1;
        if at[*slot] < slots[*slot].alternatives.len() {
            return true;
        }
        at[*slot] = 0;
    }
    false
}

/// The columns that an error is about.
fn blamed(tables: &Tables, table: &Table, error: &Refused) -> Vec<String> {
    if error.table.as_ref().is_some_and(|name| *name != table.name && table.bounds.is_empty()) {
        return Vec::new();
    }
    if let Some(columns) = error.constraint.as_ref().and_then(|name| table.constraints.get(name)) {
        return columns.clone();
    }
    if let Some(column) = &error.column {
        return vec![column.clone()];
    }
    if let Some(data_type) = &error.data_type {
        let is_it = |oid: u32| tables.types.get(&oid).is_some_and(|found| found.name == *data_type);
        let of_it = |oid: u32| match tables.types.get(&oid).map(|found| &found.shape) {
            Some(Shape::Array(element)) => is_it(*element),
            Some(Shape::Composite(fields)) => fields.iter().any(|(field, _)| is_it(*field)),
            _ => is_it(oid),
        };
        return table.columns.iter().filter(|c| of_it(c.data_type)).map(|c| c.name.clone()).collect();
    }
    // No partition for it.
    if error.code == "23514" {
        return table.bounds.iter().flat_map(|(columns, _)| columns.clone()).collect();
    }
    Vec::new()
}

fn insert(table: &Table, row: &BTreeMap<String, Given>) -> (String, Vec<Value>) {
    let given = row.iter().filter_map(|(column, given)| match given {
        Given::Nothing => None,
        Given::Value(value) => Some((column, value.clone())),
    });
    let (columns, values): (Vec<&String>, Vec<Value>) = given.unzip();
    let relation = format!("{}.{}", Quoted(&table.schema), Quoted(&table.name));
    let identity = table.columns.iter().any(|column| column.identity && columns.contains(&&column.name));
    let overriding = if identity { " OVERRIDING SYSTEM VALUE" } else { "" };
    let what = match columns.is_empty() {
        true => "DEFAULT VALUES".to_owned(),
        false => {
            let names: Vec<String> = columns.iter().map(|column| Quoted(column).to_string()).collect();
            let places: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
            format!("({}){overriding} VALUES ({})", names.join(", "), places.join(", "))
        }
    };
    (format!("INSERT INTO {relation} {what} RETURNING {}", as_text(table)), values)
}

/// Runs a statement that returns a table's columns as text; what is refused leaves nothing behind.
async fn in_savepoint(
    client: &Client,
    table: &Table,
    sql: &str,
    values: &[Value],
) -> Result<Result<Vec<BTreeMap<String, Value>>, Refused>, Error> {
    let values: Vec<_> = values.iter().map(|value| AsText(value.as_deref())).collect();
    let typed: Vec<(&(dyn ToSql + Sync), Type)> =
        values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::UNKNOWN)).collect();
    let savepoint = client.batch_execute("SAVEPOINT cutover_row");
    let (set, ran) = join(savepoint, client.query_typed(sql, &typed)).await;
    set?;
    match ran {
        Ok(rows) => {
            client.batch_execute("RELEASE SAVEPOINT cutover_row").await?;
            let row = |row: &tokio_postgres::Row| {
                let columns = table.columns.iter().enumerate();
                columns.map(|(at, column)| (column.name.clone(), row.get::<_, Value>(at))).collect()
            };
            Ok(Ok(rows.iter().map(row).collect()))
        }
        Err(error) => {
            let outcome = refused(client, error).await?;
            client.batch_execute("ROLLBACK TO SAVEPOINT cutover_row; RELEASE SAVEPOINT cutover_row").await?;
            Ok(Err(match outcome {
                Ended::Failed(refused) => refused,
                Ended::Done(_) | Ended::Nothing => Refused::saying("it took too long"),
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_keys_that_share_a_column_go_together() {
        let value = |text: &str| Given::Value(Some(text.to_owned()));
        let slot = |columns: &[&str], alternatives: &[&[&str]]| Slot {
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
            alternatives: alternatives.iter().map(|row| row.iter().map(|text| value(text)).collect()).collect(),
        };
        let slots =
            [slot(&["tenant", "a"], &[&["1", "x"], &["2", "y"]]), slot(&["tenant", "b"], &[&["1", "p"], &["2", "q"]])];
        let row = |at: &[usize]| -> Vec<String> {
            assigned(&slots, at).values().map(|given| format!("{given:?}").replace(['"'], "")).collect()
        };
        let shown = |texts: [&str; 3]| texts.map(|text| format!("Value(Some({text}))"));
        assert_eq!(row(&[0, 0]), shown(["x", "p", "1"]));
        assert_eq!(row(&[1, 0]), shown(["y", "q", "2"]));
        let mut at = vec![0, 0];
        assert!(turn(&slots, &[0], &mut at) && at == [1, 0]);
        assert!(!turn(&slots, &[0], &mut at));
    }
}
