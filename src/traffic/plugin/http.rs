//! A program that is asked by HTTP.

use camino::Utf8PathBuf;
use hmac::{Hmac, Mac as _};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::Sha256;

use super::asked::{Asked, Bringing, NoAnswer, Transport};
use super::protocol::{Op, PluginRequest};
use crate::outside::http::{self, NoResponse, send};
use crate::outside::{ConfiguredText, Needs, Surroundings, is_url};
use crate::traffic::registry::BackendKind;
use crate::traffic::{Context, TrafficErrorCode};

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "http",
    about: "A service of yours moves it: a JSON request by HTTP, a JSON answer",
    needs: Needs::Settings,
    settings: Settings::json_schema,
    open: |traffic, surroundings| {
        let settings: Settings = traffic.read()?;
        is_url("url", &settings.url)?;
        settings.secret.iter().try_for_each(|secret| secret.is_named("secret"))?;
        let (name, folder) = (traffic.name.clone(), traffic.folder.clone());
        Ok(Box::new(Http { name, folder, settings, surroundings: surroundings.clone() }))
    },
};

/// As `[traffic.NAME]` has them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// Where `/v1/OPERATION` is below.
    url: String,
    /// What calls are signed with: `{ env = "NAME" }`, `{ file = "PATH" }` or `{ command = ["PROGRAM"] }`.
    secret: Option<ConfiguredText>,
}

/// A service as traffic backend.
struct Http {
    name: String,
    folder: Utf8PathBuf,
    settings: Settings,
    surroundings: Surroundings,
}

/// When a call was made, in seconds since 1970.
const TIMESTAMP: &str = "Cutover-Timestamp";
/// HMAC-SHA-256 of that time, a full stop and the body.
const SIGNATURE: &str = "Cutover-Signature";
/// Of what changes something: the same for the same call of the same step by the same executor.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

fn signature(secret: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("sha256={hex}"))
}

impl Http {
    async fn ask(&self, context: &Context, request: &PluginRequest) -> Result<Vec<u8>, NoAnswer> {
        let body = serde_json::to_vec(request).map_err(|e| NoAnswer::Broken(e.to_string()))?;
        let op = request.op.name();
        let url = format!("{}/v1/{op}", self.settings.url.trim_end_matches('/'));
        let mut call = http::HttpRequest::with_json("POST", &url, body);
        let (release, step, fence) = (&context.release, &context.step, context.fence);
        let key = match &request.op {
            Op::SetShare { .. } | Op::Finalize => Some(format!("{release}/{step}/{op}/{fence}")),
            // Whoever asks: it is one deployment.
            Op::Start => Some(format!("{release}/{step}/{op}")),
            Op::Answer { handle, .. } | Op::Abort { handle } => Some(format!("{release}/{step}/{op}/{fence}/{handle}")),
            // What only asks is asked anew each time.
            Op::Capabilities
            | Op::Preflight
            | Op::Observe
            | Op::Verify { .. }
            | Op::Health { .. }
            | Op::Drain { .. }
            | Op::Poll { .. } => None,
        };
        if let Some(key) = key {
            call = call.header(IDEMPOTENCY_KEY, key);
        }
        if let Some(secret) = &self.settings.secret {
            let secret = secret.read(&self.folder, &self.surroundings).await;
            let secret =
                secret.map_err(|why| NoAnswer::Refused(TrafficErrorCode::Misconfigured, format!("secret: {why}")))?;
            let timestamp = jiff::Timestamp::now().as_second().to_string();
            if let Some(signature) = signature(secret.reveal(), &timestamp, &call.body) {
                call = call.header(SIGNATURE, signature).header(TIMESTAMP, timestamp);
            }
        }
        let response = send(call, context.deadline).await.map_err(|error| match error {
            NoResponse::NotAsked(why) => NoAnswer::Refused(TrafficErrorCode::Misconfigured, why),
            NoResponse::TooSlow(_) => NoAnswer::Late,
            unreached @ NoResponse::NotReached(_) => NoAnswer::Unavailable(format!("{url}: {unreached}")),
        })?;
        let said = || format!("{url} answered {}: {}", response.status, response.excerpt());
        match response.status {
            200..300 => Ok(response.body),
            401 | 403 => Err(NoAnswer::Refused(TrafficErrorCode::Denied, said())),
            409 => Err(NoAnswer::Refused(TrafficErrorCode::Fenced, said())),
            423 | 429 => Err(NoAnswer::Refused(TrafficErrorCode::Throttled, said())),
            500.. => Err(NoAnswer::Unavailable(said())),
            _ => Err(NoAnswer::Broken(said())),
        }
    }
}

impl Asked for Http {
    fn name(&self) -> &str {
        &self.name
    }

    fn transport(&self) -> &dyn Transport {
        self
    }
}

impl Transport for Http {
    fn bring<'a>(&'a self, context: &'a Context, request: &'a PluginRequest) -> Bringing<'a> {
        Box::pin(self.ask(context, request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `printf 1700000000.BODY | openssl dgst -sha256 -hmac key` says.
    #[test]
    fn a_call_is_signed_as_documented() {
        let signed = signature("key", "1700000000", b"{\"op\":\"observe\"}").unwrap();
        assert_eq!(signed, "sha256=2110bea7174c36f7eabe5eb876897873b9ad1bb401aeb5cab815c6626fae8549");
    }
}
