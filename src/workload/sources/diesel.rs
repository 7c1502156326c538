//! Diesel: the `table!` macros of `schema.rs`. Queries are typed by them, so a column there is one that the version reads.

use camino::Utf8Path;

use super::Source;
use crate::diagnostic::Diagnostic;
use crate::source::Sources;
use crate::workload::error::WorkloadError;
use crate::workload::found;
use crate::workload::model::{self, Column, Model};
use crate::workload::placeholder::Style;
use crate::workload::{Workload, file};

pub(super) static SOURCE: Source = Source {
    word: "diesel",
    aliases: &[],
    what: "tables of Diesel",
    reads: "`schema.rs` of Diesel: what its tables imply, and nothing that is written by hand",
    is: is_here,
    load: |location| load(Utf8Path::new(&location.path)),
};

fn is_here(path: &Utf8Path) -> Result<bool, WorkloadError> {
    let schema = |path: &Utf8Path| path.file_name() == Some(FILE);
    if path.is_file() && path.extension() != Some("rs") {
        return Ok(false);
    }
    for file in file::below(path, schema)? {
        if is_one(&file::text(&file)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The file.
pub(super) const FILE: &str = "schema.rs";

/// Reads a file, or the files of that name below a folder.
fn load(path: &Utf8Path) -> Result<(Workload, Vec<Diagnostic>), WorkloadError> {
    let mut sources = Sources::new();
    for path in file::below(path, |file| file.file_name() == Some(FILE))? {
        let text = file::text(&path)?;
        sources.add(path, text);
    }
    let mut diagnostics = Vec::new();
    let mut found = Vec::new();
    for (id, file) in sources.iter() {
        found.extend(model::queries(id, &tables(&file.text), &mut diagnostics));
    }
    if found.is_empty() && diagnostics.is_empty() {
        let wanted = "there is no table! in schema.rs".into();
        return Err(WorkloadError::Empty { path: path.to_owned(), wanted });
    }
    let (workload, unread) = found::workload(sources, found, Style::Sent);
    diagnostics.extend(unread);
    Ok((workload, diagnostics))
}

/// Whether a text has such macros.
fn is_one(text: &str) -> bool {
    text.contains("table! {")
}

fn tables(text: &str) -> Vec<Model> {
    // Of the same length, so that places stay.
    let code = without_comments(text);
    code.match_indices("table!").filter_map(|(at, word)| table(&code, at + word.len())).collect()
}

fn table(code: &str, from: usize) -> Option<Model> {
    let open = from + code[from..].find('{')?;
    let mut made = Model::default();
    let mut sql_name = None;
    let mut at = open + 1;
    // `use …;` and attributes, then the head.
    let body = loop {
        at += code[at..].len() - code[at..].trim_start().len();
        let rest = &code[at..];
        if rest.starts_with("use ") {
            at += rest.find(';')? + 1;
        } else if rest.starts_with("#[") {
            let end = rest.find(']')?;
            sql_name = name_in(&rest[..end]).or(sql_name);
            at += end + 1;
        } else {
            let body = rest.find('{')?;
            let head = &rest[..body];
            let (name, key) = head.split_once('(').map_or((head, None), |(name, key)| (name, Some(key)));
            let name = name.trim();
            let (schema, table) =
                name.split_once('.').map_or((None, name), |(s, t)| (Some(s.trim().to_owned()), t.trim()));
            made.at = at;
            made.schema = schema;
            made.name = table.to_owned();
            made.table = sql_name.take().unwrap_or_else(|| table.to_owned());
            let key = key.and_then(|key| key.split_once(')')).map_or("id", |(key, _)| key);
            made.key = key.split(',').map(|k| k.trim().to_owned()).filter(|k| !k.is_empty()).collect();
            break at + body + 1;
        }
    };
    columns(code, body, &mut made)?;
    Some(made)
}

fn columns(code: &str, mut at: usize, made: &mut Model) -> Option<()> {
    let mut sql_name = None;
    loop {
        at += code[at..].len() - code[at..].trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
        let rest = &code[at..];
        if rest.starts_with('}') || rest.is_empty() {
            return Some(());
        }
        if rest.starts_with("#[") {
            let end = rest.find(']')?;
            sql_name = name_in(&rest[..end]).or(sql_name);
            at += end + 1;
            continue;
        }
        let arrow = rest.find("->")?;
        let field = rest[..arrow].trim();
        let kind_end = end_of_type(&rest[arrow + 2..]);
        let kind = rest[arrow + 2..arrow + 2 + kind_end].trim();
        let name = sql_name.take().unwrap_or_else(|| field.trim_start_matches("r#").to_owned());
        if let Some(key) = made.key.iter_mut().find(|key| *key == field) {
            key.clone_from(&name);
        }
        // Numbers that identify a row are counted by the database.
        let counted = ["Int4", "Int8", "Integer", "BigInt", "Int2", "SmallInt", "Serial", "BigSerial"].contains(&kind);
        let inserted = !(counted && made.key == [name.clone()]);
        made.columns.push(Column { name, at, inserted, generated: false });
        at += arrow + 2 + kind_end;
    }
}

/// Where a type ends: at a comma outside `<…>`, or at the brace.
fn end_of_type(rest: &str) -> usize {
    let mut depth = 0_usize;
    for (i, c) in rest.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return i,
            '}' => return i,
            _ => {}
        }
    }
    rest.len()
}

/// `#[sql_name = "type"]`
fn name_in(attribute: &str) -> Option<String> {
    attribute.contains("sql_name").then(|| attribute.split('"').nth(1).map(str::to_owned)).flatten()
}

/// Comments become spaces.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.find("//") {
            Some(at) => {
                out.push_str(&line[..at]);
                out.extend(line[at..].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
            }
            None => out.push_str(line),
        }
    }
    out
}
