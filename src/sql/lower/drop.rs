//! `DROP …`, read from the tokens: sqlparser knows neither `CONCURRENTLY` nor half of the kinds.

use std::sync::Arc;

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::{Result, function, misc, rewrite_rule};
use crate::sql::ast::{fold, lower_name};
use crate::sql::name::Name;
use crate::sql::operation::{Operation, RelationKind, Routine};
use crate::sql::parse::{cascade, eat, eat_words, if_exists};

pub(super) fn drop(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    const RELATIONS: &[(&[&str], RelationKind)] = &[
        (&["drop", "table"], RelationKind::Table),
        (&["drop", "foreign", "table"], RelationKind::ForeignTable),
        (&["drop", "materialized", "view"], RelationKind::MaterializedView),
        (&["drop", "view"], RelationKind::View),
        (&["drop", "sequence"], RelationKind::Sequence),
        (&["drop", "index"], RelationKind::Index),
    ];
    for (words, kind) in RELATIONS {
        if eat_words(parser, words) {
            return relation(parser, *kind);
        }
    }
    if eat_words(parser, &["drop", "type"]) || eat_words(parser, &["drop", "domain"]) {
        let (if_exists, names) = names(parser)?;
        let cascade = cascade(parser);
        let together = names.clone();
        let one = |name| Operation::DropType { name, together: together.clone(), if_exists, cascade };
        return Ok(names.into_iter().map(one).collect());
    }
    for (word, called) in
        [("function", Routine::Function), ("procedure", Routine::Procedure), ("routine", Routine::Any)]
    {
        if eat_words(parser, &["drop", word]) {
            return functions(parser, called);
        }
    }
    if eat_words(parser, &["drop", "rule"]) {
        return rewrite_rule::drop_rule(parser);
    }
    for trigger in [true, false] {
        if eat_words(parser, &["drop", if trigger { "trigger" } else { "policy" }]) {
            let if_exists = if_exists(parser);
            let name = fold(&parser.parse_identifier()?);
            parser.expect_keyword_is(Keyword::ON)?;
            let table = lower_name(&parser.parse_object_name(false)?);
            cascade(parser);
            return Ok(vec![if trigger {
                Operation::DropTrigger { name, table, if_exists }
            } else {
                Operation::DropPolicy { name, table, if_exists }
            }]);
        }
    }
    for schema in [true, false] {
        if eat_words(parser, &["drop", if schema { "schema" } else { "extension" }]) {
            let (if_exists, names) = names(parser)?;
            let cascade = cascade(parser);
            let drop = |name: Name| match schema {
                true => Operation::DropNamespace { name: name.name, if_exists, cascade },
                false => Operation::DropExtension { name: name.name, if_exists, cascade },
            };
            return Ok(names.into_iter().map(drop).collect());
        }
    }
    Ok(vec![misc::opaque(parser)])
}

fn relation(parser: &mut Parser<'_>, kind: RelationKind) -> Result<Vec<Operation>> {
    let concurrently = kind == RelationKind::Index && eat(parser, &[Keyword::CONCURRENTLY]);
    let (if_exists, names) = names(parser)?;
    let cascade = cascade(parser);
    let together: Arc<[Name]> = names.clone().into();
    let drop = |name| {
        let together = together.clone();
        Operation::DropRelation { kind, name, if_exists, cascade, concurrently, together }
    };
    Ok(names.into_iter().map(drop).collect())
}

fn names(parser: &mut Parser<'_>) -> Result<(bool, Vec<Name>)> {
    let if_exists = if_exists(parser);
    let names = parser.parse_comma_separated(|p| p.parse_object_name(false))?;
    Ok((if_exists, names.iter().map(lower_name).collect()))
}

fn functions(parser: &mut Parser<'_>, called: Routine) -> Result<Vec<Operation>> {
    let if_exists = if_exists(parser);
    let targets = parser.parse_comma_separated(|parser| {
        let name = lower_name(&parser.parse_object_name(false)?);
        let has_arguments = parser.peek_token_ref().token == Token::LParen;
        let arguments = if has_arguments { Some(function::argument_types(parser)?) } else { None };
        Ok((name, arguments))
    })?;
    let cascade = cascade(parser);
    let drop = |(name, arguments)| Operation::DropFunction { called, name, arguments, if_exists, cascade };
    Ok(targets.into_iter().map(drop).collect())
}
