//! Placeholders of templates → PostgreSQL's own numbered ones: `:name`, `@name`, `sqlc.arg(name)`, `?`, `%s`, `%(name)s`. What is put
//! together at run time (`{table}`) is told.

use super::text::{Making, Text};
use crate::sql::lex::{Lexeme, TokenKind, lex};

/// How a loader's texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// As they are sent to the server: nothing is a placeholder but `$1`.
    Sent,
    /// As a library reads them: with placeholders of its own.
    Template,
}

/// Words before something that is a value: a `?` behind them is a placeholder and no operator.
const BEFORE_VALUES: &[&str] = &[
    "select",
    "where",
    "and",
    "or",
    "not",
    "limit",
    "offset",
    "between",
    "in",
    "like",
    "ilike",
    "then",
    "else",
    "when",
    "case",
    "set",
    "values",
    "returning",
    "on",
    "by",
    "from",
    "interval",
    "date",
    "timestamp",
    "using",
    "distinct",
    "all",
    "any",
    "to",
    "having",
    "first",
    "next",
    "as",
    "is",
    "escape",
    "zone",
    "similar",
    "join",
    "into",
    "update",
    "table",
];

/// Words before a name: what is filled in there cannot be a parameter.
const BEFORE_NAMES: &[&str] = &["from", "join", "into", "update", "table"];

/// Functions of generators that stand for a parameter.
const CALLS: &[(&str, &str)] = &[("sqlc", "arg"), ("sqlc", "narg"), ("sqlc", "slice"), ("pggen", "arg")];

/// The text with numbered parameters, or why it cannot be read.
pub(super) fn numbered(text: &Text) -> Result<Text, String> {
    let source = text.as_str();
    // The common case costs nothing.
    if !source.bytes().any(|b| matches!(b, b':' | b'@' | b'?' | b'%' | b'{' | b'#' | b'<')) && !source.contains('.') {
        return Ok(text.clone());
    }
    let lexemes: Vec<_> = lex(source);
    let highest =
        lexemes.iter().filter(|l| l.kind == TokenKind::Parameter).filter_map(|l| l.text[1..].parse().ok()).max();
    let mut reader = Reader { text, lexemes: &lexemes, names: Vec::new(), next: highest.unwrap_or(0_u32), depth: 0 };
    reader.read()
}

struct Reader<'a> {
    text: &'a Text,
    lexemes: &'a [Lexeme<'a>],
    /// Each name has one number.
    names: Vec<(String, u32)>,
    next: u32,
    /// Of brackets: `a[1:n]` has no placeholder.
    depth: usize,
}

/// What stands at a lexeme.
enum Piece {
    /// A parameter: its name, if it has one, and how many lexemes it takes.
    Parameter(Option<String>, usize),
    /// Other text for this many lexemes.
    Text(String, usize),
    /// Itself.
    Same,
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Result<Text, String> {
        let mut made = Making::default();
        let mut i = 0;
        let mut previous: Option<Lexeme<'a>> = None;
        while let Some(lexeme) = self.lexemes.get(i).copied() {
            match lexeme.text {
                "[" => self.depth += 1,
                "]" => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            let length = match self.piece(i, previous)? {
                Piece::Same => {
                    made.copy_from(self.text, lexeme.at..lexeme.end());
                    1
                }
                Piece::Text(text, length) => {
                    made.replace(&text, self.text.place(lexeme.at));
                    length
                }
                Piece::Parameter(name, length) => {
                    if let Some(word) = previous.filter(|p| p.is_any(BEFORE_NAMES)) {
                        return Err(format!(
                            "its text is put together at run time (a placeholder after {})",
                            word.text
                        ));
                    }
                    let number = self.number(name);
                    made.replace(&format!("${number}"), self.text.place(lexeme.at));
                    length
                }
            };
            if lexeme.solid() {
                previous = self.lexemes.get(i + length - 1).copied();
            }
            i += length;
        }
        Ok(made.done())
    }

    fn number(&mut self, name: Option<String>) -> u32 {
        if let Some(found) = name.as_ref().and_then(|name| self.names.iter().find(|(known, _)| known == name)) {
            return found.1;
        }
        self.next += 1;
        self.names.extend(name.map(|name| (name, self.next)));
        self.next
    }

    /// The text of a lexeme that follows without white space.
    fn text(&self, i: usize) -> &'a str {
        self.lexemes.get(i).map_or("", |l| l.text)
    }

