//! Caddy, by its admin API: the weights of a reverse proxy's upstreams.
//!
//! A change names the state that it was made from (`If-Match`), so that what somebody else changes at the same moment is never overwritten. Paths and
//! headers are those of Caddy's documentation, "API".

use std::sync::Mutex;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::admin::{Admin, is_name};
use super::registry::BackendKind;
use super::{
    Answer, Capabilities, Context, Drain, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, weights,
};
use crate::outside::Needs;
use crate::outside::http::HttpRequest;
use crate::side::Side;

pub(super) const KIND: BackendKind = BackendKind {
    name: "caddy",
    about: "Caddy's admin API sets the weights of its upstreams",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let settings: Settings = traffic.read()?;
        settings.check()?;
        let admin = Admin::new(&traffic.name, "admin", &settings.admin)?;
        Ok(Box::new(Caddy { name: traffic.name.clone(), admin, settings, none_since: Mutex::new(None) }))
    },
};

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The address of the admin API.
    #[serde(default = "usual_address")]
    admin: String,
    /// The `@id` of the `reverse_proxy` handler.
    id: String,
    /// Addresses of blue's upstreams, as the handler dials them.
    blue: Vec<String>,
    /// Green's.
    green: Vec<String>,
}

fn usual_address() -> String {
    "http://localhost:2019".to_owned()
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        if !is_name(&self.id) {
            return Err(format!("`id` {:?} has other characters than letters, digits, `-`, `_` and `.`", self.id));
        }
        if self.blue.is_empty() || self.green.is_empty() {
            return Err("`blue` and `green` name at least one upstream each".to_owned());
        }
        match self.blue.iter().find(|upstream| self.green.contains(upstream)) {
            Some(both) => Err(format!("upstream {both} is both blue's and green's")),
            None => Ok(()),
        }
    }

    fn upstreams(&self, side: Side) -> &[String] {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }
}

/// The policy whose weights make shares.
const POLICY: &str = "weighted_round_robin";

/// A connection on which nothing was asked yet belongs to the configuration that it was opened under, for so long after the next one has come.
const OLD_CONNECTIONS: Duration = Duration::from_secs(5);

/// Caddy as traffic backend.
#[derive(Debug)]
struct Caddy {
    name: String,
    admin: Admin,
    settings: Settings,
    /// Since when a side is known to get nothing.
    none_since: Mutex<Option<(Side, Instant)>>,
}

/// The handler as it is.
struct Handler {
    /// Names this very state of it.
    tag: String,
    value: Value,
    /// Addresses and weights, in its order.
    upstreams: Vec<(String, u64)>,
}

impl Caddy {
    fn refused<T>(
        &self,
        op: &'static str,
        code: TrafficErrorCode,
        message: impl Into<String>,
    ) -> Result<T, TrafficError> {
        Err(TrafficError::refused(&self.name, op, code, message))
    }

    fn path(&self) -> String {
        format!("/id/{}", self.settings.id)
    }

    async fn handler(&self, context: &Context, op: &'static str) -> Result<Handler, TrafficError> {
        let response = self.admin.get(context, op, &self.path()).await?;
        let value = self.admin.json(op, &response)?;
        let id = &self.settings.id;
        if value["handler"] != "reverse_proxy" {
            return self.refused(
                op,
                TrafficErrorCode::Misconfigured,
                format!("what has the id {id} is no `reverse_proxy` handler"),
            );
        }
        if !value["dynamic_upstreams"].is_null() {
            let what = format!("the upstreams of {id} are dynamic, and have no weights");
            return self.refused(op, TrafficErrorCode::Misconfigured, what);
        }
        let dialled = value["upstreams"].as_array().into_iter().flatten();
        let dialled: Vec<String> = dialled.filter_map(|one| one["dial"].as_str().map(str::to_owned)).collect();
        let policy = &value["load_balancing"]["selection_policy"];
        let given: Vec<u64> = policy["weights"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        if policy["policy"] != POLICY || given.len() != dialled.len() {
            let what = format!(
                "the handler {id} needs {{\"selection_policy\":{{\"policy\":\"{POLICY}\",\"weights\":[…]}}}} under `load_balancing`, \
                 with a weight for each of its {} upstreams",
                dialled.len()
            );
            return self.refused(op, TrafficErrorCode::Misconfigured, what);
        }
        let Some(tag) = response.header("etag").map(str::to_owned) else {
            let what = "this Caddy gives no ETag; 2.5 and later do";
            return self.refused(op, TrafficErrorCode::Misconfigured, what);
        };
        Ok(Handler { tag, value, upstreams: dialled.into_iter().zip(given).collect() })
    }

    fn share_of(&self, handler: &Handler) -> Option<Share> {
        let of = |side| -> u64 {
            let names = self.settings.upstreams(side);
            handler.upstreams.iter().filter(|(name, _)| names.contains(name)).map(|(_, weight)| weight).sum()
        };
        weights::share(of(Side::Blue), of(Side::Green))
    }

    /// Every upstream that is named must be there, and none that is not may get traffic.
    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let op = "preflight";
        let (handler, id) = (self.handler(context, op).await?, &self.settings.id);
        let ours = || self.settings.blue.iter().chain(&self.settings.green);
        if let Some(missing) = ours().find(|name| handler.upstreams.iter().all(|(known, _)| known != *name)) {
            return self.refused(op, TrafficErrorCode::NotFound, format!("the handler {id} has no upstream {missing}"));
        }
        let stranger = handler.upstreams.iter().find(|(name, weight)| *weight > 0 && ours().all(|one| one != name));
        match stranger {
            Some((name, _)) => {
                let what =
                    format!("upstream {name} of the handler {id} gets traffic and is neither blue's nor green's");
                self.refused(op, TrafficErrorCode::Misconfigured, what)
            }
            None => Ok(()),
        }
    }

