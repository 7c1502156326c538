//! What a release is made of, before anything of it is read: `cutover.toml`, and what somebody says beside it.

use camino::{Utf8Path, Utf8PathBuf};

use super::{Dump, Note, Project, ProjectError};
use crate::compat::Assume;
use crate::config::{self, Config, Inputs, LintConfig, Variables};
use crate::diagnostic::Diagnostic;
use crate::migrations::{self, Reading};
use crate::plan;
use crate::stats::{Settings, Statistics, Weighing};
use crate::workload::{self, Location, Workload};

/// What a release is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Definition {
    /// The folder of the migrations.
    pub folder: Utf8PathBuf,
    /// What the release is made of, by `cutover.toml` and by what was said beside it.
    pub inputs: Inputs,
    /// Whether the version that production is at was said for this release.
    pub from_is_given: bool,
    /// What the team makes of findings.
    pub lint: LintConfig,
    /// What the team makes of the figures of `cutover stats`.
    pub stats_settings: Settings,
}

/// How a file of statistics is made anew.
pub(super) const MEASURE_AGAIN: &str = "write it again: cutover stats --database URL -o";

impl Definition {
    /// Reads the `cutover.toml` of a folder, if it has one. The folder itself holds the migrations unless that file says where they are. What is
    /// said for this release counts before what the file says.
    pub fn find(folder: &Utf8Path, said: &Inputs) -> Result<Self, ProjectError> {
        Self::find_with(folder, said, &Variables::default())
    }

    /// The same, with what environment variables say instead of `cutover.toml`.
    pub fn find_with(folder: &Utf8Path, said: &Inputs, variables: &Variables) -> Result<Self, ProjectError> {
        if !folder.is_dir() {
            return Err(ProjectError::NoFolder { folder: folder.to_owned(), exists: folder.exists() });
        }
        let Config { migrations, inputs, lint, stats, .. } = config::find_with(folder, variables)?.unwrap_or_default();
        Ok(Self {
            folder: migrations.unwrap_or_else(|| folder.to_owned()),
            from_is_given: said.from.is_some(),
            inputs: said.clone().or(inputs),
            lint,
            stats_settings: stats,
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
        let inputs = &self.inputs;
        let reading = Reading { convention: inputs.convention, placeholders: inputs.placeholders.clone() };
        let mut folder = migrations::load_with(&self.folder, &reading).map_err(ProjectError::from)?;
        let dump = inputs.base_schema.as_ref().map(|path| folder.add_dump(path)).transpose();
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
        let (blue, green) = (queries(&inputs.blue)?, queries(&inputs.green)?);
        if inputs.assume == Some(Assume::Workload) && (blue.is_none() || green.is_none()) {
            return Err(ProjectError::AssumeWithoutQueries.into());
        }
        let mut notes = Vec::new();
        let weighing = match &inputs.stats {
            Some(path) => Some(weighing(path, self.stats_settings, &mut notes)?),
            None => None,
        };
        Ok(Project {
            folder,
            from: inputs.from.clone(),
            from_is_given: self.from_is_given,
            dump,
            history_table: inputs.history_table.clone(),
            release: inputs.release.clone(),
            blue,
            green,
            lint: self.lint.clone(),
            pg_version: inputs.pg_version,
            assume: inputs.assume.unwrap_or_default(),
            weighing,
            blue_source: None,
            unread,
            notes,
        })
    }

    /// What a search of the source passes over: the migrations, and files of queries, which mention all that they use. A folder of queries
    /// may hold the program, too.
    pub fn known_to_mention(&self) -> Vec<Utf8PathBuf> {
        let Inputs { blue, green, .. } = &self.inputs;
        let locations = blue.iter().chain(green).map(|location| Utf8PathBuf::from(&location.path));
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
