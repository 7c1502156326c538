//! A query against a schema, as PREPARE looks at it: what every name means, of which type every expression is, and what does not work. No
//! server is asked. What cannot be decided here is said to be so ([`QueryProblem::sure`], [`Type::Any`]).

mod arbiter;
mod body;
mod call;
mod catalog;
mod command;
mod computed;
mod expr;
mod from;
mod grouping;
mod input;
mod kept;
mod locked;
mod operator;
mod pattern;
mod rule;
mod scope;
mod served;
mod single;
mod sorting;
mod spans;
mod types;
mod values;
mod write;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::{QName, Schema};
use crate::sql::TypeName;
use crate::sql::condition::Constant;
use crate::sql::lex::{Lexeme, TokenKind, lex};
use crate::sql::operation::{Firing, Ident};
use crate::sql::query::{At, Command, Expr, QueryExpression};
pub(super) use call::COUNTERS;
use catalog::{CATALOG, Context};
use scope::Names;
use types::Types;

pub use arbiter::Arbiter;
pub(crate) use arbiter::kinds_of;
pub(crate) use body::{NO_IDENTITY, SHADOWED, body_problems, other_result};
pub(crate) use computed::{command_fails, constant_of, default_fails, fails, fails_as, fails_once, is_null};
pub(super) use kept::{is_type, kept_refused, may_be_function, may_be_type, of_the_server, read_by, type_of_kept};
pub(crate) use operator::takes_over;
pub(in crate::schema) use rule::done_by_rule;
pub(crate) use single::updates_several;
pub use types::{Sure, Type};
pub(crate) use values::{Place, Value, Written, asked_for_one, default_written, kept_written, longest, written};
pub(crate) use write::NO_ARBITER;

/// What a query is on one schema.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolved {
    /// Why PostgreSQL refuses it, in the order of the text. None: it prepares.
    pub problems: Vec<QueryProblem>,
    /// The names and types of what it returns; `None` where that is not known.
    pub columns: Option<Vec<(Ident, Type)>>,
    /// The relations' columns that each of them shows as they are; none for an expression.
    pub shows: Vec<Vec<(QName, Ident)>>,
    /// The types of its parameters.
    pub parameters: Vec<Type>,
    /// What it names.
    pub uses: Uses,
    /// The columns that each NATURAL JOIN compares.
    pub natural: Vec<Vec<Ident>>,
    /// Functions that neither the server, nor a migration, nor an extension is known to have, and sequences that strings name, as problems
    /// that are not sure.
    pub absent: Vec<QueryProblem>,
}

impl Resolved {
    /// The first reason for which PostgreSQL certainly refuses it.
    pub fn refused(&self) -> Option<&QueryProblem> {
        self.problems.iter().find(|problem| problem.sure)
    }
}

/// What PostgreSQL says of a materialized view without rows, around its name.
const UNFILLED: (&str, &str) = ("materialized view \"", "\" has not been populated");

/// Why PostgreSQL does not read a materialized view without rows.
pub(crate) fn not_populated(view: &str) -> String {
    format!("{}{view}{}", UNFILLED.0, UNFILLED.1)
}

/// Why PostgreSQL refuses a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryProblem {
    /// The SQLSTATE.
    pub code: &'static str,
    /// PostgreSQL's words.
    pub message: String,
    /// The place in the query's text.
    pub at: At,
    /// Whether it certainly does.
    pub sure: bool,
}

impl QueryProblem {
    /// What is not there.
    pub(crate) fn lacking(&self) -> String {
        self.message.replace(" does not exist", "")
    }

    /// The materialized view without rows that would have to be read; see [`not_populated`].
    pub(crate) fn unfilled(&self) -> Option<&str> {
        self.message.strip_prefix(UNFILLED.0)?.strip_suffix(UNFILLED.1)
    }
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
    /// Relations of which it takes whole rows as values.
    pub rows: BTreeMap<QName, At>,
    /// What it writes.
    pub writes: Vec<Write>,
    /// Functions it calls, by name.
    pub calls: BTreeMap<QName, At>,
    /// With how many arguments its calls come.
    pub given: BTreeMap<QName, BTreeSet<usize>>,
    /// Which of several functions of a name its calls mean, by their argument types; `None`: one call may mean any.
    pub overloads: BTreeMap<QName, BTreeSet<Option<String>>>,
    /// Types it names, or whose values it compares or writes.
    pub types: BTreeMap<String, At>,
    /// Tables whose primary key lets it name columns beside GROUP BY.
    pub grouped: BTreeMap<QName, At>,
    /// Labels of enums that stand in it.
    pub labels: BTreeMap<(String, Ident), At>,
    /// The columns that each parameter is compared with or written into.
    pub meets: BTreeMap<u32, BTreeSet<Meeting>>,
    /// Whether something in it is not understood: it may use more.
    pub more: bool,
}

