//! Throwaway servers: a real PostgreSQL to try things on, that leaves nothing behind.
//!
//! Three kinds, one face ([`Throwaway`]). Which one was used belongs in the output: [`Throwaway::describe`].
//!
//! | kind | needs | sessions | a fresh database is |
//! |---|---|---|---|
//! | embedded | nothing (feature `embedded`) | one at a time | another instance |
//! | local | PostgreSQL's server binaries | many | `CREATE DATABASE` |
//! | scratch | a server whose role may create databases | many | `CREATE DATABASE`, dropped at the end |

mod binaries;
#[cfg(feature = "embedded")]
mod embedded;
mod error;
mod local;
mod scratch;
mod server;
mod statement_log;

pub use binaries::{Binaries, OLDEST_SUPPORTED};
#[cfg(feature = "embedded")]
pub use embedded::{Embedded, EmbeddedOptions, bundles_extension};
pub use error::ThrowawayError;
pub use local::{Local, LocalOptions};
pub(crate) use scratch::MadeRoles;
pub use scratch::Scratch;
pub use server::Throwaway;
pub use statement_log::{Logged, RECORDER};
