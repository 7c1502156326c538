//! What blue's source mentions of what a step takes away: beside the steps, and as findings. It is looked for once everything is placed.

use super::placed::Placed;
use super::saved::{self, Usage};
use crate::compat::mention::{self, FoundMentions, MOST_PLACES, Mentions, Taken, Tree};
use crate::compat::{Phase, Reliance, Watch};
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::lint;
use crate::schema::Schema;
use crate::source::{Sources, Span};
use crate::workload::Query;

/// What blue's source was found to mention.
pub(crate) struct SourceMentions<'a> {
    /// How many files were searched, and how many could not be; `None`: there is nothing to look for.
    pub(crate) searched: Option<saved::Searched>,
    /// The files with places.
    pub(crate) sources: Sources,
    /// Of each node, in the order of names.
    pub(crate) nodes: Vec<Vec<NodeMention<'a>>>,
}

/// A name that a node takes away and blue's source mentions.
pub(crate) struct NodeMention<'a> {
    taken: Taken,
    found: FoundMentions,
    shown_by: ShownBy<'a>,
}

/// What blue's queries say about it.
#[derive(Debug, Clone, Copy)]
enum ShownBy<'a> {
    /// They are not known.
    Unknown,
    /// None proves that blue uses it.
    None,
    /// This one proves it.
    Query(&'a Query),
}

/// Looks for what the nodes take away, all in one pass.
pub(super) fn find<'a>(
    nodes: &[Placed<'_>],
    base: &Schema,
    blue: Option<&'a Watch<'a>>,
    tree: &dyn Tree,
) -> SourceMentions<'a> {
    let taken: Vec<Vec<Taken>> = nodes.iter().map(|placed| mention::taken(&placed.node.effect, base)).collect();
    let names = taken.iter().flatten().map(|taken| &taken.name);
    let mentions: Mentions = mention::search(names, tree);
    let of = |taken: Taken| {
        let found = mentions.of(&taken.name)?.clone();
        let shown_by = match blue.map(|watch| watch.relies(&taken.capability)) {
            None => ShownBy::Unknown,
            Some(Reliance::Yes(query)) => ShownBy::Query(query),
            Some(Reliance::May(_) | Reliance::No) => ShownBy::None,
        };
        Some(NodeMention { taken, found, shown_by })
    };
    let searched = taken
        .iter()
        .any(|taken| !taken.is_empty())
        .then_some(saved::Searched { files: mentions.files, skipped: mentions.skipped });
    let nodes = taken.into_iter().map(|taken| taken.into_iter().filter_map(of).collect()).collect();
    SourceMentions { searched, sources: mentions.sources, nodes }
}

/// The places of some names that are shown, with the index of their name: each name gets its first before one gets its second.
fn shown(mentions: &[&NodeMention<'_>]) -> Vec<(usize, Span)> {
    let mut places: Vec<(usize, usize, Span)> = Vec::new();
    for (i, mention) in mentions.iter().enumerate() {
        places.extend(mention.found.places.iter().enumerate().map(|(rank, span)| (rank, i, *span)));
    }
    places.sort();
    places.truncate(MOST_PLACES);
    let mut shown: Vec<_> = places.into_iter().map(|(_, i, span)| (i, span)).collect();
    shown.sort();
    shown
}

impl SourceMentions<'_> {
    /// What is to be said of each step; blue's source stands `offset` files behind in the sources.
    pub(super) fn findings(
        &self,
        nodes: &[Placed<'_>],
        release: &lint::PlacedRelease<'_>,
        offset: u32,
    ) -> Vec<Diagnostic> {
        let finding = |(i, mentions): (usize, &Vec<NodeMention<'_>>)| {
            let all: Vec<&NodeMention<'_>> = mentions.iter().collect();
            let while_blue_serves = nodes[i].placement.phase == Phase::Before;
            // What blue must have and loses is an error already.
            let unproved = |m: &&NodeMention<'_>| m.taken.goes && !matches!(m.shown_by, ShownBy::Query(_));
            let risky =
                while_blue_serves && !nodes[i].requirements.blue_must() && mentions.iter().any(|m| unproved(&m));
            let severity = if risky { Severity::Warning } else { Severity::Info };
            let count: u32 = mentions.iter().map(|m| m.found.count).sum();
            let names: Vec<_> = mentions.iter().map(|m| m.taken.name.to_string()).collect();
            let when = if while_blue_serves { "while blue serves" } else { "once blue is gone" };
            let text = format!(
                "blue's source mentions what {} takes away {when}: {}, {}{}",
                release.steps[i].name(),
                list(&names),
                places(count),
                remark(mentions)
            );
            let mut found = Diagnostic::new(codes::MENTIONED_IN_SOURCE, severity, text);
            found = found.at(nodes[i].node.span(), format!("takes away: {}", mentions[0].taken.capability));
            for (name, span) in shown(&all) {
                found = found.at(span.moved(offset), format!("mentions {}", all[name].taken.name));
            }
            found.help(if risky {
                "look at these places: if blue still runs one of them, say `-- cutover: after <reason>` before the statement, or give green another name to use; if not, `-- cutover: allow(mentioned-in-source) <reason>`"
            } else {
                "look at these places before blue is called back: what they mention is gone from that step on"
            })
        };
        self.nodes.iter().enumerate().filter(|(_, mentions)| !mentions.is_empty()).map(finding).collect()
    }

    /// What stands beside a step of these nodes.
    pub(crate) fn saved(&self, group: &[usize]) -> Vec<saved::Mentioned> {
        let all: Vec<&NodeMention<'_>> = group.iter().flat_map(|node| &self.nodes[*node]).collect();
        let shown = shown(&all);
        let of = |(i, mention): (usize, &&NodeMention<'_>)| {
            let place = |span: Span| {
                let at = self.sources.line_column(span);
                let path = self.sources.path(span).to_owned();
                saved::Mention { path, line: at.line, column: at.column, text: self.sources.line(span) }
            };
            let (usage, query) = match mention.shown_by {
                ShownBy::Unknown => (Usage::Unknown, None),
                ShownBy::None => (Usage::NotShown, None),
                ShownBy::Query(query) => (Usage::Shown, Some(query.name.clone())),
            };
            saved::Mentioned {
                name: mention.taken.name.to_string(),
                capability: mention.taken.capability.to_string(),
                usage,
                query,
                count: mention.found.count,
                files: mention.found.files,
                places: shown.iter().filter(|(name, _)| *name == i).map(|(_, span)| place(*span)).collect(),
            }
        };
        all.iter().enumerate().map(of).collect()
    }
}

/// What the queries say about the names, if it matters.
fn remark(mentions: &[NodeMention<'_>]) -> &'static str {
    let unshown = mentions.iter().filter(|m| matches!(m.shown_by, ShownBy::None)).count();
    match unshown {
        0 => "",
        n if n == mentions.len() => {
            ". None of blue's queries shows that it is used: dead code, or SQL that is in no recording"
        }
        _ => ". Of some, none of blue's queries shows that they are used: dead code, or SQL that is in no recording",
    }
}

fn places(n: u32) -> String {
    if n == 1 { "at 1 place".to_owned() } else { format!("at {n} places") }
}

/// The first of many.
fn list(names: &[String]) -> String {
    const MOST: usize = 5;
    let first = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(MOST);
    if more > 0 { format!("{first} and {more} more") } else { first }
}
