//! The Service, asked and changed.

use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::super::cluster::{Asked, Cluster};
use super::super::ready::{self, Labels};
use super::Settings;
use crate::side::Side;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, Verified,
};

/// A Service as traffic backend.
pub(super) struct Switch {
    cluster: Cluster,
    settings: Settings,
}

/// Why other shares than none and all cannot be set.
const ONE_SIDE: &str = "a Service selects the pods of one side only";

impl Switch {
    pub(super) fn new(name: String, settings: Settings) -> Self {
        Self { cluster: Cluster::new(name, settings.cluster.clone()), settings }
    }

    /// Who is selected: all traffic is green's, or none of it.
    fn share(&self, asked: Asked<'_>, selector: &Labels) -> Result<Share, TrafficError> {
        let is = |side: Side| self.settings.labels(side).iter().all(|(name, value)| selector.get(name) == Some(value));
        match (is(Side::Blue), is(Side::Green)) {
            (true, _) => Ok(Share::NONE),
            (_, true) => Ok(Share::ALL),
            _ => {
                let shown = ready::selector(selector);
                let what =
                    format!("Service {} selects {shown}, which is neither blue nor green", self.settings.service);
                Err(asked.misconfigured(what))
            }
        }
    }

    /// The labels of the pods of a side: what the Service selects, with that side's values.
    fn pods_of(&self, side: Side, selector: &Labels) -> Labels {
        let mut labels = selector.clone();
        labels.extend(self.settings.labels(side).clone());
        labels
    }

    async fn read(&self, asked: Asked<'_>) -> Result<Labels, TrafficError> {
        Ok(ready::selected(&asked.get(&ready::service_kind(), &self.settings.service).await?))
    }

    async fn give(&self, context: &Context, want: Share) -> Result<ShareSet, TrafficError> {
        let asked = self.cluster.asked(context, "set_share");
        let side = match want {
            Share::NONE => Side::Blue,
            Share::ALL => Side::Green,
            _ => return Err(asked.refused(TrafficErrorCode::Grid, ONE_SIDE)),
        };
        let mut first = None;
        let change = |service: &mut DynamicObject| {
            let now = self.share(asked, &ready::selected(service))?;
            if *first.get_or_insert(now) != now {
                let what = format!("somebody else has changed what Service {} selects", self.settings.service);
                return Err(asked.refused(TrafficErrorCode::Conflict, what));
            }
            for (name, value) in self.settings.labels(side) {
                service.data["spec"]["selector"][name] = json!(value);
            }
            Ok(now != want)
        };
        asked.change(&ready::service_kind(), &self.settings.service, change).await?;
        Ok(ShareSet { share: want })
    }

    /// Whether every place that the Service leads to is a pod of who is to have the traffic.
    async fn has(&self, context: &Context, want: Share) -> Result<Verified, TrafficError> {
        let asked = self.cluster.asked(context, "verify");
        let selector = self.read(asked).await?;
        let seen = self.share(asked, &selector)?;
        if seen != want {
            return Ok(Verified::NotYet { seen: Some(seen) });
        }
        let side = if want == Share::ALL { Side::Green } else { Side::Blue };
        let pods = ready::pods(asked, &self.pods_of(side, &selector)).await?;
        let endpoints = ready::endpoints(asked, &self.settings.service).await?;
        let mut ready = endpoints.iter().filter(|endpoint| endpoint.is_ready).peekable();
        let is_theirs = |endpoint: &ready::Endpoint| {
            endpoint.pod.as_ref().is_some_and(|name| pods.iter().any(|pod| pod.name == *name))
        };
        Ok(match ready.peek().is_some() && ready.all(is_theirs) {
            true => Verified::Yes,
            false => Verified::NotYet { seen: None },
        })
    }

    fn what(&self, side: Side) -> String {
        format!("{side} ({})", ready::selector(self.settings.labels(side)))
    }
}

impl TrafficBackend for Switch {
    fn name(&self) -> &str {
        &self.cluster.name
    }

    fn refuses(&self, share: Share) -> Option<String> {
        (![Share::NONE, Share::ALL].contains(&share)).then(|| ONE_SIDE.to_owned())
    }

    fn permissions(&self) -> Option<Value> {
        let service: &[&str] = &[&self.settings.service];
        Some(self.cluster.role(&[
            ("", "services", service, &["get", "update"]),
            ("", "pods", &[], &["list"]),
            ("discovery.k8s.io", "endpointslices", &[], &["list"]),
        ]))
    }

    fn capabilities<'a>(&'a self, context: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(async move {
            let asked = self.cluster.asked(context, "capabilities");
            asked.moves(Kind::Switch, format!("Service {}", self.settings.service)).await
        })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(async move {
            let asked = self.cluster.asked(context, "preflight");
            let selector = self.read(asked).await?;
            self.share(asked, &selector)?;
            // What is to be asked later must be allowed.
            ready::pods(asked, &self.pods_of(Side::Green, &selector)).await?;
            ready::endpoints(asked, &self.settings.service).await.map(|_| ())
        })
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async move {
            let asked = self.cluster.asked(context, "observe");
            let selector = self.read(asked).await?;
            Ok(ShareSeen { share: Some(self.share(asked, &selector)?) })
        })
    }

    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(self.give(context, want))
    }

    fn verify<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, Verified> {
        Box::pin(self.has(context, want))
    }

    fn health<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Health> {
        Box::pin(async move {
            let asked = self.cluster.asked(context, "health");
            let selector = self.read(asked).await?;
            let pods = ready::pods(asked, &self.pods_of(side, &selector)).await?;
            Ok(ready::health(&self.what(side), pods.iter().map(|pod| pod.is_ready)))
        })
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(async move {
            let asked = self.cluster.asked(context, "drain");
            let selector = self.read(asked).await?;
            if self.share(asked, &selector)? != Share::without(side) {
                return Ok(Drain::Active { count: None });
            }
            let left = ready::pods(asked, &self.pods_of(side, &selector)).await?;
            Ok(ready::drain(&self.what(side), left.len(), self.settings.drain))
        })
    }
}
