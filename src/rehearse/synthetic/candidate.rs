//! What a row of a table may hold: for each column, or for the columns of a foreign key together, the values to try, the likeliest first.

use std::collections::BTreeMap;

use super::value::{Types, constants, shapes, value};
use crate::postgres::tables::{ForeignKey, Shape, Table, TableColumn, Tables};

/// A value as text; `None`: NULL.
pub(in crate::rehearse) type Value = Option<String>;

/// The rows of tables, by schema and name.
pub(in crate::rehearse) type Rows = BTreeMap<(String, String), Vec<BTreeMap<String, Value>>>;

/// What a new row is given for a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// Nothing: it is left out.
    Nothing,
    /// A value.
    Value(Value),
}

/// Columns that get their values together, and what they may get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) columns: Vec<String>,
    pub(super) alternatives: Vec<Vec<Given>>,
}

/// Adds what other schemas demand of the same tables, so that rows obey all of them wherever they can: rows that are right before the release
/// and after it are what production is taken to have.
pub(super) fn demand_also(tables: &mut Tables, others: &[&Tables]) {
    let oids: BTreeMap<(String, String), u32> =
        tables.tables.iter().map(|(oid, t)| ((t.schema.clone(), t.name.clone()), *oid)).collect();
    for other in others {
        for (name, theirs) in other.tables.values().map(|t| ((t.schema.clone(), t.name.clone()), t)) {
            let Some(table) = oids.get(&name).and_then(|oid| tables.tables.get_mut(oid)) else { continue };
            let has = |columns: &[String]| columns.iter().all(|c| theirs.column(c).is_some()) && !columns.is_empty();
            for column in &mut table.columns {
                let Some(their) = theirs.column(&column.name) else { continue };
                column.not_null |= their.not_null;
                if their.data_type == column.data_type && (4..column.modifier).contains(&their.modifier) {
                    column.modifier = their.modifier;
                }
            }
            let own: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
            let fits = |columns: &[String]| has(columns) && columns.iter().all(|column| own.contains(column));
            let missing = |known: &[Vec<String>], columns: &Vec<String>| fits(columns) && !known.contains(columns);
            for key in &theirs.keys {
                if missing(&table.keys, key) {
                    table.keys.push(key.clone());
                }
            }
            for (columns, text) in &theirs.checks {
                if fits(columns) && table.checks.iter().all(|(_, known)| known != text) {
                    table.checks.push((columns.clone(), text.clone()));
                }
            }
            for (columns, text) in &theirs.bounds {
                if fits(columns) && table.bounds.iter().all(|(_, known)| known != text) {
                    table.bounds.push((columns.clone(), text.clone()));
                }
            }
            for key in &theirs.foreign {
                let target = other.tables.get(&key.target).map(|t| (t.schema.clone(), t.name.clone()));
                let Some(target) = target.and_then(|name| oids.get(&name)) else { continue };
                if fits(&key.columns) && table.foreign.iter().all(|known| known.columns != key.columns) {
                    table.foreign.push(ForeignKey { target: *target, ..key.clone() });
                }
            }
        }
        for data_type in tables.types.values_mut() {
            let theirs = other.types.values().find(|their| their.name == data_type.name).map(|their| &their.shape);
            if let (Shape::Enum(labels), Some(Shape::Enum(theirs))) = (&mut data_type.shape, theirs) {
                // Those that both have come first, in their order.
                labels.sort_by_key(|label| !theirs.contains(label));
            }
        }
    }
}

/// The rows that tables hold, or are to hold.
pub(super) struct Known<'a> {
    pub(super) tables: &'a Tables,
    /// The rows that are there.
    pub(super) rows: &'a Rows,
    /// The rows that were there at another state.
    pub(super) remembered: &'a Rows,
}

