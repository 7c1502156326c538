//! What is outside this process: programs and HTTP servers, each asked once, with a deadline; and accounts of Amazon Web Services.

pub(crate) mod aws;
pub(crate) mod http;
pub(crate) mod program;
pub(crate) mod replace;
mod surroundings;
mod text;

pub use program::Program;
pub(crate) use surroundings::ProgramSettings;
pub use surroundings::{Needs, SettingsSchema, Surroundings};
pub(crate) use text::{ConfiguredText, are_headers, is_url, with_headers};
