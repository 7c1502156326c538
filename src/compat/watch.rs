//! A version's queries looked at on one schema after another. Only those are looked at again that a change can touch.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::words::Words;
use crate::schema::resolve::{Problem, Resolved, Type, WriteKind};
use crate::schema::{Object, QName, Schema};
use crate::source::Span;
use crate::sql::query::At;
use crate::workload::{Query, Workload};

/// The queries of one version.
#[derive(Debug)]
pub struct Watch<'a> {
    workload: &'a Workload,
    own: State,
    words: Words,
    /// Queries that could not be read.
    unread: usize,
}

/// What each query is on one schema, as a new session sees it; `None`: it could not be read.
#[derive(Debug, Clone)]
pub struct State {
    schema: Schema,
    looks: Vec<Option<Arc<Resolved>>>,
}

impl<'a> Watch<'a> {
    /// Looks at all queries on the version's own schema.
    pub fn new(workload: &'a Workload, own: &Schema) -> Self {
        let words = Words::new(workload.queries.iter().map(|query| workload.text(query)));
        let own = own.clone().with_default_search_path();
        let look = |query: &Query| workload.resolve(query, &own).map(Arc::new);
        let looks: Vec<_> = workload.queries.iter().map(look).collect();
        let unread = looks.iter().filter(|look| look.is_none()).count();
        Self { workload, own: State { schema: own, looks }, words, unread }
    }

    /// The queries on their own schema.
    pub fn own(&self) -> &State {
        &self.own
    }

    /// How many queries could not be read: nothing is known of them.
    pub fn unread(&self) -> usize {
        self.unread
    }

    /// Where the queries come from.
    pub fn workload(&self) -> &'a Workload {
        self.workload
    }

    /// The text of a query.
    pub fn text(&self, query: usize) -> &'a str {
        self.workload.text(&self.workload.queries[query])
    }

    /// The queries.
    pub fn queries(&self) -> &'a [Query] {
        &self.workload.queries
    }

    /// The queries on another schema, and which of them were looked at again.
    pub fn step(&self, from: &State, to: &Schema) -> (State, Vec<usize>) {
        let to = &to.clone().with_default_search_path();
        let touched = self.touched(&from.schema, to);
        let mut looks = from.looks.clone();
        for i in &touched {
            let query = &self.workload.queries[*i];
            looks[*i] = self.workload.resolve(query, to).map(Arc::new);
        }
        (State { schema: to.clone(), looks }, touched)
    }

    /// The queries that may be others on the second schema than on the first.
    fn touched(&self, from: &Schema, to: &Schema) -> Vec<usize> {
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut types: BTreeSet<QName> = BTreeSet::new();
        for object in from.differing(to) {
            match object {
                Object::Relation(name) | Object::Function(name) => _ = names.insert(name.name.to_lowercase()),
                Object::Type(name) => {
                    names.insert(name.name.to_lowercase());
                    types.insert(name);
                }
                Object::Namespace(_) | Object::Extension(_) => {}
            }
        }
        if !types.is_empty() {
            let types: BTreeSet<String> = types.iter().map(ToString::to_string).collect();
            for (name, relation) in from.relations().chain(to.relations()) {
                let mut of = relation.columns.iter().filter_map(|column| column.data_type.as_ref());
                if of.any(|data_type| types.contains(data_type.base().as_str())) {
                    names.insert(name.name.to_lowercase());
                }
            }
        }
        self.words.naming(names.iter().map(String::as_str))
    }

    /// A query on any schema.
    pub fn look_on(&self, query: usize, schema: &Schema) -> Option<Resolved> {
        self.workload.resolve(&self.workload.queries[query], &schema.clone().with_default_search_path())
    }

    /// A place in a query's text as one in the workload's files; the whole query where it is not known.
    pub fn place(&self, query: usize, at: At) -> Span {
        let of = &self.workload.queries[query];
        let known = at.start < at.end && at.range().end <= self.text(query).len();
        if known { self.workload.place(of, at.range()) } else { of.span }
    }

    /// What is wrong with a query there that is not wrong on its own schema.
    pub fn problems<'s>(&'s self, state: &'s State, query: usize) -> impl Iterator<Item = &'s Problem> {
        let own = self.own.looks[query].as_deref();
        let here = state.looks[query].as_deref();
        here.into_iter()
            .flat_map(|here| &here.problems)
            .filter(move |problem| !own.is_some_and(|own| own.problems.iter().any(|p| p.message == problem.message)))
    }

    /// Whether a query prepares there, if it does on its own schema.
    pub fn prepares(&self, state: &State, query: usize) -> bool {
        self.problems(state, query).next().is_none()
    }
}

impl State {
    /// What a query is.
    pub fn look(&self, query: usize) -> Option<&Resolved> {
        self.looks[query].as_deref()
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Columns that an INSERT leaves out although they demand a value: it fails when it runs.
    pub fn missing_values(&self, query: usize) -> BTreeSet<(QName, crate::sql::operation::Ident)> {
        let mut found = BTreeSet::new();
        for write in self.look(query).into_iter().flat_map(|look| &look.uses.writes) {
            let WriteKind::Insert { columns, .. } = &write.kind else { continue };
            let Some(relation) = self.schema.relation(&write.relation) else { continue };
            let left_out = relation.columns.iter().filter(|c| !c.may_be_omitted() && !columns.contains(&c.name));
            found.extend(left_out.map(|column| (write.relation.clone(), column.name.clone())));
        }
        found
    }

    /// What is told to a client of a query otherwise than on another schema, in words: its parameters and what it returns. `None`: nothing
    /// that is known.
    pub fn contract_change(&self, query: usize, from: &Self) -> Option<String> {
        let (was, is) = (from.look(query)?, self.look(query)?);
        if let (Some(old), Some(new)) = (&was.columns, &is.columns) {
            if let Some(((name, old), (_, new))) = old.iter().zip(new).find(|(a, b)| a.0 == b.0 && differ(&a.1, &b.1)) {
                return Some(format!("column {name} is {new} instead of {old}"));
            }
            if let Some(at) =
                (0..old.len().max(new.len())).find(|i| old.get(*i).map(|c| &c.0) != new.get(*i).map(|c| &c.0))
            {
                let place = at + 1;
                return Some(match (old.get(at), new.get(at)) {
                    (None, Some((name, _))) => format!("{name} is a column more, at {place}"),
                    (Some((name, _)), None) => format!("{name}, at {place}, is gone"),
                    (Some((old, _)), Some((new, _))) => format!("column {place} is {new} instead of {old}"),
                    (None, None) => return None,
                });
            }
        }
        let mut parameters = was.parameters.iter().zip(&is.parameters).enumerate();
        let (at, (old, new)) = parameters.find(|(_, (old, new))| differ(old, new))?;
        Some(format!("parameter ${} is {new} instead of {old}", at + 1))
    }
}

/// Whether two types are known to be two.
fn differ(one: &Type, other: &Type) -> bool {
    one != other && *one != Type::Any && *other != Type::Any
}
