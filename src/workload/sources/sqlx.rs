//! sqlx: `.sqlx/query-*.json` (one file a query), and `sqlx-data.json` (one file with all of them) of older versions. `cargo sqlx prepare`
//! writes the text as it is sent, and the types that PostgreSQL gave it; these are kept.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Source;
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources, Span};
use crate::workload::detect::holds;
use crate::workload::error::WorkloadError;
use crate::workload::found::{self, Found};
use crate::workload::placeholder::Style;
use crate::workload::recorded::{RecordedColumn, RecordedTypes};
use crate::workload::text::Text;
use crate::workload::{Workload, file};

pub(super) static SOURCE: Source = Source {
    word: "sqlx",
    aliases: &[],
    what: "queries that sqlx recorded",
    reads: "`.sqlx/query-*.json` or `sqlx-data.json`, with the types that were recorded: held against the schema, and they tell which columns must not be NULL",
    is: is_here,
    load: |location| load(Utf8Path::new(&location.path)),
};

fn is_here(path: &Utf8Path) -> Result<bool, WorkloadError> {
    let own = |path: &Utf8Path| is_query_file(path) || path.file_name() == Some(DATA);
    if path.is_file() {
        return Ok(own(path));
    }
    Ok(holds(&path.join(".sqlx"), own)? || holds(path, own)?)
}

/// The name of the single file.
pub(super) const DATA: &str = "sqlx-data.json";

#[derive(Deserialize)]
struct RawQuery<'a> {
    db_name: Option<String>,
    #[serde(borrow)]
    query: &'a RawValue,
    #[serde(default)]
    describe: RawDescribe,
}

#[derive(Default, Deserialize)]
struct RawDescribe {
    #[serde(default)]
    columns: Vec<RawColumn>,
    /// `{"Left": [types]}`, `{"Right": count}`, or nothing.
    #[serde(default)]
    parameters: Value,
    #[serde(default)]
    nullable: Vec<Option<bool>>,
}

#[derive(Deserialize)]
struct RawColumn {
    name: String,
    #[serde(default)]
    type_info: Value,
}

/// Whether a file is one query of sqlx.
fn is_query_file(path: &Utf8Path) -> bool {
    path.file_name().is_some_and(|name| name.starts_with("query-") && name.ends_with(".json"))
}

/// Reads a folder (of files, or with `.sqlx/` or `sqlx-data.json` in it) or a file.
fn load(path: &Utf8Path) -> Result<(Workload, Vec<Diagnostic>), WorkloadError> {
    let inner = [path.join(".sqlx"), path.join(DATA)].into_iter().find(|inner| inner.exists());
    let wanted = |file: &Utf8Path| is_query_file(file) || file.file_name() == Some(DATA);
    let files = file::below(inner.as_deref().unwrap_or(path), wanted)?;
    let mut sources = Sources::new();
    for path in files {
        let text = file::text(&path)?;
        sources.add(path, text);
    }
    let (workload, diagnostics) = read(sources);
    if workload.queries.is_empty() && diagnostics.is_empty() {
        let wanted = format!("there is no query-*.json and no {DATA}; run `cargo sqlx prepare`");
        return Err(WorkloadError::Empty { path: path.to_owned(), wanted });
    }
    Ok((workload, diagnostics))
}

/// Reads files that are in memory.
fn read(sources: Sources) -> (Workload, Vec<Diagnostic>) {
    let mut found = Vec::new();
    for (id, file) in sources.iter() {
        let data = file.path.file_name() == Some(DATA);
        let result = if data { all(&file.text, id, &mut found) } else { one(&file.text, id, &mut found) };
        // Kept as what it is, so that whatever it mentions counts.
        if let Err(error) = result {
            let unreadable =
                Some(format!("this is no file of sqlx: {error}; write it again with `cargo sqlx prepare`"));
            let name = file.path.file_name().unwrap_or_default();
            found.push(Found { unreadable, ..Found::new(name, Span::new(id, 0..file.text.len())) });
        }
    }
    found::workload(sources, found, Style::Sent)
}

fn one(text: &str, id: FileId, found: &mut Vec<Found>) -> Result<(), serde_json::Error> {
    let raw: RawQuery<'_> = serde_json::from_str(text)?;
    found.push(query(text, id, &raw, raw.db_name.as_deref())?);
    Ok(())
}

fn all(text: &str, id: FileId, found: &mut Vec<Found>) -> Result<(), serde_json::Error> {
    let entries: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
    let db = entries.get("db").map(|db| serde_json::from_str::<String>(db.get())).transpose()?;
    let mut queries = Vec::new();
    for (_, raw) in entries.iter().filter(|(key, _)| *key != "db") {
        let raw: RawQuery<'_> = serde_json::from_str(raw.get())?;
        queries.push(query(text, id, &raw, db.as_deref())?);
    }
    queries.sort_by_key(|query| query.span.start);
    found.extend(queries);
    Ok(())
}

fn query(text: &str, id: FileId, raw: &RawQuery<'_>, database: Option<&str>) -> Result<Found, serde_json::Error> {
    // The piece of the file is borrowed from it, so its address tells its place.
    let at = raw.query.get().as_ptr() as usize - text.as_ptr() as usize;
    serde_json::from_str::<String>(raw.query.get())?;
    let sql = Text::json(raw.query.get(), at);
    let foreign =
        database.filter(|name| !name.eq_ignore_ascii_case("postgresql") && !name.eq_ignore_ascii_case("postgres"));
    let columns = raw.describe.columns.iter().enumerate().map(|(i, column)| RecordedColumn {
        name: column.name.clone(),
        data_type: data_type(&column.type_info),
        nullable: raw.describe.nullable.get(i).copied().flatten(),
    });
    let parameters = raw.describe.parameters.get("Left").and_then(Value::as_array);
    let recorded = RecordedTypes {
        parameters: parameters.into_iter().flatten().map(data_type).collect(),
        columns: columns.collect(),
    };
    let span = Span::new(id, at..at + raw.query.get().len());
    Ok(Found {
        recorded: foreign.is_none().then_some(recorded),
        unreadable: foreign.map(|name| format!("it was prepared on {name}, and this is PostgreSQL")),
        ..Found::with_text(name(sql.as_str()), span, sql)
    })
}

/// sqlx has no names; the verb and the first table tell more than the hash of the file.
fn name(sql: &str) -> String {
    crate::workload::fingerprint::summary(sql)
}

/// A type of sqlx as PostgreSQL names it: `"Int8"`, `"TextArray"`, `{"Custom": {"name": "mood", …}}`.
fn data_type(info: &Value) -> String {
    match info {
        Value::String(name) => match name.strip_suffix("Array") {
            Some(element) if !element.is_empty() => format!("{}[]", builtin(element)),
            _ => builtin(name),
        },
        Value::Object(_) => {
            let custom = info.get("Custom").unwrap_or(info);
            let element = custom.pointer("/kind/Array").or_else(|| info.get("Array"));
            match (element, custom.get("name").and_then(Value::as_str)) {
                (Some(element), _) => format!("{}[]", data_type(element)),
                (None, Some(name)) => name.to_owned(),
                (None, None) => "unknown".to_owned(),
            }
        }
        _ => "unknown".to_owned(),
    }
}

fn builtin(name: &str) -> String {
    match name {
        // PostgreSQL's one-byte type is not `char`.
        "Char" | "CHAR" => "\"char\"".to_owned(),
        _ => name.to_ascii_lowercase(),
    }
}
