//! Dependency graph, placement, splitting, the proof, and the saved plan file.

mod access;
mod commits;
mod describe;
mod findings;
pub mod format;
mod graph;
mod key;
mod manner;
mod matrix;
mod mentions;
mod node;
mod observed;
mod place;
mod proof;
mod release;
pub mod saved;
mod steps;
#[cfg(test)]
mod tests;
mod untold;

pub use node::is_opaque;
#[cfg(feature = "live")]
pub(crate) use node::replay;
pub use observed::{Observed, ObservedEffects};
pub use release::{Checked, Planned, Request, check, plan};
