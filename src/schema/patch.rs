//! The difference of two schemas as something that can be done to a third: what a statement was seen to do, without knowing the statement.
//! Parts of a relation are patched one by one, so that what others do to the same relation stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Applied, Column, Function, Ident, Object, QName, Relation, Schema, UserType};
use crate::few::Few;
use crate::shared::Shared;

/// What changed from one schema to another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patch {
    relations: BTreeMap<QName, Change<Relation>>,
    types: BTreeMap<QName, Option<UserType>>,
    functions: BTreeMap<QName, (Vec<Function>, Vec<Function>)>,
    namespaces: BTreeMap<Ident, bool>,
    extensions: BTreeMap<Ident, bool>,
}

/// Before and after, `None` where there was none.
type Change<T> = (Option<T>, Option<T>);

impl Patch {
    /// What makes `after` of `before`.
    pub fn between(before: &Schema, after: &Schema) -> Self {
        let mut patch = Self::default();
        for object in before.differing(after) {
            match object {
                Object::Relation(name) => {
                    let change = (before.relation(&name).cloned(), after.relation(&name).cloned());
                    patch.relations.insert(name, change);
                }
                Object::Type(name) => _ = patch.types.insert(name.clone(), after.user_type(&name).cloned()),
                Object::Function(name) => {
                    let change = (before.functions(&name).to_vec(), after.functions(&name).to_vec());
                    patch.functions.insert(name, change);
                }
                Object::Namespace(name) => _ = patch.namespaces.insert(name.clone(), after.has_namespace(&name)),
                Object::Extension(name) => {
                    let has = after.extensions().any(|e| *e == name);
                    patch.extensions.insert(name, has);
                }
            }
        }
        patch
    }

    /// The relations it changes: as they were, and as they are.
    pub fn relations(&self) -> impl Iterator<Item = (&QName, Option<&Relation>, Option<&Relation>)> {
        self.relations.iter().map(|(name, (was, is))| (name, was.as_ref(), is.as_ref()))
    }

    /// What it changes.
    pub fn touched(&self) -> Few<Object> {
        let relations = self.relations.keys().cloned().map(Object::Relation);
        let types = self.types.keys().cloned().map(Object::Type);
        let functions = self.functions.keys().cloned().map(Object::Function);
        let namespaces = self.namespaces.keys().cloned().map(Object::Namespace);
        let extensions = self.extensions.keys().cloned().map(Object::Extension);
        relations.chain(types).chain(functions).chain(namespaces).chain(extensions).collect()
    }
}

impl Schema {
    /// The schema after what a patch holds.
    pub fn apply_patch(&self, patch: &Patch) -> Applied {
        let mut schema = self.clone();
        for (name, (was, is)) in &patch.relations {
            let current = schema.relations.get(name).cloned();
            if let Some(current) = &current {
                schema.unlink(name, current);
                schema.relations.remove(name);
            }
            let next = match (current, was, is) {
                (_, _, None) => None,
                (Some(current), Some(was), Some(is)) => Some(merged(&current, was, is)),
                (_, _, Some(is)) => Some(is.clone()),
            };
            if let Some(next) = next {
                schema.insert_relation(name.clone(), next);
            }
        }
        for (name, definition) in &patch.types {
            match definition {
                Some(definition) => schema.insert_type(name.clone(), definition.clone()),
                None => _ = schema.types.remove(name),
            }
        }
        for (name, (was, is)) in &patch.functions {
            let types = |f: &Function| f.arguments.iter().map(|(t, _)| t.clone()).collect::<Vec<_>>();
            let mut overloads = schema.functions(name).to_vec();
            overloads.retain(|f| !was.iter().chain(is).any(|other| types(other) == types(f)));
            overloads.extend(is.iter().cloned());
            if overloads.is_empty() {
                schema.functions.remove(name);
            } else {
                schema.functions.insert(name.clone(), Arc::new(overloads));
            }
        }
        for (name, is) in &patch.namespaces {
            if *is { _ = schema.namespaces.insert(name.clone()) } else { _ = schema.namespaces.remove(name) }
        }
        for (name, is) in &patch.extensions {
            if *is { _ = schema.extensions.insert(name.clone()) } else { _ = schema.extensions.remove(name) }
        }
        Applied { schema, touched: patch.touched(), problems: Vec::new() }
    }
}