impl Known<'_> {
    /// What the `n`-th row of a table may hold.
    pub(super) fn slots(&self, oid: u32, table: &Table, n: usize) -> Vec<Slot> {
        let name = (table.schema.clone(), table.name.clone());
        let remembered = self.remembered.get(&name).and_then(|rows| rows.get(n));
        let mut keys: Vec<&ForeignKey> = table.foreign.iter().collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.columns.len()));
        let mut slots: Vec<Slot> =
            keys.iter().filter_map(|key| self.pointing(oid, table, key, n, remembered)).collect();
        let pointing: Vec<String> = slots.iter().flat_map(|slot| slot.columns.clone()).collect();
        for column in table.columns.iter().filter(|column| !column.generated && !pointing.contains(&column.name)) {
            let mut alternatives: Vec<Given> = Vec::new();
            let remembered = remembered.and_then(|row| row.get(&column.name));
            alternatives.extend(remembered.cloned().map(Given::Value));
            alternatives.extend(column_values(&self.tables.types, table, column, n));
            let mut unique: Vec<Vec<Given>> = Vec::new();
            for one in alternatives {
                if !unique.iter().any(|known| known[0] == one) {
                    unique.push(vec![one]);
                }
            }
            slots.push(Slot { columns: vec![column.name.clone()], alternatives: unique });
        }
        slots
    }

    /// The values of a foreign key: those of rows that are there. The last row is pointed to only where nothing else is left, so that there is
    /// one that can be deleted.
    fn pointing(
        &self,
        oid: u32,
        table: &Table,
        key: &ForeignKey,
        n: usize,
        remembered: Option<&BTreeMap<String, Value>>,
    ) -> Option<Slot> {
        let target = self.tables.tables.get(&key.target)?;
        let there = self.rows.get(&(target.schema.clone(), target.name.clone())).map_or(&[][..], Vec::as_slice);
        let value_of = |row: &BTreeMap<String, Value>, columns: &[String]| -> Option<Vec<Given>> {
            columns.iter().map(|column| Some(Given::Value(row.get(column)?.clone()))).collect()
        };
        let mut alternatives: Vec<Vec<Given>> = Vec::new();
        alternatives.extend(remembered.and_then(|row| value_of(row, &key.columns)));
        let nullable = key.columns.iter().any(|name| table.column(name).is_some_and(|column| !column.not_null));
        let nulls: Vec<Given> = key
            .columns
            .iter()
            .enumerate()
            .map(|(at, name)| match table.column(name) {
                Some(column) if column.not_null => {
                    let first = there.first().and_then(|row| row.get(&key.target_columns[at]).cloned());
                    Given::Value(first.unwrap_or_else(|| own_value(&self.tables.types, column, n)))
                }
                _ => Given::Value(None),
            })
            .collect();
        if nullable && there.is_empty() {
            alternatives.push(nulls.clone());
        }
        let often = there.len().clamp(1, 2);
        let order = (0..often).map(|at| (n + at) % often).chain(often..there.len());
        alternatives.extend(order.filter_map(|at| value_of(there.get(at)?, &key.target_columns)));
        // A row that points to itself, or to one that is still to come.
        let guess = |at: usize| -> Option<Given> {
            let column = target.column(key.target_columns.get(at)?)?;
            Some(Given::Value(own_value(&self.tables.types, column, n)))
        };
        if key.target == oid || there.is_empty() {
            alternatives.extend((0..key.columns.len()).map(guess).collect::<Option<Vec<_>>>());
        }
        if nullable {
            alternatives.push(nulls);
        }
        alternatives.dedup();
        (!alternatives.is_empty()).then(|| Slot { columns: key.columns.clone(), alternatives })
    }
}

