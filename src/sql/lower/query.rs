//! sqlparser's tree of a query → [`Command`].

use std::cell::Cell;
use std::sync::Arc;

use sqlparser::ast::{
    self, AssignmentTarget, ConflictTarget, Distinct, FromTable, GroupByExpr, JoinConstraint, JoinOperator,
    JsonTableColumn, LimitClause, MergeAction, MergeInsertKind, MergeUpdateKind, NamedWindowExpr, OnConflictAction,
    OnInsert, OrderByKind, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, Statement,
    TableFactor, TableObject, UpdateTableFromKind,
};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Span;

use super::expression::all_fields;
use crate::sql::TypeName;
use crate::sql::ast::{fold, lower_name};
use crate::sql::deep::DEEPEST_OF_OURS;
use crate::sql::gaps::{CONDITION, EXPRESSION, KIND};
use crate::sql::lex::{Lexeme, TokenKind, lex};
use crate::sql::name::Name;
use crate::sql::operation::Ident;
use crate::sql::parse::Tokens;
use crate::sql::query::{
    Assignment, At, Call, Command, Conflict, Cte, Delete, Expr, From, Insert, Item, Kept, KeyKind, Merge, MergeInsert,
    On, Placed, QueryBody, QueryExpression, Select, TableRef, Update,
};
use crate::sql::shape::expression_name;
use crate::sql::types::lower_type;

/// Turns a statement into a [`Command`]. `tokens`: those it was parsed from.
pub(crate) fn command(statement: &Statement, tokens: &Tokens<'_>) -> Command {
    Lower { tokens: Some(tokens), depth: Cell::new(0) }.command(statement)
}

/// `REFRESH MATERIALIZED VIEW`, of which the parser has read the name.
pub(super) fn refresh(view: &ast::ObjectName, concurrently: bool, empties: bool, tokens: &Tokens<'_>) -> Command {
    let view = Lower { tokens: Some(tokens), depth: Cell::new(0) }.name(view);
    Command::Refresh { view, concurrently, empties }
}

/// The same without places.
pub(super) fn kept_command(statement: &Statement) -> Command {
    Lower { tokens: None, depth: Cell::new(0) }.command(statement)
}

/// Turns a query into one of our own, without places.
pub(super) fn query(query: &ast::Query) -> QueryExpression {
    Lower { tokens: None, depth: Cell::new(0) }.query(query)
}

/// Turns an expression that is kept in the catalog into one of our own, without places.
pub(super) fn kept(expr: &ast::Expr) -> Kept {
    Some(Arc::new(Lower { tokens: None, depth: Cell::new(0) }.expr(expr)))
}

/// The same of the expression at which a parser stands; the parser stays there.
pub(super) fn kept_at(parser: &mut Parser<'_>) -> Kept {
    kept_with_text_at(parser).0
}

/// The same, and how it is printed.
pub(super) fn kept_with_text_at(parser: &mut Parser<'_>) -> (Kept, Option<Ident>) {
    let mut found = (None, None);
    // What fails is taken back.
    let _: Result<Option<()>, ParserError> = parser.maybe_parse(|parser| {
        let expr = parser.parse_expr()?;
        found = (kept(&expr), Some(expr.to_string().into()));
        parser.expected_ref("to stay", parser.peek_token_ref())
    });
    found
}

/// A chain of UNIONs: from the left as it is written, and a tree with a level for each doubling where it is long. Beside each body, whether
/// rows are compared where it is joined to those before it.
fn sets(mut bodies: Vec<(QueryBody, bool)>) -> QueryBody {
    const SHORT: usize = 20;
    if bodies.len() <= SHORT {
        let mut bodies = bodies.into_iter();
        let (first, _) = bodies.next().unwrap_or((QueryBody::Values(Vec::new()), false));
        return bodies.fold(first, |left, (right, compared)| QueryBody::Set(Box::new(left), Box::new(right), compared));
    }
    let right = bodies.split_off(bodies.len() / 2);
    let compared = right.first().is_some_and(|(_, compared)| *compared);
    QueryBody::Set(Box::new(sets(bodies)), Box::new(sets(right)), compared)
}

