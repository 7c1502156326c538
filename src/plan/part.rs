//! One operation of a release, in its place.

use std::sync::Arc;

use super::Observed;
use crate::compat::{refused_row, repeats_key};
use crate::effect::Hazard;
use crate::schema::{Applied, Schema, resolve};
use crate::source::Span;
use crate::sql::Operation;
use crate::sql::query::Command;

/// One operation in its place.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// What it does.
    pub(crate) operation: Operation,
    /// Its own text.
    pub(crate) span: Span,
    /// The text before it that it needs to run alone.
    pub(crate) prefix: Option<Span>,
    /// The whole statement.
    pub(crate) statement: Span,
    /// What running it costs.
    pub(crate) hazard: Hazard,
    /// What it was seen to do, where its text does not tell.
    pub(crate) observed: Option<Arc<Observed>>,
    /// What it reads and writes, for a query or a data statement.
    pub(crate) command: Option<Arc<Command>>,
    /// Whether PostgreSQL refuses it, a data statement, where it stands in the files.
    pub(crate) refused: bool,
}

impl Part {
    /// The schema after it.
    pub(crate) fn apply(&self, schema: &Schema) -> Applied {
        self.applied(schema.clone())
    }

    /// The same of a schema that nobody needs any more.
    pub(crate) fn applied(&self, schema: Schema) -> Applied {
        match &self.observed {
            Some(observed) => schema.apply_patch(&observed.patch),
            None => schema.applied(&self.operation),
        }
    }

    /// Why PostgreSQL refuses a data statement, or an expression that is to be kept, on a schema, by the names and types in it.
    pub(crate) fn refused_on(&self, schema: &Schema) -> Option<resolve::QueryProblem> {
        let Some(command) = self.command.as_deref() else {
            return schema.refused_expression(&self.operation, self.prefix.is_none());
        };
        let look = resolve::resolve(command, schema);
        let refused = look.refused().cloned().or_else(|| refused_row(command, &look.uses.writes, schema));
        let refused = refused.or_else(|| Some(resolve::command_fails(command, schema)?.problem()));
        // What a query calls may be anything, which is said already.
        let told = matches!(self.operation, Operation::Query { .. });
        refused.or_else(|| look.absent.into_iter().find(|absent| !told || absent.code == "42P01"))
    }

    /// Whether it gives all rows that it changes the same key, so that it fails on the second of them.
    pub(crate) fn repeats_key_on(&self, schema: &Schema) -> bool {
        let look = self.command.as_deref().map(|command| resolve::resolve(command, schema));
        look.is_some_and(|look| look.uses.writes.iter().any(|write| repeats_key(write, schema)))
    }

    /// Whether nobody knows what it does.
    pub(crate) fn is_opaque(&self) -> bool {
        is_opaque(&self.operation) && self.observed.as_ref().is_none_or(|observed| observed.unsure.is_some())
    }
}

/// Whether the text of an operation does not tell what it does.
pub fn is_opaque(operation: &Operation) -> bool {
    match operation {
        Operation::Opaque { .. } => true,
        // What uses an extension's types, functions and classes goes with it, and no text says which those are.
        Operation::DropExtension { cascade, .. } => *cascade,
        // Any function may write.
        Operation::Query { calls, .. } => calls.iter().any(|name| !harmless(&name.name)),
        _ => false,
    }
}
/// Functions of PostgreSQL that a migration calls for what they do to rows and sequences, not to the schema.
fn harmless(name: &str) -> bool {
    const KNOWN: &[&str] = &[
        "set_config",
        "setval",
        "nextval",
        "currval",
        "lastval",
        "count",
        "max",
        "min",
        "coalesce",
        "now",
        "pg_sleep",
        "greatest",
        "least",
        "pg_get_serial_sequence",
        "pg_advisory_lock",
        "pg_advisory_unlock",
        "pg_advisory_xact_lock",
        "version",
        "current_setting",
        "pg_notify",
        "to_regclass",
        "lower",
        "upper",
        "length",
        "exists",
        "sum",
        "generate_series",
    ];
    KNOWN.contains(&name)
}
