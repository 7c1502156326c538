//! A version's queries looked at on one schema after another. Only those are looked at again that a change can touch.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::reach::{Reach, Reaches};
use super::rows::{self, Refusal};
use super::words::QueryWords;
use crate::schema::resolve::{QueryProblem, Resolved, Type, Write, WriteKind};
use crate::schema::{Object, QName, Schema, TableRule, UserType};
use crate::source::Span;
use crate::sql::TypeName;
use crate::sql::lex::words_of;
use crate::sql::operation::Ident;
use crate::sql::query::At;
use crate::workload::{Query, Workload};

/// The queries of one version.
#[derive(Debug)]
pub struct Watch<'a> {
    workload: &'a Workload,
    own: Watched,
    words: QueryWords,
    /// Queries that could not be read.
    unread: usize,
    /// What each query does beside what its text says.
    reach: Vec<Reach>,
    /// What leads to a relation: views that read it, its partitions and its parent.
    leads: HashMap<QName, Vec<QName>>,
}

/// What each query is on one schema, as a new session sees it; `None`: it could not be read.
#[derive(Debug, Clone)]
pub struct Watched {
    schema: Schema,
    looks: Vec<Option<Arc<Resolved>>>,
}

impl<'a> Watch<'a> {
    /// Looks at all queries on the version's own schema.
    pub fn new(workload: &'a Workload, own: &Schema) -> Self {
        let words = QueryWords::new(workload.queries.iter().map(|query| workload.text(query)));
        let own = own.clone().with_default_search_path();
        let look = |query: &Query| workload.resolve(query, &own).map(Arc::new);
        let looks: Vec<_> = workload.queries.iter().map(look).collect();
        let unread = looks.iter().filter(|look| look.is_none()).count();
        let reaches = Reaches::new(&own);
        let reach = looks.iter().map(|look| look.as_ref().map(|look| reaches.of(look, &own)).unwrap_or_default());
        let reach = reach.collect();
        let mut leads: HashMap<QName, Vec<QName>> = HashMap::new();
        for (name, relation) in own.relations() {
            for read in relation.reads.iter().chain(&relation.parent) {
                leads.entry(read.clone()).or_default().push(name.clone());
            }
            leads.entry(name.clone()).or_default().extend(relation.parent.clone());
        }
        Self { workload, own: Watched { schema: own, looks }, words, unread, reach, leads }
    }

