//! The dependency graph: an edge u → v means v needs u to have run.

use std::collections::{BTreeMap, HashMap};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef as _;

use super::access::{Access, Key};
use crate::few::Few;

/// The nodes that must come before one, and why.
#[derive(Default)]
struct Before(BTreeMap<usize, Few<Key>>);

impl Before {
    fn add(&mut self, nodes: impl IntoIterator<Item = usize>, why: &Key) {
        for node in nodes {
            self.0.entry(node).or_default().insert(why.clone());
        }
    }
}

/// Nodes are numbered as in the files' order; edges only go forward in it and carry what both touch.
pub(crate) struct Graph {
    graph: DiGraph<(), Few<Key>>,
}

#[derive(Default)]
struct Seen {
    definition: Option<usize>,
    uses: Vec<usize>,
    precedes: Vec<usize>,
}

impl Graph {
    /// Linear in the number of accesses: a definition takes over the uses since the one before.
    pub(crate) fn build<'a>(accesses: impl IntoIterator<Item = &'a Access>) -> Self {
        let mut graph = DiGraph::new();
        let mut seen: HashMap<&Key, Seen> = HashMap::new();
        for (node, access) in accesses.into_iter().enumerate() {
            graph.add_node(());
            let mut before = Before::default();
            for key in &access.uses {
                let seen = seen.entry(key).or_default();
                before.add(seen.definition, key);
                if !access.defines.contains(key) {
                    seen.uses.push(node);
                }
            }
            for key in &access.follows {
                let seen = seen.entry(key).or_default();
                before.add(seen.definition, key);
                before.add(seen.precedes.iter().copied(), key);
                // Data statements of one table follow each other, so the first one stands for what came before.
                if matches!(key, Key::Loosened(..)) {
                    seen.precedes.clear();
                }
            }
            for key in &access.defines {
                let seen = seen.entry(key).or_default();
                before.add(seen.definition.replace(node), key);
                before.add(seen.uses.drain(..), key);
            }
            for key in access.extends.difference(&access.defines) {
                let seen = seen.entry(key).or_default();
                before.add(seen.definition.replace(node), key);
            }
            for key in &access.precedes {
                seen.entry(key).or_default().precedes.push(node);
            }
            for (earlier, keys) in before.0.into_iter().filter(|(earlier, _)| *earlier != node) {
                graph.add_edge(NodeIndex::new(earlier), NodeIndex::new(node), keys);
            }
        }
        Self { graph }
    }

    /// What a node needs directly.
    pub(crate) fn needs(&self, node: usize) -> impl Iterator<Item = usize> {
        self.graph.neighbors_directed(NodeIndex::new(node), Direction::Incoming).map(NodeIndex::index)
    }

    /// What a node needs directly, and what both touch.
    pub(crate) fn reasons(&self, node: usize) -> impl Iterator<Item = (usize, &Few<Key>)> {
        let edges = self.graph.edges_directed(NodeIndex::new(node), Direction::Incoming);
        edges.map(|edge| (edge.source().index(), edge.weight()))
    }

    /// A shortest chain from one node to another, both included.
    pub(crate) fn chain(&self, from: usize, to: usize) -> Vec<usize> {
        let (from, to) = (NodeIndex::new(from), NodeIndex::new(to));
        let path = petgraph::algo::astar(&self.graph, from, |n| n == to, |_| 1_u32, |_| 0);
        path.map(|(_, nodes)| nodes.into_iter().map(NodeIndex::index).collect()).unwrap_or_default()
    }
}
