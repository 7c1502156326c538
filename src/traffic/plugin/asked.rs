//! The backend that asks somebody in the protocol, however the documents are brought.

use std::future::Future;
use std::pin::Pin;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::protocol::{Op, PROTOCOL, PluginRequest, PluginResponse};
use crate::side::Side;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Handle, Health, ManagedDeployment, Progress, Share, ShareSeen, ShareSet,
    TrafficBackend, TrafficError, TrafficErrorCode, Verified,
};

/// Why no answer came.
pub(super) enum NoAnswer {
    /// Not in time; whoever was asked has been ended.
    Late,
    /// Nobody is there, which may pass.
    Unavailable(String),
    /// It answered outside the protocol.
    Refused(TrafficErrorCode, String),
    /// It is broken.
    Broken(String),
}

/// An answer on its way.
pub(super) type Bringing<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, NoAnswer>> + Send + 'a>>;

/// Brings one document there and another one back.
pub(super) trait Transport: Send + Sync {
    /// Asks once, within the context's deadline.
    fn bring<'a>(&'a self, context: &'a Context, request: &'a PluginRequest) -> Bringing<'a>;
}

/// One call.
pub(super) async fn call<T: DeserializeOwned>(
    backend: &str,
    transport: &dyn Transport,
    context: &Context,
    op: Op,
) -> Result<T, TrafficError> {
    let name = op.name();
    let broken = |why: String| TrafficError::Broken { backend: backend.to_owned(), op: name, why };
    let request = PluginRequest {
        protocol: PROTOCOL,
        release: context.release.clone(),
        step: context.step.clone(),
        fence: context.fence,
        deadline_ms: u64::try_from(context.deadline.as_millis()).unwrap_or(u64::MAX),
        op,
    };
    let output = transport.bring(context, &request).await.map_err(|error| match error {
        NoAnswer::Late => TrafficError::Late { backend: backend.to_owned(), op: name, deadline: context.deadline },
        NoAnswer::Unavailable(why) => TrafficError::unavailable(backend, name, why),
        NoAnswer::Refused(code, why) => TrafficError::refused(backend, name, code, why),
        NoAnswer::Broken(why) => broken(why),
    })?;
    let response: PluginResponse = serde_json::from_slice(&output).map_err(|e| broken(not_an_answer(&output, &e)))?;
    if response.protocol != PROTOCOL {
        return Err(broken(format!("it speaks protocol {}, cutover speaks {PROTOCOL}", response.protocol)));
    }
    match (response.ok, response.error) {
        (true, _) => {
            let result = response.result.unwrap_or_else(|| json!({}));
            T::deserialize(result).map_err(|e| broken(format!("its result does not fit `{name}`: {e}")))
        }
        (false, Some(error)) => Err(TrafficError::Refused {
            backend: backend.to_owned(),
            op: name,
            code: error.code.as_str().into(),
            message: error.message,
            retryable: error.retryable,
        }),
        (false, None) => Err(broken("it answered `ok: false` without an `error`".into())),
    }
}

fn not_an_answer(output: &[u8], error: &serde_json::Error) -> String {
    let start: String = String::from_utf8_lossy(output).chars().take(60).collect();
    match start.trim() {
        "" => "it wrote nothing to standard output".into(),
        start => format!("its output is not one JSON answer ({error}); it starts with {start:?}"),
    }
}

/// A backend that asks in the protocol.
pub(super) trait Asked: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;
    /// How it is asked.
    fn transport(&self) -> &dyn Transport;
}

impl<T: Asked> TrafficBackend for T {
    fn name(&self) -> &str {
        Asked::name(self)
    }

    fn capabilities<'a>(&'a self, context: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(call(Asked::name(self), self.transport(), context, Op::Capabilities))
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        let asked = call::<Value>(Asked::name(self), self.transport(), context, Op::Preflight);
        Box::pin(async move { asked.await.map(|_| ()) })
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(call(Asked::name(self), self.transport(), context, Op::Observe))
    }

    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(call(Asked::name(self), self.transport(), context, Op::SetShare { share: want }))
    }

    fn verify<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, Verified> {
        Box::pin(call(Asked::name(self), self.transport(), context, Op::Verify { share: want }))
    }

    fn health<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Health> {
        Box::pin(call(Asked::name(self), self.transport(), context, Op::Health { side }))
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(call(Asked::name(self), self.transport(), context, Op::Drain { side }))
    }

    fn managed(&self) -> Option<&dyn ManagedDeployment> {
        Some(self)
    }

    fn finalize<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        let asked = call::<Value>(Asked::name(self), self.transport(), context, Op::Finalize);
        Box::pin(async move { asked.await.map(|_| ()) })
    }
}

/// What [`Op::Start`] is answered with.
#[derive(Debug, serde::Deserialize)]
struct Started {
    handle: Handle,
}

impl<T: Asked> ManagedDeployment for T {
    fn start<'a>(&'a self, context: &'a Context) -> Answer<'a, Handle> {
        let asked = call::<Started>(Asked::name(self), self.transport(), context, Op::Start);
        Box::pin(async move { asked.await.map(|started| started.handle) })
    }

    fn poll<'a>(&'a self, context: &'a Context, handle: Handle) -> Answer<'a, Progress> {
        Box::pin(call(Asked::name(self), self.transport(), context, Op::Poll { handle }))
    }

    fn answer<'a>(&'a self, context: &'a Context, handle: Handle, gate: String) -> Answer<'a, ()> {
        let op = Op::Answer { handle, gate };
        let asked = call::<Value>(Asked::name(self), self.transport(), context, op);
        Box::pin(async move { asked.await.map(|_| ()) })
    }

    fn abort<'a>(&'a self, context: &'a Context, handle: Handle) -> Answer<'a, ()> {
        let op = Op::Abort { handle };
        let asked = call::<Value>(Asked::name(self), self.transport(), context, op);
        Box::pin(async move { asked.await.map(|_| ()) })
    }
}
