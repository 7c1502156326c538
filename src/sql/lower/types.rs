//! Enums, composites, domains.

use std::sync::Arc;

use sqlparser::ast::{Statement, TableConstraint, UserDefinedTypeRepresentation};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;

use super::{Result, altered_type, misc};
use crate::sql::ast::{fold, lower_name};
use crate::sql::operation::{Ident, Operation, TypeDefinition};
use crate::sql::parse::{at_end, eat, eat_words, if_not_exists, peek_words};
use crate::sql::types::lower_type;

pub(super) fn create_type(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    match parser.parse_statement()? {
        Statement::CreateType { name, representation } => {
            let definition = match representation {
                Some(UserDefinedTypeRepresentation::Enum { labels }) => {
                    TypeDefinition::Enum(labels.iter().map(|label| label.value.as_str().into()).collect())
                }
                Some(UserDefinedTypeRepresentation::Composite { attributes }) => TypeDefinition::Composite(
                    attributes.iter().map(|a| (fold(&a.name), lower_type(&a.data_type).0)).collect(),
                ),
                Some(
                    UserDefinedTypeRepresentation::Range { .. } | UserDefinedTypeRepresentation::SqlDefinition { .. },
                )
                | None => TypeDefinition::Other,
            };
            Ok(vec![Operation::CreateType { name: lower_name(&name), definition }])
        }
        Statement::CreateDomain(domain) => {
            // sqlparser leaves `NOT NULL` and what follows it.
            let mut checks: Vec<_> = domain.constraints.iter().map(check_name).collect();
            let mut not_null = false;
            loop {
                if eat_words(parser, &["not", "null"]) {
                    not_null = true;
                } else if eat(parser, &[Keyword::NULL]) {
                } else if let Some(constraint) = parser.parse_optional_table_constraint()? {
                    checks.push(check_name(&constraint));
                } else {
                    break;
                }
            }
            Ok(vec![Operation::CreateType {
                name: lower_name(&domain.name),
                definition: TypeDefinition::Domain { base: lower_type(&domain.data_type).0, not_null, checks },
            }])
        }
        _ => parser.expected_ref("CREATE TYPE", parser.peek_token_ref()),
    }
}

fn check_name(constraint: &TableConstraint) -> Option<Ident> {
    match constraint {
        TableConstraint::Check(check) => check.name.as_ref().map(fold),
        _ => None,
    }
}

pub(super) fn alter_type(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    if eat_words(parser, &["alter", "domain"]) {
        let change = altered_type::domain(parser)?;
        return Ok(vec![change.unwrap_or_else(|| misc::opaque(parser))]);
    }
    parser.expect_keywords(&[Keyword::ALTER, Keyword::TYPE])?;
    let name = lower_name(&parser.parse_object_name(false)?);
    if eat(parser, &[Keyword::RENAME, Keyword::TO]) {
        return Ok(vec![Operation::RenameType { name, to: fold(&parser.parse_identifier()?) }]);
    }
    if eat_words(parser, &["rename", "value"]) {
        let from = label(parser)?;
        parser.expect_keyword_is(Keyword::TO)?;
        return Ok(vec![Operation::RenameEnumLabel { name, from, to: label(parser)? }]);
    }
    if eat_words(parser, &["add", "value"]) {
        let if_not_exists = if_not_exists(parser);
        let new = label(parser)?;
        let before = eat(parser, &[Keyword::BEFORE]);
        let position = if before || eat(parser, &[Keyword::AFTER]) { Some((before, label(parser)?)) } else { None };
        return Ok(vec![Operation::AddEnumLabel { name, if_not_exists, label: new, position }]);
    }
    if let Some(changes) = altered_type::attributes(parser, &name)? {
        return Ok(changes);
    }
    let what = if peek_words(parser, &["owner"]) { "ALTER TYPE … OWNER" } else { "ALTER TYPE" };
    while !at_end(parser) {
        parser.next_token();
    }
    Ok(vec![Operation::Opaque { what: what.to_owned() }])
}

fn label(parser: &mut Parser<'_>) -> Result<Arc<str>> {
    Ok(parser.parse_literal_string()?.into())
}
