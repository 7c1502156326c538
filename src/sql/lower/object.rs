//! Objects that stand beside tables (publications, roles, operators, statistics, …): what they are called and whether a statement makes,
//! changes, renames or drops one. What is in them is not read.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::Result;
use crate::sql::ast::fold;
use crate::sql::operation::{ObjectChange, ObjectKind, Operation};
use crate::sql::parse::{at_end, eat_words, if_exists, if_not_exists, is_word};

/// The words of each kind. The longer of two that begin alike stands first.
const KINDS: &[(&[&str], ObjectKind)] = &[
    (&["access", "method"], ObjectKind::AccessMethod),
    (&["aggregate"], ObjectKind::Aggregate),
    (&["cast"], ObjectKind::Cast),
    (&["collation"], ObjectKind::Collation),
    (&["conversion"], ObjectKind::Conversion),
    (&["database"], ObjectKind::Database),
    (&["event", "trigger"], ObjectKind::EventTrigger),
    (&["foreign", "data", "wrapper"], ObjectKind::ForeignDataWrapper),
    (&["group"], ObjectKind::Role),
    (&["language"], ObjectKind::Language),
    (&["large", "object"], ObjectKind::LargeObject),
    (&["operator", "class"], ObjectKind::OperatorClass),
    (&["operator", "family"], ObjectKind::OperatorFamily),
    (&["operator"], ObjectKind::Operator),
    (&["publication"], ObjectKind::Publication),
    (&["role"], ObjectKind::Role),
    (&["server"], ObjectKind::Server),
    (&["statistics"], ObjectKind::Statistics),
    (&["subscription"], ObjectKind::Subscription),
    (&["tablespace"], ObjectKind::Tablespace),
    (&["text", "search", "configuration"], ObjectKind::TextSearch),
    (&["text", "search", "dictionary"], ObjectKind::TextSearch),
    (&["text", "search", "parser"], ObjectKind::TextSearch),
    (&["text", "search", "template"], ObjectKind::TextSearch),
    (&["transform"], ObjectKind::Transform),
    (&["user", "mapping"], ObjectKind::UserMapping),
    (&["user"], ObjectKind::Role),
];

/// Words that may stand between CREATE and the kind.
const MODIFIERS: &[&str] = &["or", "replace", "trusted", "procedural", "default"];

/// A statement on such an object, if it is one; otherwise nothing was consumed.
pub(super) fn object(parser: &mut Parser<'_>) -> Result<Option<Operation>> {
    let first = match &parser.peek_token_ref().token {
        Token::Word(word) => word.keyword,
        _ => return Ok(None),
    };
    if !matches!(first, Keyword::CREATE | Keyword::ALTER | Keyword::DROP) {
        return Ok(None);
    }
    let modifiers = (1..5).take_while(|n| MODIFIERS.iter().any(|m| is_word(&parser.peek_nth_token_ref(*n).token, m)));
    let modifiers = modifiers.count();
    let is = |words: &[&str]| {
        words.iter().enumerate().all(|(i, word)| is_word(&parser.peek_nth_token_ref(1 + modifiers + i).token, word))
    };
    let Some((words, kind)) = KINDS.iter().find(|(words, _)| is(words)) else { return Ok(None) };
    for _ in 0..=modifiers + words.len() {
        parser.next_token();
    }
    let _ = if first == Keyword::CREATE { if_not_exists(parser) } else { if_exists(parser) };
    let name = name(parser, *kind);
    let change = match first {
        Keyword::CREATE => ObjectChange::Create,
        Keyword::DROP => ObjectChange::Drop,
        _ if eat_words(parser, &["rename", "to"]) => ObjectChange::Rename { to: fold(&parser.parse_identifier()?) },
        _ => ObjectChange::Alter,
    };
    while !at_end(parser) {
        parser.next_token();
    }
    Ok(Some(Operation::Object { kind: *kind, name, change }))
}

/// The name with its signature, up to the words that say what is done: all of it tells two objects apart.
fn name(parser: &mut Parser<'_>, kind: ObjectKind) -> String {
    const ENDS: &[&str] = &[
        "add",
        "alter",
        "as",
        "cascade",
        "connection",
        "disable",
        "drop",
        "enable",
        "execute",
        "for",
        "from",
        "function",
        "handler",
        "in",
        "inline",
        "login",
        "on",
        "options",
        "owner",
        "refresh",
        "rename",
        "reset",
        "restrict",
        "set",
        "skip",
        "to",
        "type",
        "using",
        "validator",
        "version",
        "with",
        "without",
    ];
    let mut text = String::new();
    let mut depth = 0_usize;
    while !at_end(parser) {
        let token = &parser.peek_token_ref().token;
        let ends = depth == 0 && !text.is_empty() && ENDS.iter().any(|word| is_word(token, word));
        // `CAST (a AS b)` and `USER MAPPING FOR a SERVER b` are named by all of it.
        let whole = matches!(kind, ObjectKind::UserMapping | ObjectKind::Transform | ObjectKind::OperatorClass);
        if ends && !whole || depth == 0 && *token == Token::Comma && kind != ObjectKind::Role {
            break;
        }
        let token = parser.next_token().token;
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        let glued =
            matches!(token, Token::Period | Token::Comma | Token::LParen | Token::RParen) || text.ends_with(['.', '(']);
        if !glued && !text.is_empty() {
            text.push(' ');
        }
        match token {
            Token::Word(word) if word.quote_style.is_none() => text.push_str(&word.value.to_lowercase()),
            other => text.push_str(&other.to_string()),
        }
        // The options of what is created are not its name.
        if depth == 0 && text.ends_with(')') && !matches!(kind, ObjectKind::UserMapping | ObjectKind::Transform) {
            break;
        }
    }
    text
}