    fn kind(&self, i: usize) -> Option<TokenKind> {
        self.lexemes.get(i).map(|l| l.kind)
    }

    fn piece(&self, i: usize, previous: Option<Lexeme<'_>>) -> Result<Piece, String> {
        let lexeme = self.lexemes[i];
        let built = |what: &str| Err(format!("its text is put together at run time (`{what}`)"));
        match (lexeme.kind, lexeme.text) {
            (TokenKind::Symbol, "{") => built(&self.until(i, "}")),
            (TokenKind::Symbol, "#" | "$") if self.text(i + 1) == "{" => built(&self.until(i, "}")),
            (TokenKind::Symbol, "<") if self.text(i + 1) == "%" => built("<%"),
            (TokenKind::Symbol, ":") if self.depth == 0 => Ok(match self.kind(i + 1) {
                Some(TokenKind::Word) => Piece::Parameter(Some(self.text(i + 1).to_owned()), 2),
                Some(TokenKind::Text) => Piece::Parameter(Some(self.text(i + 1).trim_matches('\'').to_owned()), 2),
                Some(TokenKind::Name) => return built(&format!(":{}", self.text(i + 1))),
                Some(TokenKind::Number) => Piece::Parameter(Some(self.text(i + 1).to_owned()), 2),
                _ => Piece::Same,
            }),
            (TokenKind::Symbol, "@")
                if self.kind(i + 1) == Some(TokenKind::Word) && !glued_operator(self.lexemes, i) =>
            {
                Ok(Piece::Parameter(Some(self.text(i + 1).to_owned()), 2))
            }
            // JDBC writes the operator twice.
            (TokenKind::Symbol, "?") if self.text(i + 1) == "?" => Ok(Piece::Text("?".into(), 2)),
            (TokenKind::Symbol, "?") if !previous.is_some_and(ends_operand) => match self.kind(i + 1) {
                // SQLite's `?1`
                Some(TokenKind::Number) => Ok(Piece::Parameter(Some(self.text(i + 1).to_owned()), 2)),
                _ => Ok(Piece::Parameter(None, 1)),
            },
            (TokenKind::Symbol, "%") if self.text(i + 1) == "%" => Ok(Piece::Text("%".into(), 2)),
            (TokenKind::Symbol, "%") if !previous.is_some_and(ends_operand) => match self.text(i + 1) {
                "s" | "b" | "t" => Ok(Piece::Parameter(None, 2)),
                "(" if self.text(i + 3) == ")" && self.text(i + 4) == "s" => {
                    Ok(Piece::Parameter(Some(self.text(i + 2).to_owned()), 5))
                }
                other => built(&format!("%{other}")),
            },
            (TokenKind::Word, _) if self.text(i + 1) == "." => Ok(self.call(i)),
            _ => Ok(Piece::Same),
        }
    }

    /// `sqlc.arg(name)`, `sqlc.embed(table)`
    fn call(&self, i: usize) -> Piece {
        let is = |schema: &str, name: &str| {
            self.text(i).eq_ignore_ascii_case(schema)
                && self.text(i + 2).eq_ignore_ascii_case(name)
                && self.text(i + 3) == "("
        };
        let solid = |from: usize| (from..self.lexemes.len()).find(|j| self.lexemes[*j].solid());
        let argument = solid(i + 4);
        let closed = argument.and_then(|at| solid(at + 1)).filter(|end| self.text(*end) == ")");
        let (Some(argument), Some(end)) = (argument, closed) else { return Piece::Same };
        let name = self.text(argument).trim_matches(['\'', '"']).to_owned();
        if is("sqlc", "embed") {
            return Piece::Text(format!("{name}.*"), end + 1 - i);
        }
        if CALLS.iter().any(|(schema, function)| is(schema, function)) {
            return Piece::Parameter(Some(name), end + 1 - i);
        }
        Piece::Same
    }

