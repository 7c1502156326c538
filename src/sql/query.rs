//! A query of an application as a tree of our own: what name resolution needs of sqlparser's, with the place of every name.

use std::ops::Range;
use std::sync::Arc;

use super::name::Ident;
use super::name::Name;
use super::types::TypeName;

/// The bytes of a query's text where something stands. Empty where that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct At {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl At {
    /// The bytes as a range.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Something with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed<T> {
    /// What it is.
    pub value: T,
    /// Where it stands.
    pub at: At,
}

/// A statement that an application sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// `SELECT`, `VALUES`, `TABLE`
    Select(QueryExpression),
    /// `COPY table TO`: the table, and its rows as a query.
    CopyTo(Placed<Name>, QueryExpression),
    /// `INSERT`
    Insert(Box<Insert>),
    /// `UPDATE`
    Update(Box<Update>),
    /// `DELETE`
    Delete(Box<Delete>),
    /// `MERGE`
    Merge(Box<Merge>),
    /// `CALL`
    Call(Expr),
    /// `TRUNCATE`, `LOCK TABLE`: tables that it names, and whether it removes their rows.
    Tables {
        /// The tables.
        tables: Vec<Placed<Name>>,
        /// Whether it is `TRUNCATE`.
        truncates: bool,
    },
    /// `REFRESH MATERIALIZED VIEW`
    Refresh {
        /// The view.
        view: Placed<Name>,
        /// `CONCURRENTLY`
        concurrently: bool,
        /// `WITH NO DATA`
        empties: bool,
    },
    /// Nothing that names anything of the schema (`SET`, `BEGIN`), or nothing that is understood.
    Other {
        /// Whether it is known to need nothing.
        harmless: bool,
    },
}

/// `[WITH …] body [ORDER BY …] [LIMIT …]`
#[derive(Debug, Clone, PartialEq)]
pub struct QueryExpression {
    /// The `WITH` queries, in order.
    pub ctes: Vec<Cte>,
    /// `WITH RECURSIVE`
    pub recursive: bool,
    /// What is selected.
    pub body: QueryBody,
    /// `ORDER BY`
    pub order_by: Vec<Expr>,
    /// `LIMIT`, `OFFSET`, `FETCH`
    pub limits: Vec<Expr>,
    /// `FOR UPDATE`, `FOR SHARE` and their kind: the table that `OF` names, or all.
    pub locks: Vec<Option<Ident>>,
}

/// One `WITH` query.
#[derive(Debug, Clone, PartialEq)]
pub struct Cte {
    /// Its name.
    pub name: Ident,
    /// New names of its columns.
    pub columns: Vec<Ident>,
    /// The query.
    pub query: QueryExpression,
}

/// What a query selects from.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryBody {
    /// `SELECT`
    Select(Box<Select>),
    /// `UNION`, `INTERSECT`, `EXCEPT`, and whether rows are compared: all but `UNION ALL` do.
    Set(Box<Self>, Box<Self>, bool),
    /// `VALUES`
    Values(Vec<Vec<Expr>>),
    /// A query in parentheses.
    Query(Box<QueryExpression>),
    /// A statement that writes, in `WITH`.
    Command(Box<Command>),
}

/// One `SELECT`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Select {
    /// `DISTINCT`
    pub distinct: bool,
    /// `DISTINCT ON (…)`
    pub distinct_on: Vec<Expr>,
    /// The output.
    pub items: Vec<Item>,
    /// `FROM`
    pub from: Vec<From>,
    /// `WHERE`
    pub filter: Option<Expr>,
    /// `GROUP BY`
    pub group_by: Vec<Expr>,
    /// `HAVING`
    pub having: Option<Expr>,
    /// What the named windows hold.
    pub windows: Vec<Expr>,
}

/// An element of a select list or of `RETURNING`.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// An expression and its name in the output.
    Expr(Expr, Ident),
    /// `*`, `t.*`
    Star(Option<Name>, At),
    /// `(e).*`
    Fields(Expr),
}

/// An element of `FROM`.
#[derive(Debug, Clone, PartialEq)]
pub enum From {
    /// A relation, or a `WITH` query.
    Table(TableRef),
    /// A function, or something else that is called.
    Call {
        /// The call.
        call: Expr,
        /// What the function is called.
        name: Ident,
        /// Its alias.
        alias: Option<Ident>,
        /// New names of its columns.
        columns: Vec<Ident>,
        /// The types that `AS t(a int)` gives.
        types: Vec<Option<TypeName>>,
        /// `WITH ORDINALITY`
        ordinality: bool,
    },
    /// A subquery.
    Derived {
        /// The query.
        query: Box<QueryExpression>,
        /// `LATERAL`
        lateral: bool,
        /// Its alias.
        alias: Option<Ident>,
        /// New names of its columns.
        columns: Vec<Ident>,
    },
    /// A join.
    Join {
        /// The one side.
        left: Box<Self>,
        /// The other.
        right: Box<Self>,
        /// How.
        on: On,
        /// An alias of the whole.
        alias: Option<Ident>,
        /// Whether a row may have nothing on one side.
        outer: bool,
    },
    /// Something that is not understood: it may have any column.
    Unknown(Option<Ident>),
}

