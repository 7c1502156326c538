//! What a release still owes: the steps after its cutover, which take away what only the old version needs.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::begun::plan_of;
use super::error::ExecuteError;
use super::journal::{self, Entry, Record, TrafficRecord};
use super::session::server_time;
use super::status::{Stage, Status};
use super::{lease, timing};
use crate::plan::saved::Phase;
use crate::postgres::Session;
use crate::traffic::Share;

/// What a release still owes once green has all traffic. No other release begins before that is done or left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Debt {
    /// The release.
    pub release: String,
    /// The role that began it.
    pub role: String,
    /// The machine that it was begun on.
    pub host: String,
    /// When green had all traffic, by the server's clock.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// How long ago that was, in seconds.
    pub age_seconds: i64,
    /// When the steps may run; without it they may now.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// The commands that may come next; none where an executor works on it.
    pub next: Vec<String>,
    /// The steps, in order.
    pub steps: Vec<Owed>,
}

/// A step that has not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Owed {
    /// Which.
    pub step: u32,
    /// What it is about.
    pub object: String,
    /// What it does.
    pub action: String,
    /// Where its author wrote it, `path:line:column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// What the release owes that was begun last; nothing where it owes nothing, or green has not all traffic yet.
pub async fn debt(client: &Session) -> Result<Option<Debt>, ExecuteError> {
    if !journal::is_there(client).await? {
        return Ok(None);
    }
    let Some(release) = journal::latest_release(client).await? else { return Ok(None) };
    let entries = journal::entries(client, &release.id).await?;
    let status = Status::of(entries.iter().map(|entry| &entry.record))?.ok_or(ExecuteError::NoRelease)?;
    let Some(since) = owes_since(&status, &entries) else { return Ok(None) };
    let plan = plan_of(&release)?;
    let owed = plan.phase(Phase::After).filter(|step| !status.is_done(step.id)).map(|step| Owed {
        step: step.id,
        object: step.object.clone(),
        action: step.action.clone(),
        place: step.place(),
    });
    let steps: Vec<Owed> = owed.collect();
    if steps.is_empty() {
        return Ok(None);
    }
    let now = server_time(client).await?;
    // Where blue is not drained yet, at least that comes first.
    let drained = timing::drained(&entries).filter(|_| status.stage == Stage::After);
    let due = timing::not_before(&plan, &status, status.limits, Phase::After, drained, now).map(|(due, _)| due);
    let next = status.commands(lease::holder(client).await?.is_some());
    Ok(Some(Debt {
        role: release.role,
        host: release.host,
        release: release.id,
        since,
        age_seconds: now.duration_since(since).as_secs().max(0),
        due,
        next,
        steps,
    }))
}

/// Since when green has had all traffic, if the release stands behind that.
fn owes_since(status: &Status, entries: &[Entry]) -> Option<Timestamp> {
    let has_all = match status.stage {
        Stage::Draining | Stage::After => true,
        Stage::Shifting | Stage::AwaitingApproval { .. } => status.traffic.share == Share::ALL,
        _ => false,
    };
    let mut since = None;
    for entry in entries.iter().filter(|_| has_all) {
        match &entry.record {
            Record::Traffic(TrafficRecord::RolledBack { .. }) => since = None,
            Record::Traffic(TrafficRecord::Shifted { share, .. }) if *share == Share::ALL => {
                since.get_or_insert(entry.at);
            }
            Record::Traffic(TrafficRecord::DrainStarted | TrafficRecord::Drained { .. }) => {
                since.get_or_insert(entry.at);
            }
            _ => {}
        }
    }
    since
}
