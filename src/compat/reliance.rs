//! Whether a version relies on a capability: the question that placement asks of a workload.

use std::collections::BTreeSet;

use super::rows;
use super::watch::Watch;
use crate::effect::{Capability, RowRule, Weight};
use crate::schema::resolve::{Resolved, Row, Write, WriteKind};
use crate::schema::{Column, QName, Relation, Rule, Schema};
use crate::sql::condition::Constant;
use crate::sql::operation::Ident;
use crate::workload::Query;

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

impl<'a> Watch<'a> {
    /// Whether any query relies on a capability.
    pub fn relies(&self, capability: &Capability) -> Reliance<'a> {
        let mut may = None;
        for query in self.concerned(capability) {
            match self.query_relies(query, capability) {
                Some(true) => return Reliance::Yes(&self.queries()[query]),
                Some(false) => may = may.or(Some(&self.queries()[query])),
                None => {}
            }
        }
        may.map_or(Reliance::No, Reliance::May)
    }

    /// The queries that can have to do with a capability, in order: for one of a relation, those that name it, or name what leads to it.
    fn concerned(&self, capability: &Capability) -> Vec<usize> {
        let Some(relation) = capability.relation() else { return (0..self.queries().len()).collect() };
        let mut names = self.leading_to(relation);
        if let Capability::Unruled { rule: RowRule::Constraint(Rule::ForeignKey { target, .. }), .. } = capability {
            names.extend(self.leading_to(target));
        }
        let mut found: BTreeSet<usize> = self.naming(&names).into_iter().collect();
        let run_functions = (0..self.queries().len()).filter(|query| self.mentions(*query).contains(&relation.name));
        found.extend(run_functions);
        found.into_iter().collect()
    }

    /// `Some(true)`: yes; `Some(false)`: may; `None`: no.
    fn query_relies(&self, query: usize, capability: &Capability) -> Option<bool> {
        let text = self.text(query);
        let Some(look) = self.own().look(query) else {
            return mentions_any(text, capability).then_some(false);
        };
        let view = View { watch: self, query, look, schema: self.own().schema(), text };
        let unclear = || (look.uses.more || look.refused().is_some()) && mentions_any(text, capability);
        let indirectly = || view.writes_indirectly(capability) || self.reached(query, capability);
        view.relies(capability).or_else(|| (unclear() || indirectly()).then_some(false))
    }

    /// Whether a function that a query calls, or that a trigger calls when it writes, mentions what a capability is about.
    fn reached(&self, query: usize, capability: &Capability) -> bool {
        let mentions = self.mentions(query);
        let named = match capability {
            Capability::Read { column, .. } | Capability::Write { column, .. } => mentions.contains(column),
            // Habits of clients are not those of functions.
            other => other.weight() == Weight::Certain,
        };
        named && capability.relation().is_some_and(|relation| mentions.contains(&relation.name))
    }
}

/// Longer chains of views or of partitions are not followed.
const DEEPEST: usize = 32;

/// A query on the schema it was written for.
struct View<'a> {
    watch: &'a Watch<'a>,
    query: usize,
    look: &'a Resolved,
    schema: &'a Schema,
    text: &'a str,
}

