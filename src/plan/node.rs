//! What runs as a unit: a part, or several that must be atomic together, with the net effect of them.

use super::Observed;
use super::manner::Manner;
use super::part::Part;
use super::saved::Phase;
use crate::effect::{Capability, Effect, Weight};
use crate::few::Few;
use crate::schema::{Object, Schema};
use crate::source::{FileId, Span};
use crate::sql::{Directive, DirectiveWord, Operation};

/// SQL that the tool wrote.
#[derive(Debug, Clone)]
pub(crate) struct GeneratedSql {
    /// The name of the recipe.
    pub(crate) recipe: &'static str,
    pub(crate) sql: String,
}

/// What runs as a unit.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Index into the pending migrations.
    pub(crate) migration: usize,
    /// Its parts; one, unless they must be atomic together.
    pub(crate) parts: Vec<Part>,
    /// Whether it changes something of which nothing is known.
    pub(crate) unknown: bool,
    /// The transaction of its file that it is written in, by number.
    pub(super) block: Option<usize>,
    /// What it takes and gives, all parts together.
    pub(crate) effect: Effect,
    /// The author's word on it.
    pub(crate) directive: Option<Directive>,
    /// When it ran, where a release is carried on and it has.
    pub(crate) ran: Option<Phase>,
    /// How its author wants it to run.
    pub(crate) manner: Option<Manner>,
    /// Whether it runs in a transaction.
    pub(crate) transactional: bool,
    /// `SET` statements of its file that are in force.
    pub(crate) session: Vec<Span>,
    /// What the tool wrote instead of the author's SQL.
    pub(crate) written: Option<GeneratedSql>,
    /// The schema before it, in the files' order; of several parts, with all that runs before the first of them.
    pub(crate) before: Schema,
    /// What its parts make of that schema.
    pub(crate) after: Schema,
    /// What it changes.
    pub(crate) touched: Few<Object>,
}

impl Node {
    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        let spans = self.parts.iter().map(|part| part.span);
        spans.reduce(Span::to).unwrap_or(Span { file: FileId(0), start: 0, end: 0 })
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.parts.iter().map(|part| &part.operation)
    }

    pub(crate) fn is_opaque(&self) -> bool {
        self.unknown || self.parts.iter().any(Part::is_opaque)
    }

    /// What its parts were seen to do.
    pub(crate) fn observations(&self) -> impl Iterator<Item = &Observed> {
        self.parts.iter().filter_map(|part| part.observed.as_deref())
    }

    pub(crate) fn is_data(&self) -> bool {
        self.operations().any(|op| matches!(op, Operation::Data(_)))
    }
}
/// What a node takes away that clients of the base could rely on and that decides the order.
pub(crate) fn certain_losses<'a>(effect: &'a Effect, base: &'a Schema) -> impl Iterator<Item = &'a Capability> {
    effect.removes.iter().filter(|c| c.weight() == Weight::Certain && c.offered_by(base))
}
/// Whether the author put a node before the cutover.
pub(crate) fn word(node: &Node) -> Option<DirectiveWord> {
    node.directive.as_ref().map(|d| d.word)
}
