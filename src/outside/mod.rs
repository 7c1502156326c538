//! What is outside this process: programs and HTTP servers, each asked once, with a deadline; and accounts of Amazon Web Services.

pub(crate) mod aws;
pub(crate) mod http;
pub(crate) mod program;
pub(crate) mod replace;
mod surroundings;
mod text;
mod words;

pub use program::Program;
pub(crate) use surroundings::ProgramSettings;
pub use surroundings::{Needs, SettingsSchema, Surroundings};
pub(crate) use text::{ConfiguredText, are_headers, is_url, with_headers};
#[cfg(any(feature = "aws-account", feature = "kubernetes"))]
pub(crate) use words::chain;
pub(crate) use words::not_built;
