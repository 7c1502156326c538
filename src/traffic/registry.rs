//! Every backend, by its kind.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{TrafficBackend, aws, caddy, envoy, haproxy, kubernetes, manual, nginx, plugin, simulated, traefik};
use crate::outside::{Needs, SettingsSchema, Surroundings};
use crate::release::Configured;

/// A kind of backend.
#[derive(Debug)]
pub struct BackendKind {
    /// As `kind` of `[traffic.NAME]` says.
    pub name: &'static str,
    /// What it does, as in help.
    pub about: &'static str,
    /// What it needs to be known.
    pub needs: Needs,
    /// The JSON Schema of its settings.
    pub settings: SettingsSchema,
    /// Makes it; an error says what is wrong with its settings.
    pub open: fn(&Configured, &Surroundings) -> OpenedBackend,
}

/// A backend, or what is wrong with its settings.
pub type OpenedBackend = Result<Box<dyn TrafficBackend>, String>;

/// Every kind, a line each.
pub static KINDS: &[BackendKind] = &[
    manual::KIND,
    simulated::KIND,
    plugin::EXEC,
    plugin::HTTP,
    haproxy::KIND,
    nginx::KIND,
    envoy::KIND,
    traefik::KIND,
    caddy::KIND,
    aws::elb::KIND,
    aws::route53::KIND,
    aws::lambda::KIND,
    aws::codedeploy::KIND,
    aws::ecs::KIND,
    aws::apigateway::KIND,
    aws::autoscaling::KIND,
    kubernetes::service::KIND,
    kubernetes::httproute::KIND,
];

/// Why a backend cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is none of that kind.
    #[error("traffic {name}: there is no kind {kind:?}; there are {}", KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", "))]
    NoKind {
        /// What the release calls it.
        name: String,
        /// What was asked for.
        kind: String,
    },
    /// It is called as another kind is.
    #[error("traffic {name}: it is of kind {kind:?}, and {name} is the name of another kind; call it something else")]
    OtherKind {
        /// What the release calls it.
        name: String,
        /// What it is.
        kind: String,
    },
    /// Its settings are wrong.
    #[error("traffic {name}: {why}")]
    Settings {
        /// What the release calls it.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// The kind of a backend.
pub fn kind(traffic: &Configured) -> Result<&'static BackendKind, OpenError> {
    let no_kind = || OpenError::NoKind { name: traffic.name.clone(), kind: traffic.kind.clone() };
    KINDS.iter().find(|kind| kind.name == traffic.kind).ok_or_else(no_kind)
}

/// Makes a backend.
pub fn open(traffic: &Configured, surroundings: &Surroundings) -> Result<Box<dyn TrafficBackend>, OpenError> {
    if traffic.name != traffic.kind && KINDS.iter().any(|kind| kind.name == traffic.name) {
        return Err(OpenError::OtherKind { name: traffic.name.clone(), kind: traffic.kind.clone() });
    }
    let settings = |why| OpenError::Settings { name: traffic.name.clone(), why };
    (kind(traffic)?.open)(traffic, surroundings).map_err(settings)
}

/// The settings of a backend that has none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoSettings {}
