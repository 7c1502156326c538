//! Privileges and policies, read from the tokens.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::Result;
use super::query::kept_at;
use crate::sql::ast::{fold, lower_name};
use crate::sql::operation::{GrantObject, Ident, Operation};
use crate::sql::parse::{at_end, eat, eat_word, eat_words, is_word};
use crate::sql::query::Kept;

pub(super) fn privileges(parser: &mut Parser<'_>, grant: bool) -> Result<Vec<Operation>> {
    parser.next_token();
    if !grant {
        eat_words(parser, &["grant", "option", "for"]);
    }
    let mut privileges = Vec::new();
    let (mut words, mut columns) = (Vec::new(), Vec::new());
    loop {
        let token = parser.next_token().token;
        let on = is_word(&token, "on");
        let roles_follow = is_word(&token, if grant { "to" } else { "from" });
        if on || roles_follow || matches!(token, Token::Comma | Token::EOF) {
            let privilege = std::mem::take(&mut words).join(" ");
            privileges.push(if privilege == "ALL PRIVILEGES" { "ALL".to_owned() } else { privilege });
        }
        match token {
            Token::EOF => return parser.expected_ref("ON or a role", parser.peek_token_ref()),
            _ if on => break,
            // GRANT role TO role: membership.
            _ if roles_follow => {
                let grantees = grantees(parser, grant)?;
                let objects = vec![GrantObject::Other(format!("role {}", privileges.join(", ").to_ascii_lowercase()))];
                return Ok(vec![Operation::Privileges {
                    grant,
                    privileges: vec!["MEMBER".into()],
                    objects,
                    grantees,
                    columns,
                }]);
            }
            Token::Comma => {}
            // Column privileges: SELECT (a, b).
            Token::LParen => {
                words.push("(COLUMNS)".to_owned());
                columns.extend(parser.parse_comma_separated(|p| Ok(fold(&p.parse_identifier()?)))?);
                parser.expect_token(&Token::RParen)?;
            }
            other => words.push(other.to_string().to_ascii_uppercase()),
        }
    }
    let objects = objects(parser, grant)?;
    let grantees = grantees(parser, grant)?;
    Ok(vec![Operation::Privileges { grant, privileges, objects, grantees, columns }])
}

/// `ALTER DEFAULT PRIVILEGES [IN SCHEMA s] GRANT … ON TABLES TO …`, as far as it is about what the same role makes. Nothing: it is not.
pub(super) fn default_privileges(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    if !eat_words(parser, &["alter", "default", "privileges"]) {
        return parser.expected_ref("ALTER DEFAULT PRIVILEGES", parser.peek_token_ref());
    }
    let mut schemas = Vec::new();
    if eat_words(parser, &["in", "schema"]) {
        schemas = parser.parse_comma_separated(|p| Ok(fold(&p.parse_identifier()?)))?;
    }
    let grant = is_word(&parser.peek_token_ref().token, "grant");
    if !grant && !is_word(&parser.peek_token_ref().token, "revoke") {
        return Ok(Vec::new());
    }
    let mut found = privileges(parser, grant)?;
    let Some(Operation::Privileges { objects, .. }) = found.first_mut() else { return Ok(Vec::new()) };
    let sequences = match objects.as_slice() {
        [GrantObject::Relation(name)] if name.schema.is_none() && &*name.name == "tables" => false,
        [GrantObject::Relation(name)] if name.schema.is_none() && &*name.name == "sequences" => true,
        _ => return Ok(Vec::new()),
    };
    *objects = vec![GrantObject::Future { sequences, schemas }];
    Ok(found)
}

fn objects(parser: &mut Parser<'_>, grant: bool) -> Result<Vec<GrantObject>> {
    const OTHERS: &[&str] = &[
        "all",
        "schema",
        "function",
        "procedure",
        "routine",
        "database",
        "type",
        "domain",
        "language",
        "foreign",
        "large",
        "tablespace",
        "parameter",
    ];
    for (words, sequences) in [(["all", "tables", "in", "schema"], false), (["all", "sequences", "in", "schema"], true)]
    {
        if eat_words(parser, &words) {
            let schemas = parser.parse_comma_separated(|p| Ok(fold(&p.parse_identifier()?)))?;
            return Ok(vec![GrantObject::AllIn { sequences, schemas }]);
        }
    }
    let other = OTHERS.iter().any(|word| is_word(&parser.peek_token_ref().token, word));
    if other {
        let mut words = Vec::new();
        let end = if grant { "to" } else { "from" };
        while !at_end(parser) && !is_word(&parser.peek_token_ref().token, end) {
            words.push(parser.next_token().token.to_string().to_ascii_lowercase());
        }
        return Ok(vec![GrantObject::Other(words.join(" "))]);
    }
    if !eat(parser, &[Keyword::TABLE]) {
        eat(parser, &[Keyword::SEQUENCE]);
    }
    let names = parser.parse_comma_separated(|p| p.parse_object_name(false))?;
    Ok(names.iter().map(|name| GrantObject::Relation(lower_name(name))).collect())
}

fn grantees(parser: &mut Parser<'_>, grant: bool) -> Result<Vec<String>> {
    if !eat_word(parser, if grant { "to" } else { "from" }) && at_end(parser) {
        return parser.expected_ref("a role", parser.peek_token_ref());
    }
    let roles = parser.parse_comma_separated(|p| {
        eat(p, &[Keyword::GROUP]);
        Ok(fold(&p.parse_identifier()?).to_string())
    })?;
    while !at_end(parser) {
        parser.next_token();
    }
    Ok(roles)
}

pub(super) fn alter_policy(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keywords(&[Keyword::ALTER, Keyword::POLICY])?;
    let name = fold(&parser.parse_identifier()?);
    parser.expect_keyword_is(Keyword::ON)?;
    let table = lower_name(&parser.parse_object_name(false)?);
    let mut rename = None;
    if eat(parser, &[Keyword::RENAME, Keyword::TO]) {
        rename = Some(fold(&parser.parse_identifier()?));
    }
    let (text, conditions) = policy(parser);
    Ok(vec![Operation::AlterPolicy { name, table, rename, text, conditions }])
}

pub(super) fn create_policy(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keywords(&[Keyword::CREATE, Keyword::POLICY])?;
    let name = fold(&parser.parse_identifier()?);
    parser.expect_keyword_is(Keyword::ON)?;
    let table = lower_name(&parser.parse_object_name(false)?);
    let restrictive = eat_words(parser, &["as", "restrictive"]);
    let (text, conditions) = policy(parser);
    Ok(vec![Operation::CreatePolicy { name, table, restrictive, text, conditions }])
}

/// What a policy says, and its conditions.
fn policy(parser: &mut Parser<'_>) -> (Ident, Vec<Kept>) {
    let (mut words, mut conditions, mut depth) = (Vec::new(), Vec::new(), 0_usize);
    while !at_end(parser) {
        if depth == 0 && parser.peek_token_ref().token == Token::LParen {
            conditions.push(kept_at(parser));
        }
        let token = parser.next_token().token;
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        words.push(token.to_string());
    }
    (words.join(" ").into(), conditions)
}
