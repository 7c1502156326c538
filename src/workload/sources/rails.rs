//! ActiveRecord: `db/schema.rb`, or `structure.sql` (a dump of the schema). Models have the columns of their tables.

use camino::Utf8Path;

use super::Source;
use crate::diagnostic::Diagnostic;
use crate::schema::{Object, Schema};
use crate::source::{FileId, Sources, Span};
use crate::sql::{self, operation::RelationKind};
use crate::workload::error::WorkloadError;
use crate::workload::found::{self, left_out};
use crate::workload::model::{self, Column, Model};
use crate::workload::placeholder::Style;
use crate::workload::{Workload, file};

pub(super) static SOURCE: Source = Source {
    word: "rails",
    aliases: &["activerecord"],
    what: "a schema of ActiveRecord",
    reads: "`schema.rb` or `structure.sql`: what the models imply, and nothing that is written by hand",
    is: is_here,
    load: |location| load(Utf8Path::new(&location.path)),
};

fn is_here(path: &Utf8Path) -> Result<bool, WorkloadError> {
    if path.is_file() {
        return Ok([RUBY, STRUCTURE].iter().any(|name| path.file_name() == Some(name)));
    }
    Ok(inside(path).is_some())
}

/// The file in Ruby.
pub(super) const RUBY: &str = "schema.rb";

/// The file in SQL.
pub(super) const STRUCTURE: &str = "structure.sql";

/// Tables of Rails itself.
const OWN: &[&str] = &["schema_migrations", "ar_internal_metadata"];

/// Lines of `create_table` that are no columns.
const NO_COLUMNS: &[&str] =
    &["index", "check_constraint", "exclusion_constraint", "unique_constraint", "unique_key", "foreign_key"];

/// Reads a file, or the one in `db/` of a folder or in the folder itself.
fn load(path: &Utf8Path) -> Result<(Workload, Vec<Diagnostic>), WorkloadError> {
    let file = if path.is_dir() { inside(path) } else { Some(path.to_owned()) };
    let Some(file) = file else {
        let wanted = format!("there is no {RUBY} and no {STRUCTURE}");
        return Err(WorkloadError::Empty { path: path.to_owned(), wanted });
    };
    let mut sources = Sources::new();
    let text = file::text(&file)?;
    let ruby = file.extension() == Some("rb");
    let id = sources.add(file, text);
    let mut diagnostics = Vec::new();
    let models = if ruby { tables(id, &sources, &mut diagnostics) } else { structure(id, &sources, &mut diagnostics) };
    let found = model::queries(id, &models, &mut diagnostics);
    let (workload, unread) = found::workload(sources, found, Style::Sent);
    diagnostics.extend(unread);
    Ok((workload, diagnostics))
}

/// The file of a folder.
pub(super) fn inside(folder: &Utf8Path) -> Option<camino::Utf8PathBuf> {
    let places = ["db", ""].iter().flat_map(|below| [RUBY, STRUCTURE].map(|name| folder.join(below).join(name)));
    places.into_iter().find(|path| path.is_file())
}

fn tables(id: FileId, sources: &Sources, diagnostics: &mut Vec<Diagnostic>) -> Vec<Model> {
    let text = &*sources.file(id).text;
    let mut found: Vec<Model> = Vec::new();
    let mut open = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at + (line.len() - line.trim_start().len());
        at += line.len();
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("create_table ") {
            let Some(name) = strings(rest).next() else { continue };
            let (schema, table) = name.split_once('.').map_or((None, name), |(s, t)| (Some(s.to_owned()), t));
            let options = &rest[name.len() + 2..];
            let key = key(options);
            // Rails lets the database make the key, whatever its type; a table may have none of its own.
            let own_key = key.len() == 1 && !options.contains("primary_key: [");
            let of_key = |name: &String| Column { name: name.clone(), at: start, inserted: false, generated: false };
            let columns = if own_key { key.iter().map(of_key).collect() } else { Vec::new() };
            found.push(Model {
                name: table.to_owned(),
                schema,
                table: table.to_owned(),
                at: start + "create_table \"".len(),
                columns,
                key,
                view: false,
            });
            open = true;
        } else if open && line == "end" {
            open = false;
        } else if open && let Some((kind, rest)) = line.strip_prefix("t.").and_then(|rest| rest.split_once(' ')) {
            if NO_COLUMNS.contains(&kind) {
                continue;
            }
            let Some(model) = found.last_mut() else { continue };
            // `t.string "a", "b"` is allowed, too.
            let names = rest.split(", ").map_while(|part| part.strip_prefix('"')?.strip_suffix('"'));
            for name in names.take(if kind == "column" { 1 } else { usize::MAX }) {
                let at = start + line.find(&format!("\"{name}\"")).map_or(0, |at| at + 1);
                model.columns.push(Column { name: name.to_owned(), at, inserted: true, generated: kind == "virtual" });
            }
        } else if open && !line.is_empty() && !line.starts_with('#') {
            diagnostics.push(
                left_out(format!("a line of create_table is not understood: {line}"))
                    .at(Span::new(id, start..start + line.len()), "this line"),
            );
        }
    }
    found.retain(|model| !OWN.contains(&&*model.table));
    found
}

/// `id: false`, `primary_key: "x"`, `primary_key: ["a", "b"]`
fn key(options: &str) -> Vec<String> {
    if let Some((_, rest)) = options.split_once("primary_key: ") {
        let list = match rest.strip_prefix('[') {
            Some(list) => list.split(']').next().unwrap_or_default(),
            None => rest.split(',').next().unwrap_or_default(),
        };
        return strings(list).map(str::to_owned).collect();
    }
    if options.contains("id: false") { Vec::new() } else { vec!["id".to_owned()] }
}

/// What stands in double quotes.
fn strings(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

/// The tables that a dump makes.
fn structure(id: FileId, sources: &Sources, diagnostics: &mut Vec<Diagnostic>) -> Vec<Model> {
    let (statements, unread) = sql::read(sources, id);
    diagnostics.extend(unread);
    let mut schema = Schema::empty();
    let mut places = Vec::new();
    for statement in &statements {
        for piece in &statement.pieces {
            let applied = schema.apply(&piece.operation);
            places.extend(applied.touched.into_iter().map(|object| (object, piece.span)));
            schema = applied.schema;
        }
    }
    let mut found = Vec::new();
    for (name, relation) in schema.relations() {
        let view = match relation.kind {
            RelationKind::Table => false,
            RelationKind::View | RelationKind::MaterializedView => true,
            _ => continue,
        };
        if OWN.contains(&&*name.name) {
            continue;
        }
        let made_by = Object::Relation(name.clone());
        let at = places.iter().find(|(object, _)| *object == made_by).map_or(0, |(_, span)| span.range().start);
        let key: Vec<String> = relation.primary_key().unwrap_or_default().iter().map(ToString::to_string).collect();
        let columns = relation.columns.iter().map(|column| Column {
            name: column.name.to_string(),
            at,
            inserted: !(column.has_default() && key.len() == 1 && key[0] == *column.name),
            generated: !column.writable(),
        });
        found.push(Model {
            name: name.name.to_string(),
            schema: (*name.schema != *"public").then(|| name.schema.to_string()),
            table: name.name.to_string(),
            at,
            columns: columns.collect(),
            key,
            view,
        });
    }
    found.sort_by_key(|model| model.at);
    found
}
