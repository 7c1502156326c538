//! Sequences, read from the tokens.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::{Result, relation};
use crate::sql::ast::{fold, lower_name};
use crate::sql::name::Name;
use crate::sql::operation::{Ident, Operation, RelationKind, TableChange};
use crate::sql::parse::{at_end, eat, eat_word, eat_words, if_exists, if_not_exists};

pub(super) fn create_sequence(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keyword_is(Keyword::CREATE)?;
    let temporary = eat(parser, &[Keyword::TEMPORARY]) || eat(parser, &[Keyword::TEMP]);
    eat_word(parser, "unlogged");
    parser.expect_keyword_is(Keyword::SEQUENCE)?;
    let if_not_exists = if_not_exists(parser);
    let name = lower_name(&parser.parse_object_name(false)?);
    let options = options(parser)?;
    Ok(vec![Operation::CreateSequence { name, if_not_exists, temporary, owned_by: options.owned_by }])
}

pub(super) fn alter_sequence(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keywords(&[Keyword::ALTER, Keyword::SEQUENCE])?;
    let if_exists = if_exists(parser);
    let name = lower_name(&parser.parse_object_name(false)?);
    if let Some(operation) = relation::rename_or_move(parser, RelationKind::Sequence, &name, if_exists)? {
        return Ok(vec![operation]);
    }
    if eat_words(parser, &["owner", "to"]) {
        let to = parser.parse_identifier()?.value;
        return Ok(vec![Operation::AlterTable {
            table: name,
            if_exists,
            only: false,
            change: TableChange::Owner { to },
        }]);
    }
    let options = options(parser)?;
    let Options { owned_by, disowned, changes_values } = options;
    Ok(vec![Operation::AlterSequence { name, if_exists, changes_values, owned_by, disowned }])
}

#[derive(Default)]
struct Options {
    owned_by: Option<(Name, Ident)>,
    disowned: bool,
    changes_values: bool,
}

fn options(parser: &mut Parser<'_>) -> Result<Options> {
    let mut options = Options::default();
    while !at_end(parser) {
        if eat_words(parser, &["owned", "by"]) {
            let parts = parser.parse_object_name(false)?;
            let names: Vec<_> = parts.0.iter().filter_map(|p| p.as_ident().map(fold)).collect();
            options.disowned = names.len() == 1;
            options.owned_by = match names.as_slice() {
                [table, column] => Some((Name::bare(table.clone()), column.clone())),
                [.., schema, table, column] => Some((Name::qualified(schema.clone(), table.clone()), column.clone())),
                _ => None,
            };
            continue;
        }
        match parser.next_token().token {
            Token::Word(word) => match word.value.to_ascii_lowercase().as_str() {
                "cache" | "no" | "cycle" => {}
                _ => options.changes_values = true,
            },
            Token::Number(..) | Token::Minus => {}
            _ => return parser.expected_ref("a sequence option", parser.get_current_token()),
        }
    }
    Ok(options)
}
