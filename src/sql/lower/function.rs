//! Functions, procedures and triggers, read from the tokens: only the header matters, and the names a body mentions.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::query::kept_at;
use super::{Result, misc};
use crate::sql::ast::{fold, lower_name};
use crate::sql::body::BodySource;
use crate::sql::lex::{Lexeme, TokenKind, lex, words_of};
use crate::sql::operation::{CreateFunction, Firing, FunctionBody, Ident, Operation, Routine, RoutineChange, path_in};
use crate::sql::parse::{at_end, eat, eat_word, eat_words, is_word, peek_words};
use crate::sql::types::{TypeName, lower_type};

pub(super) fn create_function(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keyword_is(Keyword::CREATE)?;
    let or_replace = eat(parser, &[Keyword::OR, Keyword::REPLACE]);
    let procedure = eat(parser, &[Keyword::PROCEDURE]);
    if !procedure {
        parser.expect_keyword_is(Keyword::FUNCTION)?;
    }
    let name = lower_name(&parser.parse_object_name(false)?);
    let arguments = arguments(parser)?;
    let mut outputs: Vec<Argument> = arguments.iter().filter(|argument| argument.output).cloned().collect();
    let mut returns = match outputs.as_slice() {
        _ if procedure => "procedure".to_owned(),
        [] => String::new(),
        [one] => one.data_type.to_string(),
        _ => "record".to_owned(),
    };
    if eat(parser, &[Keyword::RETURNS]) {
        let (written, columns) = return_type(parser)?;
        returns = written;
        outputs.extend(columns);
    }
    let names = arguments.iter().chain(&outputs).filter_map(|argument| argument.name.clone());
    let names = names.collect::<BTreeSet<_>>().into_iter().collect();
    let outputs =
        outputs.into_iter().map(|output| (output.name.unwrap_or_else(|| "".into()), output.data_type)).collect();
    let inputs: Vec<Argument> = arguments.into_iter().filter(|argument| argument.input).collect();
    let input_names = inputs.iter().map(|input| input.name.clone().unwrap_or_else(|| "".into())).collect();
    let arguments = inputs.into_iter().map(|input| (input.data_type.without_modifiers(), input.default)).collect();
    let mut mentions = BTreeSet::new();
    let mut body = FunctionBody::default();
    let mut path = None;
    // The rest is options and the body, in any order; both are read for the names they mention.
    while !matches!(parser.peek_token_ref().token, Token::EOF) {
        option(parser, &mut body);
        if peek_words(parser, &["set", "search_path"]) {
            let rest = (0..).map(|n| &parser.peek_nth_token_ref(n).token).take_while(|t| !matches!(t, Token::EOF));
            path = Some(rest.map(ToString::to_string).collect::<Vec<_>>().join(" "));
        }
        mention(&parser.next_token().token, &mut mentions);
    }
    let mentions = mentions.into_iter().collect();
    let (volatile, immutable) = (body.volatility == "volatile", body.volatility == "immutable");
    let source = Arc::new(BodySource::new(body.language.as_str().into(), body.text.as_str().into()));
    let (tracked, definer) = (body.tracked, body.security_definer);
    let path = path.and_then(|path| path_in(&path));
    let body = body.digest().into();
    Ok(vec![Operation::CreateFunction(Box::new(CreateFunction {
        name,
        or_replace,
        arguments,
        returns,
        outputs,
        inputs: input_names,
        names,
        mentions,
        source,
        tracked,
        volatile,
        immutable,
        definer,
        path,
        body,
    }))])
}

