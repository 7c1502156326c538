//! Traffic moved by people: the engine stops after the before phase and waits for `promote`.

use schemars::JsonSchema as _;

use super::registry::{BackendKind, NoSettings};
use super::{Answer, Capabilities, Context, Drain, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, Verified};
use crate::outside::Needs;
use crate::side::Side;

/// People move the traffic.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manual;

pub(super) const KIND: BackendKind = BackendKind {
    name: "manual",
    about: "People move it and then run `cutover promote`",
    needs: Needs::Nothing,
    settings: NoSettings::json_schema,
    open: |traffic, _| {
        traffic.read::<NoSettings>()?;
        Ok(Box::new(Manual))
    },
};

impl TrafficBackend for Manual {
    fn name(&self) -> &'static str {
        "manual"
    }

    fn capabilities<'a>(&'a self, _: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(async { Ok(Capabilities::of(Kind::Manual)) })
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
        Box::pin(async { Ok(Verified::Unsupported) })
    }

    fn health<'a>(&'a self, _: &'a Context, _: Side) -> Answer<'a, Health> {
        Box::pin(async { Ok(Health::Unknown) })
    }

    fn drain<'a>(&'a self, _: &'a Context, _: Side) -> Answer<'a, Drain> {
        Box::pin(async { Ok(Drain::Unknown) })
    }

    fn finalize<'a>(&'a self, _: &'a Context) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
