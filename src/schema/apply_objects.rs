//! Objects beside tables (statistics, aggregates, casts, operators, event triggers): what they stand on after a statement.

use super::apply::Change;
use super::model::{QName, StandsOn};
use crate::sql::operation::{Ident, Operation, TableChange};

impl Change {
    /// Objects beside tables follow what they stand on: the names of their tables and columns, and their end.
    pub(super) fn carry_objects(&mut self, operation: &Operation) {
        let gone = |at: &QName, column: Option<&Ident>| {
            let (at, column) = (at.clone(), column.cloned());
            move |stands: &StandsOn| {
                let inside = |(table, columns): &(QName, Vec<Ident>)| {
                    *table == at && column.as_ref().is_none_or(|column| columns.contains(column))
                };
                (!stands.columns.as_ref().is_some_and(inside)).then(|| stands.clone())
            }
        };
        let moved = |from: QName, to: QName| {
            move |stands: &StandsOn| {
                let mut stands = stands.clone();
                stands
                    .columns
                    .iter_mut()
                    .filter(|(table, _)| *table == from)
                    .for_each(|(table, _)| *table = to.clone());
                Some(stands)
            }
        };
        match operation {
            Operation::DropRelation { name, .. } => self.schema.follow_changes(gone(&self.schema.resolve(name), None)),
            Operation::RenameRelation { name, to, .. } => {
                let from = self.schema.resolve(name);
                let to = QName { schema: from.schema.clone(), name: to.clone() };
                self.schema.follow_changes(moved(from, to));
            }
            Operation::MoveRelation { name, to, .. } => {
                let from = self.schema.resolve(name);
                let to = QName { schema: to.clone(), name: from.name.clone() };
                self.schema.follow_changes(moved(from, to));
            }
            Operation::AlterTable { table, change: TableChange::DropColumn { column, .. }, .. } => {
                self.schema.follow_changes(gone(&self.schema.resolve(table), Some(column)));
            }
            Operation::AlterTable { table, change: TableChange::RenameColumn { from, to }, .. } => {
                let table = self.schema.resolve(table);
                self.schema.follow_changes(|stands| {
                    let mut stands = stands.clone();
                    let columns = stands.columns.iter_mut().filter(|(of, _)| *of == table).flat_map(|(_, c)| c);
                    columns.filter(|column| *column == from).for_each(|column| *column = to.clone());
                    Some(stands)
                });
            }
            Operation::DropFunction { name, cascade: true, .. } => {
                let function = self.schema.resolve_function(name);
                self.schema.follow_changes(|stands| (!stands.functions.contains(&function)).then(|| stands.clone()));
            }
            _ => {}
        }
    }
}
