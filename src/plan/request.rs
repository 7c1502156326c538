//! What goes into the planner, and what comes out of it.

use super::saved::SavedPlan;
use super::{Begun, ObservedEffects};
use crate::compat::Assume;
use crate::compat::mention::Tree;
use crate::diagnostic::Diagnostic;
use crate::effect::PgVersion;
use crate::lint::Allowed;
use crate::migrations::{Folder, Migration, Pending};
use crate::release::ReleaseDefinition;
use crate::schema::Schema;
use crate::source::Sources;
use crate::stats::Weighing;
use crate::workload::Workload;

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The migrations.
    pub folder: &'a Folder,
    /// Which of them are to be applied.
    pub pending: &'a Pending,
    /// The schema before the release, as a live database has it. Otherwise the applied migrations are simulated.
    pub base: Option<&'a Schema>,
    /// The files that `base` was read from, if it was read from text; what is not understood in them is told.
    pub base_files: &'a [Migration],
    /// The table of the tool's history, if somebody names it.
    pub history_table: Option<&'a str>,
    /// How it is to be released, if somebody says it.
    pub release: Option<&'a ReleaseDefinition>,
    /// The queries of the version in production.
    pub blue: Option<&'a Workload>,
    /// The queries of the version being released.
    pub green: Option<&'a Workload>,
    /// What statements that cannot be read were seen to do on a real server.
    pub observed: Option<&'a ObservedEffects>,
    /// What production holds and is asked.
    pub weighing: Option<&'a Weighing>,
    /// The PostgreSQL that production runs.
    pub version: PgVersion,
    /// How far the queries are believed.
    pub assume: Assume,
    /// The source of the version in production, to be searched for what the release takes away.
    pub blue_source: Option<&'a dyn Tree>,
    /// Whether the base schema holds what nobody could read, so that something may be there that is not known.
    pub base_is_uncertain: bool,
    /// Whether the base schema was read from a server, and not from files.
    pub base_is_real: bool,
    /// The release that is carried on, where some of the migrations have run. The base is the schema before its first step.
    pub begun: Option<&'a Begun>,
}

impl<'a> Request<'a> {
    /// A request without a live database, queries, observations, statistics, or sources.
    pub fn new(folder: &'a Folder, pending: &'a Pending) -> Self {
        let version = PgVersion::default();
        let (base, blue, green, observed, weighing, assume) = (None, None, None, None, None, Assume::default());
        let (base_files, history_table) = (&[], None);
        Self {
            folder,
            pending,
            base,
            base_files,
            history_table,
            release: None,
            blue,
            green,
            observed,
            weighing,
            version,
            assume,
            blue_source: None,
            base_is_uncertain: false,
            base_is_real: false,
            begun: None,
        }
    }
}

impl<'a> Request<'a> {
    /// The same on the schema of a server, where one was read: it stands for what files tell.
    pub fn on(self, real: Option<&'a Schema>) -> Self {
        match real {
            Some(_) => Self { base: real, base_files: &[], base_is_real: true, ..self },
            None => self,
        }
    }
}

impl<'a> Request<'a> {
    /// The files that the schema before the release is made of.
    pub(super) fn files_of_base(&self) -> &'a [Migration] {
        if self.base.is_some() { self.base_files } else { &self.pending.applied }
    }
}

/// A plan with what is to be said about it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The plan, sealed.
    pub plan: SavedPlan,
    /// Findings with their places in `sources`.
    pub diagnostics: Vec<Diagnostic>,
    /// Findings that the author allows.
    pub allowed: Vec<Allowed>,
    /// How many statements the pending migrations have.
    pub statements: usize,
    /// The migrations, then blue's queries, then green's, then the files of blue's source that mention what is taken away.
    pub sources: Sources,
    /// The schema before the release.
    pub base: Schema,
    /// The schema between the phases.
    pub overlap: Schema,
    /// The schema after the release.
    pub last: Schema,
}

/// What is to be said about a release.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Findings with their places in `sources`.
    pub diagnostics: Vec<Diagnostic>,
    /// Findings that the author allows.
    pub allowed: Vec<Allowed>,
    /// How many statements the pending migrations have.
    pub statements: usize,
    /// The migrations, then blue's queries, then green's, then the files of blue's source that mention what is taken away.
    pub sources: Sources,
    /// The schema before the release.
    pub base: Schema,
    /// The schema between the phases.
    pub overlap: Schema,
    /// The schema after the release.
    pub last: Schema,
    /// Whether all that made it could be read, so that it lacks nothing.
    pub last_is_certain: bool,
}
