//! What an operation touches, so that the graph can tell which of two must come first.

use std::collections::BTreeSet;

mod table;

pub(crate) use super::key::Key;
use super::key::{Aspect, default_grants, default_of, nullness_of, shape_of, width_of};
use super::node::Node;
use crate::few::Few;
use crate::schema::{Object, Patch, QName, Relation, Schema, TableRule, TypeUser, UserType};
use crate::source::Sources;
use crate::sql::lex::words_of;
use crate::sql::operation::{
    DataVerb, GrantObject, Ident, ObjectChange, ObjectKind, Operation, QueryShape, RelationKind, RoutineChange,
};
use crate::sql::query::Command;
use crate::sql::{Name, TypeName, types_in};

/// How a node touches things.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// Made, changed or dropped: ordered against every other access.
    pub(crate) defines: Few<Key>,
    /// Needed: ordered against definitions.
    pub(crate) uses: Few<Key>,
    /// Comes after all definitions so far, and orders nothing after it.
    pub(crate) follows: Few<Key>,
    /// Given to later nodes that follow it; not ordered among themselves.
    pub(crate) precedes: Few<Key>,
    /// Changed so that whatever used it before does not mind: ordered against definitions, and before what comes later.
    pub(crate) extends: Few<Key>,
}

/// The access of a node.
pub(crate) fn of(node: &Node, sources: &Sources) -> Access {
    let mut access = Access::default();
    let mut schema = node.before.clone();
    for part in &node.parts {
        let after = || match node.parts.as_slice() {
            [_] => node.after.clone(),
            _ => part.apply(&schema).schema,
        };
        let mut reader = Reader { access: &mut access, schema: &schema, after: &after };
        let text = sources.slice(part.span);
        match part.observed.as_deref().filter(|observed| observed.unsure.is_none()) {
            Some(observed) => reader.observed(&observed.patch, text),
            None => reader.operation(&part.operation, text),
        }
        reader.labels();
        if node.parts.len() > 1 {
            schema = after();
        }
    }
    access
}

struct Reader<'a> {
    access: &'a mut Access,
    schema: &'a Schema,
    /// The schema after the operation, made when asked for.
    after: &'a dyn Fn() -> Schema,
}

