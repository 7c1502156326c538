//! What stands in FROM.

use super::catalog::Context;
use super::expr::start;
use super::scope::{Col, Columns, Names, Scope, Table};
use super::types::Type;
use super::values::Value;
use super::{Resolver, not_populated};
use crate::schema::{Column, QName, Relation};
use crate::shared::Shared;
use crate::sql::operation::{Ident, RelationKind};
use crate::sql::query::{At, Expr, From, On, Placed, TableRef};
use std::rc::Rc;

impl Resolver<'_> {
    pub(super) fn from(&mut self, from: &[From], outer: Option<&Scope<'_>>) -> Names {
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
    pub(super) fn element(&mut self, element: &From, beside: &Names, outer: Option<&Scope<'_>>) -> Names {
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
    pub(super) fn relation(&mut self, name: &Placed<crate::sql::Name>) -> Option<QName> {
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

    pub(super) fn table(&mut self, table: &TableRef) -> Table {
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
                    if let Some(view) = self.schema.unfilled_behind(&qualified).filter(|_| self.runs) {
                        self.problem("55000", not_populated(&view.name), table.name.at);
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

/// A relation as FROM shows it.
pub(super) fn renamed(mut columns: Vec<Col>, names: &[Ident]) -> Vec<Col> {
    for (col, name) in columns.iter_mut().zip(names) {
        col.name = name.clone();
    }
    columns
}
