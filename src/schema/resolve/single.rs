//! Whether a query may give several rows, and whether an UPDATE may change several, where there may be one at most.

use std::collections::BTreeSet;

use super::catalog::CATALOG;
use crate::schema::Schema;
use crate::schema::model::{Index, Relation};
use crate::sql::operation::Ident;
use crate::sql::query::{
    Call, Command, Cte, Expr, From, Item, On, QueryBody, QueryExpression, Select, TableRef, Update,
};
use crate::sql::read_query;

/// Whether a query may give several rows.
pub(crate) fn gives_several(query: &QueryExpression, schema: &Schema) -> bool {
    query_gives(query, &Look { schema, ctes: Vec::new() })
}

/// Whether an UPDATE may change several rows.
pub(crate) fn updates_several(update: &Update, schema: &Schema) -> bool {
    let look = Look { schema, ctes: Vec::new() };
    let mut rows = Rows::default();
    rows.table(&update.table, &look);
    // Of the rows beside it, only what they are compared with matters.
    update.from.iter().for_each(|from| rows.element(from, &look));
    rows.conditions.extend(update.filter.iter().map(|filter| (filter, 0)));
    rows.open().contains(&0)
}

/// Where names are looked up.
struct Look<'a> {
    schema: &'a Schema,
    ctes: Vec<&'a Cte>,
}

fn query_gives(query: &QueryExpression, look: &Look<'_>) -> bool {
    // `LIMIT 1`
    let few = |limit: &Expr| matches!(limit, Expr::Number(number) if matches!(&**number, "0" | "1"));
    if query.limits.iter().any(few) {
        return false;
    }
    let ctes = look.ctes.iter().copied().chain(&query.ctes).collect();
    body_gives(&query.body, &Look { schema: look.schema, ctes })
}

fn body_gives(body: &QueryBody, look: &Look<'_>) -> bool {
    match body {
        QueryBody::Select(select) => select_gives(select, look),
        QueryBody::Values(rows) => rows.len() > 1,
        QueryBody::Query(query) => query_gives(query, look),
        QueryBody::Set(..) | QueryBody::Command(_) => true,
    }
}

fn select_gives(select: &Select, look: &Look<'_>) -> bool {
    let mut exprs = select.items.iter().filter_map(|item| match item {
        Item::Expr(expr, _) | Item::Fields(expr) => Some(expr),
        Item::Star(..) => None,
    });
    if exprs.clone().any(|expr| expr.any(&|expr| matches!(expr, Expr::Call(call) if look.gives_rows(call)))) {
        return true;
    }
    // All rows are folded into one.
    let folds = |expr: &Expr| expr.any(&|expr| matches!(expr, Expr::Call(call) if look.folds(call)));
    if select.group_by.is_empty() && (select.having.is_some() || exprs.any(folds)) {
        return false;
    }
    let mut rows = Rows::default();
    select.from.iter().for_each(|from| rows.element(from, look));
    rows.conditions.extend(select.filter.iter().map(|filter| (filter, 0)));
    !rows.open().is_empty()
}

impl Look<'_> {
    fn gives_rows(&self, call: &Call) -> bool {
        let own = self.schema.functions(&self.schema.resolve_function(&call.name));
        let many = |returns: &str| returns.starts_with("setof ") || returns.starts_with("table");
        match own {
            [] => CATALOG.functions(&call.name.name).iter().any(|builtin| builtin.set),
            own => own.iter().any(|function| many(&function.returns)),
        }
    }

    fn folds(&self, call: &Call) -> bool {
        let builtin = || CATALOG.functions(&call.name.name).iter().any(|builtin| builtin.aggregate);
        call.over.is_empty() && (builtin() || self.schema.has_aggregate(&call.name))
    }
}

