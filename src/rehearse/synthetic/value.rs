//! Values of PostgreSQL's types as text, another one for another number, in the order of the numbers where the type has one.

use std::collections::BTreeMap;

use crate::postgres::tables::{DataType, Shape};

/// What is known of the types.
pub(super) type Types = BTreeMap<u32, DataType>;

/// Types within types.
const DEEPEST: usize = 6;

/// Numbers begin here, so that a sequence that begins at one does not meet them.
const FIRST: u32 = 101;

/// The `n`-th value of a type; `None`: none is known of it.
pub(super) fn value(types: &Types, data_type: u32, modifier: i32, word: &str, n: u32) -> Option<String> {
    within(types, data_type, modifier, word, n, 0)
}

fn within(types: &Types, data_type: u32, modifier: i32, word: &str, n: u32, depth: usize) -> Option<String> {
    let found = types.get(&data_type).filter(|_| depth < DEEPEST)?;
    let of = |data_type: u32, modifier: i32, n: u32| within(types, data_type, modifier, word, n, depth + 1);
    match &found.shape {
        Shape::Base => base(&found.name, modifier, word, n),
        Shape::Enum(labels) => Some(labels.get(n as usize % labels.len().max(1))?.clone()),
        Shape::Array(element) => Some(format!("{{{}}}", quoted(&of(*element, modifier, n)?))),
        Shape::Domain { base, modifier, .. } => of(*base, *modifier, n),
        // Two of them do not overlap.
        Shape::Range(bound) => Some(range(&of(*bound, -1, 2 * n)?, &of(*bound, -1, 2 * n + 1)?)),
        Shape::Multirange(bound) => {
            Some(format!("{{{}}}", range(&of(*bound, -1, 2 * n)?, &of(*bound, -1, 2 * n + 1)?)))
        }
        Shape::Composite(fields) => {
            let fields: Option<Vec<String>> =
                fields.iter().map(|(data_type, modifier)| Some(quoted(&of(*data_type, *modifier, n)?))).collect();
            Some(format!("({})", fields?.join(",")))
        }
    }
}

fn range(from: &str, to: &str) -> String {
    format!("[{},{})", quoted(from), quoted(to))
}

/// As an element of an array, a range or a row.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A value of a type that is made of nothing else.
fn base(name: &str, modifier: i32, word: &str, n: u32) -> Option<String> {
    let number = u64::from(FIRST) + u64::from(n);
    let (day, month, year) = (1 + n % 28, 1 + n / 28 % 12, 2024 + n / 336);
    let date = format!("{year:04}-{month:02}-{day:02}");
    let host = format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255);
    Some(match name {
        "int2" => (number % 32_000).to_string(),
        "int4" | "int8" | "oid" | "xid8" => number.to_string(),
        "float4" | "float8" => format!("{number}.5"),
        "money" => format!("{number}.50"),
        "numeric" => decimal(number, modifier),
        "bool" => (n.is_multiple_of(2)).to_string(),
        "text" | "varchar" | "bpchar" | "name" | "citext" | "char" => text(word, n, length(name, modifier)),
        "uuid" => format!("00000000-0000-4000-8000-{number:012x}"),
        "date" => date,
        "timestamp" => format!("{date} 12:00:00"),
        "timestamptz" => format!("{date} 12:00:00+00"),
        "time" => format!("{:02}:{:02}:{:02}", n / 3600 % 24, n / 60 % 60, n % 60),
        "timetz" => format!("{:02}:{:02}:{:02}+00", n / 3600 % 24, n / 60 % 60, n % 60),
        "interval" => format!("{number} days"),
        "json" | "jsonb" => format!("{{\"n\": {number}}}"),
        "bytea" => format!("\\x{number:08x}"),
        "inet" => host,
        "cidr" => format!("{host}/32"),
        "macaddr" => format!("08:00:2b:{:02x}:{:02x}:{:02x}", n >> 16 & 255, n >> 8 & 255, n & 255),
        "macaddr8" => format!("08:00:2b:00:00:{:02x}:{:02x}:{:02x}", n >> 16 & 255, n >> 8 & 255, n & 255),
        "bit" => bits(n, usize::try_from(modifier).unwrap_or(1)),
        "varbit" => bits(n, usize::try_from(modifier).map_or(16, |most| most.min(16))),
        "point" => format!("({number},{number})"),
        "line" => format!("{{1,2,{number}}}"),
        "lseg" | "box" => format!("({number}.5,1),({number},0)"),
        "path" => format!("[({number},0),({number},1)]"),
        "polygon" => format!("(({number},0),({number},1),({number}.5,1))"),
        "circle" => format!("<({number},0),0.25>"),
        "xml" => format!("<n>{number}</n>"),
        "tsvector" | "tsquery" => format!("'w{number}'"),
        "pg_lsn" => format!("0/{number:X}"),
        "hstore" => format!("\"n\"=>\"{number}\""),
        "ltree" => format!("n{number}"),
        _ => return None,
    })
}

