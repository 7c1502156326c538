//! A migration as the listing of a folder finds it, before its file is read.

use std::ops::Range;

use camino::Utf8PathBuf;

use super::version::Version;

/// A migration found by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) version: Version,
    pub(super) name: String,
    pub(super) path: Utf8PathBuf,
    /// What of the file goes forward, where the listing knows it already.
    pub(super) parts: Option<Vec<Range<usize>>>,
    /// Whether the listing leaves it in a transaction.
    pub(super) in_transaction: bool,
    /// The language of a program.
    pub(super) program: Option<&'static str>,
}

impl Found {
    pub(super) fn new(version: impl Into<String>, name: impl Into<String>, path: &Utf8PathBuf) -> Self {
        Self {
            version: Version::new(version),
            name: name.into(),
            path: path.clone(),
            parts: None,
            in_transaction: true,
            program: None,
        }
    }
}
