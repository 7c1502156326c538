//! A query against a schema, as PREPARE looks at it: what every name means, of which type every expression is, and what does not work. No
//! server is asked. What can not be decided here is said to be so ([`Problem::sure`], [`Type::Any`]).

mod call;
mod catalog;
mod command;
mod expr;
mod scope;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use super::{QName, Schema};
use crate::sql::TypeName;
use crate::sql::condition::Constant;
use crate::sql::operation::Ident;
use crate::sql::query::{At, Command, Query};
use scope::Names;
use types::Types;

pub use types::Type;

/// What a query is on one schema.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolved {
    /// Why PostgreSQL refuses it, in the order of the text. None: it prepares.
    pub problems: Vec<Problem>,
    /// The names and types of what it returns; `None` where that is not known.
    pub columns: Option<Vec<(Ident, Type)>>,
    /// The relations' columns that each of them shows as they are; none for an expression.
    pub shows: Vec<Vec<(QName, Ident)>>,
    /// The types of its parameters.
    pub parameters: Vec<Type>,
    /// What it names.
    pub uses: Uses,
}

impl Resolved {
    /// The first reason for which PostgreSQL certainly refuses it.
    pub fn refused(&self) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.sure)
    }
}

/// Why PostgreSQL refuses a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The SQLSTATE.
    pub code: &'static str,
    /// PostgreSQL's words.
    pub message: String,
    /// The place in the query's text.
    pub at: At,
    /// Whether it certainly does.
    pub sure: bool,
}

/// What a query uses of a schema, each with the first place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Uses {
    /// Relations it names.
    pub relations: BTreeMap<QName, At>,
    /// Columns it reads.
    pub reads: BTreeMap<(QName, Ident), At>,
    /// Relations of which `*`, a whole row, or a column list that is left out stands for all columns.
    pub stars: BTreeMap<QName, At>,
    /// What it writes.
    pub writes: Vec<Write>,
    /// Functions it calls, by name.
    pub calls: BTreeMap<QName, At>,
    /// Types it names, or whose values it compares or writes.
    pub types: BTreeMap<String, At>,
    /// Labels of enums that stand in it.
    pub labels: BTreeMap<(String, Ident), At>,
    /// Whether something in it is not understood: it may use more.
    pub more: bool,
}

/// A write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The relation.
    pub relation: QName,
    /// What is done.
    pub kind: WriteKind,
    /// Where.
    pub at: At,
}

/// What a write does.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteKind {
    /// `INSERT`
    Insert {
        /// The columns it gives values, in order.
        columns: Vec<Ident>,
        /// Whether they were written down.
        listed: bool,
        /// What is known of its rows, in their order.
        rows: Vec<Row>,
        /// `ON CONFLICT (…)`
        arbiter: Option<BTreeSet<Ident>>,
        /// `ON CONFLICT ON CONSTRAINT`
        constraint: Option<Ident>,
        /// What `DO UPDATE` sets.
        updates: BTreeSet<Ident>,
        /// What is known of the rows that it changes.
        updated: Row,
    },
    /// `UPDATE`
    Update {
        /// The columns it sets.
        columns: BTreeSet<Ident>,
        /// What is known of the rows.
        row: Row,
    },
    /// `DELETE`, `TRUNCATE`
    Delete,
}

/// The columns of a row that a query gives constants.
pub type Row = BTreeMap<Ident, Constant>;

/// Looks at a query as PREPARE does.
pub fn resolve(command: &Command, schema: &Schema) -> Resolved {
    stacker::maybe_grow(ENOUGH, STACK, || resolve_here(command, schema))
}

/// What the deepest query needs, and what is taken where there is less.
const ENOUGH: usize = 3 << 20;
const STACK: usize = 8 << 20;

fn resolve_here(command: &Command, schema: &Schema) -> Resolved {
    let mut resolver = Resolver::new(schema);
    let columns = resolver.command(command, None);
    let shown = |col: scope::Col| ((col.name, resolver.shown(&col.data_type)), col.of);
    let columns: Option<(Vec<_>, Vec<_>)> = columns.map(|columns| columns.into_iter().map(shown).unzip());
    let (columns, shows) = columns.map_or((None, Vec::new()), |(columns, shows)| (Some(columns), shows));
    Resolved { columns, shows, ..resolver.resolved }
}

