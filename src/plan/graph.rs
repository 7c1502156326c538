//! The dependency graph: an edge u → v means v needs u to have run.

use std::collections::{BTreeSet, HashMap};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use super::access::{Access, Key};

/// Nodes are numbered as in the files' order; edges only go forward in it.
pub(crate) struct Graph {
    graph: DiGraph<(), ()>,
}

#[derive(Default)]
struct Seen {
    definition: Option<usize>,
    uses: Vec<usize>,
    precedes: Vec<usize>,
}

impl Graph {
    /// Linear in the number of accesses: a definition takes over the uses since the one before.
    pub(crate) fn build(accesses: &[Access]) -> Self {
        let mut graph = DiGraph::with_capacity(accesses.len(), accesses.len());
        for _ in accesses {
            graph.add_node(());
        }
        let mut seen: HashMap<&Key, Seen> = HashMap::new();
        for (node, access) in accesses.iter().enumerate() {
            let mut before = BTreeSet::new();
            for key in &access.uses {
                let seen = seen.entry(key).or_default();
                before.extend(seen.definition);
                if !access.defines.contains(key) {
                    seen.uses.push(node);
                }
            }
            for key in &access.follows {
                let seen = seen.entry(key).or_default();
                before.extend(seen.definition);
                before.extend(seen.precedes.iter());
                // Data statements of one table follow each other, so the first one stands for what came before.
                if matches!(key, Key::Loosened(_)) {
                    seen.precedes.clear();
                }
            }
            for key in &access.defines {
                let seen = seen.entry(key).or_default();
                before.extend(seen.definition.replace(node));
                before.extend(seen.uses.drain(..));
            }
            for key in &access.precedes {
                seen.entry(key).or_default().precedes.push(node);
            }
            for earlier in before.into_iter().filter(|earlier| *earlier != node) {
                graph.add_edge(NodeIndex::new(earlier), NodeIndex::new(node), ());
            }
        }
        Self { graph }
    }

    /// What a node needs directly.
    pub(crate) fn needs(&self, node: usize) -> impl Iterator<Item = usize> {
        self.graph.neighbors_directed(NodeIndex::new(node), Direction::Incoming).map(NodeIndex::index)
    }

    /// A shortest chain from one node to another, both included.
    pub(crate) fn chain(&self, from: usize, to: usize) -> Vec<usize> {
        let (from, to) = (NodeIndex::new(from), NodeIndex::new(to));
        let path = petgraph::algo::astar(&self.graph, from, |n| n == to, |_| 1_u32, |_| 0);
        path.map(|(_, nodes)| nodes.into_iter().map(NodeIndex::index).collect()).unwrap_or_default()
    }
}
