//! Reading files and folders of a version.

use camino::{Utf8Path, Utf8PathBuf};

use super::error::WorkloadError;

/// Whether a folder holds nothing of the application's own: what package managers and compilers keep there, and hidden folders.
fn is_foreign(folder: &Utf8Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    let hidden = name.starts_with('.') && name != ".sqlx";
    hidden || name == "node_modules" || folder.join("CACHEDIR.TAG").is_file()
}

/// The text of a file.
pub(super) fn text(path: &Utf8Path) -> Result<String, WorkloadError> {
    String::from_utf8(fs_err::read(path)?).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count() + 1;
        WorkloadError::NotUtf8 { path: path.to_owned(), line, offset }
    })
}

/// The files of a folder and those below it, or the one file, sorted.
pub(super) fn below(path: &Utf8Path, wanted: impl Fn(&Utf8Path) -> bool) -> Result<Vec<Utf8PathBuf>, WorkloadError> {
    if !path.exists() {
        return Err(WorkloadError::Missing(path.to_owned()));
    }
    if !fs_err::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let path = Utf8PathBuf::from_path_buf(entry.path()).map_err(WorkloadError::PathNotUtf8)?;
            // A link to a folder may lead in a circle.
            if entry.file_type()?.is_dir() {
                if !is_foreign(&path) {
                    folders.push(path);
                }
            } else if wanted(&path) && path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
