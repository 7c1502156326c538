//! An HTTP request to green, or to whoever knows how it does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::Deserialize;

use super::registry::CheckKind;
use super::{Check, CheckContext, Measured, Measuring};
use crate::outside::http::{HttpRequest, NoResponse, send};
use crate::outside::{ConfiguredText, Needs, Surroundings, are_headers, is_url, with_headers};
use crate::release::Configured;
use crate::release::time::Time;

pub(super) const KIND: CheckKind = CheckKind {
    name: "http",
    about: "An HTTP request that must be answered as it should, in time",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |check, surroundings| Ok(Box::new(Http::new(check, surroundings)?)),
};

/// As `[checks.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// What is asked for.
    url: String,
    /// Headers; a secret is named by `{ env = "NAME" }`, `{ file = "PATH" }` or `{ command = ["PROGRAM"] }`.
    #[serde(default)]
    headers: BTreeMap<String, ConfiguredText>,
    /// The status that is right; without it, every one from 200 to 299.
    status: Option<u16>,
    /// What the body must contain.
    contains: Option<String>,
    /// How long the answer may take to come, less than `timeout`.
    latency: Option<Time>,
}

struct Http {
    settings: Settings,
    folder: Utf8PathBuf,
    surroundings: Surroundings,
}

impl Http {
    fn new(check: &Configured, surroundings: &Surroundings) -> Result<Self, String> {
        let settings: Settings = check.read()?;
        is_url("url", &settings.url)?;
        are_headers(&settings.headers)?;
        Ok(Self { settings, folder: check.folder.clone(), surroundings: surroundings.clone() })
    }

    async fn ask(&self, context: &CheckContext) -> Measured {
        let Settings { url, headers, status, contains, latency } = &self.settings;
        let request = HttpRequest::get(url);
        let request = match with_headers(request, headers, &self.folder, &self.surroundings).await {
            Ok(request) => request,
            Err(why) => return Measured::error(why),
        };
        let begun = Instant::now();
        let response = match send(request, context.deadline).await {
            Ok(response) => response,
            Err(NoResponse::NotAsked(why)) => return Measured::error(why),
            // It is green that is asked, and it does not answer.
            Err(unreached) => return Measured::failed(format!("{url}: {unreached}")),
        };
        let took = begun.elapsed();
        let is_right = status.map_or_else(|| response.is_success(), |status| response.status == status);
        if !is_right {
            return Measured::failed(format!("{url} answered {}: {}", response.status, response.excerpt()));
        }
        if let Some(text) = contains.as_ref().filter(|text| !response.text().contains(text.as_str())) {
            return Measured::failed(format!("{url} answered without {text:?}: {}", response.excerpt()));
        }
        if latency.is_some_and(|limit| took > limit.duration()) {
            return Measured::failed(format!("{url} answered {} after {}", response.status, shown(took)));
        }
        Measured::successful(format!("{url} answered {} after {}", response.status, shown(took)))
    }
}

fn shown(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

impl Check for Http {
    fn measure<'a>(&'a self, context: &'a CheckContext) -> Measuring<'a> {
        Box::pin(self.ask(context))
    }
}
