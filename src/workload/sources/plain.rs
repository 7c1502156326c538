//! A folder of `.sql` files, each with one or more queries; `-- name: x` before a query names it. The query files of sqlc are such files:
//! its `:one` is not needed here, its `sqlc.arg(x)` and `@x` are parameters.

use camino::Utf8Path;

use super::Source;
use crate::diagnostic::Diagnostic;
use crate::source::{Sources, Span};
use crate::sql;
use crate::workload::Workload;
use crate::workload::error::WorkloadError;
use crate::workload::file;
use crate::workload::found::{self, Found};
use crate::workload::placeholder::Style;

pub(super) static SOURCE: Source = Source {
    word: "sql",
    aliases: &[],
    what: ".sql files with queries",
    reads: "`.sql` files, each query after `-- name: something`; sqlc's query files",
    is: is_here,
    load: |location| load(Utf8Path::new(&location.path)),
};

fn is_here(path: &Utf8Path) -> Result<bool, WorkloadError> {
    // A dump of the schema has no queries.
    let sql = |file: &Utf8Path| file.extension() == Some("sql") && file.file_name() != Some(super::rails::STRUCTURE);
    if path.is_file() {
        return Ok(sql(path));
    }
    Ok(!file::below(path, sql)?.is_empty())
}

/// Reads the queries of a folder (subfolders included) or of a single file.
fn load(path: &Utf8Path) -> Result<(Workload, Vec<Diagnostic>), WorkloadError> {
    let files = file::below(path, |file| file.extension() == Some("sql"))?;
    if files.is_empty() {
        return Err(WorkloadError::Empty { path: path.to_owned(), wanted: "there is no .sql file".into() });
    }
    let mut sources = Sources::new();
    for path in files {
        let text = file::text(&path)?;
        sources.add(path, text);
    }
    Ok(read(sources))
}

/// Reads files that are in memory.
pub(in crate::workload) fn read(sources: Sources) -> (Workload, Vec<Diagnostic>) {
    let mut queries = Vec::new();
    for (id, file) in sources.iter() {
        let stem = file.path.file_stem().unwrap_or_default();
        for (range, named) in sql::split_queries(&file.text) {
            queries.push(Found::new(named.unwrap_or_else(|| stem.to_owned()), Span::new(id, range)));
        }
    }
    found::workload(sources, queries, Style::Template)
}
