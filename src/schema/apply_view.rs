//! Views: what they show, and what can be written through them.

use std::sync::Arc;

use super::apply::Change;
use super::model::{Column, QName, Relation, TypeUser};
use super::{Schema, refusals, resolve};
use crate::shared::Shared;
use crate::sql::operation::{CreateView, Ident, RelationKind, RuleBody, RuleChange, RuleEvent, RuleVerb};
use crate::sql::query::{Expr, From, Item, QueryBody, QueryExpression};

impl Change {
    pub(super) fn create_view(&mut self, view: &CreateView) {
        if view.temporary {
            return;
        }
        let name = self.created(&view.name);
        let index = self.schema.index_tables.contains_key(&name);
        if index || (self.schema.relations.contains_key(&name) && !view.or_replace) {
            if !view.if_not_exists {
                self.exists(format!("relation {name}"));
            }
            return;
        }
        let kind = if view.materialized { RelationKind::MaterializedView } else { RelationKind::View };
        let mut relation = match self.schema.relation(&name) {
            Some(old) if view.or_replace => old.clone(),
            _ => self.newborn(&name, kind),
        };
        relation.definition.clone_from(&view.definition);
        relation.check_option = view.check_option;
        relation.unfilled = view.materialized && view.unfilled;
        let (columns, uses) = self.typed(&view.query, &view.body);
        relation.columns_known = columns.is_some();
        relation.columns = columns.unwrap_or_default().into_iter().map(Shared::new).collect();
        if relation.columns_known && relation.columns.len() < view.columns.len() {
            self.refused("CREATE VIEW specifies more column names than columns");
            return;
        }
        for (column, name) in relation.columns.iter_mut().zip(&view.columns) {
            column.name = name.clone();
        }
        if let Some(twice) = refusals::repeated(relation.columns.iter().map(|column| &column.name)) {
            self.refused(format!("column \"{twice}\" specified more than once"));
            return;
        }
        if let Some(old) = self.schema.relation(&name)
            && let Some(column) = not_kept(old, &relation)
        {
            self.touch(&name);
            self.refused(format!(
                "CREATE OR REPLACE VIEW {name} cannot drop, rename or retype {column}, which is there"
            ));
            return;
        }
        relation.runs = view.query.calls.iter().map(|call| call.name.clone()).collect();
        relation.reads = view.query.reads.iter().map(|read| self.schema.resolve(read)).collect();
        relation.read_columns = uses.reads.into_keys().collect();
        relation.grouped = uses.grouped.into_keys().collect();
        let casts = view.query.types.iter().map(|of| self.schema.type_shown(&of.base())).collect();
        relation.casts.insert(TypeUser::Whole, casts);
        relation.simple = view.query.simple;
        relation.body = Some(Arc::clone(&view.body));
        relation.read_only = self.is_read_only(&relation);
        if !relation.read_only {
            self.mark_computed(&mut relation, &view.body);
        }
        if let Some(old) = self.schema.relations.get(&name).cloned() {
            self.schema.unlink(&name, &old);
        }
        self.insert(name, relation);
    }

    /// Whether PostgreSQL cannot write through a view: it is no plain query, or shows a view of which that is true, or what nobody writes.
    fn is_read_only(&self, view: &Relation) -> bool {
        let kept = |shown: &Relation| match shown.kind {
            RelationKind::MaterializedView | RelationKind::Sequence => true,
            _ => shown.read_only && !takes_all(shown),
        };
        !view.simple || self.schema.shown_by(view).is_some_and(kept)
    }

    /// What the views on a view come to where triggers of it come and go: what is written into them is written there.
    pub(super) fn views_above(&mut self, view: &QName) {
        let Some(below) = self.schema.relation(view).filter(|below| below.kind == RelationKind::View) else { return };
        self.views_above_one(view, takes_all(below), 0);
    }