/// A relation with the parts changed that differ between two others.
fn merged(current: &Relation, was: &Relation, is: &Relation) -> Relation {
    let mut next = current.clone();
    columns(&mut next.columns, &was.columns, &is.columns);
    parts(&mut next.constraints, &was.constraints, &is.constraints);
    parts(&mut next.indexes, &was.indexes, &is.indexes);
    parts(&mut next.triggers, &was.triggers, &is.triggers);
    parts(&mut next.trigger_functions, &was.trigger_functions, &is.trigger_functions);
    parts(&mut next.trigger_columns, &was.trigger_columns, &is.trigger_columns);
    parts(&mut next.trigger_firings, &was.trigger_firings, &is.trigger_firings);
    parts(&mut next.instead, &was.instead, &is.instead);
    parts(&mut next.rule_reads, &was.rule_reads, &is.rule_reads);
    parts(&mut next.rules, &was.rules, &is.rules);
    parts(&mut next.policies, &was.policies, &is.policies);
    parts(&mut next.transitions, &was.transitions, &is.transitions);
    next.grants.retain(|grant| !was.grants.contains(grant) || is.grants.contains(grant));
    next.grants.extend(is.grants.difference(&was.grants).cloned());
    // The rest is one thing each.
    let one = |differs: bool, set: &mut dyn FnMut()| {
        if differs {
            set();
        }
    };
    one(was.row_security != is.row_security, &mut || next.row_security = is.row_security);
    one(was.force_row_security != is.force_row_security, &mut || next.force_row_security = is.force_row_security);
    one(was.read_only != is.read_only, &mut || next.read_only = is.read_only);
    one(was.reads != is.reads, &mut || next.reads = is.reads.clone());
    one(was.read_columns != is.read_columns, &mut || next.read_columns = is.read_columns.clone());
    one(was.grouped != is.grouped, &mut || next.grouped = is.grouped.clone());
    one(was.partition_key != is.partition_key, &mut || next.partition_key = is.partition_key.clone());
    one(was.replica_identity != is.replica_identity, &mut || next.replica_identity = is.replica_identity.clone());
    one(was.definition != is.definition, &mut || next.definition = is.definition.clone());
    one(was.parent != is.parent, &mut || next.parent = is.parent.clone());
    one(was.default_partition != is.default_partition, &mut || next.default_partition = is.default_partition.clone());
    one(was.owned_by != is.owned_by, &mut || next.owned_by = is.owned_by.clone());
    one(was.of_type != is.of_type, &mut || next.of_type = is.of_type.clone());
    one(was.internal != is.internal, &mut || next.internal = is.internal);
    one(was.unlogged != is.unlogged, &mut || next.unlogged = is.unlogged);
    one(was.unfilled != is.unfilled, &mut || next.unfilled = is.unfilled);
    one(was.bound != is.bound, &mut || next.bound = is.bound.clone());
    one(was.partitioned != is.partitioned, &mut || next.partitioned = is.partitioned);
    next
}

fn columns(current: &mut Vec<Shared<Column>>, was: &[Shared<Column>], is: &[Shared<Column>]) {
    let named = |list: &[Shared<Column>], name: &Ident| list.iter().find(|c| c.name == *name).cloned();
    current.retain(|column| named(was, &column.name).is_none() || named(is, &column.name).is_some());
    for column in is.iter().filter(|column| named(was, &column.name).as_ref() != Some(column)) {
        match current.iter_mut().find(|c| c.name == column.name) {
            Some(known) => *known = Column { holds: known.holds.clone(), ..Column::clone(column) }.into(),
            None => current.push(column.clone()),
        }
    }
}

fn parts<T: Clone + PartialEq>(current: &mut BTreeMap<Ident, T>, was: &BTreeMap<Ident, T>, is: &BTreeMap<Ident, T>) {
    current.retain(|name, _| !was.contains_key(name) || is.contains_key(name));
    let changed = is.iter().filter(|(name, part)| was.get(*name) != Some(part));
    current.extend(changed.map(|(name, part)| (name.clone(), part.clone())));
}
