//! What playing the overlap needs of synthetic rows: a database with such rows, the queries that write, and what is known of the end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Error};

use super::candidate::{Rows, demand_also};
use super::fill::fill;
use super::{Ends, Improviser, timeout};
use crate::postgres::tables::{ForeignKey, Table, TableColumn, Tables, tables};
use crate::schema::Schema;
use crate::schema::resolve::{Uses, Write, WriteKind, resolve};
use crate::workload::SavedStatement;

/// A query that adds rows or changes some.
pub(in crate::rehearse) struct Writer {
    /// Its name.
    pub(in crate::rehearse) query: String,
    /// `path:line:column`
    pub(in crate::rehearse) place: String,
    /// The values with which it succeeds at home.
    pub(in crate::rehearse) lists: Vec<SavedStatement>,
    /// What it writes, by itself or by the functions that it calls.
    pub(in crate::rehearse) writes: Vec<Write>,
}

impl Ends {
    /// Columns that a sequence fills which the release brings, and those that point to them, as `schema.table` and column: in which order rows
    /// come to them is nobody's wish.
    pub(in crate::rehearse) fn numbered(&self) -> BTreeSet<(String, String)> {
        let named = |tables: &Tables| -> BTreeSet<(String, String)> {
            let of = |table: &Table| {
                let is_counted = |column: &&TableColumn| {
                    column.identity || column.default.as_deref().is_some_and(|default| default.contains("nextval("))
                };
                let counted = table.columns.iter().filter(is_counted);
                counted.map(|column| (full_name(table), column.name.clone())).collect::<Vec<_>>()
            };
            tables.tables.values().flat_map(of).collect()
        };
        let mut found: BTreeSet<_> = named(&self.end).difference(&named(&self.base)).cloned().collect();
        loop {
            let pointing = self.end.tables.values().flat_map(|table| {
                let points = |key: &&ForeignKey| {
                    let target = self.end.tables.get(&key.target).map(full_name).unwrap_or_default();
                    key.target_columns.iter().any(|column| found.contains(&(target.clone(), column.clone())))
                };
                let keys = table.foreign.iter().filter(points);
                keys.flat_map(|key| key.columns.iter().map(|column| (full_name(table), column.clone())))
                    .collect::<Vec<_>>()
            });
            let more: Vec<_> = pointing.filter(|column| !found.contains(column)).collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    /// The unique keys that a table has at the end, by `schema.table`.
    pub(in crate::rehearse) fn keys(&self, table: &str) -> &[Vec<String>] {
        self.end.tables.values().find(|of| full_name(of) == table).map_or(&[], |of| of.keys.as_slice())
    }

    /// Fills the tables of a database that is thrown away, and says which. These rows stay.
    pub(in crate::rehearse) async fn furnish(
        &self,
        client: &Client,
        rows: &Rows,
        time: Duration,
    ) -> Result<Vec<(String, String)>, Error> {
        let mut here = tables(client).await?;
        demand_also(&mut here, &[&self.base, &self.end]);
        client.batch_execute(&format!("BEGIN; SET LOCAL statement_timeout = {}", timeout(time))).await?;
        let filled = fill(client, &here, rows, Instant::now() + time).await?;
        client.batch_execute("COMMIT").await?;
        Ok(filled.rows.into_keys().filter(|name| !filled.had.contains(name)).collect())
    }
}

/// What a query writes, and what the functions write that it calls, as far as their bodies are written down.
fn written(uses: &Uses, schema: &Schema) -> Vec<Write> {
    let mut writes = uses.writes.clone();
    let mut open: Vec<_> = uses.calls.keys().cloned().collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let bodies = schema.functions(&name).iter().filter(|function| function.volatile);
        for query in bodies.flat_map(|function| &function.source.body().queries) {
            let found = resolve(&query.command, schema).uses;
            writes.extend(found.writes);
            open.extend(found.calls.into_keys());
        }
    }
    writes
}

fn full_name(table: &Table) -> String {
    format!("{}.{}", table.schema, table.name)
}

impl Improviser<'_> {
    /// The rows on which they run.
    pub(in crate::rehearse) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The queries that add rows or change some, and count.
    pub(in crate::rehearse) fn writers(&self) -> Vec<Writer> {
        let mut found = Vec::new();
        let adds = |writes: &[Write]| {
            writes.iter().any(|write| match write.kind {
                WriteKind::Insert { copies, .. } => !copies,
                WriteKind::Update { .. } => true,
                WriteKind::Delete => false,
            })
        };
        for (query, tried) in self.workload.queries.iter().zip(&self.queries) {
            let writes = written(&tried.uses, self.schema());
            if !adds(&writes) {
                continue;
            }
            let Ok(statements) = &tried.statements else { continue };
            let counting = statements.iter().zip(tried.counting()).filter(|(_, counts)| *counts);
            let lists: Vec<_> = counting.map(|(statement, _)| statement.clone()).collect();
            if !lists.is_empty() {
                let place = self.workload.sources.place(query.span);
                found.push(Writer { query: query.name.clone(), place, lists, writes });
            }
        }
        found
    }
}
