//! A check whose client is no part of this build: its settings are read, so that such a build can lint and plan, and nobody is asked.

use super::registry::OpenedCheck;
use super::{Check, CheckContext, Measured, Measuring};

/// What stands for a check that this build does not have.
struct NotBuilt {
    feature: &'static str,
}

/// `feature`: the one that brings the client.
pub(super) fn not_built(feature: &'static str) -> OpenedCheck {
    Ok(Box::new(NotBuilt { feature }))
}

impl Check for NotBuilt {
    fn measure<'a>(&'a self, _: &'a CheckContext) -> Measuring<'a> {
        let why = crate::outside::not_built(self.feature);
        Box::pin(async move { Measured::error(why) })
    }
}