/// A column that a parameter meets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meeting {
    /// The relation.
    pub relation: QName,
    /// The column.
    pub column: Ident,
    /// Whether the parameter is written into it, and not only compared with it.
    pub written: bool,
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
    /// Whether a rule does it: PostgreSQL keeps what a rule names, so that it follows what is renamed.
    pub ruled: bool,
}

impl Write {
    /// Whether a trigger of the relation runs for it.
    pub fn sets_off(&self, firing: Firing) -> bool {
        match &self.kind {
            WriteKind::Insert { updates, .. } => firing.insert || firing.update && !updates.is_empty(),
            WriteKind::Update { .. } => firing.update,
            WriteKind::Delete => firing.delete,
        }
    }

    /// Whether it changes or removes rows that are there.
    pub fn changes_rows(&self) -> bool {
        match &self.kind {
            WriteKind::Insert { updates, .. } => !updates.is_empty(),
            WriteKind::Update { .. } | WriteKind::Delete => true,
        }
    }
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
        /// Whether it is `COPY`.
        copies: bool,
        /// `ON CONFLICT (…)`
        arbiter: Option<Arbiter>,
        /// `ON CONFLICT ON CONSTRAINT`
        constraint: Option<Ident>,
        /// `ON CONFLICT` without a target.
        anywhere: bool,
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

/// An expression as two spellings of it have in common: without parentheses, casts, and the case of words.
fn normal(text: &str) -> String {
    let mut found: Vec<String> = Vec::new();
    let pieces: Vec<_> = lex(text).into_iter().filter(Lexeme::solid).collect();
    let mut i = 0;
    while let Some(piece) = pieces.get(i) {
        i += 1;
        if piece.symbol("::") {
            // `::text`, `::character varying(20)`, `::timestamp with time zone`
            i += 1;
            while pieces.get(i).is_some_and(|p| p.is_any(&["varying", "precision", "with", "without", "time", "zone"]))
            {
                i += 1;
            }
        } else if piece.symbol("(") || piece.symbol(")") {
        } else if matches!(piece.kind, TokenKind::Word) {
            found.push(piece.text.to_ascii_lowercase());
        } else {
            let plain = piece.text.trim_matches('"');
            let quoted = piece.kind == TokenKind::Name
                && plain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            found.push(if quoted { plain } else { piece.text }.to_owned());
        }
    }
    found.join(" ")
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
    resolver.done_by_rules();
    let shown = |col: scope::Col| ((col.name.clone(), resolver.shown(&col.data_type)), col.of().to_vec());
    let columns: Option<(Vec<_>, Vec<_>)> = columns.map(|columns| columns.into_iter().map(shown).unzip());
    let (columns, shows) = columns.map_or((None, Vec::new()), |(columns, shows)| (Some(columns), shows));
    Resolved { columns, shows, ..resolver.resolved }
}

/// Why PostgreSQL refuses the query of a view, or of a table; what it does not find is another question.
/// `runs`: whether it runs there and then, and not only when somebody asks.
pub(super) fn query_refused(query: &QueryExpression, schema: &Schema, runs: bool) -> Option<String> {
    let mut resolver = Resolver { runs, ..Resolver::new(schema) };
    resolver.query(query, None);
    let told = |problem: &&QueryProblem| problem.sure && !matches!(problem.code, "42P01" | "42704");
    resolver.resolved.problems.iter().find(told).map(|problem| problem.message.clone())
}

/// What such a query names, and what is not there as far as is known.
pub(super) fn query_absent(query: &QueryExpression, schema: &Schema) -> Vec<QueryProblem> {
    let mut resolver = Resolver::new(schema);
    resolver.query(query, None);
    resolver.resolved.absent
}

/// Whether a value of one type becomes one of another where it is written into a column.
pub(super) fn assignable(schema: &Schema, from: &TypeName, to: &TypeName) -> Sure {
    let target = to.without_modifiers();
    Types { schema }.fits(&Type::of(from), target.as_str(), Context::Assignment)
}

/// Types whose values are compared with each other as they are, by what keys are ordered by.
const FAMILIES: [&[&str]; 4] = [
    &["smallint", "integer", "bigint"],
    &["real", "double precision"],
    &["date", "timestamp without time zone", "timestamp with time zone"],
    &["inet", "cidr"],
];

/// Whether a foreign key may lead from a column of one type to one of another: by an operator of the key that it points to, or by a cast to
/// its type that nobody has to write.
pub(super) fn keyable(schema: &Schema, own: &TypeName, target: &TypeName) -> Sure {
    let types = Types { schema };
    let way = |from: &TypeName, to: &TypeName| {
        types.fits(&Type::of(from), to.without_modifiers().as_str(), Context::Implicit)
    };
    let (own_base, target_base) = (own.base(), target.base());
    let family = |name: &str| FAMILIES.iter().position(|family| family.contains(&name));
    let alike = family(&own_base).is_some_and(|found| family(&target_base) == Some(found));
    let built_in = |name: &str| CATALOG.category(name).is_some();
    match (way(own, target), way(target, own)) {
        (Sure::Yes, _) => Sure::Yes,
        (Sure::No, Sure::No) if !alike => Sure::No,
        (Sure::No, Sure::Yes) if !alike && built_in(&own_base) && built_in(&target_base) => Sure::No,
        (_, Sure::Yes) => Sure::Yes,
        _ if alike => Sure::Yes,
        _ => Sure::Unsure,
    }
}

/// Columns with their types, where those are known.
pub(super) type Typed = Vec<(Ident, Option<TypeName>)>;

/// The columns that a view, or a table, of this query has, where they are known; and what it uses.
pub(super) fn columns(query: &QueryExpression, schema: &Schema) -> (Option<Typed>, Uses) {
    let mut resolver = Resolver::new(schema);
    let columns = stacker::maybe_grow(ENOUGH, STACK, || resolver.query(query, None));
    let typed = |col: scope::Col| match resolver.settled(&col.data_type) {
        Type::Unknown | Type::Parameter(_) => (col.name, Some(TypeName::canonical("text"))),
        Type::Named(name) => (col.name, Some(col.sized.unwrap_or_else(|| unsized_name(&name)))),
        Type::Any => (col.name, None),
    };
    let columns = columns.map(|columns| columns.into_iter().map(typed).collect());
    (columns, resolver.resolved.uses)
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
    /// Whether it is looked at as when it runs: some of what a view does not give is told only then.
    runs: bool,
    /// The variables of the function that a query stands in.
    variables: BTreeSet<Ident>,
    /// Whether a name that is one of them and a column is refused; otherwise it is the column.
    refuses_both: bool,
    /// The columns of the relations that were named so far.
    tables: Tables,
    /// Whether something in it may give something else another time, for the same row.
    changing: bool,
    /// Whether values are followed: what is known of each, and where it goes.
    follows: bool,
    /// What goes where.
    written: Vec<Written>,
    /// The schema's own functions that are called, and with what.
    called: Vec<(QName, Vec<Value>)>,
    /// What the arguments of the function hold that a query stands in.
    arguments: Vec<Value>,
}

/// Columns of relations, which the queries of one body have in common.
type Tables = Rc<RefCell<HashMap<QName, scope::Columns>>>;

/// The parameters that a value is made of, where it is one, or what a cast or a function makes of one.
fn parameters_of(value: &Expr) -> Vec<u32> {
    match value {
        Expr::Parameter(number) => vec![*number],
        Expr::Cast(inner, ..) => parameters_of(inner),
        Expr::Call(call) => call.arguments.iter().flat_map(parameters_of).collect(),
        Expr::Common(_, parts, _) | Expr::Array(parts, _) => parts.iter().flat_map(parameters_of).collect(),
        _ => Vec::new(),
    }
}

/// What a query returns; `None`: that is not known.
type Output = Option<Vec<scope::Col>>;

impl<'s> Resolver<'s> {
    fn new(schema: &'s Schema) -> Self {
        Self {
            schema,
            types: Types { schema },
            resolved: Resolved::default(),
            ctes: Vec::new(),
            depth: 0,
            runs: true,
            variables: BTreeSet::new(),
            refuses_both: false,
            tables: Tables::default(),
            changing: false,
            follows: false,
            written: Vec::new(),
            called: Vec::new(),
            arguments: Vec::new(),
        }
    }

    fn problem(&mut self, code: &'static str, message: impl Into<String>, at: At) {
        self.resolved.problems.push(QueryProblem { code, message: message.into(), at, sure: true });
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
            Type::Named(name) => Type::named(self.types.base(&name)),
            Type::Unknown | Type::Parameter(_) => Type::named("text"),
            Type::Any => Type::Any,
        }
    }

    /// Notes that the parameters of a value are compared with columns, or written into them.
    fn meet(&mut self, value: &Expr, columns: &[(QName, Ident)], written: bool) {
        for number in parameters_of(value) {
            let found = self.resolved.uses.meets.entry(number).or_default();
            found.extend(columns.iter().map(|(relation, column)| Meeting {
                relation: relation.clone(),
                column: column.clone(),
                written,
            }));
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
        for col in names.tables[table].columns.iter() {
            self.use_columns(col.of(), at);
        }
    }

    fn use_type(&mut self, name: &str, at: At) {
        let name = name.trim_end_matches("[]");
        if self.schema.user_type_named(name).is_some() && !self.resolved.uses.types.contains_key(name) {
            self.resolved.uses.types.insert(name.to_owned(), at);
        }
    }
}
