//! Data statements and queries: what they read, which tables and columns they write, on what they rely.

use std::ops::ControlFlow;
use std::sync::Arc;

use sqlparser::ast::{
    AssignmentTarget, ConflictTarget, Delete, Expr, FromTable, Insert, OnConflictAction, OnInsert, Query, SelectItem,
    SetExpr, Statement, TableFactor, TableObject, TableWithJoins, Update, Visit, Visitor,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;

use super::{Result, misc};
use crate::sql::ast::{fold, fold_all, last, lower_name};
use crate::sql::name::Name;
use crate::sql::operation::{CreateTable, DataChange, DataVerb, Ident, Operation, OutputColumn, QueryShape};
use crate::sql::parse::{Tokens, at_end, eat, peek_words};
use crate::sql::query::Command;
use crate::sql::shape::{has_star, query_shape, returning_columns, shape_of};

/// One write of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TableWrite {
    table: Name,
    kind: QueryKind,
}

/// How a query writes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum QueryKind {
    /// `INSERT`; no column list means all columns in order.
    Insert {
        columns: Option<Vec<Ident>>,
        /// Whether what is inserted is the `*` of a query.
        star: bool,
        /// The columns of `ON CONFLICT (…)`.
        conflict_columns: Option<Vec<Ident>>,
        /// The name of `ON CONFLICT ON CONSTRAINT`.
        conflict_constraint: Option<Ident>,
        /// The columns that `DO UPDATE SET` assigns.
        updates: Vec<Ident>,
    },
    /// `UPDATE` of these columns.
    Update { columns: Vec<Ident> },
    /// `DELETE`
    Delete,
    /// `MERGE` and anything else that writes without saying which columns.
    Other,
}

pub(super) fn command(tokens: &Tokens<'_>, parser: &mut Parser<'_>) -> Result<Command> {
    if peek_words(parser, &["refresh", "materialized", "view"]) {
        let (view, concurrently, empties) = super::view::refreshed(parser)?;
        return Ok(super::query::refresh(&view, concurrently, empties, tokens));
    }
    Ok(super::query::command(&parser.parse_statement()?, tokens))
}

fn summarize(statement: &Statement) -> (QueryShape, Vec<TableWrite>) {
    let mut shape = match statement {
        Statement::Query(query) => query_shape(query),
        other => shape_of(other),
    };
    if let Some(columns) = returning(statement) {
        shape.star |= columns.iter().any(|c| matches!(c, OutputColumn::Star { .. }));
        shape.columns = Some(columns);
    }
    let mut writes = Writes::default();
    let _ = statement.visit(&mut writes);
    (shape, writes.0)
}

fn returning(statement: &Statement) -> Option<Vec<OutputColumn>> {
    let items: &Option<Vec<SelectItem>> = match statement {
        Statement::Insert(insert) => &insert.returning,
        Statement::Update(update) => &update.returning,
        Statement::Delete(delete) => &delete.returning,
        _ => return None,
    };
    items.as_deref().map(returning_columns)
}

#[derive(Default)]
struct Writes(Vec<TableWrite>);

