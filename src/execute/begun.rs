//! The release that was begun last: where it stands, its plan, and whether this version of the tool may touch it.

use crate::postgres::Session;

use super::error::ExecuteError;
use super::journal::{self, Release};
use super::status::{Stage, Status};
use crate::plan::saved::{SavedPlan, SavedPlanError};

/// The release that was begun last, with its journal folded. Needs neither the lease nor the right to write.
pub async fn status(client: &Session) -> Result<Option<(Release, Status)>, ExecuteError> {
    if !journal::is_there(client).await? {
        return Ok(None);
    }
    match journal::latest_release(client).await? {
        None => Ok(None),
        Some(release) => {
            let status = status_of(client, &release.id).await?;
            Ok(Some((release, status)))
        }
    }
}

/// What a command does with the release that was begun last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// Begin another one, which needs it to be over.
    Begin,
    /// Carry on with it, in either direction.
    CarryOn,
}

/// Refuses what an older version of the tool has begun and must finish. Comes before the lease, which upgrades the journal's tables: that
/// version does not work on those of a later one.
pub(super) async fn leave_to_its_tool(client: &Session, intent: Intent) -> Result<(), ExecuteError> {
    let Some((release, status)) = status(client).await? else { return Ok(()) };
    let over = match intent {
        Intent::Begin => status.is_over(),
        Intent::CarryOn => status.stage == Stage::Done,
    };
    if over { Ok(()) } else { plan_of(&release).map(|_| ()) }
}

/// The plan of a release that this version can carry on with.
pub(crate) fn plan_of(release: &Release) -> Result<SavedPlan, ExecuteError> {
    release.saved_plan().map_err(|error| match error {
        SavedPlanError::FormatVersion { .. } => {
            ExecuteError::OtherTool { release: release.id.clone(), tool: release.tool_version.clone() }
        }
        error => error.into(),
    })
}

/// Where a release stands.
pub(super) async fn status_of(client: &Session, release: &str) -> Result<Status, ExecuteError> {
    let entries = journal::entries(client, release).await?;
    Status::of(entries.iter().map(|entry| &entry.record))?.ok_or(ExecuteError::NoRelease)
}
