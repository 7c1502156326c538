//! Objects that stand beside tables (publications, roles, operators, statistics, …): what they are called and whether a statement makes,
//! changes, renames or drops one. What is in them is not read.

use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::query::{kept, kept_at};
use super::{Result, misc};
use crate::sql::ast::{fold, lower_name, plain_column};
use crate::sql::lex::{Lexeme, TokenKind, lex};
use crate::sql::name::Name;
use crate::sql::operation::{
    CreateStatistics, Ident, ObjectChange, ObjectKind, Operation, PublishVerb, PublishedTable, Publishes,
};
use crate::sql::parse::{at_end, eat_words, if_exists, if_not_exists, is_word, peek_words};

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
    let lenient = if first == Keyword::CREATE { if_not_exists(parser) } else { if_exists(parser) };
    let name = name(parser, *kind);
    let change = match first {
        Keyword::CREATE => ObjectChange::Create,
        Keyword::DROP => ObjectChange::Drop,
        _ if eat_words(parser, &["rename", "to"]) => ObjectChange::Rename { to: fold(&parser.parse_identifier()?) },
        _ => ObjectChange::Alter,
    };
    if matches!(kind, ObjectKind::Role | ObjectKind::Database) && change == ObjectChange::Alter {
        // `… [IN DATABASE d] SET search_path = a, b`: where the sessions of clients look.
        while !at_end(parser) && !peek_words(parser, &["set", "search_path"]) {
            parser.next_token();
        }
        if eat_words(parser, &["set", "search_path"]) {
            let _ = parser.consume_token(&Token::Eq) || eat_words(parser, &["to"]);
            let path = misc::schemas(parser)?;
            return Ok(Some(Operation::DefaultPath { of: format!("{} {name}", kind.words()), path }));
        }
    }
    let statistics = match (kind, first) {
        (ObjectKind::Statistics, Keyword::CREATE) => statistics(parser).map(Box::new),
        _ => None,
    };
    let publishes = if *kind == ObjectKind::Publication { Some(Box::new(publishes(parser))) } else { None };
    let mut rest = String::new();
    while !at_end(parser) {
        rest.push_str(&parser.next_token().token.to_string());
        rest.push(' ');
    }
    let runs = if first == Keyword::CREATE { functions(*kind, &format!("{name} {rest}")) } else { Vec::new() };
    Ok(Some(Operation::Object { kind: *kind, name, change, lenient, statistics, publishes, runs }))
}

/// `EXECUTE FUNCTION f()`, `(SFUNC = f, …)`, `WITH FUNCTION f(a)`, `(FUNCTION = f, …)`
fn functions(kind: ObjectKind, text: &str) -> Vec<Name> {
    let words: &[&str] = match kind {
        ObjectKind::EventTrigger | ObjectKind::Cast | ObjectKind::Operator => &["function", "procedure"],
        ObjectKind::Aggregate => &["sfunc", "finalfunc", "combinefunc", "msfunc", "minvfunc", "mfinalfunc"],
        _ => return Vec::new(),
    };
    let pieces: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).collect();
    let behind = pieces.iter().enumerate().filter(|(_, piece)| piece.is_any(words)).map(|(at, _)| at + 1);
    let named = behind.filter_map(|at| {
        let at = at + usize::from(pieces.get(at).is_some_and(|piece| piece.symbol("=")));
        let inside = |piece: &&Lexeme<'_>| matches!(piece.kind, TokenKind::Word | TokenKind::Name) || piece.symbol(".");
        let part = |piece: &Lexeme<'_>| -> Option<Ident> {
            match piece.kind {
                TokenKind::Word => Some(piece.text.to_ascii_lowercase().into()),
                TokenKind::Name => Some(piece.text.trim_matches('"').into()),
                _ => None,
            }
        };
        let parts: Vec<Ident> = pieces.get(at..)?.iter().take_while(inside).filter_map(part).collect();
        match &parts[..] {
            [name] => Some(Name::bare(name.clone())),
            [schema, name] => Some(Name::qualified(schema.clone(), name.clone())),
            _ => None,
        }
    });
    named.collect()
}

/// `[(kinds)] ON a, (b + 1) FROM table`
fn statistics(parser: &mut Parser<'_>) -> Option<CreateStatistics> {
    while !at_end(parser) && !eat_words(parser, &["on"]) {
        parser.next_token();
    }
    let mut found = CreateStatistics { table: Name::default(), columns: Vec::new(), values: Vec::new() };
    loop {
        let expr = parser.parse_expr().ok()?;
        match plain_column(&expr) {
            Some(column) => found.columns.push(column),
            None => found.values.push(kept(&expr)),
        }
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    if !eat_words(parser, &["from"]) {
        return None;
    }
    found.table = lower_name(&parser.parse_object_name(false).ok()?);
    Some(found)
}

/// `FOR TABLE a (x, y) WHERE (…), b WITH (publish = 'insert')`, `ADD TABLE a`, `SET TABLES IN SCHEMA s`.
fn publishes(parser: &mut Parser<'_>) -> Publishes {
    let mut found = Publishes::default();
    let mut schemas = false;
    while !at_end(parser) {
        if eat_words(parser, &["add"]) {
            found.verb = PublishVerb::Add;
        } else if eat_words(parser, &["drop"]) {
            found.verb = PublishVerb::Drop;
        } else if eat_words(parser, &["all", "tables"]) {
            found.all = true;
        } else if eat_words(parser, &["tables", "in", "schema"]) {
            schemas = true;
        } else if eat_words(parser, &["table"]) {
            schemas = false;
            eat_words(parser, &["only"]);
        } else if eat_words(parser, &["with"])
            || peek_words(parser, &["set"]) && parser.peek_nth_token_ref(1).token == Token::LParen
        {
            let mut options = String::new();
            while !at_end(parser) {
                options.push_str(&parser.next_token().token.to_string().to_ascii_lowercase());
                options.push(' ');
            }
            if options.split(|c: char| !c.is_alphanumeric()).any(|word| word == "publish") {
                found.changes = Some(options.contains("update") || options.contains("delete"));
            }
        } else if matches!(parser.peek_token_ref().token, Token::Word(_))
            && !eat_words(parser, &["for"])
            && !eat_words(parser, &["set"])
        {
            let Ok(name) = parser.parse_object_name(false) else { return found };
            let name = lower_name(&name);
            if schemas {
                found.schemas.push(name.name);
                continue;
            }
            let mut table = PublishedTable { table: name, columns: Vec::new(), filter: Vec::new(), condition: None };
            if parser.peek_token_ref().token == Token::LParen {
                table.columns = words_in_group(parser);
            }
            if eat_words(parser, &["where"]) {
                table.condition = kept_at(parser);
                table.filter = words_in_group(parser);
            }
            found.tables.push(table);
        } else if !parser.consume_token(&Token::Comma)
            && !parser.consume_token(&Token::Mul)
            && !matches!(parser.peek_token_ref().token, Token::Word(_))
        {
            parser.next_token();
        }
    }
    found
}

/// The words of a group in parentheses.
fn words_in_group(parser: &mut Parser<'_>) -> Vec<Ident> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    while !at_end(parser) {
        match parser.next_token().token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word) if word.quote_style.is_some() => found.push(word.value.into()),
            Token::Word(word) => found.push(word.value.to_ascii_lowercase().into()),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
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
