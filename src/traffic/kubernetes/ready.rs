//! Pods, and where a service leads to.

use std::collections::BTreeMap;

use kube::core::{ApiResource, DynamicObject};
use serde_json::Value;

use super::DrainBy;
use super::cluster::{Asked, kind};
use crate::traffic::{Drain, Health, TrafficError};

/// Labels that select pods.
pub(super) type Labels = BTreeMap<String, String>;

/// A pod that has not ended.
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) is_ready: bool,
}

/// Where a service leads to.
pub(super) struct Endpoint {
    /// Its pod, if it is one.
    pub(super) pod: Option<String>,
    /// Whether it gets new connections.
    pub(super) is_ready: bool,
}

pub(super) fn service_kind() -> ApiResource {
    kind("", "v1", "Service")
}

/// What a Service selects.
pub(super) fn selected(service: &DynamicObject) -> Labels {
    let all = service.data["spec"]["selector"].as_object().into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn pod_kind() -> ApiResource {
    kind("", "v1", "Pod")
}

/// The pods with these labels that have not ended; one that is being ended may still answer.
pub(super) async fn pods(asked: Asked<'_>, labels: &Labels) -> Result<Vec<Pod>, TrafficError> {
    let found = asked.list(&pod_kind(), &selector(labels)).await?;
    Ok(found.iter().filter_map(pod).collect())
}

fn pod(object: &DynamicObject) -> Option<Pod> {
    let status = &object.data["status"];
    if matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return None;
    }
    let is_ready = list(&status["conditions"]).any(|it| it["type"] == "Ready" && it["status"] == "True");
    // One that is being ended is ready to its end, and gets nothing new.
    let is_ready = is_ready && object.metadata.deletion_timestamp.is_none();
    Some(Pod { name: object.metadata.name.clone().unwrap_or_default(), is_ready })
}

/// Where a service leads to, by its EndpointSlices.
pub(super) async fn endpoints(asked: Asked<'_>, service: &str) -> Result<Vec<Endpoint>, TrafficError> {
    let slices = kind("discovery.k8s.io", "v1", "EndpointSlice");
    let found = asked.list(&slices, &format!("kubernetes.io/service-name={service}")).await?;
    let one = |endpoint: &Value| {
        let target = &endpoint["targetRef"];
        let pod = (target["kind"] == "Pod").then(|| target["name"].as_str().unwrap_or_default().to_owned());
        // What is not said counts as yes.
        Endpoint { pod, is_ready: endpoint["conditions"]["ready"] != false }
    };
    Ok(found.iter().flat_map(|slice| list(&slice.data["endpoints"]).map(one)).collect())
}

/// Whether pods work, by whether any is ready. `what`: what they are, for people.
pub(super) fn health(what: &str, ready: impl IntoIterator<Item = bool>) -> Health {
    let all: Vec<bool> = ready.into_iter().collect();
    match (all.iter().any(|ready| *ready), all.len()) {
        (true, _) => Health::Healthy,
        (false, 0) => Health::Unhealthy { why: format!("{what} has no pods") },
        (false, some) => Health::Unhealthy { why: format!("none of the {some} pods of {what} is ready") },
    }
}

/// Whether somebody is left, of pods that get nothing new any more.
pub(super) fn drain(what: &str, left: usize, by: DrainBy) -> Drain {
    match (left, by) {
        (0, _) => Drain::Drained { evidence: format!("{what} gets nothing new, and has no pods left") },
        (_, DrainBy::Word) => Drain::Unknown,
        (left, DrainBy::PodsGone) => Drain::Active { count: u64::try_from(left).ok() },
    }
}

/// The items of a list; none where it is none.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// As the API takes labels.
pub(super) fn selector(labels: &Labels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}