/// An expression from its text; `None`: it cannot be read.
#[cfg(feature = "live")]
pub(crate) fn printed(text: &str) -> Kept {
    Some(written(text)).filter(|expr| *expr != Expr::Opaque).map(Arc::new)
}

/// An expression from its text, without places.
fn written(text: &str) -> Expr {
    let parsed = Tokens::read(text).ok().and_then(|mut tokens| tokens.parser().parse_expr().ok());
    parsed.map_or(Expr::Opaque, |expr| Lower { tokens: None, depth: Cell::new(0) }.expr(&expr))
}

/// A column with its collation and its operator class, as they are written: `a COLLATE "C" text_pattern_ops`.
fn kind(text: &str) -> Option<(Ident, KeyKind)> {
    let pieces: Vec<_> = lex(text).into_iter().filter(Lexeme::solid).collect();
    let name = |piece: &Lexeme<'_>| -> Ident {
        match piece.kind {
            TokenKind::Name => piece.text.trim_matches('"').replace("\"\"", "\"").into(),
            _ => piece.text.to_ascii_lowercase().into(),
        }
    };
    // Of a name with its schema, the last word.
    let mut names: Vec<(Ident, bool)> = Vec::new();
    for (at, piece) in pieces.iter().enumerate().filter(|(_, piece)| !piece.symbol(".")) {
        let (collates, joined) = (piece.is("collate"), at.checked_sub(1).is_some_and(|at| pieces[at].symbol(".")));
        match names.last_mut().filter(|_| joined) {
            Some(last) => last.0 = name(piece),
            None => names.push((name(piece), collates)),
        }
    }
    let mut names = names.into_iter();
    let (column, mut kind) = (names.next()?.0, KeyKind::default());
    while let Some((word, collates)) = names.next() {
        if collates { kind.collation = Some(names.next()?.0) } else { kind.class = Some(word) }
    }
    Some((column, kind))
}

pub(super) struct Lower<'a> {
    /// What places are told by.
    tokens: Option<&'a Tokens<'a>>,
    /// How deep the tree is here. What is made is walked over on any stack.
    depth: Cell<u32>,
}

