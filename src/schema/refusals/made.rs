//! What PostgreSQL refuses of things that are made: their names, their columns, their keys.

use std::collections::BTreeSet;

use super::{Catalog, is_system};
use crate::schema::model::{QName, Relation, TypeUser, UserType};
use crate::sql::operation::{
    AttributeChange, ConstraintDefinition, ConstraintKind, CreateTable, DomainChange, DomainCheck, Ident, RelationKind,
    ReplicaIdentity, TableChange, TypeDefinition,
};
use crate::sql::{Name, TypeName};

/// Why a table whose columns are those of a type does not take a change.
pub(super) fn refused_of_typed(change: &TableChange) -> Option<&'static str> {
    match change {
        TableChange::AddColumn { .. } => Some("cannot add column to typed table"),
        TableChange::DropColumn { .. } => Some("cannot drop column from typed table"),
        TableChange::RenameColumn { .. } => Some("cannot rename column of typed table"),
        TableChange::SetType { .. } => Some("cannot alter column type of typed table"),
        _ => None,
    }
}

/// The first name that stands twice.
pub(in crate::schema) fn repeated<'a>(names: impl IntoIterator<Item = &'a Ident>) -> Option<&'a Ident> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

/// A column that stands twice in a key.
pub(super) fn repeated_in_key(constraint: &ConstraintDefinition) -> Option<String> {
    let (columns, kind) = match &constraint.kind {
        ConstraintKind::PrimaryKey { columns } => (columns, "primary key"),
        ConstraintKind::Unique { columns, .. } => (columns, "unique"),
        _ => return None,
    };
    repeated(columns).map(|column| format!("column \"{column}\" appears twice in {kind} constraint"))
}

