//! Whether a query may give several rows, and whether an UPDATE may change several, where there may be one at most.

use std::collections::BTreeSet;

use super::catalog::CATALOG;
use crate::schema::Schema;
use crate::schema::model::Relation;
use crate::sql::operation::Ident;
use crate::sql::query::{Call, Cte, Expr, From, Item, On, QueryBody, QueryExpression, Select, TableRef, Update};

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
        let mut equal = Vec::new();
        for (condition, first) in &self.conditions {
            equalities(condition, *first, &mut equal);
        }
        let mut open: BTreeSet<usize> = (0..self.sources.len()).filter(|at| !self.single.contains(at)).collect();
        loop {
            // A row that is the only one there can be gives others theirs.
            let known = |expr: &Expr| !expr.any(&|part| self.depends(part, &open));
            let decided = |at: usize| {
                let columns: BTreeSet<&Ident> = equal
                    .iter()
                    .filter(|(column, value, first)| at >= *first && self.source(column) == Some(at) && known(value))
                    .filter_map(|(column, ..)| column.last())
                    .collect();
                let key = |key: Vec<Ident>| key.iter().all(|column| columns.contains(column));
                !self.many.contains(&at)
                    && self.sources[at].1.is_some_and(|relation| {
                        relation.indexes.values().any(|index| index.unique && index.plain_key().is_some_and(key))
                    })
            };
            let Some(found) = open.iter().copied().find(|at| decided(*at)) else { return open };
            open.remove(&found);
        }
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

/// The columns that must be equal to something, with that, and the first source that this decides on.
fn equalities<'a>(expr: &'a Expr, first: usize, found: &mut Vec<(&'a [Ident], &'a Expr, usize)>) {
    match expr {
        Expr::And(parts) => parts.iter().for_each(|part| equalities(part, first, found)),
        Expr::Operator(operator, Some(left), right, _) if &**operator == "=" => {
            for (column, value) in [(left, right), (right, left)] {
                match (&**column, &**value) {
                    (Expr::Column(column, _), value) => found.push((column, value, first)),
                    (Expr::Row(columns), Expr::Row(values)) => {
                        let pairs = columns.iter().zip(values);
                        found.extend(pairs.filter_map(|(column, value)| match column {
                            Expr::Column(column, _) => Some((&column[..], value, first)),
                            _ => None,
                        }));
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
