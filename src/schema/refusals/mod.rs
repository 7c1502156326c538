//! What PostgreSQL refuses whatever rows there are, by the catalog alone: what still depends on a thing that goes or changes its type, what
//! there can be only one of, what a column or a table cannot be. Each message is the server's, as versions 15 and 18 say it; a test runs the
//! statements on a server.

mod classes;
mod clauses;
pub(super) mod expressions;
pub(super) mod family;
mod gone;
mod keys;
mod kinds;
mod made;
pub(super) mod missing;
mod partitions;
mod routines;
mod signature;
mod stored;
mod written;

use std::cell::LazyCell;

pub(crate) use classes::is_built_in;
pub(crate) use clauses::clauses_refused;
pub(crate) use keys::is_collated;
pub(crate) use kinds::NOT_POPULATED;
pub(crate) use routines::Caller;
pub(super) use signature::takes;
pub(crate) use stored::placed;
pub(super) use stored::roles_in;

pub(super) use made::repeated;

use super::Schema;
use super::model::{Column, QName, Relation, TableRule, UserType};
use super::resolve::{self, Sure};
use crate::shared::Shared;
use crate::sql::operation::{
    ConstraintDefinition, ConstraintKind, CreateIndex, CreateTable, CreateView, DefaultValue, GrantObject, Ident,
    ObjectChange, ObjectKind, Operation, PublishVerb, Publishes, RelationKind, ReplicaIdentity, TableChange,
};
use crate::sql::query::KeyKind;
use crate::sql::{Name, TypeName};

