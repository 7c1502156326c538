//! Whether something may go on, by the journal: an instance of a version that is about to start, or whoever waits at a gate of a release. Nothing is
//! written, and the lease is not taken.

use schemars::JsonSchema;
use serde::Serialize;

use super::begun::{plan_of, status, status_of};
use super::error::ExecuteError;
use super::journal::{self, Release};
use super::preflight;
use super::session::failed;
use super::status::{Stage, Status, TrafficState};
use crate::migrations::{Folder, Migration, Recorded, Version};
use crate::plan::saved::{Migrations, Phase, PlannedMigration, SavedPlan};
use crate::postgres::Session;
use crate::postgres::history::{self, AppliedMigration, HistoryError, HistoryPlace};
use crate::postgres::survey::survey;
use crate::release::{RampStep, Until};

/// Whether something may go on. What is not known is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "answer", content = "why", rename_all = "kebab-case")]
pub enum Admission {
    /// It may.
    Open(String),
    /// It may not yet: ask again.
    NotYet(String),
    /// It may not, and waiting does not help.
    Refused(String),
}

/// What an instance of a version is told that is about to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Readiness {
    /// Whether it may serve.
    #[serde(flatten)]
    pub admission: Admission,
    /// The release that was begun last, if there is one.
    pub release: Option<String>,
    /// The oldest version of the application that works on the schema, as far as releases prove it: the last migration that it was built with.
    pub floor: Option<String>,
}

/// How a version of the application is known.
#[derive(Debug, Clone, Copy)]
pub enum BuiltWith<'a> {
    /// By the last migration that it was built with.
    Version(&'a str),
    /// By all of them.
    Folder(&'a Folder),
}

/// Whether an instance of the application may serve on the schema as it is. `history_table`: where the history of its migrations is, if there are
/// several and no release says it.
pub async fn ready(
    client: &Session,
    built: BuiltWith<'_>,
    history_table: Option<&str>,
) -> Result<Readiness, ExecuteError> {
    let begun = status(client).await?;
    let plan = begun.as_ref().map(|(release, _)| plan_of(release)).transpose()?;
    let floor = begun.as_ref().zip(plan.as_ref()).and_then(|((_, status), plan)| floor(&plan.migrations, status));
    let release = begun.as_ref().map(|(release, _)| release.id.clone());
    let admission = match (&begun, &plan) {
        (Some((release, status)), Some(plan)) if !migrated_since(client, plan, status).await? => {
            serves(&release.id, plan, status, built)
        }
        _ => {
            let table = history_table.or(plan.as_ref().and_then(|plan| plan.migrations.history_table.as_deref()));
            match by_history(client, built, table).await {
                // Its tool is at work, or has failed: it says so itself.
                Err(ExecuteError::History(HistoryError::Dirty { version, table })) => {
                    Admission::NotYet(format!("{table} has version {version} as begun and not finished"))
                }
                answer => answer?,
            }
        }
    };
    Ok(Readiness { admission, release, floor: floor.map(str::to_owned) })
}

/// Which release is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwaitedRelease {
    /// The one of this id.
    Id(String),
    /// The one that is under way.
    UnderWay,
    /// The first that is begun behind this one, though it may be over by then; `None`: the first of all.
    NextAfter(Option<String>),
}

/// What whoever waits at a gate is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Whether it is open.
    pub admission: Admission,
    /// The release that it is about.
    pub release: Option<String>,
    /// What to ask about next time, so that no release comes and goes unseen between two questions.
    pub next: AwaitedRelease,
}