impl Lower<'_> {
    /// One level deeper; what is too deep is not understood.
    pub(super) fn deeper<T>(&self, make: impl FnOnce() -> T, otherwise: impl FnOnce() -> T) -> T {
        let depth = self.depth.get();
        if depth >= DEEPEST_OF_OURS {
            return otherwise();
        }
        self.depth.set(depth + 1);
        let made = make();
        self.depth.set(depth);
        made
    }

    pub(super) fn at(&self, span: Span) -> At {
        let Some(tokens) = self.tokens.filter(|_| span != Span::empty()) else { return At::default() };
        let offset = |location| u32::try_from(tokens.offset(location)).unwrap_or(u32::MAX);
        At { start: offset(span.start), end: offset(span.end) }
    }

    pub(super) fn idents<'i>(&self, idents: impl IntoIterator<Item = &'i ast::Ident>) -> At {
        let mut around: Option<At> = None;
        for ident in idents {
            let at = self.at(ident.span);
            around = Some(around.map_or(at, |whole| At { start: whole.start, end: at.end }));
        }
        around.unwrap_or_default()
    }

    fn placed(&self, ident: &ast::Ident) -> Placed<Ident> {
        Placed { value: fold(ident), at: self.at(ident.span) }
    }

    pub(super) fn name_at(&self, name: &ast::ObjectName) -> At {
        self.idents(name.0.iter().filter_map(|part| part.as_ident()))
    }

    fn name(&self, name: &ast::ObjectName) -> Placed<Name> {
        Placed { value: lower_name(name), at: self.name_at(name) }
    }

    /// The column of `a`, `t.a`.
    fn target(&self, name: &ast::ObjectName) -> Placed<Ident> {
        Placed { value: lower_name(name).name, at: self.name_at(name) }
    }

    pub(super) fn command(&self, statement: &Statement) -> Command {
        match statement {
            Statement::Query(query) => match &*query.body {
                // `WITH … INSERT`: the statement's own command stands in the body.
                SetExpr::Insert(inner) | SetExpr::Update(inner) | SetExpr::Delete(inner) | SetExpr::Merge(inner)
                    if query.with.is_none() =>
                {
                    self.command(inner)
                }
                _ => Command::Select(self.query(query)),
            },
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Merge(merge) => self.merge(merge),
            Statement::Truncate(truncate) => Command::Tables {
                tables: truncate.table_names.iter().map(|target| self.name(&target.name)).collect(),
                truncates: true,
            },
            Statement::Explain { statement, .. } => self.command(statement),
            Statement::Call(function) => Command::Call(self.function(function)),
            Statement::Copy { source, to, .. } => self.copy(source, *to),
            Statement::StartTransaction { .. }
            | Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::Savepoint { .. }
            | Statement::ReleaseSavepoint { .. }
            | Statement::Set(_)
            | Statement::ShowVariable { .. }
            | Statement::NOTIFY { .. }
            | Statement::LISTEN { .. }
            | Statement::UNLISTEN { .. }
            | Statement::Discard { .. }
            | Statement::Deallocate { .. } => Command::Other { harmless: true },
            _ => Command::Other { harmless: false },
        }
    }

    fn copy(&self, source: &ast::CopySource, to: bool) -> Command {
        let (name, columns) = match source {
            ast::CopySource::Query(query) => return Command::Select(self.query(query)),
            ast::CopySource::Table { table_name, columns } => (self.name(table_name), columns),
        };
        let columns: Vec<_> = columns.iter().map(|column| self.placed(column)).collect();
        let table = TableRef { name, alias: None, columns: Vec::new(), sampled: false };
        if !to {
            let columns = (!columns.is_empty()).then_some(columns);
            let (source, conflict) = (None, None);
            return Command::Insert(Box::new(Insert {
                table,
                columns,
                source,
                copies: true,
                conflict,
                returning: Vec::new(),
            }));
        }
        let item =
            |column: Placed<Ident>| Item::Expr(Expr::Column(vec![column.value.clone()], column.at), column.value);
        let items = match columns.is_empty() {
            true => vec![Item::Star(None, table.name.at)],
            false => columns.into_iter().map(item).collect(),
        };
        let copied = table.name.clone();
        let select = Select { items, from: vec![From::Table(table)], ..Select::default() };
        let body = QueryBody::Select(Box::new(select));
        let (ctes, order_by, limits, locks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Command::CopyTo(copied, QueryExpression { ctes, recursive: false, body, order_by, limits, locks })
    }

    fn insert(&self, insert: &ast::Insert) -> Command {
        let TableObject::TableName(name) = &insert.table else { return Command::Other { harmless: false } };
        let conflict = match &insert.on {
            Some(OnInsert::OnConflict(conflict)) => Some(Box::new(self.conflict(conflict))),
            _ => None,
        };
        let columns = || insert.columns.iter().map(|column| self.target(column)).collect();
        Command::Insert(Box::new(Insert {
            table: TableRef {
                name: self.name(name),
                alias: insert.table_alias.as_ref().map(|alias| fold(&alias.alias)),
                columns: Vec::new(),
                sampled: false,
            },
            columns: (!insert.columns.is_empty()).then(columns),
            source: insert.source.as_deref().map(|source| self.query(source)),
            copies: false,
            conflict,
            returning: self.items(insert.returning.as_deref().unwrap_or_default()),
        }))
    }

    fn conflict(&self, conflict: &ast::OnConflict) -> Conflict {
        let (mut columns, mut constraint) = (Vec::new(), None);
        let (mut expressions, mut predicate, mut kinds) = (Vec::new(), None, Vec::new());
        match &conflict.conflict_target {
            Some(ConflictTarget::Columns(found)) => {
                for ident in found {
                    if let Some(text) = ident.value.strip_prefix(EXPRESSION) {
                        expressions.push((written(text), text.into()));
                    } else if let Some(text) = ident.value.strip_prefix(CONDITION) {
                        predicate = Some((written(text), text.into()));
                    } else if let Some(text) = ident.value.strip_prefix(KIND) {
                        kinds.extend(kind(text));
                    } else {
                        columns.push(self.placed(ident));
                    }
                }
            }
            Some(ConflictTarget::OnConstraint(name)) => constraint = Some(self.target(name)),
            None => {}
        }
        let (update, filter) = match &conflict.action {
            OnConflictAction::DoNothing => (None, None),
            OnConflictAction::DoUpdate(update) => {
                (Some(self.assignments(&update.assignments)), update.selection.as_ref().map(|e| self.expr(e)))
            }
        };
        Conflict { columns, kinds, expressions, predicate, constraint, update, filter }
    }

    fn update(&self, update: &ast::Update) -> Command {
        let Some(table) = self.table_ref(&update.table.relation) else { return Command::Other { harmless: false } };
        let from = match &update.from {
            Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => self.from(from),
            None => Vec::new(),
        };
        Command::Update(Box::new(Update {
            table,
            set: self.assignments(&update.assignments),
            from,
            filter: update.selection.as_ref().map(|e| self.expr(e)),
            returning: self.items(update.returning.as_deref().unwrap_or_default()),
        }))
    }

    fn delete(&self, delete: &ast::Delete) -> Command {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let Some(table) = from.first().and_then(|first| self.table_ref(&first.relation)) else {
            return Command::Other { harmless: false };
        };
        Command::Delete(Box::new(Delete {
            table,
            using: self.from(delete.using.as_deref().unwrap_or_default()),
            filter: delete.selection.as_ref().map(|e| self.expr(e)),
            returning: self.items(delete.returning.as_deref().unwrap_or_default()),
        }))
    }

    fn merge(&self, merge: &ast::Merge) -> Command {
        let Some(table) = self.table_ref(&merge.table) else { return Command::Other { harmless: false } };
        let mut found = Merge {
            table,
            source: self.factor(&merge.source),
            conditions: vec![self.expr(&merge.on)],
            updates: Vec::new(),
            inserts: Vec::new(),
            deletes: false,
        };
        for clause in &merge.clauses {
            found.conditions.extend(clause.predicate.as_ref().map(|e| self.expr(e)));
            match &clause.action {
                MergeAction::Insert(insert) => {
                    let columns = insert.columns.iter().map(|column| self.target(column)).collect::<Vec<_>>();
                    let columns = (!columns.is_empty()).then_some(columns);
                    let rows = match &insert.kind {
                        MergeInsertKind::Values(values) => self.rows(values),
                        MergeInsertKind::Row | MergeInsertKind::Wildcard => Vec::new(),
                    };
                    let values = rows.into_iter().next().unwrap_or_default();
                    found.inserts.push(MergeInsert { columns, values });
                }
                MergeAction::Update(update) => {
                    if let MergeUpdateKind::Set(set) = &update.kind {
                        found.updates.push(self.assignments(set));
                    }
                }
                MergeAction::Delete { .. } => found.deletes = true,
                MergeAction::DoNothing { .. } => {}
            }
        }
        Command::Merge(Box::new(found))
    }

    fn assignments(&self, assignments: &[ast::Assignment]) -> Vec<Assignment> {
        let assignment = |assignment: &ast::Assignment| {
            let (columns, part) = match &assignment.target {
                // `SET a.b = …` sets a part of a column: PostgreSQL takes no table here.
                AssignmentTarget::ColumnName(name) => {
                    let first = name.0.first().and_then(|part| part.as_ident());
                    (first.map(|ident| self.placed(ident)).into_iter().collect(), name.0.len() > 1)
                }
                AssignmentTarget::Tuple(names) => (names.iter().map(|name| self.target(name)).collect(), false),
            };
            Assignment { columns, part, value: self.value(&assignment.value) }
        };
        assignments.iter().map(assignment).collect()
    }

    /// What is written into a column: `DEFAULT` is no name there.
    fn value(&self, expr: &ast::Expr) -> Expr {
        match expr {
            ast::Expr::Identifier(ident)
                if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default") =>
            {
                Expr::Default
            }
            other => self.expr(other),
        }
    }

    fn rows(&self, values: &ast::Values) -> Vec<Vec<Expr>> {
        values.rows.iter().map(|row| row.content.iter().map(|e| self.value(e)).collect()).collect()
    }

    pub(super) fn query(&self, query: &ast::Query) -> QueryExpression {
        let mut ctes = Vec::new();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            ctes.push(Cte {
                name: fold(&cte.alias.name),
                columns: cte.alias.columns.iter().map(|column| fold(&column.name)).collect(),
                query: self.query(&cte.query),
            });
        }
        let order_by = match query.order_by.as_ref().map(|order| &order.kind) {
            Some(OrderByKind::Expressions(by)) => by.iter().map(|by| self.expr(&by.expr)).collect(),
            _ => Vec::new(),
        };
        let mut limits: Vec<&ast::Expr> = Vec::new();
        match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                limits.extend(limit);
                limits.extend(offset.as_ref().map(|offset| &offset.value));
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => limits.extend([offset, limit]),
            None => {}
        }
        limits.extend(query.fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref()));
        // `FETCH FIRST ROW ONLY`
        let first = query.fetch.iter().filter(|fetch| fetch.quantity.is_none()).map(|_| Expr::Number("1".into()));
        QueryExpression {
            ctes,
            recursive: query.with.as_ref().is_some_and(|with| with.recursive),
            body: self.body(&query.body),
            order_by,
            limits: limits.into_iter().map(|e| self.expr(e)).chain(first).collect(),
            locks: query.locks.iter().map(|lock| lock.of.as_ref().map(|of| lower_name(of).name)).collect(),
        }
    }

    fn body(&self, body: &SetExpr) -> QueryBody {
        match body {
            SetExpr::Select(select) => QueryBody::Select(Box::new(self.select(select))),
            SetExpr::Query(query) => QueryBody::Query(Box::new(self.query(query))),
            SetExpr::SetOperation { .. } => {
                let (mut first, mut others) = (body, Vec::new());
                while let SetExpr::SetOperation { left, right, op, set_quantifier } = first {
                    let all = matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName);
                    others.push((self.set_part(right), *op != SetOperator::Union || !all));
                    first = left;
                }
                others.push((self.set_part(first), false));
                others.reverse();
                sets(others)
            }
            SetExpr::Values(values) => QueryBody::Values(self.rows(values)),
            SetExpr::Insert(inner) | SetExpr::Update(inner) | SetExpr::Delete(inner) | SetExpr::Merge(inner) => {
                QueryBody::Command(Box::new(self.command(inner)))
            }
            SetExpr::Table(table) => {
                let name = Name {
                    schema: table.schema_name.as_deref().map(|name| name.to_ascii_lowercase().into()),
                    name: table.table_name.as_deref().unwrap_or_default().to_ascii_lowercase().into(),
                };
                let table = TableRef {
                    name: Placed { value: name, at: At::default() },
                    alias: None,
                    columns: Vec::new(),
                    sampled: false,
                };
                QueryBody::Select(Box::new(Select {
                    items: vec![Item::Star(None, At::default())],
                    from: vec![From::Table(table)],
                    ..Select::default()
                }))
            }
        }
    }

    fn set_part(&self, body: &SetExpr) -> QueryBody {
        self.deeper(|| self.body(body), || QueryBody::Command(Box::new(Command::Other { harmless: false })))
    }

    fn select(&self, select: &ast::Select) -> Select {
        let distinct_on = match &select.distinct {
            Some(Distinct::On(by)) => self.exprs(by),
            _ => Vec::new(),
        };
        let group_by = match &select.group_by {
            GroupByExpr::Expressions(by, _) => self.exprs(by),
            GroupByExpr::All(_) => Vec::new(),
        };
        let mut windows = Vec::new();
        for window in &select.named_window {
            if let NamedWindowExpr::WindowSpec(spec) = &window.1 {
                self.window(spec, &mut windows);
            }
        }
        Select {
            distinct: matches!(select.distinct, Some(Distinct::Distinct)),
            distinct_on,
            items: self.items(&select.projection),
            from: self.from(&select.from),
            filter: select.selection.as_ref().map(|e| self.expr(e)),
            group_by,
            having: select.having.as_ref().map(|e| self.expr(e)),
            windows,
        }
    }

    pub(super) fn window(&self, spec: &ast::WindowSpec, into: &mut Vec<Expr>) {
        into.extend(spec.partition_by.iter().map(|e| self.expr(e)));
        into.extend(spec.order_by.iter().map(|by| self.expr(&by.expr)));
    }

    fn items(&self, items: &[SelectItem]) -> Vec<Item> {
        items.iter().map(|item| self.item(item)).collect()
    }

    fn item(&self, item: &SelectItem) -> Item {
        match item {
            SelectItem::UnnamedExpr(ast::Expr::CompoundFieldAccess { root, access_chain })
                if all_fields(access_chain) =>
            {
                let chain = &access_chain[..access_chain.len() - 1];
                Item::Fields(self.accessed(root, chain))
            }
            SelectItem::UnnamedExpr(expr) => Item::Expr(self.expr(expr), expression_name(expr, "?column?")),
            SelectItem::ExprWithAlias { expr, alias } => Item::Expr(self.expr(expr), fold(alias)),
            SelectItem::ExprWithAliases { expr, aliases } => {
                let name = aliases.first().map_or_else(|| expression_name(expr, "?column?"), fold);
                Item::Expr(self.expr(expr), name)
            }
            SelectItem::Wildcard(options) => Item::Star(None, self.at(options.wildcard_token.0.span)),
            SelectItem::QualifiedWildcard(kind, _) => match kind {
                SelectItemQualifiedWildcardKind::ObjectName(name) => {
                    Item::Star(Some(lower_name(name)), self.name_at(name))
                }
                SelectItemQualifiedWildcardKind::Expr(expr) => Item::Fields(self.expr(expr)),
            },
        }
    }

    fn from(&self, from: &[ast::TableWithJoins]) -> Vec<From> {
        from.iter().map(|from| self.joined(from)).collect()
    }

    fn joined(&self, from: &ast::TableWithJoins) -> From {
        let mut left = self.factor(&from.relation);
        if from.joins.len() > DEEPEST_OF_OURS as usize {
            return From::Unknown(None);
        }
        for join in &from.joins {
            let on = match &join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint) => self.on(constraint),
                _ => On::Nothing,
            };
            let right = self.factor(&join.relation);
            let outer = matches!(
                &join.join_operator,
                JoinOperator::Left(_)
                    | JoinOperator::LeftOuter(_)
                    | JoinOperator::Right(_)
                    | JoinOperator::RightOuter(_)
                    | JoinOperator::FullOuter(_)
            );
            left = From::Join { left: Box::new(left), right: Box::new(right), on, alias: None, outer };
        }
        left
    }

    fn on(&self, constraint: &JoinConstraint) -> On {
        match constraint {
            JoinConstraint::On(expr) => On::Expr(self.expr(expr)),
            JoinConstraint::Using(columns) => On::Using(columns.iter().map(|column| self.target(column)).collect()),
            JoinConstraint::Natural => On::Natural,
            JoinConstraint::None => On::Nothing,
        }
    }

    /// `JSON_TABLE(…)`: values of the types that are written, made of one that is beside it.
    fn json_table(
        &self,
        of: &ast::Expr,
        columns: &[JsonTableColumn],
        (alias, names, _): (Option<Ident>, Vec<Ident>, Vec<Option<TypeName>>),
    ) -> From {
        fn items(columns: &[JsonTableColumn], into: &mut Vec<Item>) {
            let value = |name: &ast::Ident, of: TypeName| {
                Item::Expr(Expr::Cast(Box::new(Expr::Null), of, At::default()), fold(name))
            };
            for column in columns {
                match column {
                    JsonTableColumn::Named(column) => into.push(value(&column.name, lower_type(&column.r#type).0)),
                    JsonTableColumn::ForOrdinality(name) => into.push(value(name, TypeName::canonical("integer"))),
                    JsonTableColumn::Nested(nested) => items(&nested.columns, into),
                }
            }
        }
        let mut select = Select { filter: Some(Expr::Test(vec![self.expr(of), Expr::Null])), ..Select::default() };
        items(columns, &mut select.items);
        let body = QueryBody::Select(Box::new(select));
        let query = QueryExpression {
            ctes: Vec::new(),
            recursive: false,
            body,
            order_by: Vec::new(),
            limits: Vec::new(),
            locks: Vec::new(),
        };
        let alias = alias.or_else(|| Some("json_table".into()));
        From::Derived { query: Box::new(query), lateral: true, alias, columns: names }
    }

    fn table_ref(&self, factor: &TableFactor) -> Option<TableRef> {
        match factor {
            TableFactor::Table { name, alias, args: None, sample, .. } => Some(TableRef {
                sampled: sample.is_some(),
                name: self.name(name),
                alias: alias.as_ref().map(|alias| fold(&alias.name)),
                columns: alias.iter().flat_map(|alias| &alias.columns).map(|column| fold(&column.name)).collect(),
            }),
            _ => None,
        }
    }

    fn factor(&self, factor: &TableFactor) -> From {
        let names = |alias: &Option<ast::TableAlias>| -> (Option<Ident>, Vec<Ident>, Vec<Option<TypeName>>) {
            let columns = alias.iter().flat_map(|alias| &alias.columns);
            let types = columns.clone().map(|column| column.data_type.as_ref().map(|t| lower_type(t).0)).collect();
            (alias.as_ref().map(|alias| fold(&alias.name)), columns.map(|column| fold(&column.name)).collect(), types)
        };
        let call = |call: Expr, name: Ident, alias: &Option<ast::TableAlias>, ordinality: bool| {
            let (alias, columns, types) = names(alias);
            From::Call { call, name, alias, columns, types, ordinality }
        };
        match factor {
            TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } => {
                let found = self.call(name, &args.args, Vec::new());
                call(found, lower_name(name).name, alias, *with_ordinality)
            }
            TableFactor::Table { .. } => self.table_ref(factor).map_or(From::Unknown(None), From::Table),
            TableFactor::Function { name, args, with_ordinality, alias, .. } => {
                let found = self.call(name, args, Vec::new());
                call(found, lower_name(name).name, alias, *with_ordinality)
            }
            TableFactor::TableFunction { expr, alias } => {
                call(self.expr(expr), expression_name(expr, "?column?"), alias, false)
            }
            TableFactor::UNNEST { array_exprs, alias, with_ordinality, .. } => {
                let name: Ident = "unnest".into();
                let found = Expr::Call(Box::new(Call {
                    name: Name { schema: None, name: name.clone() },
                    at: At::default(),
                    arguments: self.exprs(array_exprs),
                    named: false,
                    distinct: false,
                    beside: Vec::new(),
                    over: Vec::new(),
                    within_group: false,
                }));
                call(found, name, alias, *with_ordinality)
            }
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                let (alias, columns, _) = names(alias);
                From::Derived { query: Box::new(self.query(subquery)), lateral: *lateral, alias, columns }
            }
            TableFactor::JsonTable { json_expr, columns, alias, .. } => {
                self.json_table(json_expr, columns, names(alias))
            }
            TableFactor::NestedJoin { table_with_joins, alias } => match (self.joined(table_with_joins), alias) {
                (From::Join { left, right, on, outer, .. }, Some(alias)) => {
                    From::Join { left, right, on, alias: Some(fold(&alias.name)), outer }
                }
                (inner, _) => inner,
            },
            _ => From::Unknown(None),
        }
    }
}
