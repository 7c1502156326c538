//! Statements: their scopes, their targets, what they return.

use std::rc::Rc;

use super::catalog::{CATALOG, Context};
use super::expr::start;
use super::from::renamed;
use super::scope::{Col, Names, Scope, Sized, Table, common_size};
use super::sorting::Need;
use super::types::Type;
use super::values::Value;
use super::{Output, Resolver, Write, WriteKind};
use crate::schema::{QName, UserType};
use crate::sql::TypeName;
use crate::sql::condition::Constant;
use crate::sql::operation::{Ident, RelationKind};
use crate::sql::query::{At, Command, Expr, Item, QueryBody, QueryExpression, Select};

/// Deeper queries are not followed.
const DEEPEST: usize = 100;

impl<'s> Resolver<'s> {
    /// What a statement returns.
    pub(super) fn command(&mut self, command: &Command, outer: Option<&Scope<'_>>) -> Output {
        match command {
            Command::Select(query) => self.query(query, outer),
            Command::CopyTo(table, query) => {
                let name = self.schema.resolve(&table.value);
                // A view's rows are copied as those of a query only.
                let what = self.schema.relation(&name).and_then(|relation| match relation.kind {
                    RelationKind::View => Some("view"),
                    RelationKind::Table if relation.partitioned => Some("partitioned table"),
                    _ => None,
                });
                if let Some(what) = what {
                    self.problem("42809", format!("cannot copy from {what} \"{}\"", name.name), table.at);
                }
                self.query(query, outer)
            }
            Command::Insert(insert) => self.insert(insert, outer),
            Command::Update(update) => self.update(update, outer),
            Command::Delete(delete) => self.delete(delete, outer),
            Command::Merge(merge) => self.merge(merge, outer),
            Command::Call(call) => {
                self.expr(call, outer);
                None
            }
            Command::Tables { tables, truncates } => {
                for table in tables {
                    if let Some(relation) = self.relation(table).filter(|_| *truncates) {
                        self.write(relation, WriteKind::Delete, table.at);
                    }
                }
                Some(Vec::new())
            }
            Command::Refresh { view, concurrently, empties } => {
                if let Some(name) = self.relation(view)
                    && let Some(message) = self.schema.refresh_refused(&name, *concurrently, *empties)
                {
                    self.problem("55000", message, view.at);
                } else if let Some(name) = self.relation(view).filter(|_| *concurrently)
                    && !self.schema.tells_rows_apart(&name)
                {
                    self.problem("55000", format!("cannot refresh materialized view \"{name}\" concurrently"), view.at);
                }
                None
            }
            Command::Other { harmless } => {
                self.resolved.uses.more |= !harmless;
                // SHOW returns something.
                None
            }
        }
    }

    pub(super) fn write(&mut self, relation: QName, kind: WriteKind, at: At) {
        self.resolved.uses.writes.push(Write { relation, kind, at, ruled: false });
    }

    pub(super) fn query(&mut self, query: &QueryExpression, outer: Option<&Scope<'_>>) -> Output {
        if self.depth >= DEEPEST {
            self.resolved.uses.more = true;
            return None;
        }
        self.depth += 1;
        let known = self.ctes.len();
        for cte in &query.ctes {
            let before = self.ctes.len();
            if query.recursive {
                // What the query that is not recursive returns is what the name stands for inside.
                let first = self.silently(|resolver| match &cte.query.body {
                    QueryBody::Set(left, ..) => resolver.body(left, &[], outer).0,
                    _ => None,
                });
                self.ctes.push((cte.name.clone(), first.map(|columns| renamed(columns, &cte.columns))));
            }
            let columns = self.query(&cte.query, outer).map(|columns| renamed(columns, &cte.columns));
            let columns = columns.map(|columns| self.decided(columns));
            self.ctes.truncate(before);
            self.ctes.push((cte.name.clone(), columns));
        }
        let (columns, names) = self.body(&query.body, &query.order_by, outer);
        drop(names);
        for limit in &query.limits {
            let found = self.expr(limit, outer);
            self.settle_open(limit, &found, "bigint");
        }
        if self.runs {
            self.locks(query);
        }
        self.ctes.truncate(known);
        self.depth -= 1;
        columns
    }

