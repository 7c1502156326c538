//! What the server's types read a text as, as far as it is the same everywhere: whether a string is no value of its type.

type Reader = fn(&str) -> bool;

/// How a text of a type is looked at. Only what no server reads is refused.
const READERS: &[(&[&str], Reader)] = &[
    (&["smallint", "integer", "bigint"], whole),
    (&["numeric"], number),
    (&["boolean"], boolean),
    (&["real", "double precision"], |text| {
        number(text) && !text.parse::<f64>().is_ok_and(|number| has_digit(text) && number.is_infinite())
    }),
    (&["uuid"], uuid),
    (&["macaddr"], card),
    (&["macaddr8"], |text| hardware(text, &[12, 16])),
    (&["oid"], |text| {
        text.parse::<i64>().map_or_else(|_| text.starts_with('0'), |number| (-1 << 31..1 << 32).contains(&number))
    }),
    (&["pg_lsn"], |text| {
        text.split_once('/').is_some_and(|(high, low)| {
            [high, low]
                .into_iter()
                .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit()))
        })
    }),
    // What stands before and behind the numbers is not looked at.
    (&["tid"], |text| {
        text.split_once('(')
            .and_then(|(_, behind)| behind.split_once(','))
            .is_some_and(|(_, behind)| behind.contains(')'))
    }),
    (&["point"], |text| numbers(text).is_none_or(|count| count == 2)),
    (&["box", "lseg"], |text| numbers(text).is_none_or(|count| count == 4)),
    (&["circle"], |text| numbers(text).is_none_or(|count| count == 3)),
    (&["line"], |text| numbers(text).is_none_or(|count| count == 3 || count == 4)),
    (&["path", "polygon"], |text| numbers(text).is_none_or(|count| 0 < count && count.is_multiple_of(2))),
    (&["tsquery"], tsquery),
    (&["jsonpath"], jsonpath),
    (&["xml"], xml),
    (
        &["int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange"],
        |text| text.starts_with('{') && text.ends_with('}'),
    ),
    (&["json", "jsonb"], |text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()),
    (&["interval"], interval),
    (&["date", "timestamp without time zone", "timestamp with time zone"], moment),
    (&["time without time zone", "time with time zone"], |text| {
        clock(text) && (has_digit(text) || worded(text, &["allballs", "now"]))
    }),
    (&["inet"], |text| address(text).is_some_and(|address| address.parts == 4 || address.bits.is_some())),
    (&["cidr"], |text| {
        text.starts_with("0x") || text.starts_with("0X") || address(text).is_some_and(|address| address.is_network())
    }),
    (&["bytea"], bytes),
    (&["bit", "bit varying"], bits),
    (&["int4range", "int8range"], |text| range(text, true, true)),
    (&["numrange"], |text| range(text, false, true)),
    // `990101` is a day of 1999, and comes before `200101`.
    (&["daterange", "tsrange", "tstzrange"], |text| range(text, false, false)),
];

/// Whether a text may be a value of a type.
pub(super) fn may_be(text: &str, base: &str) -> bool {
    if let Some(element) = base.strip_suffix("[]") {
        return array(text, element);
    }
    READERS.iter().find(|(types, _)| types.contains(&base)).is_none_or(|(_, reads)| reads(text.trim()))
}

/// What newer servers take in other forms (`0x1F`, `1_000`) is left alone.
fn whole(text: &str) -> bool {
    text.parse::<i64>().is_ok() || text.starts_with(['0', '+', '-']) || text.contains('_')
}

fn number(text: &str) -> bool {
    let bare = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let odd = |c: char| !c.is_ascii_hexdigit() && !"xop_.+-".contains(c);
    matches!(&*bare, "nan" | "inf" | "infinity")
        || bare.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !bare.contains(odd)
}

fn boolean(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    let begins = |whole: &str| !word.is_empty() && whole.starts_with(&word);
    ["true", "false", "yes", "no"].into_iter().any(begins) || matches!(&*word, "on" | "of" | "off" | "1" | "0")
}