    /// The same, where it is known whether what is written there is taken from there on.
    fn views_above_one(&mut self, view: &QName, takes_all: bool, depth: usize) {
        // Views that show each other can be made, and not used.
        const DEEPEST: usize = 32;
        if depth == DEEPEST {
            return;
        }
        let reads = |relation: &Relation| relation.reads.contains(view);
        let above: Vec<QName> = self.schema.dependents(view).cloned().collect();
        for name in above {
            let Some(old) = self.schema.relation(&name).filter(|old| reads(old)).cloned() else { continue };
            let Some(body) = old.body.clone() else { continue };
            let mut new = old.clone();
            new.read_only = self.is_read_only(&new);
            new.columns.iter_mut().for_each(|column| column.computed = false);
            self.mark_computed(&mut new, &body);
            // Names that are others by now say nothing.
            let computed =
                old.columns.iter().zip(&new.columns).map(|(old, new)| new.computed || old.computed && !takes_all);
            let computed: Vec<bool> = computed.collect();
            if new.read_only != old.read_only || old.columns.iter().map(|c| c.computed).ne(computed.iter().copied()) {
                let read_only = new.read_only;
                self.edit(&name, |relation| {
                    relation.read_only = read_only;
                    relation.columns.iter_mut().zip(computed).for_each(|(column, is)| column.computed = is);
                });
                self.views_above_one(&name, takes_all, depth + 1);
            }
        }
    }

    /// A rule that does something in the place of all statements of a kind takes the columns, too, that a view computes.
    pub(super) fn rule(&mut self, change: &RuleChange) {
        let on = self.schema.resolve(&change.table);
        let Some(relation) = self.schema.relation(&on) else { return };
        let (is_view, name) = (relation.kind == RelationKind::View, change.name.clone());
        match &change.verb {
            RuleVerb::Made(body) => {
                let reads = resolve::done_by_rule(body, &on, &self.schema);
                let mut casts = self.schema.cast_to(body.condition.as_deref());
                casts.extend(body.types.iter().map(|of| self.schema.type_shown(&of.base())));
                let replaces = is_view && body.instead && !body.conditional && body.event != RuleEvent::Select;
                self.edit(&on, |relation| {
                    relation.rule_reads.insert(name.clone(), reads);
                    relation.casts.insert(TypeUser::Rule(name.clone()), casts);
                    relation.rules.insert(name.clone(), (Arc::new(body.clone()), true));
                    relation.instead.remove(&name);
                    if replaces {
                        relation.instead.insert(name, (body.event, true));
                    }
                });
            }
            RuleVerb::Enabled | RuleVerb::Disabled => {
                let enabled = matches!(change.verb, RuleVerb::Enabled);
                self.edit(&on, |relation| {
                    relation.instead.get_mut(&name).into_iter().for_each(|rule| rule.1 = enabled);
                    relation.rules.get_mut(&name).into_iter().for_each(|rule| rule.1 = enabled);
                });
            }
            RuleVerb::Gone => self.edit(&on, |relation| relation.drop_rule(&name)),
        }
        self.views_above(&on);
    }

    /// Marks the columns of a view that nobody can write: what is no column of the relation that it reads, or is computed there.
    fn mark_computed(&self, view: &mut Relation, query: &QueryExpression) {
        let QueryBody::Select(select) = &query.body else { return };
        let below = view.reads.iter().next().filter(|_| view.reads.len() == 1);
        let below = below.and_then(|read| self.schema.relation(read));
        let below = below.filter(|below| !takes_all(below));
        let computed = |name: &Ident| below.is_some_and(|r| r.column(name).is_some_and(|column| column.computed));
        let stars = select.items.iter().filter(|item| !matches!(item, Item::Expr(..))).count();
        let Some(width) = (view.columns.len() + stars).checked_sub(select.items.len()).filter(|_| stars < 2) else {
            return;
        };
        let mut columns = view.columns.iter_mut();
        for item in &select.items {
            match item {
                Item::Expr(Expr::Column(parts, _), _) => {
                    let Some(column) = columns.next() else { return };
                    column.computed = parts.last().is_some_and(computed);
                }
                Item::Expr(..) => {
                    let Some(column) = columns.next() else { return };
                    column.computed = true;
                }
                Item::Star(..) | Item::Fields(_) => {
                    columns.by_ref().take(width).for_each(|column| column.computed = computed(&column.name));
                }
            }
        }
    }
}