    /// Looks without leaving a trace but the types of parameters.
    pub(super) fn silently<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let (problems, uses) = (self.resolved.problems.clone(), self.resolved.uses.clone());
        let found = look(self);
        self.resolved.problems = problems;
        self.resolved.uses = uses;
        found
    }

    /// The columns of a subquery have types: strings are text there.
    pub(super) fn decided(&mut self, columns: Vec<Col>) -> Vec<Col> {
        let decide = |mut col: Col| {
            if let Type::Parameter(number) = col.data_type {
                self.settle(number, &Type::named("text"));
            }
            if col.data_type.is_open() {
                col.data_type = self.settled(&col.data_type);
                if col.data_type.is_open() {
                    col.data_type = Type::named("text");
                }
            }
            col
        };
        columns.into_iter().map(decide).collect()
    }

    fn body(&mut self, body: &QueryBody, order_by: &[Expr], outer: Option<&Scope<'_>>) -> (Output, Names) {
        match body {
            QueryBody::Select(select) => (self.select(select, order_by, outer), Names::default()),
            QueryBody::Query(query) => (self.query(query, outer), Names::default()),
            QueryBody::Command(command) => (self.command(command, outer), Names::default()),
            QueryBody::Values(rows) => (self.values(rows, outer), Names::default()),
            QueryBody::Set(left, right, compared) => {
                let (left, _) = self.body(left, &[], outer);
                let (right, _) = self.body(right, &[], outer);
                let (Some(left), Some(right)) = (left, right) else { return (None, Names::default()) };
                if left.len() != right.len() {
                    self.problem("42601", "each UNION query must have the same number of columns", At::default());
                    return (Some(left), Names::default());
                }
                let merge = |(mut col, other): (Col, Col)| {
                    let types = [col.data_type.clone(), other.data_type.clone()];
                    let sizes = [col.sized.take(), other.sized.clone()];
                    col.data_type = self.common("UNION", &[&Expr::Null, &Expr::Null], &types, At::default());
                    // An open side becomes what the other is.
                    if let Type::Named(name) = &col.data_type {
                        for open in types.iter().filter(|t| t.is_open()) {
                            self.settle_open(&Expr::Null, open, name);
                        }
                    }
                    col.sized = common_size(&sizes, &col.data_type);
                    if self.follows {
                        col = col.clone().holding(Value::any_of([self.value_of(&col), self.value_of(&other)]));
                    }
                    col.shows([&other]);
                    col
                };
                let columns: Vec<Col> = left.into_iter().zip(right).map(merge).collect();
                if *compared {
                    self.sort_all(&columns, Need::Equality);
                }
                // ORDER BY names what comes out.
                let names = Names::new(Vec::new(), columns.clone());
                let scope = Scope { names: &names, outer };
                self.exprs(order_by, Some(&scope));
                (Some(columns), names)
            }
        }
    }

    fn values(&mut self, rows: &[Vec<Expr>], outer: Option<&Scope<'_>>) -> Output {
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            self.problem("42601", "VALUES lists must all be the same length", At::default());
        }
        let types: Vec<Vec<(Type, Sized)>> =
            rows.iter().map(|row| row.iter().map(|value| self.sized(value, outer)).collect()).collect();
        let column = |i: usize| {
            let parts: Vec<&Expr> = rows.iter().filter_map(|row| row.get(i)).collect();
            let (found, sizes): (Vec<Type>, Vec<Sized>) = types.iter().filter_map(|row| row.get(i).cloned()).unzip();
            let data_type = self.common("VALUES", &parts, &found, At::default());
            let sized = common_size(&sizes, &data_type);
            let col = Col::plain(format!("column{}", i + 1).into(), data_type).sized(sized);
            if !self.follows {
                return col;
            }
            let values: Vec<Value> = parts.into_iter().map(|part| self.value(part, outer)).collect();
            col.holding(Value::any_of(values))
        };
        Some((0..width).map(column).collect())
    }

    fn select(&mut self, select: &Select, order_by: &[Expr], outer: Option<&Scope<'_>>) -> Output {
        let names = self.from(&select.from, outer);
        let scope = Scope { names: &names, outer };
        let columns = self.items(&select.items, &scope);
        for filter in select.filter.iter().chain(&select.having) {
            let found = self.expr(filter, Some(&scope));
            self.want(filter, &found, "boolean", Context::Assignment, start(filter));
        }
        self.sorts(select, order_by, &columns, &scope);
        self.grouping(select, &names);
        columns
    }

    pub(super) fn items(&mut self, items: &[Item], scope: &Scope<'_>) -> Output {
        let mut columns = Some(Vec::new());
        let mut push = |col: Option<Vec<Col>>| match (&mut columns, col) {
            (Some(columns), Some(found)) => columns.extend(found),
            (columns, _) => *columns = None,
        };
        for item in items {
            match item {
                Item::Expr(expr, name) => {
                    let (data_type, sized) = self.sized(expr, Some(scope));
                    let of = match expr {
                        Expr::Column(..) => self.shown_by(expr, scope),
                        _ => Vec::new(),
                    };
                    let col = Col::plain(name.clone(), data_type).sized(sized).showing(of);
                    let value = self.follows.then(|| self.value(expr, Some(scope)));
                    push(Some(vec![match value {
                        Some(value) => col.holding(value),
                        None => col,
                    }]));
                }
                Item::Star(None, at) => {
                    let names = scope.names;
                    for table in 0..names.tables.len() {
                        self.use_row(names, table, *at);
                    }
                    push((!names.is_open()).then(|| names.bare().cloned().collect()));
                }
                Item::Star(Some(name), at) => {
                    let found = scope.levels().find_map(|names| {
                        let at = names.tables.iter().position(|table| {
                            names
                                .table(name.schema.as_ref(), &name.name)
                                .is_some_and(|found| std::ptr::eq(found, table))
                        })?;
                        Some((names, at))
                    });
                    match found {
                        Some((names, table)) => {
                            self.use_row(names, table, *at);
                            let table = &names.tables[table];
                            push((!table.open).then(|| table.columns.to_vec()));
                        }
                        None if name.schema.is_none() && self.is_column(&name.name, scope) => {
                            let row = self.expr(&Expr::Column(vec![name.name.clone()], *at), Some(scope));
                            let table = self.fields_of(&row);
                            push(table.filter(|table| !table.open).map(|table| table.columns.to_vec()));
                        }
                        None => {
                            let message = format!("missing FROM-clause entry for table \"{}\"", name.name);
                            self.problem("42P01", message, *at);
                            push(None);
                        }
                    }
                }
                Item::Fields(expr) => {
                    let found = self.expr(expr, Some(scope));
                    let table = self.fields_of(&found);
                    push(table.filter(|table| !table.open).map(|table| table.columns.to_vec()));
                }
            }
        }
        columns
    }

    fn is_column(&self, name: &Ident, scope: &Scope<'_>) -> bool {
        scope.levels().any(|names| names.bare().any(|col| col.name == *name))
    }

    pub(super) fn fields_of(&mut self, data_type: &Type) -> Option<Table> {
        let name = data_type.name()?;
        if let Some(UserType::Composite(attributes)) = self.schema.user_type_named(&self.types.base(name)) {
            let col = |(name, data_type): &(Ident, TypeName)| Col::declared(name.clone(), Some(data_type));
            let columns = Rc::new(attributes.iter().map(col).collect());
            return Some(Table { alias: "".into(), schema: None, relation: None, columns, open: false, row: None });
        }
        let relation = self.types.row_type(name)?;
        let found = self.schema.relation(&relation)?;
        self.resolved.uses.stars.entry(relation.clone()).or_default();
        Some(self.table_of(relation.name.clone(), None, &relation, found))
    }

    /// The columns that a plain name shows.
    pub(super) fn shown_by(&self, expr: &Expr, scope: &Scope<'_>) -> Vec<(QName, Ident)> {
        let Expr::Column(parts, _) = expr else { return Vec::new() };
        let found = match parts.as_slice() {
            [name] => scope.levels().find_map(|names| names.bare().find(|col| col.name == *name)),
            [.., table, name] => scope
                .levels()
                .find_map(|names| names.table(None, table))
                .and_then(|table| table.columns.iter().find(|col| col.name == *name)),
            [] => None,
        };
        found.map(|col| col.of().to_vec()).unwrap_or_default()
    }
}

pub(super) fn constant(value: &Expr) -> Option<Constant> {
    match value {
        Expr::Null => Some(Constant::Null),
        Expr::Default => Some(Constant::Default),
        Expr::Text(text, _) => Some(Constant::Text(text.clone())),
        Expr::Number(text) => Constant::number(text),
        Expr::Operator(sign, None, number, _) if &**sign == "-" => match constant(number)? {
            Constant::Number(number) => Some(Constant::Number(-number)),
            _ => None,
        },
        // A length would cut it, and another type may spell it otherwise. What is no built-in type may be an enum.
        Expr::Cast(value, to, _) if !to.as_str().contains(['(', '[']) && leaves_strings(to.as_str()) => {
            match constant(value)? {
                Constant::Number(_) => None,
                constant => Some(constant),
            }
        }
        _ => None,
    }
}

fn leaves_strings(data_type: &str) -> bool {
    matches!(data_type, "text" | "character varying") || CATALOG.category(data_type).is_none()
}
