//! The source of a version as files: below some folders, without what git ignores, what is hidden, and the migrations themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::Mutex;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use ignore::{DirEntry, WalkBuilder};

use super::error::CliError;
use super::out;
use crate::compat::mention::Tree;

/// Larger files are no source that somebody wrote, nor are those with longer lines, such as what bundlers make.
const LARGEST: u64 = 4 << 20;
const LONGEST_LINE: usize = 10_000;

/// Some folders.
#[derive(Debug)]
pub(super) struct SourceTree {
    roots: Vec<Utf8PathBuf>,
    /// What is known already: the migrations, and files of queries. Absolute.
    except: Vec<std::path::PathBuf>,
    /// What was said last, so that it is said once however often the tree is read.
    said: Mutex<String>,
}

impl SourceTree {
    /// Folders to read, without some paths below them.
    pub(super) fn new<'a>(
        roots: Vec<Utf8PathBuf>,
        except: impl IntoIterator<Item = &'a Utf8Path>,
    ) -> Result<Self, CliError> {
        for root in &roots {
            let problem = match root.metadata() {
                Ok(found) if found.is_dir() => match root.read_dir() {
                    Ok(_) => continue,
                    Err(error) => format!("cannot be read: {error}"),
                },
                Ok(_) => "is not a folder".to_owned(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => "does not exist".to_owned(),
                Err(error) => format!("cannot be read: {error}"),
            };
            return Err(CliError::usage(format!("--blue-source {root}: it {problem}"))
                .hint("name the folder with the source of the version in production, or leave it out"));
        }
        let except = except.into_iter().filter_map(|path| path.canonicalize().ok()).collect();
        Ok(Self { roots: roots.into_iter().map(tidy).collect(), except, said: Mutex::default() })
    }

    /// The entries below a folder, in the order of their paths.
    fn walk(&self, root: &Utf8Path) -> ignore::Walk {
        let except = self.except.clone();
        // What is searched must not depend on who searches: no ignore files of the user, nor of this clone alone.
        let mut walk = WalkBuilder::new(root);
        walk.git_global(false).git_exclude(false).ignore(false).require_git(false);
        walk.sort_by_file_path(|a, b| a.cmp(b));
        walk.filter_entry(move |entry| {
            let maybe = except.iter().any(|path| path.file_name() == Some(entry.file_name()));
            !(maybe && entry.path().canonicalize().is_ok_and(|path| except.contains(&path)))
        });
        walk.build()
    }
}

/// `a/../b` as `b`, where that is the same folder; a symbolic link may lead elsewhere.
fn tidy(root: Utf8PathBuf) -> Utf8PathBuf {
    let mut short = Utf8PathBuf::new();
    for part in root.components() {
        match part {
            Utf8Component::ParentDir if matches!(short.components().next_back(), Some(Utf8Component::Normal(_))) => {
                _ = short.pop();
            }
            Utf8Component::CurDir => {}
            part => short.push(part),
        }
    }
    if short.as_str().is_empty() {
        short.push(".");
    }
    match (short.canonicalize(), root.canonicalize()) {
        (Ok(a), Ok(b)) if a == b => short,
        _ => root,
    }
}

/// Why files were not searched: how many, and the first of them.
#[derive(Debug, Default)]
struct Skipped(BTreeMap<&'static str, (u32, String)>);

impl Skipped {
    fn add(&mut self, why: &'static str, what: impl FnOnce() -> String) {
        self.0.entry(why).or_insert_with(|| (0, what())).0 += 1;
    }
}

impl Tree for SourceTree {
    fn each(&self, see: &mut dyn FnMut(&Utf8Path, &str)) -> u32 {
        let mut skipped = Skipped::default();
        let mut files = 0_u32;
        // One folder may be below another.
        let mut seen = BTreeSet::new();
        let mut is_new =
            |entry: &DirEntry| self.roots.len() == 1 || entry.path().canonicalize().is_ok_and(|path| seen.insert(path));
        for root in &self.roots {
            for entry in self.walk(root).filter(|entry| entry.as_ref().map_or(true, &mut is_new)) {
                match entry.map(|entry| read(&entry)) {
                    Ok(Read::Text(path, text)) => {
                        files += 1;
                        see(&path, &text);
                    }
                    Ok(Read::Folder) => {}
                    Ok(Read::Skipped(why, path)) => skipped.add(why, || path),
                    Err(error) => skipped.add("not readable", || error.to_string()),
                }
            }
        }
        self.say(files, &skipped);
        skipped.0.values().map(|(count, _)| count).sum()
    }
}

impl SourceTree {
    /// Says what was searched.
    fn say(&self, files: u32, skipped: &Skipped) {
        let roots: Vec<_> = self.roots.iter().map(|root| root.as_str()).collect();
        let count = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
        let mut text = format!("note: searched {count} of {} for what is taken away", roots.join(", "));
        let kinds: Vec<_> = skipped.0.iter().map(|(why, (n, first))| format!("{n} {why} ({first})")).collect();
        if !kinds.is_empty() {
            text.push_str(&format!("; left out: {}", kinds.join(", ")));
        }
        if files == 0 {
            text.push_str(
                "; nothing is known of blue's source: is it the right folder, and does no .gitignore leave it out?",
            );
        }
        text.push('\n');
        let Ok(mut said) = self.said.lock() else { return };
        if *said != text {
            out::say(&text);
            *said = text;
        }
    }
}

/// What an entry holds.
enum Read {
    Text(Utf8PathBuf, String),
    Folder,
    Skipped(&'static str, String),
}

fn read(entry: &DirEntry) -> Read {
    let path = entry.path();
    let skipped = |why| Read::Skipped(why, path.display().to_string());
    let Some(kind) = entry.file_type() else { return Read::Folder };
    if kind.is_dir() {
        return Read::Folder;
    }
    if kind.is_symlink() && entry.depth() == 0 {
        return Read::Folder;
    }
    if kind.is_symlink() {
        return skipped("symbolic links");
    }
    if !kind.is_file() {
        return skipped("no regular files");
    }
    let mut bytes = Vec::new();
    let done = fs_err::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    if done.is_err() {
        return skipped("not readable");
    }
    if bytes.len() as u64 > LARGEST {
        return skipped("larger than 4 MB");
    }
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    if text.as_ref().is_some_and(|text| text.lines().any(|line| line.len() > LONGEST_LINE)) {
        return skipped("with lines of more than 10 kB");
    }
    match (text, Utf8Path::from_path(path)) {
        (Some(text), Some(path)) => Read::Text(path.strip_prefix("./").unwrap_or(path).to_owned(), text),
        (Some(_), None) => skipped("with a name that is not UTF-8"),
        (None, _) => skipped("no UTF-8 text"),
    }
}
