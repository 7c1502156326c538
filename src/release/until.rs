//! How far a release goes before it ends by itself, for pipelines that do something else in between.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in a release at which it can be told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// The before phase is over: both versions work on the schema, and green can be deployed.
    Expanded,
    /// Green has all traffic, and the bake time is over.
    Shifted,
    /// Blue serves nobody any more.
    Drained,
}

impl Until {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Expanded, Self::Shifted, Self::Drained];

    /// As it is written on the command line and in the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expanded => "expanded",
            Self::Shifted => "shifted",
            Self::Drained => "drained",
        }
    }
}

impl std::fmt::Display for Until {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
