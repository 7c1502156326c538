//! The text of a query as PostgreSQL gets it, and where each byte of it comes from: files hold queries escaped (JSON, CSV, string
//! constants) or with placeholders of their own.

use std::ops::Range;
use std::sync::Arc;

/// A text with the places it was taken from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text {
    text: Arc<str>,
    /// From this byte on, the text stands at that byte of the file. Sorted.
    anchors: Arc<[(u32, u32)]>,
}

impl Text {
    /// A piece of a file as it is.
    pub(super) fn plain(text: &str, at: usize) -> Self {
        let mut made = Making::default();
        made.copy(text, at);
        made.done()
    }

    /// A string of a JSON file: with its quotes, and where the opening one stands.
    pub(super) fn json(raw: &str, at: usize) -> Self {
        let inside = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')).unwrap_or(raw);
        unescape(inside, at + 1, b'\\', |rest| {
            let mut characters = rest.chars();
            characters.next();
            match characters.next() {
                Some('n') => ("\n".into(), 2),
                Some('r') => ("\r".into(), 2),
                Some('t') => ("\t".into(), 2),
                Some('b') => ("\u{8}".into(), 2),
                Some('f') => ("\u{c}".into(), 2),
                Some('u') => unicode(rest),
                Some(other) => (other.to_string(), 1 + other.len_utf8()),
                None => ("\\".into(), 1),
            }
        })
    }

    /// A piece of a file in which `quote` is written twice.
    pub(super) fn doubled(raw: &str, at: usize, quote: char) -> Self {
        let byte = u8::try_from(quote).unwrap_or(b'"');
        unescape(raw, at, byte, |rest| (quote.to_string(), if rest[1..].starts_with(quote) { 2 } else { 1 }))
    }

    /// The text.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// A part of it.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        let mut made = Making::default();
        made.copy_from(self, range);
        made.done()
    }

    /// Where a byte of the text stands in the file.
    pub(super) fn place(&self, at: usize) -> usize {
        let here = self.anchors.partition_point(|(here, _)| *here as usize <= at);
        let Some((from, to)) = here.checked_sub(1).and_then(|i| self.anchors.get(i)) else { return at };
        *to as usize + (at - *from as usize)
    }
}

/// `\u0041`, or a pair of surrogates.
fn unicode(rest: &str) -> (String, usize) {
    let unit = |at: usize| rest.get(at..at + 4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let units: Vec<u16> = [unit(2), unit(8).filter(|_| rest.get(6..8) == Some("\\u"))].into_iter().flatten().collect();
    match char::decode_utf16(units).next() {
        Some(Ok(found)) => (found.to_string(), if found.len_utf16() == 2 { 12 } else { 6 }),
        _ => ('\u{fffd}'.to_string(), 6.min(rest.len())),
    }
}

fn unescape(raw: &str, at: usize, escape: u8, read: impl Fn(&str) -> (String, usize)) -> Text {
    let mut made = Making::default();
    let mut done = 0;
    while let Some(found) = raw[done..].bytes().position(|b| b == escape) {
        made.copy(&raw[done..done + found], at + done);
        done += found;
        let (text, length) = read(&raw[done..]);
        made.replace(&text, at + done);
        done = (done + length).min(raw.len());
    }
    made.copy(&raw[done..], at + done);
    made.done()
}

/// A text that is being put together.
#[derive(Debug, Default)]
pub(super) struct Making {
    text: String,
    anchors: Vec<(u32, u32)>,
}

impl Making {
    /// Adds a piece of the file that stands at this byte.
    pub(super) fn copy(&mut self, text: &str, at: usize) {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let goes_on =
            self.anchors.last().is_some_and(|(here, there)| *there as usize + (self.text.len() - *here as usize) == at);
        if !goes_on && !text.is_empty() {
            self.anchors.push((clamp(self.text.len()), clamp(at)));
        }
        self.text.push_str(text);
    }

    /// Adds a piece of another text.
    pub(super) fn copy_from(&mut self, other: &Text, range: Range<usize>) {
        let mut start = range.start;
        while start < range.end {
            let next = other.anchors.partition_point(|(here, _)| *here as usize <= start);
            let end = other.anchors.get(next).map_or(range.end, |(here, _)| (*here as usize).min(range.end));
            self.copy(&other.text[start..end], other.place(start));
            start = end;
        }
    }

    /// Adds something in the place of what stands at this byte of the file.
    pub(super) fn replace(&mut self, text: &str, at: usize) {
        self.copy(text, at);
    }

    /// The text.
    pub(super) fn done(self) -> Text {
        Text { text: self.text.into(), anchors: self.anchors.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &Text, file: &str, expected: &str, word: &str) {
        assert_eq!(text.as_str(), expected);
        let at = text.place(text.as_str().find(word).unwrap());
        assert!(file[at..].starts_with(word), "{word} is looked for at {:?}", &file[at..]);
    }

    #[test]
    fn escaped_text_knows_its_places() {
        let json = r#"{"q":"SELECT \"a\"\n\u0041 \ud83d\ude00 FROM t"}"#;
        let raw = &json[5..json.len() - 1];
        check(&Text::json(raw, 5), json, "SELECT \"a\"\nA \u{1f600} FROM t", "FROM");
        let csv = r#"1,"say ""hi"" to t",2"#;
        check(&Text::doubled(&csv[3..csv.len() - 3], 3, '"'), csv, r#"say "hi" to t"#, "to t");
        check(&Text::plain("b c", 2), "a b c", "b c", "c");
        check(&Text::json(raw, 5).part(8..12), json, "a\"\nA", "a");
    }
}
