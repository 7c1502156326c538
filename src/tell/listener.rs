//! Somebody who is told.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the document.
pub const FORMAT_VERSION: &str = "1.0";

/// What is told, one JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Occasion {
    /// [`FORMAT_VERSION`].
    pub format_version: String,
    /// What happens: the name of a hook (`before-shift`) or of a piece of news (`waiting`).
    pub occasion: String,
    /// The release.
    pub release: String,
    /// The database, as `HOST:PORT/NAME`.
    pub database: String,
    /// A sentence for people.
    pub text: String,
}

/// Somebody is being told. An error says why they did not take it.
pub type Telling<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Somebody who is told.
pub trait Listener: Send + Sync {
    /// Tells it, within the deadline.
    fn tell<'a>(&'a self, occasion: &'a Occasion, deadline: Duration) -> Telling<'a>;
}
