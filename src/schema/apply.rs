//! One operation on a schema. Never fails: what cannot be is reported as a [`Problem`], and the schema stays as it was.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::model::{Column, Policy, QName, Relation, StandsOn, TypeUser};
use super::{Links, Schema, refusals, resolve};
use crate::few::Few;
use crate::sql::operation::{
    CreateStatistics, DefaultValue, GrantObject, Ident, ObjectKind, Operation, OutputColumn, QueryShape, RelationKind,
    ReplicaIdentity, SearchPath, TableChange,
};
use crate::sql::query::{Expr, Kept, QueryExpression};
use crate::sql::{Name, TypeName};

/// The outcome of an operation.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The schema after it.
    pub schema: Schema,
    /// What it changed, or may have changed.
    pub touched: Few<Object>,
    /// What cannot be.
    pub problems: Vec<Problem>,
}

/// Something in a schema that has a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A table, view, sequence, ….
    Relation(QName),
    /// A user-defined type.
    Type(QName),
    /// All functions of a name.
    Function(QName),
    /// A schema.
    Namespace(Ident),
    /// An extension.
    Extension(Ident),
}

/// Why an operation cannot be applied as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It changes something that is not there.
    Missing(String),
    /// It makes something that is there already.
    Exists(String),
    /// PostgreSQL refuses it, whatever rows there are.
    Refused(String),
    /// `IF NOT EXISTS` finds something else of that name, and nothing is made.
    Skipped(String),
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "{what} does not exist at this point of the migrations"),
            Self::Exists(what) => write!(f, "{what} exists already at this point of the migrations"),
            Self::Refused(why) => write!(f, "PostgreSQL refuses this: {why}"),
            Self::Skipped(why) => write!(f, "IF NOT EXISTS makes nothing here: {why}"),
        }
    }
}

impl Schema {
    /// The schema after an operation.
    pub fn apply(&self, operation: &Operation) -> Applied {
        self.clone().applied(operation)
    }

    /// The same of a schema that nobody needs any more: what nobody else shares is changed in its place.
    pub(crate) fn applied(self, operation: &Operation) -> Applied {
        let mut change = Change { schema: self, touched: Few::new(), problems: Vec::new() };
        change.run(operation);
        Applied { schema: change.schema, touched: change.touched, problems: change.problems }
    }
}

/// The schema being changed.
pub(super) struct Change {
    pub(super) schema: Schema,
    pub(super) touched: Few<Object>,
    problems: Vec<Problem>,
}