impl Catalog<'_> {
    /// The name of a table or view, which is one of a type, too.
    pub(super) fn named_as_type(&self, name: &Name) -> Option<String> {
        let name = self.schema.resolve(name);
        let taken = self.schema.relation(&name).is_none() && self.schema.user_type(&name).is_some();
        taken.then(|| format!("type \"{}\" already exists", name.name))
    }

    /// The columns and keys of a new table, as far as they are all written there.
    pub(super) fn columns_of(&self, table: &CreateTable) -> Option<String> {
        if let Some(column) = repeated(table.columns.iter().map(|column| &column.name)) {
            return Some(format!("column \"{column}\" specified more than once"));
        }
        if let Some(column) = table.columns.iter().find(|column| is_system(&column.name)) {
            return Some(format!("column name \"{}\" conflicts with a system column name", column.name));
        }
        if table.constraints.iter().filter(|constraint| constraint.kind.is_primary()).count() > 1 {
            return Some(format!("multiple primary keys for table \"{}\" are not allowed", table.name.name));
        }
        let named = table.constraints.iter().filter_map(|constraint| constraint.name.as_ref());
        if let Some(name) = repeated(named) {
            return Some(format!("constraint \"{name}\" for relation \"{}\" already exists", table.name.name));
        }
        let all = table.lists_all_columns();
        let known = |column: &Ident| table.columns.iter().any(|own| own.name == *column) || is_system(column);
        table.constraints.iter().find_map(|constraint| {
            let (ConstraintKind::PrimaryKey { columns }
            | ConstraintKind::Unique { columns, .. }
            | ConstraintKind::ForeignKey { columns, .. }) = &constraint.kind
            else {
                return None;
            };
            if let Some(why) = repeated_in_key(constraint) {
                return Some(why);
            }
            if let Some(column) = columns.iter().find(|column| all && table.query.is_none() && !known(column)) {
                return Some(format!("column \"{column}\" named in key does not exist"));
            }
            let unique = !matches!(constraint.kind, ConstraintKind::ForeignKey { .. });
            let lacking = table.partition_key.iter().find(|key| unique && !columns.contains(key));
            lacking.filter(|_| table.partitioned).map(|column| {
                format!("unique constraint on partitioned table must include all partitioning columns: it lacks \"{column}\"")
            })
        })
    }

    /// What a new table is to be a part of, or to inherit from.
    pub(super) fn parents_of(&self, table: &CreateTable) -> Option<String> {
        let found = |name: &Name| {
            let name = self.schema.resolve(name);
            self.schema.relation(&name).filter(|r| r.kind == RelationKind::Table).map(|relation| (name, relation))
        };
        let whole = table.partition_of.as_ref().and_then(found);
        if let Some((name, _)) = whole.filter(|(_, relation)| !relation.partitioned && relation.parent.is_none()) {
            return Some(format!("\"{}\" is not partitioned", name.name));
        }
        table.inherits.iter().filter_map(found).find_map(|(name, relation)| {
            let what = match relation.partitioned {
                true => "partitioned table",
                false if self.is_partition(relation) => "partition",
                false => return None,
            };
            Some(format!("cannot inherit from {what} \"{}\"", name.name))
        })
    }

    /// `CREATE TYPE`, `CREATE DOMAIN`
    pub(super) fn create_type(&self, name: &Name, definition: &TypeDefinition) -> Option<String> {
        let resolved = self.schema.resolve(name);
        // Its rows have a type of its name.
        let row = self.schema.relation(&resolved).filter(|relation| relation.kind != RelationKind::Sequence);
        if row.is_some() {
            return Some(format!("type \"{}\" already exists", resolved.name));
        }
        match definition {
            TypeDefinition::Enum(labels) => {
                repeated(labels).map(|label| format!("enum label \"{label}\" is there twice"))
            }
            TypeDefinition::Composite(attributes) => repeated(attributes.iter().map(|(attribute, _)| attribute))
                .map(|attribute| format!("column \"{attribute}\" specified more than once")),
            TypeDefinition::Domain { .. } | TypeDefinition::Range(_) | TypeDefinition::Other => None,
        }
    }

    /// `ALTER DOMAIN`
    pub(super) fn alter_domain(&self, name: &Name, change: &DomainChange) -> Option<String> {
        let name = self.schema.resolve_type(name);
        let definition = self.schema.user_type(&name)?;
        let UserType::Domain { checks, .. } = definition else {
            return Some(format!("\"{}\" is not a domain", name.name));
        };
        let looks = match change {
            DomainChange::SetNotNull | DomainChange::Validate { .. } => true,
            DomainChange::AddCheck { not_valid, .. } => !not_valid,
            _ => false,
        };
        if let Some((table, column)) = self.holding_parts(&name).filter(|_| looks) {
            return Some(format!(
                "cannot alter type \"{}\" because column \"{}.{column}\" uses it",
                name.name, table.name
            ));
        }
        match change {
            DomainChange::AddCheck { check: DomainCheck { name: Some(check), .. }, .. } => checks
                .contains_key(check)
                .then(|| format!("constraint \"{check}\" for domain \"{}\" already exists", name.name)),
            DomainChange::Validate { name: check } => (!checks.contains_key(check))
                .then(|| format!("constraint \"{check}\" of domain \"{}\" does not exist", name.name)),
            _ => None,
        }
    }

    /// A column of a table whose values have values of a type in them: arrays of it, ranges, and composite types, however deep. PostgreSQL does
    /// not look there.
    fn holding_parts(&self, of: &QName) -> Option<(QName, Ident)> {
        // Each type with whether its values hold those of the type asked for in parts of them: a domain over a domain is that domain.
        let mut open = vec![(of.clone(), false)];
        let mut seen = Vec::new();
        while let Some((name, deep)) = open.pop() {
            if seen.contains(&(name.clone(), deep)) {
                continue;
            }
            let held = |data_type: &TypeName| deep || data_type.is_array();
            for (table, column) in self.schema.columns_of_type(&name) {
                let found = self.schema.relation(&table).filter(|relation| relation.kind == RelationKind::Table);
                let found = found.and_then(|relation| relation.column(&column)?.data_type.as_ref());
                if found.is_some_and(held) {
                    return Some((table, column));
                }
            }
            let shown = name.to_string();
            for (other, definition) in self.schema.user_types() {
                let inside = !matches!(definition, UserType::Domain { .. });
                let parts = definition.parts().filter(|part| part.base() == shown);
                open.extend(parts.map(|part| (other.clone(), inside || held(part))));
            }
            // The rows of a table are values of a composite type, too.
            open.extend(self.schema.type_users(&name).into_iter().filter_map(|(table, user)| match user {
                TypeUser::Column(_) => Some((table, true)),
                _ => None,
            }));
            seen.push((name, deep));
        }
        None
    }

    /// `ALTER TYPE` of a composite type
    pub(super) fn alter_composite(&self, name: &Name, change: &AttributeChange, cascade: bool) -> Option<String> {
        let name = self.schema.resolve_type(name);
        let UserType::Composite(attributes) = self.schema.user_type(&name)? else { return None };
        if !cascade && self.schema.of_type(&name).next().is_some() {
            return Some(format!("cannot alter type \"{}\" because it is the type of a typed table", name.name));
        }
        let retypes = matches!(change, AttributeChange::SetType { .. });
        let used = || self.schema.columns_of_type(&name).into_iter().next().or_else(|| self.holding_parts(&name));
        if let Some((table, column)) = retypes.then(used).flatten() {
            return Some(format!(
                "cannot alter type \"{}\" because column \"{}.{column}\" uses it",
                name.name, table.name
            ));
        }
        let known = |attribute: &Ident| attributes.iter().any(|(known, _)| known == attribute);
        let missing = |attribute: &Ident| {
            (!known(attribute)).then(|| format!("column \"{attribute}\" of relation \"{}\" does not exist", name.name))
        };
        let exists = |attribute: &Ident| {
            known(attribute).then(|| format!("column \"{attribute}\" of relation \"{}\" already exists", name.name))
        };
        match change {
            AttributeChange::Add { attribute, .. } => exists(attribute),
            AttributeChange::Drop { attribute } | AttributeChange::SetType { attribute, .. } => missing(attribute),
            AttributeChange::Rename { from, to } => missing(from).or_else(|| exists(to)),
        }
    }

    /// `ALTER TABLE … OF`, `NOT OF`
    pub(super) fn of_type(&self, table: &QName, relation: &Relation, of: Option<&Name>) -> Option<String> {
        let Some(of) = of else {
            return relation.of_type.is_none().then(|| format!("\"{}\" is not a typed table", table.name));
        };
        let of = self.schema.resolve_type(of);
        let UserType::Composite(attributes) = self.schema.user_type(&of)? else {
            return Some(format!("type {of} is not a composite type"));
        };
        if relation.parent.is_some() {
            return Some("typed tables cannot inherit".to_owned());
        }
        let mut columns = relation.columns.iter();
        for (attribute, data_type) in attributes {
            let Some(column) = columns.next() else { return Some(format!("table is missing column \"{attribute}\"")) };
            if column.name != *attribute {
                return Some(format!("table has column \"{}\" where type requires \"{attribute}\"", column.name));
            }
            if column.data_type.as_ref().is_some_and(|is| is != data_type) {
                return Some(format!("table \"{}\" has different type for column \"{attribute}\"", table.name));
            }
        }
        columns.next().map(|column| format!("table has extra column \"{}\"", column.name))
    }

    /// `REPLICA IDENTITY USING INDEX`
    pub(super) fn identity(table: &QName, relation: &Relation, identity: &ReplicaIdentity) -> Option<String> {
        let ReplicaIdentity::Index(index) = identity else { return None };
        let Some(found) = relation.indexes.get(index) else {
            return Some(format!("index \"{index}\" for table \"{}\" does not exist", table.name));
        };
        let nullable = |column: &&Ident| relation.column(column).is_some_and(|column| !column.not_null);
        let why = match found.plain_key() {
            _ if !found.unique => "it is not unique".to_owned(),
            None => "it is partial, or on an expression".to_owned(),
            Some(_) if found.deferrable => "it is of a deferrable key".to_owned(),
            Some(key) => match key.iter().find(nullable) {
                Some(column) => format!("column \"{column}\" is nullable"),
                None => return None,
            },
        };
        Some(format!("index \"{index}\" cannot be used as replica identity because {why}"))
    }
}
