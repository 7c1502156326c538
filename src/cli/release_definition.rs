//! How a release is to go, on the command line: for the plan that is made, or for the release that begins.

use super::error::CliError;
use crate::config;
use crate::release::{OnFailure, Ramp, ReleaseDefinition};

#[derive(Debug, Clone, clap::Args)]
pub(super) struct ReleaseDefinitionArgs {
    /// How the traffic moves, one after the other: green's shares in percent, `hold=5m`, `approve=GATE`, `check=NAME`, and behind 100 `bake=30m`; or
    /// `canary-10-percent-5-minutes`, `linear-10-percent-every-1-minute` [default: as the plan or `cutover.toml` says, or all at once]
    #[arg(long, value_name = "RAMP")]
    shift: Option<Ramp>,
    /// What becomes of the traffic when green fails while blue can come back [default: rollback]
    #[arg(long, value_name = "WHAT", value_enum)]
    on_failure: Option<OnFailureArg>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum OnFailureArg {
    /// Blue gets all of it again, and nobody is asked
    Rollback,
    /// It stays where it is until somebody decides
    Pause,
}

impl ReleaseDefinitionArgs {
    /// As far as something is said.
    pub(super) fn definition(&self) -> ReleaseDefinition {
        let on_failure = self.on_failure.map(|what| match what {
            OnFailureArg::Rollback => OnFailure::Rollback,
            OnFailureArg::Pause => OnFailure::Pause,
        });
        ReleaseDefinition { ramp: self.shift.clone(), on_failure, ..ReleaseDefinition::default() }
    }
}

/// Every check that is asked for must be known.
pub(super) fn has_its_checks(release: &ReleaseDefinition) -> Result<(), CliError> {
    match release.unknown_check() {
        None => Ok(()),
        Some(name) => {
            let unknown = format!("the release makes the check {name}, and nothing says what that is");
            Err(CliError::usage(unknown).hint(format!("write a section [checks.{name}] into {}", config::FILE_NAME)))
        }
    }
}
