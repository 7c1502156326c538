//! All rows of a database, as something that can be held against what they are at another moment, or in another play of the same release.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use tokio_postgres::{Client, Error};

use crate::migrations::books;
use crate::sql::name::Quoted;

/// A row by the numbers of its columns, which stay when a column is renamed. What is NULL is not in it.
pub(super) type Row = BTreeMap<i16, String>;

/// A table with more rows is not looked at.
const MOST_ROWS: usize = 500;

/// The tables, by oid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content(pub(super) BTreeMap<u32, Rows>);

/// A table and its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows {
    /// With its schema.
    pub(super) name: String,
    pub(super) columns: BTreeMap<i16, String>,
    /// In an order that depends on nothing but what they hold.
    pub(super) rows: Vec<Row>,
}

const TABLES: &str = "SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
        COALESCE(pg_catalog.array_agg(a.attnum ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL), '{}'),
        COALESCE(pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL), '{}')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('information_schema', 'cutover') AND n.nspname !~ '^pg_'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND e.objid = c.oid AND e.deptype = 'e')
    GROUP BY 1, 2, 3";

impl Content {
    /// Reads it.
    pub(super) async fn read(client: &Client) -> Result<Self, Error> {
        let (mut tables, mut asked) = (Vec::new(), Vec::new());
        for row in client.query(TABLES, &[]).await? {
            let (schema, name): (String, String) = (row.get(1), row.get(2));
            if books::are_books(&schema, &name) {
                continue;
            }
            let (numbers, names): (Vec<i16>, Vec<String>) = (row.get(3), row.get(4));
            let values: Vec<String> = names.iter().map(|name| format!("{}::pg_catalog.text", Quoted(name))).collect();
            let relation = format!("{}.{}", Quoted(&schema), Quoted(&name));
            asked.push(format!("SELECT {} FROM {relation} LIMIT {}", values.join(", "), MOST_ROWS + 1));
            let columns = numbers.into_iter().zip(names).collect();
            tables.push((row.get::<_, u32>(0), Rows { name: format!("{schema}.{name}"), columns, rows: Vec::new() }));
        }
        let answers = try_join_all(asked.iter().map(|sql| client.query(sql.as_str(), &[]))).await?;
        for ((_, table), answer) in tables.iter_mut().zip(&answers) {
            table.rows = answer.iter().map(|row| read(row, &table.columns)).collect();
            table.rows.sort();
        }
        Ok(Self(tables.into_iter().filter(|(_, table)| table.rows.len() <= MOST_ROWS).collect()))
    }

    /// A table by its name.
    pub(super) fn named(&self, name: &str) -> Option<(u32, &Rows)> {
        self.0.iter().find(|(_, rows)| rows.name == name).map(|(oid, rows)| (*oid, rows))
    }

    /// The rows of each table that were not there before, as they are.
    pub(super) fn since(&self, before: &Self) -> BTreeMap<u32, Vec<Row>> {
        let none = Rows::default();
        let of = |(oid, now): (&u32, &Rows)| (*oid, without(&now.rows, &before.0.get(oid).unwrap_or(&none).rows));
        self.0.iter().map(of).filter(|(_, rows)| !rows.is_empty()).collect()
    }

    /// The columns that do not hold the same values in both: what is random, a clock's or counted.
    pub(super) fn changing(&self, other: &Self) -> BTreeSet<(String, i16)> {
        let values = |rows: &Rows, column: i16| -> Vec<Option<String>> {
            let mut values: Vec<_> = rows.rows.iter().map(|row| row.get(&column).cloned()).collect();
            values.sort();
            values
        };
        let mut found = BTreeSet::new();
        for rows in self.0.values() {
            let Some((_, theirs)) = other.named(&rows.name) else { continue };
            let differs = |column: &&i16| values(rows, **column) != values(theirs, **column);
            found.extend(rows.columns.keys().filter(differs).map(|column| (rows.name.clone(), *column)));
        }
        found
    }
}

/// A row of these columns.
fn read(row: &tokio_postgres::Row, columns: &BTreeMap<i16, String>) -> Row {
    let values = columns.keys().enumerate();
    values.filter_map(|(at, number)| Some((*number, row.get::<_, Option<String>>(at)?))).collect()
}

/// The rows of one list that are not in another; what is there twice has to be there twice.
pub(super) fn without(rows: &[Row], others: &[Row]) -> Vec<Row> {
    let mut left: Vec<&Row> = others.iter().collect();
    let mut is_new = |row: &&Row| match left.iter().position(|other| other == row) {
        Some(at) => {
            left.swap_remove(at);
            false
        }
        None => true,
    };
    rows.iter().filter(|row| is_new(row)).cloned().collect()
}
