//! One statement's text → tokens with byte positions, and a parser over them. Statements are read here and nowhere else.

use std::ops::Range;

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use super::gaps::{self, Gaps};
use super::{query_gaps, tokens};

/// Parsing gives up beyond this nesting, long before the stack ends.
const RECURSION_LIMIT: usize = 200;

static DIALECT: PostgreSqlDialect = PostgreSqlDialect {};

/// A parser over tokens.
pub(crate) fn parser_over(tokens: Vec<TokenWithSpan>) -> Parser<'static> {
    Parser::new(&DIALECT).with_recursion_limit(RECURSION_LIMIT).with_tokens_with_locations(tokens)
}

/// The tokens of one statement and where each stands in its text.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    lines: Vec<Line>,
    /// None once a parser has taken them.
    tokens: Vec<TokenWithSpan>,
    /// What is left of those that a parser took.
    marks: Vec<Mark>,
}

/// Where a token stood.
struct Mark {
    span: Span,
    /// Whether the parser sees it.
    solid: bool,
    /// Whether the author wrote it, and not white space.
    written: bool,
}

/// A line of a text. Places are counted in characters, and there may be as many of them in one line as there are tokens.
struct Line {
    start: usize,
    /// Where its characters begin, unless each is a byte.
    characters: Option<Vec<u32>>,
}

/// Why a statement could not be read, with the place in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) range: Range<usize>,
}

impl<'a> Tokens<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, SyntaxError> {
        let mut start = 0;
        let mut lines = Vec::new();
        for line in text.split_inclusive('\n') {
            let characters = || line.char_indices().map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX)).collect();
            lines.push(Line { start, characters: (!line.is_ascii()).then(characters) });
            start += line.len();
        }
        // Behind the last line break, or of an empty text.
        lines.push(Line { start, characters: None });
        let mut tokens = Self { text, lines, tokens: Vec::new(), marks: Vec::new() };
        if let Some(found) = tokens::ordinary(text) {
            tokens.tokens = found;
            return Ok(tokens);
        }
        match Tokenizer::new(&DIALECT, text).tokenize_with_location() {
            Ok(found) => {
                tokens.tokens = found;
                gaps::unicode_names(&mut tokens.tokens);
                Ok(tokens)
            }
            Err(error) => {
                let at = tokens.offset(error.location);
                Err(SyntaxError { message: error.message, range: at..text.len().min(at + 1) })
            }
        }
    }

    /// A parser over the tokens. It takes them: there is one.
    pub(crate) fn parser(&mut self) -> Parser<'static> {
        let tokens = std::mem::take(&mut self.tokens);
        let mark = |TokenWithSpan { token, span }: &TokenWithSpan| {
            let solid = is_solid(token);
            Mark { span: *span, solid, written: solid || gaps::is_mended(token) }
        };
        self.marks = tokens.iter().map(mark).collect();
        parser_over(tokens)
    }

    /// What a parser would see.
    #[cfg(test)]
    pub(crate) fn solid_text(&self) -> String {
        let solid = self.tokens.iter().filter(|token| is_solid(&token.token));
        solid.map(|token| token.token.to_string()).collect::<Vec<_>>().join(" ")
    }

    /// Mends what sqlparser lacks.
    pub(crate) fn mend(&mut self) -> Gaps {
        gaps::mend(&mut self.tokens)
    }

    /// Mends what sqlparser lacks of queries.
    pub(crate) fn mend_query(&mut self) {
        query_gaps::mend(&mut self.tokens);
    }

    /// The byte range from one token up to the next one that the parser has not consumed (both by index), without surrounding white space
    /// and comments. It is the author's: what was mended away for the parser is part of it.
    pub(crate) fn range(&self, from: usize, to: usize) -> Range<usize> {
        // What was mended away behind the last token that the parser read belongs to what stands before it.
        let next = |at: usize| {
            let rest = self.marks.iter().skip(at).position(|mark| mark.solid);
            rest.map_or(self.marks.len(), |n| at + n)
        };
        let from = if from == 0 { 0 } else { next(from) };
        let inside = self.marks.get(from..next(to)).unwrap_or_default();
        match (inside.iter().find(|mark| mark.written), inside.iter().rfind(|mark| mark.written)) {
            (Some(first), Some(last)) => self.offset(first.span.start)..self.offset(last.span.end),
            _ => 0..self.text.len(),
        }
    }

    /// The place that a parser error names at its end, and the message without it.
    pub(crate) fn locate(&self, error: ParserError) -> SyntaxError {
        let message = match error {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
            ParserError::RecursionLimitExceeded => "it is nested too deeply to be read".to_owned(),
        };
        let Some((text, place)) = message.split_once(" at Line: ") else {
            return SyntaxError { message, range: 0..self.text.len().min(1) };
        };
        let mut numbers = place.split(", Column: ").map_while(|n| n.trim().parse().ok());
        let location = Location { line: numbers.next().unwrap_or(1), column: numbers.next().unwrap_or(1) };
        let at = self.offset(location);
        let mark = self.marks.iter().find(|mark| mark.span.start == location);
        let end = mark.map_or(at + 1, |mark| self.offset(mark.span.end));
        SyntaxError { message: text.to_owned(), range: at..end.clamp(at, self.text.len()) }
    }

    /// Where the first such keyword ends.
    pub(crate) fn end_of_word(&self, word: &str) -> Option<usize> {
        let token = self.tokens.iter().find(|token| is_word(&token.token, word))?;
        Some(self.offset(token.span.end))
    }

    pub(crate) fn offset(&self, location: Location) -> usize {
        let line = usize::try_from(location.line).unwrap_or(1).max(1) - 1;
        let column = usize::try_from(location.column).unwrap_or(1).max(1) - 1;
        let Some(Line { start, characters }) = self.lines.get(line) else {
            return self.text.len();
        };
        let Some(characters) = characters else {
            return (start + column).min(self.text.len());
        };
        let end = self.lines.get(line + 1).map_or(self.text.len(), |next| next.start);
        characters.get(column).map_or(end, |at| start + *at as usize)
    }
}