/// The columns that a view, or a table, of this query has.
pub(super) fn columns(query: &Query, schema: &Schema) -> Option<Vec<(Ident, Option<TypeName>)>> {
    let mut resolver = Resolver::new(schema);
    let columns = stacker::maybe_grow(ENOUGH, STACK, || resolver.query(query, None))?;
    let typed = |col: scope::Col| match resolver.settled(&col.data_type) {
        Type::Unknown | Type::Parameter(_) => (col.name, Some(TypeName::canonical("text"))),
        Type::Named(name) => (col.name, Some(col.sized.unwrap_or_else(|| unsized_name(&name)))),
        Type::Any => (col.name, None),
    };
    Some(columns.into_iter().map(typed).collect())
}

/// `format_type` of a type without modifiers: `character` alone is another word for `character(1)`.
fn unsized_name(name: &str) -> TypeName {
    TypeName::canonical(match name {
        "character" => "bpchar",
        "character[]" => "bpchar[]",
        "bit" => "\"bit\"",
        "bit[]" => "\"bit\"[]",
        other => other,
    })
}

struct Resolver<'s> {
    schema: &'s Schema,
    types: Types<'s>,
    resolved: Resolved,
    /// The `WITH` queries in sight, the nearest last.
    ctes: Vec<(Ident, Output)>,
    depth: usize,
}

/// What a query returns; `None`: that is not known.
type Output = Option<Vec<scope::Col>>;

impl<'s> Resolver<'s> {
    fn new(schema: &'s Schema) -> Self {
        Self { schema, types: Types { schema }, resolved: Resolved::default(), ctes: Vec::new(), depth: 0 }
    }

    fn problem(&mut self, code: &'static str, message: impl Into<String>, at: At) {
        self.resolved.problems.push(Problem { code, message: message.into(), at, sure: true });
    }

    /// The type of a parameter, as far as its places have decided it.
    fn settled(&self, data_type: &Type) -> Type {
        match data_type {
            Type::Parameter(number) => match self.parameter(*number) {
                Some(settled) => settled.clone(),
                None => data_type.clone(),
            },
            other => other.clone(),
        }
    }

    fn parameter(&self, number: u32) -> Option<&Type> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        self.resolved.parameters.get(at).filter(|t| !t.is_open())
    }

    fn settle(&mut self, number: u32, data_type: &Type) {
        /// PostgreSQL's own limit.
        const MOST: usize = 65_535;
        let Some(at) = usize::try_from(number).ok().and_then(|n| n.checked_sub(1)).filter(|at| *at < MOST) else {
            return;
        };
        let parameters = &mut self.resolved.parameters;
        if parameters.len() <= at {
            parameters.resize(at + 1, Type::Unknown);
        }
        if parameters[at].is_open() {
            parameters[at] = data_type.clone();
        }
    }

    /// How a client sees a type in a result: domains as what is below them, and strings as text.
    fn shown(&self, data_type: &Type) -> Type {
        match self.settled(data_type) {
            Type::Named(name) => Type::Named(self.types.base(&name)),
            Type::Unknown | Type::Parameter(_) => Type::named("text"),
            Type::Any => Type::Any,
        }
    }

    fn use_relation(&mut self, relation: &QName, at: At) {
        self.resolved.uses.relations.entry(relation.clone()).or_insert(at);
    }

    fn use_columns(&mut self, of: &[(QName, Ident)], at: At) {
        for column in of {
            self.resolved.uses.reads.entry(column.clone()).or_insert(at);
        }
    }

    /// A whole row.
    fn use_row(&mut self, names: &Names, table: usize, at: At) {
        if let Some(relation) = &names.tables[table].relation {
            self.resolved.uses.stars.entry(relation.clone()).or_insert(at);
        }
        for col in &names.tables[table].columns {
            self.use_columns(&col.of, at);
        }
    }

    fn use_type(&mut self, name: &str, at: At) {
        let name = name.trim_end_matches("[]");
        if self.schema.user_type_named(name).is_some() && !self.resolved.uses.types.contains_key(name) {
            self.resolved.uses.types.insert(name.to_owned(), at);
        }
    }
}
