//! What a release is made of, before anything of it is read: `cutover.toml`, and what somebody says beside it.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Dump, Note, Project, ProjectError};
use crate::compat::Assume;
use crate::config::{self, Config, LintConfig};
use crate::diagnostic::Diagnostic;
use crate::effect::PgVersion;
use crate::migrations::{self, Convention, Reading};
use crate::plan;
use crate::stats::{Settings, Statistics, Weighing};
use crate::workload::{self, Location, Workload};

/// What somebody says for this release. It counts before what `cutover.toml` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// How the folder is named and ordered.
    pub convention: Option<Convention>,
    /// Values of `${name}` in the migrations.
    pub placeholders: BTreeMap<String, String>,
    /// The version that production is at.
    pub from: Option<String>,
    /// A dump of production's schema.
    pub base_schema: Option<Utf8PathBuf>,
    /// The table of the tool's history.
    pub history_table: Option<String>,
    /// The queries of the version in production.
    pub blue: Option<Location>,
    /// The queries of the version being released.
    pub green: Option<Location>,
    /// Folders with the source of the version in production.
    pub blue_source: Vec<Utf8PathBuf>,
    /// What to assume beyond the listed queries.
    pub assume: Option<Assume>,
    /// The PostgreSQL that production runs.
    pub pg_version: Option<PgVersion>,
    /// A file of `cutover stats`.
    pub stats: Option<Utf8PathBuf>,
}

/// What a release is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Definition {
    /// The folder of the migrations.
    pub folder: Utf8PathBuf,
    /// How it is read.
    pub reading: Reading,
    /// The version that production is at.
    pub from: Option<String>,
    /// Whether that was said for this release.
    pub from_is_given: bool,
    /// A dump of production's schema.
    pub base_schema: Option<Utf8PathBuf>,
    /// The table of the tool's history.
    pub history_table: Option<String>,
    /// Where the queries of the version in production are.
    pub blue: Option<Location>,
    /// Where the queries of the version being released are.
    pub green: Option<Location>,
    /// Folders with the source of the version in production.
    pub blue_source: Vec<Utf8PathBuf>,
    /// What to assume beyond the listed queries.
    pub assume: Option<Assume>,
    /// The PostgreSQL that production runs.
    pub pg_version: Option<PgVersion>,
    /// What the team makes of findings.
    pub lint: LintConfig,
    /// A file of `cutover stats`.
    pub stats: Option<Utf8PathBuf>,
    /// What the team makes of its figures.
    pub stats_settings: Settings,
}

/// How a file of statistics is made anew.
pub(super) const MEASURE_AGAIN: &str = "write it again: cutover stats --database URL -o";

impl Definition {
    /// Reads the `cutover.toml` of a folder, if it has one. The folder itself holds the migrations unless that file says where they are.
    pub fn find(folder: &Utf8Path, overrides: &Overrides) -> Result<Self, ProjectError> {
        if !folder.is_dir() {
            return Err(ProjectError::NoFolder { folder: folder.to_owned(), exists: folder.exists() });
        }
        let config: Config = config::find(folder)?.unwrap_or_default();
        let Overrides {
            convention,
            placeholders,
            from,
            base_schema,
            history_table,
            blue,
            green,
            blue_source,
            assume,
            pg_version,
            stats,
        } = overrides.clone();
        Ok(Self {
            folder: config.migrations.unwrap_or_else(|| folder.to_owned()),
            reading: Reading {
                convention: convention.or(config.convention),
                placeholders: config.placeholders.into_iter().chain(placeholders).collect(),
            },
            from_is_given: from.is_some(),
            from: from.or(config.from),
            base_schema: base_schema.or(config.base_schema),
            history_table: history_table.or(config.history_table),
            blue: blue.or(config.blue),
            green: green.or(config.green),
            blue_source: if blue_source.is_empty() { config.blue_source } else { blue_source },
            assume: assume.or(config.assume),
            pg_version,
            lint: config.lint,
            stats: stats.or(config.stats.file),
            stats_settings: config.stats.settings,
        })
    }

