//! Statements: their scopes, their targets, what they return.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::catalog::{CATALOG, Context};
use super::expr::start;
use super::scope::{Col, Columns, Names, Scope, Sized, Table, common_size};
use super::sorting::Need;
use super::types::{Sure, Type};
use super::values::Value;
use super::{Arbiter, Output, QueryProblem, Resolver, Row, Write, WriteKind, normal};
use crate::schema::refusals::repeated;
use crate::schema::{Column, QName, Relation, UserType};
use crate::shared::Shared;
use crate::sql::TypeName;
use crate::sql::condition::Constant;
use crate::sql::operation::{DefaultValue, Ident, RelationKind, RuleEvent};
use crate::sql::query::{
    Assignment, At, Command, Delete, Expr, From, Insert, Item, Merge, MergeInsert, On, Placed, QueryBody,
    QueryExpression, Select, TableRef, Update,
};

/// An upsert without its index.
pub(crate) const NO_ARBITER: &str = "there is no unique or exclusion constraint matching the ON CONFLICT specification";

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
            Command::Other { harmless } => {
                self.resolved.uses.more |= !harmless;
                // SHOW returns something.
                None
            }
        }
    }

    fn write(&mut self, relation: QName, kind: WriteKind, at: At) {
        self.resolved.uses.writes.push(Write { relation, kind, at });
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
    fn decided(&mut self, columns: Vec<Col>) -> Vec<Col> {
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

    fn items(&mut self, items: &[Item], scope: &Scope<'_>) -> Output {
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

    fn fields_of(&mut self, data_type: &Type) -> Option<Table> {
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

    fn from(&mut self, from: &[From], outer: Option<&Scope<'_>>) -> Names {
        let mut names = Names::default();
        for element in from {
            let found = self.element(element, &names, outer);
            names = names.join(found, &[]);
        }
        if let Some(alias) = names.twice().cloned().filter(|alias| !alias.is_empty()) {
            self.problem("42712", format!("table name \"{alias}\" specified more than once"), At::default());
        }
        names
    }

    /// One element of FROM. `beside`: what stands before it, for what is LATERAL.
    fn element(&mut self, element: &From, beside: &Names, outer: Option<&Scope<'_>>) -> Names {
        let lateral = Scope { names: beside, outer };
        match element {
            From::Table(table) => Names::of(self.table(table)),
            From::Call { call, name, alias, columns, types, ordinality } => {
                let found = self.called_in_from(call, name, alias.as_ref(), types, Some(&lateral));
                Self::call_names(found, columns, *ordinality)
            }
            From::Derived { query, lateral: is_lateral, alias, columns } => {
                let scope = if *is_lateral { Some(&lateral) } else { outer };
                let found = self.query(query, scope).map(|found| renamed(found, columns));
                let found = found.map(|columns| self.decided(columns));
                Names::of(Table {
                    alias: alias.clone().unwrap_or_else(|| "".into()),
                    schema: None,
                    relation: None,
                    open: found.is_none(),
                    columns: Rc::new(found.unwrap_or_default()),
                    row: None,
                })
            }
            From::Join { left, right, on, alias, outer: is_outer } => {
                let left = self.element(left, beside, outer);
                let both = beside.clone().join(left.clone(), &[]);
                let right = self.element(right, &both, outer);
                let mut names = self.joined(left, right, on, beside, outer);
                if self.follows && *is_outer {
                    names.each(|col| {
                        let value = self.value_of(&col);
                        col.holding(Value { null: true, ..value })
                    });
                }
                match alias {
                    Some(alias) => Names::of(Table {
                        alias: alias.clone(),
                        schema: None,
                        relation: None,
                        open: names.is_open(),
                        columns: Rc::new(names.bare().cloned().collect()),
                        row: None,
                    }),
                    None => names,
                }
            }
            From::Unknown(alias) => {
                self.resolved.uses.more = true;
                Names::of(Table {
                    alias: alias.clone().unwrap_or_else(|| "".into()),
                    schema: None,
                    relation: None,
                    columns: Columns::default(),
                    open: true,
                    row: None,
                })
            }
        }
    }

    fn joined(&mut self, left: Names, right: Names, on: &On, beside: &Names, outer: Option<&Scope<'_>>) -> Names {
        let merged: Vec<Placed<Ident>> = match on {
            On::Using(columns) => columns.clone(),
            On::Natural => {
                let both = left.bare().filter(|col| right.bare().any(|other| other.name == col.name));
                self.resolved.natural.push(both.clone().map(|col| col.name.clone()).collect());
                both.map(|col| Placed { value: col.name.clone(), at: At::default() }).collect()
            }
            On::Nothing | On::Expr(_) => Vec::new(),
        };
        for Placed { value: name, at } in &merged {
            let mut types = Vec::new();
            for (side, words) in [(&left, "left"), (&right, "right")] {
                match side.bare().filter(|col| col.name == *name).collect::<Vec<_>>()[..] {
                    [col] => {
                        types.push(col.data_type.clone());
                        self.use_columns(col.of(), *at);
                    }
                    [] if side.is_open() => self.resolved.uses.more = true,
                    [] => {
                        let message =
                            format!("column \"{name}\" specified in USING clause does not exist in {words} table");
                        self.problem("42703", message, *at);
                    }
                    _ => {
                        let message = format!("common column name \"{name}\" appears more than once in {words} table");
                        self.problem("42702", message, *at);
                    }
                }
            }
            if let [one, other] = &types[..] {
                self.apply("=", Some((&Expr::Null, one)), (&Expr::Null, other), *at);
            }
        }
        let names: Vec<Ident> = merged.into_iter().map(|column| column.value).collect();
        let names = left.join(right, &names);
        if let On::Expr(condition) = on {
            let around = Scope { names: beside, outer };
            let scope = Scope { names: &names, outer: Some(&around) };
            let found = self.expr(condition, Some(&scope));
            self.want(condition, &found, "boolean", Context::Assignment, start(condition));
        }
        names
    }

    /// A relation that is named, if it is there.
    fn relation(&mut self, name: &Placed<crate::sql::Name>) -> Option<QName> {
        let found = self.schema.resolve(&name.value);
        if self.schema.relation(&found).is_some() {
            self.use_relation(&found, name.at);
            return Some(found);
        }
        let catalog = match name.value.schema.as_deref() {
            Some(schema) => matches!(schema, "pg_catalog" | "information_schema" | "pg_temp"),
            None => name.value.name.starts_with("pg_"),
        };
        if !catalog {
            let message = format!("relation \"{}\" does not exist", name.value);
            self.problem("42P01", message, name.at);
        }
        None
    }

    /// A relation in FROM. Mostly a body names the same few again and again.
    pub(super) fn table_of(&self, alias: Ident, schema: Option<Ident>, name: &QName, relation: &Relation) -> Table {
        let made = || {
            let column = |column: &Shared<Column>| Col::own(name, &column.name, column.data_type.as_ref());
            let counter = |(name, data_type): (&str, &str)| Col::plain(name.into(), Type::named(data_type));
            Columns::new(match relation.kind {
                RelationKind::Sequence => {
                    [("last_value", "bigint"), ("log_cnt", "bigint"), ("is_called", "boolean")].map(counter).to_vec()
                }
                _ => relation.columns.iter().map(column).collect(),
            })
        };
        let mut known = self.tables.borrow_mut();
        let columns = Rc::clone(known.entry(name.clone()).or_insert_with(made));
        Table { alias, schema, relation: Some(name.clone()), columns, open: !relation.columns_known, row: None }
    }

    fn table(&mut self, table: &TableRef) -> Table {
        let name = &table.name.value;
        let alias = table.alias.clone().unwrap_or_else(|| name.name.clone());
        let cte = self.ctes.iter().rev().find(|(cte, _)| name.schema.is_none() && *cte == name.name);
        if let Some((_, columns)) = cte {
            let columns = columns.clone();
            let open = columns.is_none();
            let columns = Rc::new(renamed(columns.unwrap_or_default(), &table.columns));
            return Table { alias, schema: None, relation: None, columns, open, row: None };
        }
        match self.relation(&table.name) {
            Some(qualified) => match self.schema.relation(&qualified) {
                Some(relation) => {
                    if table.sampled && relation.kind == RelationKind::View {
                        let message = "TABLESAMPLE clause can only be applied to tables and materialized views";
                        self.problem("42809", message, table.name.at);
                    }
                    let schema = table.alias.is_none().then(|| qualified.schema.clone());
                    let mut found = self.table_of(alias, schema, &qualified, relation);
                    if !table.columns.is_empty() {
                        found.columns = Rc::new(renamed(found.columns.to_vec(), &table.columns));
                    }
                    found
                }
                None => {
                    Table { alias, schema: None, relation: None, columns: Columns::default(), open: true, row: None }
                }
            },
            None => Table { alias, schema: None, relation: None, columns: Columns::default(), open: true, row: None },
        }
    }

    /// The table that a statement writes: its names, and itself.
    fn target(&mut self, table: &TableRef) -> Option<(QName, &'s Relation)> {
        let name = self.relation(&table.name)?;
        let relation = self.schema.relation(&name)?;
        if matches!(relation.kind, RelationKind::MaterializedView | RelationKind::Sequence) {
            self.problem("42809", format!("cannot change \"{}\"", name.name), table.name.at);
        } else if relation.kind == RelationKind::View && !relation.is_writable() {
            // An INSTEAD rule may do it.
            let message = format!("cannot write to view \"{}\"", name.name);
            self.resolved.problems.push(QueryProblem { code: "55000", message, at: table.name.at, sure: false });
        }
        Some((name, relation))
    }

    /// A column that gets a value; its type.
    fn assigned(&mut self, name: &QName, relation: &Relation, column: &Placed<Ident>, by: RuleEvent) -> Type {
        let Some(found) = relation.column(&column.value) else {
            if relation.columns_known {
                let message = format!("column \"{}\" of relation \"{}\" does not exist", column.value, name.name);
                self.problem("42703", message, column.at);
            } else {
                self.resolved.uses.more = true;
            }
            return Type::Any;
        };
        if found.computed && relation.is_writable() && !self.taken_over(name, by) {
            let message = format!("cannot write into column \"{}\" of view \"{}\"", column.value, name.name);
            self.problem("0A000", message, column.at);
        }
        found.data_type.as_ref().map_or(Type::Any, Type::of)
    }

    /// Whether triggers or rules take what is written into a view, or into one that it shows.
    fn taken_over(&self, view: &QName, by: RuleEvent) -> bool {
        let mut behind = self.schema.behind(view).into_iter().filter_map(|name| self.schema.relation(name));
        behind.any(|r| r.kind == RelationKind::View && (!r.triggers.is_empty() || r.replaces(by)))
    }

    /// A value for a column. `part`: only a part of it is set.
    fn assign(&mut self, column: &Column, value: &Expr, found: &Type, wanted: &Type, part: bool) {
        if *value == Expr::Default {
            return;
        }
        match &column.default {
            Some(DefaultValue::GeneratedStored | DefaultValue::GeneratedVirtual) => {
                let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
                self.problem("428C9", message, start(value));
            }
            Some(DefaultValue::IdentityAlways) => {
                // OVERRIDING may stand there.
                let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
                self.resolved.problems.push(QueryProblem { code: "428C9", message, at: start(value), sure: false });
            }
            _ => {}
        }
        let Type::Named(wanted) = wanted else {
            if let Type::Parameter(number) = found {
                self.settle(*number, &Type::Any);
            }
            return;
        };
        if part {
            if let Type::Parameter(number) = found {
                self.settle(*number, &Type::Any);
            }
            return;
        }
        if self.want(value, found, wanted, Context::Assignment, start(value)) == Sure::No && &**wanted != "boolean" {
            let found = self.settled(found);
            let message = format!("column \"{}\" is of type {wanted} but expression is of type {found}", column.name);
            self.problem("42804", message, start(value));
        }
    }

    fn set(
        &mut self,
        name: &QName,
        relation: &Relation,
        set: &[Assignment],
        scope: &Scope<'_>,
    ) -> (BTreeSet<Ident>, Row) {
        let (mut columns, mut row) = (BTreeSet::new(), Row::new());
        for assignment in set {
            let mut held = Vec::new();
            let values: Vec<(&Expr, Type)> = match (&assignment.value, &assignment.columns[..]) {
                (Expr::Row(values), many) if values.len() == many.len() => {
                    values.iter().map(|value| (value, self.expr(value, Some(scope)))).collect()
                }
                (Expr::Scalar(query), many) if many.len() > 1 => {
                    self.put_single(query);
                    let found = self.query(query, Some(scope)).unwrap_or_default();
                    held = found.iter().map(|col| Value { null: true, ..self.value_of(col) }).collect();
                    found.into_iter().map(|col| (&Expr::Bool, col.data_type)).collect()
                }
                (value, _) => vec![(value, self.expr(value, Some(scope)))],
            };
            for (i, column) in assignment.columns.iter().enumerate() {
                let wanted = self.assigned(name, relation, column, RuleEvent::Update);
                if !columns.insert(column.value.clone()) && !assignment.part {
                    self.problem(
                        "42601",
                        format!("multiple assignments to same column \"{}\"", column.value),
                        column.at,
                    );
                }
                let (Some(found), Some((value, data_type))) = (relation.column(&column.value), values.get(i)) else {
                    continue;
                };
                if let Some(constant) = constant(value).filter(|_| !assignment.part) {
                    row.insert(column.value.clone(), constant);
                }
                self.meet(value, &[(name.clone(), column.value.clone())], true);
                self.assign(found, value, data_type, &wanted, assignment.part);
                if self.follows && !assignment.part && **value != Expr::Default {
                    let value = held.get(i).cloned().unwrap_or_else(|| self.value(value, Some(scope)));
                    self.put(name, &column.value, value, true);
                }
            }
        }
        (columns, row)
    }

    fn insert(&mut self, insert: &Insert, outer: Option<&Scope<'_>>) -> Output {
        let target = self.target(&insert.table);
        let Some((name, relation)) = target else {
            // The rest is looked at all the same.
            if let Some(source) = &insert.source {
                self.query(source, outer);
            }
            return None;
        };
        // A view takes rows of COPY by an INSTEAD OF trigger only.
        if insert.copies && relation.kind == RelationKind::View && relation.triggers.is_empty() {
            self.problem("42809", format!("cannot copy to view \"{}\"", name.name), insert.table.name.at);
        }
        let listed = insert.columns.is_some();
        if let Some(twice) = repeated(insert.columns.iter().flatten().map(|column| &column.value)) {
            self.problem("42701", format!("column \"{twice}\" specified more than once"), insert.table.name.at);
        }
        let mut columns: Vec<Placed<Ident>> = match &insert.columns {
            Some(columns) => columns.clone(),
            None => {
                let all = relation.columns.iter();
                all.map(|column| Placed { value: column.name.clone(), at: insert.table.name.at }).collect()
            }
        };
        let wanted: Vec<Type> =
            columns.iter().map(|column| self.assigned(&name, relation, column, RuleEvent::Insert)).collect();
        let mut written = vec![Row::new()];
        let width = match &insert.source {
            None => Some(0),
            Some(source) => match &source.body {
                // Each value takes the type of its column.
                QueryBody::Values(rows) if source.ctes.is_empty() || !rows.is_empty() => {
                    written = rows.iter().map(|row| constants(&columns, row)).collect();
                    let collides = insert.conflict.is_none();
                    Some(self.inserted_rows(source, rows, &columns, &wanted, (&name, relation, collides), outer))
                }
                _ => {
                    let found = self.query(source, outer);
                    let width = found.as_ref().map(Vec::len);
                    let found = found.into_iter().flatten();
                    let outputs = select_items(&source.body);
                    for (i, (col, (column, wanted))) in found.zip(columns.iter().zip(&wanted)).enumerate() {
                        let Some(column) = relation.column(&column.value) else { continue };
                        let value = outputs.and_then(|items| match items.get(i) {
                            Some(Item::Expr(expr, _)) if items.len() == width.unwrap_or(0) => Some(expr),
                            _ => None,
                        });
                        let value = value.unwrap_or(&Expr::Bool);
                        if let Some(constant) = constant(value) {
                            written[0].insert(column.name.clone(), constant);
                        }
                        self.meet(value, &[(name.clone(), column.name.clone())], true);
                        self.assign(column, value, &col.data_type, wanted, false);
                        if self.follows {
                            let value = self.value_of(&col);
                            self.put(&name, &column.name, value, insert.conflict.is_none());
                        }
                    }
                    width
                }
            },
        };
        if let Some(width) = width.filter(|_| relation.columns_known && insert.source.is_some()) {
            if width > columns.len() {
                self.problem("42601", "INSERT has more expressions than target columns", insert.table.name.at);
            } else if width < columns.len() && listed {
                self.problem("42601", "INSERT has more target columns than expressions", insert.table.name.at);
            }
            columns.truncate(width);
        }
        if insert.source.is_none() && !insert.copies {
            columns.clear();
        }
        if !listed {
            self.resolved.uses.stars.entry(name.clone()).or_insert(insert.table.name.at);
        }
        let own = Table {
            alias: insert.table.alias.clone().unwrap_or_else(|| insert.table.name.value.name.clone()),
            ..self.table_of(name.name.clone(), Some(name.schema.clone()), &name, relation)
        };
        let (mut arbiter, mut constraint, mut updates, mut updated) = (None, None, BTreeSet::new(), Row::new());
        if let Some(conflict) = &insert.conflict {
            let anywhere =
                conflict.columns.is_empty() && conflict.expressions.is_empty() && conflict.constraint.is_none();
            if anywhere && conflict.update.is_some() {
                let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
                self.problem("42601", message, insert.table.name.at);
            }
            for column in &conflict.columns {
                self.assigned(&name, relation, column, RuleEvent::Insert);
                self.use_columns(&[(name.clone(), column.value.clone())], column.at);
            }
            let own_scope = Names::of(own.clone());
            let own_scope = Scope { names: &own_scope, outer: None };
            for (expr, _) in conflict.expressions.iter().chain(&conflict.predicate) {
                self.expr(expr, Some(&own_scope));
            }
            if !conflict.columns.is_empty() || !conflict.expressions.is_empty() {
                let wanted = Arbiter {
                    columns: conflict.columns.iter().map(|column| column.value.clone()).collect(),
                    expressions: conflict.expressions.iter().map(|(_, text)| normal(text)).collect(),
                    predicate: conflict.predicate.as_ref().map(|(_, text)| normal(text)),
                };
                // What a view's table has, and what a partition's parent has, is not looked at.
                let known = relation.kind == RelationKind::Table && relation.columns_known;
                let found = relation.indexes.values().map(|index| wanted.finds(index)).any(|sure| sure != Sure::No);
                let there = wanted.columns.iter().all(|column| relation.column(column).is_some());
                if known && there && !found {
                    let message = NO_ARBITER;
                    self.problem("42P10", message, insert.table.name.at);
                }
                arbiter = Some(wanted);
            }
            constraint = conflict.constraint.as_ref().map(|name| name.value.clone());
            if let (Some(wanted), true) = (&conflict.constraint, relation.columns_known)
                && !relation.constraints.get(&wanted.value).is_some_and(|found| found.kind.has_index())
            {
                let message = format!("constraint \"{}\" for table \"{}\" does not exist", wanted.value, name.name);
                self.problem("42704", message, wanted.at);
            }
            let excluded = self.table_of("excluded".into(), None, &name, relation);
            let mut names = Names::of(own.clone());
            names.tables.push(excluded);
            let scope = Scope { names: &names, outer };
            if let Some(update) = &conflict.update {
                (updates, updated) = self.set(&name, relation, update, &scope);
            }
            if let Some(filter) = &conflict.filter {
                let found = self.expr(filter, Some(&scope));
                self.want(filter, &found, "boolean", Context::Assignment, start(filter));
            }
        }
        let columns: Vec<Ident> = columns.into_iter().map(|column| column.value).collect();
        if self.follows {
            self.put_nothing(&name, relation, &columns);
        }
        let copies = insert.copies;
        let anywhere = insert.conflict.is_some() && arbiter.is_none() && constraint.is_none();
        let rows = written;
        let kind = WriteKind::Insert { columns, listed, copies, rows, arbiter, constraint, anywhere, updates, updated };
        self.write(name, kind, insert.table.name.at);
        let names = Names::of(own);
        self.returning(&insert.returning, names, outer)
    }

    /// `RETURNING`, where `old` and `new` are the row before and after since PostgreSQL 18.
    fn returning(&mut self, items: &[Item], mut names: Names, outer: Option<&Scope<'_>>) -> Output {
        if let Some(target) = names.tables.first().cloned() {
            let shadow = |alias: &str| Table { alias: alias.into(), schema: None, ..target.clone() };
            let free = |alias: &&&str| !names.tables.iter().any(|table| *table.alias == **alias.to_owned());
            let rows: Vec<Table> = ["old", "new"].iter().filter(free).map(|alias| shadow(alias)).collect();
            let named = |table: &Table| items.iter().any(|item| mentions(item, &table.alias));
            names.tables.extend(rows.into_iter().filter(named));
        }
        self.items(items, &Scope { names: &names, outer })
    }

    fn inserted_rows(
        &mut self,
        source: &QueryExpression,
        rows: &[Vec<Expr>],
        columns: &[Placed<Ident>],
        wanted: &[Type],
        (name, relation, collides): (&QName, &Relation, bool),
        outer: Option<&Scope<'_>>,
    ) -> usize {
        let known = self.ctes.len();
        for cte in &source.ctes {
            let found = self.query(&cte.query, outer).map(|found| renamed(found, &cte.columns));
            self.ctes.push((cte.name.clone(), found));
        }
        for row in rows {
            for (value, (column, wanted)) in row.iter().zip(columns.iter().zip(wanted)) {
                let found = self.expr(value, outer);
                if let Some(column) = relation.column(&column.value) {
                    self.meet(value, &[(name.clone(), column.name.clone())], true);
                    self.assign(column, value, &found, wanted, false);
                    if self.follows && *value != Expr::Default {
                        let value = self.value(value, outer);
                        self.put(name, &column.name, value, collides);
                    }
                }
            }
            for value in row.iter().skip(columns.len()) {
                self.expr(value, outer);
            }
        }
        self.ctes.truncate(known);
        if rows.windows(2).any(|pair| pair[0].len() != pair[1].len()) {
            self.problem("42601", "VALUES lists must all be the same length", At::default());
        }
        rows.iter().map(Vec::len).max().unwrap_or(0)
    }

    fn update(&mut self, update: &Update, outer: Option<&Scope<'_>>) -> Output {
        let Some((name, relation)) = self.target(&update.table) else {
            self.from(&update.from, outer);
            return None;
        };
        let names = Names::of(self.table(&update.table)).join(self.from(&update.from, outer), &[]);
        let scope = Scope { names: &names, outer };
        let (columns, row) = self.set(&name, relation, &update.set, &scope);
        if let Some(filter) = &update.filter {
            let found = self.expr(filter, Some(&scope));
            self.want(filter, &found, "boolean", Context::Assignment, start(filter));
        }
        self.write(name, WriteKind::Update { columns, row }, update.table.name.at);
        self.returning(&update.returning, names, outer)
    }

    fn delete(&mut self, delete: &Delete, outer: Option<&Scope<'_>>) -> Output {
        let target = self.target(&delete.table);
        let names = Names::of(self.table_again(&delete.table)).join(self.from(&delete.using, outer), &[]);
        let scope = Scope { names: &names, outer };
        if let Some(filter) = &delete.filter {
            let found = self.expr(filter, Some(&scope));
            self.want(filter, &found, "boolean", Context::Assignment, start(filter));
        }
        if let Some((name, _)) = target {
            self.write(name, WriteKind::Delete, delete.table.name.at);
        }
        self.returning(&delete.returning, names, outer)
    }

    /// The table of a statement whose absence was told already.
    fn table_again(&mut self, table: &TableRef) -> Table {
        let known = self.resolved.problems.len();
        let found = self.table(table);
        self.resolved.problems.truncate(known);
        found
    }

    fn merge(&mut self, merge: &Merge, outer: Option<&Scope<'_>>) -> Output {
        let target = self.target(&merge.table);
        let source = self.element(&merge.source, &Names::default(), outer);
        let names = Names::of(self.table_again(&merge.table)).join(source.clone(), &[]);
        let scope = Scope { names: &names, outer };
        for condition in &merge.conditions {
            let found = self.expr(condition, Some(&scope));
            self.want(condition, &found, "boolean", Context::Assignment, start(condition));
        }
        let (name, relation) = target?;
        if relation.kind == RelationKind::View {
            // PostgreSQL 17 does it.
            let message = format!("cannot execute MERGE on relation \"{}\", a view", name.name);
            self.resolved.problems.push(QueryProblem { code: "0A000", message, at: merge.table.name.at, sure: false });
        }
        for set in &merge.updates {
            let (columns, row) = self.set(&name, relation, set, &scope);
            self.write(name.clone(), WriteKind::Update { columns, row }, merge.table.name.at);
        }
        let inner = Scope { names: &source, outer };
        for MergeInsert { columns, values } in &merge.inserts {
            let listed = columns.is_some();
            let columns = columns.clone().unwrap_or_else(|| {
                let all = relation.columns.iter();
                all.map(|column| Placed { value: column.name.clone(), at: merge.table.name.at }).collect()
            });
            let row = constants(&columns, values);
            for (column, value) in columns.iter().zip(values) {
                let wanted = self.assigned(&name, relation, column, RuleEvent::Insert);
                let found = self.expr(value, Some(&inner));
                if let Some(column) = relation.column(&column.value) {
                    self.assign(column, value, &found, &wanted, false);
                    if self.follows && *value != Expr::Default {
                        let value = self.value(value, Some(&inner));
                        self.put(&name, &column.name, value, true);
                    }
                }
            }
            let given = columns.into_iter().take(values.len());
            let kind = WriteKind::Insert {
                columns: given.map(|column| column.value).collect(),
                listed,
                copies: false,
                rows: vec![row],
                arbiter: None,
                constraint: None,
                anywhere: false,
                updates: BTreeSet::new(),
                updated: Row::new(),
            };
            self.write(name.clone(), kind, merge.table.name.at);
        }
        if merge.deletes {
            self.write(name, WriteKind::Delete, merge.table.name.at);
        }
        // RETURNING is not read.
        None
    }
}

/// The table of one FROM, by its place, whose column a name means there, if it is surely one.
pub(super) fn located(parts: &[Ident], names: &Names) -> Option<(usize, Ident)> {
    let (table, name) = match parts {
        [name] => (None, name),
        [.., table, name] => (Some(table), name),
        [] => return None,
    };
    let has = |table: &Table| table.columns.iter().any(|col| col.name == *name);
    let mut found =
        names.tables.iter().enumerate().filter(|(_, t)| table.is_none_or(|alias| t.alias == *alias) && has(t));
    let (at, _) = found.next()?;
    // A column of USING is that of both sides.
    found.next().is_none().then(|| (at, name.clone()))
}

/// The constants of a row.
fn constants(columns: &[Placed<Ident>], row: &[Expr]) -> Row {
    let given = columns.iter().zip(row);
    given.filter_map(|(column, value)| Some((column.value.clone(), constant(value)?))).collect()
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

/// Whether an element of RETURNING names a table.
fn mentions(item: &Item, table: &Ident) -> bool {
    let names = |expr: &Expr| matches!(expr, Expr::Column(parts, _) if parts.len() > 1 && parts[0] == *table);
    match item {
        Item::Expr(expr, _) | Item::Fields(expr) => expr.any(&names),
        Item::Star(name, _) => name.as_ref().is_some_and(|name| name.name == *table),
    }
}

fn select_items(body: &QueryBody) -> Option<&[Item]> {
    match body {
        QueryBody::Select(select) => Some(&select.items),
        QueryBody::Query(query) => select_items(&query.body),
        _ => None,
    }
}

/// A relation as FROM shows it.
fn renamed(mut columns: Vec<Col>, names: &[Ident]) -> Vec<Col> {
    for (col, name) in columns.iter_mut().zip(names) {
        col.name = name.clone();
    }
    columns
}
