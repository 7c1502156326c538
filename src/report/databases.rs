//! Where the databases stand that follow the one that leads a release: how many where, and which are not where most are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::execute::{Overview, Stage, Trouble};
use crate::fleet::MemberError;
use crate::release::Share;

/// Where one of many databases stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DatabaseStatus {
    /// Its name.
    pub name: String,
    /// The release that was begun there last; none: there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// How far that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Whether its phase before the cutover is over.
    pub expanded: bool,
    /// How many of its steps are done.
    pub done: usize,
    /// How many it has.
    pub steps: usize,
    /// Why it stands still, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// Why it cannot be read, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl DatabaseStatus {
    /// Of a database by its name and what was found there.
    pub fn new(name: String, found: Result<Option<Overview>, MemberError>) -> Self {
        let nothing =
            Self { name, release: None, stage: None, expanded: false, done: 0, steps: 0, trouble: None, error: None };
        match found {
            Err(error) => Self { error: Some(error.to_string()), ..nothing },
            Ok(None) => nothing,
            Ok(Some(Overview { release, status, steps, .. })) => Self {
                release: Some(release.id),
                expanded: status.expanded,
                done: status.done(),
                steps,
                // It follows, so that as long as it moves no traffic it waits.
                stage: Some(status.stage)
                    .filter(|stage| *stage != Stage::Shifting || status.traffic.share != Share::NONE),
                trouble: status.trouble,
                ..nothing
            },
        }
    }

    /// Where it stands, as those have it that stand there as well.
    fn place(&self, lead: Option<&str>) -> String {
        let Some(release) = &self.release else {
            return if self.error.is_some() { "cannot be read" } else { "no release" }.to_owned();
        };
        let stage = self.stage.as_ref().map_or_else(|| "expanded".to_owned(), ToString::to_string);
        let place = if self.trouble.is_some() { format!("{stage}, stopped") } else { stage };
        if lead == Some(release) { place } else { format!("{place} (release {release})") }
    }

    /// What is amiss, for people.
    fn amiss(&self) -> Option<String> {
        match (&self.error, &self.trouble) {
            (Some(error), _) => Some(error.clone()),
            (None, Some(Trouble::Failed { step: Some(step), message } | Trouble::Stuck { step, message })) => {
                Some(format!("step {step}: {message}"))
            }
            (None, Some(Trouble::Failed { step: None, message })) => Some(message.clone()),
            (None, Some(Trouble::Interrupted)) => Some("interrupted".to_owned()),
            (None, None) => None,
        }
    }
}

/// How many that are not where most are get a line of their own.
const LISTED: usize = 20;

/// How many stand where, and those that are not where most are. `lead`: the release of the database that leads.
pub fn render_databases(all: &[DatabaseStatus], lead: Option<&str>) -> String {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for database in all {
        *places.entry(database.place(lead)).or_default() += 1;
    }
    let mut counts: Vec<(&String, &usize)> = places.iter().collect();
    counts.sort_by(|(one, many), (other, more)| more.cmp(many).then(one.cmp(other)));
    let most = counts.first().map(|(place, _)| (*place).clone());
    let said: Vec<String> = counts.iter().map(|(place, count)| format!("{count} {place}")).collect();
    let mut lines = vec![format!("Databases  {} follow: {}", all.len(), said.join("; "))];
    let odd: Vec<&DatabaseStatus> =
        all.iter().filter(|database| database.amiss().is_some() || Some(database.place(lead)) != most).collect();
    lines.extend(odd.iter().take(LISTED).map(|database| {
        let amiss = database.amiss().map(|why| format!(": {why}")).unwrap_or_default();
        let steps =
            if database.steps > 0 { format!(", {} of {} steps", database.done, database.steps) } else { String::new() };
        format!("           {}  {}{steps}{amiss}", database.name, database.place(lead))
    }));
    if odd.len() > LISTED {
        lines.push(format!("           and {} more", odd.len() - LISTED));
    }
    lines.join("\n")
}