fn has_digit(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit())
}

/// Whether one of these words stands in a text: a zone or a time of day may stand beside it (`today EST`).
fn worded(text: &str, words: &[&str]) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.split(|c: char| !c.is_ascii_alphabetic() && c != '-').any(|word| words.contains(&word))
}

/// How the digits of a moment are read depends on the session.
fn moment(text: &str) -> bool {
    const WORDS: [&str; 8] = ["allballs", "epoch", "infinity", "-infinity", "now", "today", "tomorrow", "yesterday"];
    if !has_digit(text) {
        return worded(text, &WORDS);
    }
    // A year of four digits comes first wherever it is written so.
    let parts: Vec<&str> = text.splitn(3, '-').collect();
    let [year, month, rest] = parts.as_slice() else { return true };
    let (day, time) = rest.split_at_checked(2).unwrap_or((rest, ""));
    let number = |text: &str, long: usize| {
        let digits = text.len() == long && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<i64>().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else { return true };
    // Before our era there are other years with a 29th of February.
    if time.starts_with(|sign: char| sign.is_ascii_digit()) || time.to_ascii_lowercase().contains("bc") {
        return true;
    }
    let is_day = year != 0 && (1..=12).contains(&month) && (1..=days(year, month)).contains(&day);
    is_day && time.strip_prefix([' ', 'T']).is_none_or(clock)
}

/// How many days a month has.
pub(super) fn days(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Whether a text that begins with `HH:MM` may be a time of day.
fn clock(text: &str) -> bool {
    let two = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    let (Some(hour), Some(":"), Some(minute)) = (text.get(..2), text.get(2..3), text.get(3..5)) else { return true };
    let (Some(hour), Some(minute)) = (two(hour), two(minute)) else { return true };
    hour < 24 && minute < 60 || hour == 24 && minute == 0
}

/// Thirty-two digits, in braces or not; a hyphen may stand behind each four of them.
fn uuid(text: &str) -> bool {
    let bare = text.strip_prefix('{').map_or(Some(text), |text| text.strip_suffix('}'));
    let Some(bare) = bare else { return false };
    let mut count = 0;
    for (at, sign) in bare.bytes().enumerate() {
        match sign {
            b'-' => {
                if count % 4 != 0 || count == 0 || bare.as_bytes().get(at - 1) == Some(&b'-') {
                    return false;
                }
            }
            _ if sign.is_ascii_hexdigit() => count += 1,
            _ => return false,
        }
    }
    count == 32
}

/// The address of a card; what stands alone between two signs may have one digit.
fn hardware(text: &str, digits: &[usize]) -> bool {
    let parts: Vec<&str> = text.split([':', '-', '.']).collect();
    let hexadecimal = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_hexdigit()));
    let count = |part: &&str| if part.len() == 1 { 2 } else { part.len() };
    hexadecimal && digits.contains(&parts.iter().map(count).sum())
}

/// The address of a card in six bytes: `scanf` reads six numbers of any length between signs, and fewer digits at the end of those without.
fn card(text: &str) -> bool {
    let is_byte = |part: &str| {
        let bare = part.trim_start().trim_start_matches(['+', '-']);
        let digits = bare.strip_prefix("0x").or_else(|| bare.strip_prefix("0X")).unwrap_or(bare);
        u32::from_str_radix(digits, 16).is_ok_and(|number| number < 256)
    };
    for sign in [':', '-'] {
        let mut parts = text.split(sign);
        if parts.clone().count() == 6 {
            return parts.all(is_byte);
        }
    }
    hardware(text, &[11, 12])
}

/// How many numbers a form on a plane is written with; `None`: it holds words.
fn numbers(text: &str) -> Option<usize> {
    let between = |sign: char| sign.is_whitespace() || "()[]<>{},".contains(sign);
    if worded(text, &["inf", "infinity", "nan", "-inf", "-infinity", "-nan"]) {
        return None;
    }
    if text.contains(|sign: char| sign.is_alphabetic() && !"eExXpP".contains(sign)) {
        return Some(0);
    }
    Some(text.split(between).filter(|part| !part.is_empty()).count())
}

