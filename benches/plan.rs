//! Cost of parse → plan per statement.
fn main() {}
