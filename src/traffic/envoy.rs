//! Envoy, by a file of its route discovery (RDS): the weights of two clusters in a route configuration that is replaced as a whole.
//!
//! Envoy's admin API tells which weights are in force, who is healthy and what is still on its way. An update that Envoy refuses leaves the one
//! before in force.

use camino::Utf8PathBuf;
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
use crate::outside::replace::replace;
use crate::side::Side;

pub(super) const KIND: BackendKind = BackendKind {
    name: "envoy",
    about: "the weights of two clusters in the file of Envoy's route discovery",
    needs: Needs::ThisMachine,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let settings: Settings = traffic.read()?;
        settings.check()?;
        let admin = Admin::new(&traffic.name, "admin", &settings.admin)?;
        Ok(Box::new(Envoy { name: traffic.name.clone(), admin, file: traffic.file(&settings.file), settings }))
    },
};

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The address of Envoy's admin API.
    admin: String,
    /// The file of the route configuration, as JSON.
    file: String,
    /// Blue's cluster.
    blue: String,
    /// Green's.
    green: String,
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        for name in [&self.blue, &self.green] {
            if !is_name(name) {
                return Err(format!("{name:?} has other characters than letters, digits, `-`, `_`, `.` and `@`"));
            }
        }
        if self.blue == self.green { Err("`blue` and `green` are two clusters".to_owned()) } else { Ok(()) }
    }

    fn cluster(&self, side: Side) -> &str {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }
}

/// Envoy as traffic backend.
#[derive(Debug)]
struct Envoy {
    name: String,
    admin: Admin,
    file: Utf8PathBuf,
    settings: Settings,
}

/// Goes to every `weighted_clusters` of a document.
fn each_split<'a>(value: &'a mut Value, visit: &mut dyn FnMut(&'a mut Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key == "weighted_clusters" { visit(value) } else { each_split(value, visit) }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| each_split(value, visit)),
        _ => {}
    }
}

/// A place that sends something to a cluster beside the weights: a route of its own, a mirror. A test route is none: requests with a header that go to green.
fn beside<'v>(value: &'v Value, clusters: [&str; 2]) -> Option<&'v str> {
    let [_, green] = clusters;
    let by_header = |route: &Value| route["match"]["headers"].as_array().is_some_and(|headers| !headers.is_empty());
    match value {
        route @ Value::Object(_) if by_header(route) && route["route"]["cluster"] == green => {
            beside(&route["route"]["request_mirror_policies"], clusters)
        }
        Value::Object(map) => map.iter().find_map(|(key, value)| match value {
            _ if key == "weighted_clusters" => None,
            Value::String(name) if key == "cluster" && clusters.contains(&name.as_str()) => Some(name.as_str()),
            value => beside(value, clusters),
        }),
        Value::Array(values) => values.iter().find_map(|value| beside(value, clusters)),
        _ => None,
    }
}

impl Envoy {
    fn refused<T>(
        &self,
        op: &'static str,
        code: TrafficErrorCode,
        message: impl Into<String>,
    ) -> Result<T, TrafficError> {
        Err(TrafficError::refused(&self.name, op, code, message))
    }

    /// The route configuration of the file.
    fn routes(&self, op: &'static str) -> Result<Value, TrafficError> {
        let file = &self.file;
        let text = std::fs::read_to_string(file)
            .or_else(|error| self.refused(op, TrafficErrorCode::NotFound, format!("{file} cannot be read: {error}")))?;
        serde_json::from_str(&text).or_else(|error| {
            let what = format!("{file} is no JSON ({error}); Envoy reads JSON under any name, so write it as that");
            self.refused(op, TrafficErrorCode::Misconfigured, what)
        })
    }