impl Change {
    fn run(&mut self, operation: &Operation) {
        if let Some(why) = refusals::of(&self.schema, operation) {
            self.refused(why);
            self.untouched(operation);
            return;
        }
        self.problems.extend(refusals::missing::of(&self.schema, operation));
        self.carry_objects(operation);
        match operation {
            Operation::CreateTable(table) => self.create_table(table),
            Operation::AlterTable { table, if_exists, only, change } => {
                self.alter_table(table, *if_exists, *only, change)
            }
            Operation::DropRelation { kind, name, if_exists, cascade, together, .. } => {
                self.drop_relation(*kind, name, *if_exists, (!cascade).then_some(together));
            }
            Operation::RenameRelation { kind, name, if_exists, to } => {
                let from = self.schema.resolve(name);
                let target = QName { schema: from.schema.clone(), name: to.clone() };
                self.rename_relation(*kind, &from, target, *if_exists);
            }
            Operation::MoveRelation { kind, name, if_exists, to } => {
                let from = self.schema.resolve(name);
                let target = QName { schema: to.clone(), name: from.name.clone() };
                self.rename_relation(*kind, &from, target, *if_exists);
            }
            Operation::CreateIndex(index) => self.create_index(index),
            Operation::CreateView(view) => self.create_view(view),
            Operation::CreateType { name, if_not_exists, definition } => {
                self.create_type(name, *if_not_exists, definition)
            }
            Operation::DropType { name, if_exists, cascade, .. } => self.drop_type(name, *if_exists, *cascade),
            Operation::RenameType { name, to } => self.rename_type(name, to),
            Operation::MoveType { name, to } => self.move_type(name, to),
            Operation::AddEnumLabel { name, label, position, .. } => {
                self.edit_enum(name, |labels| {
                    if labels.contains(label) {
                        return;
                    }
                    let at = position.as_ref().and_then(|(before, other)| {
                        labels.iter().position(|l| l == other).map(|i| if *before { i } else { i + 1 })
                    });
                    labels.insert(at.unwrap_or(labels.len()), label.clone());
                });
            }
            Operation::AlterDomain { name, change } => self.alter_domain(name, change),
            Operation::AlterComposite { name, change, .. } => self.alter_composite(name, change),
            Operation::RenameEnumLabel { name, from, to } => self.edit_enum(name, |labels| {
                if let Some(label) = labels.iter_mut().find(|l| *l == from) {
                    *label = to.clone();
                }
            }),
            Operation::CreateSequence { name, if_not_exists, temporary, owned_by } => {
                self.create_sequence(name, *if_not_exists, *temporary, owned_by.as_ref());
            }
            Operation::AlterSequence { name, if_exists, owned_by, disowned, .. } => {
                let name = self.schema.resolve(name);
                if *if_exists && self.schema.relation(&name).is_none() {
                    return;
                }
                let owner = owned_by.as_ref().map(|(table, column)| (self.schema.resolve(table), column.clone()));
                self.edit(&name, |sequence| {
                    if owner.is_some() || *disowned {
                        sequence.owned_by = owner;
                    }
                });
            }
            Operation::CreateFunction(function) => self.create_function(function),
            Operation::DropFunction { name, arguments, if_exists, cascade, .. } => {
                self.drop_function(name, arguments.as_deref(), *if_exists, *cascade);
            }
            Operation::AlterFunction { name, arguments, change, .. } => {
                self.alter_function(name, arguments.as_deref(), change);
            }
            Operation::CreateTrigger { name, table, function, columns, transitions, firing, condition, .. } => {
                let table = self.schema.resolve(table);
                let runs = condition.as_deref().map(called).unwrap_or_default();
                let function = function.as_ref().map(|function| self.schema.resolve_function(function));
                for table in self.with_partitions(&table, firing.each_row) {
                    let casts = self.schema.cast_to(condition.as_deref());
                    self.edit(&table, |t| {
                        t.casts.insert(TypeUser::Trigger(name.clone()), casts);
                        t.triggers.insert(name.clone(), true);
                        t.trigger_columns.insert(name.clone(), columns.clone());
                        t.trigger_firings.insert(name.clone(), *firing);
                        t.transitions.insert(name.clone(), transitions.clone());
                        t.runs.extend(runs.iter().cloned());
                        t.trigger_functions.extend(function.clone().map(|function| (name.clone(), function)));
                    });
                    self.views_above(&table);
                }
            }
            Operation::DropTrigger { name, table, if_exists } => {
                let resolved = self.schema.resolve(table);
                let each_row = self.schema.relation(&resolved).is_some_and(|t| t.firing(name).each_row);
                let parts = self.with_partitions(&resolved, each_row);
                self.drop_part(table, *if_exists, &format!("trigger {name}"), |t| t.drop_trigger(name));
                for part in parts.iter().skip(1) {
                    self.edit(part, |t| _ = t.drop_trigger(name));
                }
                self.views_above(&resolved);
            }
            Operation::CreatePolicy { name, table, restrictive, text, conditions } => {
                let table = self.schema.resolve(table);
                let open = is_open(*restrictive, text);
                let reads = self.read_by(conditions, &table);
                let policy = Policy { restrictive: *restrictive, open, text: text.clone(), reads };
                self.edit(&table, |t| _ = t.policies.insert(name.clone(), policy));
            }
            Operation::AlterPolicy { name, table, rename, text, conditions } => {
                let table = self.schema.resolve(table);
                let reads = self.read_by(conditions, &table);
                self.edit(&table, |t| {
                    if let Some(mut policy) = t.policies.remove(name) {
                        if !text.is_empty() {
                            policy.text = text.clone();
                            policy.open = is_open(policy.restrictive, text);
                            policy.reads = reads;
                        }
                        t.policies.insert(rename.as_ref().unwrap_or(name).clone(), policy);
                    }
                });
            }
            Operation::DropPolicy { name, table, if_exists } => {
                self.drop_part(table, *if_exists, &format!("policy {name}"), |t| t.policies.remove(name).is_some());
            }
            Operation::Privileges { grant, privileges, objects, grantees, .. } => {
                for object in objects {
                    self.default_grants(object, *grant, privileges, grantees);
                }
                let named: Vec<QName> = objects.iter().flat_map(|object| self.granted_on(object)).collect();
                for name in named {
                    self.edit(&name, |relation| {
                        let all = privileges.iter().flat_map(|p| every_privilege(relation.kind, p));
                        let all: Vec<String> = all.map(str::to_owned).collect();
                        for pair in grantees.iter().flat_map(|g| all.iter().map(move |p| (g.clone(), p.clone()))) {
                            if *grant {
                                relation.grants.insert(pair);
                            } else {
                                relation.grants.remove(&pair);
                            }
                        }
                    });
                }
            }
            Operation::CreateNamespace { name, .. } => {
                self.schema.namespaces.insert(name.clone());
                self.touched.insert(Object::Namespace(name.clone()));
            }
            Operation::DropNamespace { name, .. } => self.drop_namespace(name),
            Operation::CreateExtension { name } => {
                self.schema.extensions.insert(name.clone());
                self.touched.insert(Object::Extension(name.clone()));
            }
            Operation::DropExtension { name, .. } => {
                self.schema.extensions.remove(name);
                self.touched.insert(Object::Extension(name.clone()));
            }
            Operation::Object { kind: ObjectKind::Publication, name, change, publishes, .. } => {
                self.publication(name, change, publishes.as_deref());
            }
            Operation::Object { kind, name, change, statistics, runs, .. } => {
                let on = |statistics: &CreateStatistics| {
                    (self.schema.resolve(&statistics.table), statistics.columns.clone())
                };
                let stands_on = StandsOn {
                    functions: runs.iter().map(|function| self.schema.resolve_function(function)).collect(),
                    types: self
                        .schema
                        .cast_to(statistics.iter().flat_map(|made| made.values.iter().flatten()).map(|v| &**v)),
                    columns: statistics.as_deref().map(on),
                };
                self.schema.follow(*kind, name, change, stands_on);
            }
            Operation::Session { search_path: Some(SearchPath::Of(path)), .. } => {
                self.schema.search_path = searched(path);
            }
            Operation::Session { search_path: Some(SearchPath::Default), .. } => {
                self.schema.search_path = Arc::clone(&self.schema.default_path);
            }
            Operation::DefaultPath { path, .. } => {
                self.schema.default_path = searched(path);
            }
            Operation::Lock { tables, .. } => tables.iter().for_each(|table| self.demand(table)),
            Operation::Maintenance { table: Some(name), .. }
            | Operation::Reindex { name: Some(name), .. }
            | Operation::Comment { relation: Some((name, None)), .. } => self.demand(name),
            Operation::RefreshView { name, empties, .. } => {
                self.demand(name);
                let view = self.schema.resolve(name);
                if self.schema.relation(&view).is_some_and(|found| found.unfilled != *empties) {
                    self.edit(&view, |found| found.unfilled = *empties);
                }
            }
            Operation::Session { search_path: None, .. }
            | Operation::Reindex { name: None, .. }
            | Operation::Comment { .. }
            | Operation::Data(_)
            | Operation::Query { .. }
            | Operation::Transaction(_)
            | Operation::Maintenance { table: None, .. } => {}
            // It may make roles, as blocks do that look whether they are there.
            Operation::Opaque { rule, .. } => {
                self.schema.roles.clear();
                rule.iter().for_each(|change| self.rule(change));
                // It may fill what has no rows: what does not have any is not known from here on.
                let unfilled = self.schema.relations().filter(|(_, relation)| relation.unfilled);
                for view in unfilled.map(|(view, _)| view.clone()).collect::<Vec<_>>() {
                    self.edit(&view, |view| view.unfilled = false);
                }
            }
        }
    }

