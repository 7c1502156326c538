//! Text → raw statements, the way `psql` finds their ends: quotes, dollar quotes, nested comments, parentheses and `BEGIN ATOMIC` bodies
//! hide semicolons. It never fails and works on bytes, so that one unreadable token costs its statement and not the file, and every span is
//! exact. (sqlparser's tokenizer stops at the first token it cannot read and counts lines and columns, not bytes; it is used one
//! statement at a time, in [`super::parse`].)

use std::ops::Range;

use super::lex::{Lexeme, is_word_byte, is_word_start, lex};

/// One statement as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawStatement {
    /// From its first token to its last, without the semicolon.
    pub(crate) range: Range<usize>,
    /// The comments between the previous statement and this one.
    pub(crate) comments: Vec<Range<usize>>,
    /// The rows behind `COPY … FROM STDIN`, without the line that ends them.
    pub(crate) rows: Option<Range<usize>>,
}

/// Whether rows follow `COPY … FROM STDIN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// They do, to the line `\.` or else to the end, as psql takes them.
    Follow,
    /// Only where a line `\.` ends them before the next query begins: an application sends its rows itself.
    IfEnded,
}

/// What the splitter cannot make sense of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SplitProblem {
    pub(crate) range: Range<usize>,
    pub(crate) kind: SplitProblemKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SplitProblemKind {
    /// A quote, dollar quote, or comment that is never closed.
    Unterminated(&'static str),
    /// A backslash command of psql.
    MetaCommand,
    /// `COPY … FROM STDIN` with its rows in the file.
    CopyData,
}

/// A file in pieces.
pub(crate) struct Split {
    pub(crate) statements: Vec<RawStatement>,
    /// The comments behind the last statement.
    pub(crate) trailing: Vec<Range<usize>>,
    pub(crate) problems: Vec<SplitProblem>,
}

/// Splits a file.
pub(crate) fn split(text: &str, rows: Rows) -> Split {
    let mut splitter = Splitter { text, bytes: text.as_bytes(), at: 0, rows, problems: Vec::new() };
    let (statements, trailing) = splitter.run();
    Split { statements, trailing, problems: splitter.problems }
}

struct Splitter<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    rows: Rows,
    problems: Vec<SplitProblem>,
}

