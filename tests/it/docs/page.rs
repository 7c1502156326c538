//! A page of the manual, read as text: its code blocks with what they are said to be, its links, its headings.

use camino::{Utf8Path, Utf8PathBuf};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The folder of the repository.
pub(super) fn root() -> Utf8PathBuf {
    Utf8PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One file of Markdown.
pub(super) struct Page {
    /// From the repository's folder.
    pub(super) path: Utf8PathBuf,
    pub(super) text: String,
}

/// What stands between two fences.
pub(super) struct Block {
    /// `docs/lint.md:17`, for messages.
    pub(super) place: String,
    /// The word behind the opening fence.
    pub(super) language: String,
    /// What the comment on the line before the block says: `<!-- output: name -->`, `<!-- file: name -->`.
    pub(super) mark: Option<String>,
    pub(super) text: String,
}

impl Block {
    /// What the mark names, if it is one of this kind.
    pub(super) fn marked(&self, kind: &str) -> Option<&str> {
        self.mark.as_deref()?.strip_prefix(kind)?.strip_prefix(": ")
    }
}

impl Page {
    fn read(path: Utf8PathBuf) -> Self {
        let text = std::fs::read_to_string(root().join(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        Self { path, text }
    }

    pub(super) fn blocks(&self) -> Vec<Block> {
        let (mut blocks, mut open, mut mark): (Vec<Block>, bool, Option<String>) = (Vec::new(), false, None);
        let mut indent = 0;
        for (i, line) in self.text.lines().enumerate() {
            // In a list a block is indented, the text between its fences as well.
            let fence = line.trim_start().strip_prefix("```");
            if !open && fence.is_some() {
                indent = line.len() - line.trim_start().len();
            }
            let line = if open { line.get(indent..).unwrap_or_default() } else { line };
            match fence {
                Some(_) if open => open = false,
                Some(language) => {
                    open = true;
                    let place = format!("{}:{}", self.path, i + 1);
                    blocks.push(Block { place, language: language.into(), mark: mark.take(), text: String::new() });
                }
                None if open => {
                    let text = &mut blocks.last_mut().unwrap().text;
                    text.push_str(line);
                    text.push('\n');
                }
                None => {
                    let comment = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                    mark = comment.map(str::to_owned);
                }
            }
        }
        assert!(!open, "{}: a code block without an end", self.path);
        blocks
    }

    /// Where the links lead.
    pub(super) fn links(&self) -> Vec<String> {
        let links = Parser::new_ext(&self.text, Options::ENABLE_TABLES).filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
            _ => None,
        });
        links.collect()
    }

    /// Code within the text, such as an option or a command.
    pub(super) fn codes(&self) -> Vec<String> {
        let codes = Parser::new_ext(&self.text, Options::ENABLE_TABLES).filter_map(|event| match event {
            Event::Code(code) => Some(code.to_string()),
            _ => None,
        });
        codes.collect()
    }

    /// The anchors of its headings, as GitHub makes them.
    pub(super) fn anchors(&self) -> Vec<String> {
        let (mut anchors, mut heading): (Vec<String>, Option<String>) = (Vec::new(), None);
        for event in Parser::new_ext(&self.text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => anchors.push(anchor(&heading.take().unwrap())),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        anchors
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// README.md and the pages of the manual.
pub(super) fn manual() -> Vec<Page> {
    let folder = root().join("docs");
    let files = folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap().path().to_owned());
    let mut pages: Vec<_> = files.filter(|path| path.extension() == Some("md")).collect();
    pages.sort();
    assert!(pages.len() > 10, "{pages:?}");
    let pages = pages.iter().map(|path| path.strip_prefix(root()).unwrap().to_owned());
    [Utf8PathBuf::from("README.md")].into_iter().chain(pages).map(Page::read).collect()
}

/// All that people read in the repository's folder, too.
pub(super) fn all() -> Vec<Page> {
    let more = ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "ARCHITECTURE.md", "migrations-examples/README.md"];
    manual().into_iter().chain(more.into_iter().map(|path| Page::read(path.into()))).collect()
}

pub(super) fn read(path: impl AsRef<Utf8Path>) -> Page {
    Page::read(path.as_ref().to_owned())
}
