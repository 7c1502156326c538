//! The tables of a live database as somebody sees them who wants to put rows into them: their columns with types, and what a row must obey.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use tokio_postgres::{Client, Error, Row};

use crate::migrations::books;

/// All tables that rows can be put into, and all types.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// The tables, by oid.
    pub tables: BTreeMap<u32, Table>,
    /// The types, by oid.
    pub types: BTreeMap<u32, DataType>,
}

/// A table that is no partition of another.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<TableColumn>,
    /// Its unique keys, each as the names of its columns, without those on expressions.
    pub keys: Vec<Vec<String>>,
    /// Its foreign keys.
    pub foreign: Vec<ForeignKey>,
    /// The columns of each of its constraints, by name; unique indexes are among them.
    pub constraints: BTreeMap<String, Vec<String>>,
    /// The expressions of its checks, with the columns that they name.
    pub checks: Vec<(Vec<String>, String)>,
    /// The columns that tell a row's partition, here and below, with the bounds of these partitions.
    pub bounds: Vec<(Vec<String>, String)>,
}

/// A column of a table.
#[derive(Debug, Clone, Default)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// The oid of its type.
    pub data_type: u32,
    /// The type's modifier; -1: none.
    pub modifier: i32,
    /// Whether it demands a value.
    pub not_null: bool,
    /// What it holds if nothing is given.
    pub default: Option<String>,
    /// Whether it is an identity.
    pub identity: bool,
    /// Whether it is computed from others.
    pub generated: bool,
}

/// A foreign key.
#[derive(Debug, Clone, Default)]
pub struct ForeignKey {
    /// Its own columns.
    pub columns: Vec<String>,
    /// The oid of the table that it points to.
    pub target: u32,
    /// The columns there.
    pub target_columns: Vec<String>,
}

/// A type.
#[derive(Debug, Clone)]
pub struct DataType {
    /// Its name, without its schema.
    pub name: String,
    /// What its values are made of.
    pub shape: Shape,
}

/// What the values of a type are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Nothing else: a type as PostgreSQL or an extension has it.
    Base,
    /// Labels.
    Enum(Vec<String>),
    /// Elements of this type.
    Array(u32),
    /// A value of this type and modifier that obeys these checks.
    Domain {
        /// The type below.
        base: u32,
        /// Its modifier.
        modifier: i32,
        /// Its checks.
        checks: Vec<String>,
    },
    /// Two bounds of this type.
    Range(u32),
    /// Ranges whose bounds are of this type.
    Multirange(u32),
    /// Fields of these types and modifiers.
    Composite(Vec<(u32, i32)>),
}

/// Schemas that hold no tables of an application.
const OWN: &str = "n.nspname NOT IN ('information_schema', 'cutover') AND n.nspname !~ '^pg_'";

/// Tables of extensions are filled by these.
const NO_EXTENSION: &str =
    "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND e.objid = c.oid AND e.deptype = 'e')";

const NAMES: &str = "(SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY k.n)
    FROM pg_catalog.unnest({keys}) WITH ORDINALITY k(attnum, n) JOIN pg_catalog.pg_attribute a
    ON a.attrelid = {of} AND a.attnum = k.attnum)";

fn names(of: &str, keys: &str) -> String {
    NAMES.replace("{of}", of).replace("{keys}", keys)
}

