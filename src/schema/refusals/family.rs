//! What PostgreSQL refuses of tables that inherit from each other, and of partitions.

use super::Catalog;
use crate::schema::Schema;
use crate::schema::model::{Column, QName, Relation, TableRule};
use crate::sql::Name;
use crate::sql::operation::{
    ConstraintDefinition, ConstraintKind, DefaultValue, Ident, Operation, RelationKind, TableChange,
};

impl Catalog<'_> {
    /// A change of a table that has others above or below it.
    pub(super) fn family(&self, name: &QName, relation: &Relation, only: bool, change: &TableChange) -> Option<String> {
        match change {
            TableChange::Inherit { parent, attach } => self.inherit(name, relation, parent, *attach),
            TableChange::OfType(of) => self.of_type(name, relation, of.as_ref()),
            TableChange::AttachPartition { partition, .. } => self.attach(name, relation, partition),
            TableChange::DetachPartition { concurrently: true, .. } if relation.default_partition.is_some() => {
                Some("cannot detach partitions concurrently when a default partition exists".to_owned())
            }
            TableChange::DetachPartition { partition, .. } => {
                let partition = self.schema.resolve(partition);
                let found = self.schema.relation(&partition)?;
                (found.parent.as_ref() != Some(name)).then(|| {
                    format!("relation \"{}\" is not a partition of relation \"{}\"", partition.name, name.name)
                })
            }
            TableChange::DropNotNull { column } => {
                let parent = relation.parent.as_ref().and_then(|parent| self.schema.relation(parent));
                let demanded = parent.filter(|parent| parent.partitioned).and_then(|parent| parent.column(column));
                demanded
                    .is_some_and(|column| column.not_null)
                    .then(|| format!("column \"{column}\" is marked NOT NULL in parent table"))
            }
            TableChange::DropColumn { column, .. } => {
                relation.column(column)?;
                (only && self.has_partitions(name, relation))
                    .then(|| "cannot drop column from only the partitioned table when partitions exist".into())
            }
            TableChange::AddConstraint(definition) if only => self.of_one(name, relation, definition),
            _ => None,
        }
    }

    /// A constraint that `ONLY` the table above others is to have.
    fn of_one(&self, name: &QName, relation: &Relation, definition: &ConstraintDefinition) -> Option<String> {
        let mut children = self.schema.children(name).filter_map(|child| self.schema.relation(child));
        let lacks = match &definition.kind {
            ConstraintKind::Check { .. } => !definition.no_inherit && children.any(|c| c.kind == RelationKind::Table),
            ConstraintKind::PrimaryKey { columns } if relation.partitioned => {
                let nullable = |child: &Relation, key: &Ident| child.column(key).is_some_and(|column| !column.not_null);
                children.any(|child| columns.iter().any(|key| nullable(child, key)))
            }
            ConstraintKind::ForeignKey { .. } if relation.partitioned => {
                return Some(format!("cannot use ONLY for foreign key on partitioned table \"{}\"", name.name));
            }
            _ => false,
        };
        lacks.then(|| "constraint must be added to child tables too".to_owned())
    }

    fn is_table(&self, name: &QName) -> bool {
        self.schema.relation(name).is_some_and(|relation| relation.kind == RelationKind::Table)
    }

    fn has_partitions(&self, name: &QName, relation: &Relation) -> bool {
        relation.partitioned && self.schema.children(name).next().is_some()
    }

    /// `INHERIT`, `NO INHERIT`
    fn inherit(&self, name: &QName, relation: &Relation, parent: &Name, attach: bool) -> Option<String> {
        let parent = self.schema.resolve(parent);
        let above = self.schema.relation(&parent)?;
        if self.is_partition(relation) {
            return Some("cannot change inheritance of a partition".to_owned());
        }
        if relation.partitioned {
            return Some("cannot change inheritance of partitioned table".to_owned());
        }
        if !attach {
            // Of several parents only one is known.
            let none = relation.parent.is_none();
            return none.then(|| format!("relation \"{}\" is not a parent of relation \"{}\"", parent.name, name.name));
        }
        if above.partitioned {
            return Some(format!("cannot inherit from partitioned table \"{}\"", parent.name));
        }
        if relation.parent.as_ref() == Some(&parent) {
            return Some(format!("relation \"{}\" would be inherited from more than once", parent.name));
        }
        if parent == *name || self.schema.ancestors(&parent).any(|above| above == name) {
            return Some("circular inheritance not allowed".to_owned());
        }
        Self::unlike(above, name, relation)
    }

    /// `ATTACH PARTITION`
    fn attach(&self, name: &QName, relation: &Relation, partition: &Name) -> Option<String> {
        let partition = self.schema.resolve(partition);
        let found = self.schema.relation(&partition)?;
        if !found.partitioned && self.schema.children(&partition).any(|child| self.is_table(child)) {
            return Some("cannot attach inheritance parent as partition".to_owned());
        }
        let known = relation.columns_known && found.columns_known;
        let more = found.columns.iter().find(|column| known && relation.column(&column.name).is_none());
        if let Some(column) = more {
            return Some(format!(
                "table \"{}\" contains column \"{}\" not found in parent \"{}\"",
                partition.name, column.name, name.name
            ));
        }
        Self::unlike(relation, &partition, found)
    }

    /// What a table lacks to be one of those below another.
    fn unlike(above: &Relation, name: &QName, relation: &Relation) -> Option<String> {
        if !above.columns_known || !relation.columns_known {
            return None;
        }
        for column in &above.columns {
            let Some(own) = relation.column(&column.name) else {
                return Some(format!("child table is missing column \"{}\"", column.name));
            };
            if is_of_another_type(column, own) {
                return Some(format!(
                    "child table \"{}\" has different type for column \"{}\"",
                    name.name, column.name
                ));
            }
            if column.not_null && !own.not_null {
                return Some(format!("column \"{}\" in child table must be marked NOT NULL", column.name));
            }
            let generated =
                |c: &Column| matches!(c.default, Some(DefaultValue::GeneratedStored | DefaultValue::GeneratedVirtual));
            if generated(column) != generated(own) {
                return Some(format!(
                    "column \"{}\" in child table must be a generated column, or must not be",
                    column.name
                ));
            }
        }
        // Of a table that is not partitioned nothing tells which checks are NO INHERIT.
        let mut checks =
            above.constraints.iter().filter(|(_, c)| above.partitioned && matches!(c.kind, TableRule::Check { .. }));
        let (lacking, _) = checks.find(|(check, _)| !relation.constraints.contains_key(*check))?;
        Some(format!("child table is missing constraint \"{lacking}\""))
    }
}

