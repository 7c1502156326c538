//! Data statements that run once more behind the cutover.

use super::node::Node;
use super::placed::Placed;
use super::saved::Phase;
use crate::compat::{App, Evidence};
use crate::schema::{QName, Schema};
use crate::sql::Operation;
use crate::sql::operation::Ident;

/// Backfills that run again once blue is drained, for the rows it wrote until then: those that change nothing twice, on tables that blue
/// writes without the new column, unless a trigger of the release keeps both in step. What they read must still be there, and must hold what
/// it would hold if it were filled then.
pub(super) fn second_passes(placed: &[Placed<'_>], base: &Schema, overlap: &Schema, blue: App<'_>) -> Vec<usize> {
    let nodes = || placed.iter().map(|placed| &placed.node);
    // A trigger that names the column keeps both forms in step.
    let filled = |table: &QName, column: &Ident| {
        nodes().flat_map(|node| node.operations().map(move |op| (node, op))).any(|(node, op)| match op {
            Operation::CreateTrigger { table: on, function, firing, .. } => {
                let function = function.as_ref().map(|function| node.before.resolve_function(function));
                let names = |column: &Ident| {
                    let known = |name| node.before.functions(name).iter().any(|f| f.mentions.contains(column));
                    function.as_ref().is_none_or(known)
                };
                node.before.resolve(on) == *table && names(column) && blue.sets_off(table, *firing, names)
            }
            _ => false,
        })
    };
    let wanted = |node: &Node| {
        node.operations().any(|op| {
            let Operation::Data(data) = op else { return false };
            let Some(table) = data.table.as_ref().map(|t| node.before.resolve(t)) else { return false };
            data.repeatable
                && base.relation(&table).is_some()
                && data.writes.iter().any(|column| !filled(&table, column) && blue.leaves_out_or_writes(&table, column))
        })
    };
    let before = |i: &usize| placed[*i].placement.phase == Phase::Before;
    let stale = |relation: &QName| {
        base.relation(relation).is_none()
            && nodes().flat_map(|node| node.parts.iter().map(move |part| (part, node))).any(|(part, node)| {
                let Operation::Data(data) = &part.operation else { return false };
                let fills = data.table.as_ref().is_some_and(|table| node.before.resolve(table) == *relation);
                let from_blue =
                    |read: &QName| base.relation(read).is_some() && !matches!(blue.writes(read), Evidence::None);
                fills && data.query.reads.iter().map(|read| node.before.resolve(read)).any(|read| from_blue(&read))
            })
    };
    let again = |i: &usize| {
        let node = &placed[*i].node;
        node.parts.iter().all(|part| {
            let Operation::Data(data) = &part.operation else { return false };
            let reads = data.query.reads.iter().map(|read| node.before.resolve(read));
            let runs = part.refused_on(overlap).is_none() && !part.repeats_key_on(overlap);
            part.command.is_some() && runs && !reads.into_iter().any(|read| stale(&read))
        })
    };
    (0..placed.len()).filter(before).filter(|i| wanted(&placed[*i].node)).filter(again).collect()
}
