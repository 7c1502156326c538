//! Kubernetes: what its backends share. The client is a feature of the build, since it is large; the settings are known to every build.

#[cfg(feature = "kubernetes")]
mod cluster;
pub(super) mod httproute;
#[cfg(feature = "kubernetes")]
mod ready;
pub(super) mod service;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::release::Configured;

/// As `cluster` in `[traffic.NAME]` has it. Credentials come from where `kubectl` finds them, or from the pod's own service account.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct ClusterSettings {
    /// The namespace; otherwise that of the context, or of the pod.
    namespace: Option<String>,
    /// The context of the kubeconfig; otherwise its current one.
    context: Option<String>,
    /// The kubeconfig; otherwise that of KUBECONFIG or of the home directory, and in a pod its service account.
    kubeconfig: Option<String>,
}

/// What tells that blue serves nobody: what moves new requests away keeps no connection from going on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum DrainBy {
    /// Somebody says so, or none of blue's pods is left.
    #[default]
    Word,
    /// None of blue's pods is left, which is waited for.
    PodsGone,
}

impl ClusterSettings {
    /// The same with the path of the kubeconfig as it is from here.
    fn of(self, traffic: &Configured) -> Self {
        Self { kubeconfig: self.kubeconfig.map(|path| traffic.file(&path).into_string()), ..self }
    }

    fn check(&self) -> Result<(), String> {
        match &self.namespace {
            Some(namespace) => is_name("cluster.namespace", namespace),
            None => Ok(()),
        }
    }
}

/// Refuses what is no name of an object (RFC 1123). `setting`: where the settings have it.
fn is_name(setting: &str, text: &str) -> Result<(), String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    match text.len() <= 253 && text.chars().all(is_part) && is_end(text.chars().next()) && is_end(text.chars().last()) {
        true => Ok(()),
        false => Err(format!("`{setting}` {text:?} is no name of an object in Kubernetes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes() {
        for name in ["shop", "shop-2", "a.b"] {
            assert_eq!(is_name("service", name), Ok(()), "{name}");
        }
        for name in ["", "Shop", "-shop", "shop_2", "shop/2", &"a".repeat(254)] {
            assert!(is_name("service", name).is_err(), "{name}");
        }
    }
}
