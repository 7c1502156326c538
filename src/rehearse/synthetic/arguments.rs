//! The values that a query is run with: those of rows that are there for columns that it compares, new ones for columns that it writes.

use std::collections::{BTreeMap, BTreeSet};

use super::candidate::{Given, Kind, Rows, Value, column_values, kind};
use super::value::{quoted, shapes, value};
use crate::postgres::tables::{Shape, Table, TableColumn, Tables};
use crate::schema::resolve::{Meeting, Uses, WriteKind};

/// How many lists of values are tried.
pub(super) const TRIES: usize = 6;

/// Where new values begin: those of the rows that are there are smaller.
const NEW: usize = 10;

/// What is known where values are chosen.
pub(super) struct Chooser<'a> {
    pub(super) tables: &'a Tables,
    pub(super) rows: &'a Rows,
}

/// A column that a parameter stands for.
struct Met<'a> {
    table: &'a Table,
    column: usize,
    written: bool,
}

impl Chooser<'_> {
    /// Lists of values for parameters of these types, the likeliest first, each once.
    pub(super) fn lists(&self, parameters: &[u32], uses: &Uses) -> Vec<Vec<Value>> {
        let met = self.met(parameters, uses);
        let mut found: Vec<Vec<Value>> = Vec::new();
        for attempt in 0..TRIES {
            let places = parameters.iter().zip(&met).enumerate();
            let list: Vec<Value> =
                places.map(|(at, (data_type, met))| self.argument(*data_type, met.as_ref(), at, attempt)).collect();
            if !found.contains(&list) {
                found.push(list);
            }
        }
        found
    }

    /// The column that each parameter stands for: rather one that it is written into.
    fn met(&self, parameters: &[u32], uses: &Uses) -> Vec<Option<Met<'_>>> {
        let column = |meeting: &Meeting| {
            let (_, table) = self.tables.named(&meeting.relation.schema, &meeting.relation.name)?;
            let column = table.columns.iter().position(|column| column.name == *meeting.column)?;
            Some(Met { table, column, written: meeting.written })
        };
        let of = |at: usize| {
            let meetings: Option<&BTreeSet<Meeting>> = uses.meets.get(&u32::try_from(at + 1).ok()?);
            let mut met: Vec<Met<'_>> = meetings.into_iter().flatten().filter_map(column).collect();
            met.sort_by_key(|met| !met.written);
            met.into_iter().next()
        };
        let mut found: Vec<Option<Met<'_>>> = (0..parameters.len()).map(of).collect();
        // `INSERT … SELECT … FROM unnest($1, $2)`: arrays of the columns' types, in their order.
        for write in &uses.writes {
            let WriteKind::Insert { columns, .. } = &write.kind else { continue };
            let Some((_, table)) = self.tables.named(&write.relation.schema, &write.relation.name) else { continue };
            let mut places = columns.iter().filter_map(|name| table.columns.iter().position(|c| c.name == **name));
            for (data_type, met) in parameters.iter().zip(&mut found).filter(|(_, met)| met.is_none()) {
                let Some(element) = self.element(*data_type) else { continue };
                let fits = |column: &usize| self.is_like(table.columns[*column].data_type, element);
                if let Some(column) = places.find(fits) {
                    *met = Some(Met { table, column, written: true });
                }
            }
        }
        found
    }

    fn element(&self, data_type: u32) -> Option<u32> {
        match self.tables.types.get(&data_type)?.shape {
            Shape::Array(element) => Some(element),
            _ => None,
        }
    }

    /// Whether values of one type are written into a column of another.
    fn is_like(&self, column: u32, element: u32) -> bool {
        let (of, other) = (kind(&self.tables.types, column), kind(&self.tables.types, element));
        column == element || of == other && matches!(of, Kind::Text | Kind::Number | Kind::Json | Kind::Bool)
    }

    /// The value of the parameter at a place.
    fn argument(&self, data_type: u32, met: Option<&Met<'_>>, at: usize, attempt: usize) -> Value {
        let element = self.element(data_type);
        let Some(met) = met else { return self.by_type(data_type, at, attempt) };
        let column = &met.table.columns[met.column];
        let one = match met.written {
            true => self.written(met.table, met.column, at, attempt),
            false => self.row_value(met.table, &column.name, attempt),
        };
        let one = one.or_else(|| self.by_type(element.unwrap_or(data_type), at, attempt));
        // `= ANY ($1)`
        let many = element.is_some() && self.element(column.data_type).is_none();
        one.map(|one| if many { format!("{{{}}}", quoted(&one)) } else { one })
    }

    /// The value of a column in a row that is there: each attempt begins at another row.
    fn row_value(&self, table: &Table, column: &str, attempt: usize) -> Value {
        let rows = self.rows.get(&(table.schema.clone(), table.name.clone())).map_or(&[][..], Vec::as_slice);
        let order = (0..rows.len()).map(|n| &rows[(n + attempt) % rows.len()]);
        order.filter_map(|row| row.get(column)?.clone()).next()
    }

    /// A value that may be written.
    fn written(&self, table: &Table, column: usize, at: usize, attempt: usize) -> Value {
        let column = &table.columns[column];
        let is_key = table.is_in_key(&column.name);
        let key = table.foreign.iter().find(|key| key.columns.contains(&column.name));
        if let Some((key, place)) =
            key.and_then(|key| Some((key, key.columns.iter().position(|name| *name == column.name)?)))
            && let Some(target) = self.tables.tables.get(&key.target)
        {
            // Of a key that is made of several foreign keys, no two are of the same row. What can be there only once is least likely for the
            // last row.
            let shift = if is_key {
                2 + table.foreign.iter().position(|other| other.columns == key.columns).unwrap_or(0)
            } else {
                0
            };
            return self.row_value(target, &key.target_columns[place], attempt + shift);
        }
        let fresh = || self.fresh(table, column, NEW + at + 40 * attempt);
        match is_key {
            true => fresh(),
            // What is there obeys the rules of the column.
            false => self.row_value(table, &column.name, attempt).or_else(fresh),
        }
    }

    /// A value that is not there, of the same kind as one that is, so that it obeys the same rules.
    fn fresh(&self, table: &Table, column: &TableColumn, n: usize) -> Value {
        let types = &self.tables.types;
        let rows = self.rows.get(&(table.schema.clone(), table.name.clone())).map_or(&[][..], Vec::as_slice);
        let is_there = |given: &Given| {
            rows.iter().any(|row| row.get(&column.name).is_some_and(|value| *given == Given::Value(value.clone())))
        };
        let of_row = |(at, row): (usize, &BTreeMap<String, Value>)| {
            let value = Given::Value(Some(row.get(&column.name)?.clone()?));
            let kind = column_values(types, table, column, at).into_iter().position(|given| given == value)?;
            column_values(types, table, column, n).into_iter().nth(kind).filter(|given| !is_there(given))
        };
        match rows.iter().enumerate().rev().find_map(of_row) {
            Some(Given::Value(value)) => value,
            Some(Given::Nothing) | None => {
                value(types, column.data_type, column.modifier, &column.name, u32::try_from(n).unwrap_or(0))
            }
        }
    }

    /// A value that its type alone decides.
    fn by_type(&self, data_type: u32, at: usize, attempt: usize) -> Value {
        if attempt + 1 == TRIES {
            return None;
        }
        let pick = |list: &[&str]| list.get(attempt).map(|text| (*text).to_owned());
        match kind(&self.tables.types, data_type) {
            Kind::Number => pick(&["1", "2", "0", "10", "100"]),
            Kind::Bool => pick(&["true", "false", "true", "false", "true"]),
            Kind::Json => pick(&["{}", "[]", "{\"n\": 1}", "[{}]", "\"a\""]),
            Kind::Array if attempt > 2 => Some("{}".to_owned()),
            Kind::Text if attempt > 0 => shapes(1).into_iter().nth([0, 2, 6, 3, 9][attempt.min(4)]),
            Kind::Text | Kind::Array | Kind::Other => {
                value(&self.tables.types, data_type, -1, "", u32::try_from(at + attempt).unwrap_or(0))
            }
        }
    }
}

