//! Who is told what a release does, as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Configured;

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HookMoment {
    /// Before the first step.
    BeforeExpand,
    /// The before phase is over: green can be deployed.
    AfterExpand,
    /// Before green gets any traffic.
    BeforeShift,
    /// Green has all traffic, and the bake time is over.
    AfterShift,
    /// Blue is drained; before the first step after the cutover.
    BeforeContract,
    /// Every step is done.
    AfterContract,
    /// The traffic is back on blue.
    OnRollback,
    /// The release has stopped because something went wrong.
    OnFailure,
}

impl HookMoment {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 8] = [
        ("before-expand", Self::BeforeExpand),
        ("after-expand", Self::AfterExpand),
        ("before-shift", Self::BeforeShift),
        ("after-shift", Self::AfterShift),
        ("before-contract", Self::BeforeContract),
        ("after-contract", Self::AfterContract),
        ("on-rollback", Self::OnRollback),
        ("on-failure", Self::OnFailure),
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, moment)| *moment == self).map_or("", |(name, _)| name)
    }
}

impl std::fmt::Display for HookMoment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Somebody whom the release calls, and waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hook {
    /// When.
    pub moment: HookMoment,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
    /// Whom, and how.
    #[serde(flatten)]
    pub configured: Configured,
}

/// Something that others may want to know of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// It has begun.
    Started,
    /// The before phase is over.
    Expanded,
    /// Green has another share of the traffic.
    Shifted,
    /// It waits for somebody.
    Waiting,
    /// Somebody has stopped it where it is.
    Paused,
    /// It has stopped because something went wrong.
    Failed,
    /// The traffic goes back to blue.
    GoingBack,
    /// It is back on blue.
    WentBack,
    /// Everything is done.
    Done,
}

impl News {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 9] = [
        ("started", Self::Started),
        ("expanded", Self::Expanded),
        ("shifted", Self::Shifted),
        ("waiting", Self::Waiting),
        ("paused", Self::Paused),
        ("failed", Self::Failed),
        ("going-back", Self::GoingBack),
        ("went-back", Self::WentBack),
        ("done", Self::Done),
    ];

    /// What somebody gets who does not choose: all that asks for people, or ends.
    pub const USUAL: [Self; 6] =
        [Self::Started, Self::Waiting, Self::Failed, Self::GoingBack, Self::WentBack, Self::Done];

    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, news)| *news == self).map_or("", |(name, _)| name)
    }
}

/// Somebody who gets news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notify {
    /// Which.
    pub on: Vec<News>,
    /// Whom, and how.
    #[serde(flatten)]
    pub configured: Configured,
}
