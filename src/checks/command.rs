//! A program that says by its exit code how green does.

use schemars::JsonSchema as _;

use super::registry::CheckKind;
use super::{Check, CheckContext, Measured, Measuring};
use crate::outside::{Needs, Program, program};

pub(super) const KIND: CheckKind = CheckKind {
    name: "command",
    about: "A program: exit code 0 is successful, 75 says nothing, any other is failed",
    needs: Needs::ThisMachine,
    settings: crate::outside::ProgramSettings::json_schema,
    open: |check, surroundings| Ok(Box::new(Command { program: surroundings.command(check)? })),
};

struct Command {
    program: Program,
}

/// `EX_TEMPFAIL` of sysexits.h: "try again later".
const INCONCLUSIVE: i32 = 75;

impl Command {
    async fn run(&self, context: &CheckContext) -> Measured {
        let path = &self.program.path;
        let (ended, said) = match program::ask(&self.program, b"", context.deadline).await {
            Ok(ended) => ended,
            Err(why) => return Measured::error(format!("{path}: {why}")),
        };
        let output = String::from_utf8_lossy(&ended.output);
        let said = said.or_else(|| output.lines().rfind(|line| !line.trim().is_empty()).map(str::to_owned));
        let said = said.map_or_else(String::new, |line| format!(": {}", line.chars().take(200).collect::<String>()));
        match ended.status.code() {
            Some(0) => Measured::successful(format!("{path} ended with 0{said}")),
            Some(INCONCLUSIVE) => Measured::inconclusive(format!("{path} ended with {INCONCLUSIVE}{said}")),
            Some(code) => Measured::failed(format!("{path} ended with {code}{said}")),
            None => Measured::error(format!("{path} was killed ({}){said}", ended.status)),
        }
    }
}

impl Check for Command {
    fn measure<'a>(&'a self, context: &'a CheckContext) -> Measuring<'a> {
        Box::pin(self.run(context))
    }
}
