//! The contract between the release engine and a check.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::postgres::Target;

/// What came of asking once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// In a word.
    pub verdict: CheckVerdict,
    /// What was seen, for people.
    pub said: String,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckVerdict {
    /// Green does well.
    Successful,
    /// It does not.
    Failed,
    /// Nothing can be said: there is no data, for one.
    Inconclusive,
    /// Nobody answered.
    Error,
}

impl std::fmt::Display for CheckVerdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
        })
    }
}

impl Measured {
    pub(super) fn successful(said: impl Into<String>) -> Self {
        Self { verdict: CheckVerdict::Successful, said: said.into() }
    }

    pub(super) fn failed(said: impl Into<String>) -> Self {
        Self { verdict: CheckVerdict::Failed, said: said.into() }
    }

    pub(super) fn inconclusive(said: impl Into<String>) -> Self {
        Self { verdict: CheckVerdict::Inconclusive, said: said.into() }
    }

    pub(super) fn error(said: impl Into<String>) -> Self {
        Self { verdict: CheckVerdict::Error, said: said.into() }
    }
}

/// What a check may use.
#[derive(Debug, Clone)]
pub struct CheckContext {
    /// The release's database; a check opens a connection of its own.
    pub database: Target,
    /// How long it may take.
    pub deadline: Duration,
}

/// A check that is being made.
pub type Measuring<'a> = Pin<Box<dyn Future<Output = Measured> + Send + 'a>>;

/// Says how green does.
pub trait Check: Send + Sync {
    /// Asks once. It changes nothing.
    fn measure<'a>(&'a self, context: &'a CheckContext) -> Measuring<'a>;
}
