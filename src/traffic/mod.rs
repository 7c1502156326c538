//! Whatever moves the traffic from blue to green: one trait, one file or folder a backend, and a line in [`BUILT_IN`].

mod backend;
pub mod exec;
mod manual;
mod simulated;

pub use backend::{
    Answer, Capabilities, Context, Drain, Health, Kind, Log, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    Verified,
};
pub use exec::{Exec, Program};
pub use manual::Manual;
/// A backend that needs nothing but its name.
#[derive(Debug)]
pub struct BuiltIn {
    /// As after `--traffic`.
    pub name: &'static str,
    /// What it does, as in help.
    pub about: &'static str,
    /// Makes it.
    pub open: fn() -> Box<dyn TrafficBackend>,
}

/// Every backend that needs nothing but its name.
pub static BUILT_IN: &[BuiltIn] = &[manual::BUILT_IN, simulated::BUILT_IN];

pub use crate::release::Share;
pub use simulated::Simulated;