/// Why PostgreSQL refuses an operation on a schema; `None`: it does not, as far as is known here.
pub(super) fn of(schema: &Schema, operation: &Operation) -> Option<String> {
    let catalog = Catalog { schema };
    if let Some(why) =
        written::of(operation).or_else(|| catalog.of_roles(operation)).or_else(|| catalog.of_other_kind(operation))
    {
        return Some(why);
    }
    match operation {
        Operation::AlterTable { table, only, change, .. } => {
            let name = schema.resolve(table);
            let relation = schema.relation(&name)?;
            Catalog::altered_as(&name, relation, change)
                .or_else(|| catalog.change(&name, relation, *only, change))
                .or_else(|| catalog.family(&name, relation, *only, change))
        }
        Operation::RenameRelation { kind, name, .. } | Operation::MoveRelation { kind, name, .. } => {
            catalog.moved_as(name, *kind)
        }
        Operation::RefreshView { name, concurrently, empties } => catalog.refreshed(name, *concurrently, *empties),
        Operation::RenameType { name, to } => {
            catalog.type_taken(QName { name: to.clone(), ..schema.resolve_type(name) })
        }
        Operation::MoveType { name, to } => {
            let from = schema.resolve_type(name);
            let target = QName { schema: to.clone(), ..from.clone() };
            (target != from).then(|| catalog.type_taken(target)).flatten()
        }
        Operation::CreateTable(table) => {
            let query =
                table.query.as_ref().and_then(|(_, body)| resolve::query_refused(body, schema, !table.unfilled));
            query.or_else(|| catalog.create_table(table))
        }
        Operation::CreateView(view) if !view.temporary => catalog.create_view(view),
        Operation::CreateType { name, definition, .. } => catalog.create_type(name, definition),
        Operation::AlterDomain { name, change } => catalog.alter_domain(name, change),
        Operation::AlterComposite { name, change, cascade } => catalog.alter_composite(name, change, *cascade),
        Operation::CreateNamespace { name, if_not_exists: false, .. } => {
            (**name != *"public" && schema.has_namespace(name)).then(|| format!("schema \"{name}\" already exists"))
        }
        Operation::CreateIndex(index) => catalog.create_index(index),
        Operation::DropRelation { kind: RelationKind::Index, name, concurrently, .. } => {
            catalog.drop_index(&schema.resolve(name), *concurrently)
        }
        Operation::Object { kind: ObjectKind::Publication, name, publishes: Some(publishes), change, .. } => {
            catalog.publication(name, publishes, *change == ObjectChange::Alter)
        }
        Operation::DropRelation { kind, name, cascade, together, .. } => {
            let name = schema.resolve(name);
            let relation = schema.relation(&name)?;
            let others = || catalog.drop_relation(&name, relation, together);
            Catalog::dropped_as(&name, relation, *kind).or_else(|| if *cascade { None } else { others() })
        }
        Operation::DropType { name, together, cascade: false, .. } => {
            catalog.drop_type(&schema.resolve_type(name), together)
        }
        Operation::DropFunction { called, name, arguments, cascade, .. } => {
            let (name, arguments) = (schema.resolve_function(name), arguments.as_deref());
            let other = schema.called_otherwise(*called, &name, arguments);
            other.or_else(|| catalog.drop_function(&name, arguments, *cascade))
        }
        Operation::AlterFunction { called, name, arguments, .. } => {
            schema.called_otherwise(*called, &schema.resolve_function(name), arguments.as_deref())
        }
        Operation::DropNamespace { name, cascade: false, .. } => {
            let relations = schema.relations().map(|(name, relation)| (name, relation.kind.keyword()));
            let types = schema.user_types().map(|(name, _)| (name, "TYPE"));
            let functions = schema.all_functions().map(|(name, _)| (name, "FUNCTION"));
            let (found, kind) = { relations.chain(types).chain(functions) }.find(|(found, _)| found.schema == *name)?;
            Some(format!("cannot drop schema {name} because {} {found} is in it", kind.to_lowercase()))
        }
        Operation::Comment { relation: Some((name, Some(column))), .. } => catalog.column_of(name, column),
        Operation::Comment { object, relation: Some((name, None)) } => catalog.commented_as(object, name),
        Operation::Comment { object, relation: None } => schema.routines_called_otherwise(object),
        Operation::CreateTrigger { name, table, or_replace, function, columns, firing, .. } => {
            let (table, function) = (schema.resolve(table), function.as_ref().map(|f| schema.resolve_function(f)));
            let exists = !or_replace && schema.relation(&table)?.triggers.contains_key(name);
            exists
                .then(|| format!("trigger \"{name}\" for relation \"{}\" already exists", table.name))
                .or_else(|| catalog.create_trigger(name, &table, function.as_ref(), columns, *firing))
        }
        Operation::DropTrigger { name, table, .. } => catalog.drop_trigger(name, &schema.resolve(table)),
        Operation::CreatePolicy { name, table, .. } => {
            let table = schema.resolve(table);
            let relation = schema.relation(&table)?;
            if relation.kind != RelationKind::Table {
                return Some(format!("\"{}\" is not a table", table.name));
            }
            let exists = relation.policies.contains_key(name);
            exists.then(|| format!("policy \"{name}\" for table \"{}\" already exists", table.name))
        }
        Operation::AlterPolicy { name, table, rename, .. } => {
            let table = schema.resolve(table);
            let policies = &schema.relation(&table)?.policies;
            if !policies.contains_key(name) {
                return Some(format!("policy \"{name}\" for table \"{}\" does not exist", table.name));
            }
            let taken = rename.as_ref().filter(|to| policies.contains_key(*to))?;
            Some(format!("policy \"{taken}\" for table \"{}\" already exists", table.name))
        }
        Operation::Privileges { privileges, objects, columns, .. } => {
            let routine = objects.iter().find_map(|object| match object {
                GrantObject::Other(words) => schema.routines_called_otherwise(words),
                _ => None,
            });
            routine.or_else(|| catalog.granted(privileges, objects, columns))
        }
        Operation::Object { statistics: Some(statistics), .. } => catalog.statistics(statistics),
        Operation::Object { kind: ObjectKind::EventTrigger, runs, .. } => {
            let function = schema.resolve_function(runs.first()?);
            let [one] = schema.functions(&function) else { return None };
            let fits = one.returns.is_empty() || one.returns == "event_trigger";
            (!fits).then(|| format!("function {} must return type event_trigger", function.name))
        }
        Operation::AlterSequence { name, .. } if catalog.is_no_sequence(name) => {
            Some(format!("\"{}\" is not a sequence", name.name))
        }
        Operation::AlterSequence { name, owned_by, disowned, .. }
            if (*disowned || owned_by.is_some())
                && schema.relation(&schema.resolve(name)).is_some_and(|sequence| sequence.internal) =>
        {
            Some("cannot change ownership of identity sequence".to_owned())
        }
        Operation::CreateSequence { owned_by: Some((table, column)), .. }
        | Operation::AlterSequence { owned_by: Some((table, column)), .. } => catalog.column_of(table, column),
        Operation::AddEnumLabel { name, if_not_exists, label, position } => {
            let UserType::Enum(labels) = schema.user_type(&schema.resolve_type(name))? else { return None };
            if labels.contains(label) {
                return (!if_not_exists).then(|| format!("enum label \"{label}\" already exists"));
            }
            let (_, neighbour) = position.as_ref()?;
            (!labels.contains(neighbour)).then(|| format!("\"{neighbour}\" is not an existing enum label"))
        }
        Operation::RenameEnumLabel { name, from, to } => {
            let UserType::Enum(labels) = schema.user_type(&schema.resolve_type(name))? else { return None };
            match (labels.contains(from), labels.contains(to)) {
                (false, _) => Some(format!("\"{from}\" is not an existing enum label")),
                (true, true) => Some(format!("enum label \"{to}\" already exists")),
                (true, false) => None,
            }
        }
        _ => None,
    }
}

struct Catalog<'s> {
    schema: &'s Schema,
}

