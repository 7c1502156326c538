//! One pass over the words of every file, for all names at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use camino::Utf8Path;

use super::Tree;
use super::spelling::{Case, spellings};
use super::taken::TakenName;
use crate::source::{FileId, Sources, Span};

/// Places that are kept of each name; the others are counted.
pub const MOST_PLACES: usize = 20;

/// Where names are mentioned.
#[derive(Debug, Clone, Default)]
pub struct Mentions {
    /// The files with places that were kept.
    pub sources: Sources,
    /// How many files were searched.
    pub files: u32,
    /// How many files could not be read as text.
    pub skipped: u32,
    found: BTreeMap<TakenName, FoundMentions>,
}

/// Where one name is mentioned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundMentions {
    /// The first places, in the order of files and lines.
    pub places: Vec<Span>,
    /// How many lines there are.
    pub count: u32,
    /// In how many files.
    pub files: u32,
}

impl Mentions {
    /// Where a name that was looked for is mentioned; `None`: nowhere.
    pub fn of(&self, name: &TakenName) -> Option<&FoundMentions> {
        self.found.get(name)
    }
}

/// Looks for names in a tree.
pub fn search<'a>(names: impl IntoIterator<Item = &'a TakenName>, tree: &dyn Tree) -> Mentions {
    let words = Words::of(names);
    let mut mentions = Mentions::default();
    if words.wanted.is_empty() {
        return mentions;
    }
    mentions.skipped = tree.each(&mut |path, text| {
        mentions.files += 1;
        words.look(path, text, &mut mentions);
    });
    mentions
}

/// What is looked for, by the first word of each spelling.
struct Words<'a> {
    /// The names that are asked for, and then those that only say what a file is about.
    names: Vec<&'a TakenName>,
    /// How many of them are asked for.
    wanted: BTreeSet<&'a TakenName>,
    /// For each name the places of its owners in `names`.
    owners: Vec<Vec<usize>>,
    patterns: HashMap<String, Vec<Pattern>>,
    /// The lengths of the keys by their first byte, as bits: most words of a file are none, and need not be hashed.
    lengths: Box<[u64; 256]>,
    longest: usize,
}

/// A name where it stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Hit {
    name: usize,
    line: usize,
    from: usize,
    to: usize,
}

struct Pattern {
    name: usize,
    text: String,
    /// How far the key is from the start of the text.
    lead: usize,
    case: Case,
}

impl<'a> Words<'a> {
    fn of(names: impl IntoIterator<Item = &'a TakenName>) -> Self {
        let wanted: BTreeSet<&TakenName> = names.into_iter().collect();
        let owners: BTreeSet<&TakenName> = wanted.iter().flat_map(|name| &name.owners).collect();
        let all: Vec<&TakenName> = wanted.iter().copied().chain(owners.difference(&wanted).copied()).collect();
        let at: HashMap<&TakenName, usize> = all.iter().enumerate().map(|(i, name)| (*name, i)).collect();
        let owners = all.iter().map(|name| name.owners.iter().filter_map(|owner| at.get(owner).copied()).collect());
        let mut words = Self {
            owners: owners.collect(),
            names: all,
            wanted,
            patterns: HashMap::new(),
            lengths: Box::new([0; 256]),
            longest: 0,
        };
        for (name, of) in words.names.clone().into_iter().enumerate() {
            for spelling in spellings(of) {
                let bytes = spelling.text.as_bytes();
                let Some(lead) = bytes.iter().position(|byte| is_word(*byte)) else { continue };
                let end = bytes[lead..].iter().position(|byte| !is_word(*byte)).map_or(bytes.len(), |n| lead + n);
                let key = spelling.text[lead..end].to_owned();
                words.lengths[usize::from(bytes[lead])] |= 1 << (key.len().min(63));
                words.longest = words.longest.max(key.len());
                let pattern = Pattern { name, text: spelling.text.clone(), lead, case: spelling.case };
                words.patterns.entry(key).or_default().push(pattern);
            }
        }
        words
    }

    fn look(&self, path: &Utf8Path, text: &str, mentions: &mut Mentions) {
        let mut hits: Vec<Hit> = Vec::new();
        let mut key = String::new();
        let (mut line, mut counted) = (0, 0);
        self.each_word(text, |start, end| {
            key.clear();
            key.push_str(&text[start..end]);
            key.make_ascii_lowercase();
            for pattern in self.patterns.get(&key).into_iter().flatten() {
                if let Some((from, to)) = pattern.at(text, start) {
                    line += text.as_bytes()[counted..start].iter().filter(|byte| **byte == b'\n').count();
                    counted = start;
                    hits.push(Hit { name: pattern.name, line, from, to });
                }
            }
        });
        if hits.is_empty() {
            return;
        }
        // One place a line is enough to look at.
        hits.sort_unstable();
        hits.dedup_by_key(|hit| (hit.name, hit.line));
        let there: BTreeSet<usize> = hits.iter().map(|hit| hit.name).collect();
        let meant = |name: usize| self.owners[name].is_empty() || self.owners[name].iter().any(|o| there.contains(o));
        let mut file: Option<FileId> = None;
        for of_name in hits.chunk_by(|a, b| a.name == b.name) {
            let name = of_name[0].name;
            if !self.wanted.contains(self.names[name]) || !meant(name) {
                continue;
            }
            let found = mentions.found.entry(self.names[name].clone()).or_default();
            found.files += 1;
            found.count = found.count.saturating_add(u32::try_from(of_name.len()).unwrap_or(u32::MAX));
            for hit in of_name.iter().take(MOST_PLACES - found.places.len()) {
                let file = *file.get_or_insert_with(|| mentions.sources.add(path, text));
                found.places.push(Span::new(file, hit.from..hit.to));
            }
        }
    }

    /// The words of a text that may be keys.
    fn each_word(&self, text: &str, mut see: impl FnMut(usize, usize)) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if !is_word(bytes[at]) {
                at += 1;
                continue;
            }
            let start = at;
            while at < bytes.len() && is_word(bytes[at]) {
                at += 1;
            }
            let length = at - start;
            let lengths = self.lengths[usize::from(bytes[start].to_ascii_lowercase())];
            if length <= self.longest && lengths & (1 << length.min(63)) != 0 {
                see(start, at);
            }
        }
    }
}

impl Pattern {
    /// Where it stands, if its key stands at `key`.
    fn at(&self, text: &str, key: usize) -> Option<(usize, usize)> {
        let start = key.checked_sub(self.lead)?;
        let end = start + self.text.len();
        let found = text.get(start..end)?;
        let ends = !is_word(self.text.as_bytes()[self.text.len() - 1])
            || text.as_bytes().get(end).is_none_or(|byte| !is_word(*byte));
        (ends && found.eq_ignore_ascii_case(&self.text) && self.case.fits(text, start, end)).then_some((start, end))
    }
}

/// What names are made of. Letters beyond ASCII are several bytes, all of them above it.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
