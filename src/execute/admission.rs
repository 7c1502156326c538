//! Whether something may go on, by the journal: an instance of a version that is about to start, or whoever waits at a gate of a release. Nothing is
//! written, and the lease is not taken.

use schemars::JsonSchema;
use serde::Serialize;

use super::begun::{plan_of, status, status_of};
use super::error::ExecuteError;
use super::journal::Release;
use super::session::failed;
use super::status::{Stage, Status};
use crate::migrations::{Convention, Version};
use crate::plan::saved::{Migrations, Phase, SavedPlan};
use crate::postgres::Session;
use crate::postgres::history::{self, HistoryPlace};
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

/// Whether an instance of the application may serve on the schema as it is. `version`: the last migration that it was built with.
pub async fn ready(client: &Session, version: &str) -> Result<Readiness, ExecuteError> {
    let Some((release, status)) = status(client).await? else {
        let admission = by_history(client, version).await?;
        return Ok(Readiness { admission, release: None, floor: None });
    };
    let plan = plan_of(&release)?;
    let floor = floor(&plan.migrations, &status).map(str::to_owned);
    let behind = behind_the_release(client, &plan.migrations, &status).await?;
    let admission = match behind {
        Some(versions) => by_versions(plan.migrations.convention, &versions, "the history of migrations", version),
        None => serves(&release.id, &plan, &status, version),
    };
    Ok(Readiness { admission, release: Some(release.id), floor })
}

/// What whoever waits at a gate is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Passage {
    /// Whether it is open.
    #[serde(flatten)]
    pub admission: Admission,
    /// The release that it is about: whoever asks again asks for this one, which may be over by then.
    pub release: Option<String>,
}

/// Whether a release has come to a place: `expanded`, `shifted`, `drained` or `done`, or beyond a gate of its ramp. `release`: its id; otherwise
/// the one that is under way.
pub async fn gate(client: &Session, name: &str, release: Option<&str>) -> Result<Passage, ExecuteError> {
    let not_yet = |why: String| Passage { admission: Admission::NotYet(why), release: release.map(str::to_owned) };
    let Some((begun, status)) = status(client).await? else {
        return Ok(not_yet("no release was begun in this database".into()));
    };
    let Release { id, .. } = begun;
    match release {
        None if status.is_over() => Ok(not_yet(format!(
            "release {id} is over, and no other one was begun; --release names the one that is meant"
        ))),
        Some(wanted) if wanted != id => {
            match super::releases(client).await?.iter().any(|release| release.id == wanted) {
                true => {
                    let admission = passes(wanted, &status_of(client, wanted).await?, name);
                    Ok(Passage { admission, release: Some(wanted.to_owned()) })
                }
                false => Ok(not_yet(format!("release {wanted} was not begun; the last one is {id}"))),
            }
        }
        _ => Ok(Passage { admission: passes(&id, &status, name), release: Some(id) }),
    }
}

/// The oldest version that works on the schema, as far as the release proves it.
pub(super) fn floor<'a>(migrations: &'a Migrations, status: &Status) -> Option<&'a str> {
    match status.past_no_return {
        Some(_) => migrations.green(),
        None => migrations.blue(),
    }
}

/// Whether a version serves while a release is where it is.
fn serves(release: &str, plan: &SavedPlan, status: &Status, version: &str) -> Admission {
    use Admission::{NotYet, Open, Refused};
    let Migrations { convention, applied, pending, .. } = &plan.migrations;
    let same = |other: Option<&str>| {
        other.is_some_and(|other| convention.version_key(other) == convention.version_key(version))
    };
    let (blue, green) = (plan.migrations.blue(), plan.migrations.green());
    let between = (blue.unwrap_or("nothing"), green.unwrap_or("nothing"));
    let goes_back = matches!(status.stage, Stage::RollingBack | Stage::RolledBack);
    let contracts = plan.steps.iter().any(|step| step.phase == Phase::After && step.point_of_no_return);
    if same(green) && goes_back && !same(blue) {
        Refused(format!("release {release}, which brings {version}, went back to {}", between.0))
    } else if same(green) {
        match status.expanded || same(blue) {
            true => Open(format!("the schema has what {version} needs (release {release})")),
            false => NotYet(format!("release {release} has not made what {version} needs")),
        }
    } else if same(blue) {
        match (status.past_no_return, &status.stage) {
            (Some(step), _) => Refused(format!(
                "step {step} of release {release} took away what {version} needs; {} is the oldest version that may run",
                between.1
            )),
            (None, Stage::After) if contracts => {
                Refused(format!("release {release} is about to take away what {version} needs: it was seen drained"))
            }
            (None, Stage::Done) => Open(format!("release {release} took nothing away that {version} needs")),
            _ => Open(format!("the schema still has what {version} needs (release {release})")),
        }
    } else if applied.iter().any(|one| same(Some(&one.version))) {
        let floor = floor(&plan.migrations, status).unwrap_or("nothing");
        Refused(format!("{version} is older than {floor}, the oldest version that release {release} was proved for"))
    } else if pending.iter().any(|one| same(Some(&one.version))) {
        Refused(format!(
            "release {release} goes from {} to {}, and was not proved for a version at {version}",
            between.0, between.1
        ))
    } else {
        NotYet(format!(
            "no release has brought {version}: the last one, {release}, goes from {} to {}",
            between.0, between.1
        ))
    }
}