impl<'a> View<'a> {
    fn relies(&self, capability: &Capability) -> Option<bool> {
        let uses = &self.look.uses;
        match capability {
            Capability::Relation(relation) => match self.touches(relation) {
                true => Some(true),
                false => self.quotes(relation).then_some(false),
            },
            Capability::Read { relation, column, .. } | Capability::Values { relation, column, .. } => {
                self.uses_column(relation, column)
            }
            Capability::Write { relation, column } => self.writes_column(relation, column).then_some(true),
            Capability::Omit { relation, column }
            | Capability::Default { relation, column }
            | Capability::Defaulted { relation, column } => {
                // A trigger may put something there.
                self.omits(relation, column).then(|| !self.watch.mentions(self.query).contains(column))
            }
            Capability::AcceptsNull { relation, column } => match self.writes_null(relation, column) {
                true => Some(true),
                false => self.may_write_null(relation, column).then_some(false),
            },
            Capability::Fits { relation, column, .. } => self.writes_column(relation, column).then_some(false),
            Capability::NeverNull { relation, column } => match self.decodes_null(relation, column) {
                Some(decodes) => (!decodes).then_some(true),
                None => self.uses_column(relation, column).map(|_| false),
            },
            Capability::Unruled { relation, rule } => self.breaks_rule(relation, rule),
            Capability::Ruled { relation, .. }
            | Capability::Definition(relation)
            | Capability::RowsVisible(relation)
            | Capability::Policy { relation, .. }
            | Capability::Privilege { relation, .. }
            | Capability::Behaviour { relation, .. }
            | Capability::FastPath { relation, .. } => self.touches(relation).then_some(false),
            Capability::Shape(relation) => uses.stars.contains_key(relation).then_some(true),
            Capability::Bare { relation, column } => {
                let named = uses.relations.contains_key(relation) && has_word(self.text, column);
                (named && self.breaks_with(relation, column)).then_some(true)
            }
            Capability::Width(relation) => {
                let counted = uses.stars.contains_key(relation);
                (counted && self.breaks_with(relation, "\u{0}one more")).then_some(true)
            }
            Capability::Arbiter { relation, columns } => self
                .inserts(relation, |insert| insert.arbiter.is_some_and(|arbiter| arbiter.iter().eq(columns.iter())))
                .then_some(true),
            Capability::PartialArbiter { relation, columns, .. } => self
                .inserts(relation, |insert| {
                    insert.arbiter.is_some_and(|arbiter| columns.iter().all(|column| arbiter.contains(column)))
                })
                .then_some(false),
            Capability::ConstraintName { relation, name } => {
                self.inserts(relation, |insert| insert.constraint == Some(name)).then_some(true)
            }
            Capability::Trigger { relation, .. } | Capability::Untriggered { relation, .. } => {
                self.writes_of(relation).next().is_some().then_some(false)
            }
            Capability::Type(name)
            | Capability::Attribute { name, .. }
            | Capability::Attributes(name)
            | Capability::Taken { name, .. }
            | Capability::KnownLabels(name) => self.uses_type(name).then_some(false),
            Capability::Label { name, label } => {
                if uses.labels.contains_key(&(name.to_string(), label.clone())) {
                    return Some(true);
                }
                // A parameter can carry it, wherever the type is written or compared.
                self.uses_type(name).then_some(false)
            }
            Capability::Call { name, .. } | Capability::Unambiguous(name) => {
                uses.calls.contains_key(name).then_some(true)
            }
            Capability::Body { name, .. } => {
                if uses.calls.contains_key(name) {
                    return Some(true);
                }
                // A trigger's function is called by the writes of others.
                let of_trigger = self.schema.functions(name).iter().any(|f| f.returns == "trigger");
                (of_trigger && !uses.writes.is_empty()).then_some(false)
            }
            Capability::Namespace(name) | Capability::Extension(name) => has_word(self.text, name).then_some(false),
            // What a query text does not show: who runs it, for one.
            Capability::Granted { .. } | Capability::Object { .. } | Capability::Unaltered { .. } => Some(false),
        }
    }

    /// Whether it writes what a capability of writes is about without naming it: through a view, its partitions or its parent, or where a
    /// trigger does.
    fn writes_indirectly(&self, capability: &Capability) -> bool {
        let (Capability::Omit { relation, .. }
        | Capability::Default { relation, .. }
        | Capability::Defaulted { relation, .. }
        | Capability::AcceptsNull { relation, .. }
        | Capability::Fits { relation, .. }
        | Capability::Unruled { relation, .. }
        | Capability::Trigger { relation, .. }
        | Capability::Untriggered { relation, .. }) = capability
        else {
            return false;
        };
        let mut writes = self.look.uses.writes.iter().map(|write| &write.relation);
        writes.any(|written| {
            let kin = written != relation && (self.is_below(written, relation) || self.is_below(relation, written));
            kin || self.reads_through(written, relation, 0) || (written == relation && self.triggers_touch(capability))
        })
    }

    /// Whether one relation is a partition of another, or inherits from it.
    fn is_below(&self, relation: &QName, above: &QName) -> bool {
        let parent = |name: &QName| self.schema.relation(name).and_then(|found| found.parent.clone());
        std::iter::successors(parent(relation), parent).take(DEEPEST).any(|found| found == *above)
    }