    /// The text from a lexeme to the next such symbol, not too long.
    fn until(&self, i: usize, close: &str) -> String {
        let text: String = self.lexemes[i..].iter().take(8).map(|l| l.text).collect();
        match text.find(close) {
            Some(end) => text[..end + close.len()].to_owned(),
            None => text.chars().take(20).collect(),
        }
    }
}

/// Whether the symbol is a part of a longer operator (`<@`, `@@`).
fn glued_operator(lexemes: &[Lexeme<'_>], i: usize) -> bool {
    let before = i.checked_sub(1).and_then(|i| lexemes.get(i));
    before
        .is_some_and(|l| l.kind == TokenKind::Symbol && matches!(l.text, "<" | "@" | "!" | "~" | "&" | "|" | "#" | "-"))
}

/// Whether a value ends here, so that what follows is an operator.
fn ends_operand(lexeme: Lexeme<'_>) -> bool {
    match lexeme.kind {
        TokenKind::Word => !lexeme.is_any(BEFORE_VALUES),
        TokenKind::Name | TokenKind::Text | TokenKind::Number | TokenKind::Parameter => true,
        TokenKind::Symbol => matches!(lexeme.text, ")" | "]"),
        TokenKind::Space | TokenKind::Comment => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = numbered(&Text::plain(text, 0));
        let found = found.as_ref().map_or_else(|error| format!("error: {error}"), |t| t.as_str().to_owned());
        assert_eq!(found, expected);
    }

    #[test]
    fn every_name_has_one_number() {
        check("SELECT :a, :b, :a::int", "SELECT $1, $2, $1::int");
        check("a = @id AND b = @name OR c = @id", "a = $1 AND b = $2 OR c = $1");
        check("sqlc.arg(x), sqlc.narg('y'), sqlc.arg( x )", "$1, $2, $1");
        check("a = %(id)s AND b = %(id)s", "a = $1 AND b = $1");
        check("a = $2 AND b = :later", "a = $2 AND b = $3");
        check("SELECT sqlc.embed(users) FROM users", "SELECT users.* FROM users");
        check("a = ?1 AND b = ?1", "a = $1 AND b = $1");
    }

    #[test]
    fn placeholders_without_names_are_counted() {
        check("a = ? AND b IN (?, ?) LIMIT ? OFFSET ?", "a = $1 AND b IN ($2, $3) LIMIT $4 OFFSET $5");
        check("a = %s AND b BETWEEN %s AND %s", "a = $1 AND b BETWEEN $2 AND $3");
    }

    #[test]
    fn operators_casts_and_strings_are_none() {
        for same in [
            "SELECT ':a', \":b\", a::text, tags[1:n] FROM t",
            "data ? 'key' AND data ?| array['a'] AND (a) ? b",
            "a @> b AND c <@ d AND e @@ f",
            "a LIKE '%s' AND b % 2 = 0 AND a %s",
            "f(a := 1)",
            "-- ? :a {x}\nSELECT 1",
        ] {
            check(same, same);
        }
        check("data ?? 'key'", "data ? 'key'");
        check("a %% 2 = %s", "a % 2 = $1");
    }

    #[test]
    fn what_is_put_together_at_run_time_is_told() {
        check("SELECT * FROM {table}", "error: its text is put together at run time (`{table}`)");
        check("SELECT * FROM ${this.table} x", "error: its text is put together at run time (`${this.table}`)");
        check("SELECT #{cols} FROM t", "error: its text is put together at run time (`#{cols}`)");
        check("SELECT * FROM %s", "error: its text is put together at run time (a placeholder after FROM)");
        check("INSERT INTO ? VALUES (1)", "error: its text is put together at run time (a placeholder after INTO)");
        check("SELECT * FROM :\"t\"", "error: its text is put together at run time (`:\"t\"`)");
        check("SELECT %d", "error: its text is put together at run time (`%d`)");
    }

    #[test]
    fn places_are_those_of_the_template() {
        let text = numbered(&Text::plain("SELECT :long_name, b FROM t WHERE c = :long_name AND d = 1", 100)).unwrap();
        let at = |word: &str| text.place(text.as_str().find(word).unwrap());
        assert_eq!((at("$1"), at("b FROM"), at("d = 1")), (107, 119, 153));
    }
}
