//! The files of a folder, on disk or in memory, as the readers of the conventions see them.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::LoadError;

/// Paths below a folder, and their texts.
pub(super) struct Tree<'a> {
    pub(super) root: &'a Utf8Path,
    /// Sorted, or in the order they were given in.
    pub(super) paths: Vec<Utf8PathBuf>,
    memory: Option<BTreeMap<Utf8PathBuf, String>>,
}

impl<'a> Tree<'a> {
    /// Everything below a folder but hidden files.
    pub(super) fn walk(root: &'a Utf8Path) -> Result<Self, LoadError> {
        let mut paths = Vec::new();
        walk(root, Utf8Path::new(""), 0, &mut paths)?;
        paths.sort();
        Ok(Self { root, paths, memory: None })
    }

    /// Files that are in memory already.
    pub(super) fn of(files: impl IntoIterator<Item = (Utf8PathBuf, String)>) -> Self {
        let files: Vec<_> = files.into_iter().collect();
        let paths = files.iter().map(|(path, _)| path.clone()).collect();
        Self { root: Utf8Path::new(""), paths, memory: Some(files.into_iter().collect()) }
    }

    /// The `*.sql` files.
    pub(super) fn sql(&self) -> impl Iterator<Item = &Utf8PathBuf> {
        self.paths.iter().filter(|path| path.extension() == Some("sql"))
    }

    /// The `*.sql` files of the folder itself.
    pub(super) fn top_sql(&self) -> impl Iterator<Item = &Utf8PathBuf> {
        self.sql().filter(|path| path.components().count() == 1)
    }

    /// Whether a file is there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.iter().any(|p| p == path)
    }

    /// Where a file is.
    pub(super) fn place(&self, path: &Utf8Path) -> Utf8PathBuf {
        self.root.join(path)
    }

    /// A file's bytes.
    pub(super) fn bytes(&self, path: &Utf8Path) -> Result<Vec<u8>, LoadError> {
        match &self.memory {
            Some(files) => Ok(files.get(path).map(|text| text.clone().into_bytes()).unwrap_or_default()),
            None => Ok(fs_err::read(self.root.join(path))?),
        }
    }

    /// A file's text.
    pub(super) fn text(&self, path: &Utf8Path) -> Result<String, LoadError> {
        utf8(self.place(path), self.bytes(path)?)
    }
}

/// Bytes as text, or where they are none.
pub(super) fn utf8(path: Utf8PathBuf, bytes: Vec<u8>) -> Result<String, LoadError> {
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count() + 1;
        LoadError::NotUtf8 { path, line, offset }
    })
}

fn walk(root: &Utf8Path, below: &Utf8Path, depth: usize, paths: &mut Vec<Utf8PathBuf>) -> Result<(), LoadError> {
    const DEEPEST: usize = 4;
    for entry in fs_err::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(LoadError::PathNotUtf8(entry.path()));
        };
        if name.starts_with('.') {
            continue;
        }
        let path = below.join(name);
        // Follows links, as the migration tools do.
        let kind = entry.file_type()?;
        let is_folder = if kind.is_symlink() { fs_err::metadata(entry.path())?.is_dir() } else { kind.is_dir() };
        if is_folder {
            if depth < DEEPEST {
                walk(root, &path, depth + 1, paths)?;
            }
        } else {
            paths.push(path);
        }
    }
    Ok(())
}
