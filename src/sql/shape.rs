//! What a query or an expression names: relations, aliases, columns, functions, output columns.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, Expr, Function, GroupByExpr, ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind,
    SetExpr, Statement, TableFactor, TrimWhereField, TypedString, Visit, Visitor,
};

use super::ast::{fold, last, lower_name};
use super::name::Name;
use super::operation::{Ident, OutputColumn, QueryShape, Scope};
use super::types::{TypeName, lower_type};

/// Reads the shape of anything sqlparser can walk (a query, a statement, an expression).
pub(crate) fn shape_of(node: &impl Visit) -> QueryShape {
    let mut walker = Walker::default();
    let _ = node.visit(&mut walker);
    let Walker { mut shape, ctes, table_functions, .. } = walker;
    let names_cte = |name: &Name| name.schema.is_none() && ctes.contains(&name.name);
    let aliases: Vec<_> = shape.aliases.iter().filter(|(_, name)| names_cte(name)).map(|(a, _)| a.clone()).collect();
    shape.inner.extend(aliases);
    shape.reads.retain(|name| !table_functions.contains(name));
    shape.reads.retain(|name| name.schema.is_some() || !ctes.contains(&name.name));
    shape
}

/// The shape of a query, with its output columns.
pub(crate) fn query_shape(query: &Query) -> QueryShape {
    let mut shape = shape_of(query);
    shape.columns = output_columns(&query.body);
    shape.simple = is_simple(query);
    shape.star =
        shape.columns.as_ref().is_none_or(|columns| columns.iter().any(|c| matches!(c, OutputColumn::Star { .. })));
    shape
}

/// What PostgreSQL calls a simple view: one relation, nothing that folds rows together.
fn is_simple(query: &Query) -> bool {
    let whole = query.with.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    let select = match &*query.body {
        SetExpr::Select(select) => select,
        SetExpr::Query(inner) => return whole && is_simple(inner),
        SetExpr::Table(_) => return whole,
        _ => return false,
    };
    let [from] = select.from.as_slice() else { return false };
    let grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(by, _) => !by.is_empty(),
    };
    // Anywhere in an expression, but not in a subquery.
    let aggregates = |item: &SelectItem| {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return false };
        folds(expr)
    };
    whole
        && matches!(from.relation, TableFactor::Table { args: None, sample: None, .. })
        && from.joins.is_empty()
        && select.distinct.is_none()
        && select.having.is_none()
        && !grouped
        && !select.projection.iter().any(aggregates)
}

/// Whether an expression folds rows together, looks at others (`OVER`), or makes rows.
fn folds(expr: &Expr) -> bool {
    let mut subqueries = 0_usize;
    struct Folds<'a>(&'a mut usize);
    impl Visitor for Folds<'_> {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            *self.0 += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            *self.0 -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(f) if *self.0 == 0 => {
                    // Another schema's function of that name is somebody's own.
                    let is_servers = f.name.0.len() == 1 || f.name.to_string().starts_with("pg_catalog.");
                    let folds = f.over.is_some() || (is_servers && AGGREGATES.contains(&&*last(&f.name)));
                    if folds { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Folds(&mut subqueries)).is_break()
}

const AGGREGATES: &[&str] = &[
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "count",
    "every",
    "generate_series",
    "generate_subscripts",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "mode",
    "percentile_cont",
    "percentile_disc",
    "range_agg",
    "stddev",
    "string_agg",
    "sum",
    "unnest",
    "variance",
    "xmlagg",
];

/// The columns an expression mentions, each once, in order of appearance.
pub(crate) fn columns_in(expr: &impl Visit) -> Vec<Ident> {
    let mut seen = BTreeSet::new();
    shape_of(expr).mentions.into_iter().map(|(_, column)| column).filter(|c| seen.insert(c.clone())).collect()
}

