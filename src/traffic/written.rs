//! Files that a backend writes as a whole, and no other.

use camino::Utf8Path;

use crate::outside::replace::replace;

/// How each of them begins.
pub(super) const FIRST_LINE: &str = "# Written by cutover, as a whole, with each share that it sets.";

/// Whether the file is one of them; an error says what should be there. `example` is how it could begin.
pub(super) fn is_ours(file: &Utf8Path, example: &str) -> Result<(), String> {
    let begin = || format!("begin with this:\n{example}");
    match std::fs::read_to_string(file) {
        Ok(text) if text.lines().next() == Some(FIRST_LINE) => Ok(()),
        Ok(_) => Err(format!(
            "{file} was not written by cutover (its first line is another one), and is not overwritten; name another file, or {}",
            begin()
        )),
        Err(error) => Err(format!("{file} cannot be read ({error}); {}", begin())),
    }
}

/// Writes it, if it is one of them.
pub(super) fn write(file: &Utf8Path, text: &str) -> Result<(), String> {
    is_ours(file, text)?;
    replace(file, text)
}