impl Visitor for Writes {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Insert(insert) => self.0.extend(insert_write(insert)),
            Statement::Update(update) => self.0.extend(update_write(update)),
            Statement::Delete(delete) => {
                self.0.extend(delete_tables(delete).map(|table| TableWrite { table, kind: QueryKind::Delete }));
            }
            Statement::Merge(merge) => {
                if let TableFactor::Table { name, .. } = &merge.table {
                    self.0.push(TableWrite { table: lower_name(name), kind: QueryKind::Other });
                }
            }
            Statement::Truncate(truncate) => {
                let tables = truncate.table_names.iter().map(|t| lower_name(&t.name));
                self.0.extend(tables.map(|table| TableWrite { table, kind: QueryKind::Delete }));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn insert_write(insert: &Insert) -> Option<TableWrite> {
    let TableObject::TableName(name) = &insert.table else { return None };
    let columns = (!insert.columns.is_empty()).then(|| insert.columns.iter().map(last).collect());
    let (mut conflict_columns, mut conflict_constraint, mut updates) = (None, None, Vec::new());
    if let Some(OnInsert::OnConflict(conflict)) = &insert.on {
        match &conflict.conflict_target {
            Some(ConflictTarget::Columns(columns)) => conflict_columns = Some(fold_all(columns)),
            Some(ConflictTarget::OnConstraint(name)) => conflict_constraint = Some(last(name)),
            None => {}
        }
        if let OnConflictAction::DoUpdate(update) = &conflict.action {
            updates = assigned(update.assignments.iter().map(|a| &a.target));
        }
    }
    let star = insert.source.as_ref().is_some_and(|query| has_star(&query.body));
    let kind = QueryKind::Insert { columns, star, conflict_columns, conflict_constraint, updates };
    Some(TableWrite { table: lower_name(name), kind })
}

fn update_write(update: &Update) -> Option<TableWrite> {
    let TableFactor::Table { name, .. } = &update.table.relation else { return None };
    let columns = assigned(update.assignments.iter().map(|a| &a.target));
    Some(TableWrite { table: lower_name(name), kind: QueryKind::Update { columns } })
}

fn assigned<'a>(targets: impl Iterator<Item = &'a AssignmentTarget>) -> Vec<Ident> {
    targets
        .flat_map(|target| match target {
            AssignmentTarget::ColumnName(name) => vec![last(name)],
            AssignmentTarget::Tuple(names) => names.iter().map(last).collect(),
        })
        .collect()
}

fn delete_tables(delete: &Delete) -> impl Iterator<Item = Name> {
    let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
    tables.iter().filter_map(|TableWithJoins { relation, .. }| match relation {
        TableFactor::Table { name, .. } => Some(lower_name(name)),
        _ => None,
    })
}

pub(super) fn data(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    let statement = parser.parse_statement()?;
    if let Statement::Query(query) = &statement
        && let SetExpr::Select(select) = &*query.body
        && let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] = select.projection.as_slice()
        && let Some(setting) = misc::set_config(expr)
    {
        return Ok(vec![setting]);
    }
    if let Statement::Query(query) = &statement
        && let Some(table) = selected_into(query)
    {
        return Ok(vec![Operation::CreateTable(Box::new(table))]);
    }
    let (shape, all_writes) = summarize(&statement);
    let Some(write) = all_writes.first() else {
        let calls = shape.calls;
        return Ok(match statement {
            Statement::Query(query) if !select_into(&query.body) => {
                vec![Operation::Query { reads: shape.reads, calls }]
            }
            _ => vec![Operation::Opaque { what: "SELECT … INTO".to_owned(), rule: None }],
        });
    };
    let (verb, writes) = match &write.kind {
        QueryKind::Insert { columns, .. } => (DataVerb::Insert, columns.clone().unwrap_or_default()),
        QueryKind::Update { columns } => (DataVerb::Update, columns.clone()),
        QueryKind::Delete => (DataVerb::Delete, Vec::new()),
        QueryKind::Other => (DataVerb::Merge, Vec::new()),
    };
    let repeatable = match &statement {
        Statement::Update(update) => repeatable(update, &writes),
        _ => false,
    };
    // Of other tables it says nothing.
    let nulls = match &statement {
        Statement::Delete(delete) if delete.using.is_none() => tested_null(delete.selection.as_ref()),
        Statement::Update(update) if update.from.is_none() => tested_null(update.selection.as_ref()),
        _ => Vec::new(),
    };
    let everything = match &statement {
        Statement::Delete(delete) => delete.selection.is_none() && delete.using.is_none(),
        Statement::Update(update) => update.selection.is_none() && update.from.is_none(),
        _ => false,
    };
    let merges = |merge: &sqlparser::ast::Merge| {
        merge.clauses.iter().any(|c| matches!(c.action, sqlparser::ast::MergeAction::Delete { .. }))
    };
    let deletes = match &statement {
        Statement::Merge(merge) => merges(merge),
        _ => verb == DataVerb::Delete,
    };
    let also = all_writes[1..].iter().map(|write| write.table.clone()).collect();
    let table = Some(write.table.clone());
    Ok(vec![Operation::Data(Box::new(DataChange {
        verb,
        table,
        writes,
        query: shape,
        also,
        deletes,
        nulls,
        everything,
        together: Arc::from([]),
        cascade: false,
        repeatable,
    }))])
}

