//! How green does, asked of whoever knows: one trait, one file a kind of check, and a line in [`KINDS`].

mod check;
mod command;
mod counts;
mod http;
mod prometheus;
mod registry;
mod set;
mod sql;

pub use check::{Check, CheckContext, CheckVerdict, Measured, Measuring};
pub(crate) use counts::{CheckCounts, Judged};
pub use registry::{CheckKind, KINDS, OpenedCheck, kind, open};
pub use set::{Checks, Named};
