//! A release over many databases that hold the same schema: tenants, shards.
//!
//! One database leads. It goes first in each phase, which makes it the one that shows what is wrong before the others have it, and its release is the
//! one with the traffic, the checks and the hooks. The others follow it, each with a journal, a lease and steps of its own under the same release id. Between
//! the phases all wait for all: the traffic moves once every database is expanded, and nothing is taken from any of them before blue is drained.

mod error;
mod follows;
mod list;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};

use crate::checks::Checks;
use crate::execute::{
    Clock, Decision, Doors, Event, ExecuteError, Options, Outcome, Overview, PartError, Stage, Start, Status, Stop,
    StopLevel, back, beside, canceller, check, execute, is_over_many, others_are, over_many, overview, pause, plan_of,
    release_id, resume, status, told_to_go_on,
};
use crate::plan::saved::SavedPlan;
use crate::postgres::{Session, Target, connect};
use crate::release::{DatabasePart, Limits, Ramp, Until};
use follows::Follows;

pub use error::{FleetError, MemberError, MembersFailed};
pub use list::{ListError, ListedDatabase, members};

/// A database that follows.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name: in the journals, and for people.
    pub name: String,
    /// Where it is.
    pub target: Target,
}

/// The databases of a release that follow the one that leads.
pub struct Fleet<'f> {
    /// They, in the order in which they are begun with.
    pub members: &'f [Member],
    /// How many of them are worked on at the same time, each over a connection.
    pub at_once: usize,
    /// Who is told what happens in them.
    pub told: &'f (dyn Fn(&str, &Event) + Sync),
}

/// Where the databases are to come before the release goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// They could begin.
    Fit,
    /// The phase before the cutover is over.
    Expanded,
    /// Everything is done.
    Done,
    /// Back on blue.
    Back,
}

impl Place {
    /// As events and the journal name it.
    const fn name(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::Expanded => "expanded",
            Self::Done => "done",
            Self::Back => "rolled-back",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Fit => "cannot begin, and nothing was begun in any",
            Self::Expanded => "have not come to the end of the phase before the cutover, and the traffic does not move",
            Self::Done => "have not come to the end of the phase after the cutover",
            Self::Back => "are not back on blue",
        }
    }
}

/// What the work on all of them has in common.
struct Work<'w> {
    release: &'w str,
    plan: &'w SavedPlan,
    options: &'w Options,
    /// What somebody decides about one of them.
    decision: Option<&'w (String, Decision)>,
}

/// What the work on one of them is done with.
struct Hands<'h> {
    stop: &'h Stop,
    clock: &'h dyn Clock,
    checks: &'h Checks,
    boundary: &'h Boundary<'h>,
    told: &'h (dyn Fn(&str, &Event) + Sync),
}

/// How often it is told how many have come.
const PROGRESS: Duration = Duration::from_secs(5);

/// How long the lease of the one that leads is waited for at least.
const MOMENT: Duration = Duration::from_secs(10);

