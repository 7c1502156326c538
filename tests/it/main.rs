//! Integration tests, one binary.

#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute; here are their helpers, too")]

mod adversarial;
mod corpus;
mod execute;
mod oracle;
mod properties;
mod server;
mod support;