    /// Notes what an operation that is refused would have changed.
    fn untouched(&mut self, operation: &Operation) {
        if let Operation::AlterTable { table, .. } | Operation::DropRelation { name: table, .. } = operation {
            let table = self.schema.resolve(table);
            self.touch(&table);
        }
    }

    /// The relations that an object of a GRANT stands for now.
    fn granted_on(&self, object: &GrantObject) -> Vec<QName> {
        match object {
            GrantObject::Relation(name) => vec![self.schema.resolve(name)],
            GrantObject::AllIn { sequences, schemas } => {
                let kind = |r: &Relation| (r.kind == RelationKind::Sequence) == *sequences;
                let inside = |(name, r): &(&QName, &Relation)| schemas.contains(&name.schema) && kind(r);
                self.schema.relations().filter(inside).map(|(name, _)| name.clone()).collect()
            }
            GrantObject::Future { .. } | GrantObject::Other(_) => Vec::new(),
        }
    }

    /// `ALTER DEFAULT PRIVILEGES`
    fn default_grants(&mut self, object: &GrantObject, grant: bool, privileges: &[String], grantees: &[String]) {
        let GrantObject::Future { sequences, schemas } = object else { return };
        let kind = if *sequences { RelationKind::Sequence } else { RelationKind::Table };
        let all: Vec<&str> = privileges.iter().flat_map(|privilege| every_privilege(kind, privilege)).collect();
        let everywhere = schemas.is_empty().then_some(None);
        for schema in schemas.iter().cloned().map(Some).chain(everywhere) {
            let grants = Arc::make_mut(self.schema.default_grants.entry((schema, *sequences)).or_default());
            for pair in grantees.iter().flat_map(|role| all.iter().map(|p| (role.clone(), (*p).to_owned()))) {
                if grant {
                    grants.insert(pair)
                } else {
                    grants.remove(&pair)
                };
            }
        }
    }

