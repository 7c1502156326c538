//! Placement: a phase for every node, so that phase(u) ≤ phase(v) along every edge u → v.

use super::graph::Graph;
use super::node::{self, Node};
use super::placed::{Judged, Placement, Reason};
use super::saved::{Direction, Phase};
use crate::compat::Requirements;
use crate::effect::Weight;
use crate::sql::DirectiveWord;
use crate::sql::operation::Operation;

/// What cannot be placed.
#[derive(Debug, Clone)]
pub(crate) enum PlacementConflict {
    /// The node takes from blue what it relies on and gives green what it needs.
    Itself(usize),
    /// `before` must be before and stands on `after`, which blue does not survive.
    Chain { before: usize, after: usize },
    /// Not understood, and nobody has said where it belongs.
    Opaque(usize),
    /// Green needs it, and has traffic already.
    TooLate(usize),
}

/// Places all nodes. Conflicts are placed too, so that the plan can be shown. `open`: whether anything may still run before the cutover.
pub(super) fn place(nodes: &[Judged<'_>], graph: &Graph, open: bool) -> (Vec<Placement>, Vec<PlacementConflict>) {
    let mut conflicts = Vec::new();
    let mut wants: Vec<Want> = nodes.iter().map(|judged| want(&judged.node, &judged.requirements)).collect();
    if !open {
        for (i, want) in wants.iter_mut().enumerate().filter(|(i, _)| nodes[*i].node.ran.is_none()) {
            if want.must.replace(Phase::After) == Some(Phase::Before) {
                conflicts.push(PlacementConflict::TooLate(i));
            }
        }
    }
    for (i, want) in wants.iter().enumerate() {
        if want.unplaceable {
            conflicts.push(if nodes[i].node.is_opaque() {
                PlacementConflict::Opaque(i)
            } else {
                PlacementConflict::Itself(i)
            });
        }
    }
    // What must be before draws everything it stands on with it.
    let mut drawn: Vec<Option<usize>> = vec![None; nodes.len()];
    for i in (0..nodes.len()).rev() {
        let source = if wants[i].must == Some(Phase::Before) { Some(i) } else { drawn[i] };
        let Some(source) = source else { continue };
        for earlier in graph.needs(i) {
            if wants[earlier].must == Some(Phase::After) {
                conflicts.push(PlacementConflict::Chain { before: source, after: earlier });
            } else if drawn[earlier].is_none() {
                drawn[earlier] = Some(source);
            }
        }
    }
    let mut placed: Vec<Placement> = Vec::with_capacity(nodes.len());
    for (i, want) in wants.iter().enumerate() {
        let held = graph.needs(i).find(|earlier| placed[*earlier].phase == Phase::After);
        let (phase, reason) = match (want.must, drawn[i], held) {
            (Some(phase), _, _) if nodes[i].node.ran.is_some() => (phase, Reason::Ran),
            (Some(phase), _, _) if want.author => (phase, Reason::Author),
            (Some(phase), _, _) => (phase, Reason::Own),
            (None, Some(later), _) => (Phase::Before, Reason::NeededBy(later)),
            (None, None, Some(earlier)) => (Phase::After, Reason::Follows(earlier)),
            (None, None, None) => (want.prefers, if want.author { Reason::Author } else { Reason::Own }),
        };
        placed.push(Placement { phase, direction: want.direction, reason });
    }
    conflicts.sort_by_key(|conflict| match conflict {
        PlacementConflict::Itself(i)
        | PlacementConflict::Opaque(i)
        | PlacementConflict::TooLate(i)
        | PlacementConflict::Chain { before: i, .. } => *i,
    });
    (placed, conflicts)
}

struct Want {
    must: Option<Phase>,
    prefers: Phase,
    direction: Direction,
    author: bool,
    unplaceable: bool,
}

fn want(node: &Node, requirements: &Requirements<'_>) -> Want {
    let direction = direction(node, requirements);
    let own = |must, prefers, unplaceable| Want { must, prefers, direction, author: false, unplaceable };
    if let Some(phase) = node.ran {
        return own(Some(phase), phase, false);
    }
    match node::word(node) {
        Some(DirectiveWord::Before) => {
            return Want { author: true, ..own(Some(Phase::Before), Phase::Before, false) };
        }
        Some(DirectiveWord::After) => return Want { author: true, ..own(Some(Phase::After), Phase::After, false) },
        Some(DirectiveWord::Neutral) => return Want { author: true, ..own(None, Phase::Before, false) },
        None => {}
    }
    if node.is_opaque() {
        return own(None, Phase::After, true);
    }
    match (requirements.blue_must(), requirements.green_must()) {
        (true, true) => own(Some(Phase::After), Phase::After, true),
        (true, false) => own(Some(Phase::After), Phase::After, false),
        (false, true) => own(Some(Phase::Before), Phase::Before, false),
        (false, false) => {
            let destructive = node.operations().any(|op| matches!(op, Operation::Data(data) if data.deletes));
            // What green may be refused counts for more than what blue merely prefers.
            let freed = requirements
                .green
                .as_ref()
                .is_some_and(|requirement| requirement.query.is_some() && requirement.capability.is_freedom());
            let later = requirements.blue.is_some() && !freed || destructive;
            own(None, if later { Phase::After } else { Phase::Before }, false)
        }
    }
}

fn direction(node: &Node, requirements: &Requirements<'_>) -> Direction {
    if node.is_opaque() {
        return Direction::Opaque;
    }
    match (requirements.blue_must(), requirements.green_must()) {
        (true, true) => Direction::Incompatible,
        (true, false) => Direction::Deletive,
        (false, true) => Direction::Additive,
        (false, false) if requirements.blue.is_some() => Direction::Deletive,
        (false, false) if requirements.green.is_some() => Direction::Additive,
        (false, false) if node.is_data() => Direction::Data,
        (false, false) if node.effect.adds.iter().any(|c| c.weight() != Weight::Conditional) => Direction::Additive,
        (false, false) => Direction::Neutral,
    }
}
