//! Views and materialized views.

use sqlparser::ast::{ObjectName, Query, SetExpr, Statement};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;

use super::Result;
use crate::digest;
use crate::sql::ast::{fold, lower_name};
use crate::sql::operation::{CreateView, Ident, Operation};
use crate::sql::parse::{eat, eat_words};
use crate::sql::shape::query_shape;

pub(super) fn create_view(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    let Statement::CreateView(view) = parser.parse_statement()? else {
        return parser.expected_ref("CREATE VIEW", parser.peek_token_ref());
    };
    // sqlparser leaves what may follow the query.
    let unfilled = eat_words(parser, &["with", "no", "data"]);
    eat_words(parser, &["with", "data"]);
    let check_option = [
        &["with", "check", "option"][..],
        &["with", "local", "check", "option"],
        &["with", "cascaded", "check", "option"],
    ]
    .iter()
    .any(|words| eat_words(parser, words));
    Ok(vec![Operation::CreateView(Box::new(CreateView {
        name: lower_name(&view.name),
        or_replace: view.or_replace,
        if_not_exists: view.if_not_exists,
        materialized: view.materialized,
        temporary: view.temporary,
        columns: view.columns.iter().map(|c| fold(&c.name)).collect(),
        query: query_shape(&view.query),
        body: super::query::query(&view.query).into(),
        check_option,
        unfilled,
        definition: definition(&view.query),
    }))])
}

/// All but the output first, so that a view with more columns begins as it did. A query that is no plain SELECT is one thing.
fn definition(query: &Query) -> Vec<Ident> {
    let mut rest = query.clone();
    let mut output = Vec::new();
    if let SetExpr::Select(select) = &mut *rest.body {
        output = std::mem::take(&mut select.projection);
    }
    let parts = std::iter::once(rest.to_string()).chain(output.iter().map(ToString::to_string));
    parts.map(|part| digest::sha256(&part).into()).collect()
}

/// The same of a query as the server prints it; of its text, where that cannot be read.
#[cfg(feature = "live")]
pub(crate) fn definition_of(text: &str) -> Vec<Ident> {
    use crate::sql::parse::Tokens;
    let query = Tokens::read(text).ok().and_then(|mut tokens| tokens.parser().parse_query().ok());
    query.map_or_else(|| vec![digest::sha256(text).into()], |query| definition(&query))
}

pub(super) fn refresh(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    let (name, concurrently, empties) = refreshed(parser)?;
    Ok(vec![Operation::RefreshView { name: lower_name(&name), concurrently, empties }])
}

/// The view of a REFRESH, and whether it says `CONCURRENTLY` and `WITH NO DATA`.
pub(super) fn refreshed(parser: &mut Parser<'_>) -> Result<(ObjectName, bool, bool)> {
    parser.expect_keywords(&[Keyword::REFRESH, Keyword::MATERIALIZED, Keyword::VIEW])?;
    let concurrently = eat(parser, &[Keyword::CONCURRENTLY]);
    let name = parser.parse_object_name(false)?;
    let empties = eat_words(parser, &["with", "no", "data"]);
    eat_words(parser, &["with", "data"]);
    Ok((name, concurrently, empties))
}
