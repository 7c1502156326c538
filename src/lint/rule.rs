//! A rule: its code, its page, and the function that looks for it.

use super::subject::Subject;
use crate::diagnostic::{Code, Diagnostic, Severity};

/// A rule with its page.
#[derive(Debug)]
pub struct Rule {
    /// Its code and name.
    pub code: Code,
    /// How much it matters unless `cutover.toml` says otherwise.
    pub severity: Severity,
    /// What may make it matter less.
    pub yields_to: Yields,
    /// Its page.
    pub docs: Docs,
    pub(crate) check: RuleCheck,
}

/// What may make a finding matter less than its rule says: each of these, and what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Yields {
    /// Nothing: the plan cannot be made, or a version breaks, and no setting changes that. The author's word on where a statement belongs is
    /// `-- cutover: before|after|neutral <reason>`.
    Nobody,
    /// A level in `cutover.toml`.
    Settings,
    /// `allow(…)` in the migration, with a reason. A statement that is said to fail on the server is among these: should the tool be wrong, its
    /// author must get past it, and should it be right, the step fails and nothing is lost.
    Comments,
    /// Figures of production: a cost that is small there. No level raises what they made matter less.
    Figures,
}

/// Who looks for it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RuleCheck {
    /// A function over one step of a placed release.
    PlacedStep(fn(&Subject<'_>, &mut Vec<Diagnostic>)),
    /// It is found while files are read, steps placed, or the plan proved.
    Elsewhere,
}

/// The page of a rule.
#[derive(Debug)]
pub struct Docs {
    /// What it reports.
    pub what: &'static str,
    /// Why that is bad, and for whom.
    pub why: &'static str,
    /// A release in which exactly this is found; a test holds it to that.
    pub example: Option<Case>,
    /// The same release without the finding.
    pub instead: Option<Case>,
    /// Where to read on.
    pub references: &'static [&'static str],
}

/// A release, small enough for a page.
#[derive(Debug)]
pub struct Case {
    /// What production has applied.
    pub applied: &'static str,
    /// The migration being released.
    pub pending: &'static str,
    /// Blue's queries; empty: not known.
    pub blue: &'static str,
    /// Green's queries; empty: not known.
    pub green: &'static str,
}

impl Case {
    /// Without queries.
    pub const fn of(applied: &'static str, pending: &'static str) -> Self {
        Self { applied, pending, blue: "", green: "" }
    }
}

impl Rule {
    /// Whether `allow(…)` in a migration may silence it.
    pub fn allowable(&self) -> bool {
        self.yields_to >= Yields::Comments
    }
}
