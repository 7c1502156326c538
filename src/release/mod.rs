//! How a release is to go, as data: what a plan carries of it, and the journal.

mod blockers;
mod blue;
mod check;
mod configured;
mod limits;
mod listeners;
mod part;
mod ramp;
mod share;
pub(crate) mod size;
mod throttle;
pub(crate) mod time;
mod until;
mod window;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use blockers::TerminateBlockers;
pub use blue::BlueSessions;
pub use check::{CheckDefinition, CheckLimits, Purpose};
pub use configured::Configured;
pub use limits::Limits;
pub(crate) use limits::NO_LOCK_TIMEOUT;
pub use listeners::{Hook, HookMoment, News, Notify};
pub use part::DatabasePart;
pub use ramp::{Ramp, RampError, RampStep};
pub use share::Share;
pub use throttle::Throttle;
pub use until::Until;
pub use window::{PhaseTimes, Window};

/// How a release is to go, as far as somebody has said it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseDefinition {
    /// How the traffic moves: green's shares in basis points, times to wait, people to ask. Since 2.2 it may have more than shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// What becomes of the traffic when green fails. Since 2.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// What moves the traffic. Since 2.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Configured>,
    /// How blue's sessions are known: it is not drained while there is one. Since 2.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue: Option<BlueSessions>,
    /// How long things may take. Since 2.2.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// What can be asked how green does. Since 2.3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckDefinition>,
    /// The checks that are made before green gets any traffic. Since 2.3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub smoke: Vec<String>,
    /// The checks that are made again and again while green has traffic. Since 2.3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watch: Vec<String>,
    /// The checks that a backfill waits for between its times. Since 2.4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backfill_checks: Vec<String>,
    /// When steps before the cutover may run. Since 2.5.
    #[serde(default, skip_serializing_if = "PhaseTimes::is_empty")]
    pub before: PhaseTimes,
    /// When steps after it may. Since 2.5.
    #[serde(default, skip_serializing_if = "PhaseTimes::is_empty")]
    pub after: PhaseTimes,
    /// Which sessions are ended that keep a step waiting. Since 2.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminate_blockers: Option<TerminateBlockers>,
    /// Whom the release calls on its way, and waits for. Since 2.3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// Who gets news of it. Since 2.3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Notify>,
}

impl ReleaseDefinition {
    /// What is said here, and where nothing is, what others say.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            ramp: self.ramp.or(others.ramp),
            on_failure: self.on_failure.or(others.on_failure),
            traffic: self.traffic.or(others.traffic),
            blue: self.blue.or(others.blue),
            limits: others.limits.then(self.limits),
            checks: own_or(self.checks, others.checks),
            smoke: own_or(self.smoke, others.smoke),
            watch: own_or(self.watch, others.watch),
            backfill_checks: own_or(self.backfill_checks, others.backfill_checks),
            before: self.before.or(others.before),
            after: self.after.or(others.after),
            terminate_blockers: self.terminate_blockers.or(others.terminate_blockers),
            hooks: own_or(self.hooks, others.hooks),
            notify: own_or(self.notify, others.notify),
        }
    }

    /// Whether a hook is called at this moment.
    pub fn has_hook(&self, moment: HookMoment) -> bool {
        self.hooks.iter().any(|hook| hook.moment == moment)
    }

    /// The checks that are made at other times than steps of the ramp.
    pub(crate) fn checks_beside_ramp(&self) -> impl Iterator<Item = &str> {
        self.smoke.iter().chain(&self.watch).chain(&self.backfill_checks).map(String::as_str)
    }

    /// A check that is to be made, and that nothing says anything of.
    pub fn unknown_check(&self) -> Option<&str> {
        let in_ramp = self.ramp.iter().flat_map(Ramp::checks);
        let mut asked = self.checks_beside_ramp().chain(in_ramp);
        asked.find(|name| self.checks.iter().all(|check| check.configured.name != *name))
    }
}

/// What is listed here, and where nothing is, what others list.
fn own_or<T>(own: Vec<T>, others: Vec<T>) -> Vec<T> {
    if own.is_empty() { others } else { own }
}

/// What becomes of the traffic when green fails while blue can come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Blue gets all of it again, and nobody is asked.
    #[default]
    Rollback,
    /// It stays where it is until somebody decides.
    Pause,
}
