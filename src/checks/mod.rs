//! How green does, asked of whoever knows: one trait, one file a kind of check, and a line in [`KINDS`].

mod check;
mod command;
mod counts;
mod http;
mod prometheus;
mod registry;
mod set;
mod sql;

pub use check::{Check, Context, Measured, Measuring, Verdict};
pub(crate) use counts::{Counts, Judged};
pub use registry::{CheckKind, KINDS, Opened, kind, open};
pub use set::{Checks, Named};
