//! The tokens of an ordinary statement, for sqlparser's parser. Its own tokenizer takes as long as all the rest of reading: it makes a token of
//! every space, and looks through all keywords for every word. What is ordinary is made into the same tokens here, without white space and
//! comments, which the parser passes over; a statement with anything else in it is left to sqlparser as a whole.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use sqlparser::ast::DollarQuotedString;
use sqlparser::keywords::{ALL_KEYWORDS, ALL_KEYWORDS_INDEX, Keyword};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Word};

/// The keywords in upper case.
static KEYWORDS: LazyLock<FxHashMap<&[u8], Keyword>> = LazyLock::new(|| {
    let words = ALL_KEYWORDS.iter().map(|word| word.as_bytes());
    words.zip(ALL_KEYWORDS_INDEX.iter().copied()).collect()
});

/// No keyword is longer.
const LONGEST: usize = 48;

/// The tokens of a text; `None`: not all of it is ordinary.
pub(super) fn ordinary(text: &str) -> Option<Vec<TokenWithSpan>> {
    if !text.is_ascii() {
        return None;
    }
    let mut cursor = Cursor { text, bytes: text.as_bytes(), at: 0, line: 1, line_start: 0 };
    let mut tokens = Vec::with_capacity(text.len() / 6);
    while let Some(byte) = cursor.peek(0) {
        let start = cursor.location();
        match byte {
            b' ' | b'\t' => cursor.at += 1,
            b'\n' => cursor.newline(),
            b'\r' if cursor.peek(1) == Some(b'\n') => cursor.at += 1,
            b'-' if cursor.peek(1) == Some(b'-') => cursor.comment()?,
            _ => {
                let token = cursor.token(byte)?;
                tokens.push(TokenWithSpan { token, span: Span { start, end: cursor.location() } });
            }
        }
    }
    Some(tokens)
}

struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u64,
    line_start: usize,
}

