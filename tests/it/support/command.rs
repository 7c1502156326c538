use std::path::Path;
use std::process::{Command, Output};

/// The binary in a clean environment: no variable of the machine, no terminal, and paths that start at `directory`.
pub(crate) fn cutover(directory: impl AsRef<Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cutover"));
    command.env_clear().current_dir(directory).stdin(std::process::Stdio::null());
    command
}

/// What a command ended with, as one text to hold against a snapshot.
pub(crate) fn transcript(output: &Output) -> String {
    let mut text = format!("exit {}\n", exit(output));
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            text.push_str(&format!("--- {name}\n{}", String::from_utf8_lossy(bytes)));
        }
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The exit code; a command that a signal ended has none.
pub(crate) fn exit(output: &Output) -> i32 {
    output.status.code().unwrap()
}
