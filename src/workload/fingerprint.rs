//! Which queries are one: white space, comments, the case of words and the constants do not count, as in `pg_stat_statements`. The same
//! walk takes the values out of a text so that it can still be prepared.

use serde::{Deserialize, Serialize};

use crate::digest;
use crate::sql::lex::{Lexeme, TokenKind, lex};

/// What is equal for queries that differ in white space, comments and constants only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Fingerprint(pub String);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Types whose constants may be written `type 'constant'`.
const TYPED: &[&str] = &[
    "bit",
    "bool",
    "boolean",
    "bytea",
    "date",
    "decimal",
    "float4",
    "float8",
    "inet",
    "int",
    "int2",
    "int4",
    "int8",
    "integer",
    "interval",
    "json",
    "jsonb",
    "numeric",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "uuid",
    "xml",
];

/// What may follow `interval '1'`.
const UNITS: &[&str] = &["year", "month", "day", "hour", "minute", "second"];

/// Lists of constants of any length are one: `IN (1, 2, 3)`.
const LIST: &str = "(…)";

/// The fingerprint of a query.
pub fn fingerprint(text: &str) -> Fingerprint {
    let lexemes: Vec<_> = lex(text).into_iter().filter(Lexeme::solid).collect();
    let mut parts = String::with_capacity(text.len());
    let mut i = 0;
    while let Some(lexeme) = lexemes.get(i) {
        if lexeme.symbol("(")
            && i > 0
            && lexemes[i - 1].is("in")
            && let Some(length) = list(&lexemes[i..])
        {
            parts.push_str(LIST);
            i += length;
            continue;
        }
        match lexeme.kind {
            TokenKind::Text | TokenKind::Number if !is_position(&lexemes, i) => parts.push('$'),
            TokenKind::Parameter => parts.push('$'),
            TokenKind::Word => parts.push_str(&lexeme.text.to_lowercase()),
            _ => parts.push_str(lexeme.text),
        }
        parts.push(' ');
        i += 1;
    }
    let parts = parts.trim_end_matches([' ', ';']);
    let mut digest = digest::sha256(parts);
    digest.truncate(16);
    Fingerprint(digest)
}

/// How many lexemes a list of nothing but constants and parameters takes.
fn list(lexemes: &[Lexeme<'_>]) -> Option<usize> {
    let end = lexemes.iter().position(|l| l.symbol(")"))?;
    let constant = |l: &Lexeme<'_>| {
        matches!(l.kind, TokenKind::Text | TokenKind::Number | TokenKind::Parameter) || l.symbol(",") || l.symbol("-")
    };
    lexemes[1..end].iter().all(constant).then_some(end + 1)
}