/// Words with a sign between each two of them. What is quoted, weighed or near something is left alone.
fn tsquery(text: &str) -> bool {
    if text.contains(['\'', '\\', ':', '<']) {
        return true;
    }
    if text.trim().is_empty() {
        return true;
    }
    let (mut depth, mut wants, mut rest) = (0_usize, true, text.trim_start());
    while let Some(sign) = rest.chars().next() {
        let long = match sign {
            '!' | '(' if wants => {
                depth += usize::from(sign == '(');
                1
            }
            ')' if !wants && 0 < depth => {
                depth -= 1;
                1
            }
            '&' | '|' if !wants => {
                wants = true;
                1
            }
            '!' | '(' | ')' | '&' | '|' => return false,
            _ if wants => {
                wants = false;
                rest.find(|sign: char| sign.is_ascii_whitespace() || "!()&|".contains(sign)).unwrap_or(rest.len())
            }
            _ => return false,
        };
        rest = rest[long..].trim_start();
    }
    !wants && depth == 0
}

/// A path ends with no sign that something has to follow, and its brackets are closed.
fn jsonpath(text: &str) -> bool {
    if text.contains(['"', '\\']) || text.contains("/*") {
        return !text.is_empty();
    }
    let count = |sign: char| text.matches(sign).count();
    let is_digit = |sign: Option<char>| sign.is_some_and(|sign| sign.is_ascii_digit());
    let (begins, ends) = (text.strip_prefix('.'), text.strip_suffix('.'));
    let whole = !text.is_empty()
        && !text.ends_with('?')
        && begins.is_none_or(|rest| is_digit(rest.chars().next()))
        && ends.is_none_or(|rest| is_digit(rest.chars().next_back()));
    whole && count('(') == count(')') && count('[') == count(']')
}

/// Whether what begins is closed. What is declared or commented is left alone.
fn xml(text: &str) -> bool {
    if text.contains("<!") || text.contains("<?") {
        return true;
    }
    let (mut open, mut rest) = (Vec::new(), text);
    while let Some((before, behind)) = rest.split_once('<') {
        // A value may hold anything but this sign.
        let Some((tag, after)) = behind.split_once('>') else { return false };
        if tag.matches('"').count() % 2 == 1 || tag.matches('\'').count() % 2 == 1 || before.contains('>') {
            return true;
        }
        let name = |tag: &str| {
            tag.split(|sign: char| sign.is_whitespace() || sign == '/').next().unwrap_or_default().to_owned()
        };
        match tag.strip_prefix('/') {
            Some(closed) if open.pop() != Some(name(closed)) => return false,
            None if !tag.ends_with('/') => open.push(name(tag)),
            _ => {}
        }
        rest = after;
    }
    open.is_empty()
}

/// Whether a word is a unit of an interval, in lower case.
pub(super) fn is_unit(word: &str) -> bool {
    // Longer words are cut.
    const UNITS: &str = " ago c cent centuries century d day days dec decade decades decs h hour hours hr hrs m mil \
        millennia millennium mils min mins minute minutes mon mons month months ms msec msecond mseconds msecs millisecon us \
        usec usecond useconds usecs microsecon s sec second seconds secs w week weeks y year years yr yrs e t ";
    const LONGEST: usize = 10;
    let word = word.get(..LONGEST).unwrap_or(word);
    UNITS.contains(&format!(" {word} ")) || word.starts_with("millenni") || word.starts_with("microsec")
}

fn interval(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    // ISO 8601: `P1Y2M`.
    if lower.starts_with('p') || matches!(&*lower, "infinity" | "-infinity" | "+infinity") {
        return true;
    }
    let mut words = lower.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    has_digit(text) && words.all(is_unit)
}

/// An address of version 4.
struct Address {
    number: u32,
    /// How many of its parts are written.
    parts: usize,
    bits: Option<u32>,
}

