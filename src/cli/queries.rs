//! The queries of a version, from wherever `--blue` or `--green` leads.

use super::error::CliError;
use crate::diagnostic::Diagnostic;
use crate::workload::{self, Location, Workload};

/// Reads them.
pub(super) fn load(location: &Location) -> Result<(Workload, Vec<Diagnostic>), CliError> {
    workload::load_from(location).map_err(CliError::usage)
}
