//! A release as whoever looks from outside sees it: what the journal says, and what the server says of the session that executes it. Needs neither
//! the lease nor the right to write, and changes nothing.

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use super::blockers::Blocker;
use super::error::ExecuteError;
use super::event::Event;
use super::holder::Holder;
use super::index_progress::IndexProgress;
use super::journal::{self, Actor, Entry, Gate, Record, Release, ReleaseRecord, StepRecord, TrafficRecord};
use super::lease;
use super::session::{failed, get};
use super::shift::blue_sessions;
use super::status::{Next, Stage, Status, StepState};
use crate::plan::saved::{SavedPlan, Step, Work};
use crate::postgres::Session;
use crate::release::{BlueSessions, Share};
use crate::sql::recognise;

/// A release and who works on it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Overview {
    /// The release, as it was begun.
    pub release: Release,
    /// Where it stands, by its journal.
    pub status: Status,
    /// How many steps its plan has.
    pub steps: usize,
    /// Since when it is at this stage, by the server's clock.
    #[schemars(with = "String")]
    pub since: jiff::Timestamp,
    /// When its journal was last written to.
    #[schemars(with = "String")]
    pub last_record: jiff::Timestamp,
    /// The step that runs, is in doubt, or comes next.
    pub step: Option<StepNow>,
    /// What was asked of the traffic backend, and what it was seen to do.
    pub traffic: TrafficNow,
    /// What people decided, in order.
    pub decisions: Vec<Decided>,
    /// Who executes it, from where, and what that session does.
    pub executor: Option<Executor>,
    /// What the release's guard sees now.
    pub guard: Option<GuardNow>,
    /// The commands that may come next.
    pub next: Vec<String>,
    /// What this role may not see of other sessions, in words.
    pub hidden: Option<String>,
    /// Its journal.
    #[serde(skip)]
    pub journal: Vec<Entry>,
}

/// A step, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepNow {
    /// Which.
    pub step: u32,
    /// What it is about.
    pub object: String,
    /// What it does.
    pub action: String,
    /// Where its author wrote it, `path:line:column`.
    pub place: Option<String>,
    /// How far it is, by the journal.
    pub state: StepState,
    /// When it was begun, if the journal says so.
    #[schemars(with = "Option<String>")]
    pub begun: Option<jiff::Timestamp>,
    /// How many rows it has changed so far, if it goes over them some at a time.
    pub rows: Option<u64>,
    /// How many rows its table has, as the server estimates.
    pub rows_in_table: Option<u64>,
    /// How far the server is with an index.
    pub index: Option<IndexProgress>,
}

/// The traffic, by the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TrafficNow {
    /// The share that green was last to have.
    pub asked: Option<Share>,
    /// The share that it was last seen to have.
    pub seen: Option<Share>,
    /// Whether the backend confirmed that, or could not tell.
    pub confirmed: Option<bool>,
}

/// What somebody decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Decided {
    /// When, by the server's clock.
    #[schemars(with = "String")]
    pub at: jiff::Timestamp,
    /// What, for example `promoted`.
    pub what: String,
    /// Who.
    pub by: Actor,
}

/// The session that executes a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Executor {
    /// Who it is.
    #[serde(flatten)]
    pub holder: Holder,
    /// How long its transaction is open, in seconds.
    pub transaction_seconds: Option<i64>,
    /// What it waits for, as the server calls it, for example `Lock: relation`.
    pub waits_for: Option<String>,
    /// The sessions that keep it waiting.
    pub blockers: Vec<Blocker>,
}

/// What the guard of a release sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GuardNow {
    /// How blue's sessions are known.
    pub sessions: BlueSessions,
    /// Whether one was there when the release was told of it, or later.
    pub seen: bool,
    /// How many there are now.
    pub now: u64,
}

/// Looks at the release that was begun last.
pub async fn overview(client: &Session) -> Result<Option<Overview>, ExecuteError> {
    if !journal::is_there(client).await? {
        return Ok(None);
    }
    let Some(release) = journal::latest_release(client).await? else { return Ok(None) };
    let entries = journal::entries(client, &release.id).await?;
    let Some(told) = told(&entries)? else { return Ok(None) };
    let plan = release.saved_plan().ok();
    let executor = executor(client).await?;
    let mut step = plan.as_ref().and_then(|plan| step_now(plan, &told.status, &entries));
    if let (Some(plan), Some(now)) = (&plan, &mut step) {
        if let Some(Work::Backfill(backfill)) = plan.step(now.step).map(|step| &step.work) {
            now.rows_in_table = estimate(client, &backfill.table).await?;
        }
        if let Some(executor) = &executor {
            now.index = index_progress(client, executor.holder.backend_pid).await?;
        }
    }
    let guard = match &told.status.guard {
        None => None,
        Some(guard) => Some(GuardNow {
            now: blue_sessions(client, &guard.sessions, executor.as_ref().map(|executor| executor.holder.backend_pid))
                .await?,
            sessions: guard.sessions.clone(),
            seen: guard.seen,
        }),
    };
    Ok(Some(Overview {
        steps: plan.as_ref().map_or(0, |plan| plan.steps.len()),
        since: told.since,
        last_record: entries.last().map_or(release.created_at, |entry| entry.at),
        step,
        traffic: told.traffic,
        decisions: told.decisions,
        guard,
        next: told.status.commands(executor.is_some()),
        hidden: hidden(client, executor.as_ref()).await?,
        executor,
        status: told.status,
        release,
        journal: entries,
    }))
}