fn is_solid(token: &Token) -> bool {
    !matches!(token, Token::Whitespace(_) | Token::EOF)
}

/// Consumes the keywords if they come next.
pub(crate) fn eat(parser: &mut Parser<'_>, keywords: &[Keyword]) -> bool {
    parser.parse_keywords(keywords)
}

/// Consumes a word that is no keyword of sqlparser's.
pub(crate) fn eat_word(parser: &mut Parser<'_>, word: &str) -> bool {
    let found = is_word(&parser.peek_token_ref().token, word);
    if found {
        parser.next_token();
    }
    found
}

/// Consumes several words.
pub(crate) fn eat_words(parser: &mut Parser<'_>, words: &[&str]) -> bool {
    let found = words.iter().enumerate().all(|(i, word)| is_word(&parser.peek_nth_token_ref(i).token, word));
    if found {
        for _ in words {
            parser.next_token();
        }
    }
    found
}

/// Whether the words come next.
pub(crate) fn peek_words(parser: &Parser<'_>, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(i, word)| is_word(&parser.peek_nth_token_ref(i).token, word))
}

pub(crate) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// Skips to the next comma outside parentheses and brackets, or to the end. Leaves the comma.
pub(crate) fn skip_to_comma(parser: &mut Parser<'_>) {
    to_comma(parser, |_| {});
}

/// The text of what [`skip_to_comma`] skips.
pub(crate) fn text_to_comma(parser: &mut Parser<'_>) -> String {
    let mut words = Vec::new();
    to_comma(parser, |token| words.push(token.to_string()));
    words.join(" ")
}

fn to_comma(parser: &mut Parser<'_>, mut each: impl FnMut(&Token)) {
    let mut depth = 0_i32;
    loop {
        match &parser.peek_token_ref().token {
            Token::EOF | Token::SemiColon => return,
            Token::Comma if depth == 0 => return,
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
            _ => {}
        }
        each(&parser.next_token().token);
    }
}

/// Whether the statement is read to its end.
pub(crate) fn at_end(parser: &Parser<'_>) -> bool {
    matches!(parser.peek_token_ref().token, Token::EOF | Token::SemiColon)
}

/// `IF EXISTS`
pub(crate) fn if_exists(parser: &mut Parser<'_>) -> bool {
    eat(parser, &[Keyword::IF, Keyword::EXISTS])
}

/// `IF NOT EXISTS`
pub(crate) fn if_not_exists(parser: &mut Parser<'_>) -> bool {
    eat(parser, &[Keyword::IF, Keyword::NOT, Keyword::EXISTS])
}

/// `CASCADE` or `RESTRICT`; whether it was `CASCADE`.
pub(crate) fn cascade(parser: &mut Parser<'_>) -> bool {
    eat(parser, &[Keyword::CASCADE]) || {
        eat(parser, &[Keyword::RESTRICT]);
        false
    }
}
