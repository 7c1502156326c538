//! The machine of one step.

use schemars::JsonSchema;
use serde::Serialize;

use crate::execute::journal::StepRecord;

/// How far a step is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Nothing of it is half done: it may run.
    #[default]
    Ready,
    /// It was begun outside a transaction, and nobody knows yet whether it happened.
    Begun,
    /// It did not work; nothing half-done is left.
    Failed,
    /// Nobody but the operator can tell whether it happened.
    Stuck,
    /// It is done.
    Done,
    /// It is left out: the operator says so.
    Skipped,
}

impl StepState {
    /// Whether there is nothing left to do.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Skipped)
    }
}

/// How far a step has come that goes over its rows some at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepProgress {
    /// The key of the last row that is done, as text.
    pub cursor: String,
    /// How many rows it has changed so far.
    pub rows: u64,
}

/// What is known of a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepStatus {
    /// How far it is.
    pub state: StepState,
    /// The rows that are done, if it goes over them some at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<StepProgress>,
    /// Whether the catalog said before it was begun what it says once it is done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub already: bool,
}

impl StepStatus {
    /// One that is done.
    pub(super) fn done() -> Self {
        Self { state: StepState::Done, ..Self::default() }
    }

    /// The status after one more record; `None` if it cannot follow.
    pub(super) fn then(self, record: &StepRecord) -> Option<Self> {
        let Self { state, progress, already } = self;
        if state.is_over() {
            return None;
        }
        let already = match record {
            StepRecord::Started { already } => *already,
            _ => already,
        };
        let (state, progress) = match record {
            StepRecord::Started { .. } => (StepState::Begun, progress),
            StepRecord::Progressed { cursor, rows } => {
                (StepState::Ready, Some(StepProgress { cursor: cursor.clone(), rows: *rows }))
            }
            StepRecord::Succeeded { .. } | StepRecord::MarkedDone { .. } => (StepState::Done, progress),
            StepRecord::Skipped { .. } => (StepState::Skipped, progress),
            StepRecord::Failed { .. } => (StepState::Failed, progress),
            StepRecord::Stuck { .. } => (StepState::Stuck, progress),
            StepRecord::Retried { .. } => (StepState::Ready, progress),
        };
        Some(Self { state, progress, already })
    }
}