/// What a journal says.
struct Told {
    status: Status,
    since: jiff::Timestamp,
    traffic: TrafficNow,
    decisions: Vec<Decided>,
}

fn told(entries: &[Entry]) -> Result<Option<Told>, ExecuteError> {
    let mut status: Option<Status> = None;
    let mut since = jiff::Timestamp::UNIX_EPOCH;
    let mut traffic = TrafficNow { asked: None, seen: None, confirmed: None };
    let mut decisions = Vec::new();
    for entry in entries {
        let before = status.as_ref().map(|status| status.stage.clone());
        let now = match status.take() {
            None => Status::of([&entry.record])?,
            Some(status) => Some(status.then(&entry.record)?),
        };
        if now.as_ref().map(|status| &status.stage) != before.as_ref() {
            since = entry.at;
        }
        status = now;
        match &entry.record {
            Record::Traffic(TrafficRecord::ShiftStarted { share }) => traffic.asked = Some(*share),
            Record::Traffic(TrafficRecord::Shifted { share, confirmed }) => {
                (traffic.seen, traffic.confirmed) = (Some(*share), Some(*confirmed));
            }
            Record::Traffic(TrafficRecord::RollbackStarted { .. }) => traffic.asked = Some(Share::NONE),
            Record::Traffic(TrafficRecord::RolledBack { .. }) => {
                (traffic.seen, traffic.confirmed) = (Some(Share::NONE), None)
            }
            _ => {}
        }
        decisions.extend(decided(entry, before.as_ref()));
    }
    Ok(status.map(|status| Told { status, since, traffic, decisions }))
}

/// `stage`: where the release stood.
fn decided(entry: &Entry, stage: Option<&Stage>) -> Option<Decided> {
    let (what, by) = match &entry.record {
        Record::Traffic(TrafficRecord::Promoted { by, reason, .. }) => {
            let what = match stage {
                Some(Stage::AwaitingApproval { gate: Gate::Ramp(gate) | Gate::Deployment(gate) }) => {
                    format!("approved at the gate {gate}")
                }
                _ => "promoted".to_owned(),
            };
            (with_reason(what, reason), by)
        }
        Record::Traffic(TrafficRecord::RollbackStarted { by, failure: None, reason, .. }) => {
            (with_reason("rolled back".to_owned(), reason), by)
        }
        Record::Release(ReleaseRecord::PauseAsked { by, reason }) => (with_reason("paused".to_owned(), reason), by),
        Record::Release(ReleaseRecord::DriftAccepted { by, .. }) => ("accepted the schema as it is".to_owned(), by),
        Record::Step { step, what: StepRecord::MarkedDone { by, .. } } => (format!("marked step {step} as done"), by),
        Record::Release(ReleaseRecord::Replanned { by, plan, .. }) => {
            (format!("replanned, with plan {}", plan.get(..12).unwrap_or(plan)), by)
        }
        Record::Step { step, what: StepRecord::Skipped { by, reason, .. } } => {
            (format!("left step {step} out: {reason}"), by)
        }
        Record::Step { step, what: StepRecord::Retried { by } } => (format!("let step {step} run again"), by),
        _ => return None,
    };
    Some(Decided { at: entry.at, what, by: by.clone() })
}

fn with_reason(what: String, reason: &Option<String>) -> String {
    reason.iter().fold(what, |what, reason| format!("{what}: {reason}"))
}

/// The step that is in doubt or comes next.
fn step_now(plan: &SavedPlan, status: &Status, entries: &[Entry]) -> Option<StepNow> {
    let next = match status.next(plan) {
        Next::Run(step) => Some(step),
        _ => None,
    };
    let step: &Step = status.in_doubt().and_then(|id| plan.step(id)).or(next)?;
    let is_begun = |entry: &&Entry| matches!(entry.record, Record::Step { step: id, what: StepRecord::Started { .. } } if id == step.id);
    let known = status.steps.get(&step.id);
    Some(StepNow {
        step: step.id,
        object: step.object.clone(),
        action: step.action.clone(),
        place: step.place(),
        state: known.map(|known| known.state).unwrap_or_default(),
        begun: entries.iter().rev().find(is_begun).map(|entry| entry.at),
        rows: known.and_then(|known| known.progress.as_ref()).map(|progress| progress.rows),
        rows_in_table: None,
        index: None,
    })
}