/// Notes what the next token says about how the function runs; takes nothing.
fn option(parser: &Parser<'_>, body: &mut FunctionBody) {
    let token = &parser.peek_token_ref().token;
    let next = &parser.peek_nth_token_ref(1).token;
    let said = |words: [&str; 2]| is_word(token, words[0]) && is_word(next, words[1]);
    match (token, next) {
        (_, Token::Word(language)) if is_word(token, "language") => body.language = language.value.to_ascii_lowercase(),
        (_, Token::SingleQuotedString(language)) if is_word(token, "language") => {
            body.language = language.to_ascii_lowercase();
        }
        (_, Token::DollarQuotedString(text)) if is_word(token, "as") => body.text.clone_from(&text.value),
        (_, Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) if is_word(token, "as") => {
            body.text.clone_from(text);
        }
        _ if said(["begin", "atomic"]) || is_word(token, "return") => {
            // A body that is SQL itself, up to the end.
            let rest = (0..).map(|n| &parser.peek_nth_token_ref(n).token).take_while(|t| !matches!(t, Token::EOF));
            body.language = "sql".to_owned();
            body.tracked = true;
            body.text = rest.map(ToString::to_string).collect::<Vec<_>>().join(" ");
        }
        _ if said(["security", "definer"]) => body.security_definer = true,
        _ if is_word(token, "strict") || said(["null", "on"]) => {
            // `RETURNS NULL ON NULL INPUT` is STRICT; `CALLED ON NULL INPUT` does not begin with NULL.
            body.strict = true;
        }
        _ if is_word(token, "immutable") => body.volatility = "immutable",
        _ if is_word(token, "stable") => body.volatility = "stable",
        _ => {}
    }
}

/// An argument as it is declared.
#[derive(Debug, Clone)]
struct Argument {
    name: Option<Ident>,
    data_type: TypeName,
    /// Whether a caller may leave it out.
    default: bool,
    /// Whether a caller gives it.
    input: bool,
    /// Whether it is part of the result.
    output: bool,
}

/// `ALTER FUNCTION f(int) RENAME TO g`
pub(super) fn alter_function(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keyword_is(Keyword::ALTER)?;
    let called = match () {
        () if eat(parser, &[Keyword::FUNCTION]) => Routine::Function,
        () if eat(parser, &[Keyword::PROCEDURE]) => Routine::Procedure,
        () => {
            parser.next_token();
            Routine::Any
        }
    };
    let name = lower_name(&parser.parse_object_name(false)?);
    let has_arguments = parser.peek_token_ref().token == Token::LParen;
    let arguments = if has_arguments { Some(argument_types(parser)?) } else { None };
    let change = if eat_words(parser, &["rename", "to"]) {
        RoutineChange::Rename(fold(&parser.parse_identifier()?))
    } else if eat_words(parser, &["set", "schema"]) {
        RoutineChange::Move(fold(&parser.parse_identifier()?))
    } else if peek_words(parser, &["depends"]) || peek_words(parser, &["no", "depends"]) {
        return Ok(vec![misc::opaque(parser)]);
    } else {
        let mut words = Vec::new();
        while !at_end(parser) {
            words.push(parser.next_token().token.to_string().to_ascii_lowercase());
        }
        RoutineChange::Runs(words.join(" ").into())
    };
    Ok(vec![Operation::AlterFunction { called, name, arguments, change }])
}

/// `(int, text)` of a DROP FUNCTION.
pub(super) fn argument_types(parser: &mut Parser<'_>) -> Result<Vec<TypeName>> {
    let inputs = arguments(parser)?.into_iter().filter(|argument| argument.input);
    Ok(inputs.map(|argument| argument.data_type.without_modifiers()).collect())
}