    /// An empty relation with what is granted on it as soon as it is there.
    pub(super) fn newborn(&self, name: &QName, kind: RelationKind) -> Relation {
        let of = |schema| self.schema.default_grants.get(&(schema, kind == RelationKind::Sequence));
        let grants = [None, Some(name.schema.clone())].into_iter().filter_map(of);
        Relation { grants: grants.flat_map(|grants| grants.iter().cloned()).collect(), ..Relation::new(kind) }
    }

    /// Reports a relation that is not there.
    fn demand(&mut self, name: &Name) {
        let name = self.schema.resolve(name);
        let system = matches!(&*name.schema, "pg_catalog" | "information_schema") || name.name.starts_with("pg_");
        if !system && self.schema.relation(&name).is_none() && self.schema.index_table(&name).is_none() {
            self.missing(format!("relation {name}"));
        }
    }

    pub(super) fn missing(&mut self, what: impl Into<String>) {
        self.problems.push(Problem::Missing(what.into()));
    }

    pub(super) fn refused(&mut self, why: impl Into<String>) {
        self.problems.push(Problem::Refused(why.into()));
    }

    pub(super) fn skipped(&mut self, why: impl Into<String>) {
        self.problems.push(Problem::Skipped(why.into()));
    }

    pub(super) fn exists(&mut self, what: impl Into<String>) {
        self.problems.push(Problem::Exists(what.into()));
    }

    pub(super) fn touch(&mut self, relation: &QName) {
        self.touched.insert(Object::Relation(relation.clone()));
    }

    /// Changes a relation in place; reports it if it is not there.
    pub(super) fn edit(&mut self, name: &QName, edit: impl FnOnce(&mut Relation)) {
        self.touch(name);
        let Some(relation) = self.schema.relations.get_mut(name) else {
            self.missing(format!("relation {name}"));
            return;
        };
        let relation = Arc::make_mut(relation);
        let old = Links::of(relation);
        edit(relation);
        let new = Links::of(relation);
        self.schema.relink(name, &old, &new);
    }

    fn drop_part(&mut self, table: &Name, if_exists: bool, what: &str, drop: impl FnOnce(&mut Relation) -> bool) {
        let table = self.schema.resolve(table);
        let mut found = false;
        if if_exists && self.schema.relation(&table).is_none() {
            return;
        }
        self.edit(&table, |t| found = drop(t));
        if !found && !if_exists {
            self.missing(format!("{what} on {table}"));
        }
    }

    /// Whether a name is taken among tables, indexes, sequences and constraints.
    pub(super) fn taken(&self, schema: &Ident, name: &str) -> bool {
        let name = QName { schema: schema.clone(), name: name.into() };
        self.schema.relations.contains_key(&name)
            || self.schema.index_tables.contains_key(&name)
            || self.schema.constraint_names.contains_key(&name)
    }

    pub(super) fn insert(&mut self, name: QName, relation: Relation) {
        self.touch(&name);
        self.schema.insert_relation(name, relation);
    }

