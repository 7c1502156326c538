//! The findings that a repository had when it began to use the tool. They are kept in a file and not told again; new ones are.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::fingerprint::below;
use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::source::Sources;

/// Version of the format that this release writes. A reader refuses another major number.
pub const FORMAT_VERSION: &str = "1.0";

/// A baseline file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Version of this format, `major.minor`.
    pub format_version: String,
    /// What was there.
    pub findings: Vec<BaselineEntry>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineEntry {
    /// The migration, below the folder.
    pub path: Utf8PathBuf,
    /// The rule's code.
    pub code: String,
    /// The rule's name, for whoever reads the file.
    pub name: String,
    /// See [`super::fingerprints`].
    pub fingerprint: String,
}

/// Why a baseline file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is no JSON, or other JSON.
    #[error("{0}")]
    Invalid(#[from] serde_json::Error),
    /// It was written by a later release.
    #[error("its format is {found}, and this release reads {FORMAT_VERSION}")]
    Version {
        /// The version in the file.
        found: String,
    },
}

impl Baseline {
    /// Of nothing.
    pub fn empty() -> Self {
        Self { format_version: FORMAT_VERSION.to_owned(), findings: Vec::new() }
    }

    /// Of what is found now.
    pub fn of(diagnostics: &[Diagnostic], fingerprints: &[String], sources: &Sources, folder: &Utf8Path) -> Self {
        let entry = |(diagnostic, fingerprint): (&Diagnostic, &String)| BaselineEntry {
            path: diagnostic.span().map(|span| below(folder, sources.path(span)).to_owned()).unwrap_or_default(),
            code: diagnostic.code.id.to_owned(),
            name: diagnostic.code.name.to_owned(),
            fingerprint: fingerprint.clone(),
        };
        let mut findings: Vec<_> = diagnostics.iter().zip(fingerprints).map(entry).collect();
        findings.sort();
        Self { findings, ..Self::empty() }
    }

    /// Reads a file's text.
    pub fn from_json(text: &str) -> Result<Self, BaselineError> {
        #[derive(Deserialize)]
        struct Version {
            format_version: String,
        }
        let Version { format_version: found } = serde_json::from_str(text)?;
        if found.split('.').next() != FORMAT_VERSION.split('.').next() {
            return Err(BaselineError::Version { found });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        // A struct of strings always serializes.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// Which of the findings are new: `true` where the baseline does not have it.
    pub fn is_new(&self, fingerprints: &[String]) -> Vec<bool> {
        let known: BTreeSet<&str> = self.findings.iter().map(|entry| entry.fingerprint.as_str()).collect();
        fingerprints.iter().map(|fingerprint| !known.contains(fingerprint.as_str())).collect()
    }

    /// A finding on the entries that no longer occur, of the files that were looked at.
    pub fn stale(&self, fingerprints: &[String], looked_at: impl Fn(&Utf8Path) -> bool) -> Option<Diagnostic> {
        let found: BTreeSet<&str> = fingerprints.iter().map(String::as_str).collect();
        let gone = self.findings.iter().filter(|e| !found.contains(e.fingerprint.as_str()) && looked_at(&e.path));
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for entry in gone {
            *counts.entry(format!("{} in {}", entry.name, entry.path)).or_default() += 1;
        }
        let total: u32 = counts.values().sum();
        let list: Vec<_> =
            counts.into_iter().map(|(what, n)| if n == 1 { what } else { format!("{n} {what}") }).collect();
        let entries = if total == 1 { "entry no longer occurs" } else { "entries no longer occur" };
        (total > 0).then(|| {
            let text = format!("{total} baseline {entries}: {}", list.join(", "));
            Diagnostic::new(codes::STALE_BASELINE, Severity::Info, text)
                .help("write the baseline anew with --write-baseline, so that it can only shrink")
        })
    }
}
