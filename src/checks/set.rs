//! The checks of a release, ready to be made.

use super::{Check, open};
use crate::outside::Surroundings;
use crate::release::{self, CheckLimits};

/// A check under its name, with its limits.
pub struct Named {
    /// As the release calls it.
    pub name: String,
    /// How often it is made, and how much may go wrong.
    pub limits: CheckLimits,
    /// What is asked.
    pub check: Box<dyn Check>,
}

/// The checks of a release.
#[non_exhaustive]
pub enum Checks {
    /// These.
    Given(Vec<Named>),
    /// All of them, and each comes out well: in a rehearsal there is no green.
    Simulated,
}

impl Checks {
    /// None.
    pub const NONE: &'static Self = &Self::Given(Vec::new());

    /// Makes them; an error names the one whose settings are wrong, and why.
    pub fn open(checks: &[release::CheckDefinition], surroundings: &Surroundings) -> Result<Self, String> {
        let one = |check: &release::CheckDefinition| {
            let made = open(&check.configured, surroundings)?;
            Ok(Named { name: check.configured.name.clone(), limits: check.limits, check: made })
        };
        Ok(Self::Given(checks.iter().map(one).collect::<Result<_, String>>()?))
    }

    /// The one of that name. In a rehearsal there is none, and none is missed.
    pub(crate) fn named(&self, name: &str) -> Option<&Named> {
        match self {
            Self::Given(checks) => checks.iter().find(|check| check.name == name),
            Self::Simulated => None,
        }
    }
}
