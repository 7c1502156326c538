//! A folder of `.sql` files, each with one or more queries; `-- name: x` before a query names it (sqlc's form, its `:one` is ignored).

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Query, Workload};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::migrations::LoadError;
use crate::source::{Sources, Span};
use crate::sql;

/// Reads the queries of a folder (subfolders included) or of a single file. Queries that can not be parsed are kept and reported: a
/// rehearsal still tries them.
pub fn load(path: &Utf8Path) -> Result<(Workload, Vec<Diagnostic>), LoadError> {
    let mut files = Vec::new();
    collect(path, &mut files)?;
    files.sort();
    if files.is_empty() {
        return Err(LoadError::Empty { folder: path.to_owned(), hint: " (no .sql file with queries)".to_owned() });
    }
    let mut sources = Sources::new();
    for path in files {
        let bytes = fs_err::read(&path)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count() + 1;
            LoadError::NotUtf8 { path: path.clone(), line, offset }
        })?;
        sources.add(path, text);
    }
    Ok(read(sources))
}

impl Workload {
    /// The queries in one text, split and named as in a file.
    pub fn from_text(path: impl Into<Utf8PathBuf>, text: &str) -> (Self, Vec<Diagnostic>) {
        let mut sources = Sources::new();
        sources.add(path, text);
        read(sources)
    }
}

fn collect(path: &Utf8Path, files: &mut Vec<Utf8PathBuf>) -> Result<(), LoadError> {
    if !fs_err::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs_err::read_dir(path)? {
        let found = Utf8PathBuf::from_path_buf(entry?.path()).map_err(LoadError::PathNotUtf8)?;
        if found.is_dir() {
            collect(&found, files)?;
        } else if found.extension() == Some("sql") {
            files.push(found);
        }
    }
    Ok(())
}

pub(super) fn read(sources: Sources) -> (Workload, Vec<Diagnostic>) {
    let mut queries = Vec::new();
    let mut diagnostics = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (id, file) in sources.iter() {
        let stem = file.path.file_stem().unwrap_or_default();
        for (range, named) in sql::split_queries(&file.text) {
            let span = Span::new(id, range.clone());
            let name = named.unwrap_or_else(|| stem.to_owned());
            let count = names.entry(name.clone()).or_default();
            *count += 1;
            let name = if *count == 1 { name } else { format!("{name} #{count}") };
            let command = match sql::read_query(&file.text[range]) {
                Ok(command) => Some(command),
                Err(message) => {
                    let text = format!("query {name} can not be read: {message}");
                    diagnostics.push(
                        Diagnostic::warning(codes::UNREAD_QUERY, text)
                            .at(span, "this query")
                            .help("it is taken to rely on everything it mentions; `cutover rehearse` shows what PostgreSQL says of it"),
                    );
                    None
                }
            };
            queries.push(Query { name, span, command });
        }
    }
    (Workload { sources, queries }, diagnostics)
}
