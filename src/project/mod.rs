//! A project: a folder of migrations with its `cutover.toml`, the queries of both versions, and what a team has settled. What the commands do
//! with it, without their output: plan, lint, and what is pending by the word of somebody. What a database says of it is `postgres::base`.

mod definition;
mod error;
mod findings;
mod releases;

use std::fmt;

use crate::compat::Assume;
use crate::compat::mention::Tree;
use crate::config::LintConfig;
use crate::diagnostic::Diagnostic;
use crate::effect::PgVersion;
use crate::migrations::{Folder, Migration, Pending};
#[cfg(feature = "live")]
use crate::plan::saved::SavedPlan;
use crate::plan::{self, Planned, Request};
#[cfg(feature = "live")]
use crate::rehearse::Script;
use crate::release;
use crate::schema::Schema;
use crate::source::Sources;
use crate::stats::Weighing;
use crate::workload::Workload;

pub use crate::config::Inputs;
pub use definition::Definition;
pub use error::ProjectError;
pub use findings::Findings;
pub use releases::{Looked, Releases};

/// A dump of production's schema that stands for the applied migrations.
#[derive(Debug)]
pub struct Dump {
    /// The file.
    pub file: Migration,
    /// The schema it makes.
    pub schema: Schema,
    /// Whether all of it could be read.
    pub certain: bool,
}

/// The input of a release, read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Project {
    /// The migrations.
    pub folder: Folder,
    /// The version that production is at, if it was said. `none`: nothing is applied.
    pub from: Option<String>,
    /// Whether that was said beside `cutover.toml`, for this release.
    pub from_is_given: bool,
    /// A dump that stands for the applied migrations.
    pub dump: Option<Dump>,
    /// Where the history of the folder's tool is, if somebody says it.
    pub history_table: Option<String>,
    /// How it is to be released.
    pub release: release::ReleaseDefinition,
    /// The queries of the version in production.
    pub blue: Option<Workload>,
    /// The queries of the version being released.
    pub green: Option<Workload>,
    /// What the team makes of findings.
    pub lint: LintConfig,
    /// The PostgreSQL that production runs, if somebody says it.
    pub pg_version: Option<PgVersion>,
    /// What is assumed beyond the listed queries.
    pub assume: Assume,
    /// Table sizes and query load.
    pub weighing: Option<Weighing>,
    /// The source of the version in production, if it is to be searched for what the release takes away.
    pub blue_source: Option<Box<dyn Tree>>,
    /// Findings on queries, with the files they point to.
    pub unread: Vec<(Diagnostic, Sources)>,
    /// What else is to be said about the input.
    pub notes: Vec<Note>,
}

/// Something to be said that is no finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Something may be wrong.
    Warning(String),
    /// Something is worth knowing.
    Note(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warning(text) => write!(f, "warning: {text}"),
            Self::Note(text) => write!(f, "note: {text}"),
        }
    }
}

impl Project {
    /// The PostgreSQL to plan for, where no server is asked.
    pub fn version(&self) -> PgVersion {
        self.pg_version.or_else(|| self.weighing.as_ref().map(Weighing::version)).unwrap_or_default()
    }

    /// What is pending by `from`. Without it everything is, on an empty database: the note says so.
    pub fn pending(&self) -> Result<(Pending, Option<Note>), ProjectError> {
        if let (None, Some(Dump { file, .. })) = (&self.from, &self.dump) {
            return Err(ProjectError::DumpOfUnknownVersion { dump: file.path.clone() });
        }
        let note = self.from.is_none().then(|| {
            let count = self.folder.migrations.len();
            Note::Note(format!(
                "neither --from nor --database says what is applied already; all {count} migrations are taken as pending on an empty database"
            ))
        });
        Ok((self.folder.pending_from(self.from.as_deref())?, note))
    }

    /// What the plan of these migrations is made of.
    pub fn request<'a>(&'a self, pending: &'a Pending) -> Request<'a> {
        Request {
            blue: self.blue.as_ref(),
            green: self.green.as_ref(),
            weighing: self.weighing.as_ref(),
            version: self.version(),
            assume: self.assume,
            blue_source: self.blue_source.as_deref(),
            history_table: self.history_table.as_deref(),
            release: Some(&self.release),
            base: self.dump.as_ref().map(|dump| &dump.schema),
            base_is_uncertain: self.dump.as_ref().is_some_and(|dump| !dump.certain),
            base_files: self.dump.as_ref().map(|dump| std::slice::from_ref(&dump.file)).unwrap_or_default(),
            ..Request::new(&self.folder, pending)
        }
    }

    /// What a rehearsal of a plan of these migrations plays.
    #[cfg(feature = "live")]
    pub fn script<'a>(&'a self, plan: &'a SavedPlan, pending: &'a Pending) -> Script<'a> {
        Script {
            plan,
            folder: &self.folder,
            applied: &pending.applied,
            pending: &pending.pending,
            blue: self.blue.as_ref(),
            green: self.green.as_ref(),
        }
    }

    /// The plan of these migrations, by the files alone.
    pub fn plan(&self, pending: &Pending) -> Planned {
        plan::plan(self.request(pending))
    }
}
