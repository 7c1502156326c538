//! What the planner knows, stage by stage: read → judged → placed → proved. Each stage is a value that owns what belongs together.

use super::access::{self, Access};
use super::begun::Segment;
use super::collect;
use super::graph::Graph;
use super::node::{GeneratedSql, Node};
use super::place::{self, PlacementConflict};
use super::placed::{Judged, Placed};
use super::proof::{self, Proof};
use super::saved::Phase;
use super::{Begun, Request, again, untold};
use crate::compat::{App, Requirements, Watch, requirements};
use crate::diagnostic::Diagnostic;
use crate::effect::Effect;
use crate::parallel;
use crate::rewrite;
use crate::schema::Schema;
use crate::shared::Shared;
use crate::sql::{Allow, ReadFile};

/// What was read: the schemas that the release leads from and to, and what was to be said on the way.
pub(super) struct Ends<'a> {
    pub(super) request: Request<'a>,
    /// The schema before the release.
    pub(super) base: Schema,
    /// The schema at the end of the files' order.
    pub(super) last: Schema,
    /// Whether all that made it could be read.
    pub(super) last_is_certain: bool,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What the author allows.
    pub(super) allows: Vec<Allow>,
    /// How many statements there are.
    pub(super) statements: usize,
}

/// The queries of both versions, each on the schema of its own version.
pub(super) struct Watches<'a> {
    blue: Option<Watch<'a>>,
    green: Option<Watch<'a>>,
}

/// A release whose nodes have their places, and whose order was replayed.
pub(super) struct Proved<'a> {
    /// In the files' order.
    pub(super) nodes: Vec<Placed<'a>>,
    /// What needs what.
    pub(super) graph: Graph,
    pub(super) conflicts: Vec<PlacementConflict>,
    /// The schema between the phases.
    pub(super) overlap: Schema,
    /// The schema after each node, in the plan's order; empty where no queries ask for it.
    pub(super) states: Vec<(usize, Schema)>,
    /// What the replay found wrong.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'a> Ends<'a> {
    /// Reads the migrations, and makes the nodes of the pending ones.
    pub(super) fn read(request: Request<'a>) -> (Self, Vec<Shared<Node>>) {
        let base_files = request.files_of_base();
        // All at once: a few pending files behind many would not be enough to share between the processors.
        let mut base = collect::read(request.folder, base_files.iter().chain(&request.pending.pending));
        let pending = base.split_off(base_files.len());
        Self::of(request, base, pending)
    }

    /// The same of files that were read.
    pub(super) fn of(
        mut request: Request<'a>,
        read: Vec<ReadFile>,
        pending: Vec<ReadFile>,
    ) -> (Self, Vec<Shared<Node>>) {
        let (folder, base_files) = (request.folder, request.files_of_base());
        let base = request.base.cloned().unwrap_or_else(|| {
            let (schema, certain) = collect::replay_read(folder, base_files, &read);
            request.base_is_uncertain |= !certain;
            schema
        });
        let base = base.followed();
        let untold = untold::findings(folder, base_files, &read);
        drop(read);
        let (pending, whole, misfit) = match request.begun {
            None => (Segment::of_files(pending), None, Vec::new()),
            Some(begun) => {
                let (segments, misfit) = begun.segments(folder, &request.pending.pending, pending);
                let whole = collect::collect(&request, Segment::in_order_of_files(&segments), &base).last;
                (segments, Some(whole), misfit)
            }
        };
        let collect::Nodes { nodes, last, certain, mut diagnostics, allows, statements } =
            collect::collect(&request, pending, &base);
        diagnostics.extend(untold);
        // What is missing is told, and not what follows from it.
        let otherwise = whole.filter(|_| misfit.is_empty()).and_then(|whole| Begun::ends_otherwise(&whole, &last));
        diagnostics.extend(misfit.into_iter().chain(otherwise));
        (Self { request, base, last, last_is_certain: certain, diagnostics, allows, statements }, nodes)
    }
}

impl<'a> Watches<'a> {
    pub(super) fn of(ends: &'a Ends<'a>) -> Self {
        let Ends { request, base, last, .. } = ends;
        Self {
            blue: request.blue.map(|workload| Watch::new(workload, base)),
            green: request.green.map(|workload| Watch::new(workload, last)),
        }
    }

