//! Enums, composites, domains.

use sqlparser::ast::{Statement, UserDefinedTypeRangeOption, UserDefinedTypeRepresentation};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::query::{kept_at, kept_with_text_at};
use super::{Result, altered_type, misc};
use crate::sql::ast::{fold, lower_name};
use crate::sql::operation::{DomainCheck, Ident, Operation, TypeDefinition};
use crate::sql::parse::{at_end, eat, eat_words, if_not_exists, peek_words};
use crate::sql::types::lower_type;

pub(super) fn create_type(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    if eat_words(parser, &["create", "domain"]) {
        return create_domain(parser);
    }
    match parser.parse_statement()? {
        Statement::CreateType { name, representation } => {
            let definition = match representation {
                Some(UserDefinedTypeRepresentation::Enum { labels }) => {
                    TypeDefinition::Enum(labels.iter().map(|label| label.value.as_str().into()).collect())
                }
                Some(UserDefinedTypeRepresentation::Composite { attributes }) => TypeDefinition::Composite(
                    attributes.iter().map(|a| (fold(&a.name), lower_type(&a.data_type).0)).collect(),
                ),
                Some(UserDefinedTypeRepresentation::Range { options }) => {
                    let over = options.iter().find_map(|option| match option {
                        UserDefinedTypeRangeOption::Subtype(of) => Some(lower_type(of).0),
                        _ => None,
                    });
                    over.map_or(TypeDefinition::Other, TypeDefinition::Range)
                }
                Some(UserDefinedTypeRepresentation::SqlDefinition { .. }) | None => TypeDefinition::Other,
            };
            Ok(vec![Operation::CreateType { name: lower_name(&name), if_not_exists: false, definition }])
        }
        _ => parser.expected_ref("CREATE TYPE", parser.peek_token_ref()),
    }
}

/// `name [AS] type [COLLATE …] [DEFAULT …] [CONSTRAINT …] [NOT NULL|NULL|CHECK (…)]…`
fn create_domain(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    let name = lower_name(&parser.parse_object_name(false)?);
    eat(parser, &[Keyword::AS]);
    let base = lower_type(&parser.parse_data_type()?).0;
    let mut not_null = false;
    let (mut checks, mut value) = (Vec::new(), None);
    let mut named = None;
    while !at_end(parser) {
        if eat(parser, &[Keyword::CONSTRAINT]) {
            named = Some(fold(&parser.parse_identifier()?));
        } else if eat_words(parser, &["not", "null"]) {
            (not_null, named) = (true, None);
        } else if eat(parser, &[Keyword::CHECK]) {
            checks.push(check_at(parser, named.take()));
            skip_group(parser);
        } else if eat(parser, &[Keyword::DEFAULT]) {
            value = kept_at(parser);
        } else {
            parser.next_token();
        }
    }
    Ok(vec![Operation::CreateType {
        name,
        if_not_exists: false,
        definition: TypeDefinition::Domain { base, not_null, checks, value },
    }])
}

/// The check at whose condition a parser stands; the parser stays there.
pub(super) fn check_at(parser: &mut Parser<'_>, name: Option<Ident>) -> DomainCheck {
    let (condition, text) = kept_with_text_at(parser);
    DomainCheck { name, condition, text }
}

/// Passes over a group in parentheses.
fn skip_group(parser: &mut Parser<'_>) {
    let mut depth = 0_usize;
    while !at_end(parser) {
        match parser.next_token().token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            break;
        }
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
    if eat_words(parser, &["set", "schema"]) {
        return Ok(vec![Operation::MoveType { name, to: fold(&parser.parse_identifier()?) }]);
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
    Ok(vec![Operation::Opaque { what: what.to_owned(), rule: None }])
}

fn label(parser: &mut Parser<'_>) -> Result<Ident> {
    Ok(parser.parse_literal_string()?.into())
}
