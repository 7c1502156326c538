//! Findings of `lint` in every format. One neutral value in, one text out; no decisions here.

mod diff;
mod github;
mod gitlab;
pub mod json;
mod junit;
mod markdown;
mod page;
mod sarif;
mod text;

use camino::{Utf8Component, Utf8PathBuf};

use super::Format;
use crate::lint::LintReport;
use crate::source::{LineColumn, Span};

pub use page::{page, table};

/// Every format of what `lint` found.
pub static FORMATS: &[Format<LintReport>] =
    &[text::FORMAT, json::FORMAT, sarif::FORMAT, github::FORMAT, gitlab::FORMAT, junit::FORMAT, markdown::FORMAT];

/// Where findings stand.
impl LintReport {
    /// A path as services count it, without `.` and `..`.
    fn path(&self, span: Span) -> Utf8PathBuf {
        let mut path = Utf8PathBuf::new();
        for part in self.root.join(self.sources.path(span)).components() {
            match part {
                Utf8Component::CurDir => {}
                Utf8Component::ParentDir if path.file_name().is_some() => _ = path.pop(),
                other => path.push(other),
            }
        }
        path
    }

    /// Where a place starts and ends.
    fn region(&self, span: Span) -> (LineColumn, LineColumn) {
        let file = self.sources.file(span.file);
        (file.line_column(span.start), file.line_column(span.end))
    }
}