/// Whether a release has come to a place: `expanded`, `shifted`, `drained` or `done`, or beyond a gate of its ramp.
pub async fn gate(client: &Session, name: &str, awaited: &AwaitedRelease) -> Result<Passage, ExecuteError> {
    let not_yet = |why: String, next: AwaitedRelease| {
        let release = if let AwaitedRelease::Id(id) = &next { Some(id.clone()) } else { None };
        Ok(Passage { admission: Admission::NotYet(why), release, next })
    };
    let passage = |id: String, status: &Status| Passage {
        admission: passes(&id, status, name),
        release: Some(id.clone()),
        next: AwaitedRelease::Id(id),
    };
    let Some((Release { id: last, .. }, status)) = status(client).await? else {
        let next = if *awaited == AwaitedRelease::UnderWay { AwaitedRelease::NextAfter(None) } else { awaited.clone() };
        return not_yet("no release was begun in this database".into(), next);
    };
    match awaited {
        AwaitedRelease::UnderWay if status.is_over() => not_yet(
            format!("release {last} is over, and no other one was begun; --release names the one that is meant"),
            AwaitedRelease::NextAfter(Some(last)),
        ),
        AwaitedRelease::UnderWay => Ok(passage(last, &status)),
        AwaitedRelease::Id(wanted) if *wanted == last => Ok(passage(last, &status)),
        AwaitedRelease::Id(wanted) => match status_of(client, wanted).await {
            Ok(status) => Ok(passage(wanted.clone(), &status)),
            Err(ExecuteError::NoRelease) => {
                not_yet(format!("release {wanted} was not begun; the last one is {last}"), awaited.clone())
            }
            Err(error) => Err(error),
        },
        AwaitedRelease::NextAfter(before) => match journal::release_after(client, before.as_deref()).await? {
            Some(Release { id, .. }) => Ok(passage(id.clone(), &status_of(client, &id).await?)),
            None => not_yet(format!("release {last} is over, and no other one was begun"), awaited.clone()),
        },
    }
}

/// The oldest version that works on the schema, as far as the release proves it.
pub(super) fn floor<'a>(migrations: &'a Migrations, status: &Status) -> Option<&'a str> {
    match status.past_no_return {
        Some(_) => migrations.green(),
        None => migrations.blue(),
    }
}

/// Which version of the application it is, as a release sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Blue,
    Green,
    /// Blue or green: nothing that is known tells them apart.
    Either,
    /// One that was there before blue.
    Older,
    /// One that has some of what green has, and not all.
    Between,
    Newer,
}

fn which(migrations: &Migrations, built: BuiltWith<'_>) -> Which {
    let Migrations { convention, applied, pending, .. } = migrations;
    let key = |version: &str| convention.version_key(version);
    let has_key = |all: &[PlannedMigration], version: &str| all.iter().any(|one| key(&one.version) == key(version));
    match built {
        BuiltWith::Folder(folder) => {
            // What runs again whenever it changes is another one with another text.
            let same = |one: &PlannedMigration, file: &Migration| {
                let again = convention.is_repeatable(&one.version);
                key(&one.version) == key(file.version.as_str()) && (!again || one.sha256 == file.sha256)
            };
            let has = |one: &PlannedMigration| folder.migrations.iter().any(|file| same(one, file));
            let known = |file: &Migration| {
                let again = convention.is_repeatable(file.version.as_str());
                again || has_key(applied, file.version.as_str()) || has_key(pending, file.version.as_str())
            };
            if !folder.migrations.iter().all(known) {
                return Which::Newer;
            }
            let lacks_old = applied.iter().any(|one| !convention.is_repeatable(&one.version) && !has(one));
            match (lacks_old, pending.iter().filter(|one| has(one)).count()) {
                (true, 0) => Which::Older,
                (false, 0) if pending.is_empty() => Which::Either,
                (false, 0) => Which::Blue,
                (_, of_green) if of_green == pending.len() => Which::Green,
                _ => Which::Between,
            }
        }
        BuiltWith::Version(version) => {
            let same = |other: Option<&str>| other.is_some_and(|other| key(other) == key(version));
            match (same(migrations.blue()), same(migrations.green())) {
                (true, true) => Which::Either,
                (true, false) => Which::Blue,
                (false, true) => Which::Green,
                (false, false) if has_key(pending, version) => Which::Between,
                (false, false) if has_key(applied, version) => Which::Older,
                (false, false) => Which::Newer,
            }
        }
    }
}