/// Who holds the lease, and what that session does.
async fn executor(client: &Session) -> Result<Option<Executor>, ExecuteError> {
    let holder = match lease::holder(client).await? {
        Some(holder) => Some(holder),
        None => lease::fleet_holder(client).await?,
    };
    let Some(holder) = holder else { return Ok(None) };
    let query = "SELECT extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)::pg_catalog.int8,
             CASE WHEN state = 'active' AND wait_event_type NOT IN ('Client', 'Activity') THEN wait_event_type || ': ' || wait_event END
         FROM pg_catalog.pg_stat_activity WHERE pid = $1";
    let row = client.query_opt(query, &[&holder.backend_pid]).await.map_err(failed("asking what the executor does"))?;
    let (transaction_seconds, waits_for) = match &row {
        Some(row) => (get(row, 0)?, get(row, 1)?),
        None => (None, None),
    };
    let blockers = blocking(client, holder.backend_pid).await?;
    Ok(Some(Executor { holder, transaction_seconds, waits_for, blockers }))
}

/// The sessions that keep another one waiting now, the longest transaction first.
async fn blocking(client: &Session, pid: i32) -> Result<Vec<Blocker>, ExecuteError> {
    let query = "SELECT b.pid, coalesce(w.relation::pg_catalog.regclass::pg_catalog.text, 'its own transaction'),
             coalesce((SELECT l.mode FROM pg_catalog.pg_locks l WHERE l.pid = b.pid AND l.granted AND l.relation IS NOT DISTINCT FROM w.relation
                 AND l.locktype = w.locktype ORDER BY l.mode LIMIT 1), 'a lock'),
             a.usename::pg_catalog.text, a.application_name, a.state,
             extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.int8,
             CASE WHEN a.backend_type <> 'client backend' THEN a.backend_type END,
             a.backend_type = 'autovacuum worker' AND a.query LIKE '%(to prevent wraparound)'
         FROM (SELECT DISTINCT pid FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) AS pid WHERE pid <> 0) AS b
         LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid
         LEFT JOIN pg_catalog.pg_locks w ON w.pid = $1 AND NOT w.granted
         ORDER BY a.xact_start LIMIT 5";
    let rows = client.query(query, &[&pid]).await.map_err(failed("asking who blocks the executor"))?;
    rows.iter().map(|row| Blocker::of(row).map_err(failed("asking who blocks the executor"))).collect()
}

/// How far the server is with the index that a session makes; nothing where the role may not see it.
async fn index_progress(client: &Session, pid: i32) -> Result<Option<IndexProgress>, ExecuteError> {
    let query = "SELECT phase, blocks_done, blocks_total, lockers_done, lockers_total FROM pg_catalog.pg_stat_progress_create_index
         WHERE pid = $1 AND phase IS NOT NULL";
    let row = client.query_opt(query, &[&pid]).await.map_err(failed("asking how far an index is"))?;
    let progress = |row: &Row| {
        let count = |column| Ok::<_, ExecuteError>(get::<Option<i64>>(row, column)?.unwrap_or(0));
        Ok(IndexProgress {
            phase: get(row, 0)?,
            blocks_done: count(1)?,
            blocks_total: count(2)?,
            lockers_done: count(3)?,
            lockers_total: count(4)?,
        })
    };
    row.as_ref().map(progress).transpose()
}

/// What holds another session up, or how far it is with an index; nothing where it does neither.
pub async fn watch(client: &Session, pid: i32) -> Result<Option<Event>, ExecuteError> {
    let (blockers, index) = (blocking(client, pid).await?, index_progress(client, pid).await?);
    let anything = !blockers.is_empty() || index.is_some();
    Ok(anything.then_some(Event::Watched { blockers, index }))
}

/// How many rows a table has, as the server estimates; nothing where it was never counted.
async fn estimate(client: &Session, table: &str) -> Result<Option<u64>, ExecuteError> {
    let query = "SELECT reltuples::pg_catalog.int8 FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1)";
    let Some(table) = recognise::table(table) else { return Ok(None) };
    let row = client.query_opt(query, &[&table]).await.map_err(failed("asking how large a table is"))?;
    let rows: Option<i64> = row.as_ref().map(|row| get(row, 0)).transpose()?;
    Ok(rows.and_then(|rows| u64::try_from(rows).ok()).filter(|rows| *rows > 0))
}

/// What this role may not see of the executor's session.
async fn hidden(client: &Session, executor: Option<&Executor>) -> Result<Option<String>, ExecuteError> {
    let Some(role) = executor.and_then(|executor| executor.holder.role.as_ref()) else { return Ok(None) };
    let query = "SELECT current_user::pg_catalog.text, pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
             OR coalesce((SELECT pg_catalog.pg_has_role(oid, 'USAGE') FROM pg_catalog.pg_roles WHERE rolname = $1::pg_catalog.text::pg_catalog.name), false)";
    let row = client.query_one(query, &[&role]).await.map_err(failed("asking what this role may see"))?;
    let (me, sees): (String, bool) = (get(&row, 0)?, get(&row, 1)?);
    Ok((!sees)
        .then(|| format!("the server hides from {me} what sessions of {role} do: GRANT pg_read_all_stats TO {me}")))
}