    /// The queries that may name one of these relations, in their order.
    pub(super) fn naming<'n>(&self, relations: impl IntoIterator<Item = &'n QName>) -> Vec<usize> {
        self.words.naming(relations.into_iter().map(|relation| &*relation.name))
    }

    /// A relation with all that a query may name to get at its rows: views that read it, its partitions and parents, and what it points to.
    pub(super) fn leading_to(&self, relation: &QName) -> BTreeSet<QName> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![relation.clone()];
        while let Some(name) = waiting.pop() {
            waiting.extend(self.leads.get(&name).into_iter().flatten().cloned());
            found.insert(name);
            waiting.retain(|name| !found.contains(name));
        }
        let rules = self.own.schema.relation(relation).into_iter().flat_map(|found| found.constraints.values());
        found.extend(rules.filter_map(|constraint| match &constraint.kind {
            TableRule::ForeignKey { target, .. } => Some(target.clone()),
            _ => None,
        }));
        found
    }

    /// What a query does beside what its text says.
    pub(super) fn reach(&self, query: usize) -> &Reach {
        &self.reach[query]
    }

    /// A query that writes rows of a relation, perhaps by what it sets off.
    pub fn writer(&self, relation: &QName) -> Option<&'a Query> {
        let schema = &self.own.schema;
        let below = |one: &QName, above: &QName| schema.ancestors(one).any(|found| found == above);
        // A row of a part is a row of the whole, and may be of this part.
        let kin = |written: &QName| written == relation || below(written, relation) || below(relation, written);
        let writes = |reach: &Reach| {
            let mut all = reach.writes.iter().chain(&reach.removes);
            all.any(|written| schema.behind(written).into_iter().any(kin))
        };
        let at = self.reach.iter().position(writes)?;
        Some(&self.workload.queries[at])
    }

    /// A query that changes one of these columns in rows of a relation that are there, perhaps by what it sets off: of that only the words are
    /// known.
    pub(super) fn changer(&self, relation: &QName, columns: &[Ident]) -> Option<&'a Query> {
        let schema = &self.own.schema;
        let is = |written: &QName| {
            let behind = schema.behind(written);
            behind.into_iter().any(|name| name == relation || schema.ancestors(name).any(|above| above == relation))
        };
        let set = |write: &Write| match &write.kind {
            WriteKind::Update { columns: set, .. } | WriteKind::Insert { updates: set, .. } => {
                is(&write.relation) && columns.iter().any(|column| set.contains(column))
            }
            WriteKind::Delete => false,
        };
        let says = |reach: &Reach, word: &str| reach.mentions.contains(word);
        let changes = |query: &usize| {
            let own = self.own.look(*query).is_some_and(|look| look.uses.writes.iter().any(set));
            let reach = &self.reach[*query];
            let sets_off = || {
                let named = says(reach, "update") && says(reach, &relation.name);
                named && reach.writes.iter().any(is) && columns.iter().any(|column| says(reach, column))
            };
            own || sets_off()
        };
        let at = (0..self.reach.len()).find(changes)?;
        Some(&self.workload.queries[at])
    }

    /// What the queries write by their own words.
    pub(super) fn writes(&self) -> impl Iterator<Item = &Write> {
        let looks = (0..self.workload.queries.len()).filter_map(|query| self.own.look(query));
        looks.flat_map(|look| &look.uses.writes)
    }

    /// The queries on their own schema.
    pub fn own(&self) -> &Watched {
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
    pub fn step(&self, from: &Watched, to: &Schema) -> (Watched, Vec<usize>) {
        let to = to.clone().with_default_search_path();
        let touched = self.touched(&from.schema, &to);
        let mut looks = from.looks.clone();
        for i in &touched {
            looks[*i] = self.look(*i, &to).map(Arc::new);
        }
        (Watched { schema: to, looks }, touched)
    }

    /// A query on a schema. That it compares other columns than on its own is a problem of it, though PostgreSQL does not say so.
    fn look(&self, query: usize, schema: &Schema) -> Option<Resolved> {
        let mut look = self.workload.resolve(&self.workload.queries[query], schema)?;
        let own = self.own.looks[query].as_deref()?;
        let compared = own.natural.iter().zip(&look.natural).find(|(was, is)| was != is);
        if let Some((was, is)) = compared.filter(|_| own.refused().is_none()) {
            let columns = |names: &[crate::sql::operation::Ident]| names.join(", ");
            let message = format!("its NATURAL JOIN compares ({}) instead of ({})", columns(is), columns(was));
            look.problems.push(QueryProblem { code: "", message, at: At::default(), sure: true });
        }
        if let Some(message) = other_overload(own, &look, schema).filter(|_| own.refused().is_none()) {
            look.problems.push(QueryProblem { code: "", message, at: At::default(), sure: true });
        }
        if let Some(message) = captured(own, &look, &self.own.schema) {
            look.problems.push(QueryProblem { code: "", message, at: At::default(), sure: true });
        }
        let unlisted = |look: &Resolved| -> Vec<(QName, Vec<crate::sql::operation::Ident>)> {
            let positional = look.uses.writes.iter().filter_map(|write| match &write.kind {
                WriteKind::Insert { columns, listed: false, .. } => Some((write.relation.clone(), columns.clone())),
                _ => None,
            });
            positional.collect()
        };
        let (was, is) = (unlisted(own), unlisted(&look));
        let moved = was.iter().zip(&is).find(|(was, is)| was.0 == is.0 && was.1 != is.1);
        if let Some((was, is)) = moved.filter(|_| own.refused().is_none() && look.refused().is_none()) {
            let message = format!(
                "without a column list it writes {} ({}) instead of ({})",
                was.0,
                is.1.join(", "),
                was.1.join(", ")
            );
            look.problems.push(QueryProblem { code: "", message, at: At::default(), sure: true });
        }
        Some(look)
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
            // Domains and composites of a type change with it.
            let mut shown: BTreeSet<String> = types.iter().map(ToString::to_string).collect();
            let mut known = 0;
            while known < shown.len() {
                known = shown.len();
                for (name, definition) in from.user_types().chain(to.user_types()) {
                    if definition.parts().any(|part| shown.contains(&*part.base())) {
                        names.insert(name.name.to_lowercase());
                        shown.insert(name.to_string());
                    }
                }
            }
            for (name, relation) in from.relations().chain(to.relations()) {
                let mut of = relation.columns.iter().filter_map(|column| column.data_type.as_ref());
                if of.any(|data_type| shown.contains(&*data_type.base())) {
                    names.insert(name.name.to_lowercase());
                }
            }
        }
        // What a function returns, or takes, may be a row of a relation, or a value of a type.
        let mut over = Vec::new();
        for (name, function) in from.all_functions().chain(to.all_functions()) {
            let arguments = function.arguments.iter().map(|(data_type, _)| data_type.as_str());
            let outputs = function.outputs.iter().map(|(_, data_type)| data_type.as_str());
            let mut words = arguments.chain(outputs).chain([function.returns.as_str()]).flat_map(words_of);
            if words.any(|word| names.contains(&word.to_lowercase())) {
                over.push(name.name.to_lowercase());
            }
        }
        names.extend(over);
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
    pub fn problems<'s>(&'s self, state: &'s Watched, query: usize) -> impl Iterator<Item = &'s QueryProblem> {
        let own = self.own.looks[query].as_deref();
        let here = state.looks[query].as_deref();
        here.into_iter()
            .flat_map(|here| &here.problems)
            .filter(move |problem| !own.is_some_and(|own| own.problems.iter().any(|p| p.message == problem.message)))
    }

    /// What its library recorded of a query that its version's own schema has otherwise, in words.
    pub fn unlike_recorded(&self, query: usize) -> Option<String> {
        let recorded = self.queries()[query].recorded.as_deref()?;
        let look = self.own.look(query)?;
        let other = |recorded: &str, found: &Type| match found {
            Type::Named(found) => !same_type(recorded, found),
            _ => false,
        };
        // Nothing recorded is nothing known.
        if let Some(columns) = look.columns.as_ref().filter(|_| !recorded.columns.is_empty()) {
            if columns.len() != recorded.columns.len() {
                return Some(format!(
                    "it returned {} columns there, and returns {}",
                    recorded.columns.len(),
                    columns.len()
                ));
            }
            let pairs = || recorded.columns.iter().zip(columns);
            if let Some((was, (name, _))) = pairs().find(|(was, (name, _))| *was.name != **name) {
                return Some(format!("its column {} was {} there", name, was.name));
            }
            if let Some((was, (name, found))) = pairs().find(|(was, (_, found))| other(&was.data_type, found)) {
                return Some(format!("its column {name} was {} there, and is {found}", was.data_type));
            }
        }
        let mut parameters = recorded.parameters.iter().zip(&look.parameters).enumerate();
        let (at, (was, found)) = parameters.find(|(_, (was, found))| other(was, found))?;
        Some(format!("its parameter ${} was {was} there, and is {found}", at + 1))
    }

    /// Whether a query prepares there, if it does on its own schema.
    pub fn prepares(&self, state: &Watched, query: usize) -> bool {
        self.problems(state, query).next().is_none()
    }
}

