//! Whether a version relies on a capability: the question that placement asks of a workload.

use std::collections::BTreeSet;

use super::reach::Reach;
use super::rows;
use super::watch::{Watch, captured};
use crate::effect::{Capability, RowRule, Weight, behaviour};
use crate::schema::resolve::{Arbiter, QueryProblem, Resolved, Row, Sure, Write, WriteKind};
use crate::schema::{Column, QName, Relation, Schema, TableRule};
use crate::sql::condition::Constant;
use crate::sql::lex::words_of;
use crate::sql::operation::{DefaultValue, Firing, Ident, OnDelete, RelationKind};
use crate::workload::Query;

/// Whether a version relies on a capability.
#[derive(Debug, Clone, Copy)]
pub enum Reliance<'a> {
    /// This query fails without it.
    Yes(&'a Query),
    /// This query may fail without it: it depends on values, or on what cannot be resolved.
    May(&'a Query),
    /// No query does.
    No,
}

impl<'a> Watch<'a> {
    /// Whether any query relies on a capability.
    pub fn relies(&self, capability: &Capability) -> Reliance<'a> {
        self.relies_by(capability, true)
    }

    /// The same, with or without what rules and views name (`kept`): they follow what is renamed.
    pub(super) fn relies_by(&self, capability: &Capability, kept: bool) -> Reliance<'a> {
        let names = self.names_of(capability);
        let mut may = None;
        for query in self.concerned(capability, &names) {
            match self.query_relies(query, capability, &names, kept) {
                Some(true) => return Reliance::Yes(&self.queries()[query]),
                Some(false) => may = may.or(Some(&self.queries()[query])),
                None => {}
            }
        }
        may.map_or(Reliance::No, Reliance::May)
    }

    /// The relations that a query may name to get at what a capability is about.
    fn names_of(&self, capability: &Capability) -> BTreeSet<QName> {
        let relations = capability.relation().into_iter().chain(target_of(capability));
        relations.flat_map(|relation| self.leading_to(relation)).collect()
    }

    /// The queries that can have to do with a capability, in order: for one of a relation, those that name it, or what leads to it, and those
    /// that reach it by functions, triggers, or foreign keys.
    fn concerned(&self, capability: &Capability, names: &BTreeSet<QName>) -> Vec<usize> {
        if capability.relation().is_none() {
            return (0..self.queries().len()).collect();
        }
        let mut found: BTreeSet<usize> = self.naming(names).into_iter().collect();
        let reaches = |query: &usize| {
            let reach = self.reach(*query);
            names.iter().any(|name| {
                reach.writes.contains(name) || reach.removes.contains(name) || reach.mentions.contains(&name.name)
            })
        };
        found.extend((0..self.queries().len()).filter(reaches));
        found.into_iter().collect()
    }

    /// `Some(true)`: yes; `Some(false)`: may; `None`: no.
    fn query_relies(&self, query: usize, capability: &Capability, names: &BTreeSet<QName>, kept: bool) -> Option<bool> {
        let text = self.text(query);
        let Some(look) = self.own().look(query) else {
            return mentions_any(text, capability, names).then_some(false);
        };
        let view = View { watch: self, query, look, schema: self.own().schema(), text, kept };
        let unclear = || (look.uses.more || look.refused().is_some()) && mentions_any(text, capability, names);
        let indirectly = || view.writes_indirectly(capability) || self.reached(query, capability, names);
        view.relies(capability).or_else(|| (unclear() || indirectly()).then_some(false))
    }

    /// Whether a function that a query runs, by a call or by a trigger, mentions what a capability is about.
    fn reached(&self, query: usize, capability: &Capability, names: &BTreeSet<QName>) -> bool {
        let Reach { mentions, writes, removes, called: _ } = self.reach(query);
        if mentions.is_empty() {
            return false;
        }
        let Some(relation) = capability.relation() else {
            // A label of several words is not found as one.
            return object_of(capability).is_some_and(|name| words_of(name).any(|word| mentions.contains(word)));
        };
        let named = names.iter().any(|name| mentions.contains(&name.name));
        match capability {
            // A trigger does not name its own table.
            Capability::Read { column, .. } | Capability::Write { column, .. } => {
                mentions.contains(column) && (named || writes.contains(relation) || removes.contains(relation))
            }
            // Habits of clients are not those of functions, but for a whole row that a trigger writes elsewhere.
            Capability::Width(_) => {
                writes.contains(relation) && ["new.*", "old.*"].iter().any(|row| mentions.contains(*row))
            }
            // A function that is not volatile only reads.
            Capability::Omit { .. }
            | Capability::Default { .. }
            | Capability::Defaulted { .. }
            | Capability::AcceptsNull { .. }
            | Capability::Fits { .. }
            | Capability::Arbiter { .. }
            | Capability::Unruled { .. } => {
                capability.weight() == Weight::Certain && names.iter().any(|name| writes.contains(name))
            }
            other => named && other.weight() == Weight::Certain,
        }
    }
}

