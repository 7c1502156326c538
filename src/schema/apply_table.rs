//! `CREATE TABLE` and the sub-commands of `ALTER TABLE`.

use super::Schema;
use super::apply::Change;
use super::model::{Column, Constraint, Index, QName, Relation, TableRule, UserType};
use super::naming;
use super::resolve::{COUNTERS, default_fails, is_null};
use crate::shared::Shared;
use crate::sql::TypeName;
use crate::sql::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateTable, DefaultValue, Ident, Like, RelationKind,
    TableChange,
};
use crate::sql::query::{At, Expr, Kept};
use std::sync::Arc;

impl Change {
    /// The columns that the LIKE elements written at some places bring.
    fn alike(&self, table: &CreateTable, places: std::ops::Range<usize>) -> Vec<Shared<Column>> {
        let mut columns = Vec::new();
        for like in table.like.iter().filter(|like| places.contains(&like.at)) {
            let other = self.schema.resolve(&like.name);
            let Some(other) = self.schema.relation(&other) else { continue };
            columns.extend(other.columns.iter().cloned().map(|mut column| {
                let kept = match &column.default {
                    Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault) => like.identity,
                    Some(DefaultValue::GeneratedStored | DefaultValue::GeneratedVirtual) => like.generated,
                    None
                    | Some(
                        DefaultValue::Null
                        | DefaultValue::Constant
                        | DefaultValue::Stable
                        | DefaultValue::Volatile
                        | DefaultValue::Failing,
                    ) => like.defaults,
                };
                if !kept {
                    column.default = None;
                }
                column.holds = None;
                column
            }));
        }
        columns
    }

    /// What a LIKE brings that has a name of its own: checks keep theirs; sequences, keys and indexes get new ones.
    fn rules_of(&mut self, like: &Like, name: &QName) {
        let other_name = self.schema.resolve(&like.name);
        let Some(other) = self.schema.relation(&other_name).cloned() else {
            self.missing(format!("relation {other_name}"));
            return;
        };
        let identity = |c: &&Shared<Column>| {
            matches!(c.default, Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault))
        };
        for column in other.columns.iter().filter(|_| like.identity).filter(identity) {
            self.sequence_named(name, &column.name, true);
        }
        let checks =
            other.constraints.iter().filter(|(_, c)| like.constraints && matches!(c.kind, TableRule::Check { .. }));
        let checks: Vec<_> = checks.map(|(check, c)| (check.clone(), c.clone())).collect();
        self.edit(name, |t| t.constraints.extend(checks));
        if like.indexes {
            self.partition_indexes(name, &other_name, false);
        }
    }

    pub(super) fn create_table(&mut self, table: &CreateTable) {
        let name = match table.temporary {
            true => QName::new(super::TEMPORARY, table.name.name.clone()),
            false => self.created(&table.name),
        };
        if let Some(found) = self.schema.relation(&name) {
            let known = |column: &&ColumnDefinition| found.column(&column.name).is_some();
            let lacking = table.columns.iter().find(|column| found.columns_known && !known(column));
            let skipped = lacking.map(|column| {
                format!(
                    "{} {name} is there already, without a column {}",
                    found.kind.keyword().to_ascii_lowercase(),
                    column.name
                )
            });
            match skipped {
                _ if !table.if_not_exists => self.exists(format!("relation {name}")),
                Some(why) => self.skipped(why),
                None => {}
            }
            return;
        }
        if self.schema.index_table(&name).is_some() {
            return match table.if_not_exists {
                true => self.skipped(format!("{name} is an index already")),
                false => self.exists(format!("relation {name}")),
            };
        }
        let mut relation = self.newborn(&name, RelationKind::Table);
        relation.partitioned = table.partitioned;
        relation.unlogged = table.unlogged;
        relation.bound.clone_from(&table.bound);
        relation.partition_key.clone_from(&table.partition_key);
        for parent in table.inherits.iter().chain(&table.partition_of) {
            let parent = self.schema.resolve(parent);
            self.touch(&parent);
            match self.schema.relation(&parent) {
                Some(above) => {
                    inherit(&mut relation, above);
                    if table.partition_of.is_some() {
                        relation.take_triggers_of(above);
                    }
                }
                None => self.missing(format!("table {parent}")),
            }
            if table.is_default {
                self.edit(&parent, |p| p.default_partition = Some(name.clone()));
            }
            relation.parent = Some(parent);
        }
        if !table.inherits.is_empty() {
            relation.own = table.columns.iter().map(|column| column.name.clone()).collect();
        }
        if let Some((query, body)) = &table.query {
            let (columns, _) = self.typed(query, body);
            relation.columns_known = columns.is_some();
            relation.columns.extend(columns.unwrap_or_default().into_iter().map(Shared::new));
            if let Some(twice) = super::refusals::repeated(relation.columns.iter().map(|column| &column.name)) {
                self.refused(format!("column \"{twice}\" specified more than once"));
                return;
            }
        }
        if let Some(of) = &table.of_type {
            let of = self.schema.resolve_type(of);
            match self.schema.user_type(&of) {
                Some(UserType::Composite(attributes)) => {
                    let column = |(name, data_type): &(Ident, crate::sql::TypeName)| {
                        Shared::new(Column { data_type: Some(data_type.clone()), ..Column::unknown(name.clone()) })
                    };
                    relation.columns.extend(attributes.iter().map(column));
                }
                _ => relation.columns_known = false,
            }
            relation.of_type = Some(of);
        }
        for (at, definition) in table.columns.iter().enumerate() {
            relation.columns.extend(self.alike(table, at..at + 1));
            relation.columns.push(self.defined(definition).into());
            relation.runs.extend(definition.runs.iter().cloned());
            relation.not_nulls.extend(named_not_null(definition));
        }
        relation.columns.extend(self.alike(table, table.columns.len()..usize::MAX));
        self.insert(name.clone(), relation);
        for column in &table.columns {
            self.sequence_for(&name, column);
        }
        for constraint in &distinct_keys(&table.constraints) {
            self.add_constraint(&name, constraint);
        }
        for like in &table.like {
            self.rules_of(like, &name);
        }
        if let Some(parent) = self.schema.relation(&name).and_then(|r| r.parent.clone())
            && table.partition_of.is_some()
        {
            self.partition_indexes(&name, &parent, false);
        }
    }

    /// A partition gets its parent's keys and indexes under names of its own; `attached`: those that it does not have already.
    fn partition_indexes(&mut self, partition: &QName, parent: &QName, attached: bool) {
        let Some(above) = self.schema.relation(parent).cloned() else { return };
        for (index_name, index) in &above.indexes {
            let key_of = |relation: &Relation, name: &Ident| relation.constraints.get(name).map(|c| c.kind.clone());
            let key = key_of(&above, index_name);
            let same = |own: &Ident, found: &Index, p: &Relation| {
                index.is_like(found) && (key.is_none() || key_of(p, own) == key)
            };
            let has = |p: &Relation| p.indexes.iter().any(|(own, found)| same(own, found, p));
            if attached && self.schema.relation(partition).is_some_and(has) {
                continue;
            }
            let key: Vec<Ident> = index.key.iter().map(|k| k.clone().unwrap_or_else(|| "expr".into())).collect();
            let rule = above.constraints.get(index_name);
            let (addition, label) = match rule.map(|c| &c.kind) {
                Some(TableRule::PrimaryKey { .. }) => (None, "pkey"),
                Some(TableRule::Unique { .. }) => (naming::addition(&key), "key"),
                _ => (naming::addition(&key), "idx"),
            };
            let name =
                naming::free_name(&partition.name, addition.as_deref(), label, |n| self.taken(&partition.schema, n));
            self.edit(partition, |p| {
                p.indexes.insert(name.clone(), index.clone());
                if let Some(rule) = rule {
                    p.constraints.insert(name, rule.clone());
                }
            });
        }
    }

    /// `serial` and identity columns own a sequence.
    fn sequence_for(&mut self, table: &QName, column: &ColumnDefinition) {
        let identity = matches!(column.default, Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault));
        if !column.serial && !identity {
            return;
        }
        let sequence = self.sequence_named(table, &column.name, identity);
        if column.serial {
            self.edit_column(table, &column.name, |c| c.draws = vec![sequence]);
        }
    }

    /// A sequence owned by a column, under the name that PostgreSQL makes up.
    fn sequence_named(&mut self, table: &QName, column: &Ident, internal: bool) -> QName {
        let name = naming::free_name(&table.name, Some(column), "seq", |n| self.taken(&table.schema, n));
        let name = QName { schema: table.schema.clone(), name };
        let mut sequence = self.newborn(&name, RelationKind::Sequence);
        sequence.owned_by = Some((table.clone(), column.clone()));
        sequence.internal = internal;
        self.insert(name.clone(), sequence);
        name
    }

    fn add_constraint(&mut self, table: &QName, definition: &ConstraintDefinition) {
        let there = |name: &Ident| self.schema.relation(table).is_some_and(|r| r.constraints.contains_key(name));
        if definition.if_not_exists && definition.name.as_ref().is_some_and(there) {
            return;
        }
        let (kind, addition, label) = match &definition.kind {
            ConstraintKind::PrimaryKey { columns } => {
                (TableRule::PrimaryKey { columns: columns.clone() }, None, "pkey")
            }
            ConstraintKind::Unique { columns, .. } => {
                (TableRule::Unique { columns: columns.clone() }, naming::addition(columns), "key")
            }
            ConstraintKind::Check { columns, not_null, expression, .. } => {
                // PostgreSQL names a check after its column if it mentions just one.
                let known = self.schema.relation(table).map_or(&[][..], |r| &r.columns);
                let own: Vec<_> = columns.iter().filter(|c| known.iter().any(|k| k.name == **c)).cloned().collect();
                let addition = if let [one] = own.as_slice() { Some(one.to_string()) } else { None };
                let rule = TableRule::Check { columns: own, not_null: *not_null, expression: expression.clone() };
                (rule, addition, "check")
            }
            ConstraintKind::ForeignKey { columns, target, target_columns, on_delete, follows } => {
                let target = self.schema.resolve(target);
                let mut target_columns = target_columns.clone();
                if target_columns.is_empty()
                    && let Some(key) = self.schema.relation(&target).and_then(Relation::primary_key)
                {
                    target_columns = key.to_vec();
                }
                let (on_delete, follows, columns) = (*on_delete, *follows, columns.clone());
                let addition = naming::addition(&columns);
                let rule = TableRule::ForeignKey { columns, target, target_columns, on_delete, follows };
                (rule, addition, "fkey")
            }
            ConstraintKind::Exclude { columns, .. } => {
                (TableRule::Exclude { columns: columns.clone() }, naming::addition(columns), "excl")
            }
            ConstraintKind::UsingIndex { index, primary } => {
                self.adopt_index(table, definition, index, *primary);
                return;
            }
        };
        let name = definition.name.clone().unwrap_or_else(|| {
            naming::free_name(&table.name, addition.as_deref(), label, |n| self.taken(&table.schema, n))
        });
        let not_null = matches!(kind, TableRule::PrimaryKey { .. });
        let (valid, deferrable) = (!definition.not_valid, definition.deferrable);
        let nulls_collide = matches!(definition.kind, ConstraintKind::Unique { nulls_collide: true, .. });
        if let TableRule::ForeignKey { target, .. } = &kind
            && self.schema.relation(target).is_none()
        {
            self.missing(format!("table {target}"));
        }
        self.edit(table, |relation| {
            if kind.has_index() {
                let key = kind.columns().iter().cloned().map(Some).collect();
                let unique = !matches!(kind, TableRule::Exclude { .. });
                let mentions = definition.covers.clone();
                let excludes = matches!(definition.kind, ConstraintKind::Exclude { alike: true, .. });
                let index = Index { nulls_collide, deferrable, mentions, excludes, ..Index::plain(key, unique) };
                relation.indexes.insert(name.clone(), index.into());
            }
            if not_null {
                for column in kind.columns() {
                    if let Some(column) = relation.column_mut(column) {
                        column.not_null = true;
                    }
                }
            }
            relation.constraints.insert(name, Constraint { kind, valid, enforced: definition.enforced }.into());
        });
    }

    /// `ADD CONSTRAINT … USING INDEX`: the index takes the constraint's name.
    fn adopt_index(&mut self, table: &QName, constraint: &ConstraintDefinition, index: &Ident, primary: bool) {
        let Some(definition) = self.schema.relation(table).and_then(|r| r.indexes.get(index)).cloned() else {
            self.missing(format!("index {index}"));
            return;
        };
        let columns: Vec<_> = definition.key.iter().flatten().cloned().collect();
        let definition = Index { deferrable: constraint.deferrable, method: None, ..definition.into_inner() };
        let name = constraint.name.as_ref().unwrap_or(index).clone();
        self.edit(table, |relation| {
            relation.indexes.remove(index);
            relation.indexes.insert(name.clone(), definition.into());
            if primary {
                for column in &columns {
                    if let Some(column) = relation.column_mut(column) {
                        column.not_null = true;
                    }
                }
            }
            let kind = if primary { TableRule::PrimaryKey { columns } } else { TableRule::Unique { columns } };
            relation.constraints.insert(name, Constraint { kind, valid: true, enforced: true }.into());
        });
    }

    pub(super) fn change_table(&mut self, table: &QName, change: &TableChange) {
        match change {
            TableChange::AddColumn { if_not_exists, column: definition, constraints } => {
                if self.column(table, &definition.name).is_some() {
                    if !if_not_exists {
                        self.exists(format!("column {table}.{}", definition.name));
                    }
                    return;
                }
                let column = self.defined(definition);
                self.edit(table, |relation| {
                    relation.columns.push(column.into());
                    relation.runs.extend(definition.runs.iter().cloned());
                    relation.not_nulls.extend(named_not_null(definition));
                });
                self.sequence_for(table, definition);
                for constraint in constraints {
                    self.add_constraint(table, constraint);
                }
            }
            TableChange::DropColumn { column, if_exists, .. } => {
                if self.column(table, column).is_none() {
                    if !if_exists {
                        self.missing(format!("column {table}.{column}"));
                    }
                    return;
                }
                for sequence in self.owned(table, Some(column)) {
                    self.remove(&sequence);
                }
                // With `CASCADE`; without, it is refused where there are any.
                let place = (table.clone(), column.clone());
                let shows = |view: &&QName| self.schema.relation(view).is_some_and(|v| v.read_columns.contains(&place));
                let views: Vec<QName> = self.schema.dependents(table).filter(shows).cloned().collect();
                views.iter().for_each(|view| self.remove(view));
                self.drop_readers(|read| *read == place);
                self.edit(table, |relation| drop_column(relation, column));
                self.drop_references(table, |columns| columns.contains(column));
            }
            TableChange::RenameColumn { from, to } => self.rename_column(table, from, to),
            TableChange::SetType { column, data_type, .. } => {
                let old = self.schema.relation(table).and_then(|relation| relation.column(column));
                let (default, value) = old.map(|old| (old.default, old.value.clone())).unwrap_or_default();
                // The other type may take what failed, and fail on what was taken.
                let written = default.map(|default| match default {
                    DefaultValue::Failing => DefaultValue::Constant,
                    other => other,
                });
                let default = self.default_of(written, &value, Some(data_type));
                // What the default was a value of stays part of it.
                let of = old.and_then(|old| old.data_type.clone());
                // A value of a domain is one of its base, and NULL is none of any type.
                let stays = |of: &TypeName| {
                    let made = self.schema.user_type_named(&of.base());
                    made.is_some_and(|made| !matches!(made, UserType::Domain { .. }))
                };
                let value = value.filter(|value| **value != Expr::Null);
                let of = of.filter(stays);
                let cast = |value: Arc<Expr>, of: TypeName| {
                    let inner = Expr::Cast(Box::new(Expr::clone(&value)), of, At::default());
                    Arc::new(Expr::Cast(Box::new(inner), data_type.clone(), At::default()))
                };
                let kept = value.zip(of).map(|(value, of)| cast(value, of));
                self.edit_column(table, column, |c| {
                    c.data_type = Some(data_type.clone());
                    c.default = default;
                    if kept.is_some() {
                        c.value = kept;
                    }
                });
            }
            TableChange::SetDefault { column, default, runs, value } => {
                let draws = self.drawn(value);
                let data_type =
                    self.schema.relation(table).and_then(|relation| relation.column(column)?.data_type.clone());
                let default = self.default_of(Some(*default), value, data_type.as_ref());
                self.edit_column(table, column, |c| {
                    c.default = default;
                    c.value.clone_from(value);
                    c.calls.clone_from(runs);
                    c.casts.clear();
                    c.draws = draws;
                });
                self.edit(table, |relation| relation.runs.extend(runs.iter().cloned()));
            }
            TableChange::DropDefault { column } => self.edit_column(table, column, |c| {
                c.default = None;
                c.value = None;
                c.calls.clear();
                c.casts.clear();
                c.draws.clear();
            }),
            TableChange::SetNotNull { column, name, .. } => {
                self.edit_column(table, column, |c| c.not_null = true);
                if let Some(name) = name {
                    self.edit(table, |r| _ = r.not_nulls.insert(name.clone(), column.clone()));
                }
            }
            TableChange::DropNotNull { column } => self.edit_column(table, column, |c| c.not_null = false),
            TableChange::SetIdentity { column, always, .. } => {
                let had = self.column(table, column).and_then(|c| c.default);
                let is_new = !matches!(had, Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault));
                let default = if *always { DefaultValue::IdentityAlways } else { DefaultValue::IdentityByDefault };
                self.edit_column(table, column, |c| c.default = Some(default));
                if is_new && let Some(found) = self.column(table, column) {
                    let definition = ColumnDefinition {
                        name: column.clone(),
                        data_type: found.data_type.unwrap_or_else(|| crate::sql::TypeName::canonical("bigint")),
                        not_null: true,
                        default: Some(default),
                        serial: false,
                        runs: Vec::new(),
                        needs: Vec::new(),
                        value: None,
                        not_null_name: None,
                        contradiction: None,
                    };
                    self.sequence_for(table, &definition);
                }
            }
            TableChange::DropGenerated { column, .. } => {
                let identity = self.column(table, column).is_some_and(|c| {
                    matches!(c.default, Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault))
                });
                self.edit_column(table, column, |c| c.default = None);
                let internal = |schema: &Schema, name: &QName| schema.relation(name).is_some_and(|r| r.internal);
                if identity {
                    for sequence in self.owned(table, Some(column)) {
                        // One that the column owned before is its own still.
                        if internal(&self.schema, &sequence) {
                            self.remove(&sequence);
                        }
                    }
                }
            }
            TableChange::AddConstraint(definition) => self.add_constraint(table, definition),
            TableChange::DropConstraint { name, if_exists, .. } => {
                let relation = self.schema.relation(table);
                let known = relation.and_then(|r| r.constraints.get(name)).map(|c| c.kind.clone());
                let Some(dropped) = known else {
                    if let Some(column) = relation.and_then(|r| r.not_null_named(&table.name, name)) {
                        self.edit_column(table, &column, |c| c.not_null = false);
                        self.edit(table, |r| _ = r.not_nulls.remove(name));
                        return;
                    }
                    if !if_exists {
                        self.missing(format!("constraint {name} of {table}"));
                    }
                    return;
                };
                self.edit(table, |relation| {
                    relation.constraints.remove(name);
                    relation.indexes.remove(name);
                });
                if dropped.has_index() {
                    self.drop_keys_below(table, &dropped);
                    // Foreign keys stand on the key (`CASCADE`).
                    self.drop_references(table, |columns| columns == dropped.columns());
                }
            }
            TableChange::RenameConstraint { from, to } => self.edit(table, |relation| {
                if let Some(column) = relation.not_null_named(&table.name, from) {
                    relation.not_nulls.remove(from);
                    relation.not_nulls.insert(to.clone(), column);
                }
                if let Some(constraint) = relation.constraints.remove(from) {
                    relation.constraints.insert(to.clone(), constraint);
                }
                if let Some(index) = relation.indexes.remove(from) {
                    relation.indexes.insert(to.clone(), index);
                }
            }),
            TableChange::ValidateConstraint { name } => self.edit(table, |relation| {
                if let Some(constraint) = relation.constraints.get_mut(name) {
                    constraint.valid = true;
                }
            }),
            // What binds from here on is held against the rows that there are; what does not any more, against none.
            TableChange::AlterConstraint { name, enforced } => self.edit(table, |relation| {
                if let (Some(constraint), Some(enforced)) = (relation.constraints.get_mut(name), *enforced)
                    && constraint.enforced != enforced
                {
                    constraint.enforced = enforced;
                    constraint.valid = enforced;
                }
            }),
            TableChange::RowSecurity { enabled } => self.edit(table, |r| r.row_security = *enabled),
            TableChange::ForceRowSecurity { forced } => self.edit(table, |r| r.force_row_security = *forced),
            TableChange::SwitchTrigger { name, enabled } => {
                for table in self.with_partitions(table, true) {
                    self.edit(&table, |relation| {
                        let all = matches!(&**name, "all" | "user");
                        let named = relation.triggers.iter_mut().filter(|(n, _)| all || *n == name);
                        named.for_each(|(_, on)| *on = *enabled);
                    });
                }
            }
            TableChange::AttachPartition { partition, is_default, bound } => {
                let partition = self.schema.resolve(partition);
                self.touch(table);
                if *is_default {
                    self.edit(table, |t| t.default_partition = Some(partition.clone()));
                }
                let whole = self.schema.relation(table).cloned();
                self.edit(&partition, |p| {
                    p.parent = Some(table.clone());
                    p.bound.clone_from(bound);
                    whole.iter().for_each(|whole| p.take_triggers_of(whole));
                });
                self.partition_indexes(&partition, table, true);
            }
            TableChange::DetachPartition { partition, .. } => {
                let partition = self.schema.resolve(partition);
                self.edit(table, |t| {
                    if t.default_partition.as_ref() == Some(&partition) {
                        t.default_partition = None;
                    }
                });
                let whole = self.schema.relation(table);
                let rows: Vec<Ident> = whole
                    .into_iter()
                    .flat_map(|t| &t.trigger_firings)
                    .filter(|(_, firing)| firing.each_row)
                    .map(|(name, _)| name.clone())
                    .collect();
                self.edit(&partition, |p| {
                    (p.parent, p.bound) = (None, None);
                    rows.iter().for_each(|trigger| _ = p.drop_trigger(trigger));
                });
            }
            TableChange::Inherit { parent, attach } => {
                let parent = self.schema.resolve(parent);
                self.edit(table, |t| {
                    t.parent = attach.then_some(parent);
                    t.own = t.columns.iter().filter(|_| *attach).map(|column| column.name.clone()).collect();
                });
            }
            TableChange::SetLogged { logged } => self.edit(table, |t| t.unlogged = !logged),
            TableChange::OfType(of) => {
                let of = of.as_ref().map(|of| self.schema.resolve_type(of));
                self.edit(table, |t| t.of_type = of);
            }
            TableChange::ReplicaIdentity(identity) => self.edit(table, |r| r.replica_identity = identity.clone()),
            TableChange::AttachIndex { .. } | TableChange::Owner { .. } | TableChange::Physical { .. } => {
                self.touch(table)
            }
        }
    }

    /// Partitions and inheriting tables follow their parent's columns and checks.
    pub(super) fn hand_down(&mut self, table: &QName, change: &TableChange) {
        let partitioned = self.schema.relation(table).is_some_and(|relation| relation.partitioned);
        let inherited = match change {
            // The keys of partitions get names of their own.
            TableChange::AddConstraint(definition)
                if partitioned
                    && matches!(definition.kind, ConstraintKind::PrimaryKey { .. } | ConstraintKind::Unique { .. }) =>
            {
                TableChange::AddConstraint(ConstraintDefinition { name: None, ..definition.clone() })
            }
            TableChange::AddColumn { column, .. } => {
                let column = ColumnDefinition { serial: false, ..column.clone() };
                TableChange::AddColumn { if_not_exists: true, column, constraints: Vec::new() }
            }
            TableChange::DropColumn { column, cascade, .. } => {
                TableChange::DropColumn { column: column.clone(), if_exists: true, cascade: *cascade }
            }
            TableChange::AddConstraint(definition)
                if matches!(definition.kind, ConstraintKind::Check { .. }) && !definition.no_inherit =>
            {
                change.clone()
            }
            TableChange::DropConstraint { name, cascade, .. } => {
                TableChange::DropConstraint { name: name.clone(), if_exists: true, cascade: *cascade }
            }
            TableChange::RenameColumn { .. }
            | TableChange::SetType { .. }
            | TableChange::SetDefault { .. }
            | TableChange::DropDefault { .. }
            | TableChange::SetNotNull { .. }
            | TableChange::ValidateConstraint { .. }
            | TableChange::DropNotNull { .. } => change.clone(),
            _ => return,
        };
        let is_table = |name: &&QName| self.schema.relation(name).is_some_and(|r| r.kind == RelationKind::Table);
        let children: Vec<_> = self.schema.children(table).filter(is_table).cloned().collect();
        for child in children {
            // What it has of its own stays.
            let own = matches!(&inherited, TableChange::DropColumn { column, .. } if self.owns(&child, column));
            if own {
                continue;
            }
            // One that it has already is its own from now on.
            if !matches!(&inherited, TableChange::AddConstraint(definition) if self.has_key(&child, &definition.kind)) {
                self.change_table(&child, &inherited);
            }
            self.hand_down(&child, &inherited);
        }
    }

    fn owns(&self, table: &QName, column: &Ident) -> bool {
        self.schema.relation(table).is_some_and(|relation| relation.own.contains(column))
    }

    /// Whether a table has a key like one that its parent gets.
    fn has_key(&self, table: &QName, kind: &ConstraintKind) -> bool {
        let (columns, primary) = match kind {
            ConstraintKind::PrimaryKey { columns } => (columns, true),
            ConstraintKind::Unique { columns, .. } => (columns, false),
            _ => return false,
        };
        let same = |rule: &TableRule| match rule {
            TableRule::PrimaryKey { columns: own } => primary && own == columns,
            TableRule::Unique { columns: own } => !primary && own == columns,
            _ => false,
        };
        self.schema.relation(table).is_some_and(|found| found.constraints.values().any(|c| same(&c.kind)))
    }

    /// A key of a partitioned table goes with those of its partitions.
    fn drop_keys_below(&mut self, table: &QName, key: &TableRule) {
        for partition in self.with_partitions(table, true).into_iter().skip(1) {
            let found = self.schema.relation(&partition);
            let own =
                found.and_then(|p| p.constraints.iter().find(|(_, c)| c.kind == *key)).map(|(name, _)| name.clone());
            if let Some(own) = own {
                self.edit(&partition, |p| {
                    p.constraints.remove(&own);
                    p.indexes.remove(&own);
                });
            }
        }
    }

    /// A table and, if it is asked for, all its partitions.
    pub(super) fn with_partitions(&self, table: &QName, asked: bool) -> Vec<QName> {
        let (mut found, mut at) = (vec![table.clone()], 0);
        while let Some(next) = found.get(at).cloned().filter(|_| asked) {
            if self.schema.relation(&next).is_some_and(|relation| relation.partitioned) {
                found.extend(self.schema.children(&next).cloned());
            }
            at += 1;
        }
        found
    }

    fn column(&self, table: &QName, column: &str) -> Option<Column> {
        self.schema.relation(table).and_then(|r| r.column(column)).cloned()
    }

    fn edit_column(&mut self, table: &QName, column: &Ident, edit: impl FnOnce(&mut Column)) {
        if self.column(table, column).is_none() {
            self.touch(table);
            self.missing(format!("column {table}.{column}"));
            return;
        }
        self.edit(table, |relation| {
            if let Some(column) = relation.column_mut(column) {
                edit(column);
            }
        });
    }

    /// Foreign keys of other tables to dropped columns go with them (`CASCADE`).
    fn drop_references(&mut self, table: &QName, dropped: impl Fn(&[Ident]) -> bool) {
        let children: Vec<_> = self.schema.dependents(table).cloned().collect();
        let points_here = |rule: &TableRule| {
            matches!(rule, TableRule::ForeignKey { target, target_columns, .. }
                if target == table && dropped(target_columns))
        };
        for child in children {
            if self.schema.relation(&child).is_some_and(|r| r.constraints.values().any(|c| points_here(&c.kind))) {
                self.edit(&child, |r| r.constraints.retain(|_, c| !points_here(&c.kind)));
            }
        }
    }

    fn defined(&self, definition: &ColumnDefinition) -> Column {
        Column {
            name: definition.name.clone(),
            data_type: Some(definition.data_type.clone()),
            not_null: definition.not_null,
            default: self.default_of(definition.default, &definition.value, Some(&definition.data_type)),
            needs: definition.needs.clone(),
            value: definition.value.clone(),
            calls: definition.runs.clone(),
            casts: Vec::new(),
            draws: self.drawn(&definition.value),
            holds: None,
            computed: false,
        }
    }

    /// A default, and whether it is known to fail.
    fn default_of(
        &self,
        written: Option<DefaultValue>,
        value: &Kept,
        data_type: Option<&TypeName>,
    ) -> Option<DefaultValue> {
        let given = matches!(written, Some(DefaultValue::Constant | DefaultValue::Stable | DefaultValue::Volatile));
        if given && value.as_deref().is_some_and(|value| is_null(value, &self.schema)) {
            return Some(DefaultValue::Null);
        }
        let fault = value.as_deref().zip(data_type).filter(|_| given);
        let fault = fault.and_then(|(value, data_type)| default_fails(value, data_type, &self.schema));
        if fault.is_some_and(|fault| fault.is_sure()) { Some(DefaultValue::Failing) } else { written }
    }

    /// The sequences that a default names.
    fn drawn(&self, value: &Kept) -> Vec<QName> {
        fn named<'e>(expr: &'e Expr, found: &mut Vec<&'e str>) {
            if let Expr::Call(call) = expr
                && COUNTERS.contains(&&*call.name.name)
            {
                found.extend(call.arguments.first().and_then(|argument| match argument {
                    Expr::Text(text, _) => Some(&**text),
                    Expr::Cast(inner, to, _) if to.as_str() == "regclass" => match &**inner {
                        Expr::Text(text, _) => Some(&**text),
                        _ => None,
                    },
                    _ => None,
                }));
            }
            expr.parts().into_iter().for_each(|part| named(part, found));
        }
        let mut found = Vec::new();
        value.iter().for_each(|value| named(value, &mut found));
        found.into_iter().filter_map(|text| self.schema.named_in(text)).collect()
    }

    fn rename_column(&mut self, table: &QName, from: &Ident, to: &Ident) {
        if self.column(table, from).is_none() {
            self.touch(table);
            if self.schema.relation(table).is_some_and(|r| r.columns_known) {
                self.missing(format!("column {table}.{from}"));
            }
            return;
        }
        let rename = |name: &mut Ident| {
            if name == from {
                *name = to.clone();
            }
        };
        self.edit(table, |relation| {
            relation.columns.iter_mut().for_each(|c| rename(&mut c.name));
            if relation.own.remove(from) {
                relation.own.insert(to.clone());
            }
            relation.columns.iter_mut().flat_map(|c| &mut c.needs).for_each(rename);
            relation.trigger_columns.values_mut().flatten().for_each(rename);
            relation.partition_key.iter_mut().for_each(rename);
            relation.constraints.values_mut().for_each(|c| c.kind.columns_mut().iter_mut().for_each(rename));
            for index in relation.indexes.values_mut() {
                let Index { key, mentions, .. } = &mut **index;
                key.iter_mut().flatten().chain(mentions).for_each(rename);
            }
        });
        self.rename_in_readers(|read| (*read == (table.clone(), from.clone())).then(|| (table.clone(), to.clone())));
        self.published(table, |tables| {
            let entry = tables.get_mut(table);
            entry.into_iter().for_each(|(columns, filter)| columns.iter_mut().chain(filter).for_each(rename));
        });
        for sequence in self.owned(table, Some(from)) {
            self.edit(&sequence, |s| s.owned_by = Some((table.clone(), to.clone())));
        }
        let children: Vec<_> = self.schema.dependents(table).filter(|c| *c != table).cloned().collect();
        for child in children {
            self.edit(&child, |relation| {
                if relation.read_columns.remove(&(table.clone(), from.clone())) {
                    relation.read_columns.insert((table.clone(), to.clone()));
                }
                for constraint in relation.constraints.values_mut() {
                    if let TableRule::ForeignKey { target, target_columns, .. } = &mut constraint.kind
                        && target == table
                    {
                        target_columns.iter_mut().for_each(rename);
                    }
                }
            });
        }
    }
}

