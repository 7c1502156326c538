//! Traefik, by its file provider: a file with a weighted service, which this writes as a whole and Traefik's API gives back.

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::admin::{Admin, is_name};
use super::registry::BackendKind;
use super::{
    Answer, Capabilities, Context, Health, Kind, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError,
    TrafficErrorCode, weights, written,
};
use crate::outside::Needs;
use crate::side::Side;

pub(super) const KIND: BackendKind = BackendKind {
    name: "traefik",
    about: "a file with a weighted service, for Traefik's file provider",
    needs: Needs::ThisMachine,
    settings: Settings::json_schema,
    open: |traffic, _| {
        let settings: Settings = traffic.read()?;
        settings.check()?;
        let admin = Admin::new(&traffic.name, "api", &settings.api)?;
        Ok(Box::new(Traefik { name: traffic.name.clone(), admin, file: traffic.file(&settings.file), settings }))
    },
};

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The address of Traefik's API.
    api: String,
    /// The file of the weighted service, in a folder that the file provider watches.
    file: String,
    /// The weighted service that the file makes.
    service: String,
    /// Blue's service; without a provider behind `@` it is the file provider's.
    blue: String,
    /// Green's.
    green: String,
}

impl Settings {
    fn check(&self) -> Result<(), String> {
        for name in [&self.service, &self.blue, &self.green] {
            if !is_name(name) {
                return Err(format!("{name:?} is no name of a service"));
            }
        }
        if !self.file.ends_with(".yml") && !self.file.ends_with(".yaml") {
            return Err(format!("`file` {:?} must end in .yml or .yaml: Traefik goes by it", self.file));
        }
        if self.blue == self.green || [&self.blue, &self.green].contains(&&self.service) {
            return Err("`blue`, `green` and `service` are three services".to_owned());
        }
        Ok(())
    }

    fn service(&self, side: Side) -> &str {
        match side {
            Side::Blue => &self.blue,
            Side::Green => &self.green,
        }
    }

    /// The whole file.
    fn text(&self, share: Share) -> String {
        let (blue, green) = weights::least(share, 1, 1).unwrap_or_default();
        let one = |name: &str, weight| format!("          - name: \"{name}\"\n            weight: {weight}\n");
        format!(
            "{}\nhttp:\n  services:\n    \"{}\":\n      weighted:\n        services:\n{}{}",
            written::FIRST_LINE,
            self.service,
            one(&self.blue, blue),
            one(&self.green, green),
        )
    }
}

/// With its provider.
fn qualified(service: &str) -> String {
    if service.contains('@') { service.to_owned() } else { format!("{service}@file") }
}

/// The services of a file that this wrote, with their weights.
fn weights_of(text: &str) -> Vec<(String, u64)> {
    let mut found: Vec<(String, u64)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- name: \"").and_then(|rest| rest.strip_suffix('"')) {
            found.push((qualified(name), 0));
        }
        if let (Some(weight), Some((_, known))) = (line.strip_prefix("weight: "), found.last_mut()) {
            *known = weight.parse().unwrap_or(0);
        }
    }
    found
}

/// Traefik as traffic backend.
#[derive(Debug)]
struct Traefik {
    name: String,
    admin: Admin,
    file: Utf8PathBuf,
    settings: Settings,
}

impl Traefik {
    fn refused<T>(
        &self,
        op: &'static str,
        code: TrafficErrorCode,
        message: impl Into<String>,
    ) -> Result<T, TrafficError> {
        Err(TrafficError::refused(&self.name, op, code, message))
    }

    async fn service(&self, context: &Context, op: &'static str, service: &str) -> Result<Value, TrafficError> {
        self.admin.get_json(context, op, &format!("/api/http/services/{}", qualified(service))).await
    }

    /// The weights that Traefik works with, by service.
    async fn weights(&self, context: &Context, op: &'static str) -> Result<Vec<(String, u64)>, TrafficError> {
        let service = self.service(context, op, &self.settings.service).await?;
        let Some(services) = service["weighted"]["services"].as_array() else {
            let what = format!("service {} is not weighted", qualified(&self.settings.service));
            return self.refused(op, TrafficErrorCode::Misconfigured, what);
        };
        // A service without a weight has the weight 1.
        let one = |one: &Value| Some((one["name"].as_str()?.to_owned(), one["weight"].as_u64().unwrap_or(1)));
        Ok(services.iter().filter_map(one).collect())
    }

    async fn seen(&self, context: &Context, op: &'static str) -> Result<Option<Share>, TrafficError> {
        let weights = self.weights(context, op).await?;
        let of = |side| -> u64 {
            let name = qualified(self.settings.service(side));
            weights.iter().filter(|(known, _)| qualified(known) == name).map(|(_, weight)| weight).sum()
        };
        Ok(weights::share(of(Side::Blue), of(Side::Green)))
    }

    async fn look(&self, context: &Context) -> Result<(), TrafficError> {
        let op = "preflight";
        let Settings { service, blue, green, .. } = &self.settings;
        written::is_ours(&self.file, &self.settings.text(Share::NONE))
            .or_else(|why| self.refused(op, TrafficErrorCode::Misconfigured, why))?;
        for side in [Side::Blue, Side::Green] {
            self.service(context, op, self.settings.service(side)).await?;
        }
        let weights = self.weights(context, op).await?;
        let stranger = weights
            .iter()
            .find(|(name, weight)| *weight > 0 && ![qualified(blue), qualified(green)].contains(&qualified(name)));
        if let Some((name, _)) = stranger {
            let what = format!("service {name} gets traffic of {service} and is neither blue's nor green's");
            return self.refused(op, TrafficErrorCode::Misconfigured, what);
        }
        // Whether it is this file that Traefik reads.
        let mut in_file = weights_of(&std::fs::read_to_string(&self.file).unwrap_or_default());
        let mut in_force: Vec<_> = weights.into_iter().map(|(name, weight)| (qualified(&name), weight)).collect();
        in_file.sort();
        in_force.sort();
        if in_file == in_force {
            return Ok(());
        }
        let what =
            format!("the weights of {service} are not those of {}: does Traefik's file provider watch it?", self.file);
        self.refused(op, TrafficErrorCode::Misconfigured, what)
    }

    async fn works(&self, context: &Context, side: Side) -> Result<Health, TrafficError> {
        let service = self.service(context, "health", self.settings.service(side)).await?;
        let is_checked = !service["loadBalancer"]["healthCheck"].is_null();
        let Some(states) = service["serverStatus"].as_object().filter(|states| is_checked && !states.is_empty()) else {
            return Ok(Health::Unknown);
        };
        if states.values().any(|state| state == "UP") {
            return Ok(Health::Healthy);
        }
        let down: Vec<String> = states.keys().map(|server| format!("{server} is down")).collect();
        Ok(Health::Unhealthy { why: down.join(", ") })
    }
}

impl TrafficBackend for Traefik {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities<'a>(&'a self, _: &'a Context) -> Answer<'a, Capabilities> {
        let (api, service) = (&self.settings.api, &self.settings.service);
        Box::pin(async move { Ok(Capabilities::seeing(Kind::Weighted, false).moving(api, service)) })
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(self.look(context))
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(async move { Ok(ShareSeen { share: self.seen(context, "observe").await? }) })
    }

    fn set_share<'a>(&'a self, _: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(async move {
            written::write(&self.file, &self.settings.text(want))
                .or_else(|why| self.refused("set_share", TrafficErrorCode::Denied, why))?;
            Ok(ShareSet { share: want })
        })
    }

    fn health<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Health> {
        Box::pin(self.works(context, side))
    }
}