/// Why PostgreSQL refuses the sub-commands of one statement together: those that go down to the tables below in a pass of their own find that
/// the column is gone there already. The place of the one that fails. `by_constraint`: NOT NULL is a constraint, which goes with its column.
pub(in crate::schema) fn together(
    schema: &Schema,
    operations: &[&Operation],
    by_constraint: bool,
) -> Option<(usize, String)> {
    let changes = || {
        operations.iter().enumerate().filter_map(|(at, operation)| match operation {
            Operation::AlterTable { table, change, only: false, .. } => Some((at, schema.resolve(table), change)),
            _ => None,
        })
    };
    let dropped = |column: &Ident| {
        changes().any(|(_, _, c)| matches!(c, TableChange::DropColumn { column: gone, .. } if gone == column))
    };
    changes().find_map(|(at, table, change)| {
        let column = match change {
            TableChange::DropNotNull { column } if !by_constraint => column,
            TableChange::DropDefault { column } | TableChange::DropGenerated { column, .. } => column,
            _ => return None,
        };
        let child = schema.children(&table).next().filter(|_| dropped(column))?;
        Some((at, format!("column \"{column}\" of relation \"{}\" does not exist", child.name)))
    })
}

/// Whether two columns are known to be of different types. Aliases are spelled alike, lengths are not told apart here.
fn is_of_another_type(one: &Column, other: &Column) -> bool {
    let base = |column: &Column| column.data_type.as_ref().map(|data_type| data_type.base().into_owned());
    matches!((base(one), base(other)), (Some(one), Some(other)) if one != other)
}
