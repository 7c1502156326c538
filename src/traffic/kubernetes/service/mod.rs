//! A Service whose selector leads to blue's pods or to green's: all traffic at once.
//!
//! The Service is read, changed and written back under its resourceVersion, which the API refuses if somebody else has changed it meanwhile. Fields are those of
//! the Kubernetes API, core/v1 and discovery.k8s.io/v1.

#[cfg(feature = "kubernetes")]
mod backend;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ClusterSettings, DrainBy, is_name};
use crate::outside::Needs;
#[cfg(feature = "kubernetes")]
use crate::side::Side;
use crate::traffic::registry::{BackendKind, OpenedBackend};

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "kubernetes-service",
    about: "a Service of Kubernetes selects the pods of one or the other",
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
    Ok(Box::new(backend::Switch::new(name.to_owned(), settings)))
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
    /// The Service.
    service: String,
    /// The labels of its selector that tell blue's pods from green's, with their values for blue.
    blue: BTreeMap<String, String>,
    /// The same labels for green.
    green: BTreeMap<String, String>,
    /// When blue counts as drained.
    #[serde(default)]
    drain: DrainBy,
    /// The cluster, where it is not the usual one.
    #[serde(default)]
    cluster: ClusterSettings,
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        is_name("service", &self.service)?;
        if self.blue.is_empty() || !self.blue.keys().eq(self.green.keys()) {
            return Err("`blue` and `green` have the same labels, at least one".to_owned());
        }
        if self.blue == self.green {
            return Err("`blue` and `green` select the same pods".to_owned());
        }
        self.cluster.check()
    }

    #[cfg(feature = "kubernetes")]
    fn labels(&self, side: Side) -> &BTreeMap<String, String> {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let check = |blue: &[(&str, &str)], green: &[(&str, &str)], expected: &str| {
            let labels = |of: &[(&str, &str)]| of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let settings = Settings {
                service: "shop".into(),
                blue: labels(blue),
                green: labels(green),
                drain: DrainBy::Word,
                cluster: ClusterSettings::default(),
            };
            assert_eq!(settings.check().unwrap_err(), expected);
        };
        let other = "`blue` and `green` have the same labels, at least one";
        check(&[], &[], other);
        check(&[("version", "1")], &[("color", "green")], other);
        check(&[("version", "1")], &[("version", "1")], "`blue` and `green` select the same pods");
    }
}