impl Splitter<'_> {
    fn run(&mut self) -> (Vec<RawStatement>, Vec<Range<usize>>) {
        let mut statements = Vec::new();
        let mut comments = Vec::new();
        // A byte order mark is not SQL.
        if self.text.starts_with('\u{feff}') {
            self.at = '\u{feff}'.len_utf8();
        }
        while self.at < self.bytes.len() {
            let byte = self.bytes[self.at];
            if byte.is_ascii_whitespace() || byte == b';' {
                self.at += 1;
            } else if let Some(comment) = self.comment() {
                comments.push(comment);
            } else if byte == b'\\' {
                self.meta_command();
            } else {
                let range = self.statement();
                let rows = self.copy_data(range.clone());
                statements.push(RawStatement { range, comments: std::mem::take(&mut comments), rows });
            }
        }
        (statements, comments)
    }

    /// Passes over a command of psql, which ends with its line.
    fn meta_command(&mut self) {
        let start = self.at;
        self.at = self.end_of_line();
        self.problems.push(SplitProblem { range: start..self.at, kind: SplitProblemKind::MetaCommand });
    }

    /// Whether a command of psql at the cursor sends what stands before it, as a semicolon does: `\g`, `\gexec`, `\gset`, `\watch`, ….
    fn sends(&self) -> bool {
        let rest = &self.text[self.at + 1..];
        [";", "g", "watch", "crosstabview"].iter().any(|command| rest.starts_with(command))
    }

    /// Reads one statement and leaves the cursor behind its semicolon.
    fn statement(&mut self) -> Range<usize> {
        let start = self.at;
        let mut end = start;
        let mut parentheses = 0_usize;
        let mut atomic = 0_usize;
        let mut previous_word: &[u8] = b"";
        while self.at < self.bytes.len() {
            let byte = self.bytes[self.at];
            match byte {
                b';' if parentheses == 0 && atomic == 0 => {
                    self.at += 1;
                    return start..end;
                }
                b'\\' if self.sends() => {
                    if self.bytes.get(self.at + 1) == Some(&b';') {
                        self.at += 2;
                    }
                    return start..end;
                }
                b'\\' => {
                    self.meta_command();
                    previous_word = b"";
                    continue;
                }
                b'(' => parentheses += 1,
                b')' => parentheses = parentheses.saturating_sub(1),
                b'\'' => {
                    let escapes = previous_word.eq_ignore_ascii_case(b"E") && self.at > start && self.glued();
                    self.quoted(b'\'', escapes, "string");
                    previous_word = b"";
                    end = self.at;
                    continue;
                }
                b'"' => {
                    self.quoted(b'"', false, "quoted identifier");
                    previous_word = b"";
                    end = self.at;
                    continue;
                }
                b'$' => {
                    if let Some(tag) = self.dollar_tag() {
                        self.dollar_quoted(&tag);
                        previous_word = b"";
                        end = self.at;
                        continue;
                    }
                }
                _ if byte.is_ascii_whitespace() => {
                    self.at += 1;
                    continue;
                }
                _ if self.comment().is_some() => continue,
                _ if is_word_start(byte) => {
                    let word_start = self.at;
                    while self.at < self.bytes.len() && is_word_byte(self.bytes[self.at]) {
                        self.at += 1;
                    }
                    let word = &self.bytes[word_start..self.at];
                    if word.eq_ignore_ascii_case(b"ATOMIC") && previous_word.eq_ignore_ascii_case(b"BEGIN") {
                        atomic = 1;
                    } else if atomic > 0 && word.eq_ignore_ascii_case(b"CASE") {
                        atomic += 1;
                    } else if atomic > 0 && word.eq_ignore_ascii_case(b"END") {
                        atomic -= 1;
                    }
                    previous_word = word;
                    end = self.at;
                    continue;
                }
                _ => {}
            }
            previous_word = b"";
            self.at += 1;
            end = self.at;
        }
        start..end
    }

    /// Whether the byte before the cursor belongs to a word (so that `E'…'` is one token and `E '…'` is not).
    fn glued(&self) -> bool {
        self.at > 0 && is_word_byte(self.bytes[self.at - 1])
    }

    fn quoted(&mut self, quote: u8, escapes: bool, what: &'static str) {
        let start = self.at;
        self.at += 1;
        while self.at < self.bytes.len() {
            let byte = self.bytes[self.at];
            if escapes && byte == b'\\' {
                self.at = (self.at + 2).min(self.bytes.len());
            } else if byte == quote {
                self.at += 1;
                if self.bytes.get(self.at) != Some(&quote) {
                    return;
                }
                self.at += 1;
            } else {
                self.at += 1;
            }
        }
        self.unterminated(start, what);
    }

    /// The tag `$…$` at the cursor, if one starts here.
    fn dollar_tag(&self) -> Option<Vec<u8>> {
        if self.at > 0 && is_word_byte(self.bytes[self.at - 1]) {
            return None;
        }
        let rest = &self.bytes[self.at + 1..];
        let length = rest.iter().position(|b| !is_word_byte(*b) || *b == b'$')?;
        let tag_ends = rest[length] == b'$' && rest.first().is_some_and(|b| !b.is_ascii_digit());
        tag_ends.then(|| self.bytes[self.at..self.at + length + 2].to_vec())
    }

    fn dollar_quoted(&mut self, tag: &[u8]) {
        let start = self.at;
        self.at += tag.len();
        let close = std::str::from_utf8(tag).ok().and_then(|tag| self.text.get(self.at..)?.find(tag));
        match close {
            Some(offset) => self.at += offset + tag.len(),
            None => {
                self.at = self.bytes.len();
                self.unterminated(start, "dollar-quoted string");
            }
        }
    }

    /// Skips a comment at the cursor and returns its range.
    fn comment(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        if self.bytes[start..].starts_with(b"--") {
            self.at = self.end_of_comment();
            return Some(start..self.at);
        }
        if !self.bytes[start..].starts_with(b"/*") {
            return None;
        }
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            if self.bytes[self.at..].starts_with(b"/*") {
                depth += 1;
                self.at += 2;
            } else if self.bytes[self.at..].starts_with(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Some(start..self.at);
                }
            } else {
                self.at += 1;
            }
        }
        self.unterminated(start, "comment");
        Some(start..self.at)
    }

    fn end_of_line(&self) -> usize {
        self.bytes[self.at..].iter().position(|b| *b == b'\n').map_or(self.bytes.len(), |i| self.at + i)
    }

    /// A carriage return ends a comment, too.
    fn end_of_comment(&self) -> usize {
        self.bytes[self.at..].iter().position(|b| matches!(b, b'\n' | b'\r')).map_or(self.bytes.len(), |i| self.at + i)
    }

    fn unterminated(&mut self, start: usize, what: &'static str) {
        let end = (start + 1).min(self.bytes.len());
        self.problems.push(SplitProblem { range: start..end, kind: SplitProblemKind::Unterminated(what) });
    }

    /// Passes over the rows that follow `COPY … FROM STDIN;`.
    fn copy_data(&mut self, statement: Range<usize>) -> Option<Range<usize>> {
        if !copies_from_stdin(&self.text[statement.clone()]) {
            return None;
        }
        let start = self.end_of_line();
        let start = (start + 1).min(self.text.len());
        let mut at = start;
        let mut end = None;
        for line in self.text[start..].split_inclusive('\n') {
            let bare = line.trim_end_matches(['\n', '\r']);
            if bare == "\\." {
                end = Some((start..at, at + line.len()));
                break;
            }
            let next_query = || bare.starts_with("-- name:") || copies_from_stdin(bare);
            if self.rows == Rows::IfEnded && next_query() {
                break;
            }
            at += line.len();
        }
        let (rows, behind) = match (end, self.rows) {
            (Some(end), _) => end,
            (None, Rows::Follow) => (start..self.text.len(), self.text.len()),
            (None, Rows::IfEnded) => return None,
        };
        self.at = behind;
        self.problems.push(SplitProblem { range: statement, kind: SplitProblemKind::CopyData });
        Some(rows)
    }
}

