//! A program that is started for each call.

use schemars::JsonSchema;
use serde::Deserialize;

use super::asked::{Asked, Bringing, NoAnswer, Transport};
use super::protocol::PluginRequest;
use super::session::Session;
use crate::outside::program::NotEnded;
use crate::outside::{Needs, Program, program};
use crate::traffic::Context;
use crate::traffic::registry::BackendKind;

pub(in crate::traffic) const KIND: BackendKind = BackendKind {
    name: "exec",
    about: "A program moves it: a JSON request on standard input, a JSON answer on standard output",
    needs: Needs::ThisMachine,
    settings: Settings::json_schema,
    open: |traffic, surroundings| {
        let Settings { command, session } = traffic.read()?;
        let program = surroundings.program(|path| traffic.path(path), "command", &command)?;
        Ok(match session {
            true => Box::new(Session::new(program, &traffic.name)),
            false => Box::new(Exec::new(program).named(&traffic.name)),
        })
    },
};

/// As `[traffic.NAME]` has them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// The program and its arguments.
    command: Vec<String>,
    /// Whether it is started once and stays.
    #[serde(default)]
    session: bool,
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
}

impl Asked for Exec {
    fn name(&self) -> &str {
        &self.name
    }

    fn transport(&self) -> &dyn Transport {
        self
    }
}

impl Transport for Exec {
    fn bring<'a>(&'a self, context: &'a Context, request: &'a PluginRequest) -> Bringing<'a> {
        Box::pin(async move {
            let mut input = serde_json::to_vec(request).map_err(|e| NoAnswer::Broken(e.to_string()))?;
            input.push(b'\n');
            let log = |line| context.log.line(line);
            match program::run(&self.program, &input, context.deadline, log).await {
                Ok(ended) if ended.overflowed => {
                    let why = format!("it wrote more than {} bytes to standard output", program::OUTPUT_LIMIT);
                    Err(NoAnswer::Broken(why))
                }
                Ok(ended) if ended.status.success() => Ok(ended.output),
                Ok(ended) => {
                    let status = ended.status;
                    let why = format!("it ended with {status}; an answer of either kind ends with exit code 0");
                    Err(NoAnswer::Broken(why))
                }
                Err(NotEnded::Late(_)) => Err(NoAnswer::Late),
                Err(NotEnded::Broken(why)) => Err(NoAnswer::Broken(why)),
            }
        })
    }
}
