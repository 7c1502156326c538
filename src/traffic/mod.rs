//! Whatever moves the traffic from blue to green: one trait, one file or folder a backend, and a line in [`KINDS`].

mod admin;
mod aws;
mod backend;
mod caddy;
pub mod conformance;
mod envoy;
mod haproxy;
mod kubernetes;
mod managed;
mod manual;
mod nginx;
#[allow(dead_code, reason = "a build that has every client refuses nothing")]
mod not_built;
pub mod plugin;
mod registry;
mod simulated;
mod traefik;
mod weights;
mod written;

pub use crate::outside::{Needs, Program, Surroundings};
pub use crate::release::Share;
pub use backend::{
    Answer, Capabilities, Context, Drain, Health, Kind, Lines, Log, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, TrafficTarget, Verified,
};
pub use managed::{Handle, ManagedDeployment, Progress};
pub use manual::Manual;
pub use plugin::Exec;
pub use registry::{BackendKind, KINDS, OpenError, OpenedBackend, kind, open};
pub use simulated::Simulated;
