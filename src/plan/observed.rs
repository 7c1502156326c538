//! What statements that cannot be read were seen to do on a real server: a value that the planner takes like any other input.

use std::collections::HashMap;
use std::sync::Arc;

use crate::effect::{Effect, Hazard};
use crate::schema::{Patch, QName};
use crate::source::Span;

/// The observations of a release, by statement.
#[derive(Debug, Clone, Default)]
pub struct ObservedEffects {
    /// Which server it was, for the output.
    pub server: String,
    statements: HashMap<Span, Arc<Observed>>,
}

/// One statement, observed.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// What it took and gave.
    pub effect: Effect,
    /// The same as a change of the schema.
    pub patch: Patch,
    /// What running it cost.
    pub hazard: Hazard,
    /// The relations it read: with other rows it may do something else.
    pub reads: Vec<QName>,
    /// Why what was seen is not enough to place it, if it is not.
    pub unsure: Option<String>,
}

impl ObservedEffects {
    /// No observation yet.
    pub fn on(server: impl Into<String>) -> Self {
        Self { server: server.into(), statements: HashMap::new() }
    }

    /// Adds what the statement at this place was seen to do.
    pub fn insert(&mut self, statement: Span, observed: Observed) {
        self.statements.insert(statement, Arc::new(observed));
    }

    /// What the statement at this place was seen to do.
    pub fn get(&self, statement: Span) -> Option<&Arc<Observed>> {
        self.statements.get(&statement)
    }

    /// How many statements were observed.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether nothing was observed.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}
