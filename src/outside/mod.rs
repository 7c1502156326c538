//! What is outside this process: programs and HTTP servers, each asked once, with a deadline.

pub(crate) mod http;
pub(crate) mod program;
pub(crate) mod replace;
mod surroundings;
mod text;

pub use program::Program;
pub use surroundings::{Needs, Surroundings};
pub(crate) use text::{Text, are_headers, is_url, with_headers};
