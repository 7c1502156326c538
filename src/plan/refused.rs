//! What is said of a statement that PostgreSQL refuses where it stands.

use super::Request;
use super::part::Part;
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::{PgVersion, needed, refused_since};
use crate::schema::{Problem, QName, Schema, clauses_refused, is_collated, placed, resolve};
use crate::source::{Sources, Span};
use crate::sql::operation::{DataVerb, TypeDefinition};
use crate::sql::query::Command;
use crate::sql::{Form, Operation, Words};

/// What PostgreSQL refuses of a part whatever rows there are, and beside what its names and types tell. `made`: the schema after it, where the
/// server looks into the bodies of functions.
pub(super) fn always(part: &Part, before: &Schema, made: Option<&Schema>, request: &Request<'_>) -> Vec<Diagnostic> {
    let text = request.folder.sources.slice(part.span);
    let this = |why: String| format!("PostgreSQL refuses this: {why}");
    // Of some rows only it is a warning.
    let (some, all) = match refused_rows(part, before) {
        Some(why) if spares_rows(part, before) => (Some(why), None),
        why => (None, why),
    };
    let found = [
        all,
        refused_run(part, text, before),
        clauses_refused(text).map(this),
        placed(before, &part.operation, text).map(this),
        uncollated(&part.operation, text).map(this),
        made.and_then(|made| made.refused_body(&part.operation)).map(this),
    ];
    let mut told: Vec<Diagnostic> = found.into_iter().flatten().map(|why| server_refuses(why, part.span)).collect();
    told.extend(some.map(|why| {
        Diagnostic::warning(codes::SERVER_REFUSES, why)
            .at(part.span, "here")
            .help("give that table a primary key or a REPLICA IDENTITY first, or make sure that no row is deleted here")
    }));
    told
}

/// A collation of a domain over a type that has none.
fn uncollated(operation: &Operation, text: &str) -> Option<String> {
    let Operation::CreateType { definition: TypeDefinition::Domain { base, .. }, .. } = operation else { return None };
    let words = Words::of([text]);
    (!is_collated(base) && words.have(&Form::new("create domain … collate …")))
        .then(|| format!("collations are not supported by type {}", base.base()))
}

/// Why PostgreSQL refuses to change or remove rows of a table, whatever rows there are.
pub(super) fn refused_rows(part: &Part, schema: &Schema) -> Option<String> {
    let Operation::Data(data) = &part.operation else { return None };
    let table = schema.resolve(data.table.as_ref()?);
    match data.verb {
        DataVerb::Merge if matches!(part.command.as_deref(), Some(Command::Merge(merge)) if !merge.changes()) => None,
        DataVerb::Update | DataVerb::Delete | DataVerb::Merge if !schema.identifies_rows_with(&table, &data.nulls) => {
            Some(format!("PostgreSQL refuses this: {table} {}", resolve::NO_IDENTITY))
        }
        // It looks for rows that point to the one that goes, and there need be none.
        DataVerb::Delete if schema.identifies_rows(&table) => schema.holds_rows_fast(&table).map(|other| {
            format!(
                "PostgreSQL refuses this as soon as a row is deleted: what points to it goes with it, or is changed, and {other} {}",
                resolve::NO_IDENTITY
            )
        }),
        DataVerb::Truncate if !data.cascade => {
            let together: Vec<QName> = data.together.iter().map(|name| schema.resolve(name)).collect();
            let other = schema.pointing_to(&table).find(|name| **name != table && !together.contains(name))?;
            Some(format!(
                "PostgreSQL refuses this: cannot truncate a table referenced in a foreign key constraint: {other} references {table}"
            ))
        }
        _ => None,
    }
}

/// Why PostgreSQL refuses what a `CALL` or a `DO` block does to the rows of a table, whatever rows there are.
pub(super) fn refused_run(part: &Part, text: &str, schema: &Schema) -> Option<String> {
    let opaque = matches!(part.operation, Operation::Opaque { .. } | Operation::Query { .. });
    opaque.then(|| schema.run_by(text).always().find_map(|command| refused_change(command, schema))).flatten()
}