/// Whether a constant is no value: a column's position (`ORDER BY 1`), or the length in a type (`varchar(20)`).
fn is_position(lexemes: &[Lexeme<'_>], i: usize) -> bool {
    if lexemes[i].kind != TokenKind::Number {
        return false;
    }
    // Back over `1, 2` to the word that begins the list.
    let mut at = i;
    let mut opened = false;
    while at > 0 {
        at -= 1;
        let lexeme = lexemes[at];
        if lexeme.is("by") {
            return !opened;
        }
        if lexeme.symbol("(") && !opened {
            opened = true;
        } else if opened {
            let name = lexeme.is_any(&[
                "numeric",
                "decimal",
                "varchar",
                "char",
                "character",
                "bit",
                "varying",
                "time",
                "timestamp",
                "timestamptz",
                "interval",
                "float",
                "bpchar",
                "timetz",
            ]);
            return name;
        } else if !(lexeme.symbol(",") || lexeme.kind == TokenKind::Number || lexeme.is_any(&["asc", "desc"])) {
            return false;
        }
    }
    false
}

/// The query with a parameter in the place of every constant. Numbers keep the type that PostgreSQL gives them, so that what is called
/// and compared stays the same; the numbers go on behind those that are there.
pub fn without_values(text: &str) -> String {
    let lexemes: Vec<_> = lex(text);
    let solid: Vec<_> = lexemes.iter().copied().filter(Lexeme::solid).collect();
    let mut next: u32 = solid
        .iter()
        .filter(|l| l.kind == TokenKind::Parameter)
        .filter_map(|l| l.text[1..].parse().ok())
        .max()
        .unwrap_or(0);
    // `GROUP BY date_trunc('day', at)` must stay the expression of the select list.
    let shared = solid.iter().any(|l| l.is("group"));
    let mut known: Vec<(&str, u32)> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut i = 0;
    let mut after_interval = false;
    for lexeme in &lexemes {
        if lexeme.kind == TokenKind::Comment {
            // Comments hold values, too: those of frameworks name users and requests.
            if !out.ends_with(char::is_whitespace) {
                out.push(' ');
            }
            continue;
        }
        if !lexeme.solid() {
            if !out.ends_with(char::is_whitespace) {
                out.push_str(if lexeme.text.contains('\n') { "\n" } else { " " });
            }
            continue;
        }
        let value = matches!(lexeme.kind, TokenKind::Text | TokenKind::Number) && !is_position(&solid, i);
        // `INTERVAL '1' DAY`: the unit goes with the word.
        let unit = after_interval && (lexeme.is_any(UNITS) || lexeme.is("to"));
        after_interval = unit || (after_interval && value);
        if value {
            let number = match known.iter().find(|(text, _)| shared && *text == lexeme.text) {
                Some((_, number)) => *number,
                None => {
                    next += 1;
                    known.push((lexeme.text, next));
                    next
                }
            };
            let typed = typed_constant(&solid, i).filter(|_| lexeme.kind == TokenKind::Text);
            after_interval = typed == Some("interval");
            match typed {
                Some(name) => {
                    // The name of the type is out already.
                    out.truncate(at);
                    out.push_str(&format!("${number}::{name}"));
                }
                None => out.push_str(&format!("${number}{}", number_type(lexeme))),
            }
        } else if !unit {
            at = if starts_typed(&solid, i) { out.len() } else { at };
            out.push_str(lexeme.text);
        }
        i += 1;
    }
    out.trim().trim_end_matches(';').trim_end().to_owned()
}

/// The type in `date '…'`, `timestamp with time zone '…'`.
fn typed_constant(solid: &[Lexeme<'_>], i: usize) -> Option<&'static str> {
    let back = |n: usize| i.checked_sub(n).and_then(|at| solid.get(at));
    if back(1)?.is("zone") {
        let with = back(3)?.is("with");
        return match back(4) {
            Some(l) if l.is("timestamp") => Some(if with { "timestamptz" } else { "timestamp" }),
            Some(l) if l.is("time") => Some(if with { "timetz" } else { "time" }),
            _ => None,
        };
    }
    // `::date 'x'` is no SQL, `a.date` is a column.
    if back(2).is_some_and(|l| l.symbol(".") || l.symbol("::")) {
        return None;
    }
    TYPED.iter().find(|name| back(1).is_some_and(|l| l.is(name))).copied()
}

/// Whether a word begins the type of such a constant.
fn starts_typed(solid: &[Lexeme<'_>], i: usize) -> bool {
    let ahead = |n: usize| solid.get(i + n).is_some_and(|l| l.kind == TokenKind::Text);
    (ahead(1) && typed_constant(solid, i + 1).is_some() && !solid[i].is("zone"))
        || (ahead(4) && solid[i].is_any(&["time", "timestamp"]) && typed_constant(solid, i + 4).is_some())
}

/// The type that PostgreSQL gives a number without a cast.
fn number_type(lexeme: &Lexeme<'_>) -> &'static str {
    if lexeme.kind != TokenKind::Number {
        return "";
    }
    match lexeme.text.parse::<i64>() {
        Ok(number) if i32::try_from(number).is_ok() => "::int4",
        Ok(_) => "::int8",
        Err(_) => "::numeric",
    }
}

/// A name for a query that has none: its verb, the first table, and a piece of its fingerprint.
pub(super) fn summary(text: &str) -> String {
    let lexemes: Vec<_> = lex(text).into_iter().filter(Lexeme::solid).collect();
    let word = |l: &Lexeme<'_>| l.text.to_lowercase();
    let start = lexemes.iter().find(|l| l.kind == TokenKind::Word).map_or_else(|| "query".into(), word);
    let verbs = ["insert", "update", "delete", "merge", "select"];
    // What a `WITH` is for stands behind it.
    let verb = if start == "with" { lexemes.iter().find(|l| l.is_any(&verbs)).map_or(start, word) } else { start };
    let before = ["from", "into", "update", "join", "only", "table", "truncate", "lock"];
    let table = lexemes.windows(2).enumerate().find(|(_, pair)| pair[0].is_any(&before) && is_name(&pair[1]));
    let table = table.map(|(i, _)| {
        let mut name = lexemes[i + 1].text.trim_matches('"').to_owned();
        let mut at = i + 2;
        while lexemes.get(at).is_some_and(|l| l.symbol(".")) && lexemes.get(at + 1).is_some_and(is_name) {
            name = format!("{name}.{}", lexemes[at + 1].text.trim_matches('"'));
            at += 2;
        }
        format!(" {name}")
    });
    format!("{verb}{} {}", table.unwrap_or_default(), &fingerprint(text).0[..8])
}

fn is_name(lexeme: &Lexeme<'_>) -> bool {
    let keyword = lexeme.is_any(&["only", "select", "table", "lateral", "set"]);
    matches!(lexeme.kind, TokenKind::Word | TokenKind::Name) && !keyword
}

/// The name in a comment of the query itself: `-- name: get_user :one`, as sqlc sends it.
pub(super) fn own_name(text: &str) -> Option<String> {
    let comment = lex(text).into_iter().take_while(|l| !l.solid()).find(|l| l.kind == TokenKind::Comment)?;
    let body = comment.text.trim_start_matches(['-', '/', '*']).trim();
    Some(body.strip_prefix("name:")?.split_whitespace().next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_same(one: &str, other: &str) {
        assert_eq!(fingerprint(one), fingerprint(other), "{one} and {other}");
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(without_values(text), expected);
        assert_eq!(without_values(expected), expected, "nothing is left to take out");
    }

    #[test]
    fn white_space_comments_case_and_constants_do_not_count() {
        check_same("SELECT a FROM t WHERE b = 1", "select  a\nfrom T where b = 'x' -- why\n;");
        check_same("SELECT a FROM t WHERE b = $1", "/* x */ SELECT a FROM t WHERE b = 7");
        check_same("SELECT 1 WHERE a IN (1, 2, -3)", "SELECT 1 WHERE a IN ($1)");
        for (one, other) in [
            ("SELECT a FROM t", "SELECT b FROM t"),
            ("SELECT \"A\" FROM t", "SELECT \"a\" FROM t"),
            ("SELECT a, b FROM t ORDER BY 1", "SELECT a, b FROM t ORDER BY 2"),
            ("SELECT a::varchar(2) FROM t", "SELECT a::varchar(3) FROM t"),
        ] {
            assert_ne!(fingerprint(one), fingerprint(other), "{one} and {other}");
        }
    }

    #[test]
    fn values_are_taken_out_and_the_query_still_prepares() {
        check("SELECT a FROM t WHERE b = 'x' AND c = 1", "SELECT a FROM t WHERE b = $1 AND c = $2::int4");
        check(
            "SELECT a /* u=7 */ FROM t WHERE b = $3 AND c = 3000000000;",
            "SELECT a FROM t WHERE b = $3 AND c = $4::int8",
        );
        check("SELECT interval '1 day', date '2020-01-01'", "SELECT $1::interval, $2::date");
        check("SELECT timestamp with time zone 'x' AT TIME ZONE 'y'", "SELECT $1::timestamptz AT TIME ZONE $2");
        check("SELECT INTERVAL '1' DAY + a FROM t", "SELECT $1::interval + a FROM t");
        check("SELECT a FROM t ORDER BY 2, 1 DESC LIMIT 5", "SELECT a FROM t ORDER BY 2, 1 DESC LIMIT $1::int4");
        check("SELECT a::numeric(10, 2) * 1.5", "SELECT a::numeric(10, 2) * $1::numeric");
        check(
            "SELECT date_trunc('day', a), 'x' FROM t GROUP BY date_trunc('day', a)",
            "SELECT date_trunc($1, a), $2 FROM t GROUP BY date_trunc($1, a)",
        );
    }

    #[test]
    fn a_query_without_a_name_is_called_by_what_it_does() {
        let check = |text: &str, expected: &str| {
            assert_eq!(summary(text).rsplit_once(' ').map(|(name, _)| name.to_owned()), Some(expected.to_owned()));
        };
        check("SELECT * FROM ONLY \"Users\" u", "select Users");
        check("INSERT INTO app.t (a) VALUES (1)", "insert app.t");
        check("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "delete t");
        check("SELECT 1", "select");
        assert_eq!(own_name("-- name: get_user :one\nSELECT 1"), Some("get_user".into()));
        assert_eq!(own_name("SELECT 1 -- name: x"), None);
    }
}
