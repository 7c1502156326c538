//! Indexes, those of partitions included.

use super::apply::Change;
use super::model::{Index, QName, Relation};
use super::{naming, resolve};
use crate::sql::Name;
use crate::sql::operation::{CreateIndex, Ident, RelationKind};

impl Change {
    pub(super) fn create_index(&mut self, index: &CreateIndex) {
        let table = self.schema.resolve(&index.table);
        if self.schema.relation(&table).is_none() {
            self.touch(&table);
            self.missing(format!("table {table}"));
            return;
        }
        let name = index.name.clone().unwrap_or_else(|| {
            let addition = naming::addition(&index.key_names);
            naming::free_name(&table.name, addition.as_deref(), "idx", |n| self.taken(&table.schema, n))
        });
        let qualified = QName { schema: table.schema.clone(), name: name.clone() };
        if let Some(of) = self.schema.index_tables.get(&qualified).cloned() {
            let found = self.schema.relation(&of).and_then(|r| r.indexes.get(&name)).cloned();
            let key = |key: &[Option<Ident>]| {
                let parts: Vec<&str> = key.iter().map(|k| k.as_deref().unwrap_or("…")).collect();
                parts.join(", ")
            };
            match found {
                _ if !index.if_not_exists => self.exists(format!("index {qualified}")),
                Some(found) if of != table || found.key != index.key || found.unique != index.unique => {
                    let unique = if found.unique { "a unique" } else { "an" };
                    self.skipped(format!(
                        "{name} is {unique} index of {of} ({}) already, not of {table} ({})",
                        key(&found.key),
                        key(&index.key)
                    ));
                }
                _ => {}
            }
            return;
        }
        let taken = self.schema.relations.get(&qualified).map(|relation| relation.kind.keyword().to_ascii_lowercase());
        if let Some(kind) = taken {
            match index.if_not_exists {
                true => self.skipped(format!("{name} is a {kind} already")),
                false => self.exists(format!("relation {qualified}")),
            }
            return;
        }
        let partitions = self.partitions(&table);
        let definition = Index {
            key: index.key.clone(),
            mentions: index.mentions.clone(),
            unique: index.unique,
            predicate: index.predicate.clone(),
            expressions: index.expressions.clone(),
            nulls_collide: index.nulls_collide,
            excludes: false,
            deferrable: false,
            method: Some(index.method.clone()),
            kinds: resolve::kinds_of(index.kinds()),
            sorted: index.sorted,
            // `ON ONLY` a partitioned table: complete once every partition has its own.
            valid: !index.only || partitions.is_empty(),
        };
        self.edit(&table, |t| _ = t.indexes.insert(name, definition.clone().into()));
        for partition in partitions.iter().filter(|_| !index.only) {
            let has = |p: &Relation| p.indexes.values().any(|own| definition.is_like(own));
            if !self.schema.relation(partition).is_some_and(has) {
                let own = Name::qualified(partition.schema.clone(), partition.name.clone());
                self.create_index(&CreateIndex { name: None, table: own, ..index.clone() });
            }
        }
    }

    /// An index of a partitioned table goes with those of the partitions.
    pub(super) fn drop_index(&mut self, table: &QName, index: &Ident) {
        let Some(gone) = self.schema.relation(table).and_then(|t| t.indexes.get(index)).cloned() else { return };
        self.edit(table, |t| _ = t.indexes.remove(index));
        for partition in self.partitions(table) {
            let same = |p: &Relation| p.indexes.iter().find(|(_, own)| **own == gone).map(|(name, _)| name.clone());
            if let Some(own) = self.schema.relation(&partition).and_then(same) {
                self.drop_index(&partition, &own);
            }
        }
    }

    /// Whether a partition has an index like one of its parent's.
    pub(super) fn has_like(&self, partition: &QName, parent: &QName, index: &str) -> bool {
        let index = self.schema.relation(parent).and_then(|t| t.indexes.get(index));
        let same =
            |own: &Index, index: &Index| Index { valid: true, ..own.clone() } == Index { valid: true, ..index.clone() };
        let own = self.schema.relation(partition).into_iter().flat_map(|p| p.indexes.values());
        index.is_some_and(|index| own.into_iter().any(|own| same(own, index)))
    }

    /// The partitions of a table; none, if it only has tables that inherit from it.
    pub(super) fn partitions(&self, table: &QName) -> Vec<QName> {
        if !self.schema.relation(table).is_some_and(|t| t.partitioned) {
            return Vec::new();
        }
        let is_table = |name: &QName| self.schema.relation(name).is_some_and(|r| r.kind == RelationKind::Table);
        self.owned(table, None).into_iter().filter(is_table).collect()
    }
}
