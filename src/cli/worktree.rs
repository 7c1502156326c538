//! The files of another commit, in a temporary worktree that is always removed again.

use camino::{Utf8Path, Utf8PathBuf};

use super::error::CliError;
use super::git::{Failure, Git};

/// A worktree of a commit.
#[derive(Debug)]
pub(super) struct Worktree {
    /// The folder in it that is where this process stands in its own.
    pub(super) folder: Utf8PathBuf,
    pub(super) commit: String,
    root: Utf8PathBuf,
    repository: Utf8PathBuf,
    _directory: tempfile::TempDir,
}

impl Worktree {
    /// Checks a commit out beside everything else: `git worktree add --detach`.
    pub(super) fn add(here: &Utf8Path, reference: &str) -> Result<Self, CliError> {
        let git = Git { folder: here };
        let failed = |error: Failure| match error {
            Failure::NotFound => CliError::usage("--ref needs git, and there is no `git` on the PATH"),
            Failure::Said(said) => CliError::usage(format!("--ref {reference}: git failed: {said}")),
        };
        let repository = Utf8PathBuf::from(git.run(&["rev-parse", "--show-toplevel"]).map_err(failed)?.trim());
        let inner = git.run(&["rev-parse", "--show-prefix"]).map_err(failed)?;
        let name = format!("{reference}^{{commit}}");
        let commit = git
            .run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name])
            .map_err(|_| CliError::usage(format!("--ref: git does not know {reference:?}")).hint("fetch it first"))?;
        let commit = commit.trim().to_owned();
        let made = tempfile::Builder::new().prefix("cutover-worktree-").tempdir();
        let directory = made.map_err(|e| CliError::usage(format!("a temporary directory cannot be made: {e}")))?;
        let root = Utf8PathBuf::from_path_buf(directory.path().join("tree"));
        let root = root.map_err(|path| CliError::usage(format!("{} is not UTF-8", path.display())))?;
        // Made first: what `add` leaves behind when it fails is removed, too.
        let folder = root.join(inner.trim());
        let tree = Self { folder, commit, root, repository, _directory: directory };
        git.run(&["worktree", "add", "--detach", "--quiet", tree.root.as_str(), &tree.commit]).map_err(failed)?;
        if !tree.folder.is_dir() {
            return Err(CliError::usage(format!("--ref {reference}: that commit has no folder {}", inner.trim()))
                .hint("run cutover from a folder that both commits have"));
        }
        Ok(tree)
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        let git = Git { folder: &self.repository };
        // Nobody is left to be told; the directory goes in any case.
        let _ = git.run(&["worktree", "remove", "--force", "--force", self.root.as_str()]);
        let _ = fs_err::remove_dir_all(&self.root);
        let _ = git.run(&["worktree", "prune"]);
    }
}

/// The commit a folder stands at, if it is in a repository and nothing was changed since.
pub(super) fn clean_commit(here: &Utf8Path) -> Option<String> {
    let git = Git { folder: here };
    let changed = git.run(&["status", "--porcelain", "--untracked-files=no"]).ok()?;
    changed.is_empty().then(|| git.run(&["rev-parse", "HEAD"]).ok()).flatten().map(|commit| commit.trim().to_owned())
}
