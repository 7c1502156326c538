//! Whether a version relies on a capability: the question that placement asks of a workload.

use super::{Query, Workload};
use crate::effect::{Capability, RowRule};
use crate::schema::{QName, Relation, Rule, Schema};
use crate::sql::operation::{Ident, Scope};
use crate::sql::{Name, QueryKind, QueryStatement};

/// Whether a version relies on a capability.
#[derive(Debug, Clone, Copy)]
pub enum Reliance<'a> {
    /// This query fails without it.
    Yes(&'a Query),
    /// This query may fail without it: it depends on values, or on what can not be resolved.
    May(&'a Query),
    /// No query does.
    No,
}

impl Workload {
    /// Whether any query relies on a capability. `schema` is the version's own.
    pub fn relies(&self, capability: &Capability, schema: &Schema) -> Reliance<'_> {
        let mut may = None;
        for query in &self.queries {
            match self.query_relies(query, capability, schema) {
                Some(true) => return Reliance::Yes(query),
                Some(false) => may = may.or(Some(query)),
                None => {}
            }
        }
        may.map_or(Reliance::No, Reliance::May)
    }

    /// `Some(true)`: yes; `Some(false)`: may; `None`: no.
    fn query_relies(&self, query: &Query, capability: &Capability, schema: &Schema) -> Option<bool> {
        let Some(statement) = &query.statement else {
            return mentions_any(self.text(query), capability).then_some(false);
        };
        let q = View { statement, schema, text: self.text(query) };
        match capability {
            Capability::Relation(relation) => {
                if q.touches(relation) {
                    Some(true)
                } else {
                    q.quotes(relation).then_some(false)
                }
            }
            Capability::Read { relation, column, .. } | Capability::Values { relation, column, .. } => {
                q.uses_column(relation, column)
            }
            Capability::Write { relation, column } => q.writes_column(relation, column),
            Capability::Omit { relation, column }
            | Capability::Default { relation, column }
            | Capability::Defaulted { relation, column } => q.omits(relation, column),
            Capability::AcceptsNull { relation, column } | Capability::Fits { relation, column, .. } => {
                q.writes_column(relation, column).map(|_| false)
            }
            Capability::NeverNull { relation, column } => q.uses_column(relation, column).map(|_| false),
            Capability::Unruled { relation, rule } => q.may_break(relation, rule).then_some(false),
            Capability::Ruled { relation, .. }
            | Capability::Definition(relation)
            | Capability::RowsVisible(relation)
            | Capability::Policy { relation, .. }
            | Capability::Privilege { relation, .. }
            | Capability::Behaviour { relation, .. }
            | Capability::FastPath { relation, .. } => q.touches(relation).then_some(false),
            Capability::Shape(relation) => q.depends_on_shape(relation).then_some(true),
            Capability::Bare { relation, column } => q.takes_from_elsewhere(relation, column).then_some(true),
            Capability::Width(relation) => q.counts_columns(relation).then_some(true),
            Capability::Arbiter { relation, columns } => q.upserts_on(relation, columns).then_some(true),
            Capability::PartialArbiter { relation, columns, .. } => {
                q.upserts_within(relation, columns).then_some(false)
            }
            Capability::ConstraintName { relation, name } => q.names_constraint(relation, name).then_some(true),
            Capability::Trigger { relation, .. } | Capability::Untriggered { relation, .. } => {
                q.writes_of(relation).next().is_some().then_some(false)
            }
            Capability::Type(name)
            | Capability::Attribute { name, .. }
            | Capability::Attributes(name)
            | Capability::Taken { name, .. }
            | Capability::KnownLabels(name) => q.uses_type(name).then_some(false),
            Capability::Label { name, label } => {
                if q.text.contains(&format!("'{label}'")) {
                    return Some(true);
                }
                // A parameter can carry it, wherever the type is written or compared.
                q.uses_type(name).then_some(false)
            }
            Capability::Call { name, .. } | Capability::Unambiguous(name) => {
                q.statement.shape.calls.iter().any(|call| schema.resolve_function(call) == *name).then_some(true)
            }
            Capability::Body { name, .. } => {
                if q.statement.shape.calls.iter().any(|call| schema.resolve_function(call) == *name) {
                    return Some(true);
                }
                // A trigger's function is called by the writes of others.
                let of_trigger = schema.functions(name).iter().any(|f| f.returns == "trigger");
                (of_trigger && !q.statement.writes.is_empty()).then_some(false)
            }
            Capability::Namespace(name) | Capability::Extension(name) => has_word(q.text, name).then_some(false),
            // Who runs the queries is not known.
            // What a query text does not show.
            Capability::Granted { .. } | Capability::Object { .. } | Capability::Unaltered { .. } => Some(false),
        }
    }
}

