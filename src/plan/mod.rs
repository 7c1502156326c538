//! Dependency graph, placement, splitting, the proof, and the saved plan file.

mod access;
mod again;
mod at_start;
mod begun;
mod collect;
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
mod part;
mod place;
mod placed;
mod proof;
mod refused;
mod release;
mod request;
mod said;
mod save;
pub mod saved;
mod stages;
mod steps;
#[cfg(test)]
mod tests;
mod untold;

/// How long a step's locks outlive its statements at most, whatever happens to the executor, its machine or the network: after so long the server
/// ends a session that is silent in a transaction, or does not acknowledge what it is sent.
pub const LOCKS_OUTLIVE: std::time::Duration = std::time::Duration::from_secs(10);

pub use at_start::at_start;
pub use begun::{Begun, PlanDifference, difference};
pub(crate) use collect::{read, replay, replay_one};
pub use observed::{Observed, ObservedEffects};
pub use part::is_opaque;
pub(crate) use release::check_read;
pub use release::{check, plan};
pub use request::{Checked, Planned, Request};
