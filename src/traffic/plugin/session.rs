//! A program that is started once and answers line by line.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

use super::asked::{Asked, Bringing, NoAnswer, Transport};
use super::protocol::{PROTOCOL, PluginRequest};
use crate::outside::Program;
use crate::outside::program::Talk;
use crate::traffic::Context;

/// A program that stays, as traffic backend.
#[derive(Debug)]
pub(super) struct Session {
    program: Program,
    name: String,
    talk: Mutex<Running>,
}

/// The program, if it runs.
#[derive(Debug, Default)]
struct Running {
    talk: Option<Talk>,
    /// Of the last call.
    id: u64,
}

/// A request with what its answer is known by.
#[derive(Serialize)]
struct Numbered<'a> {
    id: u64,
    #[serde(flatten)]
    request: &'a PluginRequest,
}

/// What a program says first.
#[derive(Deserialize)]
struct Ready {
    protocol: u32,
    ready: bool,
}

impl Session {
    pub(super) fn new(program: Program, name: &str) -> Self {
        Self { program, name: name.to_owned(), talk: Mutex::default() }
    }

    async fn ask(&self, context: &Context, request: &PluginRequest) -> Result<Vec<u8>, NoAnswer> {
        let mut running = self.talk.lock().await;
        running.id += 1;
        let id = running.id;
        // Until the answer is there it is out of its place: a call that is given up takes the program with it, and no late answer is taken for
        // another call's.
        let mut talk = match running.talk.take() {
            Some(mut talk) => match talk.is_alive() {
                true => talk,
                false => self.start(context).await?,
            },
            None => self.start(context).await?,
        };
        let line = serde_json::to_string(&Numbered { id, request }).map_err(|e| NoAnswer::Broken(e.to_string()))?;
        talk.write(&line).await.map_err(NoAnswer::Broken)?;
        let said = talk.read(|line| context.log.line(line)).await.map_err(NoAnswer::Broken)?;
        let mut answer: Value = serde_json::from_str(&said).map_err(|error| {
            let start: String = said.chars().take(60).collect();
            NoAnswer::Broken(format!("a line of its output is no JSON ({error}); it starts with {start:?}"))
        })?;
        let known = answer.as_object_mut().and_then(|fields| fields.remove("id")).and_then(|id| id.as_u64());
        if known != Some(id) {
            let wrong = known.map_or_else(|| "none".to_owned(), |id| id.to_string());
            return Err(NoAnswer::Broken(format!("the answer to call {id} has the id {wrong}")));
        }
        running.talk = Some(talk);
        Ok(answer.to_string().into_bytes())
    }

    async fn start(&self, context: &Context) -> Result<Talk, NoAnswer> {
        let mut talk = Talk::start(&self.program).map_err(NoAnswer::Broken)?;
        let said = talk.read(|line| context.log.line(line)).await.map_err(NoAnswer::Broken)?;
        match serde_json::from_str::<Ready>(&said) {
            Ok(Ready { protocol: PROTOCOL, ready: true }) => Ok(talk),
            Ok(Ready { protocol, .. }) if protocol != PROTOCOL => {
                Err(NoAnswer::Broken(format!("it speaks protocol {protocol}, cutover speaks {PROTOCOL}")))
            }
            _ => {
                let start: String = said.chars().take(60).collect();
                let why = format!(
                    "its first line is not {{\"protocol\":{PROTOCOL},\"ready\":true}}; it starts with {start:?}"
                );
                Err(NoAnswer::Broken(why))
            }
        }
    }
}

impl Asked for Session {
    fn name(&self) -> &str {
        &self.name
    }

    fn transport(&self) -> &dyn Transport {
        self
    }
}

impl Transport for Session {
    fn bring<'a>(&'a self, context: &'a Context, request: &'a PluginRequest) -> Bringing<'a> {
        Box::pin(async move {
            let asked = tokio::time::timeout(context.deadline, self.ask(context, request));
            asked.await.unwrap_or(Err(NoAnswer::Late))
        })
    }
}