impl Cursor<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn location(&self) -> Location {
        Location { line: self.line, column: (self.at - self.line_start + 1) as u64 }
    }

    fn newline(&mut self) {
        self.at += 1;
        self.line += 1;
        self.line_start = self.at;
    }

    /// Goes on to a place, over whatever lines there are.
    fn pass(&mut self, end: usize) {
        let newlines = |passed: &[u8]| passed.iter().filter(|byte| **byte == b'\n').count();
        let passed = &self.bytes[self.at..end];
        if let Some(last) = passed.iter().rposition(|byte| *byte == b'\n') {
            self.line += newlines(passed) as u64;
            self.line_start = self.at + last + 1;
        }
        self.at = end;
    }

    /// Passes over a comment up to the end of its line.
    fn comment(&mut self) -> Option<()> {
        let length = self.bytes[self.at..].iter().position(|byte| *byte == b'\n').unwrap_or(self.bytes.len() - self.at);
        let comment = &self.bytes[self.at..self.at + length];
        // To sqlparser, a carriage return ends it, too.
        let inside = comment.strip_suffix(b"\r").unwrap_or(comment);
        self.at += length;
        (!inside.contains(&b'\r')).then_some(())
    }

    fn token(&mut self, byte: u8) -> Option<Token> {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'0'..=b'9' => self.number(),
            b'\'' => self.string(),
            b'"' => self.name(),
            b'$' => self.dollar(),
            _ => self.symbol(byte),
        }
    }

    /// What a run of bytes that pass the test is.
    fn run(&mut self, test: impl Fn(u8) -> bool) -> &str {
        let length = self.bytes[self.at..].iter().position(|byte| !test(*byte)).unwrap_or(self.bytes.len() - self.at);
        let found = &self.text[self.at..self.at + length];
        self.at += length;
        found
    }

    fn word(&mut self) -> Option<Token> {
        let word = self.run(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$');
        let word = Word { keyword: keyword(word), value: word.to_owned(), quote_style: None };
        // `E'…'`, `B'…'`, `U&"…"`
        let prefixes = word.value.len() == 1 && matches!(self.peek(0), Some(b'\'' | b'"' | b'&'));
        (!prefixes).then_some(Token::Word(word))
    }

    fn number(&mut self) -> Option<Token> {
        let number = self.run(|byte| byte.is_ascii_digit() || byte == b'.').to_owned();
        let ends = !self.peek(0).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let dots = number.bytes().filter(|byte| *byte == b'.').count();
        (ends && dots < 2 && !number.ends_with('.')).then_some(Token::Number(number, false))
    }

    fn string(&mut self) -> Option<Token> {
        let start = self.at + 1;
        let mut end = start;
        loop {
            end += self.bytes[end..].iter().position(|byte| *byte == b'\'')?;
            if self.bytes.get(end + 1) != Some(&b'\'') {
                break;
            }
            end += 2;
        }
        self.pass(end + 1);
        Some(Token::SingleQuotedString(self.text[start..end].replace("''", "'")))
    }

    fn name(&mut self) -> Option<Token> {
        let start = self.at + 1;
        let end = start + self.bytes[start..].iter().position(|byte| *byte == b'"')?;
        self.pass(end + 1);
        let value = self.text[start..end].to_owned();
        let word = Word { value, quote_style: Some('"'), keyword: Keyword::NoKeyword };
        (self.peek(0) != Some(b'"')).then_some(Token::Word(word))
    }

    /// `$1`, `$$…$$`, `$tag$…$tag$`
    fn dollar(&mut self) -> Option<Token> {
        let start = self.at;
        self.at += 1;
        let tag = self.run(|byte| byte.is_ascii_alphanumeric() || byte == b'_').to_owned();
        if self.peek(0) != Some(b'$') {
            return Some(Token::Placeholder(format!("${tag}")));
        }
        self.at += 1;
        let (from, quote) = (self.at, &self.text[start..self.at]);
        let end = from + self.text[from..].find(quote)?;
        let value = &self.text[from..end];
        self.pass(end + quote.len());
        // Of these, sqlparser has a view of its own.
        let strange = tag.is_empty() && (value.contains('$') || self.peek(0) == Some(b'$'));
        let tag = (!tag.is_empty()).then_some(tag);
        (!strange).then(|| Token::DollarQuotedString(DollarQuotedString { value: value.to_owned(), tag }))
    }

    fn symbol(&mut self, byte: u8) -> Option<Token> {
        let (token, length) = match (byte, self.peek(1)) {
            (b'(', _) => (Token::LParen, 1),
            (b')', _) => (Token::RParen, 1),
            (b',', _) => (Token::Comma, 1),
            (b';', _) => (Token::SemiColon, 1),
            (b'[', _) => (Token::LBracket, 1),
            (b']', _) => (Token::RBracket, 1),
            (b'.', next) if next != Some(b'_') && !next.is_some_and(|byte| byte.is_ascii_digit()) => (Token::Period, 1),
            (b':', Some(b':')) => (Token::DoubleColon, 2),
            (b'<', Some(b'=')) => (Token::LtEq, 2),
            (b'<', Some(b'>')) => (Token::Neq, 2),
            (b'>', Some(b'=')) => (Token::GtEq, 2),
            (b'!', Some(b'=')) => (Token::Neq, 2),
            (b'|', Some(b'|')) => (Token::StringConcat, 2),
            (b'-', Some(b'>')) if self.peek(2) == Some(b'>') => (Token::LongArrow, 3),
            (b'-', Some(b'>')) => (Token::Arrow, 2),
            (b'=', _) => (Token::Eq, 1),
            (b'<', _) => (Token::Lt, 1),
            (b'>', _) => (Token::Gt, 1),
            (b'+', _) => (Token::Plus, 1),
            (b'-', _) => (Token::Minus, 1),
            (b'*', _) => (Token::Mul, 1),
            (b'/', _) => (Token::Div, 1),
            _ => return None,
        };
        let operator = |byte: u8| b"+-*/<>=~!@#%^&|`?".contains(&byte);
        // A longer operator.
        if operator(byte) && self.peek(length).is_some_and(operator) {
            return None;
        }
        self.at += length;
        Some(token)
    }
}

