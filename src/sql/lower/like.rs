//! `CREATE TABLE t (LIKE other INCLUDING …)`, which sqlparser reads with `INCLUDING DEFAULTS` only.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::Result;
use crate::sql::ast::lower_name;
use crate::sql::operation::{CreateTable, Like, LikePart};
use crate::sql::parse::{at_end, eat, eat_word, eat_words, if_not_exists, is_word};

/// A table that is nothing but like another one; the cursor stays where it was when it is not.
pub(super) fn create_table(parser: &mut Parser<'_>) -> Result<Option<CreateTable>> {
    parser.maybe_parse(|parser| {
        parser.expect_keyword_is(Keyword::CREATE)?;
        let temporary = eat(parser, &[Keyword::TEMPORARY]) || eat(parser, &[Keyword::TEMP]);
        let unlogged = eat_word(parser, "unlogged");
        parser.expect_keyword_is(Keyword::TABLE)?;
        let if_not_exists = if_not_exists(parser);
        let name = lower_name(&parser.parse_object_name(false)?);
        parser.expect_token(&Token::LParen)?;
        let like = parser.parse_comma_separated(like)?;
        parser.expect_token(&Token::RParen)?;
        let mut partitioned = false;
        while !at_end(parser) {
            partitioned |= eat_words(parser, &["partition", "by"]);
            parser.next_token();
        }
        Ok(CreateTable {
            name,
            if_not_exists,
            temporary,
            unlogged,
            columns: Vec::new(),
            constraints: Vec::new(),
            like,
            inherits: Vec::new(),
            partition_of: None,
            is_default: false,
            partitioned,
            query: None,
        })
    })
}

/// `LIKE other [INCLUDING|EXCLUDING part …]`, applied in order.
fn like(parser: &mut Parser<'_>) -> Result<Like> {
    parser.expect_keyword_is(Keyword::LIKE)?;
    let table = lower_name(&parser.parse_object_name(false)?);
    let mut parts = Vec::new();
    loop {
        let including = eat_word(parser, "including");
        if !including && !eat_word(parser, "excluding") {
            return Ok(Like { table, parts });
        }
        let token = parser.next_token().token;
        let named: &[LikePart] = if is_word(&token, "all") {
            &[LikePart::Defaults, LikePart::Constraints, LikePart::Indexes, LikePart::Identity, LikePart::Generated]
        } else if is_word(&token, "defaults") {
            &[LikePart::Defaults]
        } else if is_word(&token, "constraints") {
            &[LikePart::Constraints]
        } else if is_word(&token, "indexes") {
            &[LikePart::Indexes]
        } else if is_word(&token, "identity") {
            &[LikePart::Identity]
        } else if is_word(&token, "generated") {
            &[LikePart::Generated]
        } else {
            // Comments, storage, statistics, compression.
            &[]
        };
        parts.retain(|part| !named.contains(part));
        if including {
            parts.extend_from_slice(named);
        }
    }
}
