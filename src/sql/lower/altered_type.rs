//! `ALTER DOMAIN`, and the attributes of composite types, read from the tokens.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;

use super::Result;
use super::query::kept_at;
use super::types::check_at;
use crate::sql::ast::{fold, lower_name};
use crate::sql::name::Name;
use crate::sql::operation::{AttributeChange, DomainChange, DomainCheck, Operation};
use crate::sql::parse::{at_end, cascade, eat, eat_word, eat_words, if_exists, text_to_comma};
use crate::sql::types::lower_type;

/// What follows `ALTER DOMAIN`; `None` for forms that are not known.
pub(super) fn domain(parser: &mut Parser<'_>) -> Result<Option<Operation>> {
    let name = lower_name(&parser.parse_object_name(false)?);
    if eat(parser, &[Keyword::RENAME, Keyword::TO]) {
        return Ok(Some(Operation::RenameType { name, to: fold(&parser.parse_identifier()?) }));
    }
    if eat_words(parser, &["set", "schema"]) {
        return Ok(Some(Operation::MoveType { name, to: fold(&parser.parse_identifier()?) }));
    }
    let change = if eat_words(parser, &["set", "not", "null"]) {
        DomainChange::SetNotNull
    } else if eat_words(parser, &["drop", "not", "null"]) {
        DomainChange::DropNotNull
    } else if eat_words(parser, &["set", "default"]) {
        let value = kept_at(parser);
        text_to_comma(parser);
        DomainChange::Default { value }
    } else if eat_words(parser, &["drop", "default"]) {
        DomainChange::Default { value: None }
    } else if eat(parser, &[Keyword::ADD]) {
        let name = if eat(parser, &[Keyword::CONSTRAINT]) { Some(fold(&parser.parse_identifier()?)) } else { None };
        let check = match eat(parser, &[Keyword::CHECK]) {
            true => check_at(parser, name),
            false => DomainCheck { name, condition: None, text: None },
        };
        let mut not_valid = false;
        while !at_end(parser) {
            not_valid |= eat_words(parser, &["not", "valid"]);
            if !at_end(parser) {
                parser.next_token();
            }
        }
        DomainChange::AddCheck { check, not_valid }
    } else if eat_words(parser, &["drop", "constraint"]) {
        let if_exists = if_exists(parser);
        let check = fold(&parser.parse_identifier()?);
        cascade(parser);
        DomainChange::DropCheck { name: check, if_exists }
    } else if eat_words(parser, &["validate", "constraint"]) {
        DomainChange::Validate { name: fold(&parser.parse_identifier()?) }
    } else {
        return Ok(None);
    };
    Ok(Some(Operation::AlterDomain { name, change }))
}

/// What follows `ALTER TYPE name`, as far as it is about attributes.
pub(super) fn attributes(parser: &mut Parser<'_>, name: &Name) -> Result<Option<Vec<Operation>>> {
    if eat_words(parser, &["rename", "attribute"]) {
        let from = fold(&parser.parse_identifier()?);
        parser.expect_keyword_is(Keyword::TO)?;
        let change = AttributeChange::Rename { from, to: fold(&parser.parse_identifier()?) };
        let cascade = cascade(parser);
        return Ok(Some(vec![Operation::AlterComposite { name: name.clone(), change, cascade }]));
    }
    let mut changes = Vec::new();
    loop {
        let change = if eat_words(parser, &["add", "attribute"]) {
            let attribute = fold(&parser.parse_identifier()?);
            AttributeChange::Add { attribute, data_type: lower_type(&parser.parse_data_type()?).0 }
        } else if eat_words(parser, &["drop", "attribute"]) {
            if_exists(parser);
            AttributeChange::Drop { attribute: fold(&parser.parse_identifier()?) }
        } else if eat_words(parser, &["alter", "attribute"]) {
            let attribute = fold(&parser.parse_identifier()?);
            eat_words(parser, &["set", "data"]);
            eat_word(parser, "type");
            AttributeChange::SetType { attribute, data_type: lower_type(&parser.parse_data_type()?).0 }
        } else {
            return Ok(None);
        };
        // COLLATE, CASCADE.
        let cascade = text_to_comma(parser).to_ascii_lowercase().split(' ').any(|word| word == "cascade");
        changes.push(Operation::AlterComposite { name: name.clone(), change, cascade });
        if !parser.consume_token(&sqlparser::tokenizer::Token::Comma) {
            return Ok(Some(changes));
        }
    }
}
