//! Statements that are neither DDL on one object nor data: sessions, transactions, comments, schemas, extensions, maintenance, the opaque.

use sqlparser::ast::Expr;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::Result;
use crate::sql::ast::{fold, lower_name};
use crate::sql::name::Name;
use crate::sql::operation::{Ident, ObjectChange, ObjectKind, Operation, SearchPath, TransactionControl};
use crate::sql::parse::{at_end, cascade, eat, eat_word, eat_words, if_not_exists, is_word, peek_words};

/// Statements that PostgreSQL refuses inside a transaction block, by their first words. (`CONCURRENTLY` forms are typed and known.)
pub(super) const NON_TRANSACTIONAL: &[&str] = &["VACUUM", "ALTER SYSTEM"];

/// Whether a statement on an object runs outside transactions only.
pub(super) fn refuses_block(kind: ObjectKind, change: &ObjectChange) -> bool {
    let makes_or_drops = matches!(change, ObjectChange::Create | ObjectChange::Drop);
    makes_or_drops && matches!(kind, ObjectKind::Database | ObjectKind::Tablespace | ObjectKind::Subscription)
}

/// Whether a statement that could not be read runs outside transactions only.
pub(super) fn refuses_transaction(parser: &mut Parser<'_>) -> bool {
    let known = NON_TRANSACTIONAL.iter().any(|words| peek_words(parser, &words.split(' ').collect::<Vec<_>>()));
    known || (0..16).any(|n| is_word(&parser.peek_nth_token_ref(n).token, "concurrently"))
}

/// Reads to the end and keeps the first words.
pub(super) fn opaque(parser: &mut Parser<'_>) -> Operation {
    let mut words = Vec::new();
    let mut naming = true;
    while !at_end(parser) {
        match parser.next_token().token {
            Token::Word(word) if naming && words.len() < 2 && word.quote_style.is_none() => {
                words.push(word.value.to_ascii_uppercase());
            }
            _ => naming = false,
        }
    }
    let what = match words.first().map(String::as_str) {
        Some("DO") => "DO block".to_owned(),
        Some("CALL") => "CALL of a procedure".to_owned(),
        Some(_) => words.join(" "),
        None => "statement".to_owned(),
    };
    Operation::Opaque { what, rule: None }
}

pub(super) fn transaction(parser: &mut Parser<'_>) -> Option<Operation> {
    const WORDS: &[(&str, TransactionControl)] = &[
        ("begin", TransactionControl::Begin),
        ("start", TransactionControl::Begin),
        ("commit", TransactionControl::Commit),
        ("end", TransactionControl::Commit),
        ("rollback", TransactionControl::Rollback),
        ("abort", TransactionControl::Rollback),
        ("savepoint", TransactionControl::Savepoint),
        ("release", TransactionControl::Savepoint),
    ];
    let (_, control) = WORDS.iter().find(|(word, _)| is_word(&parser.peek_token_ref().token, word))?;
    while !at_end(parser) {
        parser.next_token();
    }
    Some(Operation::Transaction(*control))
}

pub(super) fn session(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    let (mut search_path, mut local) = (None, false);
    if eat(parser, &[Keyword::RESET]) {
        search_path = (eat_word(parser, "all") || eat_word(parser, "search_path")).then_some(SearchPath::Default);
    } else if eat(parser, &[Keyword::SET]) {
        local = eat(parser, &[Keyword::LOCAL]);
        if !local {
            eat(parser, &[Keyword::SESSION]);
        }
        if eat_words(parser, &["constraints"]) {
            while !at_end(parser) {
                parser.next_token();
            }
            return Ok(vec![Operation::Session { search_path: None, local: true }]);
        }
        if eat_word(parser, "search_path") {
            if !parser.consume_token(&Token::Eq) {
                parser.expect_keyword_is(Keyword::TO)?;
            }
            let default = eat(parser, &[Keyword::DEFAULT]);
            search_path = Some(if default { SearchPath::Default } else { SearchPath::Of(schemas(parser)?) });
        } else if eat_word(parser, "schema") {
            search_path = Some(SearchPath::Of(schemas(parser)?));
        }
    }
    while !at_end(parser) {
        parser.next_token();
    }
    Ok(vec![Operation::Session { search_path, local }])
}

/// `NOTIFY` and what listens: no schema is changed, and no row.
pub(super) fn notification(parser: &mut Parser<'_>) -> Operation {
    while !at_end(parser) {
        parser.next_token();
    }
    Operation::Query { reads: Vec::new(), calls: Vec::new() }
}

pub(super) fn schemas(parser: &mut Parser<'_>) -> Result<Vec<Ident>> {
    parser.parse_comma_separated(|p| match p.peek_token_ref().token.clone() {
        Token::SingleQuotedString(text) => {
            p.next_token();
            Ok(text.into())
        }
        _ => Ok(fold(&p.parse_identifier()?)),
    })
}