    /// Takes a relation away with everything that hangs on it.
    pub(super) fn remove(&mut self, name: &QName) {
        self.touch(name);
        let Some(relation) = self.schema.relations.remove(name) else { return };
        self.published(name, |tables| _ = tables.remove(name));
        self.schema.unlink(name, &relation);
        self.drop_readers(|(read, _)| read == name);
        self.drop_of_type(name);
        if let Some(parent) = relation.parent.as_ref().filter(|parent| self.has_default_partition(parent, name)) {
            self.edit(parent, |parent| parent.default_partition = None);
        }
        if relation.kind == RelationKind::Sequence {
            let drawing: Vec<_> =
                self.schema.drawing(name).map(|(table, column)| (table.clone(), column.name.clone())).collect();
            for (table, column) in drawing {
                self.change_table(&table, &TableChange::DropDefault { column });
            }
        }
        let dependents: Vec<_> = self.schema.dependents(name).cloned().collect();
        for dependent in dependents {
            let is_view = self.schema.relation(&dependent).is_some_and(|r| !r.reads.is_empty());
            if is_view {
                self.remove(&dependent);
            } else {
                self.edit(&dependent, |child| {
                    child.constraints.retain(
                        |_, c| !matches!(&c.kind, super::TableRule::ForeignKey { target, .. } if target == name),
                    );
                });
            }
        }
        let children = self.owned(name, None);
        for child in children {
            self.remove(&child);
        }
    }

    /// Whether a partition is the one for what fits no other.
    fn has_default_partition(&self, parent: &QName, partition: &QName) -> bool {
        self.schema.relation(parent).is_some_and(|parent| parent.default_partition.as_ref() == Some(partition))
    }

    /// What the conditions of a policy on a table read.
    fn read_by(&self, conditions: &[Kept], table: &QName) -> BTreeSet<(QName, Ident)> {
        let read = conditions.iter().flatten();
        read.flat_map(|condition| resolve::read_by(condition, table, &self.schema)).collect()
    }

    /// Drops the policies and the rules that read any of what goes.
    pub(super) fn drop_readers(&mut self, gone: impl Fn(&(QName, Ident)) -> bool) {
        for table in self.schema.with_readers(&gone) {
            self.edit(&table, |relation| {
                relation.policies.retain(|_, policy| !policy.reads.iter().any(&gone));
                relation.rule_reads.retain(|_, reads| !reads.iter().any(&gone));
                let Relation { instead, rules, rule_reads, .. } = relation;
                instead.retain(|rule, _| rule_reads.contains_key(rule));
                rules.retain(|rule, _| rule_reads.contains_key(rule));
            });
        }
    }

    /// Lets policies and rules follow what they read.
    pub(super) fn rename_in_readers(&mut self, renamed: impl Fn(&(QName, Ident)) -> Option<(QName, Ident)>) {
        for table in self.schema.with_readers(|read| renamed(read).is_some()) {
            self.edit(&table, |relation| {
                let of_policies = relation.policies.values_mut().map(|policy| &mut policy.reads);
                for all in of_policies.chain(relation.rule_reads.values_mut()) {
                    *all = std::mem::take(all).into_iter().map(|read| renamed(&read).unwrap_or(read)).collect();
                }
            });
        }
    }

    /// Sequences owned by a table, or by one of its columns; and its partitions.
    pub(super) fn owned(&self, table: &QName, column: Option<&str>) -> Vec<QName> {
        let owned = self.schema.owned.get(table).into_iter().flat_map(|set| set.iter());
        let by_column = |name: &&QName| match self.schema.relation(name) {
            Some(Relation { owned_by: Some((_, owner)), .. }) => column.is_none_or(|c| **owner == *c),
            _ => column.is_none(),
        };
        owned.filter(by_column).cloned().collect()
    }

    /// What stands on a relation and does not go with it, as a sentence. `together`: what the statement drops.
    fn kept_by(&self, name: &QName, together: &[Name]) -> Option<String> {
        let together: BTreeSet<QName> = together.iter().map(|name| self.schema.resolve(name)).collect();
        let goes_with = |relation: &Relation| {
            let parent = relation.parent.as_ref().filter(|parent| together.contains(parent));
            parent.and_then(|parent| self.schema.relation(parent)).is_some_and(|parent| parent.partitioned)
        };
        let mut others = self.schema.dependents(name).chain(self.schema.children(name)).filter_map(|other| {
            let relation = self.schema.relation(other).filter(|relation| !goes_with(relation))?;
            (!together.contains(other)).then_some((other, relation))
        });
        others.next().map(|(other, relation)| {
            let how = if relation.parent.as_ref() == Some(name) {
                "inherits from it"
            } else if relation.reads.contains(name) {
                "reads it"
            } else {
                "has a foreign key to it"
            };
            format!("{} {other} {how}", relation.kind.keyword().to_ascii_lowercase())
        })
    }