/// The table that the rows of a capability's relation point to.
fn target_of(capability: &Capability) -> Option<&QName> {
    match capability {
        Capability::Unruled { rule, .. } => match &**rule {
            RowRule::Constraint(TableRule::ForeignKey { target, .. }) => Some(target),
            _ => None,
        },
        _ => None,
    }
}

/// What a capability without a relation is called.
fn object_of(capability: &Capability) -> Option<&str> {
    match capability {
        Capability::Label { label, .. } => Some(label),
        Capability::Type(name)
        | Capability::Attribute { name, .. }
        | Capability::Attributes { name, .. }
        | Capability::Taken { name, .. }
        | Capability::KnownLabels(name)
        | Capability::Call { name, .. }
        | Capability::Body { name, .. }
        | Capability::Sound { name, .. }
        | Capability::Unambiguous { name, .. } => Some(&name.name),
        Capability::Namespace(name) | Capability::Extension(name) => Some(name),
        _ => None,
    }
}

/// Longer chains of views are not followed.
const DEEPEST: usize = 32;

/// A query on the schema it was written for.
struct View<'a> {
    watch: &'a Watch<'a>,
    query: usize,
    look: &'a Resolved,
    schema: &'a Schema,
    text: &'a str,
    /// Whether what rules and views name counts.
    kept: bool,
}

