//! What PostgreSQL refuses of functions and triggers.

use super::{Catalog, is_system};
use crate::schema::model::{QName, Relation, Rule};
use crate::sql::called_in;
use crate::sql::lex::words_of;
use crate::sql::operation::{Firing, Ident, RelationKind};

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
        let others = self.schema.all_functions().filter(|(name, _)| name.name == function.name);
        if others.count() != 1 {
            return None;
        }
        let calls = |text: &str| called_in(text).contains(&function.name);
        self.schema.relations().find_map(|(name, relation)| {
            let reads = matches!(relation.kind, RelationKind::View | RelationKind::MaterializedView);
            if reads && relation.runs.contains(&function.name) {
                return Some(format!("view {name}"));
            }
            let check = relation.constraints.iter().find(|(_, constraint)| match &constraint.kind {
                Rule::Check { expression, .. } => calls(expression),
                _ => false,
            });
            let index = relation
                .indexes
                .iter()
                .find(|(_, index)| index.expressions.iter().chain(&index.predicate).any(|text| calls(text)));
            let policy = relation
                .policies
                .iter()
                .find(|(_, policy)| calls(&policy.text) && words_of(&policy.text).any(|word| *word == *function.name));
            let of_table = |kind: &str, part: &Ident| format!("{kind} {part} on table {name}");
            check
                .map(|(part, _)| of_table("constraint", part))
                .or_else(|| index.map(|(part, _)| of_table("index", part)))
                .or_else(|| policy.map(|(part, _)| of_table("policy", part)))
        })
    }

    /// Whether a relation has a trigger that calls a function.
    pub(super) fn trigger_of(relation: &Relation, function: &QName) -> Option<Ident> {
        relation.trigger_functions.iter().find(|(_, called)| *called == function).map(|(trigger, _)| trigger.clone())
    }
}
