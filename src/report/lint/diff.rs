//! A fix as a unified diff.

use similar::TextDiff;

use crate::diagnostic::Fix;
use crate::lint::fix;
use crate::source::Sources;

/// The changes to the file, with its path in the header.
pub(super) fn diff(fix: &Fix, sources: &Sources) -> Option<String> {
    let (file, new) = fix::preview(fix, sources)?;
    let old = sources.file(file);
    let text = TextDiff::from_lines(&*old.text, new.as_str());
    Some(text.unified_diff().context_radius(1).header(old.path.as_str(), old.path.as_str()).to_string())
}
