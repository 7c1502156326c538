//! What an output format is: a name, a word on what it is for, and a function from a value to text. Each list of them is a registry.

use super::Style;

/// An output format of a value.
#[derive(Debug)]
pub struct Format<T: 'static> {
    /// As on the command line.
    pub name: &'static str,
    /// What it is for, as in help.
    pub about: &'static str,
    /// The text of a value. Only texts for people look at the style.
    pub render: fn(&T, Style) -> String,
}

/// A machine format's JSON Schema.
#[derive(Debug)]
pub struct MachineFormat {
    /// As on the command line.
    pub name: &'static str,
    /// Where it is written.
    pub about: &'static str,
    /// The schema.
    pub schema: fn() -> serde_json::Value,
}
