//! Prisma: `schema.prisma`, or a folder of such files. Its client reads and writes the columns of a model by name.

use camino::Utf8Path;

use super::Source;
use crate::diagnostic::Diagnostic;
use crate::source::{FileId, Sources, Span};
use crate::workload::error::WorkloadError;
use crate::workload::found::{self, Found, left_out};
use crate::workload::model::{self, Column, Model};
use crate::workload::placeholder::Style;
use crate::workload::{Workload, file};

pub(super) static SOURCE: Source = Source {
    word: "prisma",
    aliases: &[],
    what: "models of Prisma",
    reads: "`schema.prisma`: what the models imply, and nothing that is written by hand",
    is: is_here,
    load: |location| load(Utf8Path::new(&location.path)),
};

fn is_here(path: &Utf8Path) -> Result<bool, WorkloadError> {
    let models = |path: &Utf8Path| path.extension() == Some("prisma");
    if path.is_file() {
        return Ok(models(path));
    }
    Ok(!file::below(path, models)?.is_empty())
}

/// Types that are columns. Others are enums of the schema, or models, which are relations.
const SCALARS: &[&str] = &["String", "Boolean", "Int", "BigInt", "Float", "Decimal", "DateTime", "Json", "Bytes"];

/// Defaults that the database gives; others Prisma sends itself.
const OF_DATABASE: &[&str] = &["autoincrement(", "dbgenerated(", "sequence("];

/// Reads the models of a file or a folder.
fn load(path: &Utf8Path) -> Result<(Workload, Vec<Diagnostic>), WorkloadError> {
    let mut sources = Sources::new();
    for path in file::below(path, |file| file.extension() == Some("prisma"))? {
        let text = file::text(&path)?;
        sources.add(path, text);
    }
    Ok(read(sources))
}

/// A block: its kind, its name, the lines in it, each with its place.
struct Block<'a> {
    kind: &'a str,
    name: &'a str,
    at: usize,
    lines: Vec<(&'a str, usize)>,
}

fn read(sources: Sources) -> (Workload, Vec<Diagnostic>) {
    let files: Vec<(FileId, Vec<Block<'_>>)> = sources.iter().map(|(id, file)| (id, blocks(&file.text))).collect();
    let of = |kind: &str| -> Vec<&str> {
        files.iter().flat_map(|(_, blocks)| blocks).filter(|b| b.kind == kind).map(|b| b.name).collect()
    };
    let enums = of("enum");
    let mut diagnostics = Vec::new();
    let mut found: Vec<Found> = Vec::new();
    for (id, blocks) in &files {
        for source in blocks.iter().filter(|b| b.kind == "datasource") {
            if let Some((line, at)) = source.lines.iter().find(|(line, _)| line.starts_with("provider"))
                && !["postgres", "env("].iter().any(|known| line.contains(known))
            {
                let message = format!("the models are for another database: {line}");
                diagnostics.push(left_out(message).at(Span::new(*id, *at..at + line.len()), "here"));
            }
        }
        let models: Vec<_> = blocks.iter().filter_map(|block| model(block, &enums)).collect();
        found.extend(model::queries(*id, &models, &mut diagnostics));
    }
    let models: Vec<&Block<'_>> = files.iter().flat_map(|(_, blocks)| blocks).filter(|b| b.kind == "model").collect();
    for table in joined(&models) {
        diagnostics.push(left_out(format!(
            "the table {table} of a many-to-many relation has no model, so no query on it is implied"
        )));
    }
    let (workload, unread) = found::workload(sources.clone(), found, Style::Sent);
    diagnostics.extend(unread);
    (workload, diagnostics)
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found: Vec<Block<'_>> = Vec::new();
    let mut open = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at + (line.len() - line.trim_start().len());
        at += line.len();
        let line = comment_free(line.trim());
        if line.is_empty() {
        } else if open {
            if line == "}" {
                open = false;
            } else if let Some(block) = found.last_mut() {
                block.lines.push((line, start));
            }
        } else if let Some(head) = line.strip_suffix('{') {
            let mut words = head.split_whitespace();
            if let (Some(kind), Some(name)) = (words.next(), words.next()) {
                let at = start + line.find(name).unwrap_or(0);
                found.push(Block { kind, name, at, lines: Vec::new() });
                open = true;
            }
        }
    }
    found
}