/// Whether a version serves while a release is where it is.
fn serves(release: &str, plan: &SavedPlan, status: &Status, built: BuiltWith<'_>) -> Admission {
    use Admission::{NotYet, Open, Refused};
    let (blue, green) = (plan.migrations.blue().unwrap_or("nothing"), plan.migrations.green().unwrap_or("nothing"));
    let contracts = plan.steps.iter().any(|step| step.phase == Phase::After && step.point_of_no_return);
    match which(&plan.migrations, built) {
        Which::Green if status.goes_back() => {
            Refused(format!("release {release}, which brings {green}, went back to {blue}"))
        }
        Which::Green if status.is_expanded_everywhere() => {
            Open(format!("the schema has what {green} needs (release {release})"))
        }
        Which::Green => NotYet(format!("release {release} has not made what {green} needs")),
        Which::Blue => match (status.past_no_return, &status.stage) {
            (Some(step), _) => Refused(format!(
                "step {step} of release {release} took away what {blue} needs; {green} is the oldest version that may run"
            )),
            (None, Stage::After) if contracts => {
                Refused(format!("release {release} is about to take away what {blue} needs: it was seen drained"))
            }
            (None, Stage::Done) => Open(format!("release {release} took nothing away that {blue} needs")),
            _ => Open(format!("the schema still has what {blue} needs (release {release})")),
        },
        Which::Either if plan.steps.is_empty() => Open(format!("release {release} changes nothing of the schema")),
        Which::Either if status.is_expanded_everywhere() && !status.goes_back() && status.past_no_return.is_none() => {
            Open(format!("the schema has what both versions need (release {release})"))
        }
        Which::Either => Refused(format!(
            "both versions of release {release} end with migration {blue}, and the schema does not have what both need; --migrations tells them apart"
        )),
        Which::Older => {
            let floor = floor(&plan.migrations, status).unwrap_or("nothing");
            Refused(format!("it is older than {floor}, the oldest version that release {release} was proved for"))
        }
        Which::Between => Refused(format!(
            "release {release} goes from {blue} to {green}, and was not proved for a version between them"
        )),
        Which::Newer => NotYet(format!(
            "it has migrations that no release has brought: the last one, {release}, goes from {blue} to {green}"
        )),
    }
}

/// Whether a release has come to a place.
fn passes(release: &str, status: &Status, name: &str) -> Admission {
    const DONE: &str = "done";
    let place = Until::ALL.into_iter().find(|until| until.name() == name);
    let own = status.traffic.ramp.steps().iter().enumerate().filter_map(|(at, step)| match step {
        RampStep::Approve { approve } => Some((at, approve.as_str())),
        RampStep::Share(_) | RampStep::Hold { .. } | RampStep::Check { .. } => None,
    });
    // What somebody approves counts before a place of the same name.
    let passed = match (own.clone().find(|(_, gate)| *gate == name), place) {
        (Some((at, _)), _) => status.traffic.ramp_done > at,
        (None, Some(Until::Drained))
            if status.stage == Stage::Done && status.traffic.state != TrafficState::Drained =>
        {
            return Admission::Refused(format!(
                "release {release} had nothing to run behind the drain, and did not wait until blue serves nobody"
            ));
        }
        (None, Some(Until::Expanded)) => status.is_expanded_everywhere(),
        (None, Some(until)) => status.has_come_to(until),
        (None, None) if name == DONE => status.stage == Stage::Done,
        (None, None) => {
            let mut names: Vec<&str> = Until::ALL.into_iter().map(Until::name).chain([DONE]).collect();
            names.extend(own.map(|(_, gate)| gate));
            return Admission::Refused(format!("release {release} has no gate {name}; it has {}", names.join(", ")));
        }
    };
    match (status.goes_back(), passed) {
        (true, _) => Admission::Refused(format!("release {release} went back to blue")),
        (false, true) => Admission::Open(format!("release {release} has come to {name}")),
        (false, false) => Admission::NotYet(format!("release {release} has not come to {name}")),
    }
}

