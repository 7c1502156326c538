//! Whether a schema offers a capability: the same as looking into the set of all that it offers, without making it.

use super::between::{cascades, obeyed, of_others, rules, unsound};
use super::capability::{Capability, RowRule};
use super::type_class::type_class;
use crate::schema::{Column, Function, Relation, Schema, TableRule};
use crate::sql::operation::{Ident, RelationKind};

impl Capability {
    /// Whether clients of a schema could rely on it there. What a schema merely does not forbid counts: an INSERT leaves out every column
    /// that does not exist, and no row breaks a rule on columns that only another version writes.
    pub fn offered_by(&self, schema: &Schema) -> bool {
        let Some(name) = self.relation() else {
            return match self {
                // No schema knows what it does not simulate.
                Self::Granted { .. } | Self::Object { .. } | Self::Unaltered { .. } => true,
                Self::Body { name, signature } => {
                    schema.functions(name).iter().any(|function| function.signature(name) == *signature)
                }
                Self::Sound { name, signature } => {
                    let same = |function: &&Function| function.signature(name) == *signature;
                    let found = schema.functions(name).iter().find(same);
                    found.is_some_and(|function| unsound(schema, name, function).is_empty())
                }
                Self::Unambiguous { name, .. } => !schema.functions(name).is_empty(),
                other => of_others(schema, other),
            };
        };
        if let Self::Cascades { child, .. } = self {
            return schema.relation(child).is_some_and(|r| cascades(child, r).any(|found| found == *self));
        }
        if let Self::Identified(name) = self {
            return schema.relation(name).is_some() && schema.lets_rows_go(name);
        }
        schema.relation(name).is_some_and(|relation| self.offered_by_relation(schema, relation))
    }

    /// The same as looking into [`super::between::of_relation`], without making the whole set (a test holds the two together).
    fn offered_by_relation(&self, schema: &Schema, relation: &Relation) -> bool {
        let has = |column: &Ident, test: &dyn Fn(&Column) -> bool| relation.column(column).is_some_and(test);
        match self {
            Self::Behaviour { what, .. } if what == super::behaviour::VISIBLE_TO_OWNER => !relation.hides_from_owner(),
            Self::Relation(_) | Self::Behaviour { .. } | Self::Width(_) => true,
            Self::Definition(_) => !relation.definition.is_empty(),
            Self::Default { column, .. } => has(column, &|c| c.default.is_some()),
            Self::Defaulted { column, .. } => has(column, &Column::has_default),
            Self::Bare { column, .. } => relation.column(column).is_none(),
            Self::Shape(_) => relation.kind != RelationKind::Sequence,
            Self::Read { column, data_type, .. } => {
                has(column, &|c| c.data_type.as_ref().map(|t| type_class(schema, t)).unwrap_or_default() == *data_type)
            }
            Self::Write { column, .. } => has(column, &|column| relation.writes(column)),
            Self::Omit { column, .. } => relation.may_omit(column),
            Self::AcceptsNull { column, .. } => relation.is_writable() && has(column, &|c| !c.not_null),
            Self::NeverNull { column, .. } => has(column, &|c| c.not_null),
            Self::Fits { column, .. } => has(column, &|_| true),
            Self::Unruled { rule, .. } => {
                !rules(relation).contains(rule) && bites_old_rows(rule, relation) && !is_implied(rule, relation)
            }
            Self::Ruled { rule, .. } => obeyed(relation).contains(rule),
            Self::Arbiter { columns, .. } => relation.arbitrates(columns),
            Self::PartialArbiter { index, .. } => relation.indexes.get(index).is_some_and(|i| i.unique && i.valid),
            Self::Grouped { columns, .. } => relation.primary_key().is_some_and(|key| key == columns),
            Self::Values { column, of, .. } => has(column, &|c| c.holds.as_ref() == Some(of)),
            Self::FastPath { index, .. } => relation.indexes.get(index).is_some_and(|i| i.valid),
            Self::ConstraintName { name, .. } => relation.constraints.get(name).is_some_and(|c| c.kind.has_index()),
            Self::Trigger { name, .. } => relation.triggers.get(name) == Some(&true),
            Self::Untriggered { name, .. } => !relation.triggers.contains_key(name),
            Self::RowsVisible(_) => !relation.hides_rows(),
            Self::Filled(_) => relation.kind == RelationKind::MaterializedView && !relation.unfilled,
            Self::Policy { name, text, .. } => {
                let same = |p: &crate::schema::Policy| !p.restrictive && p.text == *text;
                relation.row_security && relation.policies.get(name).is_some_and(same)
            }
            Self::Privilege { role, privilege, .. } => relation.grants.contains(&(role.clone(), privilege.clone())),
            Self::Held { .. } => true,
            Self::Type(_)
            | Self::Cascades { .. }
            | Self::Identified(_)
            | Self::Label { .. }
            | Self::Attribute { .. }
            | Self::Attributes { .. }
            | Self::Taken { .. }
            | Self::KnownLabels(_)
            | Self::Call { .. }
            | Self::Unambiguous { .. }
            | Self::Body { .. }
            | Self::Sound { .. }
            | Self::Namespace(_)
            | Self::Granted { .. }
            | Self::Object { .. }
            | Self::Unaltered { .. }
            | Self::Extension(_) => false,
        }
    }
}
/// Whether rows written by a client that knows only the old columns can break a rule.
fn bites_old_rows(rule: &RowRule, old: &Relation) -> bool {
    let known = |column: &Ident| old.column(column).is_some();
    let columns = rule.columns();
    match rule {
        RowRule::Constraint(TableRule::Check { not_null, .. })
        | RowRule::Check { rule: TableRule::Check { not_null, .. }, .. } => {
            *not_null || columns.is_empty() || columns.iter().any(known)
        }
        // A key with a column that old rows leave NULL is never violated; a primary key refuses those rows by another capability.
        RowRule::Constraint(TableRule::Unique { .. } | TableRule::PrimaryKey { .. } | TableRule::ForeignKey { .. })
        | RowRule::UniqueIndex { .. } => columns.iter().all(known),
        RowRule::Constraint(TableRule::Exclude { .. }) | RowRule::Check { .. } => columns.iter().any(known),
    }
}

