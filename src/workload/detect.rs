//! Which source a path is: one table. What fits more than one is refused with the ways to say it.

use camino::{Utf8Path, Utf8PathBuf};

use super::error::WorkloadError;
use super::log::Filter;
use super::{Workload, diesel, file, log, plain, prisma, rails, saved, sqlc, sqlx};
use crate::diagnostic::Diagnostic;

/// Where queries come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `.sql` files, plain or those that sqlc reads.
    Sql,
    /// The code that sqlc writes.
    Sqlc,
    /// `schema.prisma`
    Prisma,
    /// Diesel's `schema.rs`
    Diesel,
    /// ActiveRecord's `schema.rb` or `structure.sql`
    Rails,
    /// What `cargo sqlx prepare` writes.
    Sqlx,
    /// A log of PostgreSQL.
    Log,
    /// Our own file.
    Workload,
    /// `pg_stat_statements` of a live server.
    Stat,
}

/// One source: how it is said, what it is, and what a path of it looks like.
struct Row {
    origin: Origin,
    word: &'static str,
    what: &'static str,
    is: fn(&Utf8Path) -> Result<bool, WorkloadError>,
}

const TABLE: &[Row] = &[
    Row { origin: Origin::Sqlx, word: "sqlx", what: "queries that sqlx recorded", is: is_sqlx },
    Row { origin: Origin::Sql, word: "sql", what: ".sql files with queries", is: is_sql },
    Row { origin: Origin::Sqlc, word: "sqlc", what: "code that sqlc generated", is: is_sqlc },
    Row { origin: Origin::Prisma, word: "prisma", what: "models of Prisma", is: is_prisma },
    Row { origin: Origin::Diesel, word: "diesel", what: "tables of Diesel", is: is_diesel },
    Row { origin: Origin::Rails, word: "rails", what: "a schema of ActiveRecord", is: is_rails },
    Row { origin: Origin::Workload, word: "workload", what: "a workload of cutover", is: is_workload },
    Row { origin: Origin::Log, word: "log", what: "a log of PostgreSQL", is: is_log },
    Row { origin: Origin::Stat, word: "stat", what: "pg_stat_statements", is: |_| Ok(false) },
];

/// Other words for a source.
const ALIASES: &[(&str, &str)] = &[("csvlog", "log"), ("jsonlog", "log"), ("activerecord", "rails")];

/// What `--blue` and `--green` say: a path or a URL, perhaps with its source before it and a filter behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The source, where it was said.
    pub origin: Option<Origin>,
    /// The path, or the URL of a server.
    pub path: String,
    /// Whose statements count, in a log or on a server.
    pub filter: Filter,
}

impl Location {
    /// Reads `[source:]path[#filter]`. The source is one of `sql`, `sqlx`, …; anything else is a path.
    pub fn parse(text: &str) -> Result<Self, WorkloadError> {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        let (origin, rest) = match text.split_once(':') {
            _ if is_url => (Some(Origin::Stat), text),
            Some((word, rest)) => match origin(word) {
                Some(origin) => (Some(origin), rest),
                None => (None, text),
            },
            None => (None, text),
        };
        // A path may have the sign in it as long as nothing before says what it is.
        let (path, filter) = match rest.rsplit_once('#') {
            Some((path, filter)) if origin.is_some() => (path, read_filter(text, filter)?),
            _ => (rest, Filter::default()),
        };
        Ok(Self { origin, path: path.to_owned(), filter })
    }

