//! A channel of Slack, or of what takes the same: an incoming webhook gets the sentence as `text`.

use std::time::Duration;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::registry::ListenerKind;
use super::webhook::posted;
use super::{Listener, Occasion, Telling};
use crate::outside::http::HttpRequest;
use crate::outside::{ConfiguredText, Needs, Surroundings};

pub(super) const KIND: ListenerKind = ListenerKind {
    name: "slack",
    about: "An incoming webhook of Slack, or of what takes the same, gets a sentence",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |configured, surroundings| {
        let Settings { url } = configured.read()?;
        url.is_named("url")?;
        Ok(Box::new(Slack { url, folder: configured.folder.clone(), surroundings: surroundings.clone() }))
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The webhook's address, which is a secret: whoever has it can write there.
    url: ConfiguredText,
}

struct Slack {
    url: ConfiguredText,
    folder: Utf8PathBuf,
    surroundings: Surroundings,
}

impl Slack {
    async fn post(&self, occasion: &Occasion, deadline: Duration) -> Result<(), String> {
        let url = self.url.read(&self.folder, &self.surroundings).await.map_err(|why| format!("url: {why}"))?;
        let text = format!("Release {} on {}: {}", occasion.release, occasion.database, occasion.text);
        let request = HttpRequest::with_json("POST", url.reveal(), json!({ "text": text }).to_string().into_bytes());
        posted(request, deadline).await
    }
}

impl Listener for Slack {
    fn tell<'a>(&'a self, occasion: &'a Occasion, deadline: Duration) -> Telling<'a> {
        Box::pin(self.post(occasion, deadline))
    }
}
