//! The listeners of a release, ready to be told.

use std::time::Duration;

use super::{Listener, open};
use crate::outside::Surroundings;
use crate::release::{Hook, HookMoment, News, Notify};

/// The hooks of a release.
#[non_exhaustive]
pub enum HookSet {
    /// These, with how long each may take.
    Given(Vec<(HookMoment, Duration, Box<dyn Listener>)>),
    /// All of them, and each is content: in a rehearsal nobody is told anything.
    Simulated,
}

impl HookSet {
    /// None.
    pub const NONE: &'static Self = &Self::Given(Vec::new());

    /// Makes them; an error names the one whose settings are wrong, and why.
    pub fn open(hooks: &[Hook], surroundings: &Surroundings) -> Result<Self, String> {
        let one = |hook: &Hook| {
            let listener = open(&hook.configured, surroundings).map_err(|why| format!("hook {why}"))?;
            Ok((hook.moment, Duration::from_millis(hook.timeout_ms), listener))
        };
        Ok(Self::Given(hooks.iter().map(one).collect::<Result<_, String>>()?))
    }

    pub(crate) fn at(&self, moment: HookMoment) -> Option<(Duration, &dyn Listener)> {
        match self {
            Self::Given(hooks) => hooks
                .iter()
                .find(|(known, ..)| *known == moment)
                .map(|(_, timeout, listener)| (*timeout, listener.as_ref())),
            Self::Simulated => None,
        }
    }
}

/// Those who get news of a release.
#[derive(Default)]
pub struct NewsSet(Vec<(String, Vec<News>, Box<dyn Listener>)>);

impl NewsSet {
    /// Makes them; an error names the one whose settings are wrong, and why.
    pub fn open(notify: &[Notify], surroundings: &Surroundings) -> Result<Self, String> {
        let one = |notify: &Notify| {
            let listener = open(&notify.configured, surroundings).map_err(|why| format!("notify {why}"))?;
            Ok((notify.configured.name.clone(), notify.on.clone(), listener))
        };
        Ok(Self(notify.iter().map(one).collect::<Result<_, String>>()?))
    }

    /// Who wants to know of such news, by name.
    pub fn interested(&self, news: News) -> impl Iterator<Item = (&str, &dyn Listener)> {
        let wants = move |(_, on, _): &&(String, Vec<News>, Box<dyn Listener>)| on.contains(&news);
        self.0.iter().filter(wants).map(|(name, _, listener)| (name.as_str(), listener.as_ref()))
    }
}
