//! Kept cases: a folder each, in files that people can read and write.
//!
//! `base.sql`, the files of the release (`r01.sql`, …), `blue.sql` and `green.sql`; statements stand apart by an empty line, and a query has
//! its values behind it (`-- values: 1, 'x'`), or its rows (`-- rows: 1\tx`). The first word of `expected.txt` is `holds`, or `open` with
//! the check that fails and its code; `unshown` behind it means that the planner does not see the queries. The rest is for people.

use std::path::{Path, PathBuf};

use super::judge::Fault;
use super::play::Wrong;
use super::release::{Query, Release};
use super::variable;

/// A case.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) release: Release,
    /// The fault that is known.
    pub(super) open: Option<Open>,
    /// Whether it was refused needlessly once.
    pub(super) was_needless: bool,
}

/// A fault that is known.
pub(super) struct Open {
    pub(super) check: String,
    pub(super) code: String,
    pub(super) what: String,
}

impl Open {
    pub(super) fn of(wrong: &Wrong) -> Self {
        let code = if wrong.code.is_empty() { "-" } else { &wrong.code };
        Self { check: wrong.check.to_owned(), code: code.replace(' ', "-"), what: wrong.what.clone() }
    }
}

/// `CUTOVER_MACHINE_CASES`, or where they are kept.
pub(super) fn folder() -> PathBuf {
    let kept = || Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/machine");
    variable("CUTOVER_MACHINE_CASES").map_or_else(kept, PathBuf::from)
}

/// All cases, by name.
pub(super) fn cases() -> Vec<Case> {
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(folder()).into_iter().flatten().map(|e| e.unwrap().path()).collect();
    names.sort();
    names.iter().filter(|path| path.is_dir()).map(|path| read(path)).collect()
}

pub(super) fn read(path: &Path) -> Case {
    let text = |name: &str| std::fs::read_to_string(path.join(name)).unwrap_or_default();
    let mut files = Vec::new();
    for n in 1.. {
        let file = text(&format!("r{n:02}.sql"));
        if file.is_empty() {
            break;
        }
        files.push(statements(&file));
    }
    let expected = text("expected.txt");
    let mut words = expected.lines().next().unwrap_or_default().split_whitespace();
    let open = (words.next() == Some("open")).then(|| {
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (check, code) = (word(), word());
        Open { check, code, what: expected.split_once('\n').map_or("", |(_, what)| what).to_owned() }
    });
    let was_needless = words.next() == Some("needless");
    let shown = !expected.lines().next().unwrap_or_default().contains("unshown");
    let (base, blue, green) = (statements(&text("base.sql")), queries(&text("blue.sql")), queries(&text("green.sql")));
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    Case { name, release: Release { base, files, blue, green, shown }, open, was_needless }
}

fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n").map(str::trim).filter(|p| !p.is_empty())
}

fn statements(text: &str) -> Vec<String> {
    paragraphs(text).map(|p| p.trim_end_matches(';').to_owned()).collect()
}

fn queries(text: &str) -> Vec<Query> {
    let query = |paragraph: &str| {
        let (mut sql, mut values, mut rows) = (Vec::new(), String::new(), None);
        for line in paragraph.lines() {
            if let Some(given) = line.strip_prefix("-- values: ") {
                given.clone_into(&mut values);
            } else if let Some(given) = line.strip_prefix("-- rows: ") {
                rows = Some(format!("{}\n", given.replace("\\t", "\t")));
            } else {
                sql.push(line);
            }
        }
        Query { sql: sql.join("\n").trim_end_matches(';').to_owned(), values, rows }
    };
    paragraphs(text).map(query).collect()
}

/// A release as its files.
pub(super) fn files(release: &Release, expected: &str) -> Vec<(String, String)> {
    let all = |statements: &[String]| statements.iter().map(|s| format!("{s};\n")).collect::<Vec<_>>().join("\n");
    let query = |q: &Query| {
        let values = if q.values.is_empty() { String::new() } else { format!("-- values: {}\n", q.values) };
        let rows = q.rows.iter().map(|r| format!("-- rows: {}\n", r.trim_end_matches('\n').replace('\t', "\\t")));
        format!("{};\n{values}{}", q.sql, rows.collect::<String>())
    };
    let asked = |queries: &[Query]| queries.iter().map(query).collect::<Vec<_>>().join("\n");
    let mut files = vec![("base.sql".to_owned(), all(&release.base))];
    for (i, statements) in release.files.iter().enumerate() {
        files.push((format!("r{:02}.sql", i + 1), all(statements)));
    }
    let queries = [("blue.sql", asked(&release.blue)), ("green.sql", asked(&release.green))];
    files.extend(queries.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), text)));
    let unshown = if release.shown { "" } else { " unshown" };
    let (first, rest) = expected.split_once('\n').unwrap_or((expected, ""));
    files.push(("expected.txt".to_owned(), format!("{first}{unshown}\n{rest}")));
    files
}

/// A fault as one text for people.
pub(super) fn shown(fault: &Fault) -> String {
    let files = files(&fault.release, &expected(fault));
    files.iter().map(|(name, text)| format!("--- {name}\n{text}")).collect()
}

fn expected(fault: &Fault) -> String {
    let Open { check, code, what } = Open::of(&fault.wrong);
    format!("open {check} {code}\n{what}\n")
}

/// Writes a fault as a case.
pub(super) fn write(directory: &Path, name: &str, fault: &Fault) {
    let directory = directory.join(name);
    std::fs::create_dir_all(&directory).unwrap();
    for (name, text) in files(&fault.release, &expected(fault)) {
        std::fs::write(directory.join(name), text).unwrap();
    }
}