/// `[mode] [name] type [DEFAULT expr], …` in parentheses.
fn arguments(parser: &mut Parser<'_>) -> Result<Vec<Argument>> {
    parser.expect_token(&Token::LParen)?;
    let mut found = Vec::new();
    while parser.peek_token_ref().token != Token::RParen {
        let (input, output) = if eat(parser, &[Keyword::OUT]) {
            (false, true)
        } else if eat(parser, &[Keyword::INOUT]) || eat(parser, &[Keyword::IN, Keyword::OUT]) {
            (true, true)
        } else {
            let _ = eat(parser, &[Keyword::IN]) || eat_word(parser, "variadic");
            (true, false)
        };
        let (name, data_type) = argument_type(parser)?;
        let default = eat(parser, &[Keyword::DEFAULT]) || parser.consume_token(&Token::Eq);
        if default {
            parser.parse_expr()?;
        }
        found.push(Argument { name, data_type, default, input, output });
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    parser.expect_token(&Token::RParen)?;
    Ok(found)
}

/// A type, perhaps with a name before it.
fn argument_type(parser: &mut Parser<'_>) -> Result<(Option<Ident>, TypeName)> {
    let ends = |parser: &Parser<'_>| {
        let token = &parser.peek_token_ref().token;
        matches!(token, Token::Comma | Token::RParen | Token::Eq) || is_word(token, "default")
    };
    let lone = parser.maybe_parse(|p| {
        let data_type = p.parse_data_type()?;
        if ends(p) { Ok(data_type) } else { p.expected_ref("an argument's end", p.peek_token_ref()) }
    })?;
    if let Some(data_type) = lone {
        return Ok((None, lower_type(&data_type).0));
    }
    let name = fold(&parser.parse_identifier()?);
    Ok((Some(name), reference_or_type(parser)?))
}

/// A type, or `table.column%TYPE`.
fn reference_or_type(parser: &mut Parser<'_>) -> Result<TypeName> {
    let reference = parser.maybe_parse(|p| {
        let name = p.parse_object_name(false)?;
        p.expect_token(&Token::Mod)?;
        p.parse_identifier()?;
        Ok(name)
    })?;
    match reference {
        Some(name) => Ok(TypeName::canonical(format!("{name}%type"))),
        None => Ok(lower_type(&parser.parse_data_type()?).0),
    }
}

/// What a function returns, and the columns of `TABLE (…)`.
fn return_type(parser: &mut Parser<'_>) -> Result<(String, Vec<Argument>)> {
    if eat(parser, &[Keyword::TABLE]) {
        let columns = arguments(parser)?;
        let types: Vec<_> = columns.iter().map(|column| column.data_type.without_modifiers().to_string()).collect();
        return Ok((format!("table({})", types.join(", ")), columns));
    }
    let set = if eat_word(parser, "setof") { "setof " } else { "" };
    for pseudo in ["trigger", "void", "record", "event_trigger"] {
        if eat_word(parser, pseudo) {
            return Ok((format!("{set}{pseudo}"), Vec::new()));
        }
    }
    Ok((format!("{set}{}", reference_or_type(parser)?), Vec::new()))
}

/// Collects identifiers, also those inside a string body.
fn mention(token: &Token, found: &mut BTreeSet<Ident>) {
    match token {
        Token::Word(word) => {
            let text = if word.quote_style.is_some() { word.value.clone() } else { word.value.to_ascii_lowercase() };
            found.insert(text.into());
        }
        Token::DollarQuotedString(body) => mention_text(&body.value, found),
        Token::SingleQuotedString(body) | Token::EscapedStringLiteral(body) => mention_text(body, found),
        _ => {}
    }
}

/// The names in a function's body.
#[cfg(feature = "live")]
pub(crate) fn mentions_of(body: &str) -> Vec<Ident> {
    let mut found = BTreeSet::new();
    mention_text(body, &mut found);
    found.into_iter().collect()
}

/// The words of a body are a superset of the names it can mention, also in a language that is not SQL.
fn mention_text(body: &str, found: &mut BTreeSet<Ident>) {
    let pieces: Vec<_> = lex(body).into_iter().filter(Lexeme::solid).collect();
    // A whole row, whatever columns it has by then.
    for row in pieces.windows(3) {
        if row[0].is_any(&["new", "old"]) && row[1].symbol(".") && row[2].symbol("*") {
            found.insert(format!("{}.*", row[0].text.to_ascii_lowercase()).into());
        }
    }
    // Most words stand there many times.
    let mut seen = HashSet::new();
    for piece in pieces {
        match piece.kind {
            TokenKind::Word if !seen.insert(piece.text) => {}
            TokenKind::Word => _ = found.insert(piece.text.to_ascii_lowercase().into()),
            TokenKind::Name => {
                found.insert(piece.text.trim_matches('"').replace("\"\"", "\"").into());
                // In another language it may be a string.
                words(piece.text, found);
            }
            TokenKind::Text => words(piece.text, found),
            TokenKind::Space | TokenKind::Comment | TokenKind::Number | TokenKind::Parameter | TokenKind::Symbol => {}
        }
    }
}

