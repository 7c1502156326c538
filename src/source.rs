//! Source files and places in them. Every later stage points back here, so a finding can always show its SQL.

use std::ops::Range;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

/// Index of a file in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A half-open byte range in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from byte offsets.
    pub fn new(file: FileId, range: Range<usize>) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { file, start: clamp(range.start), end: clamp(range.end) }
    }

    /// The byte range.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The same span after its files were appended behind `files` others.
    #[must_use]
    pub fn moved(self, files: u32) -> Self {
        Self { file: FileId(self.file.0 + files), ..self }
    }

    /// The smallest span that covers both. Spans of different files do not join: the first one wins.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if self.file != other.file {
            return self;
        }
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A place for people: 1-based line and column, columns counted in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineColumn {
    /// 1-based line.
    pub line: u32,
    /// 1-based column, in characters.
    pub column: u32,
}

/// One file's path and text.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The path as it is shown to people.
    pub path: Utf8PathBuf,
    /// The whole text.
    pub text: Arc<str>,
    line_starts: Vec<u32>,
}

/// All files that were read.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Arc<SourceFile>>,
}

impl Sources {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file and returns its id.
    pub fn add(&mut self, path: impl Into<Utf8PathBuf>, text: impl Into<Arc<str>>) -> FileId {
        let text = text.into();
        let newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let line_starts = std::iter::once(0).chain(newlines.map(|(i, _)| u32::try_from(i + 1).unwrap_or(u32::MAX)));
        let line_starts = line_starts.collect();
        self.files.push(Arc::new(SourceFile { path: path.into(), text, line_starts }));
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    /// Adds all files of another set. Spans of that set are valid here once moved by the returned number of files.
    pub fn append(&mut self, other: &Self) -> u32 {
        let offset = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.extend(other.files.iter().cloned());
        offset
    }

    /// The file behind an id.
    ///
    /// # Panics
    /// If the id comes from another [`Sources`].
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// Every file with its id.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(i, f)| (FileId(u32::try_from(i).unwrap_or(u32::MAX)), &**f))
    }

    /// The text that a span covers.
    pub fn slice(&self, span: Span) -> &str {
        self.file(span.file).text.get(span.range()).unwrap_or_default()
    }

    /// The path of a span's file.
    pub fn path(&self, span: Span) -> &Utf8Path {
        &self.file(span.file).path
    }

    /// Where a span starts.
    pub fn line_column(&self, span: Span) -> LineColumn {
        self.file(span.file).line_column(span.start)
    }

    /// The line that a span starts in, without its indentation; of a long one, the part around the span.
    pub fn line(&self, span: Span) -> String {
        const AROUND: usize = 100;
        let text = &*self.file(span.file).text;
        let at = text.floor_char_boundary(span.range().start);
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
        let from = text.ceil_char_boundary(start.max(at.saturating_sub(AROUND)));
        let to = text.floor_char_boundary(end.min(span.range().end.max(at) + AROUND));
        let cut = |whole: bool| if whole { "" } else { "…" };
        format!("{}{}{}", cut(from == start), text[from..to].trim(), cut(to == end))
    }

    /// `path:line:column` of a span's start.
    pub fn place(&self, span: Span) -> String {
        let at = self.line_column(span);
        format!("{}:{}:{}", self.path(span), at.line, at.column)
    }
}

impl SourceFile {
    /// Line and column of a byte offset.
    pub fn line_column(&self, offset: u32) -> LineColumn {
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts[line - 1] as usize;
        let column = self.text.get(start..offset as usize).map_or(0, |before| before.chars().count());
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        LineColumn { line: clamp(line), column: clamp(column + 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let mut sources = Sources::new();
        let file = sources.add("a.sql", "ab\nçé;x\n");
        let at = |offset: usize| {
            let at = sources.line_column(Span::new(file, offset..offset));
            (at.line, at.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(2), (1, 3));
        assert_eq!(at(3), (2, 1));
        assert_eq!(at(8), (2, 4), "two-byte characters count once");
        assert_eq!(at(10), (3, 1), "the empty last line");
    }
}
