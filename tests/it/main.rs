//! Integration tests, one binary.

mod server;
mod support;