    /// `together`: what the statement drops, where it drops nothing else; `None` with `CASCADE`.
    fn drop_relation(&mut self, kind: RelationKind, name: &Name, if_exists: bool, together: Option<&[Name]>) {
        let name = self.schema.resolve(name);
        if kind == RelationKind::Index {
            match self.schema.index_tables.get(&name).cloned() {
                Some(table) => self.drop_index(&table, &name.name),
                None if if_exists => {}
                None => self.missing(format!("index {name}")),
            }
        } else if let Some(relation) = self.schema.relations.get(&name).cloned() {
            if let Some(why) = together.and_then(|together| self.kept_by(&name, together)) {
                self.touch(&name);
                self.refused(format!("{} {name} stays without CASCADE: {why}", kind.keyword().to_ascii_lowercase()));
                return;
            }
            self.remove(&name);
            // With `CASCADE` the default that counts by it goes, too.
            if let Some((table, column)) = &relation.owned_by {
                self.lose_default(table, column);
            }
        } else if !if_exists {
            self.missing(format!("{} {name}", kind.keyword().to_ascii_lowercase()));
        }
    }

    fn lose_default(&mut self, table: &QName, column: &Ident) {
        let counts = |r: &Relation| r.column(column).is_some_and(|c| c.default == Some(DefaultValue::Volatile));
        if self.schema.relation(table).is_some_and(counts) {
            self.edit(table, |t| {
                if let Some(column) = t.column_mut(column) {
                    column.default = None;
                }
            });
        }
    }

    fn rename_relation(&mut self, kind: RelationKind, from: &QName, to: QName, if_exists: bool) {
        if let Some(table) = self.schema.index_tables.get(from).cloned() {
            // ALTER TABLE … RENAME works on indexes too.
            if self.schema.relations.contains_key(&to) || self.schema.index_tables.contains_key(&to) {
                self.touch(&table);
                self.exists(format!("relation {to}"));
                return;
            }
            self.edit(&table, |t| {
                if let Some(index) = t.indexes.remove(&from.name) {
                    t.indexes.insert(to.name.clone(), index);
                }
                if let ReplicaIdentity::Index(index) = &mut t.replica_identity
                    && *index == from.name
                {
                    *index = to.name.clone();
                }
                if let Some(constraint) = t.constraints.remove(&from.name) {
                    t.constraints.insert(to.name, constraint);
                }
            });
            return;
        }
        if self.schema.relation(from).is_none() {
            if !if_exists {
                self.missing(format!("{} {from}", kind.keyword().to_ascii_lowercase()));
            }
            return;
        }
        if self.schema.relations.contains_key(&to) || self.schema.index_tables.contains_key(&to) {
            self.touch(from);
            self.exists(format!("relation {to}"));
            return;
        }
        // So does what names the type of its rows.
        let users = self.schema.type_users(from);
        self.types_follow(from, &to, users);
        let Some(relation) = self.schema.relations.get(from).cloned() else { return };
        let owned = self.owned(from, None);
        let dependents: Vec<_> = self.schema.dependents(from).cloned().collect();
        if let Some(parent) = relation.parent.as_ref().filter(|parent| self.has_default_partition(parent, from)) {
            self.edit(parent, |parent| parent.default_partition = Some(to.clone()));
        }
        self.schema.relations.remove(from);
        self.schema.unlink(from, &relation);
        self.touch(from);
        let mut renamed = (*relation).clone();
        redirect(&mut renamed, from, &to);
        self.insert(to.clone(), renamed);
        self.rename_in_readers(|(read, column)| (read == from).then(|| (to.clone(), column.clone())));
        if relation.kind == RelationKind::Sequence {
            let drawing: BTreeSet<_> = self.schema.drawing(from).map(|(table, _)| table.clone()).collect();
            for table in drawing {
                self.edit(&table, |relation| {
                    let draws = relation.columns.iter_mut().flat_map(|column| &mut column.draws);
                    draws.filter(|drawn| **drawn == *from).for_each(|drawn| *drawn = to.clone());
                });
            }
        }
        for dependent in dependents.iter().filter(|d| *d != from).chain(&owned) {
            self.edit(dependent, |relation| redirect(relation, from, &to));
        }
        self.published(from, |tables| {
            let columns = tables.remove(from).unwrap_or_default();
            tables.insert(to.clone(), columns);
        });
    }

