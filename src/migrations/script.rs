//! What of a file goes forward, and how its tool would run it.

use std::ops::Range;

/// The forward part of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    /// The texts that run, in order, as byte ranges of the file.
    pub(super) parts: Vec<Range<usize>>,
    /// Whether its tool runs it in one transaction.
    pub(super) in_transaction: bool,
}

impl Script {
    /// One text in one transaction.
    pub(super) fn whole(range: Range<usize>) -> Self {
        Self { parts: vec![range], in_transaction: true }
    }
}

/// The lines of a range of a text, each with its byte range (line break included).
pub(super) fn lines(text: &str, range: Range<usize>) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut at = range.start;
    text[range].split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start..at, line)
    })
}

/// The words of a line comment, without a byte order mark before it.
pub(super) fn comment(line: &str) -> Option<&str> {
    line.trim_start_matches('\u{feff}').trim().strip_prefix("--").map(str::trim)
}

/// Divides a range wherever a delimiter stands.
pub(super) fn divided(text: &str, range: Range<usize>, delimiter: &str) -> Vec<Range<usize>> {
    if delimiter.is_empty() || delimiter == ";" {
        return vec![range];
    }
    let mut parts = Vec::new();
    let mut at = range.start;
    while let Some(found) = text[at..range.end].find(delimiter) {
        parts.push(at..at + found);
        at += found + delimiter.len();
    }
    parts.push(at..range.end);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_divides_and_goes() {
        let text = "a;\n/\nb;\n/\n";
        let parts: Vec<_> = divided(text, 0..text.len(), "\n/").into_iter().map(|r| &text[r]).collect();
        assert_eq!(parts, ["a;", "\nb;", "\n"]);
        assert_eq!(divided(text, 2..4, ";").as_slice(), std::slice::from_ref(&(2..4)));
    }
}
