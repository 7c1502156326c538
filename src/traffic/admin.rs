//! A proxy's own HTTP API.

use serde_json::Value;

use super::{Context, TrafficError, TrafficErrorCode};
use crate::outside::http::{HttpRequest, HttpResponse, NoResponse, send};
use crate::outside::is_url;

/// The API of the proxy behind a backend.
#[derive(Debug, Clone)]
pub(super) struct Admin {
    backend: String,
    /// Without a slash at the end.
    base: String,
}

impl Admin {
    /// `setting`: where the settings name it, for the error.
    pub(super) fn new(backend: &str, setting: &str, base: &str) -> Result<Self, String> {
        is_url(setting, base)?;
        Ok(Self { backend: backend.to_owned(), base: base.trim_end_matches('/').to_owned() })
    }

    /// The address of a path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Asks; whatever is no success is an error.
    pub(super) async fn send(
        &self,
        context: &Context,
        op: &'static str,
        request: HttpRequest,
    ) -> Result<HttpResponse, TrafficError> {
        let (method, url) = (request.method, request.url.clone());
        let response = send(request, context.deadline).await.map_err(|error| match error {
            NoResponse::NotAsked(why) => TrafficError::refused(&self.backend, op, TrafficErrorCode::Misconfigured, why),
            unreached => TrafficError::unavailable(&self.backend, op, format!("{url}: {unreached}")),
        })?;
        if response.is_success() {
            return Ok(response);
        }
        let status = response.status;
        let said = format!("{method} {url} answered {status}: {}", response.excerpt());
        Err(match status {
            500.. => TrafficError::unavailable(&self.backend, op, said),
            _ => TrafficError::refused(&self.backend, op, code(status), said),
        })
    }

    pub(super) async fn get(
        &self,
        context: &Context,
        op: &'static str,
        path: &str,
    ) -> Result<HttpResponse, TrafficError> {
        self.send(context, op, HttpRequest::get(self.url(path))).await
    }

    /// The body of a response as JSON.
    pub(super) fn json(&self, op: &'static str, response: &HttpResponse) -> Result<Value, TrafficError> {
        serde_json::from_slice(&response.body).map_err(|error| TrafficError::Broken {
            backend: self.backend.clone(),
            op,
            why: format!("it answered with no JSON ({error}): {}", response.excerpt()),
        })
    }

    pub(super) async fn get_json(
        &self,
        context: &Context,
        op: &'static str,
        path: &str,
    ) -> Result<Value, TrafficError> {
        let response = self.get(context, op, path).await?;
        self.json(op, &response)
    }
}

fn code(status: u16) -> TrafficErrorCode {
    match status {
        401 | 403 => TrafficErrorCode::Denied,
        404 | 410 => TrafficErrorCode::NotFound,
        409 | 412 => TrafficErrorCode::Conflict,
        429 => TrafficErrorCode::Throttled,
        other => TrafficErrorCode::Other(other.to_string()),
    }
}

/// Whether a text can stand in a URL's path, a configuration file and a shell as it is.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c))
}