/// Whether the history has more than a release that is over has left: somebody migrated without cutover since.
async fn migrated_since(client: &Session, plan: &SavedPlan, status: &Status) -> Result<bool, ExecuteError> {
    if !status.is_over() {
        return Ok(false);
    }
    let convention = plan.migrations.convention;
    let mut left = preflight::accounted_for(plan, status);
    if status.stage == Stage::Done {
        left.extend(plan.migrations.pending.iter().map(|one| convention.version_key(&one.version)));
    }
    let recorded = match history::recorded(client, &plan.migrations).await {
        Err(HistoryError::Dirty { .. }) => return Ok(true),
        recorded => recorded?,
    };
    Ok(recorded.iter().any(|version| !left.contains(version) && !convention.is_repeatable(version)))
}

/// Where no release speaks for the schema, a version may serve if it has exactly what the history of its tool has: what came behind it may have taken
/// away what it needs.
async fn by_history(client: &Session, built: BuiltWith<'_>, table: Option<&str>) -> Result<Admission, ExecuteError> {
    match built {
        BuiltWith::Folder(folder) => {
            let convention = folder.convention;
            let place = HistoryPlace { convention, table, folder: Some(&folder.path) };
            let rows = history::applied_at(client, place).await?;
            let rows: Vec<Recorded> = rows.iter().map(AppliedMigration::recorded).collect();
            let (divided, unknown) = folder.pending_by_rows(&rows);
            let unknown = unknown.iter().find(|version| !convention.is_repeatable(version));
            let lacks = divided.pending.iter().find(|file| !convention.is_repeatable(file.version.as_str()));
            Ok(match (unknown, lacks) {
                (Some(version), _) => Admission::Refused(format!(
                    "the history of {convention} has {version}, which this version does not know, and no release of cutover says whether it still works"
                )),
                (None, Some(file)) => {
                    Admission::NotYet(format!("the history of {convention} does not have {}", file.version))
                }
                (None, None) => Admission::Open(format!("the history of {convention} has what this version has")),
            })
        }
        BuiltWith::Version(version) => {
            let found = survey(client).await.map_err(failed("looking for the history of migrations"))?;
            let mut histories = found.all().iter().filter_map(|found| Some((found, found.convention?)));
            let (Some((found, convention)), None) = (histories.next(), histories.next()) else {
                let why = "no release speaks for the schema of this database, and no one history of migrations does; ask with --migrations";
                return Ok(Admission::Refused(why.into()));
            };
            let (shown, quoted) = (format!("{}.{}", found.schema, found.table), found.quoted());
            let place = HistoryPlace { convention, table: Some(table.unwrap_or(&quoted)), folder: None };
            let rows = history::applied_at(client, place).await?;
            let versions = rows.into_iter().map(|row| row.version).filter(|version| !convention.is_repeatable(version));
            let versions: Vec<Version> = versions.map(Version::new).collect();
            Ok(by_versions(&versions, &shown, &Version::new(convention.version_key(version))))
        }
    }
}

/// The same of a version by its number: of names nobody knows which one is the last.
fn by_versions(versions: &[Version], history: &str, version: &Version) -> Admission {
    match versions.iter().max() {
        _ if !version.is_numbered() || !versions.iter().all(Version::is_numbered) => Admission::Refused(format!(
            "{history} has names and no numbers, which do not say which of them is the last; ask with --migrations"
        )),
        Some(last) if last == version => Admission::Open(format!("{version} is the last migration of {history}")),
        Some(last) if version < last => Admission::Refused(format!(
            "{history} goes on to {last} behind {version}, and no release of cutover says whether {version} still works"
        )),
        _ => Admission::NotYet(format!("{history} does not have {version}")),
    }
}