/// Of several keys on the same columns, PostgreSQL makes one: the primary key, or the first, under the first name that is written.
fn distinct_keys(constraints: &[ConstraintDefinition]) -> Vec<ConstraintDefinition> {
    let columns = |c: &ConstraintDefinition| match &c.kind {
        ConstraintKind::PrimaryKey { columns } | ConstraintKind::Unique { columns, .. } => Some(columns.clone()),
        _ => None,
    };
    let mut kept: Vec<ConstraintDefinition> = Vec::new();
    let (primary, others): (Vec<_>, Vec<_>) = constraints.iter().partition(|c| c.kind.is_primary());
    for constraint in primary.into_iter().chain(others) {
        let twin = columns(constraint).and_then(|own| kept.iter_mut().find(|k| columns(k).as_ref() == Some(&own)));
        match twin {
            Some(twin) if twin.name.is_none() => twin.name.clone_from(&constraint.name),
            Some(_) => {}
            None => kept.push(constraint.clone()),
        }
    }
    // The others in the order in which they are written, which made-up names depend on.
    kept.sort_by_key(|k| constraints.iter().position(|c| c.kind == k.kind));
    kept
}

/// The NOT NULL of a new column that has a name, and that column.
fn named_not_null(column: &ColumnDefinition) -> Option<(Ident, Ident)> {
    Some((column.not_null_name.clone()?, column.name.clone()))
}

