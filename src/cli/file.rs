//! Files that a command writes: whole or not at all.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;

use super::error::CliError;
use super::out;

/// Writes a file, or prints where none is named.
pub(super) fn write_or_print(path: Option<&Utf8Path>, text: &str) -> Result<(), CliError> {
    match path {
        Some(path) => write(path, text),
        None => out::print(text),
    }
}

/// Writes a file whole or not at all; one that exists keeps its permissions. What exists and is no ordinary file (a pipe, `/dev/stdout`) is
/// written to as it is.
pub(super) fn write(path: &Utf8Path, text: &str) -> Result<(), CliError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| CliError::usage(format!("{path}: {what}: {error}"));
    let existing = fs_err::metadata(path).ok();
    if existing.as_ref().is_some_and(|m| !m.is_file() && !m.is_dir()) {
        let opened = std::fs::OpenOptions::new().write(true).open(path);
        let mut file = opened.map_err(|e| failed("writing failed", &e))?;
        return file.write_all(text.as_bytes()).map_err(|e| failed("writing failed", &e));
    }
    // What a link points to changes, and the link stays.
    let resolved = path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned());
    let folder = resolved.parent().filter(|p| !p.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    // As any new file: readable as far as the umask lets it be.
    let mode = std::fs::Permissions::from_mode(0o666);
    let file = tempfile::Builder::new().permissions(mode).tempfile_in(folder);
    // Its kind only: the message has the path of the temporary file, which means nothing to anybody.
    let mut file = file.map_err(|e| failed("the folder cannot be written", &e.kind()))?;
    file.write_all(text.as_bytes()).map_err(|e| failed("writing failed", &e))?;
    if let Some(existing) = existing.filter(|m| m.is_file()) {
        file.as_file().set_permissions(existing.permissions()).map_err(|e| failed("writing failed", &e))?;
    }
    file.as_file().sync_all().map_err(|e| failed("writing failed", &e))?;
    file.persist(&resolved).map_err(|e| failed("writing failed", &e.error))?;
    Ok(())
}
