//! Gates over HTTP, for engines that ask whether they may go on: what `gate wait` and `ready` say, and what the journal says as figures. Nothing is written.
//!
//! An answer never comes from before its question: whoever asks while the database is looked at waits for the next look, and all that ask meanwhile share it.

mod engines;
mod listen;
mod looks;
mod metrics;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, MatchedPath, Path, Query, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::execute::Admission;

use engines::{Hook, Payload};
pub use listen::listen;
pub use looks::{Connect, Looker};
use looks::{Question, Told};
use metrics::Requests;
pub use token::Token;

/// How long a request may take, its body included.
const LONGEST: Duration = Duration::from_secs(30);

/// The largest body that is read.
const LARGEST: usize = 64 * 1024;

/// How a token is sent.
const SCHEME: &[u8] = b"bearer ";

/// When whoever was told "not yet" may ask again, in seconds.
const AGAIN: &str = "5";

/// What all requests share.
#[derive(Debug)]
struct Shared {
    looker: Looker,
    token: Option<Token>,
    requests: Requests,
}

/// What is asked with a gate or a version.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The release that is meant.
    release: Option<String>,
    /// The last migration that a version was built with.
    version: Option<String>,
}

/// The server's paths. With a token, everything but `/healthz` needs it.
pub fn router(looker: Looker, token: Option<Token>) -> Router {
    let shared = Arc::new(Shared { looker, token, requests: Requests::default() });
    let known = Router::new()
        .route("/metrics", get(figures))
        .route("/ready", any(ready))
        .route("/gates/{gate}", any(gate))
        .route("/measurements/gates/{gate}", any(measurement))
        .route("/flagger/{hook}", post(flagger))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), admit));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .merge(known)
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "there is no such path") })
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), count))
        .with_state(shared)
}

async fn admit(State(shared): State<Arc<Shared>>, headers: HeaderMap, request: Request, next: Next) -> Response {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().split_at_checked(SCHEME.len()));
    let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME)).map(|(_, token)| token);
    match &shared.token {
        Some(token) if !given.is_some_and(|given| token.is(given)) => {
            let refused = refuse(StatusCode::UNAUTHORIZED, "the token is missing or another one");
            ([(WWW_AUTHENTICATE, "Bearer")], refused).into_response()
        }
        _ => next.run(request).await,
    }
}

/// A body that does not come is not waited for.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(LONGEST, next.run(request)).await {
        Ok(answered) => answered,
        Err(_) => refuse(StatusCode::REQUEST_TIMEOUT, "the request took too long"),
    }
}

async fn count(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    // By the path as it was registered: what is asked for may be anything.
    let path = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let answered = next.run(request).await;
    shared.requests.count(&path, answered.status().as_u16());
    answered
}

/// What a pipeline asks: 200 open, 503 not yet, 403 refused.
async fn gate(State(shared): State<Arc<Shared>>, Path(gate): Path<String>, asked: QueryOf) -> Response {
    let Ok(Query(asked)) = asked else { return bad(&asked) };
    let question = Question::Gate { gate, release: asked.release };
    match shared.looker.ask(question).await {
        Ok(told) => by_status(&told),
        Err(why) => unanswered(&why),
    }
}

/// What a probe asks.
async fn ready(State(shared): State<Arc<Shared>>, asked: QueryOf) -> Response {
    let Ok(Query(asked)) = asked else { return bad(&asked) };
    let Some(version) = asked.version else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "`version` is missing: the last migration that the version was built with",
        );
    };
    match shared.looker.ask(Question::Ready { version }).await {
        Ok(told) => by_status(&told),
        Err(why) => unanswered(&why),
    }
}

/// What an analysis measures: every answer is a measurement, and only none is an error.
async fn measurement(State(shared): State<Arc<Shared>>, Path(gate): Path<String>, asked: QueryOf) -> Response {
    let Ok(Query(asked)) = asked else { return bad(&asked) };
    match shared.looker.ask(Question::Gate { gate, release: asked.release }).await {
        Ok(Told { admission, mut document }) => {
            document["open"] = json!(matches!(admission, Admission::Open(_)));
            document["refused"] = json!(matches!(admission, Admission::Refused(_)));
            document_of(StatusCode::OK, &document)
        }
        Err(why) => unanswered(&why),
    }
}

/// What Flagger's webhooks ask; anything but 2xx holds it.
async fn flagger(State(shared): State<Arc<Shared>>, Path(hook): Path<String>, body: Bytes) -> Response {
    let payload = match Payload::read(&body) {
        Ok(payload) => payload,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    let asks = match Hook::of(&hook, payload) {
        Some(Ok(asks)) => asks,
        Some(Err(why)) => return refuse(StatusCode::BAD_REQUEST, &why),
        None => return refuse(StatusCode::NOT_FOUND, &format!("Flagger has no webhook {hook}, or none to answer")),
    };
    match asks {
        Hook::Noted => document_of(StatusCode::OK, &json!({ "answer": "noted" })),
        Hook::MayGoOn(question) => match shared.looker.ask(question).await {
            Ok(told) => by_status(&told),
            Err(why) => unanswered(&why),
        },
        Hook::IsBack(question) => match shared.looker.ask(question).await {
            Ok(told) => match told.admission {
                Admission::Refused(_) => document_of(StatusCode::OK, &told.document),
                Admission::Open(_) | Admission::NotYet(_) => document_of(StatusCode::FORBIDDEN, &told.document),
            },
            Err(why) => unanswered(&why),
        },
    }
}

async fn figures(State(shared): State<Arc<Shared>>) -> Response {
    let found = shared.looker.figures().await;
    let text = metrics::text(found.as_ref().ok(), &shared.requests);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

type QueryOf = Result<Query<Asked>, axum::extract::rejection::QueryRejection>;

fn bad(asked: &QueryOf) -> Response {
    let why = asked.as_ref().err().map(ToString::to_string).unwrap_or_default();
    refuse(StatusCode::BAD_REQUEST, &format!("{why}; `release` and `version` can be said"))
}

fn by_status(told: &Told) -> Response {
    match told.admission {
        Admission::Open(_) => document_of(StatusCode::OK, &told.document),
        Admission::NotYet(_) => not_now(&told.document),
        Admission::Refused(_) => document_of(StatusCode::FORBIDDEN, &told.document),
    }
}

/// Nobody knows: that is never a yes.
fn unanswered(why: &str) -> Response {
    not_now(&json!({ "error": why }))
}

fn not_now(document: &Value) -> Response {
    ([(RETRY_AFTER, AGAIN)], document_of(StatusCode::SERVICE_UNAVAILABLE, document)).into_response()
}

fn refuse(status: StatusCode, why: &str) -> Response {
    document_of(status, &json!({ "error": why }))
}

fn document_of(status: StatusCode, document: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], format!("{document}\n")).into_response()
}
