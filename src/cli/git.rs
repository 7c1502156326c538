//! What git knows of a folder: which files a base has, and what became of them since. Read with the `git` of the machine.

use std::collections::BTreeSet;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::CliError;
use crate::diagnostic::Diagnostic;
use crate::lint::history::FolderBase;
use crate::migrations::{Folder, Pending};

/// Compares a folder with a base, a branch or any other name of a commit. As in a pull request, what counts is where this branch left it.
fn base(folder: &Utf8Path, reference: &str) -> Result<FolderBase, CliError> {
    let git = Git { folder };
    git.run(&["rev-parse", "--is-inside-work-tree"]).map_err(|error| match error {
        Failure::NotFound => CliError::usage("--base needs git, and there is no `git` on the PATH"),
        Failure::Said(said) => CliError::usage(format!("--base: {folder} is not in a git repository ({said})"))
            .hint("say what is applied with --from or --database instead"),
    })?;
    let commit = format!("{reference}^{{commit}}");
    // A name that starts with a dash would be an option.
    let known = git.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
    let tip = known.map_err(|_| {
        CliError::usage(format!("--base: git does not know {reference:?}"))
            .hint("fetch it first; GitHub's checkout action fetches one commit only, unless it has `fetch-depth: 0`")
    })?;
    let tip = tip.trim();
    // A branch without a common commit is compared with the base itself.
    let fork = git.run(&["merge-base", tip, "HEAD"]).map_or_else(|_| tip.to_owned(), |fork| fork.trim().to_owned());
    let failed = |error: Failure| CliError::usage(format!("--base: git failed: {error}"));
    let changed =
        git.run(&["diff", "--name-status", "--no-renames", "-z", "--relative", &fork, "--", "."]).map_err(failed)?;
    let mut found = FolderBase {
        files: git.files(&fork).map_err(failed)?,
        tip: git.files(tip).map_err(failed)?,
        ..FolderBase::default()
    };
    let mut words = changed.split('\0');
    while let (Some(status), Some(path)) = (words.next(), words.next()) {
        match status {
            "D" => _ = found.removed.insert(path.into()),
            "A" => {}
            _ => _ = found.edited.insert(path.into()),
        }
    }
    Ok(found)
}

/// What of a folder a base does not have, and what is found of the base: migrations that were edited or taken away since.
pub(super) fn pending_since(folder: &Folder, reference: &str) -> Result<(Pending, Vec<Diagnostic>), CliError> {
    let base = base(&folder.path, reference)?;
    let pending = folder.pending_unless(|migration| base.files.contains(&migration.path));
    let otherwise = base.findings(folder, &pending, reference);
    Ok((pending, otherwise))
}

/// The `git` of the machine, in a folder.
pub(super) struct Git<'a> {
    pub(super) folder: &'a Utf8Path,
}

/// Why git did not do it.
#[derive(Debug)]
pub(super) enum Failure {
    NotFound,
    Said(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is no `git` on the PATH"),
            Self::Said(said) => f.write_str(said),
        }
    }
}

impl Git<'_> {
    pub(super) fn run(&self, args: &[&str]) -> Result<String, Failure> {
        let mut command = Command::new("git");
        // A hook has these set, relative to the repository's root and not to the folder.
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
            command.env_remove(variable);
        }
        let output = command.arg("-C").arg(self.folder).args(args).output().map_err(|_| Failure::NotFound)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure::Said(said.lines().next().unwrap_or("no message").trim_start_matches("fatal: ").to_owned()))
    }

    /// The files of the folder in a commit.
    fn files(&self, commit: &str) -> Result<BTreeSet<Utf8PathBuf>, Failure> {
        let listed = self.run(&["ls-tree", "-r", "-z", "--name-only", commit, "--", "."])?;
        Ok(listed.split('\0').filter(|path| !path.is_empty()).map(Utf8PathBuf::from).collect())
    }
}