/// The rows that a FROM puts together.
#[derive(Default)]
struct Rows<'a> {
    /// Each source under its name: a table; `None` for one whose columns are not known.
    sources: Vec<(Ident, Option<&'a Relation>)>,
    /// The sources that may have several rows, whatever is asked of them.
    many: BTreeSet<usize>,
    /// The sources that have one row at most.
    single: BTreeSet<usize>,
    /// What is asked of the rows, and the first of the sources that it decides on: what an outer join asks leaves the other side as it is.
    conditions: Vec<(&'a Expr, usize)>,
}

impl<'a> Rows<'a> {
    fn table(&mut self, table: &'a TableRef, look: &Look<'a>) {
        let name = &table.name.value;
        let at = self.sources.len();
        let alias = table.alias.clone().unwrap_or_else(|| name.name.clone());
        let cte = look.ctes.iter().rev().find(|cte| name.schema.is_none() && cte.name == name.name);
        let relation = look.schema.relation(&look.schema.resolve(name)).filter(|_| cte.is_none());
        match cte {
            Some(cte) => self.counted(query_gives(&cte.query, &Look { schema: look.schema, ctes: Vec::new() })),
            None => {
                let name = look.schema.resolve(name);
                // What inherits from it has keys of its own.
                let heirs = relation.is_some_and(|relation| !relation.partitioned)
                    && look.schema.children(&name).next().is_some();
                if heirs || !table.columns.is_empty() {
                    self.many.insert(at);
                }
            }
        }
        self.sources.push((alias, relation));
    }

    fn counted(&mut self, several: bool) {
        let found = if several { &mut self.many } else { &mut self.single };
        found.insert(self.sources.len());
    }

    fn element(&mut self, from: &'a From, look: &Look<'a>) {
        let unnamed = || Ident::from("");
        match from {
            From::Table(table) => self.table(table, look),
            From::Call { call, alias, name, .. } => {
                self.counted(matches!(call, Expr::Call(call) if look.gives_rows(call)));
                self.sources.push((alias.clone().unwrap_or_else(|| name.clone()), None));
            }
            From::Derived { query, alias, .. } => {
                self.counted(query_gives(query, look));
                self.sources.push((alias.clone().unwrap_or_else(unnamed), None));
            }
            From::Join { left, right, on, outer, .. } => {
                let first = self.sources.len();
                self.element(left, look);
                let second = self.sources.len();
                self.element(right, look);
                match on {
                    On::Expr(condition) => self.conditions.push((condition, if *outer { second } else { first })),
                    On::Using(_) | On::Natural => self.many.extend(second..self.sources.len()),
                    On::Nothing => {}
                }
            }
            From::Unknown(_) => {
                self.counted(true);
                self.sources.push((unnamed(), None));
            }
        }
    }

    /// The sources of which several rows may be there, when all that is asked is taken together.
    fn open(&self) -> BTreeSet<usize> {
        let (mut equal, mut asked) = (Vec::new(), Vec::new());
        for (condition, first) in &self.conditions {
            equalities(condition, *first, &mut equal);
            asked.extend(all_of(condition).into_iter().map(|part| (part, *first)));
        }
        let mut open: BTreeSet<usize> = (0..self.sources.len()).filter(|at| !self.single.contains(at)).collect();
        loop {
            // A row that is the only one there can be gives others theirs.
            let known = |expr: &Expr| !expr.any(&|part| self.depends(part, &open));
            let decided = |at: usize| {
                let of_it = |expr: &Expr, first: usize| at >= first && self.is_of(expr, at);
                let equal: Vec<&Expr> = equal
                    .iter()
                    .filter(|(side, value, first)| of_it(side, *first) && known(value))
                    .map(|(side, ..)| *side)
                    .collect();
                let asked: Vec<&Expr> =
                    asked.iter().filter(|(part, first)| of_it(part, *first)).map(|(part, _)| *part).collect();
                !self.many.contains(&at)
                    && self.sources[at]
                        .1
                        .is_some_and(|r| r.indexes.values().any(|index| finds_one(index, &equal, &asked)))
            };
            let Some(found) = open.iter().copied().find(|at| decided(*at)) else { return open };
            open.remove(&found);
        }
    }

    /// Whether all columns in an expression are of a source.
    fn is_of(&self, expr: &Expr, at: usize) -> bool {
        let other = |part: &Expr| match part {
            Expr::Column(column, _) => self.source(column) != Some(at),
            Expr::Scalar(_) | Expr::ArrayOf(_) | Expr::Exists(_) | Expr::Opaque => true,
            _ => false,
        };
        !expr.any(&other)
    }

    /// The source that a column is of; `None`: it is of none of these.
    fn source(&self, column: &[Ident]) -> Option<usize> {
        match column {
            [name] => self.sources.iter().position(|(_, relation)| relation.is_some_and(|r| r.column(name).is_some())),
            [.., table, _] => self.sources.iter().position(|(alias, _)| alias == table),
            [] => None,
        }
    }

    fn depends(&self, expr: &Expr, open: &BTreeSet<usize>) -> bool {
        match expr {
            Expr::Column(column, _) => self.source(column).is_some_and(|at| open.contains(&at)),
            // What a query gives may depend on any row.
            Expr::Scalar(_) | Expr::ArrayOf(_) | Expr::Exists(_) | Expr::Opaque => !open.is_empty(),
            _ => false,
        }
    }
}

/// Whether a key finds one row at most: all that it is made of is equal to something, and the rows are among those that it covers.
fn finds_one(index: &Index, equal: &[&Expr], asked: &[&Expr]) -> bool {
    let mut expressions = index.expressions.iter();
    let is_equal = |part: &Option<Ident>, expression: Option<&Ident>| match (part, expression) {
        (Some(column), _) => {
            equal.iter().any(|side| matches!(side, Expr::Column(parts, _) if parts.last() == Some(column)))
        }
        (None, Some(text)) => read(&format!("SELECT {text}")).is_some_and(|query| match query.items.as_slice() {
            [Item::Expr(expr, _)] => equal.iter().any(|side| same(side, expr)),
            _ => false,
        }),
        (None, None) => false,
    };
    let covered = || {
        let Some(predicate) = &index.predicate else { return true };
        let query = read(&format!("SELECT 1 WHERE {predicate}"));
        let filter = query.as_ref().and_then(|query| query.filter.as_ref());
        filter.is_some_and(|filter| all_of(filter).into_iter().all(|part| asked.iter().any(|asked| same(asked, part))))
    };
    index.unique
        && index.valid
        && index.key.iter().all(|part| is_equal(part, part.is_none().then(|| expressions.next()).flatten()))
        && covered()
}

fn read(query: &str) -> Option<Select> {
    match read_query(query).ok()? {
        Command::Select(QueryExpression { body: QueryBody::Select(select), .. }) => Some(*select),
        _ => None,
    }
}

/// The conditions that all hold where one does.
fn all_of(condition: &Expr) -> Vec<&Expr> {
    match condition {
        Expr::And(parts) => parts.iter().flat_map(all_of).collect(),
        other => vec![other],
    }
}

/// Whether two expressions are written alike, whatever their tables are called. The server writes down the types of texts.
fn same(one: &Expr, other: &Expr) -> bool {
    let all = |one: &[Expr], other: &[Expr]| {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
    };
    match (plain(one), plain(other)) {
        (Expr::Column(one, _), Expr::Column(other, _)) => one.last() == other.last(),
        (Expr::Text(one, _), Expr::Text(other, _)) | (Expr::Number(one), Expr::Number(other)) => one == other,
        (Expr::Null, Expr::Null) => true,
        (Expr::Operator(one, left, right, _), Expr::Operator(other, other_left, other_right, _)) => {
            let left = match (left, other_left) {
                (Some(left), Some(other)) => same(left, other),
                (left, other) => left.is_none() && other.is_none(),
            };
            one == other && left && same(right, other_right)
        }
        (Expr::Call(one), Expr::Call(other)) => {
            let plain = |call: &Call| call.over.is_empty() && call.beside.is_empty() && !call.named && !call.distinct;
            one.name.name == other.name.name && plain(one) && plain(other) && all(&one.arguments, &other.arguments)
        }
        (Expr::Test(one), Expr::Test(other)) => all(one, other),
        (Expr::Cast(one, to, _), Expr::Cast(other, other_to, _)) => to == other_to && same(one, other),
        _ => false,
    }
}

/// A constant without its cast. That of a column may make others equal: `1.0` and `1.00` are two texts.
fn plain(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(inner, to, _)
            if matches!(**inner, Expr::Text(..))
                && matches!(&*to.base(), "text" | "character varying")
                && to.modifiers().is_empty() =>
        {
            inner
        }
        other => other,
    }
}

/// What must be equal to something, with that, and the first source that this decides on.
fn equalities<'a>(expr: &'a Expr, first: usize, found: &mut Vec<(&'a Expr, &'a Expr, usize)>) {
    match expr {
        Expr::And(parts) => parts.iter().for_each(|part| equalities(part, first, found)),
        Expr::Operator(operator, Some(left), right, _) if &**operator == "=" => {
            for (side, value) in [(left, right), (right, left)] {
                match (&**side, &**value) {
                    (Expr::Row(sides), Expr::Row(values)) => {
                        found.extend(sides.iter().zip(values).map(|(side, value)| (side, value, first)));
                    }
                    (side, value) => found.push((side, value, first)),
                }
            }
        }
        _ => {}
    }
}
