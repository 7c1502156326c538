//! Names for findings that survive edits elsewhere in the file: the rule, the file below the folder, and the text it points at, whatever line
//! that stands on and however it is indented.

use std::collections::HashMap;

use camino::Utf8Path;
use sha2::{Digest, Sha256};

use crate::diagnostic::Diagnostic;
use crate::digest::hex;
use crate::source::Sources;

/// One for each finding, all different.
pub fn fingerprints(diagnostics: &[Diagnostic], sources: &Sources, folder: &Utf8Path) -> Vec<String> {
    let mut seen: HashMap<String, u32> = HashMap::new();
    let name = |diagnostic: &Diagnostic| {
        let (path, text) = match diagnostic.span() {
            Some(span) => (below(folder, sources.path(span)), sources.slice(span)),
            None => (Utf8Path::new(""), diagnostic.message.as_str()),
        };
        let words: Vec<_> = text.split_whitespace().collect();
        let content = [diagnostic.code.id, path.as_str(), &words.join(" ")].join("\0");
        // The same text may stand twice in a file.
        let count = seen.entry(content.clone()).or_default();
        *count += 1;
        hex(&Sha256::digest(format!("{content}\0{count}")))[..32].to_owned()
    };
    diagnostics.iter().map(name).collect()
}

/// A file's path below its folder, the same from wherever the command is run.
pub(crate) fn below<'a>(folder: &Utf8Path, path: &'a Utf8Path) -> &'a Utf8Path {
    path.strip_prefix(folder).unwrap_or(path)
}
