//! `CREATE RULE`, `DROP RULE`, and `ALTER TABLE … ENABLE|DISABLE RULE`, from the tokens.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::Result;
use super::query::{kept_at, kept_command};
use crate::sql::ast::{fold, lower_name};
use crate::sql::name::Name;
use crate::sql::operation::{Operation, RuleBody, RuleChange, RuleEvent, RuleVerb};
use crate::sql::parse::{cascade, eat_word, eat_words, if_exists, is_word, parser_over};
use crate::sql::shape::shape_of;

const EVENTS: [(&str, RuleEvent); 4] = [
    ("select", RuleEvent::Select),
    ("insert", RuleEvent::Insert),
    ("update", RuleEvent::Update),
    ("delete", RuleEvent::Delete),
];

/// `CREATE [OR REPLACE] RULE name AS ON event TO table [WHERE …] DO [ALSO | INSTEAD] …`
pub(super) fn create_rule(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keyword_is(Keyword::CREATE)?;
    eat_words(parser, &["or", "replace"]);
    eat_word(parser, "rule");
    let name = fold(&parser.parse_identifier()?);
    eat_words(parser, &["as", "on"]);
    let Some((_, event)) = EVENTS.into_iter().find(|(word, _)| eat_word(parser, word)) else {
        return parser.expected_ref("an event", parser.peek_token_ref());
    };
    eat_word(parser, "to");
    let table = lower_name(&parser.parse_object_name(false)?);
    let conditional = eat_word(parser, "where");
    let condition = conditional.then(|| kept_at(parser)).flatten();
    let mut depth = 0_usize;
    while parser.peek_token_ref().token != Token::EOF && !(depth == 0 && eat_word(parser, "do")) {
        match parser.next_token().token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    let instead = eat_word(parser, "instead");
    eat_word(parser, "also");
    let nothing = eat_word(parser, "nothing");
    let notifies = is_word(&parser.peek_token_ref().token, "notify");
    let (mut returning, mut statements, mut begins, mut depth) = (false, 0_usize, true, 0_usize);
    let grouped = parser.peek_token_ref().token == Token::LParen;
    let mut written: Vec<Vec<TokenWithSpan>> = Vec::new();
    while parser.peek_token_ref().token != Token::EOF {
        let token = parser.next_token();
        returning |= is_word(&token.token, "returning");
        let outside = depth;
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        match token.token {
            Token::SemiColon if depth <= usize::from(grouped) => begins = true,
            // The parentheses around all of them.
            Token::LParen | Token::RParen if grouped && depth.min(outside) == 0 => {}
            _ if begins => {
                statements += 1;
                begins = false;
                written.push(vec![token]);
            }
            _ => written.last_mut().into_iter().for_each(|action| action.push(token.clone())),
        }
    }
    let actions = written.into_iter().filter_map(|tokens| parser_over(tokens).parse_statement().ok());
    let actions: Vec<_> = actions.filter(|_| !nothing && !notifies).collect();
    let types = actions.iter().flat_map(|statement| shape_of(statement).types).collect();
    let actions = actions.iter().map(kept_command).collect();
    let single = statements == 1 && !nothing && !notifies;
    let verb =
        RuleVerb::Made(RuleBody { event, instead, conditional, condition, nothing, single, returning, actions, types });
    Ok(vec![opaque("CREATE RULE", RuleChange { name, table, verb })])
}

/// What follows `DROP RULE`.
pub(super) fn drop_rule(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    if_exists(parser);
    let name = fold(&parser.parse_identifier()?);
    parser.expect_keyword_is(Keyword::ON)?;
    let table = lower_name(&parser.parse_object_name(false)?);
    cascade(parser);
    Ok(vec![opaque("DROP RULE", RuleChange { name, table, verb: RuleVerb::Gone })])
}

/// `ENABLE|DISABLE RULE`, as a sub-command on a table.
pub(super) fn switch_rule(parser: &mut Parser<'_>, table: &Name) -> Result<Option<Operation>> {
    const FORMS: [(&[&str], &str, RuleVerb); 4] = [
        (&["enable", "rule"], "ENABLE RULE", RuleVerb::Enabled),
        (&["enable", "always", "rule"], "ENABLE RULE", RuleVerb::Enabled),
        // It rewrites what replication applies, and nothing else.
        (&["enable", "replica", "rule"], "ENABLE RULE", RuleVerb::Disabled),
        (&["disable", "rule"], "DISABLE RULE", RuleVerb::Disabled),
    ];
    let Some((_, what, verb)) = FORMS.into_iter().find(|(words, ..)| eat_words(parser, words)) else {
        return Ok(None);
    };
    let name = fold(&parser.parse_identifier()?);
    Ok(Some(opaque(what, RuleChange { name, table: table.clone(), verb })))
}

fn opaque(what: &str, rule: RuleChange) -> Operation {
    Operation::Opaque { what: what.to_owned(), rule: Some(Box::new(rule)) }
}
