//! A program: the document on standard input, exit code 0 if all is well.

use std::time::Duration;

use schemars::JsonSchema as _;

use super::registry::ListenerKind;
use super::{Listener, Occasion, Telling};
use crate::outside::{Needs, Program, program};

pub(super) const KIND: ListenerKind = ListenerKind {
    name: "command",
    about: "A program gets the document on standard input; exit code 0 means that all is well",
    needs: Needs::ThisMachine,
    settings: crate::outside::ProgramSettings::json_schema,
    open: |configured, surroundings| Ok(Box::new(Command { program: surroundings.command(configured)? })),
};

struct Command {
    program: Program,
}

impl Command {
    async fn run(&self, occasion: &Occasion, deadline: Duration) -> Result<(), String> {
        let path = &self.program.path;
        let mut input = serde_json::to_vec(occasion).map_err(|error| error.to_string())?;
        input.push(b'\n');
        let ended = program::ask(&self.program, &input, deadline).await;
        let (ended, said) = ended.map_err(|error| format!("{path}: {error}"))?;
        match ended.status.success() {
            true => Ok(()),
            false => Err(self.program.ended_badly(&ended, said)),
        }
    }
}

impl Listener for Command {
    fn tell<'a>(&'a self, occasion: &'a Occasion, deadline: Duration) -> Telling<'a> {
        Box::pin(self.run(occasion, deadline))
    }
}
