//! Which source a path is: one table. What fits more than one is refused with the ways to say it.

use camino::{Utf8Path, Utf8PathBuf};

use super::Workload;
use super::error::WorkloadError;
use super::sources::log::Filter;
use super::sources::{self, SOURCES, Source, stat};
use crate::diagnostic::Diagnostic;

/// What `--blue` and `--green` say: a path or a URL, perhaps with its source before it and a filter behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The source, where it was said.
    pub source: Option<&'static Source>,
    /// The path, or the URL of a server.
    pub path: String,
    /// Whose statements count, in a log or on a server.
    pub filter: Filter,
}

impl Location {
    /// Reads `[source:]path[#filter]`. The source is one of `sql`, `sqlx`, …; anything else is a path.
    pub fn parse(text: &str) -> Result<Self, WorkloadError> {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        let (source, rest) = match text.split_once(':') {
            _ if is_url => (Some(&stat::SOURCE), text),
            Some((word, rest)) => match sources::find(word) {
                Some(source) => (Some(source), rest),
                None => (None, text),
            },
            None => (None, text),
        };
        // A path may have the sign in it as long as nothing before says what it is.
        let (path, filter) = match rest.rsplit_once('#') {
            Some((path, filter)) if source.is_some() => (path, read_filter(text, filter)?),
            _ => (rest, Filter::default()),
        };
        Ok(Self { source, path: path.to_owned(), filter })
    }

    /// Whether it is a live server.
    pub fn is_live(&self) -> bool {
        self.source.is_some_and(Source::is_live)
    }

    /// The same below a folder, if it is a path.
    #[must_use]
    pub fn below(self, folder: &Utf8Path) -> Self {
        if self.is_live() {
            return self;
        }
        Self { path: folder.join(self.path).into_string(), ..self }
    }
}

impl std::str::FromStr for Location {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        Self::parse(text)
    }
}

fn read_filter(text: &str, filter: &str) -> Result<Filter, WorkloadError> {
    let wrong = |reason: String| WorkloadError::Filter { text: text.to_owned(), reason };
    let mut read = Filter::default();
    for part in filter.split(',') {
        let (name, value) = part.split_once('=').ok_or_else(|| wrong(format!("{part:?} has no `=`")))?;
        let field = match name {
            "application_name" | "application" => &mut read.application,
            "user" => &mut read.user,
            "database" => &mut read.database,
            _ => return Err(wrong(format!("there is no filter {name:?}"))),
        };
        *field = Some(value.to_owned());
    }
    Ok(read)
}

/// Reads the queries of a version from wherever the path leads: a folder, or a file.
pub fn load(path: &Utf8Path) -> Result<(Workload, Vec<Diagnostic>), WorkloadError> {
    load_from(&Location { source: None, path: path.to_string(), filter: Filter::default() })
}

/// Reads the queries of a version from files. A live server is not asked here.
pub fn load_from(location: &Location) -> Result<(Workload, Vec<Diagnostic>), WorkloadError> {
    let path = Utf8PathBuf::from(&location.path);
    let source = match location.source {
        Some(source) => source,
        None => detect(&path)?,
    };
    if !source.is_live() && !path.exists() {
        return Err(WorkloadError::Missing(path));
    }
    let (workload, diagnostics) = (source.load)(location)?;
    // A version without queries would be one that nothing can break.
    if workload.queries.is_empty() {
        let told: Vec<_> = diagnostics.iter().map(|d| d.message.as_str()).collect();
        let wanted = if told.is_empty() { "there is no statement in it".to_owned() } else { told.join("; ") };
        return Err(WorkloadError::Empty { path, wanted });
    }
    Ok((workload, diagnostics))
}

fn detect(path: &Utf8Path) -> Result<&'static Source, WorkloadError> {
    if !path.exists() {
        return Err(WorkloadError::Missing(path.to_owned()));
    }
    let mut found = Vec::new();
    for source in SOURCES {
        if (source.is)(path)? {
            found.push(*source);
        }
    }
    let ways = |sources: &[&Source]| {
        sources.iter().map(|source| format!("{}:{path}", source.word)).collect::<Vec<_>>().join(", ")
    };
    match found.as_slice() {
        [only] => Ok(only),
        [] => {
            let all: Vec<_> = SOURCES.iter().copied().filter(|source| !source.is_live()).collect();
            Err(WorkloadError::Unknown { path: path.to_owned(), example: ways(&all) })
        }
        many => Err(WorkloadError::Ambiguous {
            path: path.to_owned(),
            found: many.iter().map(|source| source.what).collect::<Vec<_>>().join(" or "),
            choices: ways(many),
        }),
    }
}

/// Whether a folder has a file of that kind directly in it.
pub(super) fn holds(path: &Utf8Path, wanted: impl Fn(&Utf8Path) -> bool) -> Result<bool, WorkloadError> {
    if !path.is_dir() {
        return Ok(false);
    }
    for entry in path.read_dir_utf8()? {
        if wanted(entry?.path()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks at the beginning of a file.
pub(super) fn begins(path: &Utf8Path, test: impl Fn(&str) -> bool) -> Result<bool, WorkloadError> {
    use std::io::Read as _;
    let mut head = Vec::new();
    fs_err::File::open(path)?.take(4096).read_to_end(&mut head)?;
    Ok(test(&String::from_utf8_lossy(&head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_says_source_path_and_filter() {
        let check = |text: &str, word: Option<&str>, path: &str, application: Option<&str>| {
            let found = Location::parse(text).unwrap();
            assert_eq!((found.source.map(|source| source.word), &*found.path), (word, path), "{text}");
            assert_eq!(found.filter.application.as_deref(), application, "{text}");
        };
        check("queries/v1", None, "queries/v1", None);
        check("sqlx:.", Some("sqlx"), ".", None);
        check("c:x", None, "c:x", None);
        check("a#b", None, "a#b", None);
        check("log:pg.csv#application_name=shop,user=app", Some("log"), "pg.csv", Some("shop"));
        check("postgres://u@h/d?sslmode=require", Some("stat"), "postgres://u@h/d?sslmode=require", None);
        check("stat:host=h dbname=d#user=app", Some("stat"), "host=h dbname=d", None);
        let wrong = |text: &str| Location::parse(text).unwrap_err().to_string();
        assert_eq!(
            wrong("log:x#app=y"),
            "log:x#app=y: there is no filter \"app\"; a filter is #application_name=…,user=…,database=…"
        );
    }
}
