//! What was found in some migrations, as a value that every output format is made of.

use camino::Utf8PathBuf;

use super::Allowed;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Sources;

/// What `lint` found.
#[derive(Debug, Clone, Default)]
pub struct LintReport {
    /// Findings with their fingerprints, in the order they are told.
    pub findings: Vec<(Diagnostic, String)>,
    /// What authors allow.
    pub allowed: Vec<Allowed>,
    /// How many findings the baseline has.
    pub baselined: usize,
    /// The files of all places.
    pub sources: Sources,
    /// The migrations that were looked at.
    pub migrations: Vec<Utf8PathBuf>,
    /// How many statements they have.
    pub statements: usize,
    /// What stands before the paths for a service that counts them from the repository's root.
    pub root: Utf8PathBuf,
}

impl LintReport {
    /// How many findings of a severity there are.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|(d, _)| d.severity == severity).count()
    }

    /// `Found 2 errors, 1 warning in 3 migrations (7 statements)`
    pub fn summary(&self) -> String {
        let counts = [Severity::Error, Severity::Warning, Severity::Info].map(|s| (self.count(s), s.name()));
        let counts: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| counted(*n, what)).collect();
        let found = if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") };
        let mut text = format!(
            "Found {found} in {} ({})",
            counted(self.migrations.len(), "migration"),
            counted(self.statements, "statement")
        );
        if !self.allowed.is_empty() {
            text.push_str(&format!(", {} allowed", self.allowed.len()));
        }
        if self.baselined > 0 {
            text.push_str(&format!(", {} in the baseline", self.baselined));
        }
        text
    }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
