//! Integration tests, one binary.

#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute; here are their helpers, too")]

mod execute;
mod server;
mod support;