/// The table that `SELECT … INTO` makes, as `CREATE TABLE … AS` does.
fn selected_into(query: &Query) -> Option<CreateTable> {
    let mut query = query.clone();
    let SetExpr::Select(select) = &mut *query.body else { return None };
    let into = select.into.take()?;
    let parts = match into.targets.as_slice() {
        [Expr::Identifier(name)] => vec![fold(name)],
        [Expr::CompoundIdentifier(parts)] => fold_all(parts),
        _ => return None,
    };
    let name = match &parts[..] {
        [name] => Name::bare(name.clone()),
        [schema, name] => Name::qualified(schema.clone(), name.clone()),
        _ => return None,
    };
    Some(CreateTable {
        name,
        if_not_exists: false,
        temporary: into.temporary,
        unlogged: into.unlogged,
        columns: Vec::new(),
        constraints: Vec::new(),
        like: Vec::new(),
        inherits: Vec::new(),
        of_type: None,
        partition_of: None,
        is_default: false,
        bound: None,
        partitioned: false,
        partition_key: Vec::new(),
        partition_values: Vec::new(),
        unfilled: false,
        query: Some((query_shape(&query), super::query::query(&query))),
    })
}

fn select_into(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.is_some(),
        SetExpr::Query(query) => select_into(&query.body),
        _ => false,
    }
}

/// The columns that a condition wants to be NULL.
fn tested_null(filter: Option<&Expr>) -> Vec<Ident> {
    let mut tested = Vec::new();
    if let Some(filter) = filter {
        conjuncts(filter, &mut |expr| {
            if let Expr::IsNull(inner) = expr {
                tested.extend(crate::sql::ast::plain_column(inner));
            }
        });
    }
    tested
}

/// Whether a second run changes only rows that the first one did not see: `UPDATE t SET a = … WHERE a IS NULL [AND …]`.
fn repeatable(update: &Update, writes: &[Ident]) -> bool {
    let tested = tested_null(update.selection.as_ref());
    !writes.is_empty() && writes.iter().any(|column| tested.contains(column))
}

fn conjuncts(expr: &Expr, found: &mut impl FnMut(&Expr)) {
    match expr {
        Expr::BinaryOp { left, op: sqlparser::ast::BinaryOperator::And, right } => {
            conjuncts(left, found);
            conjuncts(right, found);
        }
        Expr::Nested(inner) => conjuncts(inner, found),
        other => found(other),
    }
}

pub(super) fn truncate(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    let Statement::Truncate(truncate) = parser.parse_statement()? else {
        return parser.expected_ref("TRUNCATE", parser.peek_token_ref());
    };
    let tables = truncate.table_names.iter().map(|target| lower_name(&target.name));
    let together: Arc<[Name]> = tables.clone().collect();
    let cascade = truncate.cascade == Some(sqlparser::ast::CascadeOption::Cascade);
    let change = |table: Name| {
        let together = together.clone();
        let query = QueryShape { reads: vec![table.clone()], ..QueryShape::default() };
        let verb = DataVerb::Truncate;
        DataChange {
            verb,
            table: Some(table),
            writes: Vec::new(),
            query,
            deletes: true,
            nulls: Vec::new(),
            also: Vec::new(),
            everything: true,
            together,
            cascade,
            repeatable: false,
        }
    };
    Ok(tables.map(|table| Operation::Data(Box::new(change(table)))).collect())
}

pub(super) fn copy(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keyword_is(Keyword::COPY)?;
    if parser.peek_token_ref().token == sqlparser::tokenizer::Token::LParen {
        return Ok(vec![misc::opaque(parser)]);
    }
    let table = lower_name(&parser.parse_object_name(false)?);
    let writes: Vec<_> = parser
        .parse_parenthesized_column_list(sqlparser::parser::IsOptional::Optional, false)?
        .iter()
        .map(fold)
        .collect();
    let into = eat(parser, &[Keyword::FROM]);
    while !at_end(parser) {
        parser.next_token();
    }
    let query = QueryShape { reads: vec![table.clone()], ..QueryShape::default() };
    let table = Some(table);
    Ok(vec![match into {
        true => {
            let (verb, everything, repeatable) = (DataVerb::Copy, false, false);
            Operation::Data(Box::new(DataChange {
                verb,
                table,
                writes,
                query,
                deletes: false,
                nulls: Vec::new(),
                also: Vec::new(),
                everything,
                together: Arc::from([]),
                cascade: false,
                repeatable,
            }))
        }
        false => Operation::Query { reads: query.reads, calls: Vec::new() },
    }])
}
