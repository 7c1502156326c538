//! An archive of pg_dump. What makes the schema comes as text, and goes the way of every dump: roles that the server lacks are made. Only the rows
//! are left to pg_restore, which may be many.

use std::io::Read as _;
use std::process::Stdio;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::process::Command;

use crate::migrations::Folder;
use crate::postgres::{Session, Target};
use crate::rehearse::error::{RehearsalError, Whose};
use crate::rehearse::terms::Terms;
use crate::rehearse::trial::{Met, Trial};

/// How many sessions bring rows at a time, where the archive allows more than one.
const JOBS: &str = "4";

/// Restores an archive into an empty database.
pub(super) async fn archive(
    session: &Session,
    target: &Target,
    path: &Utf8Path,
    pg_restore: &Utf8Path,
    terms: Terms<'_>,
    met: &mut Met,
) -> Result<(), RehearsalError> {
    let failed = |message: String| RehearsalError::Restore { path: path.to_owned(), message };
    for section in ["pre-data", "data", "post-data"] {
        let mut command = Command::new(pg_restore);
        command.args(["--section", section]).stdin(Stdio::null()).kill_on_drop(true);
        if section == "data" {
            command.args(["--exit-on-error", "--dbname", target.database()]).envs(target.variables());
            if allows_jobs(path) {
                command.args(["--jobs", JOBS]);
            }
        } else {
            // What it says of the database itself comes with it.
            command.args(["--file", "-", "--create"]);
        }
        let ended = tokio::time::timeout(terms.limit, command.arg("--").arg(path).output()).await;
        let Ok(output) = ended else {
            return Err(RehearsalError::Limit { what: format!("{path}, {section}"), limit: terms.limit });
        };
        let output = output.map_err(|error| failed(format!("{pg_restore}: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).take(3).collect();
            return Err(failed(format!("pg_restore ended with {}: {}", output.status, said.join("; "))));
        }
        if section != "data" {
            let text = String::from_utf8(output.stdout).map_err(|_| failed("its schema is not UTF-8".to_owned()))?;
            let mut folder = Folder::empty(path);
            let part = folder.add_text(&Utf8PathBuf::from(format!("{path} ({section})")), text);
            Trial::new(session, &folder, terms, met).run(&[part], Whose::Dump).await?;
        }
    }
    Ok(())
}

/// A directory, or a custom archive; a tar is read from its beginning to its end.
fn allows_jobs(path: &Utf8Path) -> bool {
    let mut head = [0; 5];
    path.is_dir()
        || std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && &head == b"PGDMP"
}
