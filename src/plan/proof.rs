//! The proof of a plan: its order ends in the files' own schema, and no step before the cutover takes what blue relies on.

use super::node::Node;
use super::part::Part;
use super::placed::Placed;
use super::refused;
use super::saved::Phase;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::codes;
use crate::schema::{Applied, Problem, Schema};
use crate::source::Sources;

/// The schemas of the plan's order, and what is wrong with it.
pub(crate) struct Proof {
    pub(crate) overlap: Schema,
    /// The schema after each step, in the plan's order: the node and the schema. Empty if they were not to be kept.
    pub(crate) states: Vec<(usize, Schema)>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Replays the plan's order, from the first schema to the last. `keep_states`: whether anybody asks for the schemas on the way.
pub(super) fn prove(
    nodes: &[Placed<'_>],
    (base, last): (&Schema, &Schema),
    sources: &Sources,
    keep_states: bool,
) -> Proof {
    let mut diagnostics = Vec::new();
    let mut states = Vec::new();
    let mut run = |start: &Schema, phase: Phase, diagnostics: &mut Vec<Diagnostic>| {
        let mut schema = start.clone();
        for (i, node) in nodes.iter().enumerate().filter(|(_, placed)| placed.placement.phase == phase) {
            let Placed { node, requirements, .. } = node;
            schema = schema.searched_like(&node.before);
            // As long as nothing was left out, the files' own order is what is replayed, and its schemas are there.
            let replayed = !schema.is(&node.before);
            if !replayed {
                schema = node.after.clone();
            }
            for part in node.parts.iter().filter(|_| replayed) {
                let why;
                (schema, why) = run_part(part, node, schema, sources);
                if !why.is_empty() {
                    let why = why.join("; ");
                    diagnostics.push(
                        Diagnostic::error(codes::REORDER_UNPROVED, format!("in the plan's order, {why}"))
                            .at(part.span, "this step would fail")
                            .help("say where the statements belong with `-- cutover: before|after <reason>`"),
                    );
                }
            }
            schema = schema.without_temporary();
            if keep_states {
                states.push((i, schema.clone()));
            }
            if phase == Phase::Before
                && node.directive.is_none()
                && requirements.blue_must()
                && let Some(requirement) = &requirements.blue
            {
                diagnostics.push(
                    Diagnostic::error(codes::BLUE_BREAKS, format!("blue relies on this: {}", requirement.capability))
                        .at(node.span(), "taken away before the cutover"),
                );
            }
        }
        schema
    };
    let overlap = run(base, Phase::Before, &mut diagnostics);
    let end = run(&overlap, Phase::After, &mut diagnostics);
    let differences = last.differences(&end);
    if !differences.is_empty() {
        let shown: Vec<_> = differences.iter().take(8).map(String::as_str).collect();
        let label = nodes.iter().find(|placed| placed.placement.phase == Phase::After).map(|placed| placed.node.span());
        let mut diagnostic = Diagnostic::error(
            codes::REORDER_UNPROVED,
            format!("the plan's order does not end in the schema of the files' order:\n{}", shown.join("\n")),
        );
        if let Some(span) = label {
            diagnostic = diagnostic.at(span, "the first step that moves behind the cutover");
        }
        diagnostics.push(diagnostic.help(
            "`-` is in the files' schema only, `+` in the plan's only; say where the statements belong with `-- cutover: before|after <reason>`",
        ));
    }
    Proof { overlap, states, diagnostics }
}

/// The schema after a part in the plan's order, and why it would fail there and not in the files' order.
fn run_part(part: &Part, node: &Node, schema: Schema, sources: &Sources) -> (Schema, Vec<String>) {
    if node.parts.len() > 1 {
        return (part.applied(schema).schema, Vec::new());
    }
    let mut refused = Vec::new();
    // A data statement, or an expression that is kept, that the files' order allows and the plan's does not.
    if !part.refused {
        refused.extend(part.refused_on(&schema).map(|refusal| refusal.message));
    }
    if refused::refused_rows(part, &node.before).is_none() {
        refused.extend(refused::refused_rows(part, &schema));
    }
    let text = sources.slice(part.span);
    if refused::refused_run(part, text, &node.before).is_none() {
        refused.extend(refused::refused_run(part, text, &schema));
    }
    let Applied { schema, problems, .. } = part.applied(schema);
    let fails = |problem: &&Problem| !matches!(problem, Problem::Skipped(_));
    let mut why: Vec<String> = problems.iter().filter(fails).map(ToString::to_string).collect();
    // A name that the files' order knew and the plan's does not.
    if !why.is_empty() && part.apply(&node.before).problems.iter().any(|problem| fails(&problem)) {
        why.clear();
    }
    why.extend(refused);
    (schema, why)
}
