//! The password file, by libpq's rules.

use std::fmt;
use std::path::{Path, PathBuf};

use super::secret::Secret;

/// Something about the password file that libpq would warn about on stderr. The file is then ignored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassfileWarning {
    /// Others may read it.
    #[error("password file {} is ignored: group or others may read it; run chmod 600 on it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// A directory, a device, …
    #[error("password file {} is ignored: it is not a plain file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// It exists and could not be read.
    #[error("password file {} is ignored: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
}

/// The lines of a password file.
#[derive(Clone, Default)]
pub(super) struct Passfile {
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    /// Host, port, database, user; `None` is the wildcard `*`.
    key: [Option<String>; 4],
    password: Secret,
}

impl Passfile {
    /// Reads a password file. One that does not exist is an empty one.
    pub(super) fn read(path: &Path) -> Result<Self, PassfileWarning> {
        let unreadable =
            |error: &std::io::Error| PassfileWarning::Unreadable { path: path.into(), reason: error.to_string() };
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unreadable(&error)),
        };
        if !metadata.is_file() {
            return Err(PassfileWarning::NotAFile { path: path.into() });
        }
        if readable_by_others(&metadata) {
            return Err(PassfileWarning::Exposed { path: path.into() });
        }
        std::fs::read_to_string(path).map(|text| Self::parse(&text)).map_err(|error| unreadable(&error))
    }

    fn parse(text: &str) -> Self {
        let entries = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let mut fields = split_fields(line).into_iter();
                let mut next = || fields.next();
                let key = [next()?, next()?, next()?, next()?].map(|field| (field != "*").then(|| unescape(field)));
                Some(Entry { key, password: Secret::new(unescape(next()?)) })
            })
            .collect();
        Self { entries }
    }

    /// The first line that fits. `host` is the host name as written, or `localhost` for a unix socket.
    pub(super) fn password(&self, host: &str, port: u16, database: &str, user: &str) -> Option<&Secret> {
        let wanted = [host, &port.to_string(), database, user];
        let fits = |entry: &&Entry| {
            entry.key.iter().zip(wanted).all(|(key, wanted)| key.as_deref().is_none_or(|key| key == wanted))
        };
        self.entries.iter().find(fits).map(|entry| &entry.password)
    }
}

impl fmt::Debug for Passfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passfile({} lines)", self.entries.len())
    }
}

fn readable_by_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

/// Splits at colons that no backslash precedes; the escapes stay in the fields.
fn split_fields(line: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => {
                fields.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    fields.push(&line[start..]);
    fields
}

fn unescape(field: &str) -> String {
    let mut chars = field.chars();
    let mut out = String::with_capacity(field.len());
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_wins() {
        let file = Passfile::parse(
            "# host:port:db:user:password\n\
             db:5432:shop:me:one\n\
             db:*:*:me:two\n\
             localhost:5432:*:*:th\\:ree\\\\:ignored\n\
             short:line\n\
             \\::*:*:*:colon\n",
        );
        let find = |host, port, database, user| file.password(host, port, database, user).map(Secret::reveal);
        assert_eq!(find("db", 5432, "shop", "me"), Some("one"));
        assert_eq!(find("db", 6432, "shop", "me"), Some("two"));
        assert_eq!(find("db", 5432, "shop", "you"), None);
        assert_eq!(find("localhost", 5432, "x", "y"), Some("th:ree\\"));
        assert_eq!(find(":", 1, "x", "y"), Some("colon"));
        assert!(!format!("{file:?}").contains("two"));
    }

    #[test]
    fn a_file_others_may_read_is_ignored() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pgpass");
        std::fs::write(&path, "*:*:*:*:secret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(Passfile::read(&path).unwrap_err(), PassfileWarning::Exposed { path: path.clone() });
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Passfile::read(&path).unwrap().password("h", 1, "d", "u").map(Secret::reveal), Some("secret"));
        assert!(Passfile::read(&dir.path().join("none")).unwrap().entries.is_empty());
        assert_eq!(Passfile::read(dir.path()).unwrap_err(), PassfileWarning::NotAFile { path: dir.path().to_owned() });
    }
}
