//! What is found in releases of a folder: in one, or in each migration taken as a release of its own.

use std::ops::Range;

use camino::Utf8PathBuf;

use super::Project;
use crate::diagnostic::Diagnostic;
use crate::effect::PgVersion;
use crate::lint::Allowed;
use crate::migrations::Pending;
use crate::parallel;
use crate::plan::{self, Checked, ObservedEffects, Request};
use crate::source::Sources;

/// What was found in one release.
#[derive(Debug, Clone)]
pub struct Looked {
    /// Its migrations, below the folder.
    pub paths: Vec<Utf8PathBuf>,
    /// Findings, with their places in the sources of all.
    pub diagnostics: Vec<Diagnostic>,
    /// What authors allow.
    pub allowed: Vec<Allowed>,
    /// How many statements it has.
    pub statements: usize,
}

/// What is found in a folder's releases, and outside of them.
#[derive(Debug, Clone, Default)]
pub struct Releases {
    /// Each release.
    pub looked: Vec<Looked>,
    /// The folder's files, then the queries': the same in each release.
    pub sources: Option<Sources>,
    /// What is found in no release, such as a file that is gone.
    pub others: Vec<Diagnostic>,
}

impl Releases {
    /// Adds what was found in the folder's next releases.
    fn extend(&mut self, next: Self) {
        self.sources = self.sources.take().or(next.sources);
        self.looked.extend(next.looked);
        self.others.extend(next.others);
    }

    fn add(&mut self, pending: &Pending, checked: Checked) {
        self.sources.get_or_insert(checked.sources);
        self.looked.push(Looked {
            paths: pending.pending.iter().map(|migration| migration.path.clone()).collect(),
            diagnostics: checked.diagnostics,
            allowed: checked.allowed,
            statements: checked.statements,
        });
    }
}

impl Project {
    /// What is found in one release.
    pub fn check(&self, request: Request<'_>) -> Releases {
        let mut releases = Releases::default();
        releases.add(request.pending, plan::check(request));
        releases
    }

    /// What is found in each migration as a release of its own, on top of those before it. Nobody's queries are known: those of today would not
    /// fit. `observed`: what statements that cannot be read were seen to do.
    pub fn check_each(&self, observed: Option<&ObservedEffects>) -> Releases {
        let (count, version) = (self.folder.migrations.len(), self.version());
        // What was seen of earlier migrations is not replayed, it is handed on from one to the next.
        let shares = if observed.is_some() { std::iter::once(0..count).collect() } else { shares(count) };
        let mut releases = Releases::default();
        for found in parallel::each(&shares, |share| each_of(self, share.clone(), observed, version)) {
            releases.extend(found);
        }
        releases
    }
}

/// One share of [`Project::check_each`].
fn each_of(project: &Project, share: Range<usize>, observed: Option<&ObservedEffects>, version: PgVersion) -> Releases {
    let migrations = &project.folder.migrations;
    let mut releases = Releases::default();
    // What stands before the share is replayed, once.
    let (mut schema, mut certain) = plan::replay(&project.folder, &migrations[..share.start]);
    for i in share {
        let pending = Pending { applied: Vec::new(), pending: vec![migrations[i].clone()] };
        let checked = plan::check(Request {
            base: Some(&schema),
            base_is_uncertain: !certain,
            observed,
            weighing: project.weighing.as_ref(),
            version,
            assume: project.assume,
            ..Request::new(&project.folder, &pending)
        });
        (schema, certain) = (checked.last.clone(), checked.last_is_certain);
        releases.add(&pending, checked);
    }
    releases
}

/// Shares of a number of migrations, one a processor, that take about as long as each other: a later one has more to replay before it
/// begins, and to replay a migration takes about a third of the time that it takes to look at it.
fn shares(migrations: usize) -> Vec<Range<usize>> {
    const FEW: usize = 32;
    const REPLAY: f64 = 1.0 / 3.0;
    let count = parallel::processors(migrations, FEW);
    let sizes: Vec<f64> = (0..count).map(|i| (1.0 - REPLAY).powi(i as i32)).collect();
    let all: f64 = sizes.iter().sum();
    let mut ends: Vec<usize> = sizes
        .iter()
        .scan(0.0, |sum, size| {
            *sum += size;
            Some((*sum / all * migrations as f64).round() as usize)
        })
        .collect();
    ends[count - 1] = migrations;
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends.iter().copied()).map(|(start, end)| start..end).collect()
}
