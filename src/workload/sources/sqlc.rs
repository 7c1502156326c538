//! The code that sqlc generates: each query is a string constant that begins with `-- name: X :one`. In Go it is the text that is sent; the
//! generators of other languages write placeholders of their drivers (`:p1`, `?`).

use camino::Utf8Path;

use super::Source;
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources, Span};
use crate::workload::detect::begins;
use crate::workload::error::WorkloadError;
use crate::workload::found::{self, Found};
use crate::workload::placeholder::Style;
use crate::workload::text::{Making, Text};
use crate::workload::{Workload, file};

pub(super) static SOURCE: Source = Source {
    word: "sqlc",
    aliases: &[],
    what: "code that sqlc generated",
    reads: "the code that sqlc generates (Go, Python, Kotlin, TypeScript)",
    is: is_here,
    load: |location| load(Utf8Path::new(&location.path)),
};

fn is_here(path: &Utf8Path) -> Result<bool, WorkloadError> {
    if path.is_file() && !is_code(path) {
        return Ok(false);
    }
    for file in file::below(path, is_code)? {
        if begins(&file, is_one)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Languages: how their files end.
const EXTENSIONS: &[&str] = &["go", "py", "ts", "kt"];

/// What opens a constant; the longer first.
const QUOTES: &[&str] = &["\"\"\"", "'''", "`", "\"", "'"];

/// What begins a query.
const HEAD: &str = "-- name: ";

/// Whether a file may be generated code.
fn is_code(path: &Utf8Path) -> bool {
    path.extension().is_some_and(|extension| EXTENSIONS.contains(&extension))
}

/// Whether a text is such code.
fn is_one(text: &str) -> bool {
    text.contains("sqlc") && text.contains(HEAD)
}

/// Reads a folder or a file.
fn load(path: &Utf8Path) -> Result<(Workload, Vec<Diagnostic>), WorkloadError> {
    let mut sources = Sources::new();
    for path in file::below(path, is_code)? {
        let text = file::text(&path)?;
        if is_one(&text) {
            sources.add(path, text);
        }
    }
    let found: Vec<Found> = sources.iter().flat_map(|(id, file)| constants(id, &file.text)).collect();
    if found.is_empty() {
        let wanted = "there is no code of sqlc with `-- name:` constants; its query files are sql:PATH".into();
        return Err(WorkloadError::Empty { path: path.to_owned(), wanted });
    }
    Ok(found::workload(sources, found, Style::Template))
}

fn constants(id: FileId, text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find(HEAD).map(|at| from + at) {
        from = at + HEAD.len();
        let Some(quote) = QUOTES.iter().find(|quote| text[..at].ends_with(*quote)) else { continue };
        let end = closing(&text[at..], quote).map_or(text.len(), |length| at + length);
        let name: String = text[from..end].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let span = Span::new(id, at..end);
        let raw = &text[at..end];
        let sql = match *quote {
            // Go's raw strings escape nothing, and a grave is put in between.
            "`" => Text::plain(raw, at),
            _ => escaped(raw, at),
        };
        let unreadable = (end == text.len()).then(|| "its constant is never closed".to_owned());
        found.push(Found { unreadable, ..Found::with_text(name, span, sql) });
        from = end;
    }
    found
}

/// Where a constant ends.
fn closing(text: &str, quote: &str) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        if quote != "`" && text.as_bytes()[at] == b'\\' {
            at += 2;
        } else if text.as_bytes()[at..].starts_with(quote.as_bytes()) {
            return Some(at);
        } else {
            at += 1;
        }
    }
    None
}

/// A text with backslashes: `\n` is a line end, any other goes away and what follows stays (`\:`, `\"`). SQLAlchemy escapes a colon twice.
fn escaped(raw: &str, at: usize) -> Text {
    let mut made = Making::default();
    let mut done = 0;
    while let Some(found) = raw[done..].find('\\') {
        made.copy(&raw[done..done + found], at + done);
        done += found;
        let rest = raw[done..].trim_start_matches('\\');
        let slashes = raw.len() - done - rest.len();
        if rest.starts_with('n') && slashes == 1 {
            made.replace("\n", at + done);
            done += 2;
        } else {
            done += slashes;
        }
    }
    made.copy(&raw[done..], at + done);
    made.done()
}