/// Whether what a unique rule refuses is refused already: rows that differ in some of its columns differ in all of them together.
fn is_implied(rule: &RowRule, relation: &Relation) -> bool {
    let (key, nulls_collide) = match rule {
        RowRule::Constraint(TableRule::Unique { columns }) => (columns, false),
        // By another collation, or another class, other values are equal.
        RowRule::UniqueIndex { key, nulls_collide, plain: true, .. } => (key, *nulls_collide),
        _ => return false,
    };
    relation.indexes.values().any(|index| {
        let binds = index.unique && index.valid && !index.deferrable && (index.nulls_collide || !nulls_collide);
        binds
            && index.compares_plainly()
            && index.plain_key().is_some_and(|own| own.iter().all(|column| key.contains(column)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::between::of_relation;
    use crate::source::Sources;

    /// The set and the single test must tell the same.
    #[test]
    fn what_a_relation_offers_is_offered_by_it() {
        let mut sources = Sources::new();
        let file = sources.add(
            "a.sql",
            "CREATE TABLE p (id int PRIMARY KEY);
             CREATE TABLE t (id bigserial PRIMARY KEY, a text NOT NULL, b int REFERENCES p, c int GENERATED ALWAYS AS (1) STORED,
                 CHECK (b > 0), UNIQUE (a, b));
             CREATE UNIQUE INDEX i ON t (lower(a));
             CREATE INDEX j ON t (b) WHERE b > 1;
             CREATE VIEW v AS SELECT id, a FROM t;
             CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f();
             ALTER TABLE p ENABLE ROW LEVEL SECURITY;
             CREATE POLICY q ON p USING (true);
             CREATE POLICY r ON p AS RESTRICTIVE USING (true);
             GRANT SELECT ON t TO app;",
        );
        let (statements, _) = crate::sql::read(&sources, file);
        let pieces = statements.iter().flat_map(|s| &s.pieces);
        let schema = pieces.fold(Schema::empty(), |schema, piece| schema.apply(&piece.operation).schema);
        let mut count = 0;
        for (name, relation) in schema.relations() {
            for capability in of_relation(&schema, name, relation) {
                assert!(capability.offered_by(&schema), "{capability}");
                assert!(!capability.offered_by(&Schema::empty()), "{capability}");
                count += 1;
            }
        }
        assert!(count > 40, "{count}");
    }
}