    /// The weights of each split between the two, blue's first.
    fn splits(&self, document: &mut Value) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        each_split(document, &mut |split| {
            let of = |name: &str| {
                let clusters = split["clusters"].as_array().into_iter().flatten();
                // A weight of 0 may be left out.
                clusters
                    .filter(|one| one["name"] == name)
                    .map(|one| one["weight"].as_u64().unwrap_or(0))
                    .reduce(|a, b| a + b)
            };
            if let (Some(blue), Some(green)) = (of(&self.settings.blue), of(&self.settings.green)) {
                found.push((blue, green));
            }
        });
        found
    }

    /// The share that all splits make, if they make the same.
    fn share_of(&self, document: &mut Value) -> Option<Share> {
        let splits = self.splits(document);
        let mut shares = splits.into_iter().map(|(blue, green)| weights::share(blue, green));
        let first = shares.next()??;
        shares.all(|share| share == Some(first)).then_some(first)
    }

    /// The route configurations in force that the file has as well.
    async fn in_force(&self, context: &Context, op: &'static str) -> Result<Value, TrafficError> {
        let routes = self.routes(op)?;
        let ours = |dump: &Value| {
            let resources = routes["resources"].as_array().into_iter().flatten();
            resources.into_iter().any(|one| one["name"] == dump["route_config"]["name"])
        };
        let mut dump = self.admin.get_json(context, op, "/config_dump?resource=dynamic_route_configs").await?;
        let configs = dump["configs"].as_array_mut().map(std::mem::take).unwrap_or_default();
        let ours: Vec<Value> = configs.into_iter().filter(ours).collect();
        for refused in ours.iter().filter(|one| !one["error_state"].is_null()) {
            let details = refused["error_state"]["details"].as_str().unwrap_or_default();
            context.log.line(format!("Envoy refused the last route configuration: {details}"));
        }
        Ok(Value::Array(ours))
    }

    async fn seen(&self, context: &Context, op: &'static str) -> Result<Option<Share>, TrafficError> {
        Ok(self.share_of(&mut self.in_force(context, op).await?))
    }

    /// The clusters as Envoy has them.
    async fn clusters(&self, context: &Context, op: &'static str) -> Result<Vec<Value>, TrafficError> {
        let mut clusters = self.admin.get_json(context, op, "/clusters?format=json").await?;
        Ok(clusters["cluster_statuses"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let (op, file) = ("preflight", &self.file);
        let Settings { blue, green, .. } = &self.settings;
        let wrong = |what: String| self.refused(op, TrafficErrorCode::Misconfigured, what);
        let mut routes = self.routes(op)?;
        let mut problem = None;
        each_split(&mut routes, &mut |split| {
            let clusters: Vec<&Value> = split["clusters"].as_array().into_iter().flatten().collect();
            let names = |name: &str| clusters.iter().any(|one| one["name"] == name);
            if !names(blue) || !names(green) {
                return;
            }
            let stranger = clusters.iter().find(|one| {
                one["name"] != blue.as_str() && one["name"] != green.as_str() && one["weight"].as_u64().unwrap_or(0) > 0
            });
            if let Some(stranger) = stranger {
                problem = Some(format!("cluster {} gets traffic and is neither blue's nor green's", stranger["name"]));
            }
            for key in ["total_weight", "runtime_key_prefix"] {
                if !split[key].is_null() {
                    problem = Some(format!("`{key}` of `weighted_clusters` decides beside the weights; remove it"));
                }
            }
        });
        if let Some(problem) = problem {
            return wrong(format!("{file}: {problem}"));
        }
        if self.splits(&mut routes).is_empty() {
            return wrong(format!("{file} has no `weighted_clusters` with both {blue} and {green}"));
        }
        let known = self.clusters(context, op).await?;
        if let Some(missing) =
            [blue, green].into_iter().find(|name| known.iter().all(|one| one["name"] != name.as_str()))
        {
            return self.refused(op, TrafficErrorCode::NotFound, format!("Envoy has no cluster {missing}"));
        }
        let dump = self.admin.get_json(context, op, "/config_dump?resource=dynamic_route_configs").await?;
        if let Some(name) = beside(&dump, [blue, green]) {
            return wrong(format!(
                "a route sends requests to cluster {name} directly, or mirrors them there: no weight moves those, and blue would never be drained"
            ));
        }
        let mut in_force = self.in_force(context, op).await?;
        if self.splits(&mut in_force) != self.splits(&mut routes) {
            return wrong(format!("Envoy does not work with {file}: its routes have other weights, or another name"));
        }
        match self.share_of(&mut routes) {
            Some(_) => Ok(()),
            None => wrong(format!("{file}: its `weighted_clusters` with {blue} and {green} differ, or have no weight")),
        }
    }

    fn give(&self, want: Share) -> Result<ShareSet, TrafficError> {
        let op = "set_share";
        let mut routes = self.routes(op)?;
        let points = u64::from(want.as_basis_points());
        let rest = u64::from(Share::ALL.as_basis_points()) - points;
        let mut set = 0;
        let both = [(self.settings.blue.as_str(), rest), (self.settings.green.as_str(), points)];
        each_split(&mut routes, &mut |split| {
            let Some(clusters) = split["clusters"].as_array_mut() else { return };
            if both.iter().any(|(name, _)| clusters.iter().all(|one| one["name"] != *name)) {
                return;
            }
            set += 1;
            for one in clusters {
                if let Some((_, weight)) = both.iter().find(|(name, _)| one["name"] == *name) {
                    one["weight"] = (*weight).into();
                }
            }
        });
        if set == 0 {
            return self.refused(
                op,
                TrafficErrorCode::Misconfigured,
                format!("{} has no `weighted_clusters` with both", self.file),
            );
        }
        let text = serde_json::to_string_pretty(&routes).unwrap_or_default() + "\n";
        replace(&self.file, &text).or_else(|why| self.refused(op, TrafficErrorCode::Denied, why))?;
        Ok(ShareSet { share: want })
    }

    async fn works(&self, context: &Context, side: Side) -> Result<Health, TrafficError> {
        let op = "health";
        let cluster = self.settings.cluster(side);
        let clusters = self.clusters(context, op).await?;
        let hosts = clusters.iter().find(|one| one["name"] == cluster).and_then(|one| one["host_statuses"].as_array());
        let Some(hosts) = hosts.filter(|hosts| !hosts.is_empty()) else {
            return Ok(Health::Unhealthy { why: format!("cluster {cluster} has no host") });
        };
        let flags = ["failed_active_health_check", "failed_outlier_check"];
        let is_down = |host: &&Value| {
            let state = &host["health_status"];
            flags.iter().any(|flag| state[flag] == true) || state["eds_health_status"] == "UNHEALTHY"
        };
        let down: Vec<String> = hosts.iter().filter(is_down).map(|host| format!("{} is down", address(host))).collect();
        if down.len() == hosts.len() {
            return Ok(Health::Unhealthy { why: down.join(", ") });
        }
        // Without checks of its own Envoy calls everybody healthy.
        let attempts = format!("cluster.{cluster}.health_check.attempt");
        let checked =
            self.stats(context, op, &attempts).await?.iter().any(|(name, count)| *name == attempts && *count > 0);
        Ok(if checked { Health::Healthy } else { Health::Unknown })
    }

    /// Counters and gauges whose name begins so.
    async fn stats(&self, context: &Context, op: &'static str, name: &str) -> Result<Vec<(String, u64)>, TrafficError> {
        let filter = name.replace('.', "\\.").replace('\\', "%5C");
        let stats = self.admin.get_json(context, op, &format!("/stats?format=json&filter=%5E{filter}")).await?;
        let one = |one: &Value| Some((one["name"].as_str()?.to_owned(), one["value"].as_u64()?));
        Ok(stats["stats"].as_array().into_iter().flatten().filter_map(one).collect())
    }

    async fn is_drained(&self, context: &Context, side: Side) -> Result<Drain, TrafficError> {
        let op = "drain";
        let none = Share::without(side);
        if self.seen(context, op).await? != Some(none) {
            return Ok(Drain::Active { count: None });
        }
        let cluster = self.settings.cluster(side);
        let stats = self.stats(context, op, &format!("cluster.{cluster}.upstream_")).await?;
        let gauge = |name: &str| {
            let name = format!("cluster.{cluster}.upstream_{name}");
            stats.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
        };
        Ok(match (gauge("rq_active"), gauge("rq_pending_active")) {
            (Some(0), Some(0)) => Drain::Drained {
                evidence: format!("Envoy has no request with cluster {cluster}, and gives it none any more"),
            },
            (Some(active), Some(pending)) => Drain::Active { count: Some(active + pending) },
            _ => Drain::Unknown,
        })
    }
}

fn address(host: &Value) -> String {
    let socket = &host["address"]["socket_address"];
    format!("{}:{}", socket["address"].as_str().unwrap_or("?"), socket["port_value"])
}

impl TrafficBackend for Envoy {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities<'a>(&'a self, _: &'a Context) -> Answer<'a, Capabilities> {
        let (admin, file) = (&self.settings.admin, &self.settings.file);
        Box::pin(async move { Ok(Capabilities::seeing(Kind::Weighted, true).moving(admin, file)) })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.look(context))
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async move { Ok(ShareSeen { share: self.seen(context, "observe").await? }) })
    }

    fn set_share<'a>(&'a self, _: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(async move { self.give(want) })
    }

    fn health<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Health> {
        Box::pin(self.works(context, side))
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(self.is_drained(context, side))
    }
}
