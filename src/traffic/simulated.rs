//! Traffic that does not exist and moves at once: for rehearsals, and for trying the tool.

use schemars::JsonSchema as _;

use super::registry::{BackendKind, NoSettings};
use super::{Answer, Capabilities, Context, Drain, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, Verified};
use crate::outside::Needs;
use crate::side::Side;

/// Moves nothing, at once.
#[derive(Debug, Default)]
pub struct Simulated {}

pub(super) const KIND: BackendKind = BackendKind {
    name: "simulated",
    about: "Nothing is moved; every question is answered with yes",
    needs: Needs::Nothing,
    settings: NoSettings::json_schema,
    open: |traffic, _| {
        traffic.read::<NoSettings>()?;
        Ok(Box::new(Simulated::default()))
    },
};

impl TrafficBackend for Simulated {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn capabilities<'a>(&'a self, _: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(async { Ok(Capabilities::seeing(Kind::Weighted, true)) })
    }

    fn preflight<'a>(&'a self, _: &'a Context) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn observe<'a>(&'a self, _: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async { Ok(ShareSeen { share: None }) })
    }

    fn set_share<'a>(&'a self, _: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(async move { Ok(ShareSet { share: want }) })
    }

    fn verify<'a>(&'a self, _: &'a Context, _: Share) -> Answer<'a, Verified> {
        Box::pin(async { Ok(Verified::Yes) })
    }

    fn health<'a>(&'a self, _: &'a Context, _: Side) -> Answer<'a, Health> {
        Box::pin(async { Ok(Health::Healthy) })
    }

    fn drain<'a>(&'a self, _: &'a Context, _: Side) -> Answer<'a, Drain> {
        Box::pin(async { Ok(Drain::Drained { evidence: "simulated traffic".into() }) })
    }

    fn finalize<'a>(&'a self, _: &'a Context) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
