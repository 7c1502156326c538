//! Files that others watch: replaced as a whole, so that nobody reads half of one.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use camino::Utf8Path;

/// Puts a text in the place of a file, with the same owner and permissions. Whoever has the old file open keeps it.
pub(crate) fn replace(path: &Utf8Path, text: &str) -> Result<(), String> {
    let folder = match path.parent() {
        Some(folder) if folder.as_str().is_empty() => Utf8Path::new("."),
        Some(folder) => folder,
        None => return Err(format!("{path} is no file")),
    };
    let failed = |error: std::io::Error| format!("{path} cannot be replaced: {error}");
    // Whatever a link leads to is replaced, not the link.
    let target = path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned());
    let beside = target.parent().unwrap_or(folder);
    // A name that watchers of the folder do not take for one of their files.
    let mut fresh = tempfile::Builder::new().prefix(".cutover-").suffix(".tmp").tempfile_in(beside).map_err(failed)?;
    fresh.write_all(text.as_bytes()).map_err(failed)?;
    fresh.as_file().sync_all().map_err(failed)?;
    let known = std::fs::metadata(&target).ok();
    if let Some(known) = &known {
        let own = fresh.as_file().metadata().map_err(failed)?;
        if (own.uid(), own.gid()) != (known.uid(), known.gid()) {
            let (uid, gid) = (known.uid(), known.gid());
            std::os::unix::fs::fchown(fresh.as_file(), Some(uid), Some(gid)).map_err(|error| {
                format!(
                    "{path} belongs to user {uid} and group {gid}, and cannot be replaced by a file of theirs: {error}"
                )
            })?;
        }
    }
    let permissions = known.map_or_else(|| std::fs::Permissions::from_mode(0o644), |known| known.permissions());
    fresh.as_file().set_permissions(permissions).map_err(failed)?;
    fresh.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_owner_and_permissions_and_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let (file, link) = (folder.join("share.yml"), folder.join("link.yml"));
        replace(&file, "one").unwrap();
        let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o644);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, "two").unwrap();
        assert_eq!((std::fs::read_to_string(&file).unwrap().as_str(), mode()), ("two", 0o640));
        if nix::unistd::Uid::effective().is_root() {
            std::os::unix::fs::chown(&file, Some(65_534), Some(65_534)).unwrap();
            replace(&link, "three").unwrap();
            let known = std::fs::metadata(&file).unwrap();
            assert_eq!((known.uid(), known.gid(), mode()), (65_534, 65_534, 0o640));
        }
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2, "nothing else is left");
        assert!(replace(&folder.join("none/share.yml"), "").unwrap_err().contains("No such file"));
    }
}