/// Whether a release has come to a place.
fn passes(release: &str, status: &Status, name: &str) -> Admission {
    let place = [Until::Expanded, Until::Shifted, Until::Drained].into_iter().find(|until| until.name() == name);
    let steps = status.traffic.ramp.steps();
    let at = steps.iter().position(|step| matches!(step, RampStep::Approve { approve } if approve == name));
    let (known, passed) = match (place, at) {
        (Some(until), _) => (true, status.has_come_to(until)),
        (None, _) if name == "done" => (true, status.stage == Stage::Done),
        (None, Some(at)) => (true, status.traffic.ramp_done > at),
        (None, None) => (false, false),
    };
    if !known {
        let own = steps.iter().filter_map(|step| match step {
            RampStep::Approve { approve } => Some(approve.as_str()),
            RampStep::Share(_) | RampStep::Hold { .. } | RampStep::Check { .. } => None,
        });
        let names: Vec<&str> = ["expanded", "shifted", "drained", "done"].into_iter().chain(own).collect();
        return Admission::Refused(format!("release {release} has no gate {name}; it has {}", names.join(", ")));
    }
    let goes_back = matches!(status.stage, Stage::RollingBack | Stage::RolledBack);
    match (goes_back, passed) {
        (true, _) => Admission::Refused(format!("release {release} went back to blue")),
        (false, true) => Admission::Open(format!("release {release} has come to {name}")),
        (false, false) => Admission::NotYet(format!("release {release} has not come to {name}")),
    }
}

/// What the history has, where it has more than the release that is over: somebody migrated without cutover since.
async fn behind_the_release(
    client: &Session,
    migrations: &Migrations,
    status: &Status,
) -> Result<Option<Vec<String>>, ExecuteError> {
    if !status.is_over() {
        return Ok(None);
    }
    let convention = migrations.convention;
    let rows = history::applied_at(client, history::place(migrations)).await?;
    let known: Vec<String> = migrations
        .applied
        .iter()
        .chain(&migrations.pending)
        .map(|migration| convention.version_key(&migration.version))
        .collect();
    let versions: Vec<String> = rows.into_iter().filter(|row| !row.floor).map(|row| row.version).collect();
    let more = versions.iter().any(|version| !known.contains(version) && !convention.is_repeatable(version));
    Ok(more.then_some(versions))
}

/// Without a release, the history of the only tool that has one here says which version the schema was made for.
async fn by_history(client: &Session, version: &str) -> Result<Admission, ExecuteError> {
    let found = survey(client).await.map_err(failed("looking for the history of migrations"))?;
    let mut histories = found.all().iter().filter_map(|found| Some((found, found.convention?)));
    let (Some((found, convention)), None) = (histories.next(), histories.next()) else {
        let why = "no release was begun in this database, and no one history of migrations says which version its schema was made for";
        return Ok(Admission::Refused(why.into()));
    };
    let table = format!("{}.{}", found.schema, found.table);
    let place = HistoryPlace { convention, table: Some(&table), folder: None };
    let rows = history::applied_at(client, place).await?;
    let versions: Vec<String> = rows.into_iter().map(|row| row.version).collect();
    Ok(by_versions(convention, &versions, &table, version))
}

/// A version may serve if it is the last one that a history has: what came behind it may have taken away what it needs.
fn by_versions(convention: Convention, versions: &[String], history: &str, version: &str) -> Admission {
    let key = convention.version_key(version);
    let ordered: Vec<&String> = versions.iter().filter(|version| !convention.is_repeatable(version)).collect();
    let numbered = ordered.iter().all(|version| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let last = match numbered {
        true => ordered.iter().max_by_key(|version| Version::new(version.as_str())),
        false => ordered.last(),
    };
    match last {
        Some(last) if **last == key => Admission::Open(format!("{version} is the last migration of {history}")),
        Some(last) if versions.contains(&key) => Admission::Refused(format!(
            "{history} goes on to {last} behind {version}, and no release of cutover says whether {version} still works"
        )),
        _ => Admission::NotYet(format!("{history} does not have {version}")),
    }
}