impl Address {
    /// Whether nothing stands behind the part that names the network.
    fn is_network(&self) -> bool {
        let bits = self.bits.unwrap_or(32);
        self.parts < 4 || self.number.checked_shl(bits).unwrap_or(0) == 0
    }
}

/// Of version 6 nothing is looked at.
fn address(text: &str) -> Option<Address> {
    if text.contains(':') {
        return Some(Address { number: 0, parts: 4, bits: None });
    }
    let (number, bits) = text.split_once('/').map_or((text, None), |(number, bits)| (number, Some(bits)));
    let bits = match bits {
        Some(bits) => Some(bits.parse().ok().filter(|bits| *bits <= 32)?),
        None => None,
    };
    let parts = number.split('.').map(|part| part.parse::<u8>().ok()).collect::<Option<Vec<u8>>>()?;
    let at = |place: usize| u32::from(parts.get(place).copied().unwrap_or(0)) << (24 - 8 * place);
    (parts.len() <= 4).then(|| Address { number: (0..4).map(at).sum(), parts: parts.len(), bits })
}

fn bytes(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("\\x") {
        let digits: Vec<char> = digits.chars().filter(|c| !c.is_whitespace()).collect();
        return digits.len().is_multiple_of(2) && digits.iter().all(char::is_ascii_hexdigit);
    }
    // `\\`, or three digits.
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('\\') {
        let octal = behind.get(..3).is_some_and(|digits| digits.bytes().all(|b| (b'0'..b'8').contains(&b)));
        match behind.strip_prefix('\\') {
            Some(behind) => rest = behind,
            None if octal => rest = &behind[3..],
            None => return false,
        }
    }
    true
}

fn bits(text: &str) -> bool {
    match text.strip_prefix(['x', 'X']) {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => text.strip_prefix(['b', 'B']).unwrap_or(text).bytes().all(|b| matches!(b, b'0' | b'1')),
    }
}

/// `whole`: its bounds are whole numbers; `ordered`: two of these are in the order of numbers.
fn range(text: &str, whole: bool, ordered: bool) -> bool {
    if text.eq_ignore_ascii_case("empty") {
        return true;
    }
    let Some(inside) = text.strip_prefix(['[', '(']).and_then(|text| text.strip_suffix([']', ')'])) else {
        return false;
    };
    // What is quoted may hold anything; newer servers know other numbers (`0x10`, `1_000`).
    if inside.contains(['"', '\\', 'x', '_']) {
        return true;
    }
    let Some((low, high)) = inside.split_once(',').filter(|(_, high)| !high.contains(',')) else { return false };
    let bound = |text: &str| if text.is_empty() { Some(None) } else { text.trim().parse::<i64>().ok().map(Some) };
    match (bound(low), bound(high)) {
        (Some(low), Some(high)) => !ordered || low.zip(high).is_none_or(|(low, high)| low <= high),
        _ => !whole,
    }
}