impl<'a> View<'a> {
    fn relies(&self, capability: &Capability) -> Option<bool> {
        let uses = &self.look.uses;
        match capability {
            Capability::Relation(relation) => match self.touches(relation) {
                true => Some(true),
                false => self.quotes(relation).then_some(false),
            },
            // What is filled is read; what a view shows is read through it.
            Capability::Filled(relation) => {
                let shows = |view: &QName| self.schema.relation(view).is_some_and(|r| r.kind == RelationKind::View);
                let through = |name: &QName| shows(name) && self.reads_through(name, relation, 0);
                let reads = uses.relations.keys().any(|name| name == relation || through(name));
                reads.then_some(true).or_else(|| self.quotes(relation).then_some(false))
            }
            Capability::Read { relation, column, .. } | Capability::Values { relation, column, .. } => {
                self.uses_column(relation, column)
            }
            Capability::Write { relation, column } => self.writes_column(relation, column).then_some(true),
            Capability::Omit { relation, column }
            | Capability::Default { relation, column }
            | Capability::Defaulted { relation, column } => {
                // A trigger may put something there.
                self.omits(relation, column).then(|| !self.watch.reach(self.query).mentions.contains(column))
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
            | Capability::Held { relation, .. }
            | Capability::Behaviour { relation, .. }
            | Capability::FastPath { relation, .. } => self.touches(relation).then_some(false),
            Capability::Shape(relation) => uses.stars.contains_key(relation).then_some(true),
            Capability::Bare { relation, column } => {
                let named = uses.relations.contains_key(relation) && has_word(self.text, column);
                (named && self.breaks_with(relation, column)).then_some(true)
            }
            Capability::Width(relation) => {
                let counted = uses.stars.contains_key(relation);
                let copied =
                    |write: &Write| matches!(write.kind, WriteKind::Insert { copies: true, listed: false, .. });
                if self.writes_of(relation).any(copied) {
                    return Some(true);
                }
                (counted && self.breaks_with(relation, "\u{0}one more")).then_some(true)
            }
            Capability::Arbiter { relation, columns } => self
                .inserts(relation, |insert| {
                    let plain =
                        |arbiter: &Arbiter| arbiter.expressions.is_empty() && arbiter.columns.iter().eq(columns.iter());
                    // Where its own schema does without, another index is found.
                    let other = |arbiter: &Arbiter| {
                        !capability.offered_by(self.schema)
                            && self.schema.relation(relation).is_some_and(|found| {
                                found.indexes.values().any(|index| arbiter.finds(index) == Sure::Yes)
                            })
                    };
                    insert.arbiter.is_some_and(|arbiter| plain(arbiter) && !other(arbiter))
                })
                .then_some(true),
            Capability::PartialArbiter { relation, index, .. } => {
                let index = self.schema.relation(relation).and_then(|found| found.indexes.get(index))?;
                // Without a word on how columns are compared, any index on them will do.
                let asks = |arbiter: &Arbiter| index.plain_key().is_none() || !arbiter.kinds.is_empty();
                let found = |wanted: Sure| {
                    self.inserts(relation, |insert| {
                        insert.arbiter.is_some_and(|arbiter| asks(arbiter) && arbiter.finds(index) == wanted)
                    })
                };
                if found(Sure::Yes) { Some(true) } else { found(Sure::Unsure).then_some(false) }
            }
            Capability::Identified(relation) => self.writes_of(relation).any(Write::changes_rows).then_some(true),
            Capability::Grouped { relation, .. } => uses.grouped.contains_key(relation).then_some(true),
            Capability::Cascades { relation, .. } => {
                let deletes = |write: &Write| write.kind == WriteKind::Delete;
                let goes = || self.watch.reach(self.query).removes.contains(relation);
                (self.writes_of(relation).any(deletes) || goes()).then_some(false)
            }
            Capability::ConstraintName { relation, name } => {
                self.inserts(relation, |insert| insert.constraint == Some(name)).then_some(true)
            }
            Capability::Trigger { relation, name } | Capability::Untriggered { relation, name } => {
                let firing = self.schema.relation(relation).map_or(Firing::ALWAYS, |found| found.firing(name));
                self.writes_of(relation).any(|write| write.sets_off(firing)).then_some(false)
            }
            Capability::Type(name)
            | Capability::Attribute { name, .. }
            | Capability::Taken { name, .. }
            | Capability::KnownLabels(name) => self.uses_type(name).then_some(false),
            Capability::Attributes { name, .. } => self.writes_type(name).then_some(false),
            Capability::Label { name, label } => {
                if uses.labels.contains_key(&(name.to_string(), label.clone())) {
                    return Some(true);
                }
                // A parameter can carry it, wherever the type is written or compared.
                self.uses_type(name).then_some(false)
            }
            Capability::Call { name, signature } => {
                let arguments = signature.split(" returning ").next().unwrap_or_default();
                let known = uses.overloads.get(name).filter(|meant| !meant.contains(&None));
                let other = known.is_some_and(|meant| {
                    let is = |of: &Option<String>| of.as_ref().is_some_and(|of| *of == format!("{name}{arguments}"));
                    !meant.iter().any(is)
                });
                // Where its own schema does without, another of this name may be meant.
                let meant = || capability.offered_by(self.schema) || self.schema.functions(name).is_empty();
                (uses.calls.contains_key(name) && !other).then(meant)
            }
            Capability::Unambiguous { name, given } => {
                uses.given.get(name).is_some_and(|counts| counts.contains(given)).then_some(true)
            }
            Capability::Sound { name, .. } => {
                let calls = |relation: &Relation| {
                    let mut triggers = relation.trigger_functions.iter();
                    triggers.any(|(trigger, called)| called == name && relation.triggers.get(trigger) == Some(&true))
                };
                let sets_off = |written: &QName| {
                    let above = std::iter::once(written).chain(self.schema.ancestors(written));
                    above.into_iter().any(|table| self.schema.relation(table).is_some_and(calls))
                };
                let directly =
                    uses.calls.contains_key(name) || uses.writes.iter().any(|write| sets_off(&write.relation));
                directly.then_some(true)
            }
            Capability::Body { name, .. } => {
                if uses.calls.contains_key(name) {
                    return Some(true);
                }
                // By a default, a check, a policy, a view, or by another function.
                if self.watch.reach(self.query).called.contains(name) {
                    return Some(false);
                }
                // A trigger's function is called by the writes of others.
                let of_trigger = self.schema.functions(name).iter().any(|f| f.returns == "trigger");
                (of_trigger && !uses.writes.is_empty()).then_some(false)
            }
            Capability::Namespace(name) => has_word(self.text, name).then_some(false),
            // What an extension brings is not known; what is not known may be of it.
            Capability::Extension(name) => {
                (has_word(self.text, name) || uses.more || !self.look.problems.is_empty()).then_some(false)
            }
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
        // What it reaches through others is reached by its number.
        if !self.kept {
            return writes.any(|written| written == relation && self.triggers_touch(capability));
        }
        writes.any(|written| {
            let kin = |table: &QName| self.is_below(table, relation) || self.is_below(relation, table);
            let through = |table: &QName| table != relation && kin(table) || table == relation && written != relation;
            self.schema.behind(written).into_iter().any(through)
                || (written == relation && self.triggers_touch(capability))
        }) || self.foreign_keys_write(capability)
    }

    /// Whether the actions of foreign keys, or functions, write what a rule is about, or what its rows point to.
    fn foreign_keys_write(&self, capability: &Capability) -> bool {
        let named = |relation: &QName| self.look.uses.writes.iter().any(|write| write.relation == *relation);
        let reached = |relation: &QName| self.watch.reach(self.query).writes.contains(relation) && !named(relation);
        match capability {
            // A row that is changed by an action keeps what it left out.
            Capability::Omit { .. } | Capability::Default { .. } | Capability::Defaulted { .. } => false,
            other => other.relation().into_iter().chain(target_of(other)).any(reached),
        }
    }

    /// Whether one relation is a partition of another, or inherits from it.
    fn is_below(&self, relation: &QName, above: &QName) -> bool {
        self.schema.ancestors(relation).any(|found| found == above)
    }

    /// Whether the triggers that a write runs mention the columns of a rule for what is written.
    fn triggers_touch(&self, capability: &Capability) -> bool {
        let mentions = &self.watch.reach(self.query).mentions;
        match capability {
            Capability::AcceptsNull { column, .. } | Capability::Fits { column, .. } => mentions.contains(column),
            Capability::Unruled { rule, .. } => rule.columns().iter().any(|column| mentions.contains(column)),
            _ => false,
        }
    }

    /// Whether it names the relation, or a view that reads it.
    fn touches(&self, relation: &QName) -> bool {
        let named = self.look.uses.relations.keys();
        named.into_iter().any(|name| name == relation || self.kept && self.reads_through(name, relation, 0))
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
            // An expression, or a view's column, may be NULL because the column is.
            let through = |of: &QName| self.reads_through(of, relation, 0) || self.is_below(relation, of);
            unclear |= shows.is_empty() || shows.iter().any(|(of, _)| through(of));
        }
        (!unclear).then_some(true)
    }

    fn writes_of(&self, relation: &QName) -> impl Iterator<Item = &'a Write> {
        let kept = self.kept;
        self.look.uses.writes.iter().filter(move |write| write.relation == *relation && (kept || !write.ruled))
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
        self.writes_of(relation).any(|write| self.is_written(write, column))
    }

