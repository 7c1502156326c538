//! What PostgreSQL refuses to drop, because something stands on it.

use std::collections::BTreeSet;

use super::Catalog;
use crate::schema::Function;
use crate::schema::apply_type::checks_of;
use crate::schema::model::{Column, Index, Policy, QName, Relation, TableRule, TypeUser};
use crate::sql::operation::{DefaultValue, Ident, RelationKind};
use crate::sql::{Name, TypeName};

impl Catalog<'_> {
    pub(super) fn drop_index(&self, index: &QName, concurrently: bool) -> Option<String> {
        let table = self.schema.index_table(index)?;
        let relation = self.schema.relation(table)?;
        if concurrently && relation.partitioned {
            return Some(format!("cannot drop partitioned index \"{}\" concurrently", index.name));
        }
        if let Some(whole) = self.part_of(relation, &index.name) {
            return Some(format!("cannot drop index {} because index {whole} requires it", index.name));
        }
        let required = relation.constraints.get(&index.name).is_some_and(|constraint| constraint.kind.has_index());
        required.then(|| {
            format!(
                "cannot drop index {} because constraint {} on table {} requires it",
                index.name, index.name, table.name
            )
        })
    }

    /// The index of a partitioned table that an index of its partition is a part of. Of several that are alike only as many are, and of one
    /// that is not complete (`ON ONLY`) nobody knows which.
    fn part_of<'a>(&'a self, relation: &Relation, index: &Ident) -> Option<&'a Ident> {
        let found = relation.indexes.get(index)?;
        let above = self.schema.relation(relation.parent.as_ref()?).filter(|above| above.partitioned)?;
        let alike = |other: &Index| other.is_like(found);
        let own = relation.indexes.values().filter(|other| alike(other)).count();
        let wholes: Vec<&Ident> =
            above.indexes.iter().filter(|(_, other)| other.valid && alike(other)).map(|(name, _)| name).collect();
        wholes.first().copied().filter(|_| own <= wholes.len())
    }

    pub(super) fn drop_relation(&self, name: &QName, relation: &Relation, together: &[Name]) -> Option<String> {
        let together: Vec<QName> = together.iter().map(|name| self.schema.resolve(name)).collect();
        if relation.kind == RelationKind::Sequence {
            let drawing = self.schema.drawing(name).find(|(table, _)| !together.contains(table));
            if let Some((table, column)) = drawing {
                return Some(format!(
                    "cannot drop sequence {name} because other objects depend on it: default value for column {} of table {table}",
                    column.name
                ));
            }
            let (table, column) = relation.owned_by.as_ref()?;
            let counts = self.schema.relation(table)?.column(column)?.default;
            return match counts {
                Some(DefaultValue::Volatile) if !together.contains(table) => Some(format!(
                    "cannot drop sequence {name} because other objects depend on it: default value for column {column} of table {table}"
                )),
                Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault) if relation.internal => {
                    Some(format!("cannot drop sequence {name} because column {column} of table {table} requires it"))
                }
                _ => None,
            };
        }
        let mut users = self.schema.type_users(name).into_iter();
        // A view that reads it is told as one.
        let other = |(on, user): &(QName, TypeUser)| {
            let reads = *user == TypeUser::Whole && self.schema.relation(on).is_some_and(|r| r.reads.contains(name));
            on != name && !together.contains(on) && !reads
        };
        let user = users.find(other).and_then(|(on, user)| Some(user.words(&on, self.schema.relation(&on)?.kind)));
        let partitions = || relation.partitioned.then(|| self.schema.children(name)).into_iter().flatten();
        let view = |part: &QName| {
            let gone = |other: &QName| together.contains(other);
            let reads = |other: &&QName| self.schema.relation(other).is_some_and(|found| found.reads.contains(part));
            self.schema.dependents(part).find(|other| reads(other) && !gone(other)).map(|view| format!("view {view}"))
        };
        let user = user.or_else(|| partitions().find_map(view));
        // A key that points to a partitioned table points to each partition.
        let whole =
            || self.schema.ancestors(name).filter(|above| self.schema.relation(above).is_some_and(|r| r.partitioned));
        let keyed = || whole().flat_map(|above| self.schema.pointing_to(above)).find(|other| !together.contains(other));
        let user = user.or_else(|| keyed().map(|other| format!("constraint on table {other}")));
        let read = |policy: &Policy| policy.reads.iter().any(|(read, _)| read == name);
        let mut policies = self.policies(read).filter(|(on, _)| *on != name && !together.contains(on));
        let user = user.or_else(|| policies.next().map(|(_, policy)| policy));
        let named = |reads: &BTreeSet<(QName, Ident)>| reads.iter().any(|(read, _)| read == name);
        let mut rules = self.rules(named).filter(|(on, _)| *on != name && !together.contains(on));
        let user = user.or_else(|| rules.next().map(|(_, rule)| rule));
        let own = |found: &Relation| found.owned_by.as_ref().is_some_and(|(table, _)| table == name);
        let counters = self.schema.relations().filter(|(_, found)| found.kind == RelationKind::Sequence && own(found));
        let mut drawing = counters.flat_map(|(counter, _)| self.schema.drawing(counter));
        let drawing = drawing.find(|(table, _)| *table != name && !together.contains(table));
        let default =
            |(table, column): (&QName, &Column)| format!("default value for column {} of table {table}", column.name);
        let user = user.or_else(|| drawing.map(default));
        let rows = std::iter::once(name).chain(partitions());
        let user = user.or_else(|| rows.into_iter().find_map(|row| self.function_of_type(row)));
        user.map(|user| format!("cannot drop {name} because other objects depend on it: {user}"))
    }

    pub(super) fn drop_type(&self, name: &QName, together: &[Name]) -> Option<String> {
        let together: Vec<QName> = together.iter().map(|name| self.schema.resolve_type(name)).collect();
        self.schema.user_type(name)?;
        let shown = name.to_string();
        let mut users = self.schema.type_users(name).into_iter();
        let user = users.find_map(|(on, user)| Some(user.words(&on, self.schema.relation(&on)?.kind)));
        let types = || {
            let mut users = self.schema.user_types().filter(|(other, _)| !together.contains(other));
            let made = users.find(|(_, made)| made.parts().any(|part| part.base() == shown));
            made.map(|(other, _)| format!("type {other}"))
        };
        let checks = || {
            let others = self.schema.user_types().filter(|(other, _)| !together.contains(other));
            others.into_iter().find_map(|(domain, made)| {
                let check = checks_of(made, name, self.schema).into_iter().next()?;
                Some(format!("constraint {check} of domain {domain}"))
            })
        };
        let user = user.or_else(types).or_else(checks).or_else(|| self.function_of_type(name));
        let user = user.or_else(|| self.schema.object_of_type(name))?;
        Some(format!("cannot drop type {name} because other objects depend on it: {user}"))
    }

    pub(super) fn drop_function(&self, name: &QName, arguments: Option<&[TypeName]>, cascade: bool) -> Option<String> {
        let overloads = self.schema.functions(name);
        if arguments.is_none() && overloads.len() > 1 {
            return Some(format!("function name \"{}\" is not unique", name.name));
        }
        if cascade || overloads.len() > 1 || overloads.is_empty() {
            return None;
        }
        let trigger = |table: &QName, relation: &Relation| {
            Self::trigger_of(relation, name).map(|trigger| format!("trigger {trigger} on table {table}"))
        };
        let trigger = self.schema.relations().find_map(|(table, relation)| trigger(table, relation));
        let user = trigger.or_else(|| self.caller(name)).or_else(|| self.schema.object_of(name))?;
        Some(format!("cannot drop function {} because other objects depend on it: {user}", name.name))
    }

    /// What depends on a column and does not go with it, in words.
    pub(super) fn column_users(&self, name: &QName, relation: &Relation, column: &Ident) -> Vec<String> {
        let mut users: Vec<String> = self.views_of(name, column).map(|view| format!("view {view}")).collect();
        let generated = relation.columns.iter().filter(|c| c.needs.contains(column) && c.name != *column);
        users.extend(generated.map(|c| format!("column {} of table {}", c.name, name.name)));
        users.extend(self.policies_of(name, column));
        users.extend(self.rules_of(name, column));
        let triggers = relation.trigger_columns.iter().filter(|(_, columns)| columns.contains(column));
        users.extend(triggers.map(|(trigger, _)| format!("trigger {trigger} on table {}", name.name)));
        users.extend(self.tracked_of(name, column));
        for child in self.schema.children(name) {
            let goes = |found: &&Relation| found.kind == RelationKind::Table && !found.own.contains(column);
            let found = self.schema.relation(child).filter(goes);
            users.extend(found.into_iter().flat_map(|found| self.column_users(child, found, column)));
        }
        for other in self.schema.dependents(name) {
            let keys = self.schema.relation(other).into_iter().flat_map(|found| &found.constraints);
            users.extend(keys.filter(|_| other != name).filter_map(|(key, constraint)| match &constraint.kind {
                TableRule::ForeignKey { target, target_columns, .. }
                    if target == name && target_columns.contains(column) =>
                {
                    Some(format!("constraint {key} on table {other}"))
                }
                _ => None,
            }));
        }
        users
    }

    pub(super) fn views_of<'a>(&'a self, name: &'a QName, column: &'a Ident) -> impl Iterator<Item = &'a QName> {
        let place = (name.clone(), column.clone());
        self.schema
            .dependents(name)
            .filter(move |other| self.schema.relation(other).is_some_and(|view| view.read_columns.contains(&place)))
    }

    /// Policies of any table that read a column.
    pub(super) fn policies_of(&self, name: &QName, column: &Ident) -> impl Iterator<Item = String> {
        let read = (name.clone(), column.clone());
        self.policies(move |policy| policy.reads.contains(&read)).map(|(_, policy)| policy)
    }

    /// Rules of any relation that name a column; without a name: the relation.
    fn rules_of(&self, name: &QName, column: &Ident) -> impl Iterator<Item = String> {
        let read = (name.clone(), column.clone());
        self.rules(move |reads| reads.contains(&read)).map(|(_, rule)| rule)
    }

    /// The relations that have such rules, and these in words.
    fn rules(
        &self,
        such: impl Fn(&BTreeSet<(QName, Ident)>) -> bool + Clone,
    ) -> impl Iterator<Item = (&QName, String)> {
        self.schema.relations().flat_map(move |(on, relation)| {
            let such = such.clone();
            let found = relation.rule_reads.iter().filter(move |(_, reads)| such(reads));
            found.map(move |(rule, _)| (on, format!("rule {rule} on {}", on.name)))
        })
    }

    /// The tables that have such policies, and these in words.
    fn policies(&self, such: impl Fn(&Policy) -> bool + Clone) -> impl Iterator<Item = (&QName, String)> {
        self.schema.relations().flat_map(move |(table, relation)| {
            let such = such.clone();
            let found = relation.policies.iter().filter(move |(_, policy)| such(policy));
            found.map(move |(policy, _)| (table, format!("policy {policy} on table {}", table.name)))
        })
    }

    /// Functions whose body PostgreSQL knows, and that read a column.
    pub(super) fn tracked_of(&self, name: &QName, column: &Ident) -> impl Iterator<Item = String> {
        let reads = |function: &Function| {
            let mentions = |word: &Ident| function.mentions.contains(word);
            function.tracked && mentions(&name.name) && mentions(column)
        };
        let found = self.schema.all_functions().filter(move |(_, function)| reads(function));
        found.map(|(name, function)| format!("function {}", function.signature(name)))
    }
}