/// A relation in `FROM`, or the target of a write.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRef {
    /// Its name.
    pub name: Placed<Name>,
    /// Its alias.
    pub alias: Option<Ident>,
    /// New names of its columns.
    pub columns: Vec<Ident>,
    /// `TABLESAMPLE`
    pub sampled: bool,
}

/// What a join compares.
#[derive(Debug, Clone, PartialEq)]
pub enum On {
    /// Nothing.
    Nothing,
    /// `ON`
    Expr(Expr),
    /// `USING`
    Using(Vec<Placed<Ident>>),
    /// `NATURAL`
    Natural,
}

/// `INSERT`
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// Where to.
    pub table: TableRef,
    /// The column list; `None`: all, in order.
    pub columns: Option<Vec<Placed<Ident>>>,
    /// What is inserted; `None` for `DEFAULT VALUES` and `COPY`.
    pub source: Option<QueryExpression>,
    /// Whether it is `COPY … FROM`.
    pub copies: bool,
    /// `ON CONFLICT`
    pub conflict: Option<Box<Conflict>>,
    /// `RETURNING`
    pub returning: Vec<Item>,
}

/// `ON CONFLICT`
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// `(a, b)`; empty without.
    pub columns: Vec<Placed<Ident>>,
    /// The collations and operator classes behind the columns.
    pub kinds: Vec<(Ident, KeyKind)>,
    /// Expressions among the columns, each with its text.
    pub expressions: Vec<(Expr, Ident)>,
    /// The `WHERE` behind the columns, with its text.
    pub predicate: Option<(Expr, Ident)>,
    /// `ON CONSTRAINT`
    pub constraint: Option<Placed<Ident>>,
    /// `DO UPDATE SET`; `None` for `DO NOTHING`.
    pub update: Option<Vec<Assignment>>,
    /// Its `WHERE`.
    pub filter: Option<Expr>,
}

/// What stands behind a column of a key, by which it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyKind {
    /// `COLLATE`
    pub collation: Option<Ident>,
    /// The operator class.
    pub class: Option<Ident>,
}

/// `a = e`, `(a, b) = e`
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The columns.
    pub columns: Vec<Placed<Ident>>,
    /// Whether a part of the column is set (`a[1]`, `a.b`).
    pub part: bool,
    /// The value.
    pub value: Expr,
}

/// `UPDATE`
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The table.
    pub table: TableRef,
    /// `SET`
    pub set: Vec<Assignment>,
    /// `FROM`
    pub from: Vec<From>,
    /// `WHERE`
    pub filter: Option<Expr>,
    /// `RETURNING`
    pub returning: Vec<Item>,
}

/// `DELETE`
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    /// The table.
    pub table: TableRef,
    /// `USING`
    pub using: Vec<From>,
    /// `WHERE`
    pub filter: Option<Expr>,
    /// `RETURNING`
    pub returning: Vec<Item>,
}

/// `MERGE`
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    /// The table.
    pub table: TableRef,
    /// `USING`
    pub source: From,
    /// `ON`, and the conditions of `WHEN`.
    pub conditions: Vec<Expr>,
    /// `UPDATE SET`
    pub updates: Vec<Vec<Assignment>>,
    /// `INSERT`
    pub inserts: Vec<MergeInsert>,
    /// Whether it has `DELETE`.
    pub deletes: bool,
}

impl Merge {
    /// Whether it changes or deletes rows that are there.
    pub const fn changes(&self) -> bool {
        self.deletes || !self.updates.is_empty()
    }
}