/// Who is told of every place where tests kill the process.
type Boundary<'b> = Mutex<Option<&'b mut (dyn FnMut(&'static str) + Send + 'b)>>;

impl Fleet<'_> {
    /// Begins the release of a plan in all databases, and runs it.
    pub async fn execute(
        &self,
        lead: &mut Session,
        plan: &SavedPlan,
        options: &Options,
        doors: &mut Doors<'_>,
    ) -> Result<Outcome, FleetError> {
        if let Some(pid) = over_many(lead, options.patience, doors).await? {
            return Err(FleetError::Busy { pid });
        }
        let work = Work { release: &release_id(plan), plan, options, decision: None };
        let begun = status(lead).await?.filter(|(release, _)| release.id == work.release);
        let came = match begun {
            // All that it did before is looked at again by whoever carries on.
            Some((release, status)) if status.stage != Stage::Done => {
                return Err(ExecuteError::Begun { release: release.id, stage: status.stage }.into());
            }
            Some((_, status)) => {
                self.is_begun_with(work.release, &status)?;
                Outcome::Done { release: work.release.to_owned(), already: true }
            }
            None => {
                let fits = self.fit(lead, &work, doors).await;
                fits.map_err(|error| FleetError::NotBegun(Box::new(error)))?;
                execute(lead, plan, &self.leading(options, Some(Until::Expanded)), doors).await?
            }
        };
        self.go_on(lead, came, true, &work, doors).await
    }

    /// Carries on with the release that was begun last, in whatever databases it is not where it is to be. A `decision` names its database; none: the
    /// one that leads.
    pub async fn resume(
        &self,
        lead: &mut Session,
        decision: Option<(Option<String>, Decision)>,
        options: &Options,
        doors: &mut Doors<'_>,
    ) -> Result<Outcome, FleetError> {
        if let Some(pid) = over_many(lead, options.patience, doors).await? {
            // One that stands still goes on itself.
            let calls = decision.is_none() && !options.keep_pause;
            let called = if calls { told_to_go_on(lead, options, doors).await? } else { None };
            return called.ok_or_else(|| FleetError::Busy { pid });
        }
        let Some((release, status)) = status(lead).await? else { return Err(ExecuteError::NoRelease.into()) };
        self.is_begun_with(&release.id, &status)?;
        let plan = plan_of(&release)?;
        let (of_lead, of_member) = match decision {
            Some((Some(name), decision)) => (None, Some((name, decision))),
            Some((None, decision)) => (Some(decision), None),
            None => (None, None),
        };
        if let Some((name, _)) = &of_member {
            self.has(name)?;
        }
        let work = Work { release: &release.id, plan: &plan, options, decision: of_member.as_ref() };
        let came = match status.stage {
            Stage::Done => Outcome::Done { release: release.id.clone(), already: true },
            _ => resume(lead, of_lead, &self.leading(options, Some(Until::Expanded)), doors).await?,
        };
        // A pause, or a way back, that is there is what this command takes back, in whichever phase it is; where there was nothing to do in this one,
        // it still is.
        let stands = status.pause().is_some() || status.goes_back();
        let keeps_pause = options.keep_pause || !(stands && matches!(came, Outcome::Stopped { already: true, .. }));
        self.go_on(lead, came, keeps_pause, &work, doors).await
    }

    /// Moves all traffic back to blue, and closes the release in all databases. What the before phase did stays.
    pub async fn rollback(
        &self,
        lead: &mut Session,
        options: &Options,
        doors: &mut Doors<'_>,
    ) -> Result<Outcome, FleetError> {
        self.back(lead, Start::Anywhere, options, doors).await
    }

    /// The same while the traffic is on its way to green, and at no other time.
    pub async fn abort(
        &self,
        lead: &mut Session,
        options: &Options,
        doors: &mut Doors<'_>,
    ) -> Result<Outcome, FleetError> {
        self.back(lead, Start::Ramp, options, doors).await
    }

    async fn back(
        &self,
        lead: &mut Session,
        from: Start,
        options: &Options,
        doors: &mut Doors<'_>,
    ) -> Result<Outcome, FleetError> {
        if over_many(lead, Duration::ZERO, doors).await?.is_some() {
            // One that waits is told, and goes back with all of them.
            let alone = Options { part: None, ..options.clone() };
            match back(lead, from, &alone, doors).await {
                Err(ExecuteError::Part(PartError::Other { .. })) => {}
                told => return Ok(told?),
            }
            // One that runs is stopped where it can be first, and then waits or ends.
            pause(lead, options, doors).await?;
            match back(lead, from, &alone, doors).await {
                Err(ExecuteError::Part(PartError::Other { .. })) => {}
                told => return Ok(told?),
            }
            if let Some(pid) = over_many(lead, options.patience, doors).await? {
                return Err(FleetError::Busy { pid });
            }
        }
        let Some((release, status)) = status(lead).await? else { return Err(ExecuteError::NoRelease.into()) };
        self.is_begun_with(&release.id, &status)?;
        let plan = plan_of(&release)?;
        let outcome = match status.stage {
            Stage::RolledBack => Outcome::went_back(release.id.clone(), &status),
            _ => back(lead, from, &self.leading(options, None), doors).await?,
        };
        let work = Work { release: &release.id, plan: &plan, options, decision: None };
        self.bring_all(lead, Place::Back, &work, doors).await?;
        Ok(outcome)
    }

    /// Where every database stands, in order.
    pub async fn overviews(&self) -> Vec<(String, Result<Option<Overview>, MemberError>)> {
        let one = async |member: &Member| {
            let session = connect(&member.target).await?;
            Ok(overview(&session).await?)
        };
        let all = stream::iter(self.members).map(|member| async move { (member.name.clone(), one(member).await) });
        all.buffered(self.at_once.max(1)).collect().await
    }

    /// Once the one that leads is expanded: all the rest, one barrier after another. `keeps_pause`: a pause that somebody asks for in the one that leads, while
    /// the others are worked on, is none that this command takes back.
    async fn go_on(
        &self,
        lead: &mut Session,
        came: Outcome,
        mut keeps_pause: bool,
        work: &Work<'_>,
        doors: &mut Doors<'_>,
    ) -> Result<Outcome, FleetError> {
        let options = work.options;
        let is_there = |outcome: &Outcome| matches!(outcome, Outcome::Stopped { .. } | Outcome::Done { .. });
        if !is_there(&came) {
            return self.ended(lead, came, work, doors).await;
        }
        let expanded = self.bring_all(lead, Place::Expanded, work, doors).await;
        let how = match &expanded {
            Ok(_) => Some(Ok(())),
            // Whoever looks at the one that leads sees it, too.
            Err(FleetError::Members(failed)) => Some(Err(failed.to_string())),
            Err(_) => None,
        };
        if let Some(how) = how {
            others_are(lead, how, &self.leading(options, None), doors).await?;
        }
        expanded?;
        if options.until == Some(Until::Expanded) {
            return Ok(came);
        }
        let mut outcome = came;
        for until in [Some(options.until.unwrap_or(Until::Drained)), None] {
            if !matches!(outcome, Outcome::Done { .. }) {
                let options = Options { keep_pause: keeps_pause, ..self.leading(options, until) };
                outcome = resume(lead, None, &options, doors).await?;
                keeps_pause = true;
            }
            if !is_there(&outcome) {
                return self.ended(lead, outcome, work, doors).await;
            }
            if options.until.is_some() {
                return Ok(outcome);
            }
        }
        let has_worked = self.bring_all(lead, Place::Done, work, doors).await?;
        // It was done before in the one that leads only.
        Ok(match outcome {
            Outcome::Done { release, already } => Outcome::Done { release, already: already && !has_worked },
            other => other,
        })
    }

    /// The one that leads waits, or has gone back; the others go with it.
    async fn ended(
        &self,
        lead: &Session,
        outcome: Outcome,
        work: &Work<'_>,
        doors: &mut Doors<'_>,
    ) -> Result<Outcome, FleetError> {
        if matches!(outcome, Outcome::RolledBack { .. }) {
            self.bring_all(lead, Place::Back, work, doors).await?;
        }
        Ok(outcome)
    }

    fn leading(&self, options: &Options, until: Option<Until>) -> Options {
        // Somebody may look at it while the others are worked on, and holds its lease for a moment.
        let patience = options.patience.max(MOMENT);
        Options { until, patience, part: Some(self.part_of_lead()), ..options.clone() }
    }

    fn part_of_lead(&self) -> DatabasePart {
        DatabasePart::Lead { members: self.members.iter().map(|member| member.name.clone()).collect() }
    }

    fn has(&self, name: &str) -> Result<(), FleetError> {
        match self.members.iter().any(|member| member.name == name) {
            true => Ok(()),
            false => Err(FleetError::NoMember { name: name.to_owned() }),
        }
    }

    /// Whether a release was begun in the lead of these databases.
    fn is_begun_with(&self, release: &str, status: &Status) -> Result<(), FleetError> {
        let (begun, now) = match (&status.part, self.part_of_lead()) {
            (part, now) if *part == now => return Ok(()),
            (DatabasePart::Lead { members }, DatabasePart::Lead { members: now }) => (members, now),
            (part, _) => {
                let other = PartError::Other { release: release.to_owned(), part: part.clone() };
                return Err(ExecuteError::from(other).into());
            }
        };
        let without = |all: &[String], others: &[String]| -> Vec<String> {
            all.iter().filter(|name| !others.contains(name)).cloned().collect()
        };
        let (missing, more) = (without(begun, &now), without(&now, begun));
        Err(FleetError::OtherDatabases { release: release.to_owned(), missing, more })
    }

    /// Sees that the release could begin everywhere, before it begins anywhere.
    async fn fit(&self, lead: &mut Session, work: &Work<'_>, doors: &mut Doors<'_>) -> Result<(), FleetError> {
        check(lead, Some(work.plan), &[], &self.leading(work.options, None)).await?;
        let seen = RefCell::new(BTreeMap::<Identity, String>::new());
        let own = identity(lead).await;
        seen.borrow_mut().extend(own.map(|own| (own, "the database that leads".to_owned())));
        let fits = async |member: &Member| {
            let session = connect(&member.target).await?;
            if let Some(own) = identity(&session).await
                && let Some(other) = seen.borrow_mut().insert(own, member.name.clone())
            {
                return Err(MemberError::Same { other });
            }
            let begun = status(&session).await?;
            if begun.is_none_or(|(release, _)| release.id != work.release) {
                let part = Some(DatabasePart::Member { name: member.name.clone() });
                check(&session, Some(work.plan), &[], &Options { part, ..work.options.clone() }).await?;
            }
            Ok(false)
        };
        self.all(lead, Place::Fit, doors, async |member, _| fits(member).await).await.map(|_| ())
    }

    async fn bring_all(
        &self,
        lead: &Session,
        place: Place,
        work: &Work<'_>,
        doors: &mut Doors<'_>,
    ) -> Result<bool, FleetError> {
        self.all(lead, place, doors, async |member, hands| bring(member, place, work, hands).await).await
    }

    /// Does something in every database, in so many at a time; says whether there was anything to do in one. Once one has failed, those that are not begun
    /// with are left as they are.
    async fn all(
        &self,
        lead: &Session,
        place: Place,
        doors: &mut Doors<'_>,
        work: impl AsyncFn(&Member, &Hands<'_>) -> Result<bool, MemberError>,
    ) -> Result<bool, FleetError> {
        let of = self.members.len();
        let has_failed = Cell::new(false);
        let boundary: Boundary<'_> = Mutex::new(doors.boundary.as_mut().map(|boundary| &mut **boundary as _));
        let (stop, told) = (doors.stop.clone(), self.told);
        let hands = Hands { stop: &stop, clock: doors.clock, checks: doors.checks, boundary: &boundary, told };
        let one = async |(index, member): (usize, &Member)| {
            // A rollback goes as far as it can.
            if (has_failed.get() && place != Place::Back) || stop.level() > StopLevel::Run {
                return (index, None);
            }
            let done = match is_over_many(lead).await {
                true => work(member, &hands).await,
                // Somebody else may carry the release on by now.
                false => Err(MemberError::LockLost),
            };
            has_failed.set(has_failed.get() || done.is_err());
            (index, Some(done))
        };
        let (mut failed, mut came, mut left, mut has_worked) = (Vec::new(), 0, 0, false);
        let mut told = Instant::now();
        {
            let all = stream::iter(self.members.iter().enumerate()).map(&one).buffer_unordered(self.at_once.max(1));
            let mut all = std::pin::pin!(all);
            while let Some((index, done)) = all.next().await {
                match done {
                    Some(Ok(worked)) => (came, has_worked) = (came + 1, has_worked || worked),
                    Some(Err(error)) => failed.push((index, error)),
                    None => left += 1,
                }
                if told.elapsed() >= PROGRESS && place != Place::Fit {
                    told = Instant::now();
                    (doors.events)(&Event::DatabasesCame { place: place.name().to_owned(), came, of });
                }
            }
        }
        if doors.stop.level() > StopLevel::Run && (left > 0 || !failed.is_empty()) {
            return Err(ExecuteError::Interrupted.into());
        }
        if failed.is_empty() {
            if place != Place::Fit {
                (doors.events)(&Event::DatabasesCame { place: place.name().to_owned(), came, of });
            }
            return Ok(has_worked);
        }
        failed.sort_by_key(|(index, _)| *index);
        let failed = failed.into_iter().map(|(index, error)| (self.members[index].name.clone(), error)).collect();
        Err(FleetError::Members(Box::new(MembersFailed { place: place.words(), failed, came, left })))
    }
}

/// What tells a database from every other one: its cluster's number and its own in it, which a copy of the cluster has as well, and when its server was
/// started. `None` where the role may not ask.
type Identity = (i64, u32, String);

async fn identity(session: &Session) -> Option<Identity> {
    let query = "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()), oid,
             pg_catalog.pg_postmaster_start_time()::pg_catalog.text FROM pg_catalog.pg_database
         WHERE datname = pg_catalog.current_database()";
    let row = session.query_one(query, &[]).await.ok()?;
    Some((row.try_get(0).ok()?, row.try_get(1).ok()?, row.try_get(2).ok()?))
}

/// Brings one database to where all are to be; says whether there was anything to do.
async fn bring(member: &Member, place: Place, work: &Work<'_>, hands: &Hands<'_>) -> Result<bool, MemberError> {
    let mut session = connect(&member.target).await?;
    let (cancel, beside) = (canceller(&session), beside(&session));
    let traffic = Follows { is_over: place == Place::Done };
    let mut events = |event: &Event| (hands.told)(&member.name, event);
    let mut passes = |at: &'static str| {
        if let Some(boundary) = &mut *hands.boundary.lock().unwrap_or_else(PoisonError::into_inner) {
            boundary(at);
        }
    };
    let doors = &mut Doors {
        stop: hands.stop.clone(),
        clock: hands.clock,
        checks: hands.checks,
        cancel: Some(&cancel),
        beside: Some(&beside),
        boundary: Some(&mut passes),
        ..Doors::new(&traffic, &mut events)
    };
    let part = DatabasePart::Member { name: member.name.clone() };
    let options = Options {
        until: (place == Place::Expanded).then_some(Until::Expanded),
        part: Some(part.clone()),
        ramp: Ramp::all_at_once(),
        // It has been waited for where the release leads.
        limits: Limits { after_delay_ms: Some(0), ..work.options.limits },
        ..work.options.clone()
    };
    let own = status(&session).await?.filter(|(release, _)| release.id == work.release);
    // All come to the end of the first phase before the second one: there it is taken, and once.
    let decision = work.decision.filter(|(name, _)| *name == member.name && place == Place::Expanded);
    let decision = decision.map(|(_, decision)| decision.clone());
    let outcome = match own {
        None if place == Place::Expanded => execute(&mut session, work.plan, &options, doors).await?,
        // It has not come as far, or is closed.
        None if place == Place::Back => return Ok(false),
        None => return Err(MemberError::NotBegun { release: work.release.to_owned() }),
        Some((release, status)) if status.part != part => {
            let other = PartError::Other { release: release.id, part: status.part };
            return Err(ExecuteError::from(other).into());
        }
        Some((_, status)) => match place {
            Place::Back if status.is_over() => return Ok(false),
            Place::Back => back(&mut session, Start::Anywhere, &options, doors).await?,
            Place::Expanded | Place::Done if status.stage == Stage::Done => return Ok(false),
            // It was left like that some time ago.
            Place::Expanded if decision.is_none() && status.has_come_to(Until::Expanded) => {
                return Ok(check(&session, None, &[], &options).await.map(|_| false)?);
            }
            Place::Fit | Place::Expanded | Place::Done => resume(&mut session, decision, &options, doors).await?,
        },
    };
    match (place, outcome) {
        (Place::Back, Outcome::RolledBack { .. }) => Ok(true),
        (_, Outcome::Stopped { .. } | Outcome::Done { .. }) => Ok(true),
        (_, other) => Err(MemberError::Stands(other)),
    }
}