    fn is_written(&self, write: &Write, column: &Ident) -> bool {
        let generated = self.is_generated(&write.relation, column);
        match &write.kind {
            WriteKind::Insert { columns, updates, .. } => {
                generated || columns.contains(column) || updates.contains(column)
            }
            WriteKind::Update { columns, .. } => generated || columns.contains(column),
            WriteKind::Delete => false,
        }
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
        let generated = self.is_generated(relation, column);
        self.writes_column(relation, column)
            && (generated || !self.writes_of(relation).all(|write| rows::gives_values(write, column, self.schema)))
    }

    /// Whether a column's value follows from others, so that writing these writes it.
    fn is_generated(&self, relation: &QName, column: &Ident) -> bool {
        let default = self.schema.relation(relation).and_then(|found| found.column(column)?.default);
        matches!(default, Some(DefaultValue::GeneratedStored | DefaultValue::GeneratedVirtual))
    }

    fn omits(&self, relation: &QName, column: &Ident) -> bool {
        let defaulted = |row: &Row| row.get(column) == Some(&Constant::Default);
        self.writes_of(relation).any(|write| match &write.kind {
            WriteKind::Insert { columns, rows, updated, .. } => {
                !columns.contains(column) || rows.iter().chain([updated]).any(defaulted)
            }
            WriteKind::Update { row, .. } => defaulted(row),
            WriteKind::Delete => false,
        })
    }