    /// Reads everything. Queries that a live server counts are refused here: [`Definition::open_with`] takes them from whoever asks it.
    pub fn open(&self) -> Result<Project, ProjectError> {
        self.open_with(|location| workload::load_from(location).map_err(ProjectError::from))
    }

    /// Reads everything, and the queries of a version with a reader of the caller's.
    pub fn open_with<E: From<ProjectError>>(
        &self,
        mut load: impl FnMut(&Location) -> Result<(Workload, Vec<Diagnostic>), E>,
    ) -> Result<Project, E> {
        let mut folder = migrations::load_with(&self.folder, &self.reading).map_err(ProjectError::from)?;
        let dump = self.base_schema.as_ref().map(|path| folder.add_dump(path)).transpose();
        let dump = dump.map_err(ProjectError::from)?.map(|file| {
            let (schema, certain) = plan::replay(&folder, std::slice::from_ref(&file));
            Dump { file, schema, certain }
        });
        let mut unread = Vec::new();
        let mut queries = |location: &Option<Location>| {
            let Some(location) = location else { return Ok(None) };
            let (workload, diagnostics) = load(location)?;
            unread.extend(diagnostics.into_iter().map(|diagnostic| (diagnostic, workload.sources.clone())));
            Ok::<_, E>(Some(workload))
        };
        let (blue, green) = (queries(&self.blue)?, queries(&self.green)?);
        if self.assume == Some(Assume::Workload) && (blue.is_none() || green.is_none()) {
            return Err(ProjectError::AssumeWithoutQueries.into());
        }
        let mut notes = Vec::new();
        let weighing = match &self.stats {
            Some(path) => Some(weighing(path, self.stats_settings, &mut notes)?),
            None => None,
        };
        Ok(Project {
            folder,
            from: self.from.clone(),
            from_is_given: self.from_is_given,
            dump,
            history_table: self.history_table.clone(),
            blue,
            green,
            lint: self.lint.clone(),
            pg_version: self.pg_version,
            assume: self.assume.unwrap_or_default(),
            weighing,
            blue_source: None,
            unread,
            notes,
        })
    }

    /// What a search of the source passes over: the migrations, and files of queries, which mention all that they use. A folder of queries
    /// may hold the program, too.
    pub fn known_to_mention(&self) -> Vec<Utf8PathBuf> {
        let locations = self.blue.iter().chain(&self.green).map(|location| Utf8PathBuf::from(&location.path));
        locations.filter(|path| path.is_file()).chain([self.folder.clone()]).collect()
    }
}

/// Reads a file of statistics and says what is wrong with it as a whole.
fn weighing(path: &Utf8Path, settings: Settings, notes: &mut Vec<Note>) -> Result<Weighing, ProjectError> {
    let bad = |message: String| ProjectError::Statistics { path: path.to_owned(), message };
    let text = fs_err::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    let statistics = Statistics::from_json(&text).map_err(|error| bad(format!("{path}: {error}")))?;
    let age = age_in_days(&statistics.measured_at);
    let weighing = Weighing::new(statistics, settings, age);
    notes.extend(weighing.doubts().iter().map(|doubt| {
        Note::Warning(format!("{path}: {doubt}; its figures are taken as assumed ({MEASURE_AGAIN} {path})"))
    }));
    notes.extend(weighing.missing().map(|missing| Note::Note(format!("{path}: {missing}"))));
    Ok(weighing)
}

/// How long ago something was measured, if that can be told.
fn age_in_days(measured_at: &str) -> Option<f64> {
    let measured: jiff::Timestamp = measured_at.parse().ok()?;
    Some(jiff::Timestamp::now().duration_since(measured).as_secs_f64() / 86_400.0)
}
