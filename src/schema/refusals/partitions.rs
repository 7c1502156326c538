//! What PostgreSQL refuses of partitions' bounds.

use super::Catalog;
use crate::schema::model::{QName, Relation};
use crate::sql::bound::{Bound, BoundValue};
use crate::sql::operation::Ident;

impl Catalog<'_> {
    /// The bounds of a table's partitions.
    fn bounds<'a>(&'a self, parent: &'a QName) -> impl Iterator<Item = (&'a QName, &'a Bound)> {
        let children = self.schema.children(parent);
        children.filter_map(|child| Some((child, self.schema.relation(child)?.bound.as_ref()?)))
    }

    /// The bound of a partition against those of the others, which are of one kind.
    pub(super) fn other_kind(&self, parent: &QName, bound: &Bound) -> Option<String> {
        let (_, other) = self.bounds(parent).next()?;
        (std::mem::discriminant(other) != std::mem::discriminant(bound))
            .then(|| "invalid bound specification for this kind of partitions".to_owned())
    }

    /// Why a table can have no default partition.
    pub(super) fn hashed(&self, parent: &QName) -> Option<String> {
        let hash = self.bounds(parent).any(|(_, bound)| matches!(bound, Bound::Hash { .. }));
        hash.then(|| "a hash-partitioned table may not have a default partition".to_owned())
    }

    /// A partition's bound among those of the others.
    pub(super) fn bound(
        &self,
        parent: &QName,
        relation: &Relation,
        partition: &QName,
        bound: &Bound,
    ) -> Option<String> {
        // How constants of other types are ordered, their text does not tell.
        const ORDERED: [&str; 6] =
            ["smallint", "integer", "bigint", "date", "timestamp without time zone", "timestamp with time zone"];
        if let Some(why) = bound.refused() {
            return Some(why);
        }
        // Expressions are not among the known columns of the key.
        if matches!(bound, Bound::Range(from, _) if from.len() < relation.partition_key.len()) {
            return Some("FROM and TO must specify exactly one value per partitioning column".to_owned());
        }
        let others = || self.bounds(parent).filter(|(other, _)| *other != partition);
        if let Some(why) = others().find_map(|(_, other)| bound.misfits(other)) {
            return Some(why);
        }
        let is_ordered = |key: &Ident| {
            let data_type = relation.column(key).and_then(|column| column.data_type.as_ref());
            data_type.is_some_and(|data_type| ORDERED.contains(&&*data_type.base()))
        };
        let ordered = match bound {
            Bound::Range(from, _) => {
                from.len() == relation.partition_key.len() && relation.partition_key.iter().all(is_ordered)
            }
            Bound::List(_) | Bound::Hash { .. } => true,
        };
        if bound.is_empty() && ordered {
            return Some(format!("empty range bound specified for partition \"{}\"", partition.name));
        }
        // '1' and '01' are one number, and two texts.
        let surely = |other: &Bound| match (bound, other) {
            (Bound::List(values), Bound::List(others)) if !relation.partition_key.iter().all(is_ordered) => {
                let is_one = |value: &&BoundValue| matches!(value, BoundValue::Text(_) | BoundValue::Null);
                values.iter().filter(is_one).any(|value| others.contains(value))
            }
            _ => other.overlaps(bound),
        };
        let (other, _) = others().find(|(_, other)| surely(other)).filter(|_| ordered)?;
        Some(format!("partition \"{}\" would overlap partition \"{}\"", partition.name, other.name))
    }
}
