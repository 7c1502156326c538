//! Which convention a folder follows, from its names, what stands beside it, and its first file's marks. What two tools would read
//! differently is refused.

use camino::{Utf8Path, Utf8PathBuf};

use super::error::LoadError;
use super::script::comment;
use super::tools::{Convention, Mark};
use super::tree::Tree;

/// What a folder was recognised as.
pub(super) struct Detected {
    pub(super) convention: Convention,
    /// Others that the names fit as well, where no sign says which tool it is.
    pub(super) alike: Vec<Convention>,
}

impl Detected {
    /// A convention that no other is taken for.
    pub(super) const fn sure(convention: Convention) -> Self {
        Self { convention, alike: Vec::new() }
    }
}

/// The first convention that recognises a folder. The last of them takes any.
pub(super) fn detect(tree: &Tree<'_>) -> Result<Detected, LoadError> {
    for convention in Convention::ALL {
        if let Some(detected) = (convention.tool().detect)(tree)? {
            return Ok(detected);
        }
    }
    Ok(Detected::sure(Convention::Plain))
}

/// A convention, if there is a sign that no other tool has.
pub(super) fn sure(is: bool, convention: Convention) -> Result<Option<Detected>, LoadError> {
    Ok(is.then_some(Detected::sure(convention)))
}

/// A convention whose mark stands in the first file.
pub(super) fn by_mark(tree: &Tree<'_>, convention: Convention) -> Result<Option<Detected>, LoadError> {
    let text = tree.sql().next().map(|path| tree.text(path)).transpose()?;
    sure(text.is_some_and(|text| marked(&text).is_some_and(|(tool, _)| tool == convention)), convention)
}

/// A folder that two tools would read differently.
pub(super) fn ambiguous(tree: &Tree<'_>, reason: &str) -> LoadError {
    LoadError::Ambiguous { folder: tree.root.to_owned(), reason: reason.to_owned() }
}

/// Whether a file is named `1_name` with an extension.
pub(super) fn is_numbered(path: &Utf8Path, extension: &str) -> bool {
    path.extension() == Some(extension)
        && path.file_stem().and_then(|stem| stem.split_once('_')).is_some_and(|(n, _)| n.parse::<u64>().is_ok())
}

/// Refuses a folder some of whose files do not belong to a convention: its tool would silently pass over them.
pub(super) fn unmixed<'t>(
    tree: &Tree<'_>,
    sql: impl Iterator<Item = &'t Utf8PathBuf>,
    convention: Convention,
    owns: impl Fn(&Utf8PathBuf) -> bool,
) -> Result<(), LoadError> {
    let (fits, others): (Vec<_>, Vec<_>) = sql.partition(|p| owns(p));
    match (fits.first(), others.first()) {
        (Some(example), Some(other)) => Err(LoadError::Mixed {
            folder: tree.root.to_owned(),
            convention,
            fits: format!("{} {} named as", fits.len(), if fits.len() == 1 { "is" } else { "are" }),
            example: (*example).clone(),
            rest: others.len(),
            other: (*other).clone(),
        }),
        _ => Ok(()),
    }
}

/// Whether one of the files stands in the folder or one of the two above it.
pub(super) fn beside(tree: &Tree<'_>, names: &[&str]) -> bool {
    above(tree.root).any(|dir| names.iter().any(|name| dir.join(name).exists()))
}

/// Whether the word stands in the `Cargo.toml` of the folder or of one of the two above it.
pub(super) fn in_cargo_toml(tree: &Tree<'_>, word: &str) -> bool {
    let manifests = above(tree.root).map(|dir| dir.join("Cargo.toml"));
    let mut texts = manifests.filter_map(|path| std::fs::read_to_string(path).ok());
    texts.any(|text| text.contains(word))
}

/// The folder and the two above it.
pub(super) fn above(folder: &Utf8Path) -> impl Iterator<Item = Utf8PathBuf> {
    let absolute = folder.canonicalize_utf8().unwrap_or_else(|_| folder.to_owned());
    let ancestors: Vec<_> = absolute.ancestors().take(3).map(Utf8Path::to_owned).collect();
    ancestors.into_iter()
}

/// The tool whose mark stands in a file, in whole lines near its top.
fn marked(text: &str) -> Option<(Convention, &'static Mark)> {
    let marks = || Convention::ALL.into_iter().filter_map(|tool| Some((tool, tool.tool().mark.as_ref()?)));
    let first = text.lines().find(|line| !line.trim_matches('\u{feff}').trim().is_empty()).and_then(comment);
    let first = first.unwrap_or_default().to_ascii_lowercase();
    if let Some(found) = marks().find(|(_, mark)| mark.first_line && first.starts_with(mark.words)) {
        return Some(found);
    }
    let comments = text.lines().take(50).filter_map(comment);
    let mut found =
        comments.filter_map(|words| marks().find(|(_, mark)| !mark.first_line && words.starts_with(mark.words)));
    found.next()
}

/// Files that say themselves that they are another tool's. Whoever names the convention may pass sections of goose and dbmate, as long as
/// there is nothing in them to undo.
pub(super) fn refuse_foreign(
    path: &Utf8Path,
    text: &str,
    convention: Convention,
    detected: bool,
) -> Result<(), LoadError> {
    match marked(text) {
        Some((tool, mark)) if tool != convention && (detected || text.lines().any(mark.goes_back)) => {
            Err(LoadError::Foreign { path: path.to_owned(), tool })
        }
        _ => Ok(()),
    }
}
