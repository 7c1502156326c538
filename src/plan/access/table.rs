//! What a change of a table touches.

use super::Reader;
use crate::plan::key::{Aspect, Key, default_of, nullness_of, shape_of, width_of};
use crate::schema::{QName, Relation, Rule, UserType};
use crate::sql::operation::{ConstraintKind, DefaultValue, Ident, ReplicaIdentity, TableChange};

impl Reader<'_> {
    pub(super) fn change(&mut self, table: &QName, change: &TableChange) {
        let column_key = |column: &Ident| Key::Column(table.clone(), column.clone());
        if alters_likeness(change) {
            self.access.precedes.insert(Key::Of(table.clone(), Aspect::Likeness));
        }
        match change {
            TableChange::AddColumn { column, constraints, .. } => {
                self.access.precedes.insert(shape_of(table));
                self.access.follows.insert(width_of(table));
                self.access.uses.insert(Key::Of(table.clone(), Aspect::Parent));
                if constraints.iter().any(|constraint| is_unique(&constraint.kind)) {
                    self.access.precedes.insert(Key::Of(table.clone(), Aspect::UniqueRules));
                }
                self.data_type(&column.data_type);
                self.access.defines.insert(column_key(&column.name));
                for constraint in constraints {
                    self.constraint(table, &constraint.kind, false);
                }
                // Rows that are there point to something only if they get a value.
                if !matches!(column.default, None | Some(DefaultValue::Null)) {
                    let targets = constraints.iter().filter_map(|constraint| match &constraint.kind {
                        ConstraintKind::ForeignKey { target, .. } => Some(self.schema.resolve(target)),
                        _ => None,
                    });
                    self.access.follows.extend(targets.map(Key::Rows));
                }
                // Rows that are there have no value for it.
                if column.not_null && matches!(column.default, None | Some(DefaultValue::Null)) {
                    self.access.follows.insert(Key::Rows(table.clone()));
                }
                // A default may call a function of the release.
                self.runs(&column.runs);
            }
            TableChange::DropColumn { column, .. } => {
                self.access.precedes.insert(shape_of(table));
                self.access.uses.insert(Key::Of(table.clone(), Aspect::Parent));
                self.access.follows.insert(Key::Named(table.clone(), column.clone()));
                self.column_type(table, column);
                self.access.precedes.insert(Key::FunctionUsers);
                // Its table can have another primary key then.
                let key = self.schema.relation(table).and_then(Relation::primary_key);
                if key.is_some_and(|key| key.contains(column)) {
                    self.access.defines.insert(Key::Of(table.clone(), Aspect::PrimaryKey));
                }
                let schema = self.schema;
                let heirs = schema.children(table);
                for of in std::iter::once(table).chain(heirs) {
                    let rules = schema.relation(of).map(|r| rules_on(r, column)).unwrap_or_default();
                    for part in rules {
                        // Some are indexes, whose names are the relations'.
                        self.defines_relation(QName { schema: of.schema.clone(), name: part.clone() });
                        self.access.defines.insert(Key::Of(of.clone(), Aspect::Named(part)));
                    }
                }
                self.access.defines.insert(column_key(column));
            }
            TableChange::RenameColumn { from, to } => {
                self.access.precedes.insert(shape_of(table));
                self.access.uses.insert(Key::Of(table.clone(), Aspect::Parent));
                self.access.follows.insert(Key::Named(table.clone(), from.clone()));
                self.access.defines.insert(column_key(from));
                self.access.defines.insert(column_key(to));
            }
            TableChange::SetType { column, data_type, .. } => {
                self.access.uses.insert(Key::Of(table.clone(), Aspect::Parent));
                self.column_type(table, column);
                self.data_type(data_type);
                self.access.follows.insert(Key::Rows(table.clone()));
                self.loosens(table, std::slice::from_ref(column));
                let rules = self.schema.relation(table).map(|r| rules_on(r, column)).unwrap_or_default();
                self.access.uses.extend(rules.into_iter().map(|part| Key::Of(table.clone(), Aspect::Named(part))));
                self.access.defines.insert(column_key(column));
            }
            TableChange::SetNotNull { column, name, .. } => {
                self.access.follows.insert(Key::Rows(table.clone()));
                self.access.defines.extend(name.iter().map(|name| Key::Of(table.clone(), Aspect::Named(name.clone()))));
                self.access.uses.insert(column_key(column));
                self.access.defines.insert(nullness_of(table, column));
            }
            // Whatever used the column goes on as it did.
            TableChange::DropNotNull { column } => {
                self.loosens(table, std::slice::from_ref(column));
                self.access.extends.insert(column_key(column));
                self.access.defines.insert(nullness_of(table, column));
            }
            // What reads the column does not ask how it is filled; what leaves it out does.
            TableChange::SetDefault { column, runs, .. } => {
                self.runs(runs);
                self.access.uses.insert(column_key(column));
                self.access.defines.insert(default_of(table, column));
            }
            TableChange::DropDefault { column } => {
                self.access.precedes.insert(Key::FunctionUsers);
                self.access.uses.insert(column_key(column));
                self.access.defines.insert(default_of(table, column));
            }
            // What points to the column, or reads it, does not ask either; an INSERT may write it no longer.
            TableChange::SetIdentity { column, .. } => {
                self.access.precedes.insert(Key::FunctionUsers);
                self.access.follows.insert(Key::Rows(table.clone()));
                self.access.uses.insert(nullness_of(table, column));
                self.access.defines.insert(default_of(table, column));
                self.access.extends.insert(column_key(column));
            }
            TableChange::DropGenerated { column, .. } => {
                self.access.precedes.insert(Key::FunctionUsers);
                self.access.defines.insert(default_of(table, column));
                self.access.defines.insert(column_key(column));
            }
            TableChange::AddConstraint(definition) => {
                self.constraint(table, &definition.kind, true);
                self.access.uses.extend(definition.covers.iter().map(column_key));
                // What comes to be a part of the table that it points to gets a key of its own, which is valid.
                if let ConstraintKind::ForeignKey { target, .. } = &definition.kind
                    && definition.not_valid
                {
                    self.access.uses.insert(Key::Of(self.schema.resolve(target), Aspect::Partitions));
                }
                if definition.kind.is_primary() {
                    self.access.defines.insert(Key::Of(table.clone(), Aspect::PrimaryKey));
                }
                if is_unique(&definition.kind) {
                    self.access.precedes.insert(Key::Of(table.clone(), Aspect::UniqueRules));
                }
                let part = definition.name.clone().map_or(Aspect::UnnamedConstraint, Aspect::Named);
                self.access.defines.insert(Key::Of(table.clone(), part));
            }
            TableChange::DropConstraint { name, .. } => {
                if let Some(Rule::ForeignKey { target, .. }) =
                    self.schema.relation(table).and_then(|r| r.constraints.get(name)).map(|c| &c.kind)
                {
                    self.access.uses.insert(Key::Relation(target.clone()));
                }
                let rule = self.schema.relation(table).and_then(|r| r.constraints.get(name)).map(|c| c.kind.clone());
                if let Some(rule) = &rule {
                    self.loosens(table, rule.columns());
                }
                if matches!(rule, Some(Rule::PrimaryKey { .. })) {
                    self.access.defines.insert(Key::Of(table.clone(), Aspect::PrimaryKey));
                }
                if rule.is_some_and(|rule| rule.has_index()) {
                    self.defines_relation(QName { schema: table.schema.clone(), name: name.clone() });
                }
                self.access.defines.insert(Key::Of(table.clone(), Aspect::Named(name.clone())));
            }
            TableChange::RenameConstraint { from, to } => {
                self.access.defines.insert(Key::Of(table.clone(), Aspect::Named(from.clone())));
                self.access.defines.insert(Key::Of(table.clone(), Aspect::Named(to.clone())));
            }
            TableChange::ValidateConstraint { name } => {
                let rule = self.schema.relation(table).and_then(|r| r.constraints.get(name)).map(|c| c.kind.clone());
                if let Some(Rule::Check { columns, .. }) = rule {
                    self.composites(table, &columns);
                }
                self.access.follows.insert(Key::Rows(table.clone()));
                self.access.defines.insert(Key::Of(table.clone(), Aspect::Named(name.clone())));
            }
            TableChange::AlterConstraint { name } | TableChange::SwitchTrigger { name, .. } => {
                self.access.defines.insert(Key::Of(table.clone(), Aspect::Named(name.clone())));
            }
            TableChange::RowSecurity { .. } | TableChange::ForceRowSecurity { .. } => {
                self.access.defines.insert(Key::Of(table.clone(), Aspect::RowSecurity));
            }
            TableChange::Owner { .. } => {
                self.access.defines.insert(Key::Of(table.clone(), Aspect::Owner));
            }
            TableChange::AttachPartition { partition, .. } | TableChange::DetachPartition { partition, .. } => {
                let partition = self.schema.resolve(partition);
                self.access.defines.insert(Key::Of(table.clone(), Aspect::Named(partition.name.clone())));
                if matches!(change, TableChange::AttachPartition { is_default: true, .. }) {
                    self.access.defines.insert(Key::Of(table.clone(), Aspect::DefaultPartition));
                }
                self.default_partition(table, &partition);
                // Both have the same columns when the one comes, and the columns of their own once it has gone.
                self.all_columns(table);
                self.handed_down(table);
                self.all_columns(&partition);
                self.handed_down(&partition);
                self.access.defines.insert(Key::Of(table.clone(), Aspect::Partitions));
                self.access.defines.insert(Key::Of(partition.clone(), Aspect::Parent));
                self.uses_relation(&partition);
            }
            // What is named as the table is the index.
            TableChange::AttachIndex { index } => {
                for name in [table.clone(), self.schema.resolve(index)] {
                    if let Some(owner) = self.schema.index_table(&name).cloned() {
                        self.access.uses.insert(Key::Relation(owner.clone()));
                        self.access.defines.insert(Key::Of(owner, Aspect::Named(name.name)));
                    }
                }
            }
            TableChange::Inherit { parent, .. } => {
                let parent = self.schema.resolve(parent);
                self.all_columns(&parent);
                self.handed_down(&parent);
                self.all_columns(table);
                self.handed_down(table);
                self.access.defines.insert(Key::Of(table.clone(), Aspect::Parent));
                self.access.defines.insert(Key::Of(parent.clone(), Aspect::Heirs));
                self.uses_relation(&parent);
            }
            TableChange::SetLogged { .. } | TableChange::Physical { .. } | TableChange::ReplicaIdentity(_) => {
                if let TableChange::ReplicaIdentity(ReplicaIdentity::Index(index)) = change {
                    self.access.uses.insert(Key::Of(table.clone(), Aspect::Named(index.clone())));
                    self.handed_down(table);
                }
                // What is said of a column goes with it.
                if let TableChange::Physical { what, of: Some(of) } = change {
                    let part = Key::Of(table.clone(), Aspect::Named(of.clone()));
                    self.access.uses.insert(if *what == "cluster" { part } else { column_key(of) });
                }
                self.access.defines.insert(Key::Of(table.clone(), Aspect::Storage));
            }
        }
    }

    /// Of a value of a composite type a check may ask for all its attributes: `a IS NOT NULL`.
    fn composites(&mut self, table: &QName, columns: &[Ident]) {
        let composite = |column: &Ident| {
            let data_type = self.schema.relation(table)?.column(column)?.data_type.as_ref()?.base().into_owned();
            let is = matches!(self.schema.user_type_named(&data_type), Some(UserType::Composite(_)));
            is.then_some(Key::Type(data_type))
        };
        let found: Vec<Key> = columns.iter().filter_map(composite).collect();
        self.access.uses.extend(found);
    }

    pub(super) fn constraint(&mut self, table: &QName, kind: &ConstraintKind, existing_table: bool) {
        let (columns, target) = match kind {
            ConstraintKind::PrimaryKey { columns }
            | ConstraintKind::Unique { columns, .. }
            | ConstraintKind::Exclude { columns, .. }
            | ConstraintKind::Check { columns, .. } => (columns.as_slice(), None),
            ConstraintKind::ForeignKey { columns, target, target_columns, .. } => {
                (columns.as_slice(), Some((self.schema.resolve(target), target_columns)))
            }
            ConstraintKind::UsingIndex { index, .. } => {
                self.access.defines.insert(Key::Of(table.clone(), Aspect::Named(index.clone())));
                self.handed_down(table);
                (&[][..], None)
            }
        };
        if existing_table {
            if matches!(kind, ConstraintKind::Check { .. }) {
                self.composites(table, columns);
            }
            self.access.follows.insert(Key::Rows(table.clone()));
            self.access.uses.extend(columns.iter().map(|c| Key::Column(table.clone(), c.clone())));
            // A primary key makes its columns NOT NULL, and a check may show that they are.
            if matches!(kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Check { .. }) {
                self.access.uses.extend(columns.iter().map(|column| nullness_of(table, column)));
            }
        }
        if let Some((target, columns)) = target {
            if existing_table {
                self.access.follows.insert(Key::Rows(target.clone()));
            }
            let mut columns = columns.clone();
            if columns.is_empty() {
                columns = self.schema.relation(&target).and_then(Relation::primary_key).unwrap_or_default().to_vec();
            }
            self.access.uses.extend(columns.into_iter().map(|c| Key::Column(target.clone(), c)));
            // The key needs a unique index on its target: whichever of the release makes it.
            self.access.follows.insert(Key::Of(target.clone(), Aspect::UnnamedConstraint));
            self.access.follows.insert(Key::Of(target.clone(), Aspect::PrimaryKey));
            self.access.follows.insert(Key::Of(target.clone(), Aspect::References));
            self.access.uses.insert(Key::Relation(target));
        }
    }
}

