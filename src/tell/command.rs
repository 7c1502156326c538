//! A program: the document on standard input, exit code 0 if all is well.

use std::sync::Mutex;
use std::time::Duration;

use super::registry::ListenerKind;
use super::{Listener, Occasion, Telling};
use crate::outside::{Needs, Program, program};

pub(super) const KIND: ListenerKind = ListenerKind {
    name: "command",
    about: "A program gets the document on standard input; exit code 0 means that all is well",
    needs: Needs::ThisMachine,
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
        let last = Mutex::new(String::new());
        let keep = |line: String| {
            if let Ok(mut last) = last.lock() {
                *last = line;
            }
        };
        let ended = program::run(&self.program, &input, deadline, keep).await;
        let ended = ended.map_err(|error| format!("{path}: {error}"))?;
        let said = last.into_inner().unwrap_or_default();
        match ended.status.success() {
            true => Ok(()),
            false if said.is_empty() => Err(format!("{path} ended with {}", ended.status)),
            false => Err(format!("{path} ended with {}: {said}", ended.status)),
        }
    }
}

impl Listener for Command {
    fn tell<'a>(&'a self, occasion: &'a Occasion, deadline: Duration) -> Telling<'a> {
        Box::pin(self.run(occasion, deadline))
    }
}