/// `INSERT` of a `MERGE`
#[derive(Debug, Clone, PartialEq)]
pub struct MergeInsert {
    /// The column list; `None`: all, in order.
    pub columns: Option<Vec<Placed<Ident>>>,
    /// The values.
    pub values: Vec<Expr>,
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// `a`, `t.a`, `s.t.a`
    Column(Vec<Ident>, At),
    /// `$1`: its number
    Parameter(u32),
    /// `'…'`, not yet of any type
    Text(Ident, At),
    /// `1`, `1.5`
    Number(Ident),
    /// `true`
    Bool,
    /// `NULL`
    Null,
    /// `DEFAULT`, as a value
    Default,
    /// `e::type`
    Cast(Box<Self>, TypeName, At),
    /// `f(…)`
    Call(Box<Call>),
    /// `a + b`; without a left side `- b`
    Operator(Ident, Option<Box<Self>>, Box<Self>, At),
    /// `a = ANY (array or query)`
    Quantified(Ident, Box<Self>, Box<Self>, At),
    /// `a IN (…)`
    In(Box<Self>, Vec<Self>, At),
    /// `AND`: all of them hold
    And(Vec<Self>),
    /// A boolean that is made of booleans in another way: `OR`, `NOT`, `IS TRUE`
    Logic(Vec<Self>),
    /// A boolean that is made of anything: `IS NULL`; a NULL is the second part of `IS NOT NULL`.
    Test(Vec<Self>),
    /// `COALESCE`, `GREATEST`, `LEAST`: all of one type
    Common(&'static str, Vec<Self>, At),
    /// `CASE`
    Case {
        /// What the conditions are compared with.
        operand: Option<Box<Self>>,
        /// `WHEN … THEN …`
        branches: Vec<(Self, Self)>,
        /// `ELSE`
        otherwise: Option<Box<Self>>,
        /// Where.
        at: At,
    },
    /// `ARRAY[…]`
    Array(Vec<Self>, At),
    /// `ARRAY(SELECT …)`
    ArrayOf(Box<QueryExpression>),
    /// `(a, b)`, `ROW(a, b)`
    Row(Vec<Self>),
    /// `(SELECT …)`
    Scalar(Box<QueryExpression>),
    /// `EXISTS (SELECT …)`
    Exists(Box<QueryExpression>),
    /// `a[1]`: whether it is a slice
    Subscript(Box<Self>, Vec<Self>, bool),
    /// `(e).a`
    Field(Box<Self>, Ident, At),
    /// Something of a type that does not depend on what it is made of.
    Typed(TypeName, Vec<Self>),
    /// Something whose type is not known here.
    Unknown(Vec<Self>),
    /// Something of which nothing is known but its words.
    Opaque,
}

/// An expression that a statement leaves in the catalog, or has evaluated for each row there is; `None`: there is none, or it was not read.
pub type Kept = Option<Arc<Expr>>;

/// A call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function.
    pub name: Name,
    /// Where its name stands.
    pub at: At,
    /// The arguments; none for `count(*)`.
    pub arguments: Vec<Expr>,
    /// Whether an argument is passed by name, or `VARIADIC`.
    pub named: bool,
    /// `DISTINCT`
    pub distinct: bool,
    /// `ORDER BY`, `FILTER`, `WITHIN GROUP`
    pub beside: Vec<Expr>,
    /// `OVER`: what rows are told apart and put in order by.
    pub over: Vec<Expr>,
    /// `WITHIN GROUP (ORDER BY …)`
    pub within_group: bool,
}

/// What an expression is made of, to be read or, with `mut`, to be changed.
macro_rules! parts {
    ($expr:expr, $iter:ident, $as_deref:ident $(, $mut:tt)?) => {
        match $expr {
            Self::Column(..)
            | Self::Parameter(_)
            | Self::Text(..)
            | Self::Number(_)
            | Self::Bool
            | Self::Null
            | Self::Default
            | Self::ArrayOf(_)
            | Self::Scalar(_)
            | Self::Exists(_)
            | Self::Opaque => Vec::new(),
            Self::Cast(inner, ..) | Self::Field(inner, ..) => vec![inner],
            Self::Call(call) => {
                let Call { arguments, beside, over, .. } = &$($mut)? **call;
                arguments.$iter().chain(beside).chain(over).collect()
            }
            Self::Operator(_, left, right, _) => left.$as_deref().into_iter().chain([&$($mut)? **right]).collect(),
            Self::Quantified(_, left, right, _) => vec![left, right],
            Self::In(left, list, _) => std::iter::once(&$($mut)? **left).chain(list).collect(),
            Self::And(parts)
            | Self::Logic(parts)
            | Self::Test(parts)
            | Self::Common(_, parts, _)
            | Self::Array(parts, _)
            | Self::Row(parts)
            | Self::Typed(_, parts)
            | Self::Unknown(parts) => parts.$iter().collect(),
            Self::Case { operand, branches, otherwise, .. } => {
                let branches = branches.$iter().flat_map(|(when, then)| [when, then]);
                operand.$as_deref().into_iter().chain(branches).chain(otherwise.$as_deref()).collect()
            }
            Self::Subscript(inner, bounds, _) => std::iter::once(&$($mut)? **inner).chain(bounds).collect(),
        }
    };
}

impl Expr {
    /// The expressions that it is made of; those of subqueries are their own.
    pub fn parts(&self) -> Vec<&Self> {
        parts!(self, iter, as_deref)
    }

    /// The same, to be changed.
    pub(crate) fn parts_mut(&mut self) -> Vec<&mut Self> {
        parts!(self, iter_mut, as_deref_mut, mut)
    }

    /// Whether it, or something in it, is so.
    pub fn any(&self, test: &impl Fn(&Self) -> bool) -> bool {
        test(self) || self.parts().into_iter().any(|part| part.any(test))
    }
}
