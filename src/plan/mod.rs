//! Dependency graph, placement, splitting, the proof, and the saved plan file.

pub mod saved;
