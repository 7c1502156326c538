//! What can be found, one file a rule. [`RULES`] is the registry: what `explain` and `rules` print, what `allow(…)` and `cutover.toml` may
//! name. Rules look at one step of a placed release (`Subject`) and add findings; what reading, placing and proving find is made where it
//! happens, under codes whose pages stand here all the same.
//!
//! Around the rules: the author's suppressions, the team's severities, the baseline of an old repository, and fixes. All of it is values in,
//! values out.

pub mod baseline;
mod fingerprint;
pub mod fix;
mod group;
pub mod history;
mod registry;
mod report;
mod rule;
mod rules;
pub mod settings;
mod subject;
mod suppress;

pub use crate::diagnostic::codes;
pub use fingerprint::fingerprints;
pub use group::group;
pub use registry::{find, nearest};
pub use report::LintReport;
pub(crate) use rule::RuleCheck;
pub use rule::{Case, Docs, Rule, Yields};
pub use rules::RULES;
pub(crate) use subject::{Application, PlacedPart, PlacedRelease, PlacedStep, Placing, Subject};
pub use suppress::Allowed;
pub(crate) use suppress::apply as suppress;
