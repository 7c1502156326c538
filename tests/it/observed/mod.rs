//! Two sources of truth that check each other: the effect and the cost that the simulation derives from a statement's text, and what a real
//! server was seen to do.

mod bodies;
mod fixtures;
mod histories;
mod opaque;
mod outside;
mod reasons;
mod simulate;
mod versions;