/// The output of `SELECT`, looked for in the left arm of set operations, as PostgreSQL names them.
fn output_columns(body: &SetExpr) -> Option<Vec<OutputColumn>> {
    match body {
        SetExpr::Select(select) => Some(returning_columns(&select.projection)),
        SetExpr::Query(query) => output_columns(&query.body),
        SetExpr::SetOperation { left, .. } => output_columns(left),
        SetExpr::Values(values) => {
            let width = values.rows.first().map_or(0, |row| row.len());
            Some((1..=width).map(|i| OutputColumn::Expression { name: format!("column{i}").into() }).collect())
        }
        _ => None,
    }
}

/// Whether `*` stands in the output of a query or of an arm of it.
pub(crate) fn has_star(body: &SetExpr) -> bool {
    let star = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    match body {
        SetExpr::Select(select) => select.projection.iter().any(star),
        SetExpr::Query(query) => has_star(&query.body),
        SetExpr::SetOperation { left, right, .. } => has_star(left) || has_star(right),
        _ => false,
    }
}

/// The columns of a select list or `RETURNING`.
pub(crate) fn returning_columns(items: &[SelectItem]) -> Vec<OutputColumn> {
    items.iter().map(output_column).collect()
}

fn output_column(item: &SelectItem) -> OutputColumn {
    match item {
        SelectItem::UnnamedExpr(expr) => match expr {
            Expr::Identifier(ident) => OutputColumn::Column { from: None, column: fold(ident), name: fold(ident) },
            Expr::CompoundIdentifier(parts) => qualified(parts, None),
            _ => OutputColumn::Expression { name: expression_name(expr, "?column?") },
        },
        SelectItem::ExprWithAlias { expr, alias } => match expr {
            Expr::Identifier(ident) => OutputColumn::Column { from: None, column: fold(ident), name: fold(alias) },
            Expr::CompoundIdentifier(parts) => qualified(parts, Some(fold(alias))),
            _ => OutputColumn::Expression { name: fold(alias) },
        },
        SelectItem::ExprWithAliases { aliases, .. } => {
            OutputColumn::Expression { name: aliases.first().map_or_else(|| "?column?".into(), fold) }
        }
        SelectItem::QualifiedWildcard(kind, _) => OutputColumn::Star {
            from: match kind {
                SelectItemQualifiedWildcardKind::ObjectName(name) => Some(last(name)),
                SelectItemQualifiedWildcardKind::Expr(_) => None,
            },
        },
        SelectItem::Wildcard(_) => OutputColumn::Star { from: None },
    }
}

fn qualified(parts: &[sqlparser::ast::Ident], alias: Option<Ident>) -> OutputColumn {
    let column = parts.last().map_or_else(|| "".into(), fold);
    let from = parts.len().checked_sub(2).map(|i| fold(&parts[i]));
    OutputColumn::Column { from, name: alias.unwrap_or_else(|| column.clone()), column }
}

/// The name PostgreSQL gives to an unnamed expression (`FigureColname`).
pub(crate) fn expression_name(expr: &Expr, otherwise: &str) -> Ident {
    figured(expr).map_or_else(|| otherwise.into(), |(name, _)| name)
}

/// A name, and whether it is a good one, which nothing around the expression replaces.
fn figured(expr: &Expr) -> Option<(Ident, bool)> {
    let good = |name: &str| Some((Ident::from(name), true));
    match expr {
        Expr::Identifier(ident) => Some((fold(ident), true)),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| (fold(ident), true)),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                AccessExpr::Dot(Expr::Identifier(ident)) => Some((fold(ident), true)),
                _ => None,
            });
            field.or_else(|| figured(root))
        }
        Expr::Function(function) => Some((last(&function.name), true)),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => figured(inner),
        Expr::Cast { expr, data_type, .. } => {
            figured(expr).filter(|(_, good)| *good).or_else(|| Some((internal_name(&lower_type(data_type).0), false)))
        }
        Expr::TypedString(typed) => Some((internal_name(&lower_type(&typed.data_type).0), false)),
        Expr::Interval(_) => Some(("interval".into(), false)),
        Expr::Case { else_result, .. } => {
            let otherwise = else_result.as_deref().and_then(figured).filter(|(_, good)| *good);
            otherwise.or_else(|| Some(("case".into(), false)))
        }
        Expr::Exists { .. } => good("exists"),
        Expr::Subquery(query) => match output_columns(&query.body)?.into_iter().next()? {
            OutputColumn::Column { name, .. } => Some((name, true)),
            OutputColumn::Expression { name } => (&*name != "?column?").then_some((name, true)),
            OutputColumn::Star { .. } => None,
        },
        Expr::Array(_) => good("array"),
        Expr::Extract { .. } => good("extract"),
        Expr::AtTimeZone { .. } => good("timezone"),
        Expr::Position { .. } => good("position"),
        Expr::Substring { .. } => good("substring"),
        Expr::Overlay { .. } => good("overlay"),
        Expr::Ceil { .. } => good("ceil"),
        Expr::Floor { .. } => good("floor"),
        Expr::Trim { trim_where, .. } => good(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            Some(TrimWhereField::Both) | None => "btrim",
        }),
        _ => None,
    }
}

