//! What is found in releases of a folder: in one, or in each migration taken as a release of its own.

use std::sync::{Mutex, PoisonError};

use camino::Utf8PathBuf;

use super::Project;
use crate::diagnostic::Diagnostic;
use crate::lint::Allowed;
use crate::migrations::{Migration, Pending};
use crate::parallel;
use crate::plan::{self, Checked, ObservedEffects, Request};
use crate::schema::Schema;
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
    /// The folder's files, then the queries'; `None` where there are no queries.
    pub sources: Option<Sources>,
    /// What is found in no release, such as a file that is gone.
    pub others: Vec<Diagnostic>,
}

impl Looked {
    fn of(pending: &Pending, checked: Checked) -> Self {
        Self {
            paths: pending.pending.iter().map(|migration| migration.path.clone()).collect(),
            diagnostics: checked.diagnostics,
            allowed: checked.allowed,
            statements: checked.statements,
        }
    }
}

impl Project {
    /// What is found in one release.
    pub fn check(&self, request: Request<'_>) -> Releases {
        let pending = request.pending;
        let mut checked = plan::check(request);
        let sources = Some(std::mem::take(&mut checked.sources));
        Releases { looked: vec![Looked::of(pending, checked)], sources, others: Vec::new() }
    }

    /// What is found in each migration as a release of its own, on top of those before it. Nobody's queries are known: those of today would not
    /// fit. `observed`: what statements that cannot be read were seen to do.
    pub fn check_each(&self, observed: Option<&ObservedEffects>) -> Releases {
        const FEW: usize = 32;
        /// How many migrations are read at a time: what was read, and the schemas between, are large.
        const AT_ONCE: usize = 64;
        let folder = &self.folder;
        let mut looked = Vec::with_capacity(folder.migrations.len());
        let (mut schema, mut certain) = (Schema::empty(), true);
        let alone = |migration: &Migration| Pending { applied: Vec::new(), pending: vec![migration.clone()] };
        // What was seen of earlier migrations is handed on from one to the next.
        if observed.is_some() {
            for migration in &folder.migrations {
                let pending = alone(migration);
                let checked = plan::check(self.request_of_one(&pending, &schema, certain, observed));
                (schema, certain) = (checked.last.clone(), checked.last_is_certain);
                looked.push(Looked::of(&pending, checked));
            }
            return Releases { looked, ..Releases::default() };
        }
        // Each is read once, and only the schemas follow each other.
        for some in folder.migrations.chunks(AT_ONCE) {
            let mut read_ones = Vec::with_capacity(some.len());
            for (migration, read) in some.iter().zip(plan::read(folder, some.iter())) {
                let (after, reads_well) = plan::replay_one(folder, schema.clone(), &read);
                // Once here, and not anew in each release behind it.
                let before = std::mem::replace(&mut schema, after.followed());
                read_ones.push((alone(migration), before, certain, Mutex::new(Some(read))));
                certain &= reads_well && migration.program.is_none();
            }
            let checked = parallel::map(&read_ones, FEW, |(pending, base, certain, read)| {
                // Whoever made up for a thread that died finds nothing here any more.
                let read = read.lock().unwrap_or_else(PoisonError::into_inner).take();
                let read = read.map_or_else(|| plan::read(folder, pending.pending.iter()), |read| vec![read]);
                Looked::of(pending, plan::check_read(self.request_of_one(pending, base, *certain, None), read))
            });
            looked.extend(checked);
        }
        Releases { looked, ..Releases::default() }
    }

    /// One migration as a release on a schema, without anybody's queries.
    fn request_of_one<'a>(
        &'a self,
        pending: &'a Pending,
        base: &'a Schema,
        certain: bool,
        observed: Option<&'a ObservedEffects>,
    ) -> Request<'a> {
        Request {
            base: Some(base),
            base_is_uncertain: !certain,
            observed,
            weighing: self.weighing.as_ref(),
            version: self.version(),
            assume: self.assume,
            ..Request::new(&self.folder, pending)
        }
    }
}
