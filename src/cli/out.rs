//! Standard output is data: what cannot be written is an error, never a panic. A reader that has seen enough (`| head`) is none. Standard
//! error is for people.

use std::io::{ErrorKind, IsTerminal as _, Write};

use super::error::CliError;
use crate::report::Style;

/// Prints text; colours are taken out where standard output is no terminal.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    // Mostly there is nothing to take out.
    let colour = text.as_bytes().contains(&b'\x1b');
    let mut out: Box<dyn Write> = match colour {
        true => Box::new(anstream::stdout().lock()),
        false => Box::new(std::io::stdout().lock()),
    };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::usage(format!("standard output cannot be written: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Says something to people, on standard error. Nobody listening stops nothing.
pub(super) fn say(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// How text for standard error is drawn.
pub(super) fn stderr_style() -> Style {
    // anstream takes the colours out again where NO_COLOR or the terminal say so.
    Style { color: std::io::stderr().is_terminal(), ..Style::default() }
}