/// A type's name in `pg_type`.
fn internal_name(data_type: &TypeName) -> Ident {
    let base = data_type.base();
    match &*base {
        "integer" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "boolean" => "bool",
        "real" => "float4",
        "double precision" => "float8",
        "character varying" => "varchar",
        "character" => "bpchar",
        "bit varying" => "varbit",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        other => other.rsplit('.').next().unwrap_or(other).trim_matches('"'),
    }
    .into()
}

#[derive(Default)]
struct Walker {
    shape: QueryShape,
    ctes: BTreeSet<Ident>,
    table_functions: BTreeSet<Name>,
    /// The `SELECT`s around, by their places in the shape's scopes.
    around: Vec<usize>,
}

impl Visitor for Walker {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            self.ctes.extend(with.cte_tables.iter().map(|cte| fold(&cte.alias.name)));
        }
        self.shape.star_arms |= matches!(*query.body, SetExpr::SetOperation { .. }) && has_star(&query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = lower_name(relation);
        if !self.shape.reads.contains(&name) {
            self.shape.reads.push(name);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.star(&select.projection);
        self.around.push(self.shape.scopes.len());
        self.shape.scopes.push(Scope::default());
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &Select) -> ControlFlow<()> {
        self.around.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Insert(insert) => self.star(insert.returning.as_deref().unwrap_or_default()),
            Statement::Update(update) => self.star(update.returning.as_deref().unwrap_or_default()),
            Statement::Delete(delete) => self.star(delete.returning.as_deref().unwrap_or_default()),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { alias: Some(alias), .. } = factor {
            self.shape.inner.push(fold(&alias.name));
        }
        if let TableFactor::Table { name, alias, args, .. } = factor {
            let name = lower_name(name);
            if args.is_some() {
                self.table_functions.insert(name.clone());
                self.call(name);
            } else {
                let alias = alias.as_ref().map_or_else(|| name.name.clone(), |alias| fold(&alias.name));
                if let Some(scope) = self.scope() {
                    scope.reads.push(name.clone());
                }
                self.shape.aliases.push((alias, name));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => {
                if let Some(scope) = self.scope() {
                    scope.bare.push(fold(ident));
                }
                self.shape.mentions.push((None, fold(ident)));
            }
            Expr::CompoundIdentifier(parts) => {
                if let [.., from, column] = parts.as_slice() {
                    self.shape.mentions.push((Some(fold(from)), fold(column)));
                }
            }
            Expr::Function(Function { name, .. }) => self.call(lower_name(name)),
            Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) => {
                let of = lower_type(data_type).0;
                if !self.shape.types.contains(&of) {
                    self.shape.types.push(of);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Walker {
    fn scope(&mut self) -> Option<&mut Scope> {
        self.around.last().and_then(|at| self.shape.scopes.get_mut(*at))
    }

    fn star(&mut self, items: &[SelectItem]) {
        self.shape.inner_star |=
            items.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    }

    fn call(&mut self, name: Name) {
        if !self.shape.calls.contains(&name) {
            self.shape.calls.push(name);
        }
    }
}