/// How many characters a text may have.
fn length(name: &str, modifier: i32) -> Option<usize> {
    match name {
        // The modifier counts four bytes more.
        "varchar" | "bpchar" if modifier > 4 => usize::try_from(modifier - 4).ok(),
        "bpchar" | "char" => Some(1),
        "name" => Some(63),
        _ => None,
    }
}

/// A word with a number; the number alone, and then its end, where there is no room.
fn text(word: &str, n: u32, most: Option<usize>) -> String {
    let word = if word.is_empty() { "text" } else { word };
    let (number, most) = (n.to_string(), most.unwrap_or(usize::MAX));
    if number.len() > most {
        return letters(n, most);
    }
    let room = most - number.len();
    match room {
        0 => letters(n, most),
        1 => format!("{}{number}", word.chars().next().unwrap_or('t')),
        _ => format!("{}-{number}", word.chars().take(room - 1).collect::<String>()),
    }
}

/// A number in so many letters and digits.
fn letters(n: u32, places: usize) -> String {
    let digit = |at: usize| std::char::from_digit(n / 36_u32.pow(u32::try_from(at).unwrap_or(0).min(5)) % 36, 36);
    let text: String = (0..places.min(6)).rev().filter_map(digit).collect();
    text
}

fn bits(n: u32, places: usize) -> String {
    (0..places).rev().map(|at| if at < 32 && n >> at & 1 == 1 { '1' } else { '0' }).collect()
}

/// A number with as many digits before and behind the point as there is room for.
fn decimal(number: u64, modifier: i32) -> String {
    let Ok(modifier) = u32::try_from(modifier - 4) else { return format!("{number}.5") };
    let (precision, scale) = (modifier >> 16 & 0xffff, modifier & 0x7ff);
    // Scales are signed since PostgreSQL 15.
    let whole = if scale >= 1024 { precision } else { precision.saturating_sub(scale) };
    let most = 10_u64.saturating_pow(whole.min(18));
    if scale >= 1024 {
        return (number % most.max(2)).to_string();
    }
    match (whole, scale) {
        (0, scale) => {
            format!("0.{:0>width$}", number % 10_u64.saturating_pow(scale.min(9)), width = scale.min(9) as usize)
        }
        (_, 0) => (number % most).to_string(),
        (_, _) => format!("{}.5", number % most),
    }
}

/// Texts of many shapes, for checks that want one of them.
pub(super) fn shapes(n: u32) -> Vec<String> {
    vec![
        format!("a{n}@example.com"),
        format!("https://example.com/{n}"),
        format!("{}", 10_000 + n),
        format!("a{n}"),
        format!("A{n}"),
        format!("a-{n}"),
        "{}".to_owned(),
        "a".to_owned(),
        "ABC".to_owned(),
        "AB".to_owned(),
        "abc".to_owned(),
        format!("+1555010{:04}", n % 10_000),
        format!("#{:06x}", n),
        format!("{:04x}", n % 65_536),
        format!("{n:032x}"),
        format!("{n:040x}"),
        format!("{n:064x}"),
        format!("0x{n:040x}"),
        format!("0x{n:064x}"),
        format!("00000000-0000-4000-8000-{n:012x}"),
        format!("2024-01-{:02}", 1 + n % 28),
        format!("1.0.{n}"),
        format!("v1.0.{n}"),
        format!("/a/{n}"),
        format!("10.0.0.{}", n % 256),
        String::new(),
    ]
}

