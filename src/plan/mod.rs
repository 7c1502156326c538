//! Dependency graph, placement, splitting, the proof, and the saved plan file.

mod access;
mod findings;
mod graph;
mod node;
mod place;
mod proof;
mod release;
pub mod saved;
mod steps;
#[cfg(test)]
mod tests;

pub use release::{Planned, Request, plan};