/// `{a,"b c",NULL}`, of any depth.
fn array(text: &str, element: &str) -> bool {
    let text = text.trim();
    // Bounds, and another sign between elements.
    if text.starts_with('[') || element == "box" {
        return element == "box" || text.contains('=') && has_digit(text);
    }
    if !text.starts_with('{') {
        return false;
    }
    let (mut depth, mut quoted, mut value, mut was_quoted) = (0_usize, false, String::new(), false);
    let fits = |value: &str, quoted: bool| {
        let bare = value.trim();
        !quoted && (bare.is_empty() || bare.eq_ignore_ascii_case("null")) || may_be(value, element)
    };
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next()),
            '"' => (quoted, was_quoted) = (!quoted, true),
            _ if quoted => value.push(letter),
            '{' => depth += 1,
            ',' | '}' => {
                if !fits(&value, was_quoted) {
                    return false;
                }
                (value, was_quoted) = (String::new(), false);
                if letter == '}' {
                    depth -= 1;
                }
                if depth == 0 {
                    // Nothing may stand behind the last.
                    return letters.next().is_none();
                }
            }
            _ => value.push(letter),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::may_be;

    /// Each was tried on PostgreSQL 15 and 18.
    #[test]
    fn what_is_no_value_is_told_from_what_may_be_one() {
        let check = |base: &str, values: &[&str], others: &[&str]| {
            values.iter().for_each(|text| assert!(may_be(text, base), "{base}: {text}"));
            others.iter().for_each(|text| assert!(!may_be(text, base), "{base}: {text}"));
        };
        check(
            "numeric",
            &["1e5", " 1 ", "NaN", "-Infinity", ".5", "5.", "0x1f", "1_000"],
            &["1,000", "$5", "", "abc", "1 000"],
        );
        check(
            "jsonb",
            &["{}", " [1] ", "\"a\"", "null", "1e400", "{\"a\": {\"b\": [true]}}"],
            &["", "{a}", "a", "{'a': 1}", "{\"a\": 1,}"],
        );
        check(
            "interval",
            &["1 day", "1 day 02:03:04", "1 mon -1 days", "P1Y2M", "2 hours ago", "1 milliseconds", "1h30m", "-1"],
            &["", "abc", "1 foo", "day", "1 fortnight", "1 quarter"],
        );
        check("date", &["2020-01-01", "today", "-infinity", "yesterday"], &["", "yesterdayy", "abc"]);
        check("time without time zone", &["10:00", "allballs", "now"], &["", "noon", "today"]);
        check(
            "inet",
            &["10.1.1.1", "10.1/16", "::1", "10.1.1.1/24"],
            &["", "10.1", "a", "256.1.1.1", "10.1.1.1/33", "10.1.1.1/"],
        );
        check("cidr", &["10.1", "10", "10.1.1.0/24", "10.1.1.1", "10.0.0.0/8"], &["10.1.1.1/24", "10.1.1.1/8", "x"]);
        check("bytea", &["\\x", "\\xAB cd", "abc", "\\\\a", "\\001"], &["\\xz", "\\xa", "\\a", "\\999", "a\\"]);
        check("bit varying", &["", "01", "b1", "x1F"], &["2", "xg", "b2"]);
        check(
            "int4range",
            &["[1,5)", "empty", "(,)", "[1 , 5 ]", "[\"1\",\"5\")", "[5,5)"],
            &["[5,1)", "1,2", "[a,b)", "[1,5", "", "[1,5,6)"],
        );
        check("tstzrange", &["[2020-01-01,)", "[2020-01-01 10:00, 2020-01-02)"], &["2020-01-01", "[2020-01-01"]);
        check(
            "integer[]",
            &["{}", "{1,2}", " { 1 , 2 } ", "{{1},{2}}", "{NULL,\"1\"}", "[0:1]={1,2}"],
            &["1,2", "{1,a}", "{1,2", "{1}x", "", "[]", "[1, 2]"],
        );
        check("text[]", &["{a b,\"c,d\",\"e\\\"f\"}", "{\"{\"}"], &["a", "{a"]);
        check(
            "macaddr",
            &[
                "08:00:2b:01:02:03",
                "8:0:2b:1:2:3",
                "80:02b:01:02:03:04",
                "8002b010203",
                "0800.2b01.0203",
                "0x8:0:2b:1:2:3",
            ],
            &["08:00:2b:01:02", "108:00:2b:01:02:03", "08:00:2b:01:02:03x", "0800"],
        );
        check("tid", &["(0,1)", "(0,1)x", "x(0,1)", "(,1)", "( 0,1)"], &["(0,1", "0,1", "()"]);
        check("cidr", &["0x0a", "0x0a0b0c0d"], &[]);
        check("daterange", &["[990101,200101]", "[20200101,)"], &["990101,200101"]);
        check("numrange", &["[1.5,2)", "[1,5]"], &["[5,1]"]);
        check("text", &["", "anything"], &[]);
    }
}
