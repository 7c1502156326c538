//! What a release looks at before it goes on, looked at on demand: nothing is written, and the lease is not taken.

use crate::postgres::Session;

use super::begun::{Intent, plan_of, status};
use super::error::ExecuteError;
use super::options::Options;
use super::release::{done_already, enter, fitting};
use super::status::Stage;
use super::{files, foreseen, names, preflight, replan};
use crate::plan::saved::{SavedPlan, Verdict};

/// What was looked at, and is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRelease {
    /// The release, if it was begun.
    pub release: Option<String>,
    /// How many of its steps have not run.
    pub left: usize,
    /// What seems to fail, and was accepted.
    pub accepted: Vec<String>,
}

/// Whether a plan could begin, or the release that was begun last could go on: its history and schema, what its names mean here, who owns what its
/// steps change, and what depends on what they drop. `abandon`: as for `replan`.
pub async fn check(
    client: &Session,
    plan: Option<&SavedPlan>,
    abandon: &[u32],
    options: &Options,
) -> Result<CheckedRelease, ExecuteError> {
    let (_, by) = enter(client, options, Intent::CarryOn).await?;
    let begun = status(client).await?;
    let continues = plan.and_then(|plan| plan.continues.as_ref());
    let (release, plan, status) = match (plan, begun) {
        (Some(plan), _) if plan.verdict == Verdict::Unsafe => return Err(ExecuteError::Unsafe),
        (Some(plan), Some((release, status))) if continues.is_some() => {
            let continues = continues.cloned().unwrap_or_default();
            files::unchanged(plan)?;
            let looked = replan::look(client, plan, &continues, abandon, &by).await?;
            let (id, status) = looked.map_or((release.id, status), |looked| (looked.release, looked.then));
            (Some(id), plan.clone(), status)
        }
        (Some(_), None) if continues.is_some() => return Err(ExecuteError::NoRelease),
        (Some(plan), begun) => {
            files::unchanged(plan)?;
            if begun.is_some() {
                done_already(client, plan, options).await?;
            }
            let (_, status) = fitting(client, plan, options, &by, "").await?;
            (None, plan.clone(), status)
        }
        (None, Some((release, status))) if status.stage != Stage::Done => {
            let plan = plan_of(&release)?;
            preflight::world(client, &plan, &status).await?;
            (Some(release.id), plan, status)
        }
        (None, _) => return Err(ExecuteError::NoRelease),
    };
    names::as_planned(client, &plan, &status).await?;
    let accepted = foreseen::allowed(client, &plan, &status, options).await?;
    let left = plan.steps.iter().filter(|step| !status.is_done(step.id)).count();
    Ok(CheckedRelease { release, left, accepted })
}