/// Whether a change is to something that `LIKE` copies.
fn alters_likeness(change: &TableChange) -> bool {
    match change {
        TableChange::AddConstraint(definition) => !matches!(definition.kind, ConstraintKind::ForeignKey { .. }),
        TableChange::AddColumn { .. }
        | TableChange::DropColumn { .. }
        | TableChange::RenameColumn { .. }
        | TableChange::SetType { .. }
        | TableChange::SetNotNull { .. }
        | TableChange::DropNotNull { .. }
        | TableChange::SetDefault { .. }
        | TableChange::DropDefault { .. }
        | TableChange::SetIdentity { .. }
        | TableChange::DropGenerated { .. }
        | TableChange::DropConstraint { .. }
        | TableChange::RenameConstraint { .. } => true,
        TableChange::ValidateConstraint { .. }
        | TableChange::AlterConstraint { .. }
        | TableChange::SwitchTrigger { .. }
        | TableChange::RowSecurity { .. }
        | TableChange::ForceRowSecurity { .. }
        | TableChange::Owner { .. }
        | TableChange::AttachPartition { .. }
        | TableChange::DetachPartition { .. }
        | TableChange::AttachIndex { .. }
        | TableChange::Inherit { .. }
        | TableChange::SetLogged { .. }
        | TableChange::Physical { .. }
        | TableChange::ReplicaIdentity(_) => false,
    }
}

/// Constraints and indexes that go with a column.
fn rules_on(relation: &Relation, column: &Ident) -> Vec<Ident> {
    let constraints = relation.constraints.iter().filter(|(_, c)| c.kind.columns().contains(column)).map(|(n, _)| n);
    let indexes = relation.indexes.iter().filter(|(_, i)| i.uses(column)).map(|(n, _)| n);
    constraints.chain(indexes).cloned().collect()
}

fn is_unique(kind: &ConstraintKind) -> bool {
    match kind {
        ConstraintKind::PrimaryKey { .. }
        | ConstraintKind::Unique { .. }
        | ConstraintKind::UsingIndex { .. }
        | ConstraintKind::Exclude { .. } => true,
        ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } => false,
    }
}
