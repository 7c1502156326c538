//! Parse the arguments, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    cutover::cli::main(std::env::args_os())
}
