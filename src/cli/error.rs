//! The command line's one error type: an exit code, a message, and hints on what to do next.

use super::exit::Exit;
use crate::postgres::base::BaseError;
use crate::project::ProjectError;

/// Why a command failed.
#[derive(Debug)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// What happened and why.
    pub message: String,
    /// What to do next.
    pub hints: Vec<String>,
}

impl CliError {
    /// An error with an exit code.
    pub fn new(exit: Exit, message: impl std::fmt::Display) -> Self {
        Self { exit, message: message.to_string(), hints: Vec::new() }
    }

    /// Exit 2.
    pub fn usage(message: impl std::fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// An error with an exit code, and what to do next where there is something to say.
    pub(super) fn with(exit: Exit, message: impl std::fmt::Display, hint: Option<impl std::fmt::Display>) -> Self {
        let hints = hint.iter().map(ToString::to_string).collect();
        Self { hints, ..Self::new(exit, message) }
    }

    /// Adds a line on what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl std::fmt::Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }
}

impl From<ProjectError> for CliError {
    fn from(error: ProjectError) -> Self {
        Self::with(Exit::Usage, &error, error.hint())
    }
}

impl From<BaseError> for CliError {
    fn from(error: BaseError) -> Self {
        Self::with(Exit::Usage, &error, error.hint())
    }
}
