//! Views and materialized views.

use sqlparser::ast::Statement;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;

use super::Result;
use crate::digest;
use crate::sql::ast::{fold, lower_name};
use crate::sql::operation::{CreateView, Operation};
use crate::sql::parse::{eat, eat_words};
use crate::sql::shape::query_shape;

pub(super) fn create_view(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    let Statement::CreateView(view) = parser.parse_statement()? else {
        return parser.expected_ref("CREATE VIEW", parser.peek_token_ref());
    };
    // sqlparser leaves what may follow the query.
    eat_words(parser, &["with", "no", "data"]);
    eat_words(parser, &["with", "data"]);
    eat_words(parser, &["with", "check", "option"]);
    eat_words(parser, &["with", "local", "check", "option"]);
    eat_words(parser, &["with", "cascaded", "check", "option"]);
    Ok(vec![Operation::CreateView(Box::new(CreateView {
        name: lower_name(&view.name),
        or_replace: view.or_replace,
        if_not_exists: view.if_not_exists,
        materialized: view.materialized,
        temporary: view.temporary,
        columns: view.columns.iter().map(|c| fold(&c.name)).collect(),
        query: query_shape(&view.query),
        digest: digest::sha256(&view.query.to_string()).into(),
    }))])
}

pub(super) fn refresh(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keywords(&[Keyword::REFRESH, Keyword::MATERIALIZED, Keyword::VIEW])?;
    let concurrently = eat(parser, &[Keyword::CONCURRENTLY]);
    let name = lower_name(&parser.parse_object_name(false)?);
    eat_words(parser, &["with", "no", "data"]);
    eat_words(parser, &["with", "data"]);
    Ok(vec![Operation::RefreshView { name, concurrently }])
}
