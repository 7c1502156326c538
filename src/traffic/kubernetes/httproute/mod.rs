//! An HTTPRoute of the Gateway API: the weights of two Services in its rules.
//!
//! The route is read, changed and written back under its resourceVersion, all rules at once, and counts as moved once every gateway has accepted that very
//! generation of it. Fields are those of gateway.networking.k8s.io/v1.

#[cfg(feature = "kubernetes")]
mod backend;
#[cfg(feature = "kubernetes")]
mod seen;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ClusterSettings, DrainBy, is_name};
use crate::outside::Needs;
#[cfg(feature = "kubernetes")]
use crate::side::Side;
use crate::traffic::registry::{BackendKind, OpenedBackend};

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "kubernetes-httproute",
    about: "an HTTPRoute of the Gateway API splits by the weights of two Services",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let settings: Settings = traffic.read()?;
        settings.check()?;
        opened(&traffic.name, Settings { cluster: settings.cluster.clone().of(traffic), ..settings })
    },
};

#[cfg(feature = "kubernetes")]
fn opened(name: &str, settings: Settings) -> OpenedBackend {
    Ok(Box::new(backend::Route::new(name.to_owned(), settings)))
}

#[cfg(not(feature = "kubernetes"))]
fn opened(name: &str, _: Settings) -> OpenedBackend {
    crate::traffic::not_built::not_built(name, "kubernetes")
}

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[cfg_attr(not(feature = "kubernetes"), expect(dead_code, reason = "what reads the rest is no part of this build"))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The HTTPRoute. Every rule of it that leads to blue or green is moved.
    route: String,
    /// Blue's Service.
    blue: String,
    /// Green's.
    green: String,
    /// When blue counts as drained.
    #[serde(default)]
    drain: DrainBy,
    /// The cluster, where it is not the usual one.
    #[serde(default)]
    cluster: ClusterSettings,
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        for (setting, name) in [("route", &self.route), ("blue", &self.blue), ("green", &self.green)] {
            is_name(setting, name)?;
        }
        if self.blue == self.green {
            return Err("`blue` and `green` are the same Service".to_owned());
        }
        self.cluster.check()
    }

    #[cfg(feature = "kubernetes")]
    fn service(&self, side: Side) -> &str {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }
}
