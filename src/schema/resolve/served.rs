//! What functions of the server's refuse of the texts and numbers that they are given: one table.

use super::computed::{Fault, Found};
use super::{input, pattern};

/// What a call is given, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Whole(i64),
    Null,
    Other,
}

impl<'a> From<&'a Found> for Given<'a> {
    fn from(found: &'a Found) -> Self {
        match found {
            Found::Literal(text) | Found::Text(text) => Self::Text(text),
            Found::Whole(number, _) => Self::Whole(*number),
            Found::Null => Self::Null,
            Found::Bytes(bytes) => Self::Bytes(bytes),
            Found::Unknown | Found::Bits(_) | Found::Decimal(..) | Found::Real(_) => Self::Other,
        }
    }
}

type Refusal = fn(&[Given<'_>]) -> Option<Fault>;

fn said(text: impl Into<Box<str>>) -> Option<Fault> {
    Some(Fault::Said(text.into()))
}

/// What is computed whatever the session's settings are. None of them is called for a NULL; what is not known is no NULL here.
const UNCHANGING: &[(&[&str], Refusal)] = &[
    (&["~", "!~", "~*", "!~*"], regex),
    // What finds one place, or all of them, is not told which.
    (
        &[
            "regexp_count",
            "regexp_instr",
            "regexp_like",
            "regexp_match",
            "regexp_split_to_array",
            "regexp_split_to_table",
            "regexp_substr",
        ],
        |given| match given {
            [.., Given::Text(options)]
                if given.len() > 2 && options.contains('g') && plain_options(options).is_some() =>
            {
                said("it does not support the \"global\" option")
            }
            _ => regex(given),
        },
    ),
    (&["regexp_matches"], regex),
    (&["regexp_replace"], regex_replaced),
    (&["substring"], |given| match given {
        [_, Given::Text(_)] => regex(given),
        [_, Given::Text(_), Given::Text(escape)] if 1 < escape.chars().count() => said("invalid escape string"),
        _ => None,
    }),
    (&["~~", "!~~"], like),
    (&["~~*", "!~~*"], |given| match given {
        [Given::Text(text), Given::Text(pattern)] if text.is_ascii() && pattern.is_ascii() => {
            like(&[Given::Text(&text.to_ascii_lowercase()), Given::Text(&pattern.to_ascii_lowercase())])
        }
        _ => None,
    }),
    (&["similar_to_escape", "similar_escape"], |given| match given {
        [_, Given::Text(escape)] if escape.chars().count() > 1 => said("invalid escape string"),
        _ => None,
    }),
    (&["decode"], decode),
    (&["encode"], |given| match given {
        [_, Given::Text(name)] => unknown_encoding(name),
        _ => None,
    }),
    (&["to_tsquery"], |given| match given {
        [_, Given::Text(text)] => tsquery(text),
        _ => None,
    }),
    (&["power", "pow", "^"], |given| match given {
        [Given::Whole(0), Given::Whole(to)] if *to < 0 => said("zero raised to a negative power is undefined"),
        [Given::Whole(of), Given::Whole(to)] => {
            let power = i32::try_from(*to).ok().filter(|to| *to > 0)?;
            // A text is long before a number is.
            let digits = of.unsigned_abs().checked_ilog10()?.checked_mul(u32::try_from(power).ok()?)?;
            (digits > 308).then(|| Fault::Said("value out of range: overflow".into()))
        }
        _ => None,
    }),
    (&["factorial"], |given| match given {
        [Given::Whole(number)] if *number < 0 => said("factorial of a negative number is undefined"),
        _ => None,
    }),
    (&["lpad", "rpad"], |given| match given {
        [_, Given::Whole(length), ..] if *length >= 1 << 30 => said("requested length too large"),
        _ => None,
    }),
    (&["convert_from", "convert"], |given| match given {
        [Given::Bytes(bytes), Given::Text(name), ..] if is_utf8(name) => no_text(bytes),
        [Given::Text(text), Given::Text(name), ..] if is_utf8(name) => no_text(&super::computed::bytes(text)?),
        _ => None,
    }),
    (&["acos", "asin"], |given| match given {
        [Given::Whole(number)] if !(-1..=1).contains(number) => said("input is out of range"),
        _ => None,
    }),
    (&["split_part"], |given| match given {
        [_, _, Given::Whole(0)] => said("field position must not be zero"),
        _ => None,
    }),
    (&["width_bucket"], |given| match given {
        [Given::Whole(_), Given::Whole(low), Given::Whole(high), Given::Whole(count)] => {
            (*count <= 0 || low == high).then(|| Fault::Said("these are no bounds of buckets".into()))
        }
        _ => None,
    }),
    (&["make_time"], |given| match given {
        [Given::Whole(hour), Given::Whole(minute), Given::Whole(second)] => {
            let fits = (0..=24).contains(hour) && (0..60).contains(minute) && (0..=60).contains(second);
            (!fits).then(|| Fault::Said("time field value out of range".into()))
        }
        _ => None,
    }),
    (&["int4range", "int8range", "numrange"], |given| match given {
        [_, _, Given::Text(flags)] if !["[]", "[)", "(]", "()"].contains(&&**flags) => {
            said("invalid range bound flags")
        }
        _ => None,
    }),
    (&["daterange"], |given| match given {
        [Given::Text(low), Given::Text(high), ..] if is_day(low) && is_day(high) && high < low => Some(Fault::Bounds),
        _ => None,
    }),
];

/// Whether it is a name of UTF-8.
fn is_utf8(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    letters.eq_ignore_ascii_case("utf8") || letters.eq_ignore_ascii_case("unicode")
}

/// Bytes that are no text in UTF-8.
fn no_text(bytes: &[u8]) -> Option<Fault> {
    let is_text = !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok();
    if is_text { None } else { said("invalid byte sequence for encoding \"UTF8\"") }
}

/// Whether a text is a day that is written so that it is the same by every setting, and in the order of time.
fn is_day(text: &str) -> bool {
    let signs = text.bytes().enumerate();
    text.len() == 10 && { signs }
        .all(|(at, sign)| if at == 4 || at == 7 { sign == b'-' } else { sign.is_ascii_digit() })
}

/// What depends on settings, and so is computed with the rows.
const BY_SETTINGS: &[(&[&str], Refusal)] = &[
    (&["format"], format),
    (&["timezone"], |given| match given {
        [Given::Text(zone), _] => unknown_zone(zone),
        _ => None,
    }),
    (&["date_trunc"], |given| match given {
        [Given::Text(unit), _] => unknown_unit(unit),
        [Given::Text(unit), _, Given::Text(zone)] => unknown_unit(unit).or_else(|| unknown_zone(zone)),
        _ => None,
    }),
    (&["extract", "date_part"], |given| match given {
        [Given::Text(unit), _] => unknown_field(unit),
        _ => None,
    }),
    (&["make_timestamptz"], |given| match given {
        [.., Given::Text(zone)] => unknown_zone(zone),
        _ => None,
    }),
    (&["to_tsquery"], |given| match given {
        [Given::Text(text)] => tsquery(text),
        _ => None,
    }),
    (&["to_number"], |given| match given {
        [Given::Text(text), Given::Text(pattern)] => {
            let plain = pattern.bytes().all(|sign| matches!(sign, b'9' | b'0' | b'.' | b','));
            let digits = text.bytes().any(|sign| sign.is_ascii_digit());
            (plain && !digits && !pattern.is_empty())
                .then(|| Fault::Said("invalid input syntax for type numeric: \" \"".into()))
        }
        _ => None,
    }),
    (&["jsonb_build_object", "json_build_object"], |given| {
        let keys = given.iter().step_by(2);
        if given.len() % 2 == 1 {
            return said("argument list must have even number of elements");
        }
        { keys }.any(|key| *key == Given::Null).then(|| Fault::Said("key must not be null".into()))
    }),
];

/// Why a call, or an operator, of the server's fails for what it is given, whenever it is computed.
pub(super) fn refused(name: &str, given: &[Found]) -> Option<Fault> {
    let known = given.iter().all(|given| !matches!(given, Found::Null | Found::Unknown));
    if known { look(UNCHANGING, name, given) } else { None }
}

/// The same whatever it is given of a row, where that is not NULL.
pub(super) fn refused_with_row(name: &str, given: &[Found]) -> Option<Fault> {
    let known = !given.contains(&Found::Null) || name == "format";
    if known { look(UNCHANGING, name, given).or_else(|| look(BY_SETTINGS, name, given)) } else { None }
}

/// The same of what depends on settings.
pub(super) fn refused_once(name: &str, given: &[Found]) -> Option<Fault> {
    look(BY_SETTINGS, name, given)
}

fn look(table: &[(&[&str], Refusal)], name: &str, given: &[Found]) -> Option<Fault> {
    let (_, refusal) = table.iter().find(|(names, _)| names.contains(&name))?;
    refusal(&given.iter().map(Given::from).collect::<Vec<_>>())
}

/// Why a condition `column ~ pattern` cannot be planned.
pub(super) fn unplanned(operator: &str, pattern: &Found) -> Option<Fault> {
    match Given::from(pattern) {
        Given::Text(pattern) if matches!(operator, "~" | "!~" | "~*" | "!~*") => {
            pattern::regex_fault(pattern).and_then(|why| said(format!("invalid regular expression: {why}")))
        }
        _ => None,
    }
}

/// Whether options leave a pattern what it is; `None`: the server does not know one of them.
fn plain_options(options: &str) -> Option<bool> {
    let known = options.chars().all(|option| "bceginpmqstwx".contains(option));
    known.then(|| !options.contains(['b', 'e', 'q', 'x']))
}

/// A text, a pattern, and options.
fn regex(given: &[Given<'_>]) -> Option<Fault> {
    let (Given::Text(_) | Given::Other, Given::Text(pattern)) = (given.first()?, given.get(1)?) else { return None };
    let plain = match given.get(2) {
        None | Some(Given::Whole(_)) => true,
        Some(Given::Text(options)) => match plain_options(options) {
            Some(plain) => plain,
            None => return said(format!("invalid regular expression option: \"{options}\"")),
        },
        Some(_) => return None,
    };
    if plain && given.len() <= 3 {
        said(format!("invalid regular expression: {}", pattern::regex_fault(pattern)?))
    } else {
        None
    }
}

/// A text, a pattern, what comes in its place, and options.
fn regex_replaced(given: &[Given<'_>]) -> Option<Fault> {
    match given {
        [text, pattern, Given::Text(_) | Given::Other] => regex(&[*text, *pattern]),
        [text, pattern, Given::Text(_) | Given::Other, options @ Given::Text(_)] => regex(&[*text, *pattern, *options]),
        _ => None,
    }
}

fn like(given: &[Given<'_>]) -> Option<Fault> {
    match given {
        [Given::Text(text), Given::Text(pattern)] if pattern::like_fails(text, pattern) => {
            said("LIKE pattern must not end with escape character")
        }
        _ => None,
    }
}

/// What newer servers know is left alone.
fn unknown_encoding(name: &str) -> Option<Fault> {
    const KNOWN: [&str; 5] = ["hex", "base64", "escape", "base64url", "base32hex"];
    let known = KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name));
    if known { None } else { said(format!("unrecognized encoding: \"{name}\"")) }
}

fn decode(given: &[Given<'_>]) -> Option<Fault> {
    let (text, name) = match given {
        [Given::Text(text), Given::Text(name)] => (text, name),
        [_, Given::Text(name)] => return unknown_encoding(name),
        _ => return None,
    };
    let letters: Vec<char> = text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    let is_base64 = |letter: &char| letter.is_ascii_alphanumeric() || "+/=".contains(*letter);
    let right = match &*name.to_ascii_lowercase() {
        "hex" => letters.len().is_multiple_of(2) && letters.iter().all(char::is_ascii_hexdigit),
        "base64" => letters.len().is_multiple_of(4) && letters.iter().all(is_base64),
        "escape" => text.starts_with("\\x") || input::may_be(text, "bytea"),
        _ => return unknown_encoding(name),
    };
    if right { None } else { said(format!("this is no {name}: \"{text}\"")) }
}

fn tsquery(text: &str) -> Option<Fault> {
    if input::may_be(text, "tsquery") { None } else { said(format!("syntax error in tsquery: \"{text}\"")) }
}

/// `%[n$][-][width]type`
fn format(given: &[Given<'_>]) -> Option<Fault> {
    let (Given::Text(text), given) = given.split_first()? else { return None };
    let (mut rest, mut next) = (*text, 0);
    while let Some((_, behind)) = rest.split_once('%') {
        if let Some(behind) = behind.strip_prefix('%') {
            rest = behind;
            continue;
        }
        let without_digits =
            |text: &'_ str| text.len() - text.trim_start_matches(|sign: char| sign.is_ascii_digit()).len();
        let (digits, behind) = behind.split_at(without_digits(behind));
        let (place, behind) = match (behind.strip_prefix('$'), digits.parse::<usize>()) {
            (Some(behind), Ok(place)) => (place, behind),
            _ => (next + 1, behind),
        };
        let behind = behind.trim_start_matches('-');
        // A width that is an argument takes one more.
        if behind.starts_with('*') {
            return None;
        }
        let behind = &behind[without_digits(behind)..];
        let Some(sign) = behind.chars().next() else { return said("unterminated format() type specifier") };
        if !"sIL".contains(sign) {
            return said(format!("unrecognized format() type specifier \"{sign}\""));
        }
        let Some(value) = place.checked_sub(1).and_then(|place| given.get(place)) else {
            return said("too few arguments for format()");
        };
        if sign == 'I' && *value == Given::Null {
            return said("null values cannot be formatted as an SQL identifier");
        }
        (rest, next) = (&behind[1..], place);
    }
    None
}

/// Whether nobody can have a zone of a name: none of its signs is a digit, and it stands in no area that there is.
fn unknown_zone(name: &str) -> Option<Fault> {
    const AREAS: [&str; 17] = [
        "africa",
        "america",
        "antarctica",
        "arctic",
        "asia",
        "atlantic",
        "australia",
        "brazil",
        "canada",
        "chile",
        "etc",
        "europe",
        "indian",
        "mexico",
        "pacific",
        "us",
        "systemv",
    ];
    // Abbreviations are a setting of the server's, and no longer than this.
    const LONGEST: usize = 10;
    let lower = name.to_ascii_lowercase();
    let known = match lower.split_once('/') {
        Some((area, _)) => AREAS.contains(&area) || matches!(area, "posix" | "right"),
        None => !lower.is_empty() && lower.len() <= LONGEST,
    };
    let told = known || name.contains(|sign: char| sign.is_ascii_digit() || "<+-,".contains(sign));
    if told { None } else { said(format!("time zone \"{name}\" not recognized")) }
}

/// The units of `date_trunc`.
fn unknown_unit(unit: &str) -> Option<Fault> {
    let lower = unit.to_ascii_lowercase();
    let known = input::is_unit(&lower) || matches!(&*lower, "quarter" | "qtr");
    if known { None } else { said(format!("unit \"{unit}\" not recognized")) }
}

/// The fields of `extract`, and what stands for one.
fn unknown_field(field: &str) -> Option<Fault> {
    const FIELDS: [&str; 15] = [
        "allballs", "dow", "doy", "dst", "epoch", "infinity", "isodow", "isoyear", "j", "jd", "julian", "now",
        "timezone", "today", "zulu",
    ];
    let lower = field.to_ascii_lowercase();
    let known = FIELDS.contains(&&*lower) || lower.starts_with("timezone") || unknown_unit(field).is_none();
    // Names of months, days and zones are read, too, and refused for what they are.
    if known { None } else { said(format!("unit \"{field}\" not recognized")) }
}