fn own_value(types: &Types, column: &TableColumn, n: usize) -> Value {
    value(types, column.data_type, column.modifier, &column.name, small(n))
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// What a column may hold that points nowhere.
pub(super) fn column_values(types: &Types, table: &Table, column: &TableColumn, n: usize) -> Vec<Given> {
    let own = own_value(types, column, n).map(|value| Given::Value(Some(value)));
    let is_text = kind(types, column.data_type) == Kind::Text;
    let counted = column.default.as_deref().is_some_and(|default| default.contains("nextval("));
    let hints = hints(types, table, column, n);
    let more = alternatives(types, column, n);
    let null = (!column.not_null).then_some(Given::Value(None));
    let left_out = (column.default.is_some() || column.identity).then_some(Given::Nothing);
    let text = |texts: Vec<String>| texts.into_iter().map(|text| Given::Value(Some(text)));
    let mut found: Vec<Given> = Vec::new();
    if column.identity || counted || table.is_in_key(&column.name) {
        // The same at every state, and none that a sequence will come to soon.
        found.extend(own);
        found.extend(text(hints));
        found.extend(left_out.clone());
    } else {
        found.extend(left_out.clone());
        found.extend(null.clone().filter(|_| n == 2));
        if is_text {
            found.extend(text(hints));
            found.extend(own);
        } else {
            found.extend(own);
            found.extend(text(hints));
        }
    }
    found.extend(text(more));
    found.extend(null);
    // What has no known value is left to its default.
    if found.is_empty() {
        found.push(Given::Nothing);
    }
    found
}

/// What the values of a type are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Json,
    Bool,
    Array,
    Other,
}

pub(super) fn kind(types: &Types, data_type: u32) -> Kind {
    let Some(found) = types.get(&data_type) else { return Kind::Other };
    match &found.shape {
        Shape::Domain { base, .. } if *base != data_type => kind(types, *base),
        Shape::Array(_) => Kind::Array,
        Shape::Base => match found.name.as_str() {
            "text" | "varchar" | "bpchar" | "name" | "citext" | "char" => Kind::Text,
            "int2" | "int4" | "int8" | "oid" | "numeric" | "float4" | "float8" | "money" => Kind::Number,
            "json" | "jsonb" => Kind::Json,
            "bool" => Kind::Bool,
            _ => Kind::Other,
        },
        Shape::Domain { .. } | Shape::Enum(_) | Shape::Range(_) | Shape::Multirange(_) | Shape::Composite(_) => {
            Kind::Other
        }
    }
}

/// The checks of a domain, and of those below it.
fn domain_checks(types: &Types, data_type: u32) -> Vec<&str> {
    match types.get(&data_type).map(|found| &found.shape) {
        Some(Shape::Domain { base, checks, .. }) if *base != data_type => {
            checks.iter().map(String::as_str).chain(domain_checks(types, *base)).collect()
        }
        _ => Vec::new(),
    }
}

/// Values that the rules of a column name.
fn hints(types: &Types, table: &Table, column: &TableColumn, n: usize) -> Vec<String> {
    /// A text that is longer fits no column of an application.
    const LONGEST: usize = 400;
    let of_column = |(columns, _): &&(Vec<String>, String)| columns.contains(&column.name);
    let checks = table.checks.iter().filter(of_column).map(|(_, text)| text.as_str());
    let bounds = table.bounds.iter().filter(of_column).map(|(_, text)| text.as_str());
    let checks: Vec<&str> = checks.chain(domain_checks(types, column.data_type)).collect();
    let constants: Vec<(String, bool)> = checks.iter().copied().chain(bounds).flat_map(constants).collect();
    let of = kind(types, column.data_type);
    let mut found: Vec<String> = Vec::new();
    for (constant, is_number) in &constants {
        match (of, is_number) {
            (Kind::Text, true) => {
                // A length, more likely than a value.
                let length = constant.parse::<usize>().ok().filter(|length| (1..=LONGEST).contains(length));
                found.extend(length.map(|length| format!("{n:0>length$}")));
            }
            (Kind::Text | Kind::Other | Kind::Array, _) | (Kind::Number, true) => found.push(constant.clone()),
            // The name of a field, or of a kind of value.
            (Kind::Number | Kind::Bool | Kind::Json, _) => {}
        }
    }
    if of == Kind::Array {
        found = found.iter().map(|constant| format!("{{{}}}", super::value::quoted(constant))).collect();
    }
    // Not every row is like the others.
    let firsts = found.len().clamp(1, 3);
    if !found.is_empty() && checks.iter().any(|check| check.contains("ARRAY[") || check.contains(" OR ")) {
        found.rotate_left(n % firsts);
    }
    if of == Kind::Text && !checks.is_empty() {
        found.extend(shapes(small(n)));
    }
    found
}

