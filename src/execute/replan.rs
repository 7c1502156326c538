//! A release that goes on by another plan: its migrations were corrected after some of their statements had run.

use crate::postgres::Session;

use super::begun::{Intent, plan_of, status, status_of};
use super::doors::Doors;
use super::engine::Engine;
use super::error::{ExecuteError, Misfit, Stale};
use super::event::Event;
use super::journal::{self, Actor, Record, ReleaseRecord};
use super::lease::Lease;
use super::options::Options;
use super::part::PartError;
use super::release::{Outcome, carry_on, enter, leave, same_traffic};
use super::session::Setup;
use super::status::{Stage, Status};
use super::{files, foreseen, preflight, relations};
use crate::plan::saved::{Continues, Direction, Phase, SavedPlan, Step, StepStatement, Verdict, Work};
use crate::plan::{self, Begun, PlanDifference};
use crate::postgres::history;

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
    is_settled(&status)?;
    let steps = |pick: &dyn Fn(u32) -> bool| plan.steps.iter().map(|step| step.id).filter(|id| pick(*id)).collect();
    let partly = status.steps.iter().filter(|(id, _)| !status.is_done(**id));
    Ok(Some(Begun {
        release: release.id,
        done: steps(&|id| status.has_run(id)),
        skipped: steps(&|id| status.is_done(id) && !status.has_run(id)),
        partly: partly.filter_map(|(id, step)| Some((*id, step.progress.as_ref()?.rows))).collect(),
        open: status.is_open(),
        plan,
    }))
}

/// Whether it is known what of a release has run, and which way it goes.
fn is_settled(status: &Status) -> Result<(), Misfit> {
    match (status.in_doubt(), &status.stage) {
        (Some(step), _) => Err(Misfit::InDoubt { step }),
        (None, Stage::RollingBack) => Err(Misfit::RollingBack),
        (None, _) => Ok(()),
    }
}

/// Whether what a release that went back had run was taken back by hand: schema and all that belongs to it are as they were before its first step. Of
/// rows that it changed nobody knows.
pub async fn is_undone(client: &Session, begun: &Begun) -> Result<bool, ExecuteError> {
    let changes_rows = |step: &Step| {
        let kinds = matches!(step.direction, Direction::Data | Direction::Opaque);
        (kinds || matches!(step.work, Work::Backfill(_))) && !matches!(step.work, Work::Check { .. })
    };
    if begun.touched().any(changes_rows) {
        return Ok(false);
    }
    let entries = journal::entries(client, &begun.release).await?;
    let Some(status) = Status::of(entries.iter().map(|entry| &entry.record))? else { return Ok(false) };
    if status.stage != Stage::RolledBack {
        return Ok(false);
    }
    let at_first = entries.first().and_then(|entry| match &entry.record {
        Record::Release(ReleaseRecord::Started { relations, .. }) => Some(relations),
        _ => None,
    });
    let now = relations::hashes(client, &begun.plan).await?;
    Ok(at_first == Some(&now) && status.relations != now)
}

/// Refuses to begin a plan whose migrations a release that went back has begun to run.
pub(super) async fn ran_before(client: &Session, plan: &SavedPlan) -> Result<(), ExecuteError> {
    let Some(begun) = begun(client).await? else { return Ok(()) };
    let pending = &plan.migrations.pending;
    let again = begun.has_run_of(|version| pending.iter().any(|pending| pending.version == version));
    match again && !is_undone(client, &begun).await? {
        true => Err(Misfit::RanBefore { release: begun.release }.into()),
        false => Ok(()),
    }
}

/// Carries on by a plan that was made for that ([`SavedPlan::continues`]). `abandon`: backfills that are not over and that the plan does not go on with.
pub async fn replan(
    client: &mut Session,
    plan: &SavedPlan,
    abandon: &[u32],
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
        take_over(client, plan, (continues, abandon), options, doors, lease, &setup, &by).await?;
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
    (continues, abandon): (&Continues, &[u32]),
    options: &Options,
    doors: &mut Doors<'_>,
    lease: Lease,
    setup: &Setup,
    by: &Actor,
) -> Result<(), ExecuteError> {
    let Some(looked) = look(client, plan, continues, abandon, by).await? else { return Ok(()) };
    let Looked { release, before, status, record, then } = looked;
    if !status.part.is_alone() {
        return Err(PartError::NoReplan.into());
    }
    same_traffic(&status, doors)?;
    (doors.events)(&difference(&before, plan));
    foreseen::allowed(client, plan, &then, options).await?;
    let mut engine = Engine::new(client, plan, options, doors, (lease, setup), (release, status));
    engine.begin().await?;
    let written = async {
        let written = engine.write(std::slice::from_ref(&record)).await?;
        journal::replace_plan(client, &engine.release, plan).await?;
        // A migration whose other statements are gone is complete now.
        let recorded = history::recorded(client, &plan.migrations).await?;
        let ran = plan.steps.iter().filter(|step| continues.ran.contains(&step.id));
        for version in ran.flat_map(|step| &step.completes) {
            if !recorded.contains(&plan.migrations.convention.version_key(version)) {
                engine.record_history(version).await?;
            }
        }
        Ok(written)
    };
    let written = written.await;
    engine.end(written).await
}

