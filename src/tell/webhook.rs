//! An HTTP address: the document by `POST`, a status of 200 to 299 if all is well.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::Deserialize;

use super::registry::ListenerKind;
use super::{Listener, Occasion, Telling};
use crate::outside::http::{HttpRequest, send};
use crate::outside::{ConfiguredText, Needs, Surroundings, are_headers, with_headers};

pub(super) const KIND: ListenerKind = ListenerKind {
    name: "webhook",
    about: "An HTTP address gets the document by POST; a status of 200 to 299 means that all is well",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |configured, surroundings| {
        let Settings { url, headers } = configured.read()?;
        url.is_url("url")?;
        are_headers(&headers)?;
        Ok(Box::new(Webhook { url, headers, folder: configured.folder.clone(), surroundings: surroundings.clone() }))
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// Where to; an address that is a secret is named.
    url: ConfiguredText,
    /// Headers; a secret is named.
    #[serde(default)]
    headers: BTreeMap<String, ConfiguredText>,
}

struct Webhook {
    url: ConfiguredText,
    headers: BTreeMap<String, ConfiguredText>,
    folder: Utf8PathBuf,
    surroundings: Surroundings,
}

impl Webhook {
    async fn post(&self, occasion: &Occasion, deadline: Duration) -> Result<(), String> {
        let body = serde_json::to_vec(occasion).map_err(|error| error.to_string())?;
        let url = self.url.read(&self.folder, &self.surroundings).await.map_err(|why| format!("url: {why}"))?;
        let request = HttpRequest::with_json("POST", url.reveal(), body);
        let request = with_headers(request, &self.headers, &self.folder, &self.surroundings).await?;
        posted(request, deadline).await
    }
}

/// Sends it. The address stays out of the error: it may be a secret.
pub(super) async fn posted(request: HttpRequest, deadline: Duration) -> Result<(), String> {
    let url = request.url.clone();
    let sent = send(request, deadline).await.map_err(|error| error.to_string().replace(&url, "the address"))?;
    match sent.is_success() {
        true => Ok(()),
        false => Err(format!("it answered {}: {}", sent.status, sent.excerpt())),
    }
}

impl Listener for Webhook {
    fn tell<'a>(&'a self, occasion: &'a Occasion, deadline: Duration) -> Telling<'a> {
        Box::pin(self.post(occasion, deadline))
    }
}
