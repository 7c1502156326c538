//! Clauses that no version of PostgreSQL takes together, by the words of a statement, and options of counters that contradict each other.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::sql::lex::{Lexeme, lex, lexemes};
use crate::sql::{Form, Words};

/// How statements read that PostgreSQL refuses, and why.
const NEVER: &[(&str, &str)] = &[
    ("create … trigger … instead of … for each statement …", "INSTEAD OF triggers must be FOR EACH ROW"),
    ("create … trigger … instead of … when ( …", "INSTEAD OF triggers cannot have WHEN conditions"),
    ("create … trigger … instead of update of …", "INSTEAD OF triggers cannot have column lists"),
    ("create … trigger … truncate on … for each row …", "TRUNCATE FOR EACH ROW triggers are not supported"),
    (
        "create … trigger … before|of insert|update|delete|truncate … referencing old|new table …",
        "transition table name can only be specified for an AFTER trigger",
    ),
    (
        "create … trigger … after truncate on … referencing …",
        "TRUNCATE triggers with transition tables are not supported",
    ),
    (
        "create … trigger … after insert|update|delete or … referencing old|new table …",
        "transition tables cannot be specified for triggers with more than one event",
    ),
    (
        "create … trigger … after update of … referencing old|new table …",
        "transition tables cannot be specified for triggers with column lists",
    ),
    (
        "create … trigger … after insert on … referencing … old table …",
        "OLD TABLE can only be specified for a DELETE or UPDATE trigger",
    ),
    (
        "create … trigger … after delete on … referencing … new table …",
        "NEW TABLE can only be specified for an INSERT or UPDATE trigger",
    ),
    (
        "create … trigger … referencing … old|new row …",
        "ROW variable naming in the REFERENCING clause is not supported",
    ),
    (
        "create constraint trigger … before|of insert|update|delete|truncate …",
        "a constraint trigger is an AFTER trigger",
    ),
    ("create constraint trigger … for each statement …", "a constraint trigger is FOR EACH ROW"),
    ("create or replace constraint trigger …", "CREATE OR REPLACE CONSTRAINT TRIGGER is not supported"),
    ("create trigger … on … deferrable|initially …", "only a constraint trigger can be deferred"),
    ("create … trigger … insert or insert …", "duplicate trigger events specified"),
    ("create … trigger … delete or delete …", "duplicate trigger events specified"),
    ("create … trigger … update or update …", "duplicate trigger events specified"),
    ("create policy … for insert … using ( …", "only WITH CHECK expression allowed for INSERT"),
    ("create policy … for select|delete … with check ( …", "WITH CHECK cannot be applied to SELECT or DELETE"),
    ("create … table … partition by list ( * , …", "cannot use \"list\" partition strategy with more than one column"),
    ("create … index … using hash ( * asc|desc …", "access method \"hash\" does not support ASC/DESC options"),
    ("create … index … using hash|brin|gin ( … ) include ( …", "the access method does not support included columns"),
];

/// The forms, by the kind of object that they are of.
static FORMS: LazyLock<Vec<(&str, Form, &str)>> = LazyLock::new(|| {
    let kind = |form: &str| KINDS.into_iter().find(|kind| form.split(' ').any(|word| word == *kind));
    NEVER.iter().filter_map(|(form, why)| Some((kind(form)?, Form::new(form), *why))).collect()
});

const KINDS: [&str; 4] = ["trigger", "policy", "index", "table"];

/// Why PostgreSQL refuses a statement, whatever there is.
pub(crate) fn clauses_refused(text: &str) -> Option<String> {
    let mut head = lexemes(text).filter(Lexeme::solid).take(8);
    let first = head.next().filter(|first| first.is_any(&["create", "alter"]))?;
    let head: Vec<Lexeme<'_>> = head.collect();
    let named = |word: &str| head.iter().any(|piece| piece.is(word));
    if let Some(kind) = KINDS.into_iter().find(|kind| named(kind)) {
        // What a policy reads may have a USING of its own.
        let clauses = if kind == "policy" { outermost(text) } else { text.to_owned() };
        let words = Words::of([&*clauses]);
        let found = FORMS.iter().find(|(of, form, _)| *of == kind && words.have(form));
        if let Some((.., why)) = found {
            return Some((*why).to_owned());
        }
    }
    if !named("sequence") && !named("table") {
        return None;
    }
    let pieces: Vec<Lexeme<'_>> = lex(text).into_iter().filter(Lexeme::solid).collect();
    if pieces.get(1..4)?.iter().any(|piece| piece.is("sequence")) {
        // One that is there is passed over, whatever is said of it.
        if pieces.windows(3).any(|at| at[0].is("if") && at[1].is("not") && at[2].is("exists")) {
            return None;
        }
        let made = first.is("create");
        let at = pieces.iter().position(|piece| piece.is("as")).and_then(|at| pieces.get(at + 1));
        return counter(&pieces, at.map_or("bigint", |piece| piece.text), made);
    }
    // `id smallint GENERATED ALWAYS AS IDENTITY (START 5)`
    let identities = (0..pieces.len()).filter(|at| pieces[*at].is("identity"));
    identities.into_iter().find_map(|at| {
        let open = pieces.get(at + 1).filter(|piece| piece.symbol("("))?;
        let close = pieces[at + 1..].iter().position(|piece| piece.symbol(")"))?;
        let generated = pieces[..at].iter().rposition(|piece| piece.is("generated"))?;
        let data_type = pieces[..generated].last()?;
        open.symbol("(").then(|| counter(&pieces[at + 2..at + 1 + close], data_type.text, true)).flatten()
    })
}