    /// Whether what it writes breaks a rule: `Some(true)`: yes; `Some(false)`: may; `None`: no.
    fn breaks_rule(&self, relation: &QName, rule: &RowRule) -> Option<bool> {
        if let Some(firing) = behaviour::refusing(rule) {
            return self.writes_of(relation).any(|write| write.sets_off(firing)).then_some(false);
        }
        if !self.may_break(relation, rule) {
            return None;
        }
        let unique = match rule {
            RowRule::Constraint(TableRule::Unique { columns }) => Some((columns, None, false)),
            RowRule::UniqueIndex { key, predicate, nulls_collide, .. } => {
                Some((key, predicate.as_deref(), *nulls_collide))
            }
            _ => None,
        };
        if let Some((key, predicate, nulls_collide)) = unique {
            let mut writes = self.writes_of(relation);
            let collides = |write: &Write| rows::may_collide(write, key, predicate, nulls_collide, self.schema);
            return writes.any(collides).then_some(false);
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
            // An UPDATE checks all of the row, and old rows may break a check that is not valid.
            WriteKind::Update { .. } if matches!(rule, RowRule::Check { .. }) => true,
            WriteKind::Update { columns, .. } => {
                rule.columns().is_empty()
                    || rule.columns().iter().any(|c| columns.contains(c) || self.is_generated(relation, c))
            }
            WriteKind::Delete => false,
        });
        let target = match rule {
            RowRule::Constraint(TableRule::ForeignKey { target, target_columns, on_delete, follows, .. }) => {
                Some((target, target_columns, *on_delete == OnDelete::Refuse, !follows))
            }
            _ => None,
        };
        let parent = target.is_some_and(|(target, columns, restricts, holds)| {
            self.writes_of(target).any(|write| match &write.kind {
                WriteKind::Delete => restricts,
                WriteKind::Update { columns: set, .. } => holds && set.iter().any(|c| columns.contains(c)),
                WriteKind::Insert { updates, .. } => holds && updates.iter().any(|c| columns.contains(c)),
            })
        });
        own || parent
    }

    /// Whether it fails once the relation has a column more.
    fn breaks_with(&self, relation: &QName, column: &str) -> bool {
        let Some(found) = self.schema.relation(relation) else { return false };
        let mut wider: Relation = found.clone();
        wider.columns.push(Column::unknown(column.into()).into());
        let mut schema = self.schema.clone();
        schema.insert_relation(relation.clone(), wider);
        let known = |problem: &QueryProblem| self.look.problems.iter().any(|old| old.message == problem.message);
        let wider = self.watch.look_on(self.query, &schema);
        wider.is_some_and(|wider| {
            !wider.problems.iter().all(known) || captured(self.look, &wider, self.schema).is_some()
        })
    }

    /// Whether it names the relation in a string, as in `nextval('s')`.
    fn quotes(&self, relation: &QName) -> bool {
        let literals = self.text.split('\'').skip(1).step_by(2);
        literals.map(|l| l.replace('"', "")).any(|l| l.rsplit('.').next() == Some(&*relation.name))
    }

    fn uses_type(&self, name: &QName) -> bool {
        let reads = self.look.uses.reads.keys().any(|(relation, column)| self.is_of(relation, column, name));
        reads || self.writes_type(name) || has_word(self.text, &name.name)
    }

    /// Whether it makes values of a type, by a cast or for a column.
    fn writes_type(&self, name: &QName) -> bool {
        let uses = &self.look.uses;
        let of_it = |write: &Write, column: &Ident| self.is_of(&write.relation, column, name);
        uses.types.contains_key(&name.to_string())
            || uses.writes.iter().any(|write| match &write.kind {
                WriteKind::Insert { columns, updates, .. } => {
                    columns.iter().chain(updates).any(|column| of_it(write, column))
                }
                WriteKind::Update { columns, .. } => columns.iter().any(|column| of_it(write, column)),
                WriteKind::Delete => false,
            })
    }

    fn is_of(&self, relation: &QName, column: &Ident, data_type: &QName) -> bool {
        let column = self.schema.relation(relation).and_then(|found| found.column(column));
        column.and_then(|column| column.data_type.as_ref()).is_some_and(|t| t.base() == data_type.to_string())
    }
}

