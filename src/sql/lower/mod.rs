//! Tokens → typed operations. Forms that sqlparser lacks, or reads with a loss, are read from its token stream first; the rest is its tree,
//! lowered. One file a family.

mod altered_type;
mod data;
mod do_block;
mod drop;
mod expression;
mod function;
mod index;
mod misc;
mod object;
mod privilege;
mod query;
mod relation;
mod rewrite_rule;
mod sequence;
mod table;
mod table_change;
mod types;
mod view;

use std::borrow::Cow;
use std::ops::Range;

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::gaps::Gaps;
use super::operation::Operation;
use super::parse::{SyntaxError, Tokens, at_end, peek_words};
use super::query::Command;
#[cfg(feature = "live")]
pub(crate) use function::mentions_of;
#[cfg(feature = "live")]
pub(crate) use query::printed;
#[cfg(feature = "live")]
pub(crate) use table::gives_the_same;
#[cfg(feature = "live")]
pub(crate) use view::definition_of;

/// The operations of one statement.
pub(crate) struct Lowered {
    pub(crate) pieces: Vec<LoweredPiece>,
    pub(crate) error: Option<SyntaxError>,
    pub(crate) transactional: bool,
}

/// An operation and its place in the statement's text.
pub(crate) struct LoweredPiece {
    pub(crate) operation: Operation,
    pub(crate) range: Range<usize>,
    pub(crate) prefix: Option<Range<usize>>,
}

type Result<T> = std::result::Result<T, ParserError>;

/// Reads one statement. What cannot be read becomes one opaque operation beside the error.
pub(crate) fn statement(text: &str) -> Lowered {
    let whole = 0..text.len();
    let opaque = |what: String, error| Lowered {
        pieces: vec![LoweredPiece {
            operation: Operation::Opaque { what, rule: None },
            range: whole.clone(),
            prefix: None,
        }],
        error,
        transactional: true,
    };
    let read = match abridged(text) {
        Ok(read) => read,
        Err(error) => return opaque(first_words(&text[..text.len().min(64)]), Some(error)),
    };
    let mut tokens = match Tokens::read(&read) {
        Ok(tokens) => tokens,
        Err(error) => return opaque(first_words(text), Some(error)),
    };
    let gaps = tokens.mend();
    match pieces(&mut tokens, &gaps) {
        Ok(mut found) if !found.is_empty() => {
            if let (Cow::Owned(_), [piece]) = (&read, found.as_mut_slice()) {
                piece.range = whole.clone();
            }
            let transactional = found.iter().all(|piece| transactional(&piece.operation));
            Lowered { pieces: found, error: None, transactional }
        }
        Ok(_) => opaque(first_words(text), None),
        Err(error) => {
            let mut lowered = opaque(first_words(text), Some(tokens.locate(error)));
            let mut again = Tokens::read(&read);
            lowered.transactional = !again.as_mut().is_ok_and(|tokens| misc::refuses_transaction(&mut tokens.parser()));
            lowered
        }
    }
}

/// A statement that is too long to be read whole: of an INSERT with many rows, the first row stands for all.
fn abridged(text: &str) -> std::result::Result<Cow<'_, str>, SyntaxError> {
    const LONG: usize = 1 << 20;
    const TAIL: usize = 1 << 12;
    if text.len() <= LONG {
        return Ok(Cow::Borrowed(text));
    }
    let end = (0..=LONG).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    let (head, upper) = (&text[..end], text[..end].to_ascii_uppercase());
    let values = upper.starts_with("INSERT").then(|| upper.find("VALUES")).flatten();
    let row = values.and_then(|at| Some(at..at + first_row(&head[at..])?));
    let Some(row) = row else {
        let message = format!("it is longer than {} KiB", LONG / 1024);
        return Err(SyntaxError { message, range: 0..text.len().min(1) });
    };
    let from = (text.len() - TAIL..).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
    let tail = &text[from..];
    let upper_tail = tail.to_ascii_uppercase();
    let rest = ["ON CONFLICT", "RETURNING"].iter().filter_map(|words| upper_tail.rfind(words)).min();
    Ok(Cow::Owned(format!("{} {}", &head[..row.end], rest.map_or("", |at| &tail[at..]))))
}