fn inherit(relation: &mut Relation, parent: &Relation) {
    relation.columns.extend(parent.columns.iter().cloned().map(Shared::into_inner).map(|column| {
        let identity = matches!(column.default, Some(DefaultValue::IdentityAlways | DefaultValue::IdentityByDefault));
        // What merely inherits does not count with its parent; a partition does, since PostgreSQL 17.
        let default = column.default.filter(|_| parent.partitioned || !identity);
        Shared::new(Column { holds: None, default, ..column })
    }));
    relation.runs.extend(parent.runs.iter().cloned());
    let checks = parent.constraints.iter().filter(|(_, c)| matches!(c.kind, TableRule::Check { .. }));
    relation.constraints.extend(checks.map(|(name, c)| (name.clone(), c.clone())));
}

/// A column goes with its indexes and the constraints that mention it.
fn drop_column(relation: &mut Relation, column: &Ident) {
    relation.own.remove(column);
    relation.columns.retain(|c| c.name != *column && !c.needs.contains(column));
    let tied: Vec<Ident> = relation
        .trigger_columns
        .iter()
        .filter(|(_, columns)| columns.contains(column))
        .map(|(name, _)| name.clone())
        .collect();
    for trigger in tied {
        relation.drop_trigger(&trigger);
    }
    let covers = |name: &Ident| relation.indexes.get(name).is_some_and(|index| index.uses(column));
    relation.constraints.retain(|name, c| !c.kind.columns().contains(column) && !covers(name));
    relation.indexes.retain(|_, index| !index.uses(column));
}