    /// The same below a folder, if it is a path.
    #[must_use]
    pub fn below(self, folder: &Utf8Path) -> Self {
        if self.origin == Some(Origin::Stat) {
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

fn origin(word: &str) -> Option<Origin> {
    let word = ALIASES.iter().find(|(alias, _)| *alias == word).map_or(word, |(_, word)| word);
    TABLE.iter().find(|row| row.word == word).map(|row| row.origin)
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
    load_from(&Location { origin: None, path: path.to_string(), filter: Filter::default() })
}

/// Reads the queries of a version from files. A live server is not asked here.
pub fn load_from(location: &Location) -> Result<(Workload, Vec<Diagnostic>), WorkloadError> {
    let path = Utf8PathBuf::from(&location.path);
    let origin = match location.origin {
        Some(origin) => origin,
        None => detect(&path)?,
    };
    if origin != Origin::Stat && !path.exists() {
        return Err(WorkloadError::Missing(path));
    }
    let (workload, diagnostics) = match origin {
        Origin::Sql => plain::load(&path),
        Origin::Sqlx => sqlx::load(&path),
        Origin::Sqlc => sqlc::load(&path),
        Origin::Prisma => prisma::load(&path),
        Origin::Diesel => diesel::load(&path),
        Origin::Rails => rails::load(&path),
        Origin::Log => log::load(&path, &location.filter),
        Origin::Workload => saved::load(&path),
        Origin::Stat => Err(WorkloadError::Live(location.path.clone())),
    }?;
    // A version without queries would be one that nothing can break.
    if workload.queries.is_empty() {
        let told: Vec<_> = diagnostics.iter().map(|d| d.message.as_str()).collect();
        let wanted = if told.is_empty() { "there is no statement in it".to_owned() } else { told.join("; ") };
        return Err(WorkloadError::Empty { path, wanted });
    }
    Ok((workload, diagnostics))
}

fn detect(path: &Utf8Path) -> Result<Origin, WorkloadError> {
    if !path.exists() {
        return Err(WorkloadError::Missing(path.to_owned()));
    }
    let mut found = Vec::new();
    for row in TABLE {
        if (row.is)(path)? {
            found.push(row);
        }
    }
    let ways = |rows: &[&Row]| rows.iter().map(|row| format!("{}:{path}", row.word)).collect::<Vec<_>>().join(", ");
    match found.as_slice() {
        [only] => Ok(only.origin),
        [] => {
            let all: Vec<_> = TABLE.iter().filter(|row| row.origin != Origin::Stat).collect();
            Err(WorkloadError::Unknown { path: path.to_owned(), example: ways(&all) })
        }
        many => Err(WorkloadError::Ambiguous {
            path: path.to_owned(),
            found: many.iter().map(|row| row.what).collect::<Vec<_>>().join(" or "),
            choices: ways(many),
        }),
    }
}

/// Whether a folder has a file of that kind directly in it.
fn holds(path: &Utf8Path, wanted: impl Fn(&Utf8Path) -> bool) -> Result<bool, WorkloadError> {
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

fn is_sqlx(path: &Utf8Path) -> Result<bool, WorkloadError> {
    let own = |path: &Utf8Path| sqlx::is_query_file(path) || path.file_name() == Some(sqlx::DATA);
    if path.is_file() {
        return Ok(own(path));
    }
    Ok(holds(&path.join(".sqlx"), own)? || holds(path, own)?)
}

fn is_sql(path: &Utf8Path) -> Result<bool, WorkloadError> {
    // A dump of the schema has no queries.
    let sql = |file: &Utf8Path| file.extension() == Some("sql") && file.file_name() != Some(rails::STRUCTURE);
    if path.is_file() {
        return Ok(sql(path));
    }
    Ok(!file::below(path, sql)?.is_empty())
}

fn is_sqlc(path: &Utf8Path) -> Result<bool, WorkloadError> {
    if path.is_file() && !sqlc::is_code(path) {
        return Ok(false);
    }
    for file in file::below(path, sqlc::is_code)? {
        if begins(&file, sqlc::is_one)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_prisma(path: &Utf8Path) -> Result<bool, WorkloadError> {
    let models = |path: &Utf8Path| path.extension() == Some("prisma");
    if path.is_file() {
        return Ok(models(path));
    }
    Ok(!file::below(path, models)?.is_empty())
}

fn is_diesel(path: &Utf8Path) -> Result<bool, WorkloadError> {
    let schema = |path: &Utf8Path| path.file_name() == Some(diesel::FILE);
    if path.is_file() && path.extension() != Some("rs") {
        return Ok(false);
    }
    for file in file::below(path, schema)? {
        if diesel::is_one(&file::text(&file)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_rails(path: &Utf8Path) -> Result<bool, WorkloadError> {
    if path.is_file() {
        return Ok([rails::RUBY, rails::STRUCTURE].iter().any(|name| path.file_name() == Some(name)));
    }
    Ok(rails::inside(path).is_some())
}

fn is_workload(path: &Utf8Path) -> Result<bool, WorkloadError> {
    // Whatever its name: the first words say what it is.
    Ok(path.is_file() && begins(path, |text| text.contains("\"format\"") && text.contains(saved::FORMAT))?)
}

fn is_log(path: &Utf8Path) -> Result<bool, WorkloadError> {
    // A line of csvlog begins with a time; an entry of jsonlog has a severity.
    let entry = |text: &str| {
        let line = text.lines().next().unwrap_or_default();
        let csv = line.split(',').count() > 10 && line.starts_with(|c: char| c.is_ascii_digit());
        let json = line.starts_with("{\"timestamp\"") || (line.starts_with('{') && line.contains("\"error_severity\""));
        csv || json
    };
    if path.is_file() {
        return begins(path, entry);
    }
    let mut found = false;
    if path.is_dir() {
        for file in path.read_dir_utf8()? {
            let file = file?;
            let log = file.path().is_file() && log::format_of(file.path()).is_some();
            found |= log && begins(file.path(), entry)?;
        }
    }
    Ok(found)
}

/// Looks at the beginning of a file.
fn begins(path: &Utf8Path, test: impl Fn(&str) -> bool) -> Result<bool, WorkloadError> {
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
        let check = |text: &str, origin: Option<Origin>, path: &str, application: Option<&str>| {
            let found = Location::parse(text).unwrap();
            assert_eq!((found.origin, &*found.path), (origin, path), "{text}");
            assert_eq!(found.filter.application.as_deref(), application, "{text}");
        };
        check("queries/v1", None, "queries/v1", None);
        check("sqlx:.", Some(Origin::Sqlx), ".", None);
        check("c:x", None, "c:x", None);
        check("a#b", None, "a#b", None);
        check("log:pg.csv#application_name=shop,user=app", Some(Origin::Log), "pg.csv", Some("shop"));
        check("postgres://u@h/d?sslmode=require", Some(Origin::Stat), "postgres://u@h/d?sslmode=require", None);
        check("stat:host=h dbname=d#user=app", Some(Origin::Stat), "host=h dbname=d", None);
        let wrong = |text: &str| Location::parse(text).unwrap_err().to_string();
        assert_eq!(
            wrong("log:x#app=y"),
            "log:x#app=y: there is no filter \"app\"; a filter is #application_name=…,user=…,database=…"
        );
    }
}