/// A query beside the schema it was written for.
struct View<'a> {
    statement: &'a QueryStatement,
    schema: &'a Schema,
    text: &'a str,
}

impl<'a> View<'a> {
    fn names(&self) -> impl Iterator<Item = &Name> {
        self.statement.shape.reads.iter().chain(self.statement.writes.iter().map(|w| &w.table))
    }

    /// Whether it names the relation, or a view that reads it.
    fn touches(&self, relation: &QName) -> bool {
        self.names().any(|name| {
            let name = self.schema.resolve(name);
            name == *relation || self.reads_through(&name, relation, 0)
        })
    }

    fn reads_through(&self, view: &QName, relation: &QName, depth: usize) -> bool {
        const DEEPEST: usize = 32;
        let reads = self.schema.relation(view).map(|r| &r.reads);
        depth < DEEPEST
            && reads.is_some_and(|reads| {
                reads.iter().any(|read| read == relation || self.reads_through(read, relation, depth + 1))
            })
    }

    fn direct(&self, relation: &QName) -> bool {
        self.names().any(|name| self.schema.resolve(name) == *relation)
    }

    fn writes_of(&self, relation: &QName) -> impl Iterator<Item = &'a QueryKind> {
        let writes = self.statement.writes.iter().filter(|w| self.schema.resolve(&w.table) == *relation);
        writes.map(|w| &w.kind)
    }

    fn uses_column(&self, relation: &QName, column: &Ident) -> Option<bool> {
        if let Some(written) = self.writes_column(relation, column) {
            return Some(written);
        }
        if !self.direct(relation) {
            // Through a view: which of its columns is not resolved here.
            return self.touches(relation).then_some(false);
        }
        let shape = &self.statement.shape;
        let has =
            |name: &Name| self.schema.relation(&self.schema.resolve(name)).is_some_and(|r| r.column(column).is_some());
        let own = self.schema.relation(relation).is_some_and(|r| r.column(column).is_some());
        // A bare name means the relation that has it, as far as the version's own schema tells.
        let elsewhere = !own && self.names().any(has);
        let alias_is_other = |alias: &Ident| {
            if shape.inner.contains(alias) {
                // Of what it selects by name, its own text tells.
                return !shape.inner_star || elsewhere;
            }
            let found = shape.aliases.iter().find(|(a, _)| a == alias).map(|(_, name)| self.schema.resolve(name));
            found.is_some_and(|found| found != *relation)
        };
        let qualified = shape.mentions.iter().any(|(from, name)| {
            let alias = from.as_ref().filter(|_| name == column);
            alias.is_some_and(|alias| !alias_is_other(alias))
        });
        let mentioned = qualified || (!elsewhere && self.bare_means(relation, column, &has));
        (mentioned || (shape.star && own)).then_some(true)
    }

    /// Whether a bare name may mean the relation's column: it is looked up in the `SELECT` it stands in first.
    fn bare_means(&self, relation: &QName, column: &Ident, has: &impl Fn(&Name) -> bool) -> bool {
        let shape = &self.statement.shape;
        let in_selects = shape.scopes.iter().flat_map(|s| &s.bare).filter(|c| *c == column).count();
        let all = shape.mentions.iter().filter(|(from, name)| from.is_none() && name == column).count();
        let may = |scope: &Scope| {
            let here = scope.reads.iter().any(|name| self.schema.resolve(name) == *relation);
            scope.bare.contains(column) && (here || !scope.reads.iter().any(has))
        };
        all > in_selects || shape.scopes.iter().any(may)
    }

    fn writes_column(&self, relation: &QName, column: &Ident) -> Option<bool> {
        self.writes_of(relation).find_map(|kind| match kind {
            QueryKind::Insert { columns: None, .. } => {
                self.schema.relation(relation).is_none_or(|r| r.column(column).is_some()).then_some(true)
            }
            QueryKind::Insert { columns: Some(columns), updates, .. } => {
                (columns.contains(column) || updates.contains(column)).then_some(true)
            }
            QueryKind::Update { columns } => columns.contains(column).then_some(true),
            QueryKind::Delete => None,
            QueryKind::Other => Some(false),
        })
    }

    fn omits(&self, relation: &QName, column: &Ident) -> Option<bool> {
        self.writes_of(relation).find_map(|kind| match kind {
            QueryKind::Insert { columns: Some(columns), .. } => (!columns.contains(column)).then_some(true),
            // A positional INSERT leaves out what its own schema does not have.
            QueryKind::Insert { columns: None, .. } => {
                let has = self.schema.relation(relation).is_some_and(|r| r.column(column).is_some());
                (!has).then_some(true)
            }
            QueryKind::Other => Some(false),
            QueryKind::Update { .. } | QueryKind::Delete => None,
        })
    }

    fn may_break(&self, relation: &QName, rule: &RowRule) -> bool {
        let own = self.writes_of(relation).any(|kind| match kind {
            QueryKind::Insert { .. } | QueryKind::Other => true,
            QueryKind::Update { columns } => {
                rule.columns().is_empty() || columns.iter().any(|c| rule.columns().contains(c))
            }
            QueryKind::Delete => false,
        });
        let target = match rule {
            RowRule::Constraint(Rule::ForeignKey { target, target_columns, restricts, .. }) => {
                Some((target, target_columns, *restricts))
            }
            _ => None,
        };
        let parent = target.is_some_and(|(target, columns, restricts)| {
            self.writes_of(target).any(|kind| match kind {
                QueryKind::Delete => restricts,
                QueryKind::Other => true,
                QueryKind::Update { columns: set } => set.iter().any(|c| columns.contains(c)),
                QueryKind::Insert { updates, .. } => updates.iter().any(|c| columns.contains(c)),
            })
        });
        own || parent
    }

    fn depends_on_shape(&self, relation: &QName) -> bool {
        let positional = self.writes_of(relation).any(|kind| matches!(kind, QueryKind::Insert { columns: None, .. }));
        positional || (self.statement.shape.star && self.direct(relation))
    }

    /// Whether a bare name in a `SELECT` from the relation means something else, as the relation has no such column.
    fn takes_from_elsewhere(&self, relation: &QName, column: &Ident) -> bool {
        let has =
            |name: &Name| self.schema.relation(&self.schema.resolve(name)).is_some_and(|r| r.column(column).is_some());
        let own = self.schema.relation(relation).is_some_and(|r| r.column(column).is_some());
        !own && self.statement.shape.scopes.iter().any(|scope| {
            let here = scope.reads.iter().any(|name| self.schema.resolve(name) == *relation);
            here && scope.bare.contains(column) && scope.reads.iter().any(has)
        })
    }

    /// Whether the number of a relation's columns must fit something else: the target of an INSERT, or another arm of a UNION.
    fn counts_columns(&self, relation: &QName) -> bool {
        let target = |w: &&crate::sql::TableWrite| matches!(w.kind, QueryKind::Insert { star: true, .. });
        let mut targets = self.statement.writes.iter().filter(target).map(|w| self.schema.resolve(&w.table));
        let inserted = targets.next().is_some_and(|first| first != *relation && targets.all(|t| t != *relation));
        self.direct(relation) && (inserted || self.statement.shape.star_arms)
    }

    fn upserts_on(&self, relation: &QName, wanted: &[Ident]) -> bool {
        self.writes_of(relation).any(|kind| match kind {
            QueryKind::Insert { conflict_columns: Some(columns), .. } => {
                let mut columns = columns.clone();
                columns.sort();
                columns == wanted
            }
            _ => false,
        })
    }

    /// Whether an upsert may mean an index with this key and more that is not known here.
    fn upserts_within(&self, relation: &QName, key: &[Ident]) -> bool {
        self.writes_of(relation).any(|kind| match kind {
            QueryKind::Insert { conflict_columns: Some(columns), .. } => key.iter().all(|c| columns.contains(c)),
            _ => false,
        })
    }

    /// Whether it names the relation in a string, as in `nextval('s')`.
    fn quotes(&self, relation: &QName) -> bool {
        let literals = self.text.split('\'').skip(1).step_by(2);
        literals.map(|l| l.replace('"', "")).any(|l| l.rsplit('.').next() == Some(&*relation.name))
    }

    fn names_constraint(&self, relation: &QName, wanted: &Ident) -> bool {
        self.writes_of(relation).any(|kind| match kind {
            QueryKind::Insert { conflict_constraint, .. } => conflict_constraint.as_ref() == Some(wanted),
            _ => false,
        })
    }

    fn uses_type(&self, name: &QName) -> bool {
        let text = name.to_string();
        let has = |r: &Relation| r.columns.iter().any(|c| c.data_type.as_ref().is_some_and(|t| t.base() == text));
        let through = self.names().any(|n| self.schema.relation(&self.schema.resolve(n)).is_some_and(has));
        through || has_word(self.text, &name.name)
    }
}

/// Whether a text that could not be read mentions what a capability is about.
fn mentions_any(text: &str, capability: &Capability) -> bool {
    match capability {
        Capability::Type(name)
        | Capability::Attribute { name, .. }
        | Capability::Attributes(name)
        | Capability::Taken { name, .. }
        | Capability::Label { name, .. }
        | Capability::KnownLabels(name)
        | Capability::Call { name, .. }
        | Capability::Body { name, .. }
        | Capability::Unambiguous(name) => has_word(text, &name.name),
        Capability::Namespace(name) | Capability::Extension(name) => has_word(text, name),
        other => other.relation().is_some_and(|relation| has_word(text, &relation.name)),
    }
}

fn has_word(text: &str, word: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|w| w.eq_ignore_ascii_case(word))
}