/// Values as a message shows them: `$1 = 101, $2 = NULL`.
pub(in crate::rehearse) fn shown(values: &[Value]) -> String {
    /// A message is read.
    const LONGEST: usize = 40;
    let one = |(at, value): (usize, &Value)| {
        let text = value.as_ref().map_or_else(|| "NULL".to_owned(), |text| text.chars().take(LONGEST).collect());
        let more = if value.as_ref().is_some_and(|text| text.chars().count() > LONGEST) { "…" } else { "" };
        format!("${} = {text}{more}", at + 1)
    };
    values.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::tables::DataType;
    use crate::schema::QName;

    fn rows_of(schema: &str, name: &str, rows: &[&[(&str, &str)]]) -> Rows {
        let row = |row: &&[(&str, &str)]| -> BTreeMap<String, Value> {
            row.iter().map(|(column, value)| ((*column).to_owned(), Some((*value).to_owned()))).collect()
        };
        Rows::from([((schema.to_owned(), name.to_owned()), rows.iter().map(row).collect())])
    }

    #[test]
    fn what_is_compared_is_there_and_what_is_written_is_new() {
        let column = |name: &str, data_type: u32| TableColumn {
            name: name.to_owned(),
            data_type,
            modifier: -1,
            ..TableColumn::default()
        };
        let table = Table {
            schema: "public".to_owned(),
            name: "t".to_owned(),
            columns: vec![column("id", 23), column("kind", 25)],
            keys: vec![vec!["id".to_owned()]],
            ..Table::default()
        };
        let data_type = |name: &str, shape| DataType { name: name.to_owned(), shape };
        let types = BTreeMap::from([
            (23, data_type("int4", Shape::Base)),
            (25, data_type("text", Shape::Base)),
            (1007, data_type("_int4", Shape::Array(23))),
        ]);
        let tables = Tables { tables: BTreeMap::from([(1, table)]), types };
        let rows = rows_of("public", "t", &[&[("id", "101"), ("kind", "a")], &[("id", "102"), ("kind", "b")]]);
        let chooser = Chooser { tables: &tables, rows: &rows };
        let lists = |parameters: &[u32], meets: &[(u32, &str, bool)]| {
            let mut uses = Uses::default();
            for (number, column, written) in meets {
                let relation = QName::new("public", "t");
                let meeting = Meeting { relation, column: (*column).into(), written: *written };
                uses.meets.entry(*number).or_default().insert(meeting);
            }
            chooser.lists(parameters, &uses).iter().map(|list| shown(list)).collect::<Vec<_>>()
        };
        assert_eq!(lists(&[23], &[(1, "id", false)]), ["$1 = 101", "$1 = 102"]);
        assert_eq!(lists(&[1007], &[(1, "id", false)])[0], "$1 = {\"101\"}");
        assert_eq!(lists(&[23, 25], &[(1, "id", true), (2, "kind", true)])[0], "$1 = 111, $2 = a");
        assert_eq!(lists(&[23], &[])[..2], ["$1 = 1", "$1 = 2"]);
        assert_eq!(lists(&[23], &[])[5], "$1 = NULL");
        assert_eq!(shown(&[]), "");
    }
}
