//! Whatever moves the traffic from blue to green: one trait, one file or folder a backend.

mod backend;
pub mod exec;
mod manual;
mod share;
mod simulated;

pub use backend::{
    Answer, Applied, Capabilities, Context, Drain, Health, Kind, Observed, TrafficBackend, TrafficError, Verified,
};
pub use exec::{Exec, Program};
pub use manual::Manual;
pub use share::{Share, Strategy, StrategyError};
pub use simulated::Simulated;
