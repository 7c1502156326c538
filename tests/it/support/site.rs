//! A folder of files, and the command in it.

use std::path::Path;

use super::{cutover, exit};

/// A folder with these files, gone when it is dropped.
pub(crate) struct Site(tempfile::TempDir);

impl Site {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The exit code, and what it printed: to stdout, then to stderr.
    pub(crate) fn run(&self, args: &[&str]) -> (i32, String) {
        let output = cutover(self.path()).args(args).output().unwrap();
        let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        (exit(&output), String::from_utf8(text).unwrap())
    }
}