/// Whether what is refused of a statement is refused for some rows only: it deletes those that meet a condition, perhaps none.
fn spares_rows(part: &Part, schema: &Schema) -> bool {
    let (Operation::Data(data), Some(Command::Delete(delete))) = (&part.operation, part.command.as_deref()) else {
        return false;
    };
    let itself = || data.table.as_ref().is_none_or(|table| schema.identifies_rows(&schema.resolve(table)));
    (delete.filter.is_some() || !delete.using.is_empty()) && itself()
}

/// Why PostgreSQL refuses what a body does to rows that a publication has to tell apart, whatever rows there are.
fn refused_change(command: &Command, schema: &Schema) -> Option<String> {
    let table = match command {
        Command::Update(update) => &update.table,
        Command::Delete(delete) => &delete.table,
        Command::Merge(merge) if merge.changes() => &merge.table,
        _ => return None,
    };
    let table = schema.resolve(&table.name.value);
    // Whether PostgreSQL passes over what inherits from it is not looked at here.
    let alone = schema.children(&table).next().is_none();
    (alone && !schema.identifies_rows(&table))
        .then(|| format!("PostgreSQL refuses what this runs: {table} {}", resolve::NO_IDENTITY))
}

/// What is to be said of a data statement that cannot run on the schema before it.
pub(super) fn refused_data(refusal: &resolve::QueryProblem, span: Span, missing: bool, worded: bool) -> Diagnostic {
    if missing {
        return problem(&Problem::Missing(refusal.lacking()), span, false, worded);
    }
    server_refuses(format!("PostgreSQL refuses this: {}", refusal.message), span)
}

pub(super) fn server_refuses(text: String, span: Span) -> Diagnostic {
    Diagnostic::error(codes::SERVER_REFUSES, text)
        .at(span, "here")
        .help("the migration fails as it is written, in any order; if the schema is another one, plan with --database")
}

/// What is to be said of a statement that does not go with the schema before it. `live`: that was read from a server. `worded`: its
/// author has said where it belongs.
pub(super) fn problem(problem: &Problem, span: Span, live: bool, worded: bool) -> Diagnostic {
    match problem {
        Problem::Refused(_) => server_refuses(problem.to_string(), span),
        Problem::Skipped(_) => Diagnostic::warning(codes::NAME_TAKEN, problem.to_string())
            .at(span, "nothing is made here")
            .help("give it a name that is free, or drop the other first"),
        Problem::Missing(_) | Problem::Exists(_) => {
            // What is there already, and what a database lacks, stops the migration; what the files lack may have been made elsewhere.
            let text = problem.to_string();
            let known_elsewhere = worded && matches!(problem, Problem::Missing(_));
            let severity = if known_elsewhere { Severity::Warning } else { Severity::Error };
            let help = match (live, problem) {
                (true, _) => "the database is otherwise: the migration fails there as it is written",
                (false, Problem::Missing(_)) => {
                    "what it does to clients cannot be known: give the schema that production has with --database or --base-schema, or say where it belongs with `-- cutover: before|after <reason>`"
                }
                (false, _) => {
                    "the migration fails as it is written; if the schema is another one, give it with --database or --base-schema"
                }
            };
            Diagnostic::new(codes::UNKNOWN_OBJECT, severity, text).at(span, "here").help(help)
        }
    }
}

/// What the version that the plan is made for refuses.
pub(super) fn other_version(part: &Part, schema: &Schema, sources: &Sources, version: PgVersion) -> Option<Diagnostic> {
    if let Some((why, since)) = refused_since(&part.operation, schema).filter(|(_, since)| version >= *since) {
        let text = format!("{why}: refused since {since}, and the plan is made for {version}");
        return Some(Diagnostic::error(codes::SERVER_REFUSES, text).at(part.span, "the server refuses this"));
    }
    if version >= PgVersion::NEWEST {
        return None;
    }
    let words = Words::of(part.prefix.iter().chain([&part.span]).map(|span| sources.slice(*span)));
    let need = needed(&words, &part.operation, schema, version)?;
    let text = format!("{} needs {}, and the plan is made for {version}", need.what, need.since);
    Some(
        Diagnostic::warning(codes::NEEDS_NEWER_SERVER, text)
            .at(part.span, "the server refuses this")
            .help("say what production runs: `--pg-version VERSION`, or --database"),
    )
}
