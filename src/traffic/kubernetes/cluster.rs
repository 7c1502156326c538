//! The cluster that a backend works in, and how it is asked.

use std::time::Duration;

use kube::api::{ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::ClusterSettings;
use crate::outside::chain;
use crate::traffic::{Capabilities, Context, Kind, TrafficError, TrafficErrorCode};

/// The cluster as one backend asks it.
pub(super) struct Cluster {
    /// The backend's name.
    pub(super) name: String,
    settings: ClusterSettings,
    opened: OnceCell<Opened>,
}

/// Where it is, and its client.
struct Opened {
    client: Client,
    namespace: String,
    address: String,
}

/// How often a change is made again that was refused because something else of the object had changed.
const TRIES: u32 = 5;

impl Cluster {
    /// Nothing is asked before it is needed.
    pub(super) fn new(name: String, settings: ClusterSettings) -> Self {
        Self { name, settings, opened: OnceCell::new() }
    }

    pub(super) fn asked<'a>(&'a self, context: &Context, op: &'static str) -> Asked<'a> {
        Asked { cluster: self, op, deadline: context.deadline }
    }

    async fn config(&self) -> Result<Config, String> {
        let ClusterSettings { context, kubeconfig, .. } = &self.settings;
        let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
        let said = |error: &dyn std::error::Error| error.to_string();
        match kubeconfig {
            Some(path) => {
                let read = Kubeconfig::read_from(path).map_err(|error| said(&error))?;
                Config::from_custom_kubeconfig(read, &options).await.map_err(|error| said(&error))
            }
            None if context.is_some() => Config::from_kubeconfig(&options).await.map_err(|error| said(&error)),
            None => Config::infer().await.map_err(|error| said(&error)),
        }
    }

    async fn open(&self) -> Result<Opened, String> {
        let mut config = self.config().await?;
        // What may pass is asked again by the release, which says so meanwhile.
        config.default_retry = false;
        let namespace = self.settings.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let address = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| error.to_string())?;
        Ok(Opened { client, namespace, address })
    }

    /// A role that allows what a backend asks: verbs on objects of a kind, by their names or all of them.
    pub(super) fn role(&self, rules: &[(&str, &str, &[&str], &[&str])]) -> Value {
        let rule = |(group, resources, names, verbs): &(&str, &str, &[&str], &[&str])| {
            let mut rule = json!({ "apiGroups": [group], "resources": [resources], "verbs": verbs });
            if !names.is_empty() {
                rule["resourceNames"] = json!(names);
            }
            rule
        };
        let mut metadata = json!({ "name": "cutover" });
        if let Some(namespace) = &self.settings.namespace {
            metadata["namespace"] = json!(namespace);
        }
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": rules.iter().map(rule).collect::<Vec<_>>(),
        })
    }
}

/// A kind of object.
pub(super) fn kind(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// What an answer is asked by.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    cluster: &'a Cluster,
    op: &'static str,
    deadline: Duration,
}

impl Asked<'_> {
    async fn opened(&self) -> Result<&Opened, TrafficError> {
        let opened = self.cluster.opened.get_or_try_init(|| self.cluster.open()).await;
        opened.map_err(|why| self.misconfigured(format!("the cluster is not known: {why}")))
    }

    /// What whoever moves an object in the namespace can do: what is written back under its version overwrites nobody.
    pub(super) async fn moves(&self, kind: Kind, object: String) -> Result<Capabilities, TrafficError> {
        let Opened { namespace, address, .. } = self.opened().await?;
        let can = Capabilities::seeing(kind, true).moving(format!("{address} (namespace {namespace})"), object);
        Ok(Capabilities { compares_and_swaps: true, ..can })
    }

    async fn api(&self, kind: &ApiResource) -> Result<Api<DynamicObject>, TrafficError> {
        let Opened { client, namespace, .. } = self.opened().await?;
        Ok(Api::namespaced_with(client.clone(), namespace, kind))
    }

    pub(super) async fn get(&self, kind: &ApiResource, name: &str) -> Result<DynamicObject, TrafficError> {
        let api = self.api(kind).await?;
        self.answer(api.get(name)).await
    }

    /// Those with these labels, as a selector.
    pub(super) async fn list(&self, kind: &ApiResource, labels: &str) -> Result<Vec<DynamicObject>, TrafficError> {
        let api = self.api(kind).await?;
        Ok(self.answer(api.list(&ListParams::default().labels(labels))).await?.items)
    }

    /// Writes an object back as `change` makes it, unless that says that there is nothing to change. An object that somebody else has changed meanwhile is
    /// read again and given to `change` once more, which can refuse to.
    pub(super) async fn change(
        &self,
        kind: &ApiResource,
        name: &str,
        mut change: impl FnMut(&mut DynamicObject) -> Result<bool, TrafficError>,
    ) -> Result<(), TrafficError> {
        let api = self.api(kind).await?;
        for last in (0..TRIES).rev() {
            let mut object = self.get(kind, name).await?;
            if !change(&mut object)? {
                return Ok(());
            }
            match self.answer(api.replace(name, &PostParams::default(), &object)).await {
                Err(TrafficError::Refused { code: TrafficErrorCode::Conflict, .. }) if last > 0 => {}
                done => return done.map(|_| ()),
            }
        }
        Ok(())
    }

    /// The answer of a call, in time.
    async fn answer<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, TrafficError> {
        let backend = || self.cluster.name.clone();
        match tokio::time::timeout(self.deadline, call).await {
            Ok(answered) => answered.map_err(|error| self.error(&error)),
            Err(_) => Err(TrafficError::Late { backend: backend(), op: self.op, deadline: self.deadline }),
        }
    }

    fn error(&self, error: &kube::Error) -> TrafficError {
        let kube::Error::Api(status) = error else {
            return match error {
                kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
                    TrafficError::Broken { backend: self.cluster.name.clone(), op: self.op, why: error.to_string() }
                }
                kube::Error::Auth(_) | kube::Error::InferConfig(_) => self.misconfigured(error.to_string()),
                other => TrafficError::unavailable(&self.cluster.name, self.op, chain(other)),
            };
        };
        let code = match status.code {
            401 | 403 => TrafficErrorCode::Denied,
            404 => TrafficErrorCode::NotFound,
            409 => TrafficErrorCode::Conflict,
            429 => TrafficErrorCode::Throttled,
            500.. => return TrafficError::unavailable(&self.cluster.name, self.op, status.message.clone()),
            _ => TrafficErrorCode::Other(status.reason.clone()),
        };
        self.refused(code, status.message.clone())
    }

    pub(super) fn refused(&self, code: TrafficErrorCode, message: impl Into<String>) -> TrafficError {
        TrafficError::refused(&self.cluster.name, self.op, code, message)
    }

    pub(super) fn misconfigured(&self, message: impl Into<String>) -> TrafficError {
        self.refused(TrafficErrorCode::Misconfigured, message)
    }
}