/// The line without `// …`, which may stand in a string.
fn comment_free(line: &str) -> &str {
    let mut quoted = false;
    let bytes = line.as_bytes();
    for i in 0..bytes.len() {
        match bytes[i] {
            b'"' if i == 0 || bytes[i - 1] != b'\\' => quoted = !quoted,
            b'/' if !quoted && bytes.get(i + 1) == Some(&b'/') => return line[..i].trim_end(),
            _ => {}
        }
    }
    line
}

fn model(block: &Block<'_>, enums: &[&str]) -> Option<Model> {
    let view = block.kind == "view";
    if !(view || block.kind == "model") || block.lines.iter().any(|(line, _)| line.starts_with("@@ignore")) {
        return None;
    }
    let own = |name: &str| {
        let start = format!("@@{name}(");
        block.lines.iter().find_map(|(line, _)| line.strip_prefix(start.as_str()))
    };
    let mut made = Model {
        name: block.name.to_owned(),
        schema: own("schema").and_then(string),
        table: own("map").and_then(string).unwrap_or_else(|| block.name.to_owned()),
        at: block.at,
        view,
        ..Model::default()
    };
    let mut names: Vec<(&str, String)> = Vec::new();
    let mut unique = None;
    for (line, at) in block.lines.iter().filter(|(line, _)| !line.starts_with("@@")) {
        let mut words = line.split_whitespace();
        let (Some(field), Some(kind)) = (words.next(), words.next()) else { continue };
        let base = kind.trim_end_matches(['?', ']', '[']);
        if !(SCALARS.contains(&base) || enums.contains(&base)) || has(line, "@ignore") {
            continue;
        }
        let name = attribute(line, "@map(").and_then(string).unwrap_or_else(|| field.to_owned());
        names.push((field, name.clone()));
        if has(line, "@id") {
            made.key = vec![name.clone()];
        }
        if unique.is_none() && has(line, "@unique") && !kind.ends_with('?') {
            unique = Some(name.clone());
        }
        let default = attribute(line, "@default(").unwrap_or_default();
        let inserted = !OF_DATABASE.iter().any(|of| default.starts_with(of));
        made.columns.push(Column { name, at: *at, inserted, generated: false });
    }
    let fields = |list: &str| -> Vec<String> {
        let inside = list.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(inside, _)| inside);
        let fields = inside.split(',').map(|field| field.trim().split('(').next().unwrap_or_default());
        fields
            .filter_map(|field| names.iter().find(|(known, _)| *known == field).map(|(_, name)| name.clone()))
            .collect()
    };
    if made.key.is_empty() {
        let compound = own("id").or_else(|| own("unique")).map(fields).filter(|key| !key.is_empty());
        made.key = unique.map(|name| vec![name]).filter(|_| own("id").is_none()).or(compound).unwrap_or_default();
    }
    Some(made)
}

/// Whether the field has an attribute: `@id`, and not `@identity`.
fn has(line: &str, name: &str) -> bool {
    line.split_whitespace()
        .any(|word| word == name || word.strip_prefix(name).is_some_and(|rest| rest.starts_with('(')))
}

/// What stands in an attribute's parentheses, and behind.
fn attribute<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    let at = line.match_indices(start).map(|(at, _)| at).find(|at| *at > 0 && line.as_bytes()[at - 1] == b' ')?;
    Some(&line[at + start.len()..])
}

/// The first string: `"x")`, `name: "x")`.
fn string(text: &str) -> Option<String> {
    text.split('"').nth(1).map(str::to_owned)
}

/// Tables that Prisma makes for relations with a list on both sides: `_AToB`.
fn joined(models: &[&Block<'_>]) -> Vec<String> {
    let lists = |from: &Block<'_>, to: &str| {
        let list = format!("{to}[]");
        from.lines.iter().any(|(line, _)| line.split_whitespace().nth(1) == Some(&*list))
    };
    let mut found = Vec::new();
    for (i, a) in models.iter().enumerate() {
        for b in &models[i..] {
            let pair = if a.name == b.name { false } else { lists(a, b.name) && lists(b, a.name) };
            if pair {
                let (first, second) = if a.name < b.name { (a.name, b.name) } else { (b.name, a.name) };
                found.push(format!("_{first}To{second}"));
            }
        }
    }
    found
}