fn words(text: &str, found: &mut BTreeSet<Ident>) {
    // A name in quotes keeps its letters.
    found.extend(words_of(text).flat_map(|w| [Ident::from(w.to_ascii_lowercase()), Ident::from(w)]));
}

pub(super) fn create_trigger(parser: &mut Parser<'_>) -> Result<Vec<Operation>> {
    parser.expect_keyword_is(Keyword::CREATE)?;
    let or_replace = eat(parser, &[Keyword::OR, Keyword::REPLACE]);
    eat(parser, &[Keyword::CONSTRAINT]);
    parser.expect_keyword_is(Keyword::TRIGGER)?;
    let name = fold(&parser.parse_identifier()?);
    // Events may name columns (`UPDATE OF a, b ON t`); ON ends them.
    let mut columns = BTreeSet::new();
    let mut named = false;
    let mut firing =
        Firing { before: false, instead: false, each_row: false, insert: false, update: false, delete: false };
    while !eat(parser, &[Keyword::ON]) {
        match parser.next_token().token {
            Token::EOF => return parser.expected_ref("ON", parser.peek_token_ref()),
            word if is_word(&word, "or") => named = false,
            word if named => mention(&word, &mut columns),
            // `INSTEAD OF` stands before the events.
            word if is_word(&word, "of") => named = firing.update,
            word => {
                firing.instead |= is_word(&word, "instead");
                firing.before |= is_word(&word, "before") || firing.instead;
                firing.insert |= is_word(&word, "insert");
                firing.update |= is_word(&word, "update");
                firing.delete |= is_word(&word, "delete") || is_word(&word, "truncate");
            }
        }
    }
    let table = lower_name(&parser.parse_object_name(false)?);
    let (mut function, mut condition) = (None, None);
    let mut transitions = Vec::new();
    while !matches!(parser.peek_token_ref().token, Token::EOF) {
        if eat_words(parser, &["new", "table"]) || eat_words(parser, &["old", "table"]) {
            eat(parser, &[Keyword::AS]);
            transitions.push(fold(&parser.parse_identifier()?));
        } else if eat_words(parser, &["for", "each", "row"]) || eat_words(parser, &["for", "row"]) {
            firing.each_row = true;
        } else if eat(parser, &[Keyword::EXECUTE]) {
            if !eat(parser, &[Keyword::FUNCTION]) {
                parser.expect_keyword_is(Keyword::PROCEDURE)?;
            }
            function = Some(lower_name(&parser.parse_object_name(false)?));
        } else if eat(parser, &[Keyword::WHEN]) {
            // `(NEW.a <> OLD.a)`
            condition = kept_at(parser);
            let (mut depth, mut row) = (0_usize, false);
            loop {
                let token = parser.next_token().token;
                match token {
                    Token::LParen => depth += 1,
                    Token::RParen => depth = depth.saturating_sub(1),
                    Token::EOF => break,
                    Token::Period if row => mention(&parser.peek_token_ref().token, &mut columns),
                    _ => {}
                }
                row = is_word(&token, "new") || is_word(&token, "old");
                if depth == 0 {
                    break;
                }
            }
        } else {
            parser.next_token();
        }
    }
    let columns = columns.into_iter().collect();
    Ok(vec![Operation::CreateTrigger { name, table, or_replace, function, columns, transitions, firing, condition }])
}