/// What `set_config('search_path', '…', …)` sets, as in the output of pg_dump; of another path than one that is written down, nothing is known.
pub(super) fn set_config(expr: &Expr) -> Option<Operation> {
    use sqlparser::ast::{FunctionArg, FunctionArgExpr, FunctionArguments, Value};
    let Expr::Function(function) = expr else { return None };
    if lower_name(&function.name).name.as_str() != "set_config" {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else { return None };
    let text = |at: usize| match list.args.get(at)? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.as_str()),
            _ => None,
        },
        _ => None,
    };
    let is_true = |arg: &FunctionArg| arg.to_string().trim_matches('\'').eq_ignore_ascii_case("true");
    let local = list.args.get(2).is_some_and(is_true);
    if !text(0)?.eq_ignore_ascii_case("search_path") {
        return Some(Operation::Session { search_path: None, local });
    }
    let name = |schema: &str| match schema.strip_prefix('"').and_then(|inside| inside.strip_suffix('"')) {
        Some(inside) => Ident::from(inside.replace("\"\"", "\"")),
        None => Ident::from(schema.to_lowercase()),
    };
    let Some(path) = text(1) else {
        return Some(Operation::Opaque { what: "SELECT set_config".to_owned(), rule: None });
    };
    let schemas = path.split(',').map(str::trim).filter(|schema| !schema.is_empty());
    Some(Operation::Session { search_path: Some(SearchPath::Of(schemas.map(name).collect())), local })
}

pub(super) fn comment(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keywords(&[Keyword::COMMENT, Keyword::ON])?;
    let mut words = Vec::new();
    let mut relation = None;
    if eat_word(parser, "column") {
        let parts = parser.parse_object_name(false)?;
        let names: Vec<_> = parts.0.iter().filter_map(|p| p.as_ident().map(fold)).collect();
        relation = match names.as_slice() {
            [.., schema, table, column] => Some((Name::qualified(schema.clone(), table.clone()), Some(column.clone()))),
            [table, column] => Some((Name::bare(table.clone()), Some(column.clone()))),
            _ => None,
        };
        words.push(format!("column {parts}"));
    } else {
        let is_relation = ["table", "view", "index", "sequence"].iter().any(|w| peek_words(parser, &[w]))
            || peek_words(parser, &["materialized", "view"])
            || peek_words(parser, &["foreign", "table"]);
        if is_relation {
            let keyword = parser.next_token().token.to_string().to_ascii_lowercase();
            if keyword == "materialized" || keyword == "foreign" {
                parser.next_token();
            }
            let name = lower_name(&parser.parse_object_name(false)?);
            words.push(format!("{keyword} {name}"));
            relation = Some((name, None));
        }
    }
    // COMMENT ON CONSTRAINT c ON t, ON TRIGGER …: what it is on does not matter to anybody but the reader.
    while !at_end(parser) && !is_word(&parser.peek_token_ref().token, "is") {
        words.push(parser.next_token().token.to_string());
    }
    parser.expect_keyword_is(Keyword::IS)?;
    while !at_end(parser) {
        parser.next_token();
    }
    Ok(vec![Operation::Comment { object: words.join(" "), relation }])
}

pub(super) fn create_schema(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keywords(&[Keyword::CREATE, Keyword::SCHEMA])?;
    let if_not_exists = if_not_exists(parser);
    let authorization = eat(parser, &[Keyword::AUTHORIZATION]);
    let name = fold(&parser.parse_identifier()?);
    if !authorization && eat(parser, &[Keyword::AUTHORIZATION]) {
        parser.parse_identifier()?;
    }
    if !at_end(parser) {
        // What is created in it has no span of its own.
        while !at_end(parser) {
            parser.next_token();
        }
        return Ok(vec![Operation::Opaque { what: "CREATE SCHEMA with elements".to_owned(), rule: None }]);
    }
    Ok(vec![Operation::CreateNamespace { name, if_not_exists }])
}

pub(super) fn create_extension(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keywords(&[Keyword::CREATE, Keyword::EXTENSION])?;
    if_not_exists(parser);
    let name = fold(&parser.parse_identifier()?);
    eat(parser, &[Keyword::WITH]);
    if eat(parser, &[Keyword::SCHEMA]) {
        parser.parse_identifier()?;
    }
    if eat_word(parser, "version") {
        parser.next_token();
    }
    cascade(parser);
    Ok(vec![Operation::CreateExtension { name }])
}

pub(super) fn maintenance(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    let command = match parser.next_token().token {
        Token::Word(word) if word.keyword == Keyword::VACUUM => "VACUUM",
        Token::Word(word) if word.keyword == Keyword::CLUSTER => "CLUSTER",
        _ => "ANALYZE",
    };
    let mut exclusive = command == "CLUSTER";
    let mut table = None;
    while !at_end(parser) {
        if eat_word(parser, "full") {
            exclusive = true;
        } else if ["freeze", "verbose", "analyze", "using"].iter().any(|w| peek_words(parser, &[w])) {
            parser.next_token();
        } else if matches!(parser.peek_token_ref().token, Token::Word(_)) && table.is_none() {
            table = Some(lower_name(&parser.parse_object_name(false)?));
        } else {
            parser.next_token();
        }
    }
    Ok(vec![Operation::Maintenance { command, table, exclusive }])
}

pub(super) fn lock(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keyword_is(Keyword::LOCK)?;
    eat(parser, &[Keyword::TABLE]);
    let tables = parser.parse_comma_separated(|p| {
        eat(p, &[Keyword::ONLY]);
        p.parse_object_name(false)
    })?;
    let mut words = Vec::new();
    eat(parser, &[Keyword::IN]);
    while !at_end(parser) && !is_word(&parser.peek_token_ref().token, "mode") {
        words.push(parser.next_token().token.to_string().to_ascii_uppercase());
    }
    while !at_end(parser) {
        parser.next_token();
    }
    words.retain(|word| word != "NOWAIT");
    let mode = if words.is_empty() { "ACCESS EXCLUSIVE".to_owned() } else { words.join(" ") };
    Ok(vec![Operation::Lock { tables: tables.iter().map(lower_name).collect(), mode }])
}