/// What was looked at before a plan takes the place of another one.
pub(super) struct Looked {
    pub(super) release: String,
    before: SavedPlan,
    status: Status,
    record: Record,
    /// The status once it has.
    pub(super) then: Status,
}

/// Looks whether a plan fits the release that it carries on with; `None`: it has taken over already.
pub(super) async fn look(
    client: &Session,
    plan: &SavedPlan,
    continues: &Continues,
    abandon: &[u32],
    by: &Actor,
) -> Result<Option<Looked>, ExecuteError> {
    let Some(release) = journal::latest_release(client).await? else { return Err(ExecuteError::NoRelease) };
    let before = plan_of(&release)?;
    let status = status_of(client, &release.id).await?;
    if before.digest == plan.digest {
        // What came after that did not get far.
        return Ok(None);
    }
    fits(&release.id, &before, plan, (continues, abandon), &status)?;
    relations::unchanged(client, &before, &status).await?;
    // What a statement did that cannot be read is in no plan; that the schema is as the release left it is all there is to say.
    let opaque = |step: &Step| step.direction == Direction::Opaque && status.has_run(step.id);
    if !before.steps.iter().any(opaque) {
        match relations::expected(client, plan).await {
            Err(ExecuteError::Stale(Stale::Drift(why))) => return Err(Misfit::OtherSchema(why).into()),
            found => found?,
        }
    }
    // What was passed stays passed, whichever step of the new plan stands for it.
    let after: Vec<&Step> = plan.phase(Phase::After).collect();
    let goes_on = |step: &&Step| continues.carried.iter().any(|carried| carried.to == step.id);
    let has_run = |step: &&Step| continues.ran.contains(&step.id);
    let no_return = match status.past_no_return {
        Some(_) => after.iter().find(|step| has_run(step) || goes_on(step)).or(after.first()),
        None => after.iter().find(|step| step.point_of_no_return && has_run(step)),
    };
    if status.past_no_return.is_some() && no_return.is_none() {
        return Err(Misfit::NothingLeft.into());
    }
    let record: Record = ReleaseRecord::Replanned {
        by: by.clone(),
        plan: plan.digest.clone(),
        ran: continues.ran.clone(),
        carried: continues.carried.clone(),
        past_no_return: no_return.map(|step| step.id),
        reopened: plan.phase(Phase::Before).any(|step| !continues.ran.contains(&step.id)),
        relations: relations::hashes(client, plan).await?,
    }
    .into();
    let then = status.clone().then(&record)?;
    preflight::history(client, plan, &then).await?;
    Ok(Some(Looked { release: release.id, before, status, record, then }))
}

/// What one plan has and the other has not.
pub fn difference(before: &SavedPlan, plan: &SavedPlan) -> Event {
    let PlanDifference { unchanged, comes, goes } = plan::difference(before, plan);
    let texts =
        |statements: Vec<&StepStatement>| statements.into_iter().map(|statement| statement.sql.clone()).collect();
    Event::Replanning { unchanged, comes: texts(comes), goes: texts(goes) }
}

/// Whether the world that a plan was made for is the one that the journal tells of.
fn fits(
    release: &str,
    before: &SavedPlan,
    plan: &SavedPlan,
    (continues, abandon): (&Continues, &[u32]),
    status: &Status,
) -> Result<(), ExecuteError> {
    if continues.release != release || continues.plan != before.digest {
        return Err(Misfit::OtherRelease { made_for: continues.release.clone(), release: release.to_owned() }.into());
    }
    is_settled(status)?;
    let has_run = |id: &u32| status.has_run(*id);
    let now: Vec<u32> = before.steps.iter().map(|step| step.id).filter(has_run).collect();
    if now != continues.done {
        return Err(Misfit::RanMeanwhile { planned: continues.done.len(), now: now.len() }.into());
    }
    let left_behind = status.steps.iter().find(|(id, step)| {
        let carried = continues.carried.iter().any(|carried| carried.from == **id);
        !status.is_done(**id) && step.progress.is_some() && !carried && !abandon.contains(id)
    });
    if let Some((step, _)) = left_behind {
        return Err(Misfit::LeftBehind { step: *step }.into());
    }
    let first = plan.phase(Phase::Before).find(|step| !continues.ran.contains(&step.id));
    match first {
        Some(step) if !status.is_open() => Err(Misfit::TooLate { step: step.id, stage: status.stage.clone() }.into()),
        _ => Ok(()),
    }
}