/// The constants of an expression that may be values of what it compares: strings with their wildcards filled in, and numbers with their
/// neighbours. The second says whether it is a number.
pub(super) fn constants(expression: &str) -> Vec<(String, bool)> {
    use crate::sql::lex::{Lexeme, TokenKind, lex};
    let lexemes: Vec<Lexeme<'_>> = lex(expression).into_iter().filter(Lexeme::solid).collect();
    let mut found: Vec<(String, bool)> = Vec::new();
    for (at, lexeme) in lexemes.iter().enumerate() {
        let negative = at > 0 && lexemes[at - 1].symbol("-");
        match lexeme.kind {
            TokenKind::Text => {
                let inner = lexeme.text.trim_start_matches(|c: char| c != '\'');
                let inner = inner.trim_start_matches('\'').strip_suffix('\'').unwrap_or_default().replace("''", "'");
                // The server prints a list of constants as one array.
                let elements = inner.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
                match elements {
                    Some(list) if !list.contains(':') => {
                        found.extend(list.split(',').map(|one| (one.trim_matches('"').to_owned(), false)));
                    }
                    _ => {
                        let filled = inner.replace('%', "x1").replace('_', "x");
                        if inner.contains('%') {
                            found.push((filled, false));
                        }
                        match inner.parse::<i64>() {
                            Ok(number) => found.extend(around(number).map(|number| (number, true))),
                            Err(_) => found.push((inner, false)),
                        }
                    }
                }
            }
            TokenKind::Number => match lexeme.text.parse::<i64>() {
                Ok(number) => {
                    let number = if negative { -number } else { number };
                    found.extend(around(number).map(|number| (number, true)));
                }
                Err(_) => found.push((lexeme.text.to_owned(), true)),
            },
            TokenKind::Word
            | TokenKind::Name
            | TokenKind::Parameter
            | TokenKind::Symbol
            | TokenKind::Space
            | TokenKind::Comment => {}
        }
    }
    let mut unique: Vec<(String, bool)> = Vec::new();
    for one in found {
        if !unique.contains(&one) {
            unique.push(one);
        }
    }
    unique
}

fn around(number: i64) -> impl Iterator<Item = String> {
    [number, number.saturating_add(1), number.saturating_sub(1)].into_iter().map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, modifier: i32, n: u32, expected: &str) {
        assert_eq!(base(name, modifier, "status", n).as_deref(), Some(expected), "{name} {modifier} {n}");
    }

    #[test]
    fn values_have_room_in_their_types() {
        check("int4", -1, 2, "103");
        check("text", -1, 12, "status-12");
        check("varchar", 4 + 5, 12, "st-12");
        check("varchar", 4 + 3, 12, "s12");
        check("varchar", 4 + 1, 12, "c");
        check("varchar", 4 + 2, 12, "0c");
        check("numeric", -1, 2, "103.5");
        check("numeric", (5 << 16 | 2) + 4, 2, "103.5");
        check("numeric", (2 << 16 | 1) + 4, 2, "3.5");
        check("numeric", (3 << 16) + 4, 2, "103");
        check("numeric", (2 << 16 | 2) + 4, 2, "0.03");
        check("bit", 4, 5, "0101");
        check("date", -1, 400, "2025-03-09");
        assert_eq!(base("record", -1, "", 0), None);
    }

    #[test]
    fn ranges_follow_each_other() {
        let data_type = |name: &str, shape| DataType { name: name.to_owned(), shape };
        let types = Types::from([
            (1, data_type("int4", Shape::Base)),
            (2, data_type("int4range", Shape::Range(1))),
            (3, data_type("_int4", Shape::Array(1))),
            (4, data_type("pair", Shape::Composite(vec![(1, -1), (3, -1)]))),
        ]);
        assert_eq!(value(&types, 2, -1, "", 1).as_deref(), Some("[\"103\",\"104\")"));
        assert_eq!(value(&types, 3, -1, "", 1).as_deref(), Some("{\"102\"}"));
        assert_eq!(value(&types, 4, -1, "", 1).as_deref(), Some("(\"102\",\"{\\\"102\\\"}\")"));
    }

    #[test]
    fn the_constants_of_a_check() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<String> = constants(text).into_iter().map(|(text, _)| text).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("(status = ANY (ARRAY['a'::text, 'it''s'::text]))", &["a", "it's"]);
        check("((x > 0) AND (x < '-5'::integer))", &["0", "1", "-1", "-5", "-4", "-6"]);
        check("email ~~ '%@%.%'::text", &["x1@x1.x1", "%@%.%"]);
        check("(kind)::text = ANY ('{a,b}'::text[])", &["a", "b"]);
        check("FOR VALUES FROM ('2024-01-01') TO (MAXVALUE)", &["2024-01-01"]);
    }
}
