//! What PostgreSQL refuses of functions and triggers.

use super::{Catalog, is_system};
use crate::schema::Schema;
use crate::schema::model::{Column, QName, Relation, TableRule};
use crate::sql::called_in;
use crate::sql::operation::{DefaultValue, Firing, Ident, RelationKind};

/// What calls a function, beside triggers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    View,
    Constraint(Ident),
    Index(Ident),
    Policy(Ident),
    Column { column: Ident, generated: bool },
}

impl Schema {
    /// What calls a function, beside triggers: a view, or a part of a table. None where another function bears its name.
    pub(crate) fn callers(&self, function: &QName) -> Vec<(QName, Caller)> {
        let others = self.all_functions().filter(|(name, _)| name.name == function.name);
        if others.count() != 1 {
            return Vec::new();
        }
        let calls = |text: &str| called_in(text).contains(&function.name);
        let mut found = Vec::new();
        for (name, relation) in self.relations() {
            let reads = matches!(relation.kind, RelationKind::View | RelationKind::MaterializedView);
            if reads && relation.runs.contains(&function.name) {
                found.push((name.clone(), Caller::View));
            }
            let checks = relation.constraints.iter().filter(|(_, constraint)| match &constraint.kind {
                TableRule::Check { expression, .. } => calls(expression),
                _ => false,
            });
            let indexes = relation
                .indexes
                .iter()
                .filter(|(_, index)| index.expressions.iter().chain(&index.predicate).any(|text| calls(text)));
            let policies = relation.policies.iter().filter(|(_, policy)| calls(&policy.text));
            let columns = relation.columns.iter().filter(|column| column.calls.contains(&function.name));
            let generated = |column: &Column| {
                matches!(column.default, Some(DefaultValue::GeneratedStored | DefaultValue::GeneratedVirtual))
            };
            let parts = checks
                .map(|(part, _)| Caller::Constraint(part.clone()))
                .chain(indexes.map(|(part, _)| Caller::Index(part.clone())))
                .chain(policies.map(|(part, _)| Caller::Policy(part.clone())))
                .chain(columns.map(|c| Caller::Column { column: c.name.clone(), generated: generated(c) }));
            found.extend(parts.map(|part| (name.clone(), part)));
        }
        found
    }
}

impl Catalog<'_> {
    /// `CREATE TRIGGER` on a table or view.
    pub(super) fn create_trigger(
        &self,
        trigger: &Ident,
        table: &QName,
        function: Option<&QName>,
        columns: &[Ident],
        firing: Firing,
    ) -> Option<String> {
        let relation = self.schema.relation(table)?;
        match relation.kind {
            RelationKind::View if firing.each_row && !firing.instead => {
                return Some(format!(
                    "\"{}\" is a view: views cannot have row-level BEFORE or AFTER triggers",
                    table.name
                ));
            }
            RelationKind::View if firing.instead && !firing.each_row => {
                return Some("INSTEAD OF triggers must be FOR EACH ROW".to_owned());
            }
            RelationKind::Table if firing.instead => {
                return Some(format!("\"{}\" is a table: tables cannot have INSTEAD OF triggers", table.name));
            }
            RelationKind::MaterializedView | RelationKind::Sequence => {
                return Some(format!("relation \"{}\" cannot have triggers", table.name));
            }
            _ => {}
        }
        if let Some([one]) = function.map(|function| self.schema.functions(function))
            && !one.returns.is_empty()
            && !matches!(&*one.returns, "trigger" | "opaque")
        {
            return function.map(|function| format!("function {} must return type trigger", function.name));
        }
        let missing =
            |column: &&Ident| relation.columns_known && relation.column(column).is_none() && !is_system(column);
        if let Some(column) = columns.iter().find(missing) {
            return Some(format!("column \"{column}\" of relation \"{}\" does not exist", table.name));
        }
        let below = self.schema.children(table).filter(|_| relation.partitioned && firing.each_row);
        let has = |child: &&QName| self.schema.relation(child).is_some_and(|r| r.triggers.contains_key(trigger));
        let child = { below }.find(has)?;
        Some(format!("trigger \"{trigger}\" for relation \"{}\" already exists", child.name))
    }

    /// `DROP TRIGGER`
    pub(super) fn drop_trigger(&self, trigger: &Ident, table: &QName) -> Option<String> {
        let relation = self.schema.relation(table).filter(|r| r.triggers.contains_key(trigger))?;
        let (above, parent) = relation.parent.as_ref().and_then(|name| Some((name, self.schema.relation(name)?)))?;
        let inherited = parent.partitioned && parent.triggers.contains_key(trigger) && parent.firing(trigger).each_row;
        inherited.then(|| {
            format!(
                "cannot drop trigger {trigger} on table {} because trigger {trigger} on table {} requires it",
                table.name, above.name
            )
        })
    }

    /// What calls a function and does not go with it.
    pub(super) fn caller(&self, function: &QName) -> Option<String> {
        self.schema.callers(function).into_iter().next().map(|(name, caller)| match caller {
            Caller::View => format!("view {name}"),
            Caller::Constraint(part) => format!("constraint {part} on table {name}"),
            Caller::Index(part) => format!("index {part} on table {name}"),
            Caller::Policy(part) => format!("policy {part} on table {name}"),
            Caller::Column { column, generated: true } => format!("column {column} of table {name}"),
            Caller::Column { column, generated: false } => {
                format!("default value for column {column} of table {name}")
            }
        })
    }

    /// Whether a relation has a trigger that calls a function.
    pub(super) fn trigger_of(relation: &Relation, function: &QName) -> Option<Ident> {
        relation.trigger_functions.iter().find(|(_, called)| *called == function).map(|(trigger, _)| trigger.clone())
    }
}