    /// Whether the triggers that a write runs mention the columns of a rule for what is written.
    fn triggers_touch(&self, capability: &Capability) -> bool {
        let mentions = self.watch.mentions(self.query);
        match capability {
            Capability::AcceptsNull { column, .. } | Capability::Fits { column, .. } => mentions.contains(column),
            Capability::Unruled { rule, .. } => rule.columns().iter().any(|column| mentions.contains(column)),
            _ => false,
        }
    }

    /// Whether it names the relation, or a view that reads it.
    fn touches(&self, relation: &QName) -> bool {
        let named = self.look.uses.relations.keys();
        named.into_iter().any(|name| name == relation || self.reads_through(name, relation, 0))
    }

    fn reads_through(&self, view: &QName, relation: &QName, depth: usize) -> bool {
        let reads = self.schema.relation(view).map(|r| &r.reads);
        depth < DEEPEST
            && reads.is_some_and(|reads| {
                reads.iter().any(|read| read == relation || self.reads_through(read, relation, depth + 1))
            })
    }

    fn uses_column(&self, relation: &QName, column: &Ident) -> Option<bool> {
        let uses = &self.look.uses;
        if uses.reads.contains_key(&(relation.clone(), column.clone())) || self.writes_column(relation, column) {
            return Some(true);
        }
        // Through a view: which of its columns shows this one is not worked out.
        let through = !uses.relations.contains_key(relation) && self.touches(relation);
        through.then_some(false)
    }

    /// Whether its client is made for a NULL wherever it is shown the column, as its library recorded; `None`: that is not known.
    fn decodes_null(&self, relation: &QName, column: &Ident) -> Option<bool> {
        let recorded = &self.watch.queries()[self.query].recorded.as_deref()?.columns;
        if recorded.is_empty() || recorded.len() != self.look.shows.len() {
            return None;
        }
        let demanding = recorded.iter().zip(&self.look.shows).filter(|(column, _)| column.demands_a_value());
        // What it writes from a column may not be a NULL, either.
        let mut unclear = !self.look.uses.writes.is_empty();
        for (_, shows) in demanding {
            if shows.iter().any(|(of, name)| of == relation && name == column) {
                return Some(false);
            }
            // An expression may be NULL because the column is.
            unclear |= shows.is_empty();
        }
        (!unclear).then_some(true)
    }

