//! A placed release as the rules see it, and what is to be said where nothing can be placed.

use super::graph::Graph;
use super::manner::Manner;
use super::node::Node;
use super::place::PlacementConflict;
use super::placed::Placed;
use super::placed::Reason;
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::effect::Capability;
use crate::lint::{PlacedPart, PlacedStep, Placing};
use crate::sql::operation::{ConstraintKind, Operation, TableChange};

/// The steps as rules see them.
pub(super) fn steps<'a>(nodes: &'a [Placed<'a>], conflicts: &[PlacementConflict]) -> Vec<PlacedStep<'a>> {
    let conflicted = |i: usize| {
        conflicts
            .iter()
            .any(|c| matches!(c, PlacementConflict::Itself(n) | PlacementConflict::Opaque(n) | PlacementConflict::TooLate(n) if *n == i))
    };
    let step = |(i, placed): (usize, &'a Placed<'a>)| {
        let Placed { node, requirements, placement, again, .. } = placed;
        PlacedStep {
            parts: node
                .parts
                .iter()
                .map(|part| PlacedPart {
                    operation: &part.operation,
                    span: part.span,
                    statement: part.statement,
                    hazard: &part.hazard,
                })
                .collect(),
            span: node.span(),
            effect: &node.effect,
            requirements,
            phase: placement.phase,
            placing: match placement.reason {
                _ if conflicted(i) => Placing::Conflict,
                Reason::Author | Reason::Ran => Placing::Author,
                Reason::Own | Reason::Follows(_) | Reason::NeededBy(_) => Placing::Planner,
            },
            directive: node.directive.as_ref(),
            before: &node.before,
            in_batches: matches!(node.manner, Some(Manner::Backfill { .. })),
            again: *again,
        }
    };
    nodes.iter().enumerate().map(step).collect()
}

/// The conflicts, those of one step that stands on several others as one: with how many more.
pub(crate) fn by_cause(conflicts: &[PlacementConflict]) -> Vec<(&PlacementConflict, usize)> {
    let mut found: Vec<(&PlacementConflict, usize)> = Vec::new();
    for conflict in conflicts {
        let same = |other: &&mut (&PlacementConflict, usize)| match (other.0, conflict) {
            (PlacementConflict::Chain { before: one, .. }, PlacementConflict::Chain { before: other, .. }) => {
                one == other
            }
            _ => false,
        };
        match found.iter_mut().find(same) {
            Some((_, more)) => *more += 1,
            None => found.push((conflict, 0)),
        }
    }
    found
}

/// Conflicts in their release.
pub(super) struct Conflicts<'a> {
    pub(super) nodes: &'a [Placed<'a>],
    pub(crate) graph: &'a Graph,
    pub(crate) release: &'a crate::lint::PlacedRelease<'a>,
}

