//! An `UPDATE` or a `DELETE` that goes over the rows of its table some at a time, in the order of a key, and changes what it changes in one piece.

use std::collections::BTreeSet;

use crate::schema::{Constraint, Index, QName, Schema, TableRule};
use crate::shared::Shared;
use crate::sql::operation::{DataVerb, Ident, OnDelete, Operation, RelationKind};
use crate::sql::{self, Quoted};

/// How it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batches {
    /// The table, as the statement names it.
    pub(crate) table: String,
    /// The key, with the name that the table has in the statement.
    pub(crate) key: String,
    /// The author's text, ready for bounds of the key.
    pub(crate) text: String,
}

/// Reads a statement on the schema before it; otherwise says why it must stay in one piece. `key`: the column; the first one of the primary key
/// without it.
pub(crate) fn batches(
    key: Option<&str>,
    operation: &Operation,
    text: &str,
    schema: &Schema,
) -> Result<Batches, String> {
    let Operation::Data(data) = operation else {
        return Err("only an UPDATE or a DELETE goes over the rows of a table".to_owned());
    };
    let found = sql::batch::of(text)?;
    if !matches!(data.verb, DataVerb::Update | DataVerb::Delete) || !data.also.is_empty() {
        return Err("only an UPDATE or a DELETE of one table goes over its rows".to_owned());
    }
    let table = data.table.as_ref().map(|table| schema.resolve(table));
    let Some((table, relation)) = table.as_ref().and_then(|table| Some((table, schema.relation(table)?))) else {
        return Err("its table is not in the schema that the files make".to_owned());
    };
    if relation.kind != RelationKind::Table {
        return Err("rows are taken in the order of a key, and only a table has one".to_owned());
    }
    let first = || relation.primary_key().and_then(|key| key.first()).map(ToString::to_string);
    let Some(key) = key.map(str::to_owned).or_else(first) else {
        return Err("its table has no primary key; name a column with `key=COLUMN`".to_owned());
    };
    let Some(column) = relation.column(&key) else { return Err(format!("its table has no column {key}")) };
    let in_key = relation.primary_key().is_some_and(|columns| columns.iter().any(|column| **column == *key));
    if !column.not_null && !in_key {
        return Err(format!("{key} may be NULL, and rows without a key would be left out"));
    }
    let led = |index: &Shared<Index>| {
        index.valid
            && index.predicate.is_none()
            && index.key.first().is_some_and(|first| first.as_deref() == Some(&*key))
    };
    if !relation.indexes.values().any(led) {
        return Err(format!("no index of all rows begins with {key}, so every time would read the whole table"));
    }
    if data.verb == DataVerb::Update && data.writes.iter().any(|column| **column == *key) {
        return Err(format!("it changes {key}, so a row could be taken twice"));
    }
    if !column.needs.is_empty() {
        return Err(format!("{key} is generated, so it moves with what it is generated from"));
    }
    if !relation.triggers.is_empty() && !in_key {
        return Err(format!("{key} is no part of the primary key, and a trigger of the table may change it"));
    }
    let unique = |index: &&Shared<Index>| index.unique;
    let in_unique = |column: &Ident| relation.indexes.values().filter(unique).any(|index| index.uses(column));
    if let Some(column) = data.writes.iter().find(|column| in_unique(column)) {
        return Err(format!(
            "it changes {column}, which is unique: rows of one time may collide with those of the next"
        ));
    }
    let is_self = |constraint: &Shared<Constraint>| matches!(&constraint.kind, TableRule::ForeignKey { target, .. } if target == table);
    if data.verb == DataVerb::Delete && relation.constraints.values().any(is_self) {
        return Err(
            "its rows point to rows of the same table, so a part of them cannot go before the others".to_owned()
        );
    }
    let reads: Vec<QName> = data.query.reads.iter().map(|read| schema.resolve(read)).collect();
    let is_view = |read: &&QName| schema.relation(read).is_some_and(|relation| relation.kind != RelationKind::Table);
    if let Some(view) = reads.iter().find(is_view) {
        return Err(format!("it reads {view}, which may read the table that it writes"));
    }
    let family = schema.family(table);
    let others = || reads.iter().filter(|read| *read != table);
    if let Some(relative) = others().find(|read| family.contains(read)) {
        return Err(format!("it reads {relative}, which has rows of the table that it writes"));
    }
    if data.verb == DataVerb::Delete {
        let changed = cascades_from(table, schema);
        if let Some(changed) = others().find(|read| changed.contains(read)) {
            return Err(format!("it reads {changed}, whose rows change with those that it deletes"));
        }
    }
    let mut bodies = schema.reached_from(relation.trigger_functions.values().cloned().collect()).flatten();
    if let Some(read) = bodies.find_map(|body| others().find(|read| body.mentions.contains(&read.name))) {
        return Err(format!("it reads {read}, which a trigger of {table} may change"));
    }
    let key = format!("{}.{}", found.name, Quoted(&key));
    Ok(Batches { table: found.table, key, text: found.text })
}

/// The tables whose rows go or change with those of a table that are deleted.
fn cascades_from(table: &QName, schema: &Schema) -> BTreeSet<QName> {
    let (mut found, mut open) = (BTreeSet::new(), vec![table.clone()]);
    while let Some(gone) = open.pop() {
        let follows = |constraint: &Shared<Constraint>| matches!(&constraint.kind, TableRule::ForeignKey { target, on_delete: OnDelete::Cascade | OnDelete::Set, .. } if target == &gone);
        let has =
            |name: &&QName| schema.relation(name).is_some_and(|relation| relation.constraints.values().any(follows));
        let own: Vec<QName> = schema.pointing_to(&gone).filter(has).cloned().collect();
        open.extend(own.into_iter().filter(|name| found.insert(name.clone())));
    }
    found
}