    fn writes_of(&self, relation: &QName) -> impl Iterator<Item = &'a Write> {
        self.look.uses.writes.iter().filter(move |write| write.relation == *relation)
    }

    fn inserts(&self, relation: &QName, test: impl Fn(InsertView<'_>) -> bool) -> bool {
        self.writes_of(relation).any(|write| match &write.kind {
            WriteKind::Insert { arbiter, constraint, .. } => {
                test(InsertView { arbiter: arbiter.as_ref(), constraint: constraint.as_ref() })
            }
            _ => false,
        })
    }

    fn writes_column(&self, relation: &QName, column: &Ident) -> bool {
        self.writes_of(relation).any(|write| match &write.kind {
            WriteKind::Insert { columns, updates, .. } => columns.contains(column) || updates.contains(column),
            WriteKind::Update { columns, .. } => columns.contains(column),
            WriteKind::Delete => false,
        })
    }

    fn writes_null(&self, relation: &QName, column: &Ident) -> bool {
        let null = |row: &Row| row.get(column) == Some(&Constant::Null);
        self.writes_of(relation).any(|write| match &write.kind {
            WriteKind::Insert { rows, updated, .. } => rows.iter().chain([updated]).any(null),
            WriteKind::Update { row, .. } => null(row),
            WriteKind::Delete => false,
        })
    }

    fn may_write_null(&self, relation: &QName, column: &Ident) -> bool {
        // Deleting what a row points to may set its columns to NULL.
        let set_null = self.schema.relation(relation).is_some_and(|found| {
            found.constraints.values().any(|constraint| match &constraint.kind {
                Rule::ForeignKey { columns, target, restricts: false, .. } => {
                    columns.contains(column) && self.writes_of(target).any(|write| write.kind == WriteKind::Delete)
                }
                _ => false,
            })
        });
        set_null
            || (self.writes_column(relation, column)
                && !self.writes_of(relation).all(|write| rows::gives_values(write, column, self.schema)))
    }

    fn omits(&self, relation: &QName, column: &Ident) -> bool {
        self.writes_of(relation).any(|write| match &write.kind {
            WriteKind::Insert { columns, defaulted, .. } => !columns.contains(column) || defaulted.contains(column),
            WriteKind::Update { .. } | WriteKind::Delete => false,
        })
    }

    /// Whether what it writes breaks a rule: `Some(true)`: yes; `Some(false)`: may; `None`: no.
    fn breaks_rule(&self, relation: &QName, rule: &RowRule) -> Option<bool> {
        if !self.may_break(relation, rule) {
            return None;
        }
        let RowRule::Check { rule, .. } = rule else { return Some(false) };
        let verdicts = || self.writes_of(relation).map(|write| rows::obeys(write, rule, self.schema));
        if verdicts().any(|obeys| obeys == Some(false)) {
            return Some(true);
        }
        (!verdicts().all(|obeys| obeys == Some(true))).then_some(false)
    }

    fn may_break(&self, relation: &QName, rule: &RowRule) -> bool {
        let own = self.writes_of(relation).any(|write| match &write.kind {
            WriteKind::Insert { .. } => true,
            WriteKind::Update { columns, .. } => {
                rule.columns().is_empty() || columns.iter().any(|c| rule.columns().contains(c))
            }
            WriteKind::Delete => false,
        });
        let target = match rule {
            RowRule::Constraint(Rule::ForeignKey { target, target_columns, restricts, .. }) => {
                Some((target, target_columns, *restricts))
            }
            _ => None,
        };
        let parent = target.is_some_and(|(target, columns, restricts)| {
            self.writes_of(target).any(|write| match &write.kind {
                WriteKind::Delete => restricts,
                WriteKind::Update { columns: set, .. } => set.iter().any(|c| columns.contains(c)),
                WriteKind::Insert { updates, .. } => updates.iter().any(|c| columns.contains(c)),
            })
        });
        own || parent
    }

    /// Whether it fails once the relation has a column more.
    fn breaks_with(&self, relation: &QName, column: &str) -> bool {
        let Some(found) = self.schema.relation(relation) else { return false };
        let mut wider: Relation = found.clone();
        wider.columns.push(Column {
            name: column.into(),
            data_type: None,
            not_null: false,
            default: None,
            holds: None,
        });
        let mut schema = self.schema.clone();
        schema.insert_relation(relation.clone(), wider);
        let (state, _) = self.watch.step(self.watch.own(), &schema);
        !self.watch.prepares(&state, self.query)
    }

    /// Whether it names the relation in a string, as in `nextval('s')`.
    fn quotes(&self, relation: &QName) -> bool {
        let literals = self.text.split('\'').skip(1).step_by(2);
        literals.map(|l| l.replace('"', "")).any(|l| l.rsplit('.').next() == Some(&*relation.name))
    }

    fn uses_type(&self, name: &QName) -> bool {
        let shown = name.to_string();
        let uses = &self.look.uses;
        let has = |relation: &QName, column: &Ident| {
            let column = self.schema.relation(relation).and_then(|r| r.column(column));
            column.and_then(|c| c.data_type.as_ref()).is_some_and(|t| t.base() == shown)
        };
        uses.types.contains_key(&shown)
            || uses.reads.keys().any(|(relation, column)| has(relation, column))
            || uses.writes.iter().any(|write| match &write.kind {
                WriteKind::Insert { columns, updates, .. } => {
                    columns.iter().chain(updates).any(|column| has(&write.relation, column))
                }
                WriteKind::Update { columns, .. } => columns.iter().any(|column| has(&write.relation, column)),
                WriteKind::Delete => false,
            })
            || has_word(self.text, &name.name)
    }
}

/// What an INSERT says about rows that are there already.
struct InsertView<'a> {
    arbiter: Option<&'a std::collections::BTreeSet<Ident>>,
    constraint: Option<&'a Ident>,
}

/// Whether a text that is not understood mentions what a capability is about.
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
        Capability::Bare { relation, column } => has_word(text, &relation.name) && has_word(text, column),
        Capability::Shape(relation) | Capability::Width(relation) => {
            has_word(text, &relation.name) && (text.contains('*') || has_word(text, "insert"))
        }
        other => other.relation().is_some_and(|relation| has_word(text, &relation.name)),
    }
}

fn has_word(text: &str, word: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|w| w.eq_ignore_ascii_case(word))
}