impl Watched {
    /// What a query is.
    pub fn look(&self, query: usize) -> Option<&Resolved> {
        self.looks[query].as_deref()
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Why a query fails when it runs, although it prepares.
    pub fn refusals(&self, query: usize) -> BTreeSet<Refusal> {
        let writes = self.look(query).into_iter().flat_map(|look| &look.uses.writes);
        writes.flat_map(|write| rows::refusals(write, &self.schema)).collect()
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
        let both = was.columns.iter().flatten().zip(is.columns.iter().flatten());
        let mut of_types = both.filter_map(|((name, old), (_, new))| (old == new).then_some((name, old.name()?)));
        if let Some((name, of)) = of_types.find(|(_, of)| other_values(of, &from.schema, &self.schema, 0)) {
            return Some(format!("values of column {name} ({of}) have other attributes"));
        }
        let other = |row: &&QName| {
            let (old, new) = (from.schema.relation(row), self.schema.relation(row));
            old.zip(new).is_some_and(|(old, new)| !old.same_row(new))
        };
        if let Some(row) = is.uses.rows.keys().find(other) {
            return Some(format!("it takes whole rows of {row}, which have other columns"));
        }
        let mut parameters = was.parameters.iter().zip(&is.parameters).enumerate();
        let (at, (old, new)) = parameters.find(|(_, (old, new))| differ(old, new))?;
        Some(format!("parameter ${} is {new} instead of {old}", at + 1))
    }
}

/// Whether values of a type have other attributes on another schema, themselves or what they are made of.
fn other_values(data_type: &str, from: &Schema, to: &Schema, depth: u32) -> bool {
    let base = data_type.trim_end_matches("[]");
    match (from.user_type_named(base), to.user_type_named(base)) {
        (Some(UserType::Composite(old)), Some(UserType::Composite(new))) => {
            old != new || depth < 8 && old.iter().any(|(_, of)| other_values(&of.base(), from, to, depth + 1))
        }
        _ => false,
    }
}

/// Whether two types are known to be two.
fn differ(one: &Type, other: &Type) -> bool {
    one != other && *one != Type::Any && *other != Type::Any
}

/// Whether a type that a library recorded is one of PostgreSQL's spelling. Libraries do not say in which schema a type is.
fn same_type(recorded: &str, found: &str) -> bool {
    let recorded = TypeName::spelled(recorded);
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().replace('"', "");
    // `character` without a length is what a client sees of `character(n)`.
    let plain = |name: &str| if name.starts_with("bpchar") { name.replace("bpchar", "character") } else { last(name) };
    plain(recorded.without_modifiers().as_str()) == plain(found)
}

/// A name that means a column which the query's own schema does not have, and meant something else there: what the query does not name by
/// `*` and does not fail without it does not name at all. `home`: its own schema.
pub(super) fn captured(own: &Resolved, look: &Resolved, home: &Schema) -> Option<String> {
    if own.refused().is_some() || own.natural != look.natural {
        return None;
    }
    let new = |(relation, column): &&(QName, Ident)| {
        let known = home.relation(relation).filter(|known| known.columns_known);
        let whole = look.uses.stars.contains_key(relation) || look.uses.rows.contains_key(relation);
        !whole && known.is_some_and(|known| known.column(column).is_none())
    };
    let mut gained = look.uses.reads.keys().filter(|read| !own.uses.reads.contains_key(*read));
    let (relation, column) = gained.find(new)?;
    Some(format!("its {column} means {relation}.{column}, and meant something else"))
}

/// A call that means another of several functions, although the one that it meant is there.
fn other_overload(own: &Resolved, look: &Resolved, schema: &Schema) -> Option<String> {
    own.uses.overloads.iter().find_map(|(name, was)| {
        let is = look.uses.overloads.get(name)?;
        let there = |signature: &str| schema.functions(name).iter().any(|one| one.signature(name) == signature);
        let meant = is.difference(was).flatten().next()?;
        // One of the server's own, which stays there.
        if was.contains(&None) && !is.contains(&None) {
            return Some(format!("its call of {} means {meant} instead of the server's own", name.name));
        }
        let lost = was.difference(is).flatten().find(|signature| there(signature))?;
        Some(format!("its call of {name} means {meant} instead of {lost}"))
    })
}
