//! What is to be said about a proved release.

use super::mentions::{self, SourceMentions};
use super::stages::{Ends, Proved, Watches};
use super::{findings, matrix, place};
use crate::diagnostic::Diagnostic;
use crate::lint::{self, Allowed, Application};
use crate::side::Side;
use crate::source::Sources;
use crate::stats::Weighing;

/// What is to be said, and what it is said with.
pub(super) struct Said<'a> {
    /// By place; what the author allows is left out.
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) allowed: Vec<Allowed>,
    /// The migrations, then blue's queries, then green's, then the files of blue's source that mention what is taken away.
    pub(super) sources: Sources,
    /// What production holds and is asked.
    pub(super) weighing: Option<Weighing>,
    /// What blue's source mentions.
    pub(super) mentioned: Option<SourceMentions<'a>>,
}

impl<'a> Said<'a> {
    pub(super) fn of(ends: &'a Ends<'a>, watches: &'a Watches<'a>, proved: &Proved<'a>) -> Self {
        let Ends { request, base, last, .. } = ends;
        let Proved { nodes, conflicts, .. } = proved;
        let folder = request.folder;
        let (blue, green) = (watches.blue(ends), watches.green(ends));
        let mut sources = folder.sources.clone();
        let blue_offset = request.blue.map_or(0, |w| sources.append(&w.sources));
        let green_offset = request.green.map_or(0, |w| sources.append(&w.sources));
        let mentioned = request.blue_source.map(|tree| mentions::find(nodes, base, blue.watch, tree));
        let source_offset = mentioned.as_ref().map_or(0, |mentioned| sources.append(&mentioned.sources));
        let server = request.observed.map_or("", |observed| &*observed.server);
        let weighing = request.weighing.map(|weighing| weighing.clone().on(request.version));
        let release = lint::PlacedRelease {
            steps: findings::steps(nodes, conflicts),
            base,
            last,
            blue: Application { side: Side::Blue, app: blue, offset: blue_offset },
            green: Application { side: Side::Green, app: green, offset: green_offset },
            sources: &folder.sources,
            convention: folder.convention,
            weighing: weighing.as_ref(),
        };
        let mut diagnostics = ends.diagnostics.clone();
        let refusals = findings::Conflicts { nodes, graph: &proved.graph, release: &release };
        // Of what is not known, its own finding tells.
        let told = |conflict: &&place::PlacementConflict| !matches!(conflict, place::PlacementConflict::Opaque(i) if nodes[*i].node.unknown);
        diagnostics.extend(
            findings::by_cause(conflicts)
                .into_iter()
                .filter(|(c, _)| told(c))
                .map(|(conflict, more)| refusals.finding(conflict, more)),
        );
        if request.observed.is_some() {
            diagnostics.extend((0..nodes.len()).filter_map(|node| refusals.observed(node, server)));
        }
        diagnostics.extend(release.findings());
        if let Some(mentioned) = &mentioned {
            diagnostics.extend(mentioned.findings(nodes, &release, source_offset));
        }
        // A plan that is refused already needs no proof.
        let refused = !conflicts.is_empty() || !proved.diagnostics.is_empty();
        if conflicts.is_empty() {
            diagnostics.extend(proved.diagnostics.iter().cloned());
        }
        let breaks = matrix::findings(&matrix::Input {
            nodes,
            base,
            blue: blue.watch,
            green: green.watch,
            offsets: (blue_offset, green_offset),
            states: &proved.states,
            said: &diagnostics,
            refused,
        });
        diagnostics.extend(breaks);
        drop(release);
        let (mut diagnostics, allowed) = lint::suppress(diagnostics, &ends.allows);
        diagnostics.sort_by_key(|d| (d.span().map(|s| (s.file, s.start)), std::cmp::Reverse(d.severity)));
        Self { diagnostics, allowed, sources, weighing, mentioned }
    }
}