    /// The columns of a query with the types of its expressions, and all of them where its shape alone does not tell.
    pub(super) fn typed(&self, query: &QueryShape, body: &QueryExpression) -> (Option<Vec<Column>>, resolve::Uses) {
        let (found, uses) = resolve::columns(body, &self.schema);
        (self.columns_of(query, found), uses)
    }

    fn columns_of(&self, query: &QueryShape, found: Option<resolve::Typed>) -> Option<Vec<Column>> {
        let starred = query.columns.iter().flatten().any(|output| matches!(output, OutputColumn::Star { .. }));
        let Some(found) = found else {
            // `*` may stand for columns of something that the shape does not name.
            return self.output(query).filter(|_| !starred);
        };
        let known = self.output(query).filter(|columns| columns.len() == found.len());
        let column = |(name, _): &(Ident, Option<TypeName>)| Column::unknown(name.clone());
        let mut columns = known.unwrap_or_else(|| found.iter().map(column).collect());
        for (column, (_, data_type)) in columns.iter_mut().zip(&found) {
            if data_type.is_some() {
                column.data_type.clone_from(data_type);
            }
        }
        Some(columns)
    }

    /// The columns a query returns, where syntax and the schema tell.
    pub(super) fn output(&self, query: &QueryShape) -> Option<Vec<Column>> {
        let relation_of = |alias: &Ident| {
            let name = query.aliases.iter().find(|(a, _)| a == alias).map(|(_, name)| name);
            name.and_then(|name| self.schema.relation(&self.schema.resolve(name)))
        };
        let named = |relation: &Relation, column: &Ident, name: &Ident| {
            let found = relation.column(column);
            Column {
                name: name.clone(),
                data_type: found.and_then(|c| c.data_type.clone()),
                not_null: false,
                default: None,
                needs: Vec::new(),
                value: None,
                calls: Vec::new(),
                casts: Vec::new(),
                draws: Vec::new(),
                holds: found.and_then(|c| c.holds.clone()),
                computed: false,
            }
        };
        let unknown = |name: &Ident| Column::unknown(name.clone());
        let mut columns = Vec::new();
        for output in query.columns.as_ref()? {
            match output {
                OutputColumn::Column { from: Some(from), column, name } => {
                    columns.push(relation_of(from).map_or_else(|| unknown(name), |r| named(r, column, name)));
                }
                OutputColumn::Column { from: None, column, name } => {
                    let mut owners = query.aliases.iter().filter_map(|(a, _)| relation_of(a));
                    let owner = owners.find(|r| r.column(column).is_some());
                    columns.push(owner.map_or_else(|| unknown(name), |r| named(r, column, name)));
                }
                OutputColumn::Expression { name } => columns.push(unknown(name)),
                OutputColumn::Star { from } => {
                    for (alias, _) in query.aliases.iter().filter(|(a, _)| from.as_ref().is_none_or(|f| f == a)) {
                        let relation = relation_of(alias).filter(|r| r.columns_known)?;
                        columns.extend(relation.columns.iter().map(|c| named(relation, &c.name, &c.name)));
                    }
                }
            }
        }
        Some(columns)
    }

    fn create_sequence(&mut self, name: &Name, if_not_exists: bool, temporary: bool, owned_by: Option<&(Name, Ident)>) {
        if temporary {
            return;
        }
        let name = self.created(name);
        if self.schema.relations.contains_key(&name) {
            if !if_not_exists {
                self.exists(format!("relation {name}"));
            }
            return;
        }
        let mut sequence = self.newborn(&name, RelationKind::Sequence);
        sequence.owned_by = owned_by.map(|(table, column)| (self.schema.resolve(table), column.clone()));
        self.insert(name, sequence);
    }

