//! The backend that asks a program.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::protocol::{Op, PROTOCOL, Request, Response};
use crate::outside::{Needs, Program, program};
use crate::side::Side;
use crate::traffic::registry::BackendKind;
use crate::traffic::{
    Answer, Capabilities, Context, Drain, Health, Share, ShareSeen, ShareSet, TrafficBackend, TrafficError, Verified,
};

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "exec",
    about: "A program moves it: a JSON request on standard input, a JSON answer on standard output",
    needs: Needs::ThisMachine,
    open: |traffic, surroundings| {
        let Settings { command } = traffic.read()?;
        let program = surroundings.program(traffic, "command", &command)?;
        Ok(Box::new(Exec::new(program).named(&traffic.name)))
    },
};

/// As `[traffic.NAME]` has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The program and its arguments.
    command: Vec<String>,
}

/// A program as traffic backend, see [`super`] for the protocol.
#[derive(Debug, Clone)]
pub struct Exec {
    program: Program,
    name: String,
}

impl Exec {
    /// A backend around a program. Its name is the program's file name; arguments stay out of it, they may hold secrets.
    pub fn new(program: Program) -> Self {
        let name = format!("exec:{}", program.path.file_name().unwrap_or(program.path.as_str()));
        Self { program, name }
    }

    /// The same under a name of the caller's.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    async fn call<T: DeserializeOwned>(&self, context: &Context, op: Op) -> Result<T, TrafficError> {
        let name = op.name();
        let broken = |why: String| TrafficError::Broken { backend: self.name.clone(), op: name, why };
        let request = Request {
            protocol: PROTOCOL,
            release: context.release.clone(),
            step: context.step.clone(),
            fence: context.fence,
            deadline_ms: u64::try_from(context.deadline.as_millis()).unwrap_or(u64::MAX),
            op,
        };
        let mut input = serde_json::to_vec(&request).map_err(|e| broken(e.to_string()))?;
        input.push(b'\n');
        let log = |line| context.log.line(line);
        let ended = program::run(&self.program, &input, context.deadline, log).await.map_err(broken)?;
        if !ended.status.success() {
            let status = ended.status;
            return Err(broken(format!("it ended with {status}; an answer of either kind ends with exit code 0")));
        }
        let output = ended.output;
        let response: Response = serde_json::from_slice(&output).map_err(|e| broken(not_an_answer(&output, &e)))?;
        if response.protocol != PROTOCOL {
            return Err(broken(format!("it speaks protocol {}, cutover speaks {PROTOCOL}", response.protocol)));
        }
        match (response.ok, response.error) {
            (true, _) => {
                let result = response.result.unwrap_or_else(|| json!({}));
                T::deserialize(result).map_err(|e| broken(format!("its result does not fit `{name}`: {e}")))
            }
            (false, Some(error)) => Err(TrafficError::Refused {
                backend: self.name.clone(),
                op: name,
                code: error.code.as_str().into(),
                message: error.message,
                retryable: error.retryable,
            }),
            (false, None) => Err(broken("it answered `ok: false` without an `error`".into())),
        }
    }
}

fn not_an_answer(output: &[u8], error: &serde_json::Error) -> String {
    let start: String = String::from_utf8_lossy(output).chars().take(60).collect();
    match start.trim() {
        "" => "it wrote nothing to standard output".into(),
        start => format!("its output is not one JSON answer ({error}); it starts with {start:?}"),
    }
}

impl TrafficBackend for Exec {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities<'a>(&'a self, context: &'a Context) -> Answer<'a, Capabilities> {
        Box::pin(self.call(context, Op::Capabilities))
    }

    fn preflight<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(async move { self.call::<Value>(context, Op::Preflight).await.map(|_| ()) })
    }

    fn observe<'a>(&'a self, context: &'a Context) -> Answer<'a, ShareSeen> {
        Box::pin(self.call(context, Op::Observe))
    }

    fn set_share<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, ShareSet> {
        Box::pin(self.call(context, Op::SetShare { share: want }))
    }

    fn verify<'a>(&'a self, context: &'a Context, want: Share) -> Answer<'a, Verified> {
        Box::pin(self.call(context, Op::Verify { share: want }))
    }

    fn health<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Health> {
        Box::pin(self.call(context, Op::Health { side }))
    }

    fn drain<'a>(&'a self, context: &'a Context, side: Side) -> Answer<'a, Drain> {
        Box::pin(self.call(context, Op::Drain { side }))
    }

    fn finalize<'a>(&'a self, context: &'a Context) -> Answer<'a, ()> {
        Box::pin(async move { self.call::<Value>(context, Op::Finalize).await.map(|_| ()) })
    }
}