/// Reads them.
pub async fn tables(client: &Client) -> Result<Tables, Error> {
    let of_tables = format!(
        "SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND {OWN} AND {NO_EXTENSION}"
    );
    let of_columns = "SELECT a.attrelid, a.attname::pg_catalog.text, a.atttypid, a.atttypmod, a.attnotnull,
             pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity <> '', a.attgenerated <> ''
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum"
        .to_owned();
    let of_constraints = format!(
        "SELECT o.conrelid, o.contype::pg_catalog.text, o.conname::pg_catalog.text, o.confrelid,
             COALESCE({}, '{{}}'), COALESCE({}, '{{}}'), pg_catalog.pg_get_expr(o.conbin, o.conrelid)
         FROM pg_catalog.pg_constraint o WHERE o.conrelid <> 0 ORDER BY o.oid",
        names("o.conrelid", "o.conkey"),
        names("o.confrelid", "o.confkey")
    );
    let of_indexes = format!(
        "SELECT i.indrelid, c.relname::pg_catalog.text, COALESCE({}, '{{}}'), 0 = ANY (i.indkey::pg_catalog.int2[])
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indisunique",
        names("i.indrelid", "i.indkey::pg_catalog.int2[]")
    );
    let of_types = "SELECT t.oid, t.typname::pg_catalog.text, t.typtype::pg_catalog.text, t.typbasetype, t.typtypmod,
             CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, COALESCE(r.rngsubtype, m.rngsubtype, 0),
             (SELECT pg_catalog.array_agg(e.enumlabel::pg_catalog.text ORDER BY e.enumsortorder)
              FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
             (SELECT pg_catalog.array_agg(a.atttypid ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped),
             (SELECT pg_catalog.array_agg(a.atttypmod ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = t.typrelid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped),
             (SELECT pg_catalog.array_agg(pg_catalog.pg_get_constraintdef(o.oid)) FROM pg_catalog.pg_constraint o
              WHERE o.contypid = t.oid)
         FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
         LEFT JOIN pg_catalog.pg_range m ON t.typtype = 'm'
             AND pg_catalog.to_jsonb(m) ->> 'rngmultitypid' = t.oid::pg_catalog.text"
        .to_owned();
    let of_partitions = format!(
        "SELECT pg_catalog.pg_partition_root(i.inhrelid)::pg_catalog.oid, COALESCE({}, '{{}}'),
             pg_catalog.pg_get_expr(c.relpartbound, c.oid)
         FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
         JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = i.inhparent ORDER BY c.oid",
        names("p.partrelid", "p.partattrs::pg_catalog.int2[]")
    );
    let asked = [of_tables, of_columns, of_constraints, of_indexes, of_types, of_partitions];
    let mut answers = try_join_all(asked.iter().map(|sql| client.query(sql.as_str(), &[]))).await?.into_iter();
    let mut next = || answers.next().unwrap_or_default();
    let mut found = Tables::default();
    for row in next() {
        let (schema, name): (String, String) = (row.get(1), row.get(2));
        if !books::are_books(&schema, &name) {
            found.tables.insert(row.get(0), Table { schema, name, ..Table::default() });
        }
    }
    for row in next() {
        if let Some(table) = found.tables.get_mut(&row.get(0)) {
            table.columns.push(column(&row));
        }
    }
    for row in next() {
        if let Some(table) = found.tables.get_mut(&row.get(0)) {
            constraint(table, &row);
        }
    }
    for row in next() {
        let Some(table) = found.tables.get_mut(&row.get(0)) else { continue };
        let columns: Vec<String> = row.get(2);
        table.constraints.insert(row.get(1), columns.clone());
        if !row.get::<_, bool>(3) {
            table.keys.push(columns);
        }
    }
    found.types = next().iter().map(|row| (row.get(0), data_type(row))).collect();
    for row in next() {
        if let Some(table) = found.tables.get_mut(&row.get(0)) {
            table.bounds.push((row.get(1), row.get::<_, Option<String>>(2).unwrap_or_default()));
        }
    }
    Ok(found)
}

fn column(row: &Row) -> TableColumn {
    TableColumn {
        name: row.get(1),
        data_type: row.get(2),
        modifier: row.get(3),
        not_null: row.get(4),
        default: row.get(5),
        identity: row.get(6),
        generated: row.get(7),
    }
}

fn constraint(table: &mut Table, row: &Row) {
    let (kind, name, columns): (String, String, Vec<String>) = (row.get(1), row.get(2), row.get(4));
    match kind.as_str() {
        "f" => {
            table.foreign.push(ForeignKey { columns: columns.clone(), target: row.get(3), target_columns: row.get(5) });
        }
        "c" => table.checks.extend(row.get::<_, Option<String>>(6).map(|text| (columns.clone(), text))),
        _ => {}
    }
    table.constraints.insert(name, columns);
}

fn data_type(row: &Row) -> DataType {
    let (name, kind): (String, String) = (row.get(1), row.get(2));
    let (element, bound): (u32, u32) = (row.get(5), row.get(6));
    let shape = match kind.as_str() {
        "e" => Shape::Enum(row.get::<_, Option<Vec<String>>>(7).unwrap_or_default()),
        "d" => Shape::Domain {
            base: row.get(3),
            modifier: row.get(4),
            checks: row.get::<_, Option<Vec<String>>>(10).unwrap_or_default(),
        },
        "c" => {
            let types = row.get::<_, Option<Vec<u32>>>(8).unwrap_or_default();
            Shape::Composite(types.into_iter().zip(row.get::<_, Option<Vec<i32>>>(9).unwrap_or_default()).collect())
        }
        "r" => Shape::Range(bound),
        // Since PostgreSQL 14.
        "m" => Shape::Multirange(bound),
        _ if element != 0 => Shape::Array(element),
        _ => Shape::Base,
    };
    DataType { name, shape }
}

impl Tables {
    /// A table by its name.
    pub fn named(&self, schema: &str, name: &str) -> Option<(u32, &Table)> {
        self.tables.iter().find(|(_, t)| t.schema == schema && t.name == name).map(|(oid, table)| (*oid, table))
    }

    /// The tables, those that others point to first. Of a cycle, the one that was made first comes first.
    pub fn in_order(&self) -> Vec<u32> {
        let mut done: Vec<u32> = Vec::new();
        let mut open: Vec<u32> = self.tables.keys().copied().collect();
        while !open.is_empty() {
            let is_ready = |oid: &u32, only_needed: bool| {
                self.tables.get(oid).is_none_or(|table| {
                    table.foreign.iter().all(|key| {
                        let needed = !only_needed || table.needs(key);
                        !needed
                            || key.target == *oid
                            || done.contains(&key.target)
                            || !self.tables.contains_key(&key.target)
                    })
                })
            };
            // What may stay NULL does not hold a table back, where nothing else is left.
            let ready: Vec<u32> = open.iter().copied().filter(|oid| is_ready(oid, false)).collect();
            let next = match ready.is_empty() {
                false => ready,
                true => vec![open.iter().copied().find(|oid| is_ready(oid, true)).unwrap_or(open[0])],
            };
            open.retain(|oid| !next.contains(oid));
            done.extend(next);
        }
        done
    }
}

impl Table {
    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&TableColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether each row must point somewhere by a foreign key.
    fn needs(&self, key: &ForeignKey) -> bool {
        key.columns.iter().all(|name| self.column(name).is_none_or(|column| column.not_null))
    }

    /// Whether a column is part of a unique key.
    pub fn is_in_key(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.iter().any(|column| column == name))
    }
}