/// What an INSERT says about rows that are there already.
struct InsertView<'a> {
    arbiter: Option<&'a Arbiter>,
    constraint: Option<&'a Ident>,
}

/// Whether a text that is not understood mentions what a capability is about, or what leads there.
fn mentions_any(text: &str, capability: &Capability, names: &BTreeSet<QName>) -> bool {
    if let Some(name) = object_of(capability) {
        return match capability {
            Capability::Label { name, .. } => has_word(text, &name.name),
            // What an extension brings is called otherwise.
            Capability::Extension(_) => true,
            _ => has_word(text, name),
        };
    }
    let named = || names.iter().any(|name| has_word(text, &name.name));
    match capability {
        Capability::Bare { relation, column } => has_word(text, &relation.name) && has_word(text, column),
        Capability::Shape(_) | Capability::Width(_) => named() && (text.contains('*') || inserts_all(text)),
        other => other.relation().is_some() && named(),
    }
}

/// Whether it is an INSERT without a column list, or may be one.
fn inserts_all(text: &str) -> bool {
    if !has_word(text, "insert") {
        return false;
    }
    // `INSERT INTO name (…`: the list stands before VALUES or the query.
    let lower = text.to_lowercase();
    let list = lower.find('(');
    let source = ["values", "select", "default"].iter().filter_map(|word| lower.find(word)).min();
    !matches!((list, source), (Some(list), Some(source)) if list < source)
}

fn has_word(text: &str, word: &str) -> bool {
    // A name of several words is not found as one.
    if words_of(word).next() != Some(word) {
        return text.to_lowercase().contains(&word.to_lowercase());
    }
    words_of(text).any(|w| w.eq_ignore_ascii_case(word))
}