fn keyword(word: &str) -> Keyword {
    let mut upper = [0; LONGEST];
    let Some(upper) = upper.get_mut(..word.len()) else { return Keyword::NoKeyword };
    upper.copy_from_slice(word.as_bytes());
    upper.make_ascii_uppercase();
    KEYWORDS.get(&*upper).copied().unwrap_or(Keyword::NoKeyword)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::tokenizer::Tokenizer;

    use super::*;

    /// Holds them against sqlparser's own; whether they are ordinary.
    fn same(text: &str) -> bool {
        let Some(found) = ordinary(text) else { return false };
        let expected = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().unwrap();
        let solid = |token: &TokenWithSpan| !matches!(token.token, Token::Whitespace(_));
        let expected: Vec<_> = expected.into_iter().filter(solid).collect();
        let spans = |tokens: &[TokenWithSpan]| tokens.iter().map(|token| token.span).collect::<Vec<_>>();
        assert_eq!(found, expected, "{text}");
        assert_eq!(spans(&found), spans(&expected), "{text}");
        true
    }

    #[test]
    fn ordinary_statements_have_the_tokens_that_sqlparser_makes() {
        for text in [
            "",
            "CREATE TABLE IF NOT EXISTS s.t (id bigint PRIMARY KEY, \"Odd name\" numeric(10, 2) DEFAULT 1.50);",
            "-- a comment\r\nALTER TABLE t\n\tADD COLUMN a text DEFAULT 'it''s\n two lines', -- why\n DROP b",
            "SELECT a->'b'->>'c', x::text[], t.*, $1, $2::int FROM t WHERE a <> 1 AND b != 2 AND c <= 3 OR d >= -4.5 AND e<f",
            "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN\n RETURN NEW; END $$ LANGUAGE plpgsql",
            "CREATE FUNCTION f() RETURNS text AS $body$ SELECT '$$ $1' || E'\\n' $body$ LANGUAGE sql",
            "SELECT ''''; SELECT a || b, 1 + 2 * 3 / 4 - 5 WHERE select_ = b$1 AND Select = unknown_word",
        ] {
            assert!(same(text), "{text}");
        }
    }

    #[test]
    fn what_is_not_ordinary_is_left_to_sqlparser() {
        for text in [
            "SELECT 'é'",
            "SELECT E'\\''",
            "SELECT b'1', x'ff', n'x', u&'x'",
            "SELECT U&\"d\\0061t\"",
            "SELECT /* a */ 1",
            "SELECT 'open",
            "SELECT \"open",
            "SELECT \"a\"\"b\"",
            "SELECT $$ open",
            "SELECT $$ a$b $$",
            "SELECT 1e5",
            "SELECT 1.",
            "SELECT .5, 1.2.3",
            "SELECT 0xff, 12ab",
            "SELECT a @> b, a ?| b, a && b, a <@ b",
            "SELECT a <-> b, a*-b, a=-1, a#>>b, ~a",
            "SELECT :name, a := 1",
            "-- a\rSELECT 1",
            "SELECT t._a",
        ] {
            assert!(!same(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_taken_for_ordinary_has_the_same_tokens(
            pieces in prop::collection::vec(
                prop_oneof![
                    "[a-zA-Z_$0-9]{1,4}", "[-+*/<>=~!@#%^&|`?:.]{1,3}", "[ \t\r\n]{1,2}", "[(),;'\"$\\[\\]{}\\\\]",
                    "'[a-z'\n ]{0,5}'", "\\$[a-z]{0,2}\\$[a-z$ \n]{0,5}\\$[a-z]{0,2}\\$", "--[a-z \r]{0,4}\n", "[0-9.eEL_x]{1,5}",
                ],
                0..12,
            )
        ) {
            same(&pieces.concat());
        }
    }
}
