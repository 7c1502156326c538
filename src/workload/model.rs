//! What a model of an ORM implies: reading a row by its columns, and adding, changing and deleting it.

use super::found::{Found, left_out};
use super::text::Making;
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Span};

/// A table as an ORM's model knows it.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    /// What the model is called.
    pub(super) name: String,
    /// The schema, where it is named.
    pub(super) schema: Option<String>,
    /// The table.
    pub(super) table: String,
    /// Where the model stands.
    pub(super) at: usize,
    /// Its columns.
    pub(super) columns: Vec<Column>,
    /// The columns that tell a row.
    pub(super) key: Vec<String>,
    /// Whether it is only read.
    pub(super) view: bool,
}

/// A column that a model reads.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its name in the database.
    pub(super) name: String,
    /// Where it stands.
    pub(super) at: usize,
    /// Whether the ORM sends it when a row is added.
    pub(super) inserted: bool,
    /// Whether the database makes it, always.
    pub(super) generated: bool,
}

/// What writes one kind of query.
type Make = fn(&Model) -> Making;

/// The queries of models, in order; what has no key cannot be changed.
pub(super) fn queries(file: FileId, models: &[Model], diagnostics: &mut Vec<Diagnostic>) -> Vec<Found> {
    let mut found = Vec::new();
    for model in models {
        let span = Span::new(file, model.at..model.at + model.name.len());
        if model.columns.is_empty() {
            diagnostics
                .push(left_out(format!("model {} has no column that could be read", model.name)).at(span, "here"));
            continue;
        }
        let keyed = !model.key.is_empty();
        if !keyed && !model.view {
            let message = format!("model {} has no key, so no UPDATE and DELETE are implied", model.name);
            diagnostics.push(left_out(message).at(span, "here"));
        }
        let verbs: [(&str, bool, Make); 4] = [
            ("select", true, select),
            ("insert", !model.view, insert),
            ("update", !model.view && keyed && model.columns.iter().any(|c| changes(model, c)), update),
            ("delete", !model.view && keyed, delete),
        ];
        for (verb, implied, make) in verbs {
            if implied {
                let name = format!("{}.{verb} (implied)", model.name);
                found.push(Found { implied: true, ..Found::with_text(name, span, make(model).done()) });
            }
        }
    }
    found
}

fn changes(model: &Model, column: &Column) -> bool {
    !column.generated && !model.key.contains(&column.name)
}

fn select(model: &Model) -> Making {
    let mut made = Making::default();
    made.replace("SELECT ", model.at);
    columns(&mut made, model.columns.iter());
    made.replace(&format!(" FROM {}", table(model)), model.at);
    made
}

fn insert(model: &Model) -> Making {
    let mut made = Making::default();
    made.replace(&format!("INSERT INTO {} ", table(model)), model.at);
    let sent: Vec<_> = model.columns.iter().filter(|c| c.inserted && !c.generated).collect();
    if sent.is_empty() {
        made.replace("DEFAULT VALUES", model.at);
    } else {
        made.replace("(", model.at);
        columns(&mut made, sent.iter().copied());
        let values: Vec<_> = (1..=sent.len()).map(|n| format!("${n}")).collect();
        made.replace(&format!(") VALUES ({})", values.join(", ")), model.at);
    }
    if !model.key.is_empty() {
        made.replace(" RETURNING ", model.at);
        let keys: Vec<_> = model.key.iter().map(|key| quote(key)).collect();
        made.replace(&keys.join(", "), model.at);
    }
    made
}

fn update(model: &Model) -> Making {
    let mut made = Making::default();
    made.replace(&format!("UPDATE {} SET ", table(model)), model.at);
    let changed: Vec<_> = model.columns.iter().filter(|c| changes(model, c)).collect();
    for (i, column) in changed.iter().enumerate() {
        made.replace(&quote(&column.name), column.at);
        let comma = if i + 1 < changed.len() { ", " } else { "" };
        made.replace(&format!(" = ${}{comma}", i + 1), model.at);
    }
    matching(&mut made, model, changed.len());
    made
}

fn delete(model: &Model) -> Making {
    let mut made = Making::default();
    made.replace(&format!("DELETE FROM {}", table(model)), model.at);
    matching(&mut made, model, 0);
    made
}

fn matching(made: &mut Making, model: &Model, before: usize) {
    let numbered = model.key.iter().enumerate();
    let conditions: Vec<_> = numbered.map(|(i, key)| format!("{} = ${}", quote(key), before + i + 1)).collect();
    made.replace(&format!(" WHERE {}", conditions.join(" AND ")), model.at);
}

fn columns<'a>(made: &mut Making, columns: impl Iterator<Item = &'a Column>) {
    for (i, column) in columns.enumerate() {
        if i > 0 {
            made.replace(", ", column.at);
        }
        made.replace(&quote(&column.name), column.at);
    }
}

fn table(model: &Model) -> String {
    match &model.schema {
        Some(schema) => format!("{}.{}", quote(schema), quote(&model.table)),
        None => quote(&model.table),
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