impl Reader<'_> {
    /// What was seen to change, whatever the text says, and what the text names.
    fn observed(&mut self, patch: &Patch, text: &str) {
        self.words(text);
        for (name, was, is) in patch.relations() {
            match (was, is) {
                (Some(was), Some(is)) => self.parts(name, was, is),
                _ => self.defines_relation(name.clone()),
            }
        }
        for object in patch.touched() {
            match object {
                Object::Relation(_) => {}
                Object::Type(name) => _ = self.access.defines.insert(Key::Type(name.to_string())),
                Object::Function(name) => _ = self.access.defines.insert(Key::Function(name)),
                Object::Namespace(name) => _ = self.access.defines.insert(Key::Namespace(name)),
                Object::Extension(name) => _ = self.access.defines.insert(Key::Extension(name)),
            }
        }
    }

    /// What looks at the values of an enum's column may name a label, and stands on the enum; so may whole values of a composite type be
    /// written, with all their attributes.
    fn labels(&mut self) {
        let keys = self.access.uses.iter().chain(&self.access.defines);
        let columns = keys.filter_map(|key| match key {
            Key::Column(table, column) => self.schema.relation(table)?.column(column)?.data_type.as_ref(),
            _ => None,
        });
        let enums: Vec<Key> = columns
            .map(|data_type| data_type.base())
            .filter(|name| {
                matches!(self.schema.user_type_named(name), Some(UserType::Enum(_) | UserType::Composite(_)))
            })
            .map(|name| Key::Type(name.into_owned()))
            .collect();
        self.access.uses.extend(enums);
    }

    /// What a statement before it does to rows that a foreign key ties to those that it writes: they must be there to be pointed to, and gone
    /// before what they point to goes.
    fn rows_by_key(&mut self, table: &QName) {
        let relation = self.schema.relation(table);
        let rules = relation.into_iter().flat_map(|relation| relation.constraints.values());
        let targets = rules.filter_map(|constraint| match &constraint.kind {
            TableRule::ForeignKey { target, .. } => Some(target),
            TableRule::PrimaryKey { .. }
            | TableRule::Unique { .. }
            | TableRule::Check { .. }
            | TableRule::Exclude { .. } => None,
        });
        let tied = targets.chain(self.schema.pointing_to(table)).filter(|other| *other != table);
        self.access.follows.extend(tied.map(|other| Key::Rows(other.clone())));
    }

    /// Which rows a table takes, and has, depends on what it is a part of and on its parts.
    fn parts_of(&mut self, table: &QName) {
        let Some(relation) = self.schema.relation(table) else { return };
        if relation.partitioned {
            self.access.uses.insert(Key::Of(table.clone(), Aspect::Partitions));
        }
        self.access.uses.insert(Key::Of(table.clone(), Aspect::Parent));
    }

    /// The parts of a relation that differ.
    fn parts(&mut self, name: &QName, was: &Relation, is: &Relation) {
        self.access.uses.insert(Key::Relation(name.clone()));
        let columns = was.columns.iter().chain(&is.columns).filter(|c| was.column(&c.name) != is.column(&c.name));
        self.access.defines.extend(columns.map(|c| Key::Column(name.clone(), c.name.clone())));
        let mut part = |aspect| _ = self.access.defines.insert(Key::Of(name.clone(), aspect));
        let names = |list: [&Relation; 2]| -> BTreeSet<Ident> {
            let keys = list.into_iter().flat_map(|r| {
                r.constraints.keys().chain(r.indexes.keys()).chain(r.triggers.keys()).chain(r.policies.keys())
            });
            keys.cloned().collect()
        };
        for key in names([was, is]) {
            let same = was.constraints.get(&key) == is.constraints.get(&key)
                && was.indexes.get(&key) == is.indexes.get(&key)
                && was.triggers.get(&key) == is.triggers.get(&key)
                && was.policies.get(&key) == is.policies.get(&key);
            if !same {
                part(Aspect::Named(key));
            }
        }
        if was.grants != is.grants {
            part(Aspect::Grants);
        }
        if (was.row_security, was.force_row_security) != (is.row_security, is.force_row_security) {
            part(Aspect::RowSecurity);
        }
    }

    fn operation(&mut self, operation: &Operation, text: &str) {
        // What is kept of a statement's expressions stands on the types that they name.
        if !matches!(operation, Operation::Data(_) | Operation::Query { .. } | Operation::Opaque { .. }) {
            for (name, _) in types_in(text) {
                let of = self.schema.type_meant(&name);
                if self.schema.user_type(&of).is_some() {
                    self.access.uses.insert(Key::Type(of.to_string()));
                }
            }
        }
        match operation {
            Operation::CreateTable(table) => {
                let name = (self.after)().resolve(&table.name);
                self.namespace(&name);
                for column in &table.columns {
                    self.data_type(&column.data_type);
                }
                for constraint in &table.constraints {
                    self.constraint(&name, &constraint.kind, false);
                }
                // Nothing inherits from a partition.
                let parents = table.inherits.iter().map(|parent| self.schema.resolve(parent));
                self.access.uses.extend(parents.map(|parent| Key::Of(parent, Aspect::Parent)));
                for other in table.inherits.iter().chain(table.like.iter().map(|like| &like.name)) {
                    let other = self.schema.resolve(other);
                    self.access.follows.insert(shape_of(&other));
                    self.access.precedes.insert(width_of(&other));
                    self.uses_relation(&other);
                }
                // A partition has the columns of its parent, whichever comes first.
                if let Some(parent) = &table.partition_of {
                    let parent = self.schema.resolve(parent);
                    self.uses_relation(&parent);
                }
                for like in &table.like {
                    let other = self.schema.resolve(&like.name);
                    self.access.follows.insert(Key::Of(other.clone(), Aspect::Likeness));
                }
                if let Some((query, _)) = &table.query {
                    self.query(query);
                    self.demanded_of(query);
                }
                for column in &table.columns {
                    self.runs(&column.runs);
                }
                if let Some(parent) = table.partition_of.as_ref().filter(|_| table.is_default) {
                    let parent = self.schema.resolve(parent);
                    self.access.defines.insert(Key::Of(parent, Aspect::DefaultPartition));
                }
                self.defines_relation(name);
            }
            Operation::AlterTable { table, change, .. } => {
                let table = self.schema.resolve(table);
                self.access.uses.insert(Key::Relation(table.clone()));
                self.change(&table, change);
            }
            Operation::DropRelation { kind: RelationKind::Index, name, .. } => {
                let index = self.schema.resolve(name);
                if let Some(table) = self.schema.index_table(&index).cloned() {
                    self.access.uses.insert(Key::Relation(table.clone()));
                    let found = self.schema.relation(&table).and_then(|r| r.indexes.get(&index.name));
                    if let Some(found) = found.filter(|i| i.unique) {
                        let columns: Vec<Ident> = found.key.iter().flatten().chain(&found.mentions).cloned().collect();
                        self.loosens(&table, &columns);
                    }
                    self.types_named(&table, |user| matches!(user, TypeUser::Index(name) if *name == index.name));
                    self.access.precedes.insert(Key::Of(table.clone(), Aspect::Likeness));
                    self.defines_index(&table, Some(index.name));
                } else {
                    // Gone already, with a column or a constraint.
                    self.defines_relation(index);
                }
            }
            Operation::DropRelation { name, cascade, .. } => {
                let name = self.schema.resolve(name);
                self.forget(&name);
                if *cascade {
                    self.loosens_referring(&name);
                }
                if let Some(parent) = self.schema.relation(&name).and_then(|r| r.parent.clone()) {
                    self.default_partition(&parent, &name);
                }
                // Its indexes go with it, and what is said of them afterwards is about none.
                let indexes: Vec<Ident> = self
                    .schema
                    .relation(&name)
                    .into_iter()
                    .flat_map(|relation| relation.indexes.keys().cloned())
                    .collect();
                for index in indexes {
                    self.defines_relation(QName { schema: name.schema.clone(), name: index });
                }
                self.defines_relation(name);
            }
            Operation::RenameRelation { name, to, .. } => {
                let from = self.schema.resolve(name);
                if let Some(table) = self.schema.index_table(&from).cloned() {
                    self.access.uses.insert(Key::Relation(table.clone()));
                    self.access.defines.insert(Key::Of(table.clone(), Aspect::Named(from.name.clone())));
                    self.access.defines.insert(Key::Of(table, Aspect::Named(to.clone())));
                }
                self.defines_relation(QName { schema: from.schema.clone(), name: to.clone() });
                self.defines_relation(from);
            }
            Operation::MoveRelation { name, to, .. } => {
                let from = self.schema.resolve(name);
                self.access.uses.insert(Key::Namespace(to.clone()));
                self.defines_relation(QName { schema: to.clone(), name: from.name.clone() });
                self.defines_relation(from);
            }
            Operation::CreateIndex(index) => {
                let table = self.schema.resolve(&index.table);
                self.access.uses.insert(Key::Relation(table.clone()));
                for column in index.key.iter().flatten().chain(&index.mentions) {
                    self.access.uses.insert(Key::Column(table.clone(), column.clone()));
                }
                if index.unique {
                    self.access.follows.insert(Key::Rows(table.clone()));
                    self.access.precedes.insert(Key::Of(table.clone(), Aspect::UniqueRules));
                }
                self.access.precedes.insert(Key::Of(table.clone(), Aspect::Likeness));
                // PostgreSQL makes up a name that is free, which depends on what was dropped before.
                let made = || {
                    let after = (self.after)();
                    let names = |schema: &Schema| -> BTreeSet<Ident> {
                        schema.relation(&table).into_iter().flat_map(|r| r.indexes.keys().cloned()).collect()
                    };
                    names(&after).difference(&names(self.schema)).next().cloned()
                };
                self.defines_index(&table, index.name.clone().or_else(made));
            }
            Operation::Reindex { name: Some(name), .. } => {
                let name = self.schema.resolve(name);
                let table = self.schema.index_table(&name).cloned().unwrap_or(name);
                self.uses_relation(&table);
            }
            Operation::CreateView(view) => {
                let name = (self.after)().resolve(&view.name);
                self.namespace(&name);
                self.query(&view.query);
                // The query that it had.
                self.types_named(&name, |_| true);
                self.defines_relation(name);
            }
            Operation::RefreshView { name, empties, .. } => {
                let name = self.schema.resolve(name);
                if let Some(relation) = self.schema.relation(&name) {
                    // What makes it readable, or takes that, is in order with all that fills it.
                    if *empties || relation.unfilled {
                        self.access.defines.insert(Key::Rows(name.clone()));
                    }
                    self.access.follows.extend(relation.reads.iter().cloned().map(Key::Rows));
                }
                self.uses_relation(&name);
            }
            Operation::AlterComposite { name, change, .. } => {
                let of = self.schema.resolve_type(name);
                for table in self.schema.of_type(&of) {
                    self.access.uses.insert(Key::Relation(table.clone()));
                    let columns = change.attributes().map(|column| Key::Column(table.clone(), column.clone()));
                    self.access.defines.extend(columns);
                    self.access.defines.insert(shape_of(table));
                }
                self.access.defines.insert(Key::Type(of.to_string()));
            }
            Operation::DropType { name, cascade, .. } => {
                let of = self.schema.resolve_type(name);
                if *cascade {
                    self.type_users_go(&of);
                }
                self.access.defines.insert(Key::Type(of.to_string()));
            }
            Operation::CreateType { name, .. }
            | Operation::AlterDomain { name, .. }
            | Operation::RenameEnumLabel { name, .. } => {
                self.access.defines.insert(Key::Type((self.after)().resolve_type(name).to_string()));
            }
            Operation::AddEnumLabel { name, .. } => {
                self.access.extends.insert(Key::Type(self.schema.resolve_type(name).to_string()));
            }
            Operation::RenameType { name, to } => {
                let from = self.schema.resolve_type(name);
                let target = QName { schema: from.schema.clone(), name: to.clone() };
                self.access.defines.extend([from, target].map(|name| Key::Type(name.to_string())));
            }
            Operation::MoveType { name, to } => {
                let from = self.schema.resolve_type(name);
                let target = QName { schema: to.clone(), name: from.name.clone() };
                self.access.uses.insert(Key::Namespace(to.clone()));
                self.access.defines.extend([from, target].map(|name| Key::Type(name.to_string())));
            }
            Operation::CreateSequence { name, owned_by, .. } | Operation::AlterSequence { name, owned_by, .. } => {
                let name = (self.after)().resolve(name);
                self.namespace(&name);
                if let Some((table, column)) = owned_by {
                    let table = self.schema.resolve(table);
                    self.access.uses.insert(Key::Relation(table.clone()));
                    self.access.uses.insert(Key::Column(table, column.clone()));
                }
                self.defines_relation(name);
            }
            Operation::CreateFunction(function) => {
                let name = (self.after)().resolve_function(&function.name);
                self.namespace(&name);
                for (data_type, _) in &function.arguments {
                    self.data_type(data_type);
                }
                self.named_by(&name);
                self.mentions(function.mentions.iter().map(|m| &**m));
                self.access.defines.insert(Key::Function(name));
            }
            Operation::DropFunction { name, .. } => {
                let function = self.schema.resolve_function(name);
                self.named_by(&function);
                self.access.follows.insert(Key::FunctionUsers);
                self.access.defines.insert(Key::Function(self.schema.resolve_function(name)));
            }
            Operation::AlterFunction { name, change, .. } => {
                let function = self.schema.resolve_function(name);
                self.named_by(&function);
                let to = match change {
                    RoutineChange::Rename(to) => QName { name: to.clone(), ..function.clone() },
                    RoutineChange::Move(to) => {
                        self.access.uses.insert(Key::Namespace(to.clone()));
                        QName { schema: to.clone(), ..function.clone() }
                    }
                    RoutineChange::Runs(_) => function.clone(),
                };
                if to != function {
                    self.access.follows.insert(Key::FunctionUsers);
                }
                self.access.defines.extend([Key::Function(function), Key::Function(to)]);
            }
            Operation::CreateTrigger { name, table, function, columns, .. } => {
                let table = self.schema.resolve(table);
                self.access.uses.insert(Key::Relation(table.clone()));
                let columns = columns
                    .iter()
                    .filter(|column| self.schema.relation(&table).is_some_and(|r| r.column(column).is_some()));
                self.access.uses.extend(columns.map(|column| Key::Column(table.clone(), column.clone())));
                if let Some(function) = function {
                    let function = self.schema.resolve_function(function);
                    self.reads_row(&table, &function);
                    self.access.uses.insert(Key::Function(function));
                }
                self.access.defines.insert(Key::Of(table, Aspect::Named(name.clone())));
            }
            Operation::DropTrigger { name, table, .. } => {
                let table = self.schema.resolve(table);
                let called = self.schema.relation(&table).and_then(|r| r.trigger_functions.get(name)).cloned();
                called.iter().for_each(|function| self.named_by(function));
                self.types_named(&table, |user| matches!(user, TypeUser::Trigger(trigger) if trigger == name));
                self.access.uses.insert(Key::Relation(table.clone()));
                self.access.precedes.insert(Key::FunctionUsers);
                self.access.defines.insert(Key::Of(table, Aspect::Named(name.clone())));
            }
            Operation::CreatePolicy { name, table, .. }
            | Operation::AlterPolicy { name, table, .. }
            | Operation::DropPolicy { name, table, .. } => {
                let table = self.schema.resolve(table);
                self.access.uses.insert(Key::Relation(table.clone()));
                // What it asks of a row, and what one that goes or becomes another asked.
                let old = self.schema.relation(&table).and_then(|relation| relation.policies.get(name));
                self.words(text);
                self.mentions(words_of(old.map_or("", |policy| &policy.text)));
                self.access.precedes.insert(Key::FunctionUsers);
                self.access.defines.insert(Key::Of(table, Aspect::Named(name.clone())));
            }
            Operation::Privileges { objects, .. } => {
                for object in objects {
                    match object {
                        GrantObject::Relation(name) => {
                            let name = self.schema.resolve(name);
                            self.access.uses.insert(Key::Relation(name.clone()));
                            self.access.defines.insert(Key::Of(name, Aspect::Grants));
                        }
                        GrantObject::AllIn { sequences, schemas } => {
                            let kind = |kind: RelationKind| (kind == RelationKind::Sequence) == *sequences;
                            let inside =
                                self.schema.relations().filter(|(n, r)| schemas.contains(&n.schema) && kind(r.kind));
                            for name in inside.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                                self.access.uses.insert(Key::Relation(name.clone()));
                                self.access.defines.insert(Key::Of(name, Aspect::Grants));
                            }
                            self.access.uses.extend(schemas.iter().cloned().map(Key::Namespace));
                        }
                        GrantObject::Future { .. } => _ = self.access.defines.insert(default_grants()),
                        GrantObject::Other(words) => {
                            // A function that is dropped and made again is granted by nobody.
                            self.mentions(words_of(words));
                            self.access.defines.insert(Key::Granted(words.clone()));
                        }
                    }
                }
            }
            Operation::Comment { relation, .. } => {
                if let Some((name, column)) = relation {
                    let name = self.schema.resolve(name);
                    if let Some(column) = column {
                        self.access.uses.insert(Key::Column(name.clone(), column.clone()));
                    }
                    self.access.uses.insert(Key::Relation(name));
                } else {
                    self.words(text);
                }
            }
            Operation::CreateNamespace { name, .. } | Operation::DropNamespace { name, .. } => {
                self.access.defines.insert(Key::Namespace(name.clone()));
            }
            Operation::CreateExtension { name } | Operation::DropExtension { name, .. } => {
                self.access.defines.insert(Key::Extension(name.clone()));
            }
            Operation::Data(data) => {
                self.query(&data.query);
                if data.verb == DataVerb::Insert {
                    self.demanded_of(&data.query);
                }
                if let Some(table) = &data.table {
                    let table = self.schema.resolve(table);
                    self.access.uses.insert(Key::Relation(table.clone()));
                    for column in &data.writes {
                        self.access.uses.insert(Key::Column(table.clone(), column.clone()));
                    }
                    if data.writes.is_empty() {
                        self.all_columns(&table);
                    }
                    // An INSERT writes every column, those that it leaves out included; a deletion none.
                    let all =
                        self.schema.relation(&table).into_iter().flat_map(|r| r.columns.iter().map(|c| c.name.clone()));
                    let written: Vec<Ident> = match data.verb {
                        DataVerb::Update if !data.writes.is_empty() => data.writes.clone(),
                        DataVerb::Delete | DataVerb::Truncate => Vec::new(),
                        _ => all.collect(),
                    };
                    if data.verb == DataVerb::Insert {
                        let left_out =
                            written.iter().filter(|column| !data.writes.is_empty() && !data.writes.contains(column));
                        self.access.uses.extend(left_out.map(|column| default_of(&table, column)));
                        self.access.follows.insert(Key::Of(table.clone(), Aspect::Required));
                    }
                    self.access.follows.extend(written.into_iter().map(|column| Key::Loosened(table.clone(), column)));
                    if data.writes.is_empty() && data.verb == DataVerb::Insert {
                        self.access.follows.insert(shape_of(&table));
                        self.access.extends.insert(width_of(&table));
                    }
                    if data.verb == DataVerb::Insert && upserts(text) {
                        self.access.follows.insert(Key::Of(table.clone(), Aspect::UniqueRules));
                    }
                    if data.verb == DataVerb::Truncate {
                        self.access.precedes.insert(Key::Of(table.clone(), Aspect::References));
                    }
                    for other in &data.also {
                        let other = self.schema.resolve(other);
                        self.uses_relation(&other);
                        self.rows_by_key(&other);
                        self.access.defines.insert(Key::Rows(other));
                    }
                    self.rows_by_key(&table);
                    self.parts_of(&table);
                    self.access.defines.insert(Key::Rows(table));
                }
            }
            Operation::Query { reads, .. } => {
                for read in reads {
                    let read = self.schema.resolve(read);
                    self.access.follows.insert(Key::Rows(read.clone()));
                    self.uses_relation(&read);
                }
                self.words(text);
                self.runs_rows(text);
            }
            Operation::Maintenance { table: Some(table), .. } => {
                let table = self.schema.resolve(table);
                self.access.follows.insert(Key::Rows(table.clone()));
                self.uses_relation(&table);
            }
            Operation::Lock { tables, .. } => {
                for table in tables {
                    let table = self.schema.resolve(table);
                    self.uses_relation(&table);
                }
            }
            Operation::Object { kind, name, change, publishes, statistics, .. } => {
                // `LIKE` copies them.
                if *kind == ObjectKind::Statistics {
                    let made = statistics.iter().map(|statistics| self.schema.resolve(&statistics.table));
                    let tables: Vec<QName> = made.chain(self.schema.statistics_on(name)).collect();
                    self.access.precedes.extend(tables.into_iter().map(|table| Key::Of(table, Aspect::Likeness)));
                }
                // Rows of what is published are told by a key.
                for publishes in publishes.iter() {
                    let named = publishes.tables.iter().map(|published| self.schema.resolve(&published.table));
                    let all = self.schema.relations().map(|(name, _)| name.clone());
                    let all = all.filter(|name| publishes.all || publishes.schemas.contains(&name.schema));
                    let tables: BTreeSet<QName> = named.chain(all).collect();
                    self.access.uses.extend(tables.iter().cloned().map(|table| Key::Of(table, Aspect::PrimaryKey)));
                    // What inherits from a table is published with it.
                    self.access.uses.extend(tables.iter().cloned().map(|table| Key::Of(table, Aspect::Heirs)));
                }
                let key = |name: &str| Key::Object(kind.words().into(), name.into());
                self.access.defines.insert(key(name));
                match change {
                    ObjectChange::Rename { to } => _ = self.access.defines.insert(key(to)),
                    // It may have called a function, as an event trigger does.
                    ObjectChange::Drop => _ = self.access.precedes.insert(Key::FunctionUsers),
                    ObjectChange::Create | ObjectChange::Alter => {}
                }
                self.words(text);
            }
            Operation::DefaultPath { of, .. } => {
                self.access.defines.insert(Key::SearchPath(of.clone()));
            }
            Operation::Opaque { .. } => {
                self.words(text);
                // It may read and change anything it names.
                let named: Vec<_> = self.access.uses.iter().cloned().collect();
                self.access.defines.extend(named);
                self.runs_rows(text);
            }
            Operation::Reindex { name: None, .. }
            | Operation::Maintenance { table: None, .. }
            | Operation::Session { .. }
            | Operation::Transaction(_) => {}
        }
    }

    /// Rules on columns that go.
    fn loosens(&mut self, table: &QName, columns: &[Ident]) {
        self.access.precedes.extend(columns.iter().map(|column| Key::Loosened(table.clone(), column.clone())));
    }

    /// The foreign keys that go with the table that they point to.
    fn loosens_referring(&mut self, target: &QName) {
        let schema = self.schema;
        for other in schema.pointing_to(target) {
            let rules = schema.relation(other).into_iter().flat_map(|relation| relation.constraints.values());
            for rule in rules.map(|constraint| &constraint.kind) {
                if matches!(rule, TableRule::ForeignKey { target: to, .. } if to == target) {
                    self.loosens(other, rule.columns());
                }
            }
        }
    }

    /// An index of a table. Its name is one of the relations'.
    /// `None`: its name is not known.
    fn defines_index(&mut self, table: &QName, name: Option<Ident>) {
        if let Some(name) = &name {
            self.defines_relation(QName { schema: table.schema.clone(), name: name.clone() });
        }
        self.access.defines.insert(Key::Of(table.clone(), name.map_or(Aspect::UnnamedIndex, Aspect::Named)));
    }

    /// There can be only one default partition.
    fn default_partition(&mut self, parent: &QName, partition: &QName) {
        if self.schema.relation(parent).is_some_and(|r| r.default_partition.as_ref() == Some(partition)) {
            self.access.defines.insert(Key::Of(parent.clone(), Aspect::DefaultPartition));
        }
    }

    /// The columns that the body of a function names, before it goes or becomes another.
    fn named_by(&mut self, function: &QName) {
        let mentions: BTreeSet<Ident> =
            self.schema.functions(function).iter().flat_map(|f| f.mentions.iter().cloned()).collect();
        if mentions.is_empty() {
            return;
        }
        let runs_on = |relation: &Relation| relation.trigger_functions.values().any(|called| called == function);
        let tables = self.schema.relations().filter(|(name, r)| mentions.contains(&name.name) || runs_on(r));
        let named: Vec<Key> = tables
            .flat_map(|(name, r)| r.columns.iter().map(move |c| (name, &c.name)))
            .filter(|(_, column)| mentions.contains(*column))
            .map(|(name, column)| Key::Named(name.clone(), column.clone()))
            .collect();
        self.access.precedes.extend(named);
    }

    /// The columns that a trigger's function names: a row without them makes it fail.
    fn reads_row(&mut self, table: &QName, function: &QName) {
        let named = |column: &Ident| self.schema.functions(function).iter().any(|f| f.mentions.contains(column));
        let columns = self.schema.relation(table).into_iter().flat_map(|r| &r.columns).map(|c| c.name.clone());
        let read: Vec<Ident> = columns.filter(named).collect();
        self.access.uses.extend(read.into_iter().map(|column| Key::Column(table.clone(), column)));
    }

    /// The schema's own functions of these names.
    fn runs(&mut self, names: &[Ident]) {
        for name in names {
            let function = self.schema.resolve_function(&Name::bare(&**name));
            if !self.schema.functions(&function).is_empty() {
                self.access.uses.insert(Key::Function(function));
            }
        }
    }

    /// What something new stands on.
    fn namespace(&mut self, name: &QName) {
        self.access.uses.insert(default_grants());
        self.access.uses.insert(Key::Namespace(name.schema.clone()));
    }

    fn defines_relation(&mut self, name: QName) {
        self.access.defines.insert(Key::Relation(name));
    }

    fn uses_relation(&mut self, name: &QName) {
        self.access.uses.insert(Key::Relation(name.clone()));
    }

    fn data_type(&mut self, data_type: &TypeName) {
        self.access.uses.insert(Key::Type(data_type.base().into_owned()));
    }

    /// What the functions that a statement calls do to rows, and what they name.
    fn runs_rows(&mut self, text: &str) {
        let schema = self.schema;
        let run = schema.run_by(text);
        self.mentions(run.mentions().map(|name| &**name));
        let named: Vec<QName> = run.mentions().map(|name| schema.resolve(&Name::bare(name.clone()))).collect();
        let read = named.into_iter().filter(|name| schema.relation(name).is_some());
        self.access.follows.extend(read.map(Key::Rows));
        for command in run.commands() {
            let written = match command {
                Command::Insert(insert) => &insert.table,
                Command::Update(update) => &update.table,
                Command::Delete(delete) => &delete.table,
                Command::Merge(merge) => &merge.table,
                _ => continue,
            };
            let table = schema.resolve(&written.name.value);
            if schema.relation(&table).is_some() {
                self.access.defines.insert(Key::Rows(table));
            }
        }
    }

    /// The types that parts of a relation name.
    fn types_named(&mut self, table: &QName, is: impl Fn(&TypeUser) -> bool) {
        let types = self.schema.relation(table).map(|relation| self.schema.types_named_by(relation, is));
        self.access.uses.extend(types.into_iter().flatten().map(|of| Key::Type(of.to_string())));
    }

    /// What goes with a type.
    fn type_users_go(&mut self, of: &QName) {
        for (on, user) in self.schema.type_users(of) {
            let named = |name: Ident| Key::Of(on.clone(), Aspect::Named(name));
            match user {
                TypeUser::Whole => _ = self.access.defines.insert(Key::Relation(on.clone())),
                TypeUser::Column(column) => {
                    self.access.defines.extend([shape_of(&on), Key::Column(on.clone(), column)]);
                }
                TypeUser::Default(column) => _ = self.access.defines.insert(default_of(&on, &column)),
                TypeUser::Constraint(name)
                | TypeUser::Policy(name)
                | TypeUser::Rule(name)
                | TypeUser::Trigger(name) => _ = self.access.defines.insert(named(name)),
                TypeUser::Index(name) => self.defines_index(&on, Some(name)),
            }
            self.access.uses.insert(Key::Relation(on));
        }
        let functions = self.schema.functions_of_type(of).map(|(function, _)| Key::Function(function.clone()));
        self.access.defines.extend(functions);
    }

    fn column_type(&mut self, table: &QName, column: &str) {
        let found = self.schema.relation(table).and_then(|r| r.column(column)).and_then(|c| c.data_type.clone());
        if let Some(data_type) = found {
            self.data_type(&data_type);
        }
    }

    /// What goes with a dropped relation uses what it stands on.
    fn forget(&mut self, name: &QName) {
        let Some(relation) = self.schema.relation(name) else { return };
        let targets = relation.constraints.values().filter_map(|c| match &c.kind {
            TableRule::ForeignKey { target, .. } => Some(target.clone()),
            _ => None,
        });
        let below: Vec<_> = targets.chain(relation.reads.iter().cloned()).chain(relation.parent.clone()).collect();
        let is_view = matches!(relation.kind, RelationKind::View | RelationKind::MaterializedView);
        let types: Vec<_> = relation.columns.iter().filter_map(|c| c.data_type.clone()).collect();
        types.iter().for_each(|t| self.data_type(t));
        self.types_named(name, |_| true);
        for other in below {
            if is_view {
                self.all_columns(&other);
            }
            self.access.uses.insert(Key::Relation(other));
        }
        self.access.precedes.insert(Key::FunctionUsers);
    }

    /// What is copied was filled, where it has been demanded.
    fn demanded_of(&mut self, query: &QueryShape) {
        for read in query.reads.iter().map(|name| self.schema.resolve(name)) {
            let columns = self.schema.relation(&read).into_iter().flat_map(|relation| &relation.columns);
            self.access.follows.extend(columns.map(|column| nullness_of(&read, &column.name)));
        }
    }

    /// What a table's columns are given is given to those of the tables below it, for as long as they are there.
    fn handed_down(&mut self, table: &QName) {
        let columns = self.schema.relation(table).into_iter().flat_map(|relation| &relation.columns);
        self.access.uses.extend(columns.flat_map(|c| [default_of(table, &c.name), nullness_of(table, &c.name)]));
    }

    fn all_columns(&mut self, table: &QName) {
        if let Some(relation) = self.schema.relation(table) {
            self.access.uses.extend(relation.columns.iter().map(|c| Key::Column(table.clone(), c.name.clone())));
        }
    }

    fn query(&mut self, query: &QueryShape) {
        let reads: Vec<QName> = query.reads.iter().map(|name: &Name| self.schema.resolve(name)).collect();
        for read in &reads {
            self.access.follows.insert(Key::Rows(read.clone()));
            self.uses_relation(read);
            if query.star || query.inner_star {
                self.all_columns(read);
                // Columns come to a partition with those of its table.
                let schema = self.schema;
                for table in std::iter::once(read).chain(schema.ancestors(read)) {
                    self.access.follows.insert(shape_of(table));
                    self.access.precedes.insert(width_of(table));
                }
            }
            if let Some(relation) = self.schema.relation(read) {
                let mentioned = relation.columns.iter().filter(|c| query.mentions.iter().any(|(_, m)| *m == c.name));
                self.access.uses.extend(mentioned.map(|c| Key::Column(read.clone(), c.name.clone())));
            }
        }
        query.types.iter().for_each(|of| self.data_type(of));
        for call in &query.calls {
            self.access.uses.insert(Key::Function(self.schema.resolve_function(call)));
        }
    }

    /// Everything of the schema whose name stands in a text.
    fn words(&mut self, text: &str) {
        let words: BTreeSet<String> = words_of(text).map(str::to_ascii_lowercase).collect();
        self.mentions(words.iter().map(String::as_str));
    }

    fn mentions<'b>(&mut self, words: impl Iterator<Item = &'b str>) {
        let words: BTreeSet<&str> = words.collect();
        for word in &words {
            let name = Name::bare(*word);
            let relation = self.schema.resolve(&name);
            if let Some(found) = self.schema.relation(&relation) {
                let columns = found.columns.iter().filter(|c| words.contains(&*c.name));
                self.access.uses.extend(columns.map(|c| Key::Column(relation.clone(), c.name.clone())));
                self.access.uses.insert(Key::Relation(relation));
            }
            let function = self.schema.resolve_function(&name);
            if !self.schema.functions(&function).is_empty() {
                self.access.uses.insert(Key::Function(function));
            }
            let data_type = self.schema.resolve_type(&name);
            if self.schema.user_type(&data_type).is_some() {
                self.access.uses.insert(Key::Type(data_type.to_string()));
            }
        }
    }
}

/// Whether an INSERT says `ON CONFLICT`.
fn upserts(text: &str) -> bool {
    let next = words_of(text).skip(1);
    words_of(text)
        .zip(next)
        .any(|(on, conflict)| on.eq_ignore_ascii_case("on") && conflict.eq_ignore_ascii_case("conflict"))
}
