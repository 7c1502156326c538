//! What a repository knows of migrations: which of them its base has, and what became of those since. Whoever asks the repository fills a
//! [`FolderBase`]; what follows from it is found here.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use crate::diagnostic::{Diagnostic, codes};
use crate::migrations::{Convention, Folder, Pending, Version};
use crate::source::Span;

/// A folder at a base, against the files there are now. Paths are below the folder.
#[derive(Debug, Clone, Default)]
pub struct FolderBase {
    /// What the branch started from has.
    pub files: BTreeSet<Utf8PathBuf>,
    /// Of these, what was edited since.
    pub edited: BTreeSet<Utf8PathBuf>,
    /// Of these, what is gone.
    pub removed: BTreeSet<Utf8PathBuf>,
    /// What the base itself has, which may be more: others went on.
    pub tip: BTreeSet<Utf8PathBuf>,
}

impl FolderBase {
    /// What became of the migrations that the base has. `name`: what people call the base.
    pub fn findings(&self, folder: &Folder, pending: &Pending, name: &str) -> Vec<Diagnostic> {
        let edited =
            pending.applied.iter().filter(|migration| self.edited.contains(&migration.path)).map(|migration| {
                Diagnostic::error(
                    codes::MIGRATION_EDITED,
                    format!("{name} has this migration, and it was edited since"),
                )
                .at(Span::new(migration.file, 0..0), "databases that applied it do not get the edit")
                .help("take the edit back, and write it as a new migration")
            });
        let removed = self.removed.iter().filter(|path| version(folder.convention, path).is_some()).map(|path| {
            let text = format!("{name} has {}, and it was removed since", folder.path.join(path));
            Diagnostic::error(codes::MIGRATION_REMOVED, text)
                .help("put it back, and write a new migration that undoes it")
        });
        let newest = self.tip.iter().filter_map(|path| Some((version(folder.convention, path)?, path))).max();
        let late = pending.pending.iter().filter_map(|migration| {
            let behind =
                |(version, path): &&(Version, &Utf8PathBuf)| migration.version <= *version && migration.path != **path;
            let (_, newest) = newest.as_ref().filter(behind)?;
            let text = format!("this is new and does not sort behind {newest}, which {name} has");
            let place = Span::new(migration.file, 0..0);
            (!folder.convention.applies_anytime(&migration.path)).then(|| {
                Diagnostic::warning(codes::MIGRATION_OUT_OF_ORDER, text)
                    .at(place, "")
                    .help("give it a version behind that one")
            })
        });
        edited.chain(removed).chain(late).collect()
    }
}

/// The version in a path; `None` if it is no migration.
fn version(convention: Convention, path: &Utf8Path) -> Option<Version> {
    let alone = Folder::from_files(convention, [(path.to_owned(), String::new())]).ok()?;
    Some(alone.migrations.first()?.version.clone())
}