/// A statement that is not read, for this reason.
pub(crate) fn unread(text: &str, message: &str) -> Lowered {
    let what = first_words(&text[..text.floor_char_boundary(64)]);
    let piece = LoweredPiece { operation: Operation::Opaque { what, rule: None }, range: 0..text.len(), prefix: None };
    let error = SyntaxError { message: message.to_owned(), range: 0..text.len().min(1) };
    Lowered { pieces: vec![piece], error: Some(error), transactional: true }
}

/// The length of `VALUES (…)`.
fn first_row(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Reads one query of an application.
pub(crate) fn command(text: &str) -> std::result::Result<Command, SyntaxError> {
    let mut tokens = Tokens::read(text)?;
    tokens.mend();
    tokens.mend_query();
    let mut parser = tokens.parser();
    let query = data::command(&tokens, &mut parser).map_err(|e| tokens.locate(e))?;
    if at_end(&parser) { Ok(query) } else { Err(tokens.locate(unexpected(&parser))) }
}

fn pieces(tokens: &mut Tokens<'_>, gaps: &Gaps) -> Result<Vec<LoweredPiece>> {
    let mut parser = tokens.parser();
    if peek_words(&parser, &["alter", "table"]) || peek_words(&parser, &["alter", "foreign", "table"]) {
        return table_change::alter_table(tokens, &mut parser, gaps);
    }
    if let Some(found) = block(&parser).as_deref().and_then(do_block::operations) {
        let range = tokens.range(0, usize::MAX);
        let piece = |operation| LoweredPiece { operation, range: range.clone(), prefix: None };
        return Ok(found.into_iter().map(piece).collect());
    }
    let operations = operations(&mut parser, gaps)?;
    if !at_end(&parser) {
        return Err(unexpected(&parser));
    }
    let range = tokens.range(0, usize::MAX);
    Ok(operations.into_iter().map(|operation| LoweredPiece { operation, range: range.clone(), prefix: None }).collect())
}

/// The body of a DO block in PL/pgSQL.
fn block(parser: &Parser<'_>) -> Option<String> {
    if !peek_words(parser, &["do"]) {
        return None;
    }
    let tokens = (1..6).map(|n| &parser.peek_nth_token_ref(n).token);
    let mut body = None;
    let mut language = false;
    for token in tokens {
        match token {
            Token::DollarQuotedString(text) => body = Some(text.value.clone()),
            Token::SingleQuotedString(text) if !language => body = Some(text.clone()),
            Token::Word(word) if language && !word.value.eq_ignore_ascii_case("plpgsql") => return None,
            Token::EOF | Token::SemiColon => return body,
            _ => {}
        }
        language = super::parse::is_word(token, "language");
    }
    None
}

/// Reads any statement but `ALTER TABLE`.
fn operations(parser: &mut Parser<'_>, gaps: &Gaps) -> Result<Vec<Operation>> {
    if let Some(operation) = object::object(parser)? {
        return Ok(vec![operation]);
    }
    let second = match &parser.peek_nth_token_ref(1).token {
        Token::Word(word) => word.value.to_ascii_lowercase(),
        _ => String::new(),
    };
    let first = match &parser.peek_token_ref().token {
        Token::Word(word) => word.keyword,
        // `(SELECT …)`
        _ => return data::data(parser),
    };
    match first {
        Keyword::CREATE => create(parser, gaps),
        Keyword::DROP => drop::drop(parser),
        Keyword::ALTER => match second.as_str() {
            "sequence" => sequence::alter_sequence(parser),
            "index" | "view" | "materialized" => relation::alter_relation(parser),
            "type" | "domain" => types::alter_type(parser),
            "policy" => privilege::alter_policy(parser),
            "function" | "procedure" | "routine" => function::alter_function(parser),
            "default" => privilege::default_privileges(parser),
            _ => Ok(vec![misc::opaque(parser)]),
        },
        Keyword::SELECT
        | Keyword::WITH
        | Keyword::VALUES
        | Keyword::TABLE
        | Keyword::INSERT
        | Keyword::UPDATE
        | Keyword::DELETE
        | Keyword::MERGE => data::data(parser),
        Keyword::TRUNCATE => data::truncate(parser),
        Keyword::COPY => data::copy(parser),
        Keyword::GRANT => privilege::privileges(parser, true),
        Keyword::REVOKE => privilege::privileges(parser, false),
        Keyword::COMMENT => misc::comment(parser),
        Keyword::SET | Keyword::RESET => misc::session(parser),
        Keyword::REINDEX => index::reindex(parser),
        Keyword::REFRESH => view::refresh(parser),
        Keyword::VACUUM | Keyword::ANALYZE | Keyword::CLUSTER => misc::maintenance(parser),
        Keyword::LOCK => misc::lock(parser),
        Keyword::NOTIFY | Keyword::LISTEN | Keyword::UNLISTEN => Ok(vec![misc::notification(parser)]),
        _ => match misc::transaction(parser) {
            Some(operation) => Ok(vec![operation]),
            None => Ok(vec![misc::opaque(parser)]),
        },
    }
}

fn create(parser: &mut Parser<'_>, gaps: &Gaps) -> Result<Vec<Operation>> {
    let head = create_head(parser);
    match head.as_str() {
        "table" => table::create_table(parser, gaps),
        "index" => index::create_index(parser, gaps.only),
        "view" | "materialized" => view::create_view(parser),
        "type" | "domain" => types::create_type(parser),
        "sequence" => sequence::create_sequence(parser),
        "function" | "procedure" => function::create_function(parser),
        "trigger" => function::create_trigger(parser),
        "policy" => privilege::create_policy(parser),
        "rule" => rewrite_rule::create_rule(parser),
        "schema" => misc::create_schema(parser),
        "extension" => misc::create_extension(parser),
        _ => Ok(vec![misc::opaque(parser)]),
    }
}

/// The word after CREATE that says what is created, without consuming anything.
fn create_head(parser: &Parser<'_>) -> String {
    const MODIFIERS: &[&str] = &[
        "or",
        "replace",
        "temp",
        "temporary",
        "local",
        "global",
        "unlogged",
        "unique",
        "constraint",
        "recursive",
        "trusted",
        "procedural",
        "foreign",
    ];
    for n in 1..8 {
        let Token::Word(word) = &parser.peek_nth_token_ref(n).token else { break };
        let word = word.value.to_ascii_lowercase();
        if !MODIFIERS.contains(&word.as_str()) {
            return word;
        }
    }
    String::new()
}

fn transactional(operation: &Operation) -> bool {
    use super::operation::TableChange;
    match operation {
        Operation::CreateIndex(index) => !index.concurrently,
        Operation::DropRelation { concurrently, .. } | Operation::Reindex { concurrently, .. } => !concurrently,
        Operation::AlterTable { change: TableChange::DetachPartition { concurrently, .. }, .. } => !concurrently,
        Operation::Maintenance { command, .. } => *command == "ANALYZE" || *command == "CLUSTER",
        Operation::Object { kind, change, .. } => !misc::refuses_block(*kind, change),
        Operation::Opaque { what, .. } => !misc::NON_TRANSACTIONAL.iter().any(|words| what.starts_with(words)),
        _ => true,
    }
}

fn unexpected(parser: &Parser<'_>) -> ParserError {
    let token = parser.peek_token_ref();
    ParserError::ParserError(format!("unexpected {}{}", token.token, token.span.start))
}

/// The first words of a statement in upper case, for people.
fn first_words(text: &str) -> String {
    let words = text.split_whitespace().take(3).map(str::to_ascii_uppercase);
    let words: Vec<_> = words.take_while(|w| w.chars().all(|c| c.is_ascii_alphabetic() || c == '_')).collect();
    if words.is_empty() { "statement".to_owned() } else { words.join(" ") }
}
