//! Whatever moves the traffic from blue to green: one trait, one file or folder a backend, and a line in [`KINDS`].

mod backend;
pub mod exec;
mod haproxy;
mod manual;
mod registry;
mod simulated;

pub use crate::release::Share;
pub use backend::{
    Answer, Capabilities, Context, Drain, Health, Kind, Lines, Log, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    Verified,
};
pub use exec::{Exec, Program};
pub use manual::Manual;
pub use registry::{BackendKind, KINDS, Needs, OpenError, Opened, Surroundings, kind, open};
pub use simulated::Simulated;
