//! One request to an HTTP server.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct HttpRequest {
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl HttpRequest {
    pub(crate) fn get(url: impl Into<String>) -> Self {
        Self { method: "GET", url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// One that brings JSON.
    pub(crate) fn with_json(method: &'static str, url: impl Into<String>, body: Vec<u8>) -> Self {
        Self { method, body, ..Self::get(url) }.header("Content-Type", "application/json")
    }

    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl HttpResponse {
    /// The first header of that name, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The beginning of the body, on one line, for messages.
    pub(crate) fn excerpt(&self) -> String {
        let text = self.text();
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (short, more) = (line.chars().take(200).collect::<String>(), line.chars().count() > 200);
        if more { short + "…" } else { short }
    }
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoResponse {
    /// Nobody answers there, or not to the end.
    #[error("{0}")]
    NotReached(String),
    /// Not within the deadline.
    #[error("no answer within {0:?}")]
    TooSlow(Duration),
    /// It could not even be asked: the URL, a header, a certificate.
    #[error("{0}")]
    NotAsked(String),
}

/// More than that is not read.
const BODY_LIMIT: u64 = 4 << 20;

/// Asks once. Redirections are not followed: they are an answer.
pub(crate) async fn send(request: HttpRequest, deadline: Duration) -> Result<HttpResponse, NoResponse> {
    // The deadline is the client's own, and this one only for what it does not cover.
    let asked = tokio::task::spawn_blocking(move || ask(&request, deadline));
    match tokio::time::timeout(deadline + Duration::from_secs(1), asked).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(panicked)) => Err(NoResponse::NotAsked(panicked.to_string())),
        Err(_) => Err(NoResponse::TooSlow(deadline)),
    }
}

fn ask(request: &HttpRequest, deadline: Duration) -> Result<HttpResponse, NoResponse> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(deadline))
        .http_status_as_error(false)
        .max_redirects(0)
        // A proxy's own API is asked, which no other proxy of the environment must get.
        .proxy(None)
        .user_agent(concat!("cutover/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls(request.url.starts_with("https:")))
        .build()
        .new_agent();
    let mut builder = ureq::http::Request::builder().method(request.method).uri(&request.url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let not_asked = |error: ureq::http::Error| NoResponse::NotAsked(format!("{}: {error}", request.url));
    let answered = match request.body.is_empty() {
        true => agent.run(builder.body(()).map_err(not_asked)?),
        false => agent.run(builder.body(request.body.as_slice()).map_err(not_asked)?),
    };
    let failed = |error: ureq::Error| match error {
        ureq::Error::Timeout(_) => NoResponse::TooSlow(deadline),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::RequireHttpsOnly(_) => {
            NoResponse::NotAsked(format!("{}: {error}", request.url))
        }
        error => NoResponse::NotReached(error.to_string()),
    };
    let mut response = answered.map_err(failed)?;
    let body = response.body_mut().with_config().limit(BODY_LIMIT).read_to_vec().map_err(failed)?;
    let header = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Ok(HttpResponse {
        status: response.status().as_u16(),
        headers: response.headers().iter().map(header).collect(),
        body,
    })
}

/// rustls's ring provider and the system's authorities; these are read only where somebody asks by HTTPS.
fn tls(is_needed: bool) -> TlsConfig {
    static ROOTS: OnceLock<RootCerts> = OnceLock::new();
    let read = || {
        let found = rustls_native_certs::load_native_certs().certs;
        let certs: Vec<Certificate<'static>> =
            found.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect();
        RootCerts::from(certs)
    };
    let builder =
        TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
    match is_needed {
        true => builder.root_certs(ROOTS.get_or_init(read).clone()).build(),
        false => builder.build(),
    }
}
