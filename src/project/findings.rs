//! What `lint` finds in one or more projects, as one report.

use std::cmp::Reverse;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Project, ProjectError, Releases};
use crate::lint::baseline::Baseline;
use crate::lint::{LintReport, fingerprints, group};

/// What was found in some projects.
#[derive(Debug, Clone)]
pub struct Findings {
    report: LintReport,
    baseline: Baseline,
    /// Whether figures of production stand beside it.
    weighed: bool,
    looked_at: Vec<Utf8PathBuf>,
}

impl Findings {
    /// Nothing yet. `root`: what stands before the paths for a service that counts them from the repository's root.
    pub fn new(root: Utf8PathBuf) -> Self {
        let report = LintReport { root, ..LintReport::default() };
        Self { report, baseline: Baseline::empty(), weighed: false, looked_at: Vec::new() }
    }

    /// Adds what was found in a project, at the levels of its team.
    pub fn add(&mut self, project: &Project, releases: Releases) {
        let report = &mut self.report;
        self.weighed |= project.weighing.is_some();
        // The folder's files, then the queries': the same in each of its releases.
        let sources = releases.sources.unwrap_or_else(|| project.folder.sources.clone());
        let offset = report.sources.append(&sources);
        let mut diagnostics = releases.others;
        for looked in releases.looked {
            diagnostics.extend(looked.diagnostics);
            report.statements += looked.statements;
            report.migrations.extend(looked.paths.iter().map(|path| project.folder.path.join(path)));
            self.looked_at.extend(looked.paths);
            report.allowed.extend(looked.allowed.into_iter().map(|mut allowed| {
                allowed.diagnostic = allowed.diagnostic.moved(offset);
                allowed
            }));
        }
        let mut diagnostics = project.lint.levels.apply(diagnostics);
        diagnostics.sort_by_key(|d| (d.span().map(|s| (s.file, s.start)), Reverse(d.severity)));
        let prints = fingerprints(&diagnostics, &sources, &project.folder.path);
        self.baseline.findings.extend(Baseline::of(&diagnostics, &prints, &sources, &project.folder.path).findings);
        report.findings.extend(diagnostics.into_iter().map(|d| d.moved(offset)).zip(prints));
        for (diagnostic, sources) in &project.unread {
            let diagnostics = project.lint.levels.apply(vec![diagnostic.clone()]);
            let prints = fingerprints(&diagnostics, sources, Utf8Path::new(""));
            self.baseline.findings.extend(Baseline::of(&diagnostics, &prints, sources, Utf8Path::new("")).findings);
            let offset = report.sources.append(sources);
            report.findings.extend(diagnostics.into_iter().map(|d| d.moved(offset)).zip(prints));
        }
    }

    /// A baseline of all that was found.
    pub fn baseline(&self) -> Baseline {
        let mut baseline = self.baseline.clone();
        baseline.findings.sort();
        baseline
    }

    /// Takes away what a baseline knows, and adds what is in it no longer.
    pub fn without(&mut self, path: &Utf8Path) -> Result<(), ProjectError> {
        let bad = |message, is_read| ProjectError::Baseline { path: path.to_owned(), message, is_read };
        let text = fs_err::read_to_string(path).map_err(|error| bad(error.to_string(), false))?;
        let baseline = Baseline::from_json(&text).map_err(|error| bad(format!("{path}: {error}"), true))?;
        let report = &mut self.report;
        let prints: Vec<String> = report.findings.iter().map(|(_, print)| print.clone()).collect();
        let mut new = baseline.is_new(&prints).into_iter();
        let before = report.findings.len();
        report.findings.retain(|_| new.next().unwrap_or(true));
        report.baselined = before - report.findings.len();
        let stale = baseline.stale(&prints, |path| self.looked_at.iter().any(|seen| seen == path));
        let prints = fingerprints(stale.as_slice(), &report.sources, Utf8Path::new(""));
        report.findings.extend(stale.into_iter().zip(prints));
        Ok(())
    }

    /// The report: one finding a cause. What a baseline knows is no part of a group.
    pub fn report(self) -> LintReport {
        let mut report = self.report;
        report.findings = group(report.findings, self.weighed);
        report
    }
}
