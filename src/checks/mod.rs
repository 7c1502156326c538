//! How green does, asked of whoever knows: one trait, one file a kind of check, and a line in [`KINDS`].

mod bounds;
mod check;
mod cloudwatch_alarms;
mod cloudwatch_query;
mod command;
mod counts;
mod http;
#[cfg(not(all(feature = "aws-cloudwatch", feature = "aws-elb")))]
mod not_built;
mod prometheus;
mod registry;
mod set;
mod sql;
mod target_health;

pub use check::{Check, CheckContext, CheckVerdict, Measured, Measuring};
pub(crate) use counts::{CheckCounts, Judged};
pub use registry::{CheckKind, KINDS, OpenedCheck, kind, open};
pub use set::{Checks, Named};