impl Conflicts<'_> {
    fn name(&self, node: usize) -> String {
        self.release.steps[node].name()
    }

    /// `more`: what else the step stands on that blue does not survive.
    pub(crate) fn finding(&self, conflict: &PlacementConflict, more: usize) -> Diagnostic {
        match conflict {
            PlacementConflict::Opaque(i) => {
                Diagnostic::error(codes::OPAQUE, format!("what {} does cannot be known from its text", self.what(*i)))
                    .at(self.nodes[*i].node.span(), "not understood")
                    .help("say where it belongs, on the line before it: `-- cutover: before|after|neutral <reason>`")
            }
            PlacementConflict::Itself(i) => {
                let requirements = self.release.steps[*i].requirements;
                let span = self.nodes[*i].node.span();
                let mut text = format!("no single moment is right for {}", self.name(*i));
                let mut diagnostic = Diagnostic::error(codes::INCOMPATIBLE, String::new());
                if let (Some(blue), Some(green)) = (&requirements.blue, &requirements.green) {
                    text.push_str(&format!(
                        ": before the cutover it breaks blue ({}), after it green waits for it ({}){}",
                        blue.capability,
                        green.capability,
                        self.release.assumption()
                    ));
                    diagnostic = diagnostic.at(span, "takes from blue and gives to green at once");
                    diagnostic = self.release.label(diagnostic, blue);
                    diagnostic = self.release.label(diagnostic, green);
                }
                diagnostic.message = text;
                let counted = requirements
                    .blue
                    .as_ref()
                    .filter(|p| matches!(p.capability, Capability::Width(_) | Capability::Bare { .. }));
                diagnostic.help(match counted {
                    Some(_) => {
                        "name the columns in blue's query with their tables instead of `*` or bare names, and release that first".to_owned()
                    }
                    None => way_out(&self.nodes[*i].node),
                })
            }
            PlacementConflict::TooLate(i) => Diagnostic::error(
                codes::ALREADY_RUN,
                format!("{} must run before the cutover, and the phase before the cutover is over", self.name(*i)),
            )
            .at(self.nodes[*i].node.span(), "too late for this")
            .help("go back to blue first (`cutover rollback`), then plan again; or leave it for the next release"),
            PlacementConflict::Chain { before, after } => {
                let chain = self.graph.chain(*after, *before);
                let names: Vec<_> = chain.iter().map(|n| self.name(*n)).collect();
                let mut diagnostic = Diagnostic::error(
                    codes::ORDER_CONFLICT,
                    format!(
                        "green needs {} before the cutover, but it depends on {}, which blue does not survive{}{}",
                        self.name(*before),
                        self.name(*after),
                        match more {
                            0 => String::new(),
                            1 => "; so does one more step".to_owned(),
                            n => format!("; so do {n} more steps"),
                        },
                        self.release.assumption()
                    ),
                )
                .at(self.nodes[*before].node.span(), "green needs this before the cutover")
                .at(self.nodes[*after].node.span(), "blue needs this undone until it is drained");
                if let Some(blue) = &self.release.steps[*after].requirements.blue {
                    diagnostic = self.release.label(diagnostic, blue);
                }
                if let Some(green) = &self.release.steps[*before].requirements.green {
                    diagnostic = self.release.label(diagnostic, green);
                }
                diagnostic.help(format!(
                    "the chain is {}; give the new thing another name, or release in two steps",
                    names.join(" → ")
                ))
            }
        }
    }

    /// What was placed by what it was seen to do, and what was seen and is not enough.
    pub(crate) fn observed(&self, node: usize, server: &str) -> Option<Diagnostic> {
        let placed = self.release.steps[node].placing != Placing::Author;
        let observed = self.nodes[node].node.observations().next().filter(|_| placed)?;
        if let Some(unsure) = &observed.unsure {
            let text = format!("{} was run on {server}, and that is not enough to place it: {unsure}", self.what(node));
            return Some(
                Diagnostic::new(codes::OBSERVED, Severity::Info, text).at(self.nodes[node].node.span(), "observed"),
            );
        }
        let text = format!("{} is placed by what it was seen to do on {server}", self.what(node));
        let at = |diagnostic: Diagnostic| diagnostic.at(self.nodes[node].node.span(), "observed");
        if observed.reads.is_empty() {
            return Some(at(Diagnostic::new(
                codes::OBSERVED,
                Severity::Info,
                format!("{text}, where it read no rows"),
            )));
        }
        let reads: Vec<_> = observed.reads.iter().map(ToString::to_string).collect();
        let text =
            format!("{text}; it reads {}, so with the rows of production it may do something else", reads.join(", "));
        Some(at(Diagnostic::warning(codes::OBSERVED, text)).help(
            "if it decides nothing by these rows, all is well; otherwise say where it belongs: `-- cutover: before|after|neutral <reason>`",
        ))
    }

    fn what(&self, node: usize) -> String {
        match self.nodes[node].node.operations().next() {
            Some(Operation::Opaque { what, .. }) => format!("this {what}"),
            Some(Operation::DropExtension { .. }) => "this DROP EXTENSION … CASCADE".to_owned(),
            Some(Operation::Query { calls, .. }) => {
                let names: Vec<_> = calls.iter().map(ToString::to_string).collect();
                format!("this call of {}", names.join(", "))
            }
            _ => "this statement".to_owned(),
        }
    }
}

/// What to write instead of an incompatible statement.
fn way_out(node: &Node) -> String {
    let Some(operation) = node.operations().next() else { return String::new() };
    match operation {
        Operation::AlterTable { table, change, .. } => match change {
            TableChange::RenameColumn { from, to } => format!(
                "in this release: ADD COLUMN {to}, a trigger on {table} that keeps {from} and {to} in sync, and UPDATE {table} SET {to} = {from}; in this release too, once blue is drained: DROP COLUMN {from}"
            ),
            TableChange::SetType { column, data_type, .. } => format!(
                "add {table}.{column}_new of type {data_type} with a trigger that keeps it in sync, fill it, let green use it, and drop {column} after the cutover"
            ),
            TableChange::AddColumn { column, .. } => format!(
                "give {table}.{} a DEFAULT so that blue's INSERT may leave it out, or add it without NOT NULL, fill it, and SET NOT NULL after the cutover",
                column.name
            ),
            TableChange::AddConstraint(definition) if matches!(definition.kind, ConstraintKind::Unique { .. }) => {
                format!(
                    "if blue's rows cannot collide, say so: `-- cutover: before <reason>`; otherwise let green upsert into {table} one release later"
                )
            }
            _ => "split it over two releases, or say where it belongs with `-- cutover: before|after <reason>`"
                .to_owned(),
        },
        Operation::RenameRelation { name, to, .. } => format!(
            "rename and keep the old name alive in one file: ALTER TABLE {name} RENAME TO {to}; CREATE VIEW {name} AS SELECT … FROM {to}; and DROP VIEW {name} in a file that stands after it"
        ),
        Operation::CreateIndex(index) => format!(
            "if blue's rows cannot collide, say so: `-- cutover: before <reason>`; otherwise let green upsert into {} one release later",
            index.table
        ),
        Operation::RenameEnumLabel { name, from, to } => {
            format!("ALTER TYPE {name} ADD VALUE '{to}', move the rows, and leave '{from}' unused")
        }
        _ => "split it over two releases, or say where it belongs with `-- cutover: before|after <reason>`".to_owned(),
    }
}