/// Other values of a type, for rules of which nothing is known.
fn alternatives(types: &Types, column: &TableColumn, n: usize) -> Vec<String> {
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    match kind(types, column.data_type) {
        Kind::Text => shapes(small(n)),
        Kind::Number => {
            let mut found: Vec<String> = vec![n.to_string()];
            found.extend(list(&["1", "0", "-1", "10", "0.5", "1000"]));
            found
        }
        Kind::Json => list(&["{}", "[]", "\"a\"", "1", "[{}]"]),
        Kind::Bool => list(&["true", "false"]),
        Kind::Array => list(&["{}"]),
        Kind::Other => match types.get(&column.data_type).map(|found| &found.shape) {
            Some(Shape::Enum(labels)) => labels.clone(),
            _ => (1..4).filter_map(|more| own_value(types, column, n + 10 * more)).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::tables::DataType;

    fn world() -> Tables {
        let data_type = |name: &str| DataType { name: name.to_owned(), shape: Shape::Base };
        let column = |name: &str, data_type: u32, not_null: bool| TableColumn {
            name: name.to_owned(),
            data_type,
            modifier: -1,
            not_null,
            ..TableColumn::default()
        };
        let users = Table {
            schema: "public".to_owned(),
            name: "users".to_owned(),
            columns: vec![column("id", 23, true), column("name", 25, false), column("boss", 23, false)],
            keys: vec![vec!["id".to_owned()]],
            foreign: vec![ForeignKey {
                columns: vec!["boss".to_owned()],
                target: 1,
                target_columns: vec!["id".to_owned()],
            }],
            ..Table::default()
        };
        Tables {
            tables: BTreeMap::from([(1, users)]),
            types: BTreeMap::from([(23, data_type("int4")), (25, data_type("text"))]),
        }
    }

    fn firsts(tables: &Tables, n: usize, rows: &Rows) -> Vec<String> {
        let known = Known { tables, rows, remembered: &Rows::new() };
        let shown = |slot: &Slot| format!("{}={:?}", slot.columns.join(","), slot.alternatives[0]);
        known.slots(1, &tables.tables[&1], n).iter().map(shown).collect()
    }

    #[test]
    fn rows_are_filled_in_the_likeliest_way() {
        let mut tables = world();
        let nothing = Rows::new();
        let null = "boss=[Value(None)]";
        assert_eq!(firsts(&tables, 0, &nothing), [null, "id=[Value(Some(\"101\"))]", "name=[Value(Some(\"name-0\"))]"]);
        let row = BTreeMap::from([("id".to_owned(), Some("101".to_owned()))]);
        let rows = Rows::from([(("public".to_owned(), "users".to_owned()), vec![row])]);
        assert_eq!(firsts(&tables, 2, &rows)[0], "boss=[Value(Some(\"101\"))]");
        assert_eq!(firsts(&tables, 2, &rows)[2], "name=[Value(None)]");
        // What another schema demands.
        let mut other = world();
        let users = other.tables.get_mut(&1).unwrap();
        users.columns[1].not_null = true;
        users.checks.push((vec!["name".to_owned()], "(name = ANY (ARRAY['a'::text, 'b'::text]))".to_owned()));
        demand_also(&mut tables, &[&other]);
        assert_eq!(firsts(&tables, 0, &nothing)[2], "name=[Value(Some(\"a\"))]");
        assert_eq!(firsts(&tables, 1, &nothing)[2], "name=[Value(Some(\"b\"))]");
    }
}
