//! The text of a statement without what it may give away.

/// Longer texts are cut.
const LONGEST: usize = 1_000;

/// The text in one line, without comments, and with `?` for every constant that the server has left in it (it replaces most by `$1`, `$2`, …,
/// but not all: see "F.32. pg_stat_statements" of the manual).
pub(crate) fn without_values(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '\'' => quoted(rest, word_before(&out).eq_ignore_ascii_case("e")),
            '"' => quoted(rest, false),
            '$' => dollar_quoted(rest).unwrap_or_else(|| word(rest)),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest),
            c if c.is_ascii_digit() => number(rest),
            c if c.is_alphanumeric() || c == '_' => word(rest),
            c => c.len_utf8(),
        };
        let (token, behind) = rest.split_at(taken);
        rest = behind;
        match first {
            '\'' => out.push('?'),
            '$' if dollar_quoted(token).is_some() => out.push('?'),
            '-' | '/' if token.len() > 1 => space(&mut out),
            c if c.is_ascii_digit() => out.push('?'),
            c if c.is_whitespace() => space(&mut out),
            _ => out.push_str(token),
        }
    }
    let out = out.trim();
    match out.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &out[..at]),
        None => out.to_owned(),
    }
}

fn space(out: &mut String) {
    if !out.ends_with(' ') {
        out.push(' ');
    }
}

fn word_before(out: &str) -> &str {
    let start =
        out.rfind(|c: char| !is_word(c)).map_or(0, |at| at + out[at..].chars().next().map_or(1, char::len_utf8));
    &out[start..]
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn word(text: &str) -> usize {
    // At least its first character, whatever that is.
    let first = text.chars().next().map_or(0, char::len_utf8);
    text[first..].find(|c| !is_word(c)).map_or(text.len(), |at| first + at)
}

fn number(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len())
}

/// Up to behind the closing quote; all of it if there is none.
fn quoted(text: &str, escapes: bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 2,
            byte if byte == bytes[0] && bytes.get(at + 1) == Some(&byte) => at += 2,
            byte if byte == bytes[0] => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn dollar_quoted(text: &str) -> Option<usize> {
    let end = 1 + text[1..].find('$')?;
    let tag = &text[..=end];
    let name = &tag[1..end];
    if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let close = text[tag.len()..].find(tag);
    Some(close.map_or(text.len(), |at| at + 2 * tag.len()))
}

fn comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_u32);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (at, depth) = (at + 2, depth + 1),
            Some(b"*/") => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(without_values(text), expected);
    }

    #[test]
    fn values_and_comments_go() {
        check("SELECT a\n  FROM t -- of bob\n WHERE b = $1", "SELECT a FROM t WHERE b = $1");
        check("/* user='bob' /* nested */ */ SELECT 1", "SELECT ?");
        check("SELECT 'it''s', E'a\\'b', $$x 'y'$$, $q$z$q$, 1.5e3, 0x1F FROM t1", "SELECT ?, E?, ?, ?, ?, ? FROM t1");
        check("SELECT \"it's 5\" FROM \"t 1\" WHERE n=$12", "SELECT \"it's 5\" FROM \"t 1\" WHERE n=$12");
    }

    #[test]
    fn what_is_never_closed_gives_nothing_away() {
        check("SELECT 'secret", "SELECT ?");
        check("SELECT $$secret", "SELECT ?");
        check("SELECT 1 /* secret", "SELECT ?");
        check("SELECT E'secret\\", "SELECT E?");
        check("", "");
        check("SELECT 'ä', ö$1", "SELECT ?, ö$1");
    }

    #[test]
    fn long_texts_are_cut() {
        let cut = without_values(&"ä, ".repeat(1_000));
        assert_eq!(cut.chars().count(), LONGEST + 1);
    }
}
