//! What settings may name of the machine, and what what is started there may know.

use camino::Utf8PathBuf;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::Program;
use crate::release::Configured;

/// What must be known of something configured before it can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// Its name.
    Nothing,
    /// Settings.
    Settings,
    /// Settings that name programs or files of this machine. They are taken from files and the command line, never from a journal: whoever can write
    /// there could run and overwrite what they like.
    ThisMachine,
}

/// What may be known of the process.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The value of an environment variable: secrets of the settings are named by one.
    pub variable: fn(&str) -> Option<String>,
    /// Names of environment variables that no other program gets: the database's password is none of its business.
    pub hidden_environment: Vec<String>,
}

impl Default for Surroundings {
    /// No environment at all.
    fn default() -> Self {
        Self { variable: |_| None, hidden_environment: Vec::new() }
    }
}

/// The JSON Schema of the settings of a kind.
pub type SettingsSchema = fn(&mut SchemaGenerator) -> Schema;

/// The settings of what is a program and nothing else.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgramSettings {
    /// The program and its arguments.
    command: Vec<String>,
}

impl Surroundings {
    /// The program of something that is configured as one.
    pub(crate) fn command(&self, configured: &Configured) -> Result<Program, String> {
        let ProgramSettings { command } = configured.read()?;
        self.program(|path| configured.path(path), "command", &command)
    }

    /// The program of a setting, whose name is `name`; `place` says where a path of the settings is.
    pub(crate) fn program(
        &self,
        place: impl Fn(&str) -> Utf8PathBuf,
        name: &str,
        command: &[String],
    ) -> Result<Program, String> {
        let (program, args) = command.split_first().ok_or_else(|| format!("`{name}` names no program"))?;
        Ok(Program { path: place(program), args: args.to_vec(), hidden_environment: self.hidden_environment.clone() })
    }
}