/// Whether a statement is `COPY … FROM STDIN`.
pub(crate) fn copies_from_stdin(statement: &str) -> bool {
    if !statement.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("copy")) {
        return false;
    }
    let words: Vec<_> = lex(statement).into_iter().filter(Lexeme::solid).collect();
    words.first().is_some_and(|word| word.is("copy"))
        && words.windows(2).any(|pair| pair[0].is("from") && pair[1].is("stdin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let Split { statements, problems, .. } = split(text, Rows::Follow);
        let found: Vec<_> = statements.iter().map(|s| &text[s.range.clone()]).collect();
        assert_eq!(found, expected);
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn semicolons_hide_in_quotes_comments_parentheses_and_bodies() {
        check("a; b;\n;c", &["a", "b", "c"]);
        check("SELECT ';', \";\", $$;$$, $q$;$$;$q$ -- ;\n; x", &["SELECT ';', \";\", $$;$$, $q$;$$;$q$", "x"]);
        check(r"SELECT E'\';', 'it''s;'; x", &[r"SELECT E'\';', 'it''s;'", "x"]);
        check(r"SELECT E '\'; x", &[r"SELECT E '\'", "x"]);
        check("/* ; /* ; */ ; */ a /* ; */; b", &["a", "b"]);
        check(
            "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); b",
            &["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "b"],
        );
        check(
            "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN b END; SELECT 2; END; c",
            &["CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN b END; SELECT 2; END", "c"],
        );
        check(
            "PREPARE p AS SELECT $1; SELECT a$b$c FROM t; d",
            &["PREPARE p AS SELECT $1", "SELECT a$b$c FROM t", "d"],
        );
        check("\u{feff}BEGIN; COMMIT;", &["BEGIN", "COMMIT"]);
        check("", &[]);
        check("-- nothing\n", &[]);
    }

    #[test]
    fn what_can_not_be_read_is_reported_and_the_rest_still_split() {
        let problems =
            |text: &str| split(text, Rows::Follow).problems.into_iter().map(|p| (p.range, p.kind)).collect::<Vec<_>>();
        assert_eq!(problems("SELECT 'a; b"), [(7..8, SplitProblemKind::Unterminated("string"))]);
        assert_eq!(problems("a; /* b"), [(3..4, SplitProblemKind::Unterminated("comment"))]);
        assert_eq!(problems("a; $x$ b"), [(3..4, SplitProblemKind::Unterminated("dollar-quoted string"))]);
        assert_eq!(problems("\\set a 1\nb;"), [(0..8, SplitProblemKind::MetaCommand)]);
        assert_eq!(problems("SELECT 1 \\gexec\nSELECT 2;"), [(9..15, SplitProblemKind::MetaCommand)]);
        let text = "COPY t FROM stdin;\n1\t2;\n\\.\nSELECT 1;";
        assert_eq!(problems(text), [(0..17, SplitProblemKind::CopyData)]);
        assert_eq!(split(text, Rows::Follow).statements.len(), 2);
    }

    #[test]
    fn a_command_of_psql_that_sends_ends_the_statement() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<_> = split(text, Rows::Follow).statements;
            assert_eq!(found.iter().map(|s| &text[s.range.clone()]).collect::<Vec<_>>(), expected);
        };
        check("SELECT 'a' \\gexec\nSELECT 2;", &["SELECT 'a'", "SELECT 2"]);
        check("SELECT 1 \\g\nb;", &["SELECT 1", "b"]);
        check("SELECT 1 \\gset x_\nb;", &["SELECT 1", "b"]);
        check("SELECT 1 \\; SELECT 2; b", &["SELECT 1", "SELECT 2", "b"]);
        check("SELECT '\\gexec'; b", &["SELECT '\\gexec'", "b"]);
        check("\\restrict x\na;\n\\unrestrict x\n", &["a"]);
    }

    #[test]
    fn rows_behind_copy() {
        let check = |text: &str, rows: Rows, expected: &[&str], copied: Option<&str>| {
            let found: Vec<_> = split(text, rows).statements;
            assert_eq!(found.iter().map(|s| &text[s.range.clone()]).collect::<Vec<_>>(), expected);
            assert_eq!(found.iter().find_map(|s| s.rows.clone()).map(|range| &text[range]), copied);
        };
        let ended = "COPY t FROM STDIN;\r\n1\t2;\r\n\\.x\r\n\\.\r\nb;";
        check(ended, Rows::Follow, &["COPY t FROM STDIN", "b"], Some("1\t2;\r\n\\.x\r\n"));
        check(ended, Rows::IfEnded, &["COPY t FROM STDIN", "b"], Some("1\t2;\r\n\\.x\r\n"));
        check("COPY t FROM STDIN;\n\\.\nb;", Rows::Follow, &["COPY t FROM STDIN", "b"], Some(""));
        let open = "COPY t FROM STDIN;\n-- name: b\nb;\nCOPY u FROM STDIN;\n1\n\\.\nc;";
        check(open, Rows::Follow, &["COPY t FROM STDIN", "c"], Some("-- name: b\nb;\nCOPY u FROM STDIN;\n1\n"));
        check(open, Rows::IfEnded, &["COPY t FROM STDIN", "b", "COPY u FROM STDIN", "c"], Some("1\n"));
        check("COPY t TO STDOUT;\nb;", Rows::Follow, &["COPY t TO STDOUT", "b"], None);
        check("COPY t FROM '/stdin';\nb;", Rows::Follow, &["COPY t FROM '/stdin'", "b"], None);
        check(
            "copy t (a) from stdin with (format csv);\n1\n",
            Rows::IfEnded,
            &["copy t (a) from stdin with (format csv)", "1"],
            None,
        );
    }

    #[test]
    fn comments_before_a_statement_stay_with_it() {
        let text = "-- one\nSELECT 1; -- two\n/* three */ SELECT 2;";
        let Split { statements, .. } = split(text, Rows::Follow);
        let comments: Vec<Vec<_>> =
            statements.iter().map(|s| s.comments.iter().map(|c| &text[c.clone()]).collect()).collect();
        assert_eq!(comments, [vec!["-- one"], vec!["-- two", "/* three */"]]);
    }
}
