//! Fixes applied to texts.

use crate::diagnostic::{Diagnostic, Edit, Fix, Safety};
use crate::source::{FileId, Sources};

/// The files that safe fixes change, with their new texts. A fix that overlaps an earlier one waits for the next run.
pub fn apply_safe(diagnostics: &[Diagnostic], sources: &Sources) -> Vec<(FileId, String)> {
    let fixes = diagnostics.iter().filter_map(|d| d.fix.as_ref()).filter(|fix| fix.safety == Safety::Safe);
    let mut accepted: Vec<&Edit> = Vec::new();
    for fix in fixes {
        if !fix.edits.iter().any(|edit| accepted.iter().any(|other| touch(edit, other))) {
            accepted.extend(&fix.edits);
        }
    }
    let mut files: Vec<FileId> = accepted.iter().map(|edit| edit.span.file).collect();
    files.sort();
    files.dedup();
    let text = |file| edited(&sources.file(file).text, accepted.iter().copied().filter(|edit| edit.span.file == file));
    files.into_iter().map(|file| (file, text(file))).collect()
}

/// The file that a fix changes, with its new text.
pub fn preview(fix: &Fix, sources: &Sources) -> Option<(FileId, String)> {
    let file = fix.edits.first()?.span.file;
    let edits = fix.edits.iter().filter(|edit| edit.span.file == file);
    Some((file, edited(&sources.file(file).text, edits)))
}

fn touch(a: &Edit, b: &Edit) -> bool {
    a.span.file == b.span.file && a.span.start <= b.span.end && b.span.start <= a.span.end
}

fn edited<'a>(text: &str, edits: impl Iterator<Item = &'a Edit>) -> String {
    let mut edits: Vec<_> = edits.collect();
    edits.sort_by_key(|edit| edit.span.start);
    let mut new = text.to_owned();
    for edit in edits.iter().rev() {
        // Lines end as they do in the rest of the file.
        let replacement =
            if text.contains("\r\n") { edit.replacement.replace('\n', "\r\n") } else { edit.replacement.clone() };
        new.replace_range(edit.span.range(), &replacement);
    }
    new
}