impl Catalog<'_> {
    fn change(&self, name: &QName, relation: &Relation, only: bool, change: &TableChange) -> Option<String> {
        let table = &name.name;
        let column = |column: &Ident| relation.column(column);
        if let Some(what) = relation.of_type.as_ref().and_then(|_| made::refused_of_typed(change)) {
            return Some(what.to_owned());
        }
        match change {
            TableChange::AddColumn { column: new, constraints, if_not_exists } => {
                if self.is_partition(relation) {
                    return Some("cannot add column to a partition".to_owned());
                }
                if *if_not_exists && column(&new.name).is_some() {
                    return None;
                }
                if new.data_type.base() == name.to_string() {
                    return Some(format!("composite type {table} cannot be made a member of itself"));
                }
                let key = constraints.iter().find_map(|key| self.unordered_key(None, std::slice::from_ref(new), key));
                if key.is_some() {
                    return key;
                }
                if is_system(&new.name) {
                    return Some(format!("column name \"{}\" conflicts with a system column name", new.name));
                }
                if only && self.schema.children(name).next().is_some() {
                    return Some("column must be added to child tables too".to_owned());
                }
                let identity =
                    matches!(new.default, Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault));
                // Of a partitioned table PostgreSQL 17 does it.
                if identity && !relation.partitioned && self.schema.children(name).next().is_some() {
                    return Some("cannot recursively add identity column to table that has child tables".to_owned());
                }
                // Rows that are stored elsewhere would have to be written anew.
                if !matches!(new.default, None | Some(DefaultValue::Null))
                    && let Some(used) = self.row_type_in_use(name)
                {
                    return Some(used);
                }
                constraints.iter().find_map(|constraint| self.constraint(name, relation, constraint, false))
            }
            TableChange::DropColumn { column: gone, cascade, .. } => {
                column(gone)?;
                if relation.partition_key.contains(gone) {
                    return Some(format!(
                        "cannot drop column \"{gone}\" because it is part of the partition key of relation \"{table}\""
                    ));
                }
                if self.inherits(relation, gone) {
                    return Some(format!("cannot drop inherited column \"{gone}\""));
                }
                if *cascade {
                    return None;
                }
                let user =
                    self.column_users(name, relation, gone).into_iter().next().or_else(|| self.published(name, gone));
                user.map(|user| {
                    format!("cannot drop column {gone} of table {table} because other objects depend on it: {user}")
                })
            }
            TableChange::SetType { column: changed, data_type, using, .. } => {
                let old = column(changed)?;
                self.set_type(name, relation, old, data_type, *using)
            }
            TableChange::RenameColumn { from, to } => {
                column(from)?;
                if self.inherits(relation, from) {
                    return Some(format!("cannot rename inherited column \"{from}\""));
                }
                if only && self.schema.children(name).next().is_some() {
                    return Some(format!("inherited column \"{from}\" must be renamed in child tables too"));
                }
                if is_system(to) {
                    return Some(format!("column name \"{to}\" conflicts with a system column name"));
                }
                column(to).map(|_| format!("column \"{to}\" of relation \"{table}\" already exists"))
            }
            TableChange::DropNotNull { column: loosened } => {
                let found = column(loosened)?;
                if relation.primary_key().is_some_and(|key| key.contains(loosened)) {
                    return Some(format!("column \"{loosened}\" is in a primary key"));
                }
                let identifies = match &relation.replica_identity {
                    ReplicaIdentity::Index(index) => relation.indexes.get(index),
                    _ => None,
                };
                if identifies.is_some_and(|index| index.key.contains(&Some(loosened.clone()))) {
                    return Some(format!("column \"{loosened}\" is in index used as replica identity"));
                }
                let identity =
                    matches!(found.default, Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault));
                identity.then(|| format!("column \"{loosened}\" of relation \"{table}\" is an identity column"))
            }
            TableChange::SetDefault { column: set, .. } | TableChange::DropDefault { column: set } => {
                match column(set)?.default {
                    Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault) => {
                        Some(format!("column \"{set}\" of relation \"{table}\" is an identity column"))
                    }
                    Some(DefaultValue::GeneratedStored | DefaultValue::GeneratedVirtual) => {
                        Some(format!("column \"{set}\" of relation \"{table}\" is a generated column"))
                    }
                    _ => None,
                }
            }
            TableChange::ReplicaIdentity(identity) => Self::identity(name, relation, identity),
            TableChange::AddConstraint(definition) => self.constraint(name, relation, definition, true),
            TableChange::DropConstraint { name: gone, cascade, .. } => {
                self.drop_constraint(name, relation, gone, *cascade)
            }
            TableChange::ValidateConstraint { name: wanted } => {
                let known =
                    relation.constraints.contains_key(wanted) || relation.not_null_named(table, wanted).is_some();
                let binds = relation.constraints.get(wanted).is_none_or(|found| found.enforced);
                match known {
                    false => Some(format!("constraint \"{wanted}\" of relation \"{table}\" does not exist")),
                    true => (!binds).then(|| "cannot validate NOT ENFORCED constraint".to_owned()),
                }
            }
            TableChange::AlterConstraint { name: altered, .. } => match relation.constraints.get(altered) {
                Some(found) => (!matches!(found.kind, TableRule::ForeignKey { .. })).then(|| {
                    format!("constraint \"{altered}\" of relation \"{table}\" is not a foreign key constraint")
                }),
                None => relation
                    .not_null_named(table, altered)
                    .is_none()
                    .then(|| format!("constraint \"{altered}\" of relation \"{table}\" does not exist")),
            },
            TableChange::RenameConstraint { from, .. } => {
                let known = relation.constraints.contains_key(from) || relation.not_null_named(table, from).is_some();
                (!known).then(|| format!("constraint \"{from}\" for table \"{table}\" does not exist"))
            }
            TableChange::Physical { what: "cluster", .. } if relation.partitioned => {
                Some("cannot mark index clustered in partitioned table".to_owned())
            }
            TableChange::Physical { what: "cluster", of: Some(index), .. } => (!relation.indexes.contains_key(index))
                .then(|| format!("index \"{index}\" for table \"{table}\" does not exist")),
            TableChange::Physical { what: "access method", to: Some(method), .. } => self.no_table_method(method),
            TableChange::Physical { what: "tablespace", to: Some(space), .. } => stored::space(space),
            TableChange::Physical { what, of: Some(of), to, .. } => match column(of) {
                Some(found) => self.stored(found, what, to.as_ref()?),
                None => {
                    relation.columns_known.then(|| format!("column \"{of}\" of relation \"{table}\" does not exist"))
                }
            },
            TableChange::SwitchTrigger { name: switched, .. } => {
                let all = matches!(&**switched, "all" | "user");
                (!all && !relation.triggers.contains_key(switched))
                    .then(|| format!("trigger \"{switched}\" for table \"{table}\" does not exist"))
            }
            TableChange::SetLogged { logged: false } => {
                let published = self.schema.publications().any(|(_, found)| found.tables.contains_key(name));
                if published {
                    return Some(format!(
                        "cannot change table \"{table}\" to unlogged because it is part of a publication"
                    ));
                }
                let logged = |other: &&QName| {
                    **other != *name && self.schema.relation(other).is_some_and(|other| !other.unlogged)
                };
                let other = self.schema.pointing_to(name).find(logged).filter(|_| !relation.unlogged)?;
                Some(format!(
                    "could not change table \"{table}\" to unlogged because it references logged table \"{}\"",
                    other.name
                ))
            }
            TableChange::SetLogged { logged: true } => {
                let mut targets = relation.constraints.values().filter_map(|constraint| match &constraint.kind {
                    TableRule::ForeignKey { target, .. } if target != name => Some(target),
                    _ => None,
                });
                let unlogged = |target: &&QName| self.schema.relation(target).is_some_and(|found| found.unlogged);
                let target = targets.find(unlogged).filter(|_| relation.unlogged)?;
                Some(format!(
                    "could not change table \"{table}\" to logged because it references unlogged table \"{}\"",
                    target.name
                ))
            }
            TableChange::DropGenerated { column: generated, if_exists: false } => {
                let plain = |default| {
                    matches!(
                        default,
                        None | Some(
                            DefaultValue::Null
                                | DefaultValue::Constant
                                | DefaultValue::Stable
                                | DefaultValue::Volatile
                                | DefaultValue::Failing
                        )
                    )
                };
                plain(column(generated)?.default).then(|| {
                    format!(
                        "column \"{generated}\" of relation \"{table}\" is neither an identity nor a generated column"
                    )
                })
            }
            TableChange::SetIdentity { column: identity, add: false, .. } => {
                let is = matches!(
                    column(identity)?.default,
                    Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault)
                );
                (!is).then(|| format!("column \"{identity}\" of relation \"{table}\" is not an identity column"))
            }
            TableChange::SetIdentity { column: identity, add: true, .. } => {
                let found = column(identity)?;
                let of = found.data_type.as_ref().map(|data_type| data_type.base().into_owned());
                if of.is_some_and(|of| !matches!(&*of, "smallint" | "integer" | "bigint")) {
                    return Some("identity column type must be smallint, integer, or bigint".to_owned());
                }
                match found.default {
                    Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault) => {
                        Some(format!("column \"{identity}\" of relation \"{table}\" is already an identity column"))
                    }
                    Some(_) => {
                        Some(format!("column \"{identity}\" of relation \"{table}\" already has a default value"))
                    }
                    None if !found.not_null => Some(format!(
                        "column \"{identity}\" of relation \"{table}\" must be declared NOT NULL before identity can be added"
                    )),
                    None => None,
                }
            }
            TableChange::AttachPartition { partition, is_default, bound } => {
                if !relation.partitioned && relation.kind == RelationKind::Table && relation.parent.is_none() {
                    return Some(format!("table \"{table}\" is not partitioned"));
                }
                if let Some(default) = relation.default_partition.as_ref().filter(|_| *is_default) {
                    return Some(second_default(&self.schema.resolve(partition), default));
                }
                if let Some(why) = self.hashed(name).filter(|_| *is_default) {
                    return Some(why);
                }
                let partition = self.schema.resolve(partition);
                let parent = self.schema.relation(&partition).and_then(|found| found.parent.as_ref());
                if parent.and_then(|parent| self.schema.relation(parent)).is_some_and(|parent| parent.partitioned) {
                    return Some(format!("\"{}\" is already a partition", partition.name));
                }
                let bound = bound.as_ref()?;
                self.other_kind(name, bound).or_else(|| self.bound(name, relation, &partition, bound))
            }
            _ => None,
        }
    }

    fn create_table(&self, table: &CreateTable) -> Option<String> {
        if table.if_not_exists && self.schema.relation(&self.schema.resolve(&table.name)).is_some() {
            return None;
        }
        if let Some(why) = { self.named_as_type(&table.name) }.or_else(|| self.columns_of(table)) {
            return Some(why);
        }
        if let Some(why) = self.parents_of(table) {
            return Some(why);
        }
        let unordered = table.constraints.iter().find_map(|key| self.unordered_key(None, &table.columns, key));
        if let Some(why) = unordered.or_else(|| self.divided_by(table)) {
            return Some(why);
        }
        let name = self.schema.resolve(&table.name);
        let written = LazyCell::new(|| Relation { unlogged: table.unlogged, ..expressions::written(table) });
        let mut excludes = table.constraints.iter().filter(|key| matches!(key.kind, ConstraintKind::Exclude { .. }));
        if let Some(why) = excludes.find_map(|definition| self.excluded(&name, &written, definition)) {
            return Some(why);
        }
        let keys = table.constraints.iter().find_map(|constraint| match &constraint.kind {
            ConstraintKind::ForeignKey { columns, target, target_columns, .. } => {
                self.foreign_key(&written, columns, target, target_columns)
            }
            _ => None,
        });
        if keys.is_some() {
            return keys;
        }
        let lacking = table.partition_key.iter().find(|key| {
            let own = table.columns.iter().any(|column| column.name == **key);
            !own && table.lists_all_columns() && !is_system(key)
        });
        if let Some(column) = lacking {
            return Some(format!("column \"{column}\" named in partition key does not exist"));
        }
        let parent_name = self.schema.resolve(table.partition_of.as_ref()?);
        let parent = self.schema.relation(&parent_name)?;
        let bound = table.bound.as_ref();
        if let Some(why) = bound.and_then(|bound| self.other_kind(&parent_name, bound)) {
            return Some(why);
        }
        let overlapping = bound.and_then(|bound| self.bound(&parent_name, parent, &name, bound));
        if overlapping.is_some() {
            return overlapping;
        }
        if let Some(why) = self.hashed(&parent_name).filter(|_| table.is_default) {
            return Some(why);
        }
        let default = parent.default_partition.as_ref().filter(|_| table.is_default)?;
        Some(second_default(&self.schema.resolve(&table.name), default))
    }

    fn create_view(&self, view: &CreateView) -> Option<String> {
        let name = self.schema.resolve(&view.name);
        let there = self.schema.relation(&name).filter(|_| view.or_replace);
        if there.is_some_and(|relation| relation.kind != RelationKind::View) {
            return Some(format!("\"{}\" is not a view", name.name));
        }
        self.named_as_type(&view.name)
            .or_else(|| resolve::query_refused(&view.body, self.schema, view.materialized && !view.unfilled))
    }

    fn create_index(&self, index: &CreateIndex) -> Option<String> {
        let table = self.schema.resolve(&index.table);
        let relation = self.schema.relation(&table)?;
        if let Some(why) = Self::indexed(&table, relation) {
            return Some(why);
        }
        let known = relation.columns_known && relation.kind == RelationKind::Table;
        // Expressions and conditions are looked at as such.
        let plain = index.values.is_empty() && index.condition.is_none();
        let mut named = index.key.iter().flatten().chain(index.mentions.iter().filter(|_| plain));
        let missing = named
            .find(|column| known && relation.column(column).is_none() && !is_system(column) && **column != table.name);
        if let Some(column) = missing {
            return Some(format!("column \"{column}\" does not exist"));
        }
        if let Some(why) = self.unordered_index(&table, relation, index) {
            return Some(why);
        }
        let columns: Vec<Ident> = index.key.iter().flatten().cloned().collect();
        index.unique.then(|| lacks_partition_key("UNIQUE", relation, &columns)).flatten()
    }

    fn publication(&self, name: &str, publishes: &Publishes, alter: bool) -> Option<String> {
        let found = self.schema.publications().find(|(found, _)| alter && ***found == *name.trim_matches('"'));
        if found.is_some_and(|(_, found)| found.all) && !publishes.tables.is_empty() {
            return Some(format!("publication {name} is defined as FOR ALL TABLES"));
        }
        let member =
            |table: &Name| found.is_some_and(|(_, found)| found.tables.contains_key(&self.schema.resolve(table)));
        for published in &publishes.tables {
            match (publishes.verb, member(&published.table)) {
                (PublishVerb::Add, true) => {
                    return Some(format!("relation \"{}\" is already member of publication {name}", published.table));
                }
                (PublishVerb::Drop, false) if found.is_some() => {
                    return Some(format!("relation \"{}\" is not part of the publication", published.table));
                }
                _ => {}
            }
        }
        publishes.tables.iter().find_map(|published| {
            let name = self.schema.resolve(&published.table);
            let relation = self.schema.relation(&name).filter(|relation| relation.columns_known)?;
            let missing = published.columns.iter().find(|column| relation.column(column).is_none())?;
            Some(format!("column \"{missing}\" of relation \"{}\" does not exist", name.name))
        })
    }

    fn set_type(&self, name: &QName, relation: &Relation, old: &Column, to: &TypeName, using: bool) -> Option<String> {
        let column = &old.name;
        if relation.kind != RelationKind::Table {
            return None;
        }
        if relation.partition_key.contains(column) {
            return Some(format!(
                "cannot alter column \"{column}\" because it is part of the partition key of relation \"{}\"",
                name.name
            ));
        }
        if self.inherits(relation, column) {
            return Some(format!("cannot alter inherited column \"{column}\""));
        }
        if let Some(used) = self.row_type_in_use(name) {
            return Some(used);
        }
        let from = old.data_type.as_ref();
        let castable = from.map_or(Sure::Unsure, |from| resolve::assignable(self.schema, from, to));
        if castable == Sure::No && !using {
            return Some(format!("column \"{column}\" cannot be cast automatically to type {to}"));
        }
        match old.default {
            Some(DefaultValue::Constant | DefaultValue::Stable | DefaultValue::Volatile | DefaultValue::Failing)
                if castable == Sure::No =>
            {
                return Some(format!("default for column \"{column}\" cannot be cast automatically to type {to}"));
            }
            Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault)
                if !matches!(&*to.base(), "smallint" | "integer" | "bigint") =>
            {
                return Some("identity column type must be smallint, integer, or bigint".to_owned());
            }
            _ => {}
        }
        if let Some(why) = self.unkeyed(name, relation, column, to) {
            return Some(why);
        }
        let used = |by: &str, user: String| Some(format!("cannot alter type of a column used by {by}: {user}"));
        let below = self.schema.children(name).flat_map(|child| self.views_of(child, column));
        if let Some(view) = self.views_of(name, column).chain(below).next() {
            return used("a view or rule", format!("view {view}"));
        }
        if let Some(generated) = relation.columns.iter().find(|c| c.needs.contains(column)) {
            return used("a generated column", format!("column {}", generated.name));
        }
        if let Some(policy) = self.policies_of(name, column).next() {
            return used("in a policy definition", policy).map(|t| t.replace("used by in", "used in"));
        }
        if let Some((trigger, _)) = relation.trigger_columns.iter().find(|(_, columns)| columns.contains(column)) {
            return used("in a trigger definition", format!("trigger {trigger}"))
                .map(|t| t.replace("used by in", "used in"));
        }
        if let Some(function) = self.tracked_of(name, column).next() {
            return used("a function or procedure", function);
        }
        self.published(name, column).and_then(|publication| used("a publication WHERE clause", publication))
    }

    fn constraint(
        &self,
        name: &QName,
        relation: &Relation,
        definition: &ConstraintDefinition,
        existing: bool,
    ) -> Option<String> {
        let table = &name.name;
        if let Some(written) = definition.name.as_ref().filter(|written| relation.constraints.contains_key(*written)) {
            if definition.if_not_exists {
                return None;
            }
            return Some(format!("constraint \"{written}\" for relation \"{table}\" already exists"));
        }
        if relation.partitioned && definition.default_tablespace {
            return Some("cannot specify default tablespace for partitioned relations".to_owned());
        }
        if let Some(why) = self.unordered_key(Some(relation), &[], definition) {
            return Some(why);
        }
        if let Some(why) = made::repeated_in_key(definition).or_else(|| self.excluded(name, relation, definition)) {
            return Some(why);
        }
        let known = |column: &&Ident| relation.columns_known && existing && relation.column(column).is_none();
        let missing = |columns: &[Ident]| columns.iter().find(known).map(|c| format!("column \"{c}\" does not exist"));
        let second = || format!("multiple primary keys for table \"{table}\" are not allowed");
        let has_key = relation.primary_key().is_some();
        if let Some(why) = missing(&definition.covers) {
            return Some(why);
        }
        match &definition.kind {
            ConstraintKind::PrimaryKey { columns } => has_key
                .then(second)
                .or_else(|| missing(columns))
                .or_else(|| lacks_partition_key("PRIMARY KEY", relation, columns)),
            ConstraintKind::Unique { columns, .. } => {
                missing(columns).or_else(|| lacks_partition_key("UNIQUE", relation, columns))
            }
            ConstraintKind::UsingIndex { primary, index } => {
                let plain = |i: &super::Index| i.unique && i.plain_key().is_some();
                if relation.partitioned {
                    return Some("ADD CONSTRAINT USING INDEX is not supported on partitioned tables".to_owned());
                }
                let found = relation.indexes.get(index)?;
                if !plain(found) {
                    return Some(format!(
                        "index \"{index}\" cannot be the index of a constraint: it must be unique, on plain columns and all rows"
                    ));
                }
                // Which collation a column has is not known; as a rule it is the default one.
                let is_usual = |kind: &KeyKind| {
                    kind.class.is_none() && kind.collation.as_ref().is_none_or(|collation| &**collation == "default")
                };
                if found.sorted || !found.kinds.values().all(is_usual) {
                    return Some(format!("index \"{index}\" does not have default sorting behavior"));
                }
                (*primary && has_key).then(second)
            }
            ConstraintKind::ForeignKey { columns, target, target_columns, .. } => {
                missing(columns).or_else(|| self.foreign_key(relation, columns, target, target_columns))
            }
            ConstraintKind::Check { .. } if relation.partitioned && definition.no_inherit => {
                Some(format!("cannot add NO INHERIT constraint to partitioned table \"{table}\""))
            }
            // Its names are looked up as an expression's.
            ConstraintKind::Check { .. } => None,
            ConstraintKind::Exclude { unfit: Some(operator), .. } => Some(format!(
                "operator {operator} is not one that an exclusion constraint of this index method can have"
            )),
            ConstraintKind::Exclude { columns, .. } => {
                let named = |column: &&Ident| **column == name.name || is_system(column);
                let columns: Vec<Ident> = columns.iter().filter(|column| !named(column)).cloned().collect();
                missing(&columns)
            }
        }
    }

    fn foreign_key(
        &self,
        relation: &Relation,
        columns: &[Ident],
        target: &Name,
        target_columns: &[Ident],
    ) -> Option<String> {
        let to = self.schema.resolve(target);
        let found = self.schema.relation(&to)?;
        if let Some(why) = Self::referenced(&to, found) {
            return Some(why);
        }
        if found.unlogged && !relation.unlogged {
            return Some("constraints on permanent tables may reference only permanent tables".to_owned());
        }
        let key: Vec<Ident> = match target_columns {
            [] => match found.primary_key() {
                Some(key) => key.to_vec(),
                None => return Some(format!("there is no primary key for referenced table \"{}\"", to.name)),
            },
            written => written.to_vec(),
        };
        if !columns.is_empty() && columns.len() != key.len() {
            return Some("number of referencing and referenced columns for foreign key disagree".to_owned());
        }
        if let Some(column) = key.iter().find(|column| found.columns_known && found.column(column).is_none()) {
            return Some(format!("column \"{column}\" referenced in foreign key constraint does not exist"));
        }
        let sorted = |columns: &[Ident]| {
            let mut columns = columns.to_vec();
            columns.sort();
            columns
        };
        let unique = |index: &Shared<super::Index>| {
            index.unique && index.plain_key().is_some_and(|plain| sorted(&plain) == sorted(&key))
        };
        let mut keys = found.indexes.values().filter(|index| unique(index)).peekable();
        if keys.peek().is_some() && keys.all(|index| index.deferrable) {
            return Some(format!("cannot use a deferrable unique constraint for referenced table \"{}\"", to.name));
        }
        if !found.indexes.values().any(unique) {
            return Some(format!(
                "there is no unique constraint matching given keys for referenced table \"{}\"",
                to.name
            ));
        }
        let pair = columns.iter().zip(&key).find_map(|(own, other)| {
            let (own_type, other_type) =
                (relation.column(own)?.data_type.as_ref()?, found.column(other)?.data_type.as_ref()?);
            let keyable = resolve::keyable(self.schema, own_type, other_type);
            (keyable == Sure::No)
                .then(|| format!("\"{own}\" and \"{other}\" are of incompatible types: {own_type} and {other_type}"))
        });
        pair.map(|why| format!("foreign key constraint cannot be implemented: key columns {why}"))
    }

    /// A foreign key, of the column or to it, that could not be with another type.
    fn unkeyed(&self, name: &QName, relation: &Relation, column: &Ident, to: &TypeName) -> Option<String> {
        let of = |relation: &Relation, column: &Ident| relation.column(column)?.data_type.clone();
        // The types of the column and of what it points to, for each key.
        let pairs = |rule: &TableRule, owner: &QName| -> Vec<(TypeName, TypeName)> {
            let TableRule::ForeignKey { columns, target, target_columns, .. } = rule else { return Vec::new() };
            let Some(found) = self.schema.relation(target) else { return Vec::new() };
            let both = columns.iter().zip(target_columns);
            let pairs = both.filter_map(|(own, other)| match () {
                // Of a key to the same column both change.
                () if owner == name && target == name && own == other => None,
                () if owner == name && own == column => Some((to.clone(), of(found, other)?)),
                () if target == name && other == column => Some((of(self.schema.relation(owner)?, own)?, to.clone())),
                () => None,
            });
            pairs.collect()
        };
        let pointing = self.schema.pointing_to(name).filter(|other| *other != name);
        let others = pointing.filter_map(|other| Some((other, self.schema.relation(other)?)));
        std::iter::once((name, relation)).chain(others).find_map(|(owner, found)| {
            found.constraints.iter().find_map(|(key, constraint)| {
                let unlike = |(own, other): &(TypeName, TypeName)| resolve::keyable(self.schema, own, other) == Sure::No;
                let (own, other) = pairs(&constraint.kind, owner).into_iter().find(unlike)?;
                Some(format!(
                    "foreign key constraint \"{key}\" cannot be implemented: key columns are of incompatible types: {own} and {other}"
                ))
            })
        })
    }

    fn drop_constraint(&self, name: &QName, relation: &Relation, gone: &Ident, cascade: bool) -> Option<String> {
        let table = &name.name;
        let parent = relation.parent.as_ref().and_then(|parent| self.schema.relation(parent));
        let of_parent = parent.and_then(|parent| {
            let inherited = |rule: &TableRule| parent.partitioned || matches!(rule, TableRule::Check { .. });
            parent.constraints.get(gone).filter(|constraint| inherited(&constraint.kind))
        });
        let own = relation.constraints.get(gone);
        let same_key = parent.filter(|parent| parent.partitioned).is_some_and(|parent| {
            own.is_some_and(|own| own.kind.has_index() && parent.constraints.values().any(|c| c.kind == own.kind))
        });
        if of_parent.is_some() || same_key {
            return Some(format!("cannot drop inherited constraint \"{gone}\" of relation \"{table}\""));
        }
        let own = own?;
        if cascade || !own.kind.has_index() {
            return None;
        }
        let depends = |user: String| {
            format!("cannot drop constraint {gone} on table {table} because other objects depend on it: {user}")
        };
        let points = |rule: &TableRule| matches!(rule, TableRule::ForeignKey { target, target_columns, .. } if target == name && target_columns == own.kind.columns());
        for other in self.schema.dependents(name) {
            let Some(found) = self.schema.relation(other) else { continue };
            // Another unique index on the same columns may be the one that the key stands on.
            let others = relation
                .indexes
                .iter()
                .filter(|(index, i)| *index != gone && i.plain_key().is_some_and(|key| key == own.kind.columns()));
            if let Some((key, _)) =
                found.constraints.iter().find(|(_, c)| points(&c.kind)).filter(|_| others.count() == 0)
            {
                return Some(depends(format!("constraint {key} on table {other}")));
            }
            if matches!(own.kind, TableRule::PrimaryKey { .. }) && found.grouped.contains(name) {
                return Some(depends(format!("view {other}")));
            }
        }
        None
    }

    /// A publication that lists a column, or asks it which rows to publish.
    fn published(&self, name: &QName, column: &Ident) -> Option<String> {
        self.schema.publications().find_map(|(publication, found)| {
            let (columns, filter) = found.tables.get(name)?;
            (columns.contains(column) || filter.contains(column))
                .then(|| format!("publication of table {name} in publication {publication}"))
        })
    }

    fn is_partition(&self, relation: &Relation) -> bool {
        let parent = relation.parent.as_ref().and_then(|parent| self.schema.relation(parent));
        parent.is_some_and(|parent| parent.partitioned)
    }

    /// Whether a column is its parent's.
    fn inherits(&self, relation: &Relation, column: &Ident) -> bool {
        let parent = relation.parent.as_ref().and_then(|parent| self.schema.relation(parent));
        parent.is_some_and(|parent| parent.column(column).is_some())
    }

    fn row_type_in_use(&self, name: &QName) -> Option<String> {
        let shown = name.to_string();
        self.schema.relations().find_map(|(other, relation)| {
            let column = relation.columns.iter().find(|c| is_of(c.data_type.as_ref(), &shown))?;
            (relation.kind == RelationKind::Table).then(|| {
                format!(
                    "cannot alter table \"{}\" because column \"{}.{}\" uses its row type",
                    name.name, other.name, column.name
                )
            })
        })
    }

    fn function_of_type(&self, name: &QName) -> Option<String> {
        let (function, found) = self.schema.functions_of_type(name).next()?;
        Some(format!("function {}", found.signature(function)))
    }
}

fn second_default(partition: &QName, default: &QName) -> String {
    format!("partition \"{}\" conflicts with existing default partition \"{}\"", partition.name, default.name)
}

fn lacks_partition_key(what: &str, relation: &Relation, columns: &[Ident]) -> Option<String> {
    let lacking = relation.partition_key.iter().find(|key| !columns.contains(key))?;
    Some(format!(
        "unique constraint on partitioned table must include all partitioning columns: {what} lacks column \"{lacking}\""
    ))
}

fn is_of(data_type: Option<&TypeName>, shown: &str) -> bool {
    data_type.is_some_and(|data_type| data_type.as_str().starts_with(shown) && data_type.base() == shown)
}

fn is_system(column: &str) -> bool {
    matches!(column, "ctid" | "xmin" | "xmax" | "cmin" | "cmax" | "tableoid")
}
