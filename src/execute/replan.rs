//! A release that goes on by another plan: its migrations were corrected after some of their statements had run.

use crate::postgres::Session;

use super::begun::{Intent, plan_of, status, status_of};
use super::doors::Doors;
use super::engine::Engine;
use super::error::{ExecuteError, Misfit};
use super::event::Event;
use super::journal::{self, Actor, Record, ReleaseRecord};
use super::lease::Lease;
use super::options::Options;
use super::release::{Outcome, carry_on, enter, leave, same_traffic};
use super::session::Setup;
use super::status::{Stage, Status};
use super::{files, foreseen, preflight, relations};
use crate::plan::saved::{Continues, Phase, SavedPlan, Statement, Verdict};
use crate::plan::{Begun, PlanChange, changes};

/// The release that was begun last, for a plan that carries on with it: what of it has run. `None` if there is none, or all of it has run.
/// Needs neither the lease nor the right to write.
pub async fn begun(client: &Session) -> Result<Option<Begun>, ExecuteError> {
    let Some((release, status)) = status(client).await? else { return Ok(None) };
    if status.stage == Stage::Done {
        return Ok(None);
    }
    let plan = match plan_of(&release) {
        // What another version began and took back is over for it.
        Err(ExecuteError::OtherTool { .. }) if status.is_over() => return Ok(None),
        plan => plan?,
    };
    if let Some(step) = status.in_doubt() {
        return Err(Misfit::InDoubt { step }.into());
    }
    let partly = status.steps.iter().filter(|(id, _)| !status.has_run(**id));
    Ok(Some(Begun {
        release: release.id,
        done: plan.steps.iter().map(|step| step.id).filter(|id| status.has_run(*id)).collect(),
        partly: partly.filter_map(|(id, step)| Some((*id, step.progress.as_ref()?.rows))).collect(),
        open: status.is_open(),
        plan,
    }))
}

/// Whether what a release that went back had run was taken back by hand: the schema is as it was before its first step, and no longer as it left it.
pub async fn is_undone(client: &Session, begun: &Begun) -> Result<bool, ExecuteError> {
    let status = status_of(client, &begun.release).await?;
    if status.stage != Stage::RolledBack || status.relations == relations::hashes(client, &begun.plan).await? {
        return Ok(false);
    }
    match relations::expected(client, &begun.plan).await {
        Ok(()) => Ok(true),
        Err(ExecuteError::Stale(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Carries on by a plan that was made for that ([`SavedPlan::continues`]).
pub async fn replan(
    client: &mut Session,
    plan: &SavedPlan,
    options: &Options,
    doors: &mut Doors<'_>,
) -> Result<Outcome, ExecuteError> {
    if plan.verdict == Verdict::Unsafe {
        return Err(ExecuteError::Unsafe);
    }
    let Some(continues) = &plan.continues else { return Err(Misfit::FromTheBeginning.into()) };
    files::unchanged(plan)?;
    let (setup, by) = enter(client, options, Intent::CarryOn).await?;
    let lease = Lease::acquire(client, &by, Intent::CarryOn, options.patience, doors).await?;
    let done = async {
        take_over(client, plan, continues, options, doors, lease, &setup, &by).await?;
        carry_on(client, None, options, doors, lease, &setup, by).await
    };
    let done = done.await;
    leave(client, &setup, lease, doors).await;
    done
}

/// Looks whether the plan fits, and puts it in the place of the one before.
#[expect(clippy::too_many_arguments, reason = "the parts of an engine, which does not exist yet")]
async fn take_over(
    client: &Session,
    plan: &SavedPlan,
    continues: &Continues,
    options: &Options,
    doors: &mut Doors<'_>,
    lease: Lease,
    setup: &Setup,
    by: &Actor,
) -> Result<(), ExecuteError> {
    let Some(release) = journal::latest_release(client).await? else { return Err(ExecuteError::NoRelease) };
    let before = plan_of(&release)?;
    let status = status_of(client, &release.id).await?;
    if before.digest == plan.digest {
        // It was taken over already, and what came after that did not get far.
        return Ok(());
    }
    fits(&release.id, &before, plan, continues, &status)?;
    same_traffic(&status, doors)?;
    (doors.events)(&difference(&before, plan));
    let replanned = |relations| -> Record {
        let mut ran = plan.steps.iter().filter(|step| continues.ran.contains(&step.id));
        let passed = status.past_no_return.is_some();
        let no_return = ran.find(|step| step.point_of_no_return || (passed && step.phase == Phase::After));
        ReleaseRecord::Replanned {
            by: by.clone(),
            plan: plan.digest.clone(),
            ran: continues.ran.clone(),
            carried: continues.carried.clone(),
            past_no_return: no_return.map(|step| step.id),
            reopened: plan.phase(Phase::Before).any(|step| !continues.ran.contains(&step.id)),
            relations,
        }
        .into()
    };
    relations::unchanged(client, &before, &status).await?;
    relations::expected(client, plan).await?;
    let record = replanned(relations::hashes(client, plan).await?);
    let then = status.clone().then(&record)?;
    preflight::history(client, plan, &then).await?;
    foreseen::allowed(client, plan, &then, options).await?;
    let setup = setup.clone();
    let mut engine = Engine { client, plan, options, doors, lease, setup, release: release.id, status };
    engine.begin().await?;
    let written = async {
        engine.lease.check(client).await?;
        let written = engine.write(std::slice::from_ref(&record)).await?;
        journal::replace_plan(client, &engine.release, plan).await?;
        Ok(written)
    };
    let written = written.await;
    engine.end(written).await
}

/// What one plan has and the other has not.
pub fn difference(before: &SavedPlan, plan: &SavedPlan) -> Event {
    let changes = changes(before, plan);
    let texts = |pick: for<'p> fn(&PlanChange<'p>) -> Option<&'p Statement>| {
        changes.iter().filter_map(pick).map(|statement| statement.sql.clone()).collect::<Vec<_>>()
    };
    let comes = texts(|change| if let PlanChange::Comes(statement) = change { Some(*statement) } else { None });
    let goes = texts(|change| if let PlanChange::Goes(statement) = change { Some(*statement) } else { None });
    Event::Replanning { unchanged: changes.len() - comes.len() - goes.len(), comes, goes }
}

/// Whether the world that a plan was made for is the one that the journal tells of.
fn fits(
    release: &str,
    before: &SavedPlan,
    plan: &SavedPlan,
    continues: &Continues,
    status: &Status,
) -> Result<(), ExecuteError> {
    if continues.release != release || continues.plan != before.digest {
        return Err(Misfit::OtherRelease { made_for: continues.release.clone(), release: release.to_owned() }.into());
    }
    if let Some(step) = status.in_doubt() {
        return Err(Misfit::InDoubt { step }.into());
    }
    let has_run = |id: &u32| status.has_run(*id);
    let now: Vec<u32> = before.steps.iter().map(|step| step.id).filter(has_run).collect();
    if now != continues.done {
        return Err(Misfit::RanMeanwhile { planned: continues.done.len(), now: now.len() }.into());
    }
    let left_behind = status.steps.iter().find(|(id, step)| {
        !has_run(id) && step.progress.is_some() && !continues.carried.iter().any(|carried| carried.from == **id)
    });
    if let Some((step, _)) = left_behind {
        return Err(Misfit::LeftBehind { step: *step }.into());
    }
    let first = plan.phase(Phase::Before).find(|step| !continues.ran.contains(&step.id));
    match first {
        Some(step) if !status.is_open() => Err(Misfit::TooLate { step: step.id, stage: status.stage }.into()),
        _ => Ok(()),
    }
}
