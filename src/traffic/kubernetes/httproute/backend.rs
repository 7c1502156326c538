//! The route, asked and changed.

use kube::core::{ApiResource, DynamicObject};
use serde_json::Value;

use super::super::cluster::{Asked, Cluster, kind};
use super::super::ready;
use super::Settings;
use super::seen::{self, Accepted, Routed};
use crate::side::Side;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, Verified, weights,
};

/// The greatest weight of a reference.
const MOST: u32 = 1_000_000;

/// An HTTPRoute as traffic backend.
pub(super) struct Route {
    cluster: Cluster,
    settings: Settings,
}

fn route_kind() -> ApiResource {
    kind("gateway.networking.k8s.io", "v1", "HTTPRoute")
}

fn routed(route: &DynamicObject) -> Routed<'_> {
    Routed { spec: &route.data["spec"], namespace: route.metadata.namespace.as_deref().unwrap_or_default() }
}

impl Route {
    pub(super) fn new(name: String, settings: Settings) -> Self {
        Self { cluster: Cluster::new(name, settings.cluster.clone()), settings }
    }

    fn share(&self, asked: Asked<'_>, route: &DynamicObject) -> Result<Option<Share>, TrafficError> {
        let Settings { route: name, blue, green, .. } = &self.settings;
        let share = seen::share(routed(route), blue, green);
        share.map_err(|unfit| asked.misconfigured(format!("HTTPRoute {name}: {unfit}")))
    }

    async fn read(&self, asked: Asked<'_>) -> Result<DynamicObject, TrafficError> {
        asked.get(&route_kind(), &self.settings.route).await
    }

    async fn give(&self, context: &Context, want: Share) -> Result<ShareSet, TrafficError> {
        let asked = self.cluster.asked(context, "set_share");
        let Some((blue, green)) = weights::readable(want, MOST) else {
            return Err(asked.refused(TrafficErrorCode::Grid, weights::none_make(want, MOST)));
        };
        let mut first = None;
        let change = |route: &mut DynamicObject| {
            let now = self.share(asked, route)?;
            if *first.get_or_insert(now) != now {
                let what = format!("somebody else has changed the weights of HTTPRoute {}", self.settings.route);
                return Err(asked.refused(TrafficErrorCode::Conflict, what));
            }
            let Settings { blue: of_blue, green: of_green, .. } = &self.settings;
            let namespace = route.metadata.namespace.clone().unwrap_or_default();
            seen::set(&mut route.data["spec"], &namespace, (of_blue, blue), (of_green, green));
            Ok(now != Some(want))
        };
        asked.change(&route_kind(), &self.settings.route, change).await?;
        Ok(ShareSet { share: want })
    }

    /// How many pods of a side's Service are left: those that it selects, whether or not it leads to them. None where it is gone, or selects nothing.
    async fn left(&self, asked: Asked<'_>, side: Side) -> Result<Option<usize>, TrafficError> {
        let service = match asked.get(&ready::service_kind(), self.settings.service(side)).await {
            Err(TrafficError::Refused { code: TrafficErrorCode::NotFound, .. }) => return Ok(None),
            found => found?,
        };
        let labels = ready::selected(&service);
        match labels.is_empty() {
            true => Ok(None),
            false => Ok(Some(ready::pods(asked, &labels).await?.len())),
        }
    }

    async fn has(&self, context: &Context, want: Share) -> Result<Verified, TrafficError> {
        let asked = self.cluster.asked(context, "verify");
        let route = self.read(asked).await?;
        let seen = self.share(asked, &route)?;
        if seen != Some(want) {
            return Ok(Verified::NotYet { seen });
        }
        let generation = route.metadata.generation.unwrap_or(i64::MAX);
        match seen::accepted(routed(&route), &route.data["status"], generation) {
            Accepted::Yes => Ok(Verified::Yes),
            Accepted::NotYet => Ok(Verified::NotYet { seen: None }),
            Accepted::No(why) => Err(asked.misconfigured(format!("HTTPRoute {}: {why}", self.settings.route))),
        }
    }
}

impl TrafficBackend for Route {
    fn name(&self) -> &str {
        &self.cluster.name
    }

    fn refuses(&self, share: Share) -> Option<String> {
        weights::readable(share, MOST).is_none().then(|| weights::none_make(share, MOST))
    }

    fn permissions(&self) -> Option<Value> {
        let route: &[&str] = &[&self.settings.route];
        Some(self.cluster.role(&[
            ("gateway.networking.k8s.io", "httproutes", route, &["get", "update"]),
            ("", "services", &[&self.settings.blue, &self.settings.green], &["get"]),
            ("", "pods", &[], &["list"]),
            ("discovery.k8s.io", "endpointslices", &[], &["list"]),
        ]))
    }

    fn capabilities<'a>(&'a self, context: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(async move {
            let asked = self.cluster.asked(context, "capabilities");
            asked.moves(Kind::Weighted, format!("HTTPRoute {}", self.settings.route)).await
        })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(async move {
            let asked = self.cluster.asked(context, "preflight");
            let route = self.read(asked).await?;
            self.share(asked, &route)?;
            let generation = route.metadata.generation.unwrap_or(i64::MAX);
            let why = match seen::accepted(routed(&route), &route.data["status"], generation) {
                Accepted::Yes => None,
                Accepted::NotYet => Some("not every gateway that it names has accepted it as it is now".to_owned()),
                Accepted::No(why) => Some(why),
            };
            if let Some(why) = why {
                return Err(asked.misconfigured(format!("HTTPRoute {}: {why}", self.settings.route)));
            }
            // What is to be asked later must be allowed.
            self.left(asked, Side::Blue).await?;
            ready::endpoints(asked, self.settings.service(Side::Green)).await.map(|_| ())
        })
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async move {
            let asked = self.cluster.asked(context, "observe");
            let route = self.read(asked).await?;
            Ok(ShareSeen { share: self.share(asked, &route)? })
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
            let service = self.settings.service(side);
            let endpoints = ready::endpoints(asked, service).await?;
            Ok(ready::health(&format!("Service {service}"), endpoints.iter().map(|endpoint| endpoint.is_ready)))
        })
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(async move {
            let asked = self.cluster.asked(context, "drain");
            let route = self.read(asked).await?;
            if self.share(asked, &route)? != Some(Share::without(side)) {
                return Ok(Drain::Active { count: None });
            }
            let service = self.settings.service(side);
            match self.left(asked, side).await? {
                Some(left) => Ok(ready::drain(&format!("Service {service}"), left, self.settings.drain)),
                // Which pods were behind it, nobody can say any more.
                None => Ok(Drain::Unknown),
            }
        })
    }
}