    pub(super) fn blue(&'a self, ends: &'a Ends<'a>) -> App<'a> {
        App { watch: self.blue.as_ref(), schema: &ends.base, assume: ends.request.assume }
    }

    pub(super) fn green(&'a self, ends: &'a Ends<'a>) -> App<'a> {
        App { watch: self.green.as_ref(), schema: &ends.last, assume: ends.request.assume }
    }
}

impl<'a> Proved<'a> {
    /// Judges nodes by what both versions rely on, places them, and replays the order that comes of it.
    pub(super) fn of(nodes: Vec<Shared<Node>>, ends: &'a Ends<'a>, watches: &'a Watches<'a>) -> Self {
        let (blue, green) = (watches.blue(ends), watches.green(ends));
        let judged = judged(nodes, ends, blue, green);
        let graph = Graph::build(judged.iter().map(|judged| &judged.access));
        let open = ends.request.begun.is_none_or(|begun| begun.open);
        let (placements, conflicts) = place::place(&judged, &graph, open);
        let placed = judged.into_iter().zip(placements).map(|(judged, placement)| {
            let Judged { node, requirements, access } = judged;
            Placed { node, requirements, access, placement, again: false }
        });
        let mut nodes: Vec<Placed<'a>> = placed.collect();
        let watched = blue.watch.is_some() || green.watch.is_some();
        let Proof { overlap, states, mut diagnostics } =
            proof::prove(&nodes, (&ends.base, &ends.last), &ends.request.folder.sources, watched);
        if ends.request.begun.is_some() {
            diagnostics.extend(Begun::out_of_order(&nodes, &graph));
        }
        for node in again::second_passes(&nodes, &ends.base, &overlap, blue) {
            nodes[node].again = true;
        }
        Self { nodes, graph, conflicts, overlap, states, diagnostics }
    }
}

/// The nodes with their requirements and accesses. What no single moment is right for becomes two nodes that have one, where a recipe fits.
fn judged<'a>(nodes: Vec<Shared<Node>>, ends: &'a Ends<'a>, blue: App<'a>, green: App<'a>) -> Vec<Judged<'a>> {
    const FEW: usize = 24;
    let requirements_of =
        |node: &Node| requirements(&node.effect, (blue, green), (&ends.base, &node.before, &node.after, &ends.last));
    let sources = &ends.request.folder.sources;
    let judge = |node: &Node| {
        let requirements = requirements_of(node);
        // Hardly any is, and two nodes are large.
        let mut split = split(node, &ends.base, &requirements, &requirements_of).map(Box::new);
        if let (Some(begun), Some(split)) = (ends.request.begun, &mut split) {
            let before = &mut split.0.0;
            before.ran = before.written.as_ref().filter(|written| begun.wrote(&written.sql)).map(|_| Phase::Before);
        }
        let access = if split.is_none() { access::of(node, sources) } else { Access::default() };
        (requirements, access, split)
    };
    let looked = parallel::map(&nodes, FEW, |node| judge(node));
    let mut judged = Vec::with_capacity(nodes.len());
    judged.extend(nodes.into_iter().zip(looked).flat_map(|(node, (requirements, access, split))| match split {
        None => vec![Judged { node, requirements, access }],
        Some(split) => {
            let (before, after) = *split;
            [before, after]
                .map(|(node, requirements)| Judged {
                    access: access::of(&node, sources),
                    node: node.into(),
                    requirements,
                })
                .into()
        }
    }));
    judged
}

fn split<'a>(
    node: &Node,
    base: &Schema,
    requirements: &Requirements<'a>,
    requirements_of: &impl Fn(&Node) -> Requirements<'a>,
) -> Option<((Node, Requirements<'a>), (Node, Requirements<'a>))> {
    let [part] = node.parts.as_slice() else { return None };
    if node.directive.is_some() || node.ran.is_some() || !requirements.blue_must() || !requirements.green_must() {
        return None;
    }
    let (operation, sql) = rewrite::drop_required_column(&part.operation, &node.before, base)?;
    let loosened = node.before.apply(&operation);
    let mut before = node.clone();
    before.effect = Effect::of(&operation, &node.before, &loosened);
    before.written = Some(GeneratedSql { recipe: "drop-required-column", sql });
    before.parts[0].operation = operation;
    let mut after = node.clone();
    let dropped = loosened.schema.apply(&part.operation);
    after.effect = Effect::of(&part.operation, &loosened.schema, &dropped);
    after.before = loosened.schema;
    before.after = after.before.clone();
    after.after = dropped.schema;
    let of_after = requirements_of(&after);
    let of_before = requirements_of(&before);
    (!of_after.green_must()).then_some(((before, of_before), (after, of_after)))
}
