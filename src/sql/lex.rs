//! The words of a statement, where it is looked at or changed as text. Never fails: what is never closed goes on to the end.

use super::name::Ident;

/// What a lexeme is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// White space.
    Space,
    /// A comment.
    Comment,
    /// A keyword or a name without quotes.
    Word,
    /// A name in double quotes.
    Name,
    /// A string of any kind, its prefix (`E`, `B`, …) included.
    Text,
    /// A number.
    Number,
    /// `$1`
    Parameter,
    /// `::`, or a single character.
    Symbol,
}

/// A piece of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lexeme<'a> {
    pub(crate) kind: TokenKind,
    pub(crate) text: &'a str,
    /// Where it starts.
    pub(crate) at: usize,
}

impl Lexeme<'_> {
    /// Whether it is this keyword.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is one of these keywords, given in lower case.
    pub(crate) fn is_any(&self, words: &[&str]) -> bool {
        self.kind == TokenKind::Word && words.iter().any(|word| self.text.eq_ignore_ascii_case(word))
    }

    /// Whether it is this symbol.
    pub(crate) fn symbol(&self, text: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == text
    }

    /// Whether it is neither white space nor a comment.
    pub(crate) fn solid(&self) -> bool {
        !matches!(self.kind, TokenKind::Space | TokenKind::Comment)
    }

    /// The name that it is, folded unless it is quoted.
    pub(crate) fn name(&self) -> Option<Ident> {
        match self.kind {
            TokenKind::Word => Some(self.text.to_ascii_lowercase().into()),
            TokenKind::Name => Some(self.text.trim_matches('"').replace("\"\"", "\"").into()),
            _ => None,
        }
    }

    /// One past its last byte.
    pub(crate) fn end(&self) -> usize {
        self.at + self.text.len()
    }
}

/// The words of a text in any language.
pub(crate) fn words_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The operators that are written as signs in a text.
pub(crate) fn operators_in(text: &str) -> Vec<&str> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let signs =
        lexemes(text).filter(|piece| piece.kind == TokenKind::Symbol && "+-*/<>=~!@#%^&|`?".contains(piece.text));
    for sign in signs {
        match found.last_mut().filter(|(_, end)| *end == sign.at) {
            Some((_, end)) => *end = sign.end(),
            None => found.push((sign.at, sign.end())),
        }
    }
    found.into_iter().map(|(start, end)| &text[start..end]).collect()
}

/// Cuts a text into its lexemes; together they are the whole text.
pub(crate) fn lex(text: &str) -> Vec<Lexeme<'_>> {
    lexemes(text).collect()
}

/// The same, one after the other.
pub(crate) fn lexemes(text: &str) -> impl Iterator<Item = Lexeme<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == text.len() {
            return None;
        }
        let (kind, length) = next(text, at);
        let end = text.ceil_char_boundary((at + length.max(1)).min(text.len()));
        let found = Lexeme { kind, text: &text[at..end], at };
        at = end;
        Some(found)
    })
}

fn next(text: &str, at: usize) -> (TokenKind, usize) {
    let rest = &text.as_bytes()[at..];
    match rest[0] {
        b if b.is_ascii_whitespace() => (TokenKind::Space, run(rest, |b| b.is_ascii_whitespace())),
        b'-' if rest.starts_with(b"--") => (TokenKind::Comment, run(rest, |b| !matches!(b, b'\n' | b'\r'))),
        b'/' if rest.starts_with(b"/*") => (TokenKind::Comment, comment(rest)),
        b'\'' => (TokenKind::Text, quoted(rest, b'\'', false)),
        b'"' => (TokenKind::Name, quoted(rest, b'"', false)),
        b'$' if rest.get(1).is_some_and(u8::is_ascii_digit) => {
            (TokenKind::Parameter, 1 + rest[1..].iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len() - 1))
        }
        b'$' => match dollar_quoted(&text[at..]) {
            Some(length) => (TokenKind::Text, length),
            None => (TokenKind::Symbol, 1),
        },
        b':' if rest.starts_with(b"::") => (TokenKind::Symbol, 2),
        b if b.is_ascii_digit() || (b == b'.' && rest.get(1).is_some_and(u8::is_ascii_digit)) => {
            (TokenKind::Number, number(rest))
        }
        b if is_word_start(b) => {
            let length = run(rest, is_word_byte);
            let quote = rest.get(length).copied();
            match (&rest[..length], quote) {
                (b"e" | b"E", Some(b'\'')) => (TokenKind::Text, length + quoted(&rest[length..], b'\'', true)),
                (b"b" | b"B" | b"x" | b"X" | b"n" | b"N", Some(b'\'')) => {
                    (TokenKind::Text, length + quoted(&rest[length..], b'\'', false))
                }
                _ => (TokenKind::Word, length),
            }
        }
        _ => (TokenKind::Symbol, 1),
    }
}

fn run(rest: &[u8], test: impl Fn(u8) -> bool) -> usize {
    rest.iter().position(|byte| !test(*byte)).unwrap_or(rest.len())
}

fn number(rest: &[u8]) -> usize {
    let mut length = 0;
    while let Some(byte) = rest.get(length) {
        let exponent = matches!(byte, b'+' | b'-') && matches!(rest[length - 1], b'e' | b'E');
        if byte.is_ascii_alphanumeric() || *byte == b'.' || *byte == b'_' || (length > 0 && exponent) {
            length += 1;
        } else {
            break;
        }
    }
    length
}

fn comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while at < rest.len() {
        if escapes && rest[at] == b'\\' {
            at += 2;
        } else if rest[at] != quote {
            at += 1;
        } else if rest.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    rest.len()
}

fn dollar_quoted(rest: &str) -> Option<usize> {
    let length = rest[1..].bytes().position(|b| !is_word_byte(b) || b == b'$')? + 1;
    if rest.as_bytes().get(length) != Some(&b'$') {
        return None;
    }
    let tag = &rest[..=length];
    Some(rest[tag.len()..].find(tag).map_or(rest.len(), |end| tag.len() + end + tag.len()))
}

pub(super) fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

pub(super) fn is_word_byte(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(TokenKind, &str)]) {
        let found: Vec<_> = lex(text).into_iter().filter(Lexeme::solid).map(|l| (l.kind, l.text)).collect();
        assert_eq!(found, expected);
        assert_eq!(lex(text).into_iter().map(|l| l.text).collect::<String>(), text, "nothing is lost");
    }

    #[test]
    fn words_strings_numbers_and_parameters() {
        use TokenKind::{Name, Number, Parameter, Symbol, Text, Word};
        check("a\"b\"'c''d' 1.5e-3", &[(Word, "a"), (Name, "\"b\""), (Text, "'c''d'"), (Number, "1.5e-3")]);
        check("$12::int", &[(Parameter, "$12"), (Symbol, "::"), (Word, "int")]);
        check(r"E'\'' $a$'$a$ -- $1", &[(Text, r"E'\''"), (Text, "$a$'$a$")]);
        check("x/* 'a /* */ */+é", &[(Word, "x"), (Symbol, "+"), (Word, "é")]);
        check("'open", &[(Text, "'open")]);
        check(r"E'open\", &[(Text, r"E'open\")]);
        check("…$", &[(Word, "…$")]);
    }
}