impl Schema {
    /// What a plain view shows; others that it reads stand in its conditions.
    fn shown_by(&self, view: &Relation) -> Option<&Relation> {
        let of_body = || {
            let QueryBody::Select(select) = &view.body.as_deref()?.body else { return None };
            let [From::Table(table)] = select.from.as_slice() else { return None };
            let name = self.resolve(&table.name.value);
            view.reads.contains(&name).then_some(name)
        };
        let one = view.reads.first().filter(|_| view.reads.len() == 1).cloned();
        self.relation(&one.or_else(of_body)?)
    }

    /// What the rules read and write that were found on a server, now that all of it is known. For introspection.
    pub fn read_rules(&mut self) {
        let with_rules = self.relations().filter(|(_, relation)| !relation.rules.is_empty());
        let found: Vec<_> = with_rules
            .map(|(name, relation)| {
                let read = |body: &RuleBody| resolve::done_by_rule(body, name, self);
                let rules = relation.rules.iter().map(|(rule, (body, _))| (rule.clone(), read(body)));
                (name.clone(), rules.collect::<Vec<_>>())
            })
            .collect();
        for (name, rules) in found {
            if let Some(relation) = self.relations.get_mut(&name) {
                Arc::make_mut(relation).rule_reads.extend(rules);
            }
        }
    }

    /// Whether the server refuses to write rows through a view: nothing takes them, and it is no plain query of what may be written.
    pub(super) fn refuses_rows(&self, view: &Relation, event: RuleEvent) -> bool {
        if view.kind != RelationKind::View {
            return false;
        }
        // Views that show each other can be made, and not used.
        const DEEPEST: usize = 32;
        let mut view = view;
        for _ in 0..DEEPEST {
            match view.kind {
                RelationKind::MaterializedView | RelationKind::Sequence => return true,
                RelationKind::View if !view.takes(event) => {}
                _ => return false,
            }
            match self.shown_by(view).filter(|_| view.simple) {
                Some(shown) => view = shown,
                // What was found on a server is not taken apart.
                None if view.body.is_none() => {
                    let mut reads = view.reads.iter().flat_map(|read| self.behind(read));
                    return view.read_only && !reads.any(|read| self.relation(read).is_some_and(|r| r.takes(event)));
                }
                None => return !view.simple,
            }
        }
        false
    }
}

/// Whether triggers or rules do something instead of INSERT and UPDATE: they take whatever is written.
fn takes_all(view: &Relation) -> bool {
    view.takes(RuleEvent::Insert) && view.takes(RuleEvent::Update)
}

/// The first column of a view that another form of it does not keep in its place, as far as both are known.
fn not_kept(old: &Relation, new: &Relation) -> Option<Ident> {
    if !old.columns_known || !new.columns_known {
        return None;
    }
    let keeps = |was: &Column, is: &Column| {
        let same_type = was.data_type.is_none() || is.data_type.is_none() || was.data_type == is.data_type;
        was.name == is.name && same_type
    };
    let mut columns = old.columns.iter().enumerate();
    let lost = columns.find(|(i, was)| !new.columns.get(*i).is_some_and(|is| keeps(was, is)));
    lost.map(|(_, was)| was.name.clone())
}

impl Schema {
    /// The materialized view without rows that whoever reads a relation reads: itself, or one behind views.
    pub(crate) fn unfilled_behind<'a>(&'a self, name: &'a QName) -> Option<&'a QName> {
        let relation = self.relation(name)?;
        if relation.unfilled {
            return Some(name);
        }
        if relation.kind != RelationKind::View {
            return None;
        }
        let (mut open, mut seen): (Vec<&QName>, Vec<&QName>) = (relation.reads.iter().collect(), vec![name]);
        while let Some(next) = open.pop() {
            let Some(read) = self.relation(next) else { continue };
            if read.unfilled {
                return Some(next);
            }
            if read.kind == RelationKind::View && !seen.contains(&next) {
                seen.push(next);
                open.extend(&read.reads);
            }
        }
        None
    }
}