    async fn give(&self, context: &Context, want: Share) -> Result<ShareSet, TrafficError> {
        let op = "set_share";
        let Settings { blue, green, .. } = &self.settings;
        let Some((for_blue, for_green)) = weights::least(want, blue.len(), green.len()) else {
            return self.refused(op, TrafficErrorCode::Grid, format!("no weights give green exactly {want}"));
        };
        let handler = self.handler(context, op).await?;
        if self.share_of(&handler) == Some(want) {
            return Ok(ShareSet { share: want });
        }
        let weight = |(name, known): &(String, u64)| match (blue.contains(name), green.contains(name)) {
            (true, _) => u64::from(for_blue),
            (_, true) => u64::from(for_green),
            _ => *known,
        };
        let mut policy = handler.value["load_balancing"]["selection_policy"].clone();
        policy["weights"] = handler.upstreams.iter().map(weight).collect();
        let url = self.admin.url(&format!("{}/load_balancing/selection_policy", self.path()));
        let request = HttpRequest::with_json("PATCH", url, policy.to_string().into_bytes());
        self.admin.send(context, op, request.header("If-Match", handler.tag)).await?;
        match self.share_of(&self.handler(context, op).await?) {
            Some(share) => Ok(ShareSet { share }),
            None => self.refused(op, TrafficErrorCode::Misconfigured, "no upstream has a weight"),
        }
    }

    /// Active checks say who is up; without them Caddy calls everybody healthy.
    async fn works(&self, context: &Context, side: Side) -> Result<Health, TrafficError> {
        let op = "health";
        let handler = self.handler(context, op).await?;
        if handler.value["health_checks"]["active"].is_null() {
            return Ok(Health::Unknown);
        }
        let metrics = self.admin.get(context, op, "/metrics").await?.text();
        let up = |upstream: &String| {
            let prefix = format!("caddy_reverse_proxy_upstreams_healthy{{upstream=\"{upstream}\"}} ");
            metrics.lines().find_map(|line| line.strip_prefix(prefix.as_str())).map(|value| value != "0")
        };
        let known: Vec<(&String, Option<bool>)> =
            self.settings.upstreams(side).iter().map(|upstream| (upstream, up(upstream))).collect();
        if known.iter().any(|(_, up)| *up == Some(true)) {
            return Ok(Health::Healthy);
        }
        if known.iter().any(|(_, up)| up.is_none()) {
            return Ok(Health::Unknown);
        }
        let down: Vec<String> = known.iter().map(|(upstream, _)| format!("{upstream} is down")).collect();
        Ok(Health::Unhealthy { why: down.join(", ") })
    }

    async fn is_drained(&self, context: &Context, side: Side) -> Result<Drain, TrafficError> {
        let op = "drain";
        let none = Share::without(side);
        let gets_none = self.share_of(&self.handler(context, op).await?) == Some(none);
        let since = {
            let mut since = self.none_since.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *since = since.filter(|(of, _)| gets_none && *of == side).or(gets_none.then(|| (side, Instant::now())));
            *since
        };
        let Some((_, since)) = since else { return Ok(Drain::Active { count: None }) };
        let seen = self.admin.get_json(context, op, "/reverse_proxy/upstreams").await?;
        let listed =
            |upstream: &String| seen.as_array().into_iter().flatten().any(|one| one["address"] == upstream.as_str());
        if !self.settings.upstreams(side).iter().all(listed) {
            return Ok(Drain::Unknown);
        }
        let ours = |one: &&Value| {
            one["address"].as_str().is_some_and(|a| self.settings.upstreams(side).iter().any(|u| u == a))
        };
        let requests: u64 =
            seen.as_array().into_iter().flatten().filter(ours).filter_map(|one| one["num_requests"].as_u64()).sum();
        let left = OLD_CONNECTIONS.saturating_sub(since.elapsed());
        Ok(match (requests, u64::try_from(left.as_millis()).unwrap_or(0)) {
            (1.., _) => Drain::Active { count: Some(requests) },
            (0, 1..) => Drain::WaitUntil { ms: u64::try_from(left.as_millis()).unwrap_or(0).max(1) },
            (0, 0) => {
                let upstreams = self.settings.upstreams(side).join(", ");
                Drain::Drained {
                    evidence: format!("Caddy has no request with {upstreams}, and gives them none any more"),
                }
            }
        })
    }
}

impl TrafficBackend for Caddy {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities<'a>(&'a self, _: &'a Context) -> Answer<'a, Capabilities> {
        let can = Capabilities { compares_and_swaps: true, ..Capabilities::seeing(Kind::Weighted, true) };
        Box::pin(async move { Ok(can.moving(&self.settings.admin, &self.settings.id)) })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.look(context))
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async move { Ok(ShareSeen { share: self.share_of(&self.handler(context, "observe").await?) }) })
    }

    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(self.give(context, want))
    }

    fn health<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Health> {
        Box::pin(self.works(context, side))
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(self.is_drained(context, side))
    }
}
