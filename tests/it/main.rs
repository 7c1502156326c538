//! Integration tests, one binary.

mod execute;
