//! Indexes.

use sqlparser::ast::{Expr, ObjectName, OrderByOptions, OrderBySort, Statement};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::Result;
use super::query::kept;
use crate::sql::ast::{last, lower_name, plain_column};
use crate::sql::operation::{CreateIndex, Ident, Operation};
use crate::sql::parse::{eat, eat_word};
use crate::sql::shape::{columns_in, expression_name};

pub(super) fn create_index(parser: &mut Parser<'_>, only: bool) -> Result<Vec<Operation>> {
    let Statement::CreateIndex(index) = parser.parse_statement()? else {
        return parser.expected_ref("CREATE INDEX", parser.peek_token_ref());
    };
    let key: Vec<Option<Ident>> = index.columns.iter().map(|c| key_column(&c.column.expr)).collect();
    let key_names = index.columns.iter().map(|c| expression_name(&c.column.expr, "expr")).collect();
    let expressions = index.columns.iter().filter(|c| key_column(&c.column.expr).is_none());
    let mut mentions: Vec<_> = expressions.flat_map(|c| columns_in(&c.column.expr)).collect();
    let expressions = index.columns.iter().filter(|c| key_column(&c.column.expr).is_none());
    let (expressions, values) = expressions.map(|c| (c.column.expr.to_string().into(), kept(&c.column.expr))).unzip();
    mentions.extend(index.predicate.iter().flat_map(columns_in));
    mentions.extend(index.include.iter().map(crate::sql::ast::fold));
    Ok(vec![Operation::CreateIndex(Box::new(CreateIndex {
        name: index.name.as_ref().map(last),
        table: lower_name(&index.table_name),
        key,
        key_names,
        mentions,
        unique: index.unique,
        concurrently: index.concurrently,
        if_not_exists: index.if_not_exists,
        predicate: index.predicate.as_ref().map(|predicate| predicate.to_string().into()),
        expressions,
        values,
        condition: index.predicate.as_ref().and_then(kept),
        method: index
            .using
            .as_ref()
            .map_or_else(|| "btree".into(), |method| method.to_string().to_ascii_lowercase().into()),
        classes: index.columns.iter().map(|c| c.operator_class.as_ref().map(lower_name)).collect(),
        collations: index.columns.iter().map(|c| collation(&c.column.expr).map(lower_name)).collect(),
        nulls_collide: index.nulls_distinct == Some(false),
        only,
        // A class that compares as the usual one does, and is another one.
        sorted: index.columns.iter().any(|c| {
            let class = c.operator_class.as_ref().map(lower_name);
            !is_ascending(&c.column.options) || class.is_some_and(|class| &*class.name == "varchar_ops")
        }),
    }))])
}

/// Whether a key is sorted as one is of which nothing is said.
fn is_ascending(options: &OrderByOptions) -> bool {
    matches!(options.sort, None | Some(OrderBySort::Asc)) && options.nulls_first != Some(true)
}

/// The column that a part of a key is, with a collation or without.
fn key_column(expr: &Expr) -> Option<Ident> {
    match expr {
        Expr::Collate { expr, .. } => plain_column(expr),
        expr => plain_column(expr),
    }
}

fn collation(expr: &Expr) -> Option<&ObjectName> {
    match expr {
        Expr::Collate { collation, .. } => Some(collation),
        Expr::Nested(inner) => collation(inner),
        _ => None,
    }
}

pub(super) fn reindex(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keyword_is(Keyword::REINDEX)?;
    if parser.consume_token(&Token::LParen) {
        while !parser.consume_token(&Token::RParen) {
            if matches!(parser.next_token().token, Token::EOF) {
                return parser.expected_ref(")", parser.peek_token_ref());
            }
        }
    }
    let index = eat(parser, &[Keyword::INDEX]);
    let whole = !index && !eat(parser, &[Keyword::TABLE]);
    if whole && !eat(parser, &[Keyword::SCHEMA]) && !eat(parser, &[Keyword::DATABASE]) {
        eat_word(parser, "system");
    }
    let concurrently = eat(parser, &[Keyword::CONCURRENTLY]);
    let named = !matches!(parser.peek_token_ref().token, Token::EOF | Token::SemiColon);
    let name = if named { Some(lower_name(&parser.parse_object_name(false)?)) } else { None };
    Ok(vec![Operation::Reindex { name: name.filter(|_| !whole), index, concurrently }])
}