/// A statement without what stands in parentheses.
fn outermost(text: &str) -> String {
    let (mut depth, mut outer) = (0_u32, Vec::new());
    for piece in lexemes(text).filter(Lexeme::solid) {
        depth -= u32::from(piece.symbol(")") && depth > 0);
        if depth == 0 {
            outer.push(piece.text);
        }
        depth += u32::from(piece.symbol("("));
    }
    outer.join(" ")
}

/// What is wrong with the options of a counter. `made`: what is not written is as PostgreSQL has it by itself.
fn counter(pieces: &[Lexeme<'_>], data_type: &str, made: bool) -> Option<String> {
    let mut options: BTreeMap<&str, i128> = BTreeMap::new();
    for (at, piece) in pieces.iter().enumerate() {
        let known = ["increment", "minvalue", "maxvalue", "start", "cache"];
        let Some(option) = known.into_iter().find(|option| piece.is(option)) else { continue };
        let rest: Vec<_> = pieces[at + 1..].iter().skip_while(|piece| piece.is_any(&["by", "with"])).take(2).collect();
        let number = match rest.as_slice() {
            [minus, number] if minus.symbol("-") => number.text.parse::<i128>().map(|number| -number),
            [plus, number] if plus.symbol("+") => number.text.parse(),
            [number, ..] => number.text.parse(),
            [] => continue,
        };
        // A name (`sequence start`), NO MINVALUE, or a number in a form that later versions have.
        let Ok(number) = number else {
            if rest.iter().any(|piece| piece.text.starts_with(|c: char| c.is_ascii_digit())) {
                return None;
            }
            continue;
        };
        if options.insert(option, number).is_some() {
            return Some("conflicting or redundant options".to_owned());
        }
    }
    let option = |name: &str| options.get(name).copied();
    if option("increment") == Some(0) {
        return Some("INCREMENT must not be zero".to_owned());
    }
    if option("cache").is_some_and(|cache| cache < 1) {
        return Some(format!("CACHE ({}) must be greater than zero", option("cache")?));
    }
    let most = match data_type.to_ascii_lowercase().as_str() {
        "smallint" | "int2" => i128::from(i16::MAX),
        "integer" | "int" | "int4" => i128::from(i32::MAX),
        "bigint" | "int8" => i128::from(i64::MAX),
        "text" | "numeric" | "varchar" | "real" | "uuid" | "boolean" if made => {
            return Some("sequence type must be smallint, integer, or bigint".to_owned());
        }
        _ => return None,
    };
    for bound in ["minvalue", "maxvalue"] {
        if let Some(value) = option(bound).filter(|value| *value > most || *value < -most - 1) {
            return Some(format!(
                "{} ({value}) is out of range for sequence data type {data_type}",
                bound.to_ascii_uppercase()
            ));
        }
    }
    let up = option("increment").is_none_or(|by| by > 0);
    let (least, greatest) = if up { (1, most) } else { (-most - 1, -1) };
    let of = |name: &str, otherwise: i128| option(name).or(made.then_some(otherwise));
    let (minimum, maximum) = (of("minvalue", least), of("maxvalue", greatest));
    if let (Some(minimum), Some(maximum)) = (minimum, maximum)
        && minimum >= maximum
    {
        return Some(format!("MINVALUE ({minimum}) must be less than MAXVALUE ({maximum})"));
    }
    let start = option("start")?;
    if let Some(minimum) = minimum.filter(|minimum| start < *minimum) {
        return Some(format!("START value ({start}) cannot be less than MINVALUE ({minimum})"));
    }
    let maximum = maximum.filter(|maximum| start > *maximum)?;
    Some(format!("START value ({start}) cannot be greater than MAXVALUE ({maximum})"))
}
