//! Why a release over many databases stops.

use std::fmt;

use crate::execute::{ExecuteError, Outcome};
use crate::postgres::ConnectError;

/// Why a release over many databases stops, or cannot be carried on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// The release in the database that leads stops.
    #[error(transparent)]
    Lead(#[from] ExecuteError),
    /// Nothing was begun in any of them.
    #[error(transparent)]
    NotBegun(Box<Self>),
    /// Another process carries a release on over many databases, in this one's lead.
    #[error("another process carries this release on over its databases (server process {pid})")]
    Busy {
        /// The server process of its session in the database that leads.
        pid: i32,
    },
    /// The release was begun over other databases than are given.
    #[error("{}", other_databases(.release, .missing, .more))]
    OtherDatabases {
        /// The release.
        release: String,
        /// What it was begun with, and is not given.
        missing: Vec<String>,
        /// What is given, and has no part in it.
        more: Vec<String>,
    },
    /// There is none of that name.
    #[error("there is no database {name} among those that follow")]
    NoMember {
        /// The name.
        name: String,
    },
    /// Some databases have not come to where all must be before the release goes on.
    #[error(transparent)]
    Members(#[from] Box<MembersFailed>),
}

/// The databases that have not come to where all must be.
#[derive(Debug)]
pub struct MembersFailed {
    /// Where they were to come, as a person reads it.
    pub place: &'static str,
    /// Those that failed, with the reason, in the order of the list.
    pub failed: Vec<(String, MemberError)>,
    /// How many are there.
    pub came: usize,
    /// How many were left as they were, because others had failed.
    pub left: usize,
}

/// Why one of the databases stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemberError {
    /// It cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Its release stops.
    #[error(transparent)]
    Execute(#[from] Box<ExecuteError>),
    /// Its release waits for something, or stands still.
    #[error("{}", stands(.0))]
    Stands(Outcome),
    /// The lock over all of them was lost with the session that had it.
    #[error("it was not begun with: the session in the database that leads was lost, and with it the right to go on")]
    LockLost,
    /// It is there twice.
    #[error("it is the same database as {other}; leave one of them out")]
    Same {
        /// The other name.
        other: String,
    },
    /// It holds no such release.
    #[error("it holds no release {release}, although the database that leads has moved its traffic")]
    NotBegun {
        /// The release.
        release: String,
    },
}

impl From<ExecuteError> for MemberError {
    fn from(error: ExecuteError) -> Self {
        Self::Execute(Box::new(error))
    }
}

/// How many databases that failed a message names.
const NAMED: usize = 10;

impl std::error::Error for MembersFailed {}

impl fmt::Display for MembersFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, failed, came, left } = self;
        let all = failed.len() + came + left;
        write!(f, "{} of {all} databases {place}; {came} are there", failed.len())?;
        if *left > 0 {
            write!(f, ", {left} were left as they are")?;
        }
        for (name, error) in failed.iter().take(NAMED) {
            write!(f, "\n  {name}: {error}")?;
        }
        match failed.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl FleetError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Lead(error) => return error.hint(),
            Self::NotBegun(error) => return error.hint(),
            Self::Busy { pid } => format!(
                "wait until it ends; `cutover status` shows how far it is. If that process is gone for good, end its session: \
                 SELECT pg_terminate_backend({pid})"
            ),
            Self::OtherDatabases { .. } => "give the same databases, under the same names".to_owned(),
            Self::NoMember { .. } => "`cutover status` with the same databases lists their names".to_owned(),
            Self::Members(failed) => {
                let first = failed.failed.first().and_then(|(_, error)| match error {
                    MemberError::Execute(error) => error.hint(),
                    MemberError::Connect(error) => error.hint().map(|hint| hint.to_string()),
                    _ => None,
                });
                first.unwrap_or_else(|| "fix the cause, then run `cutover resume` with the same databases".to_owned())
            }
        };
        Some(text)
    }
}

fn other_databases(release: &str, missing: &[String], more: &[String]) -> String {
    let list = |what: &str, names: &[String]| match names {
        [] => None,
        names if names.len() <= NAMED => Some(format!("{what} {}", names.join(", "))),
        names => Some(format!("{what} {} and {} more", names[..NAMED].join(", "), names.len() - NAMED)),
    };
    let lists = [list("without", missing), list("with", more)].into_iter().flatten();
    let lists: Vec<String> = lists.collect();
    match lists.is_empty() {
        true => format!("release {release} was begun over the same databases in another order"),
        false => {
            format!("release {release} was begun over other databases; now it is to go on {}", lists.join(", and "))
        }
    }
}

fn stands(outcome: &Outcome) -> String {
    match outcome {
        Outcome::AwaitingTime { until_ms, .. } => {
            let until = jiff::Timestamp::from_millisecond(*until_ms).unwrap_or(jiff::Timestamp::MAX);
            format!("its steps wait until {until}")
        }
        Outcome::Paused { .. } => "it is paused".to_owned(),
        Outcome::AwaitingApproval { .. } => "it waits for approval".to_owned(),
        Outcome::RolledBack { .. } => "it has gone back to blue".to_owned(),
        Outcome::HandedOver { to, .. } => format!("another process goes on with it: {to}"),
        Outcome::Done { .. } | Outcome::Stopped { .. } => "it stands".to_owned(),
    }
}