    fn drop_namespace(&mut self, name: &Ident) {
        self.touched.insert(Object::Namespace(name.clone()));
        self.schema.namespaces.remove(name);
        let inside: Vec<_> =
            self.schema.relations().filter(|(n, _)| n.schema == *name).map(|(n, _)| n.clone()).collect();
        for relation in inside {
            self.remove(&relation);
        }
        let types: Vec<_> = self.schema.types.keys().filter(|n| n.schema == *name).cloned().collect();
        for name in types {
            self.drop_type(&Name::qualified(name.schema, name.name), true, true);
        }
        let functions: Vec<_> = self.schema.functions.keys().filter(|n| n.schema == *name).cloned().collect();
        for name in functions {
            self.drop_triggers_of(&name);
            self.drop_callers_of(&name);
            self.schema.functions.remove(&name);
            self.touched.insert(Object::Function(name));
        }
    }

    /// Where a new object of this name goes.
    pub(super) fn created(&self, name: &Name) -> QName {
        let schema = name.schema.clone().or_else(|| self.schema.search_path.first().cloned());
        QName { schema: schema.unwrap_or_else(|| "public".into()), name: name.name.clone() }
    }

    fn alter_table(&mut self, table: &Name, if_exists: bool, only: bool, change: &TableChange) {
        let table = self.schema.resolve(table);
        if self.schema.relation(&table).is_none() {
            if let (TableChange::AttachIndex { .. }, Some(owner)) =
                (change, self.schema.index_tables.get(&table).cloned())
            {
                // Complete once every partition has one of its own.
                let whole = self.partitions(&owner).iter().all(|p| self.has_like(p, &owner, &table.name));
                self.edit(&owner, |t| {
                    t.indexes.entry(table.name.clone()).and_modify(|index| index.valid |= whole);
                });
            } else if !if_exists && !self.schema.index_tables.contains_key(&table) {
                self.touch(&table);
                self.missing(format!("table {table}"));
            }
            return;
        }
        self.change_table(&table, change);
        if !only {
            self.hand_down(&table, change);
        }
    }
}

/// Whether a policy lets everybody do everything, as written.
fn is_open(restrictive: bool, text: &str) -> bool {
    let bare: String = text.split_whitespace().collect::<String>().to_ascii_lowercase();
    let bare = bare.trim_start_matches("aspermissive").trim_start_matches("forall").trim_start_matches("topublic");
    !restrictive && (bare == "using(true)" || bare == "using(true)withcheck(true)")
}

/// The schemas of a search path that a simulation looks at.
pub(crate) fn searched(path: &[Ident]) -> Arc<[Ident]> {
    path.iter().filter(|s| !s.is_empty() && &***s != "$user" && &***s != "pg_catalog").cloned().collect()
}

/// What `ALL` stands for; any other privilege stands for itself.
pub(crate) fn every_privilege(kind: RelationKind, privilege: &str) -> Vec<&str> {
    match (privilege, kind) {
        ("ALL", RelationKind::Sequence) => vec!["SELECT", "UPDATE", "USAGE"],
        ("ALL", _) => vec!["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"],
        _ => vec![privilege],
    }
}

/// Makes a relation follow another one's rename.
fn redirect(relation: &mut Relation, from: &QName, to: &QName) {
    for constraint in relation.constraints.values_mut() {
        if let super::TableRule::ForeignKey { target, .. } = &mut constraint.kind
            && target == from
        {
            *target = to.clone();
        }
    }
    if relation.reads.remove(from) {
        relation.reads.insert(to.clone());
        let read = std::mem::take(&mut relation.read_columns).into_iter();
        relation.read_columns =
            read.map(|(table, column)| (if table == *from { to.clone() } else { table }, column)).collect();
        if relation.grouped.remove(from) {
            relation.grouped.insert(to.clone());
        }
    }
    if let Some((owner, _)) = &mut relation.owned_by
        && owner == from
    {
        *owner = to.clone();
    }
    if relation.parent.as_ref() == Some(from) {
        relation.parent = Some(to.clone());
    }
}

/// The functions that an expression calls, by bare name.
pub(super) fn called(expr: &Expr) -> Vec<Ident> {
    let own = match expr {
        Expr::Call(call) => Some(call.name.name.clone()),
        _ => None,
    };
    own.into_iter().chain(expr.parts().into_iter().flat_map(called)).collect()
}
